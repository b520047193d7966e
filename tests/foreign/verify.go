// SPDX-License-Identifier: Apache-2.0

// Checks what femtoclaw-ledger made, with golang.org/x/mod/sumdb, lukechampine.com/blake3 and Go's standard library alone:
// the signed note, every tile through a TileReader, every entry, inclusion and consistency proofs,
// cosignatures, and evidence. It shares no code with the ledger.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run verify.go bundle.go names.go DIRECTORY [URL]
//	GO111MODULE=off GOPATH=/usr/share/gocode go run verify.go bundle.go names.go serve DIRECTORY
//
// DIRECTORY holds log.vkey, witnesses.vkey (one key a line), export/ (checkpoint, tile/…),
// proofs/*.tlog-proof, consistency/OLD with the hashes of the proof from size OLD, one a line,
// bundles/*, each evidence of one execution (or keys and bundles alone), and earlier.checkpoint where there is one that the export must extend. With a URL the export is read
// from there. The second form is a web server for static files, and prints its address.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2])
	}
	dir := os.Args[1]
	files := &tiles{dir: filepath.Join(dir, "export")}
	if len(os.Args) > 2 {
		files.dir = os.Args[2]
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(read(dir, "log.vkey"))))
	check(err)
	known := []note.Verifier{verifier}
	for _, line := range strings.Fields(string(read(dir, "witnesses.vkey"))) {
		known = append(known, newWitness(line))
	}
	bundles(dir, known)
	if _, err := os.Stat(filepath.Join(dir, "export")); os.IsNotExist(err) && len(os.Args) < 3 {
		return
	}
	checkpoint := must(get(files.dir, "checkpoint"))
	tree := open(checkpoint, known, len(known))
	mustFail("a changed note", func() { open(bytes.Replace(checkpoint, []byte("\n"), []byte("x\n"), 1), known, 1) })

	hashes := tlog.TileHashReader(tree, files)
	for n := int64(0); n < tree.N; {
		for _, entry := range bundle(files.dir, n/256, min(256, tree.N-n)) {
			leaf := tlog.RecordHash(entry)
			stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
			check(err)
			if stored[0] != leaf {
				fail("entry %d is not in the tree", n)
			}
			if n%97 == 0 {
				proof, err := tlog.ProveRecord(tree.N, n, hashes)
				check(err)
				check(tlog.CheckRecord(proof, tree.N, tree.Hash, n, leaf))
			}
			n++
		}
	}
	inclusion, consistency := 0, 0
	paths, err := filepath.Glob(filepath.Join(dir, "proofs", "*.tlog-proof"))
	check(err)
	for _, path := range paths {
		inclusionProof(path, files.dir, known)
		inclusion++
	}
	paths, err = filepath.Glob(filepath.Join(dir, "consistency", "*"))
	check(err)
	for _, path := range paths {
		consistencyProof(path, tree, hashes)
		consistency++
	}
	if data, err := os.ReadFile(filepath.Join(dir, "earlier.checkpoint")); err == nil {
		old := open(data, known, len(known))
		proof, err := tlog.ProveTree(tree.N, old.N, hashes)
		check(err)
		check(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
		consistency++
	}
	fmt.Printf("ok: %d entries, %d tiles, %d signatures, %d inclusion proofs, %d consistency proofs\n",
		tree.N, len(files.seen), len(known), inclusion, consistency)
}

// open checks the signatures and reads the tree head.
func open(data []byte, known []note.Verifier, signatures int) tlog.Tree {
	n, err := note.Open(data, note.VerifierList(known...))
	check(err)
	if len(n.Sigs) != signatures {
		fail("%d good signatures instead of %d", len(n.Sigs), signatures)
	}
	lines := strings.Split(n.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	hash, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: hash}
}

// tiles reads tiles of height 8, whose paths leave the height out.
type tiles struct {
	dir  string
	seen map[string]bool
}

func (t *tiles) Height() int { return 8 }

func (t *tiles) SaveTiles(list []tlog.Tile, _ [][]byte) {
	if t.seen == nil {
		t.seen = make(map[string]bool)
	}
	for _, tile := range list {
		t.seen[tile.Path()] = true
	}
}

func (t *tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range list {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := narrow(t.dir, path, tile.W)
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

// narrow reads a tile of this width: from its own file, or, where that is gone, from the full one. Go
// asks for the narrowest tile that will do: in a directory a wider partial one serves too.
func narrow(base, path string, width int) ([]byte, error) {
	data, err := get(base, path)
	if os.IsNotExist(err) && width < 256 {
		full := strings.SplitN(path, ".p/", 2)[0]
		names, _ := filepath.Glob(filepath.Join(base, full) + ".p/*")
		for _, name := range append([]string{filepath.Join(base, full)}, names...) {
			relative, failed := filepath.Rel(base, name)
			if strings.HasPrefix(base, "http://") {
				relative, failed = full, nil
			}
			check(failed)
			data, err = get(base, relative)
			if err == nil && len(data) >= width*32 {
				return data[:width*32], nil
			}
		}
		return nil, os.ErrNotExist
	}
	return data, err
}

// get reads a file of an export, from a directory or from a web server.
func get(base, path string) ([]byte, error) {
	if !strings.HasPrefix(base, "http://") {
		return os.ReadFile(filepath.Join(base, path))
	}
	response, err := http.Get(base + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return io.ReadAll(response.Body)
	case http.StatusNotFound:
		return nil, os.ErrNotExist
	}
	return nil, fmt.Errorf("%s: %s", path, response.Status)
}

func serve(dir string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("http://%s\n", listener.Addr())
	check(http.Serve(listener, http.FileServer(http.Dir(dir))))
}

// bundle reads the entries with index n*256 and following.
func bundle(dir string, n, width int64) [][]byte {
	path := strings.Replace(tlog.Tile{H: 8, L: 0, N: n, W: int(width)}.Path(), "tile/8/0/", "tile/entries/", 1)
	data, err := get(dir, path)
	if os.IsNotExist(err) && width < 256 {
		// A full bundle begins with what the partial one had.
		data, err = get(dir, strings.SplitN(path, ".p/", 2)[0])
	}
	check(err)
	var entries [][]byte
	for len(data) > 0 && int64(len(entries)) < width {
		length := int(binary.BigEndian.Uint16(data))
		entry := data[2 : 2+length]
		readHeader(entry, uint64(n)*256+uint64(len(entries))+1)
		entries = append(entries, entry)
		data = data[2+length:]
	}
	if int64(len(entries)) != width {
		fail("%s has %d entries", path, len(entries))
	}
	return entries
}

// inclusionProof checks a file of C2SP's tlog-proof form.
func inclusionProof(path, export string, known []note.Verifier) {
	parts := strings.SplitN(string(read(path, "")), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("%s: %q", path, lines[0])
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	check(err)
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		check(err)
		proof = append(proof, hash)
	}
	tree := open([]byte(parts[1]), known, len(known))
	entries := bundle(export, index/256, min(256, tree.N-index/256*256))
	leaf := tlog.RecordHash(entries[index%256])
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf))
	mustFail("a proof of another entry", func() {
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash([]byte("another"))))
	})
}

func consistencyProof(path string, tree tlog.Tree, hashes tlog.HashReader) {
	old, err := strconv.ParseInt(filepath.Base(path), 10, 64)
	check(err)
	var proof tlog.TreeProof
	for _, line := range strings.Fields(string(read(path, ""))) {
		hash, err := tlog.ParseHash(line)
		check(err)
		proof = append(proof, hash)
	}
	root, err := tlog.TreeHash(old, hashes)
	check(err)
	check(tlog.CheckTree(proof, tree.N, tree.Hash, old, root))
	mustFail("a proof from another tree", func() {
		check(tlog.CheckTree(proof, tree.N, tree.Hash, old, tlog.RecordHash([]byte("another"))))
	})
}

// witness checks cosignature/v1, which x/mod does not know.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newWitness(vkey string) *witness {
	parts := strings.SplitN(vkey, "+", 3)
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	check(err)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	check(err)
	if key[0] != 4 || len(key) != 33 {
		fail("%s is not a witness's key", vkey)
	}
	return &witness{parts[0], uint32(hash), key[1:]}
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }
func (w *witness) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(sig)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return ed25519.Verify(w.key, []byte(message), sig[8:])
}

func read(dir, name string) []byte {
	return must(os.ReadFile(filepath.Join(dir, name)))
}

func must(data []byte, err error) []byte {
	check(err)
	return data
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

type failure string

func fail(format string, args ...interface{}) {
	panic(failure(fmt.Sprintf(format, args...)))
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

// mustFail shows that a check can fail at all.
func mustFail(what string, attempt func()) {
	defer func() {
		if _, failed := recover().(failure); !failed {
			panic("accepted: " + what)
		}
	}()
	attempt()
}
