// Checks what femtoclaw-ledger made, with golang.org/x/mod/sumdb and Go's standard library alone:
// the signed note, every tile through a TileReader, every entry, inclusion and consistency proofs,
// and cosignatures. It shares no code with the ledger.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run verify.go bundle.go DIRECTORY
//
// DIRECTORY holds log.vkey, witnesses.vkey (one key a line), export/ (checkpoint, tile/…),
// proofs/*.tlog-proof, consistency/OLD with the hashes of the proof from size OLD, one a line, and
// bundles/*, each evidence of one execution; or keys and bundles alone.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	dir := os.Args[1]
	verifier, err := note.NewVerifier(strings.TrimSpace(string(read(dir, "log.vkey"))))
	check(err)
	known := []note.Verifier{verifier}
	for _, line := range strings.Fields(string(read(dir, "witnesses.vkey"))) {
		known = append(known, newWitness(line))
	}
	bundles(dir, known)
	if _, err := os.Stat(filepath.Join(dir, "export")); os.IsNotExist(err) {
		return
	}
	checkpoint := read(dir, "export/checkpoint")
	tree := open(checkpoint, known, len(known))
	mustFail("a changed note", func() { open(bytes.Replace(checkpoint, []byte("\n"), []byte("x\n"), 1), known, 1) })

	files := &tiles{dir: filepath.Join(dir, "export")}
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
		inclusionProof(path, dir, known)
		inclusion++
	}
	paths, err = filepath.Glob(filepath.Join(dir, "consistency", "*"))
	check(err)
	for _, path := range paths {
		consistencyProof(path, tree, hashes)
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
		data, err := os.ReadFile(filepath.Join(t.dir, path))
		if os.IsNotExist(err) && tile.W < 256 {
			// Go asks for the narrowest tile that will do; a server has it in a wider one.
			data, err = wider(filepath.Join(t.dir, strings.SplitN(path, ".p/", 2)[0]), tile.W*32)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

func wider(full string, length int) ([]byte, error) {
	paths, err := filepath.Glob(full + ".p/*")
	check(err)
	for _, path := range append(paths, full) {
		if data, err := os.ReadFile(path); err == nil && len(data) >= length {
			return data[:length], nil
		}
	}
	return nil, os.ErrNotExist
}

// bundle reads the entries with index n*256 and following.
func bundle(dir string, n, width int64) [][]byte {
	path := strings.Replace(tlog.Tile{H: 8, L: 0, N: n, W: int(width)}.Path(), "tile/8/0/", "tile/entries/", 1)
	data := read(dir, path)
	var entries [][]byte
	for len(data) > 0 {
		length := int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:2+length])
		data = data[2+length:]
	}
	if int64(len(entries)) != width {
		fail("%s has %d entries", path, len(entries))
	}
	return entries
}

// inclusionProof checks a file of C2SP's tlog-proof form.
func inclusionProof(path, dir string, known []note.Verifier) {
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
	entries := bundle(filepath.Join(dir, "export"), index/256, min(256, tree.N-index/256*256))
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
	data, err := os.ReadFile(filepath.Join(dir, name))
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
