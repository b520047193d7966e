// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"sort"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Names of components: each by the record of a grant, which is proven as every record is, and stands before the
// component's own records.

type naming struct {
	name   string
	seq    uint64
	caused bool
}

type names map[uint32]*naming

func namesOf(l *lines, tree tlog.Tree) names {
	named, last := names{}, uint64(0)
	for l.is("named") {
		var payload []byte
		h, _ := place(l, "named", tree, func(l *lines, entry []byte) int {
			payload = payloadOf(l, entry)
			return 1
		})
		if h.kind != 0x205 || h.component != 0 {
			fail("record %d is no grant", h.seq)
		}
		if h.seq <= last {
			fail("record %d names a component and must not stand here", h.seq)
		}
		last = h.seq
		component, rest := number(payload)
		length, rest := number(rest)
		if component > 0xffffffff || length > uint64(len(rest)) {
			fail("the grant of record %d cannot be read", h.seq)
		}
		if named[uint32(component)] != nil {
			fail("component %d is named twice", component)
		}
		named[uint32(component)] = &naming{name: string(rest[:length]), seq: h.seq}
	}
	return named
}

// number is the encoding of u32 and u64: docs/FORMAT.md, Payload.
func number(data []byte) (uint64, []byte) {
	if len(data) == 0 {
		fail("a payload ends too early")
	}
	first, rest := data[0], data[1:]
	if first < 251 {
		return uint64(first), rest
	}
	size := map[byte]int{251: 2, 252: 4, 253: 8}[first]
	if size == 0 || len(rest) < size {
		fail("a payload holds no number where one must be")
	}
	var eight [8]byte
	copy(eight[:], rest[:size])
	return binary.LittleEndian.Uint64(eight[:]), rest[size:]
}

// caused holds a record against the name of who caused it.
func (n names) caused(h header) {
	if named := n[h.component]; named != nil {
		if h.seq <= named.seq {
			fail("record %d is of component %d, which record %d names", h.seq, h.component, named.seq)
		}
		named.caused = true
	}
}

func (n names) said() string {
	var said []string
	for component, named := range n {
		if !named.caused {
			fail("component %d has a name and no record", component)
		}
		said = append(said, fmt.Sprintf(", component %d is %q", component, named.name))
	}
	sort.Strings(said)
	return strings.Join(said, "")
}
