// SPDX-License-Identifier: Apache-2.0
//! Data blocks: entries in the order of their keys.
//!
//! An entry is three numbers — how many bytes its key shares with the key before, how many follow, and the length of
//! its value times four plus its kind — and then the rest of the key and the value. Every sixteenth entry shares
//! nothing: a *restart*. Behind the entries lies where each restart begins, and how many there are.

use std::cmp::Ordering;
use std::ops::Range;

use super::encoding::{put_number, take, take_length, take_number};
use super::op::{OpKind, OpRef};

/// A block ends before the entry that would make it longer.
pub(super) const BLOCK_BYTES: usize = 16 << 10;
/// Entries from one restart to the next.
const RESTART_ENTRIES: usize = 16;
/// Bytes of a number at the end of a block.
const PLACE: usize = 4;

/// A block as it grows.
#[derive(Debug, Default)]
pub(super) struct BlockBuilder {
    bytes: Vec<u8>,
    restarts: Vec<u32>,
    entries: usize,
    last_key: Vec<u8>,
}

impl BlockBuilder {
    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Whether an entry of so many bytes goes into the next block.
    pub(super) fn is_full_for(&self, bytes: usize) -> bool {
        !self.is_empty() && self.bytes.len() + bytes > BLOCK_BYTES
    }

    /// Adds an entry whose key follows the last one.
    pub(super) fn push(&mut self, key: &[u8], op: OpRef<'_>) {
        let mut shared = 0;
        if self.entries.is_multiple_of(RESTART_ENTRIES) {
            self.restarts.push(self.bytes.len() as u32);
        } else {
            shared = shared_bytes(&self.last_key, key);
        }
        let rest = key.get(shared..).unwrap_or_default();
        let value = op.value().unwrap_or_default();
        put_number(&mut self.bytes, shared as u64);
        put_number(&mut self.bytes, rest.len() as u64);
        put_number(
            &mut self.bytes,
            (value.len() as u64) << 2 | op.kind() as u64,
        );
        self.bytes.extend_from_slice(rest);
        self.bytes.extend_from_slice(value);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(rest);
        self.entries += 1;
    }

    /// The key that was added last.
    pub(super) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// The whole block; another is begun by [`Self::clear`].
    pub(super) fn finish(&mut self) -> &[u8] {
        for restart in &self.restarts {
            self.bytes.extend_from_slice(&restart.to_le_bytes());
        }
        let restarts = self.restarts.len() as u32;
        self.bytes.extend_from_slice(&restarts.to_le_bytes());
        &self.bytes
    }

    /// Empty again; the last key stays known.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.restarts.clear();
        self.entries = 0;
    }
}

/// How many bytes both begin with.
#[inline]
fn shared_bytes(one: &[u8], two: &[u8]) -> usize {
    one.iter().zip(two).take_while(|(a, b)| a == b).count()
}

/// A block that was read, and whose digest was compared. Nothing else about it is taken for granted: `None` is what
/// it says of bytes that no writer writes.
#[derive(Debug)]
pub(super) struct DataBlock {
    bytes: Vec<u8>,
    /// Where the entries end.
    entries_end: usize,
    restarts: usize,
}

/// One entry as it lies in a block.
struct StoredEntry<'a> {
    shared: usize,
    rest: &'a [u8],
    kind: OpKind,
    value: &'a [u8],
}

#[inline]
fn take_entry<'a>(bytes: &mut &'a [u8]) -> Option<StoredEntry<'a>> {
    let shared = take_length(bytes)?;
    let rest = take_length(bytes)?;
    let value = take_number(bytes)?;
    let kind = OpKind::of_bits(value & 3)?;
    let rest = take(bytes, rest)?;
    let value = take(bytes, usize::try_from(value >> 2).ok()?)?;
    if kind == OpKind::Delete && !value.is_empty() {
        return None;
    }
    Some(StoredEntry {
        shared,
        rest,
        kind,
        value,
    })
}

impl DataBlock {
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let (rest, count) = bytes.split_last_chunk::<PLACE>()?;
        let restarts = u32::from_le_bytes(*count) as usize;
        let entries_end = rest.len().checked_sub(restarts.checked_mul(PLACE)?)?;
        if restarts == 0 {
            return None;
        }
        Some(Self {
            bytes,
            entries_end,
            restarts,
        })
    }

    /// Bytes that it takes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn restarts(&self) -> usize {
        self.restarts
    }

    fn entries(&self) -> &[u8] {
        self.bytes.get(..self.entries_end).unwrap_or_default()
    }

    /// Where restart number `index` begins; beyond the last one, where the entries end.
    fn place(&self, index: usize) -> Option<usize> {
        if index >= self.restarts {
            return Some(self.entries_end);
        }
        let at = self.entries_end + index * PLACE;
        let place = self.bytes.get(at..)?.first_chunk::<PLACE>()?;
        Some(u32::from_le_bytes(*place) as usize)
    }

    /// The entries from restart `index` up to the next one.
    fn entries_from(&self, index: usize) -> Option<&[u8]> {
        self.entries()
            .get(self.place(index)?..self.place(index + 1)?)
    }

    fn restart_key(&self, index: usize) -> Option<&[u8]> {
        let entry = take_entry(&mut self.entries_from(index)?)?;
        (entry.shared == 0).then_some(entry.rest)
    }

    /// The last restart whose key lies before `key`, or is it where `or_at` says so; else the first.
    pub(super) fn restart_before(&self, key: &[u8], or_at: bool) -> Option<usize> {
        let (mut low, mut high) = (0, self.restarts);
        while high - low > 1 {
            let middle = low.midpoint(high);
            match self.restart_key(middle)?.cmp(key) {
                Ordering::Less => low = middle,
                Ordering::Equal if or_at => low = middle,
                _ => high = middle,
            }
        }
        Some(low)
    }

    /// What the block says of `key`; the inner `None` where it says nothing.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<OpRef<'_>>> {
        let restart = self.restart_before(key, true)?;
        let mut entries = self.entries_from(restart)?;
        // Bytes that the entry before shares with `key`, which lies behind it.
        let mut matched = 0;
        while !entries.is_empty() {
            let entry = take_entry(&mut entries)?;
            match entry.shared.cmp(&matched) {
                // It differs from `key` where the one before does: it lies before too.
                Ordering::Greater => continue,
                // It rises above the one before at a byte that this one shared with `key`.
                Ordering::Less => return Some(None),
                Ordering::Equal => {}
            }
            let wanted = key.get(matched..)?;
            match entry.rest.cmp(wanted) {
                Ordering::Less => matched += shared_bytes(entry.rest, wanted),
                Ordering::Equal => return Some(Some(entry.kind.with(entry.value))),
                Ordering::Greater => return Some(None),
            }
        }
        Some(None)
    }

    /// Decodes the entries from restart `index` up to the next one.
    pub(super) fn interval(&self, index: usize, out: &mut Interval) -> Option<()> {
        out.clear();
        let mut entries = self.entries_from(index)?;
        let end = self.place(index + 1)?;
        while !entries.is_empty() {
            let entry = take_entry(&mut entries)?;
            let value_end = end - entries.len();
            let value = value_end - entry.value.len()..value_end;
            out.push(entry.shared, entry.rest, entry.kind, value)?;
        }
        (!out.slots.is_empty()).then_some(())
    }

    /// The value at a place that [`Self::interval`] gave.
    #[inline]
    pub(super) fn value(&self, at: Range<usize>) -> &[u8] {
        self.bytes.get(at).unwrap_or_default()
    }
}

/// One entry of an [`Interval`].
#[derive(Debug, Clone)]
struct Slot {
    key: Range<usize>,
    kind: OpKind,
    value: Range<usize>,
}

/// The entries between two restarts of a block, with whole keys: what a cursor goes through, in both directions.
#[derive(Debug, Default)]
pub(super) struct Interval {
    keys: Vec<u8>,
    slots: Vec<Slot>,
}

impl Interval {
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.slots.clear();
    }

    fn push(
        &mut self,
        shared: usize,
        rest: &[u8],
        kind: OpKind,
        value: Range<usize>,
    ) -> Option<()> {
        if self.slots.len() == RESTART_ENTRIES {
            return None;
        }
        let from = self.keys.len();
        match self.slots.last() {
            Some(before) if shared <= before.key.len() => {
                let shared = before.key.start..before.key.start + shared;
                self.keys.extend_from_within(shared);
            }
            None if shared == 0 => {}
            _ => return None,
        }
        self.keys.extend_from_slice(rest);
        let key = from..self.keys.len();
        self.slots.push(Slot { key, kind, value });
        Some(())
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    fn key_of(&self, slot: &Slot) -> &[u8] {
        self.keys.get(slot.key.clone()).unwrap_or_default()
    }

    #[inline]
    pub(super) fn key(&self, index: usize) -> &[u8] {
        self.slots.get(index).map_or(&[], |slot| self.key_of(slot))
    }

    #[inline]
    pub(super) fn op<'a>(&self, index: usize, block: &'a DataBlock) -> OpRef<'a> {
        let slot = self.slots.get(index);
        slot.map_or(OpRef::Delete, |it| {
            it.kind.with(block.value(it.value.clone()))
        })
    }

    /// Number of keys before `key`.
    pub(super) fn before(&self, key: &[u8]) -> usize {
        self.slots.partition_point(|slot| self.key_of(slot) < key)
    }
}
