// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"lukechampine.com/blake3"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Evidence of one execution: the note, which ledger it is of, each record's place in the tree, that salt and
// payload are what the header commits to (BLAKE3, by lukechampine.com/blake3), the checksum, which
// names components have, and whether the records are versions 1 to N with an end.

// The fields of a record header that matter here; docs/FORMAT.md has all of them.
type header struct {
	kind              uint16
	outcome           byte
	component         uint32
	seq, version      uint64
	stream, execution []byte
	command           []byte
}

// readHeader reads the header of the record that must have this number.
func readHeader(entry []byte, seq uint64) header {
	if len(entry) != 224 || binary.LittleEndian.Uint16(entry) != 224 {
		fail("the header of record %d has %d bytes", seq, len(entry))
	}
	if binary.LittleEndian.Uint32(entry[220:]) != 0 {
		fail("the header of record %d has something in its reserved bytes", seq)
	}
	if found := binary.LittleEndian.Uint64(entry[16:]); found != seq {
		fail("the header of record %d is that of %d", seq, found)
	}
	return header{
		kind:      binary.LittleEndian.Uint16(entry[2:]),
		outcome:   entry[10],
		component: binary.LittleEndian.Uint32(entry[12:]),
		seq:       binary.LittleEndian.Uint64(entry[16:]),
		stream:    entry[32:48],
		version:   binary.LittleEndian.Uint64(entry[48:]),
		execution: entry[56:72],
		command:   entry[104:120],
	}
}

// lines are taken one by one.
type lines struct{ rest []string }

func (l *lines) is(word string) bool {
	return len(l.rest) > 0 && (l.rest[0] == word || strings.HasPrefix(l.rest[0], word+" "))
}

func (l *lines) take(word string) string {
	if !l.is(word) {
		fail("no line %q where it must be", word)
	}
	value := strings.TrimPrefix(strings.TrimPrefix(l.rest[0], word), " ")
	l.rest = l.rest[1:]
	return value
}

func decode(text string) []byte {
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	check(err)
	return data
}

func bundles(dir string, known []note.Verifier) {
	paths, err := filepath.Glob(filepath.Join(dir, "bundles", "*"))
	check(err)
	for _, path := range paths {
		fmt.Printf("bundle %s: %s\n", filepath.Base(path), bundleOf(path, known))
	}
}

func bundleOf(path string, known []note.Verifier) string {
	data, err := os.ReadFile(path)
	check(err)
	parts := bytes.SplitN(data, []byte("\n\n"), 2)
	if len(parts) != 2 {
		fail("%s has no checkpoint", path)
	}
	tree := open(parts[1], known, len(known))
	text := string(parts[0]) + "\n"
	before := strings.LastIndex(text, "\nchecksum ") + 1
	sum := sha256.Sum256([]byte(text[:before]))
	l := &lines{strings.Split(strings.TrimSuffix(text, "\n"), "\n")}
	if l.take("femtoclaw-ledger") != "evidence 4" {
		fail("%s is no evidence of version 4", path)
	}
	ledger, err := hex.DecodeString(l.take("ledger"))
	check(err)
	opened, _ := place(l, "opened", tree, nil)
	if opened.kind != 0x207 || opened.component != 0 || !bytes.Equal(opened.stream, ledger) {
		fail("record %d does not open the ledger %x", opened.seq, ledger)
	}
	execution, err := hex.DecodeString(l.take("execution"))
	check(err)
	stated := l.take("stream")
	for l.is("key") {
		l.take("key")
	}
	names := namesOf(l, tree)
	s := &stream{execution: execution, stand: "new"}
	last, payloads := uint64(0), 0
	for l.is("record") {
		h, committed := place(l, "record", tree, content)
		payloads += committed
		if h.seq <= last || !bytes.Equal(h.execution, execution) {
			fail("record %d must not stand here", h.seq)
		}
		last = h.seq
		names.caused(h)
		if bytes.Equal(h.stream, execution) {
			s.next(h)
		}
	}
	if !bytes.Equal(decode(l.take("checksum")), sum[:]) || len(l.rest) != 0 {
		fail("the checksum does not fit")
	}
	if s.String() != stated {
		fail("the bundle says %q, and the records show %q", stated, s)
	}
	return fmt.Sprintf("%s, %d payloads%s", stated, payloads, names.said())
}

// place checks that one record is where the tree has it; other says what its header must fit besides.
func place(l *lines, word string, tree tlog.Tree, other func(l *lines, entry []byte) int) (header, int) {
	seq, err := strconv.ParseUint(l.take(word), 10, 63)
	check(err)
	entry := decode(l.take("header"))
	h, count := readHeader(entry, seq), 0
	if other != nil {
		count = other(l, entry)
	}
	var proof tlog.RecordProof
	for l.is("hash") {
		hash, err := tlog.ParseHash(l.take("hash"))
		check(err)
		proof = append(proof, hash)
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(seq)-1, tlog.RecordHash(entry)); err != nil {
		fail("the header of record %d is not the one in the tree: %v", seq, err)
	}
	return h, count
}

// content checks that salt and payload are what the header commits to; how many payloads there were.
func content(l *lines, entry []byte) int {
	if l.is("withheld") {
		l.take("withheld")
		return 0
	}
	payloadOf(l, entry)
	return 1
}

func payloadOf(l *lines, entry []byte) []byte {
	salt, payload := decode(l.take("salt")), decode(l.take("payload"))
	if len(salt) != 16 || uint32(len(payload)) != binary.LittleEndian.Uint32(entry[156:]) {
		fail("the payload has another length")
	}
	commitment := make([]byte, 32)
	blake3.DeriveKey(commitment, "femtoclaw-ledger 2026 v1 payload commitment", append(salt, payload...))
	if !bytes.Equal(commitment, entry[160:192]) {
		fail("salt and payload are not what the header commits to")
	}
	return payload
}

// stream is an execution's: see docs/FORMAT.md, Evidence.
type stream struct {
	execution []byte
	stand     string
	records   uint64
	last      header
}

// ended is whether the last record was the last of its command, where h is the next one: persons' words may be followed
// by the decision that they bring about, of the same command.
func (s *stream) ended(h header) bool {
	another := h.component != s.last.component || !bytes.Equal(h.command, s.last.command)
	switch s.last.kind {
	case 0x201, 0x108:
		return true
	case 0x10b:
		return another && h.kind != 0x102
	case 0x10e:
		return another
	case 0x102:
		return s.stand == "approved" && another
	}
	return false
}

func (s *stream) next(h header) {
	s.records++
	if h.version != s.records {
		fail("record %d has version %d instead of %d", h.seq, h.version, s.records)
	}
	if s.records > 1 && !s.ended(h) && h.seq != s.last.seq+1 {
		fail("record %d does not stand behind the one before", h.seq)
	}
	s.last = h
	type step struct {
		stand   string
		kind    uint16
		outcome int
	}
	steps := map[step]string{
		{"new", 0x101, 1}: "accepted", {"new", 0x101, 2}: "ending rejected",
		{"new", 0x102, 1}: "authorized", {"accepted", 0x102, 1}: "authorized",
		{"new", 0x102, 3}: "ending denied", {"accepted", 0x102, 3}: "ending denied",
		{"authorized", 0x103, -1}: "running", {"running", 0x104, -1}: "ending completed",
		{"running", 0x105, -1}: "ending failed", {"running", 0x107, -1}: "ending resolved",
		{"running", 0x106, -1}: "ending cancelled", {"authorized", 0x106, -1}: "ending cancelled",
		{"running", 0x108, -1}: "in doubt", {"in doubt", 0x107, -1}: "ending resolved",
		{"authorized", 0x109, -1}: "ended abandoned",
		{"authorized", 0x201, -1}: "authorized", {"running", 0x201, -1}: "running",
		{"new", 0x10a, -1}: "awaiting", {"accepted", 0x10a, -1}: "awaiting", {"awaiting", 0x201, -1}: "awaiting",
		{"awaiting", 0x10b, -1}: "given", {"given", 0x10b, -1}: "given",
		{"awaiting", 0x10e, -1}: "awaiting", {"given", 0x10e, -1}: "awaiting",
		{"awaiting", 0x10c, -1}: "declined", {"given", 0x10c, -1}: "declined",
		{"awaiting", 0x10d, -1}: "declined", {"given", 0x10d, -1}: "declined",
		{"given", 0x102, 1}: "approved", {"declined", 0x102, 3}: "ending denied",
		{"approved", 0x103, -1}: "running", {"approved", 0x109, -1}: "ended abandoned",
		{"awaiting", 0x106, -1}: "ending cancelled", {"given", 0x106, -1}: "ending cancelled",
		{"approved", 0x106, -1}: "ending cancelled",
	}
	next, ok := steps[step{s.stand, h.kind, int(h.outcome)}]
	if !ok {
		next, ok = steps[step{s.stand, h.kind, -1}]
	}
	if h.kind == 0x201 && strings.HasPrefix(s.stand, "ending ") {
		next, ok = strings.Replace(s.stand, "ending ", "ended ", 1), true
	}
	if !ok {
		fail("record %d, kind %#x, must not come after %q", h.seq, h.kind, s.stand)
	}
	s.stand = next
}

func (s *stream) String() string {
	if closing := strings.TrimPrefix(s.stand, "ended "); closing != s.stand {
		return fmt.Sprintf("complete %d %s", s.records, closing)
	}
	return fmt.Sprintf("open %d", s.records)
}
