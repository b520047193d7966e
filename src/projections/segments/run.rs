// SPDX-License-Identifier: Apache-2.0
//! A layer in memory.

use std::cmp::Ordering;

use super::SegmentError;
use super::op::{EntrySink, OpKind, OpRef};

/// Where an entry lies: its key, and behind that its value. Sixteen bytes.
#[derive(Debug, Clone, Copy)]
struct RunEntry {
    /// Where the key begins, times four, plus the kind.
    at_and_kind: u64,
    key_bytes: u32,
    value_bytes: u32,
}

impl RunEntry {
    #[inline]
    fn at(self) -> usize {
        (self.at_and_kind >> 2) as usize
    }

    /// The same at another place, so many bytes on.
    #[inline]
    fn moved(self, from: usize, to: usize) -> Self {
        let moved = (to as u64).wrapping_sub(from as u64) << 2;
        let at_and_kind = self.at_and_kind.wrapping_add(moved);
        Self {
            at_and_kind,
            ..self
        }
    }

    #[inline]
    fn length(self) -> usize {
        self.key_bytes as usize + self.value_bytes as usize
    }
}

/// Sorted and immutable. All keys and values lie in one piece of memory, each key followed by its value, in order.
#[derive(Debug)]
pub(in crate::projections) struct Run {
    arena: Vec<u8>,
    entries: Vec<RunEntry>,
}

impl Run {
    /// A run of these entries, whose keys ascend and are distinct.
    pub(in crate::projections) fn build<'a, K: AsRef<[u8]>>(
        entries: impl IntoIterator<Item = (K, OpRef<'a>)>,
    ) -> Self {
        let entries = entries.into_iter();
        let mut builder = RunBuilder::with_capacity(entries.size_hint().0, 0);
        for (key, op) in entries {
            builder.add(key.as_ref(), op);
        }
        builder.finish()
    }

    /// Number of keys.
    pub(in crate::projections) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it says nothing.
    pub(in crate::projections) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of memory that it takes.
    pub(in crate::projections) fn bytes(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<RunEntry>()
    }

    #[inline]
    fn key_of(&self, entry: &RunEntry) -> &[u8] {
        let end = entry.at() + entry.key_bytes as usize;
        self.arena.get(entry.at()..end).unwrap_or_default()
    }

    #[inline]
    fn op_of(&self, entry: &RunEntry) -> OpRef<'_> {
        let from = entry.at() + entry.key_bytes as usize;
        let value = self.arena.get(from..from + entry.value_bytes as usize);
        let kind = OpKind::of_bits(entry.at_and_kind & 3);
        kind.map_or(OpRef::Delete, |it| it.with(value.unwrap_or_default()))
    }

    /// Key number `index`; empty beyond the last.
    #[inline]
    pub(super) fn key(&self, index: usize) -> &[u8] {
        self.entries.get(index).map_or(&[], |it| self.key_of(it))
    }

    /// What it says of key number `index`.
    #[inline]
    pub(super) fn op(&self, index: usize) -> OpRef<'_> {
        let entry = self.entries.get(index);
        entry.map_or(OpRef::Delete, |it| self.op_of(it))
    }

    /// Number of keys before `key`.
    pub(super) fn before(&self, key: &[u8]) -> usize {
        self.entries.partition_point(|it| self.key_of(it) < key)
    }

    /// What it says of this key.
    pub(in crate::projections) fn get(&self, key: &[u8]) -> Option<OpRef<'_>> {
        let entry = self.entries.get(self.before(key))?;
        (self.key_of(entry) == key).then(|| self.op_of(entry))
    }
}

/// Makes a run of entries in the order of their keys, each key once. Keys and values are shorter than 4 GiB.
#[derive(Debug, Default)]
pub(in crate::projections) struct RunBuilder {
    arena: Vec<u8>,
    entries: Vec<RunEntry>,
}

impl RunBuilder {
    /// Room for so many entries and so many bytes of keys and values; there may be more.
    pub(in crate::projections) fn with_capacity(entries: usize, bytes: usize) -> Self {
        let (arena, entries) = (Vec::with_capacity(bytes), Vec::with_capacity(entries));
        Self { arena, entries }
    }

    /// Adds an entry.
    #[inline]
    pub(in crate::projections) fn add(&mut self, key: &[u8], op: OpRef<'_>) {
        let value = op.value().unwrap_or_default();
        self.entries.push(RunEntry {
            at_and_kind: (self.arena.len() as u64) << 2 | op.kind() as u64,
            key_bytes: key.len() as u32,
            value_bytes: value.len() as u32,
        });
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(value);
    }

    /// The run, without memory to spare.
    #[must_use]
    pub(in crate::projections) fn finish(mut self) -> Run {
        let (arena, entries) = (&mut self.arena, &mut self.entries);
        if arena.capacity() - arena.len() > arena.len() / 8 {
            arena.shrink_to_fit();
        }
        if entries.capacity() - entries.len() > entries.len() / 8 {
            entries.shrink_to_fit();
        }
        let Self { arena, entries } = self;
        debug_assert!(entries.windows(2).all(|pair| match pair {
            [one, two] => {
                let key = |it: &RunEntry| arena.get(it.at()..it.at() + it.key_bytes as usize);
                key(one) < key(two)
            }
            _ => false,
        }));
        Run { arena, entries }
    }

    /// Adds entries of another run: one copy of all their bytes.
    #[inline]
    fn copy(&mut self, run: &Run, from: usize, until: usize) {
        let Some(entries) = run.entries.get(from..until) else {
            return;
        };
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return;
        };
        let (start, to) = (first.at(), self.arena.len());
        let bytes = run.arena.get(start..last.at() + last.length());
        self.arena.extend_from_slice(bytes.unwrap_or_default());
        let moved = entries.iter().map(|entry| entry.moved(start, to));
        self.entries.extend(moved);
    }

    fn add_composed(&mut self, older: OpRef<'_>, key: &[u8], newer: OpRef<'_>) {
        if let Some(kind) = OpKind::composed(older.kind(), newer.kind()) {
            self.add(key, kind.with(newer.value().unwrap_or_default()));
        }
    }
}

impl EntrySink for RunBuilder {
    #[inline]
    fn push(&mut self, key: &[u8], op: OpRef<'_>) -> Result<(), SegmentError> {
        self.add(key, op);
        Ok(())
    }
}

/// Two neighbours as one: what happens after each batch, so it copies entries that follow each other in one go.
pub(in crate::projections) fn merge_runs(newer: &Run, older: &Run) -> Run {
    let entries = newer.len() + older.len();
    let mut out = RunBuilder::with_capacity(entries, newer.arena.len() + older.arena.len());
    // Of each run, what was looked at; of that, what was copied.
    let (mut new, mut old) = (0, 0);
    let (mut new_done, mut old_done) = (0, 0);
    while new < newer.len() && old < older.len() {
        let (new_key, old_key) = (newer.key(new), older.key(old));
        match new_key.cmp(old_key) {
            Ordering::Less => {
                out.copy(older, old_done, old);
                old_done = old;
                new += 1;
            }
            Ordering::Greater => {
                out.copy(newer, new_done, new);
                new_done = new;
                old += 1;
            }
            Ordering::Equal => {
                out.copy(newer, new_done, new);
                out.copy(older, old_done, old);
                out.add_composed(older.op(old), new_key, newer.op(new));
                (new, old) = (new + 1, old + 1);
                (new_done, old_done) = (new, old);
            }
        }
    }
    // One of the two has nothing pending and is at its end: the order of these is that of the keys.
    if old < older.len() {
        out.copy(newer, new_done, newer.len());
        out.copy(older, old_done, older.len());
    } else {
        out.copy(older, old_done, older.len());
        out.copy(newer, new_done, newer.len());
    }
    out.finish()
}
