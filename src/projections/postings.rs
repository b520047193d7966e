// SPDX-License-Identifier: Apache-2.0
//! Posting lists: which sequence numbers a term has.
//!
//! Sequence numbers are cut into blocks of 256 and ranges of 65,536. While a range goes on, a term has a key for each
//! block that holds it, with a byte for each place, so that what changes with every batch is small. Once a view has read
//! a range to its end, the term's blocks become one key of the range ([`super::offsets`]): then a query reads as many
//! keys as there are ranges, and terms that many records have cost a bit for each.
//!
//! The blocks of a range came in the segment that its end ends, so nothing is left of them in any file. Which form a range
//! has depends on the view's position alone, so a rebuild gives the same keys as live reading did.

use super::keys::fixed_key;
use super::offsets::{insert, remove};
use super::storage::RANGE;
use super::terms::{Term, is_in_blocks};
use super::{ProjectionError, ViewBatch};

/// term, block → places in the block, ascending, a byte each.
const BLOCKS: u8 = b'p';
/// The same, of terms whose blocks stay as they are.
const KEPT_BLOCKS: u8 = b'k';
/// term, range → places in the range.
const RANGES: u8 = b'r';

/// Records in a block.
pub(super) const BLOCK: u64 = 256;
/// A place in a range has two bytes.
const _: () = assert!(RANGE == 1 << 16);
/// Blocks in a range.
pub(super) const BLOCKS_IN_RANGE: u64 = RANGE / BLOCK;

/// Block and place in it of a sequence number (from 1).
pub(super) fn place(seq: u64) -> (u64, u8) {
    let index = seq.saturating_sub(1);
    (index / BLOCK, (index % BLOCK) as u8)
}

/// Range and place in it of a sequence number.
pub(super) fn range_of(seq: u64) -> (u64, u16) {
    let index = seq.saturating_sub(1);
    (index / RANGE, (index % RANGE) as u16)
}

pub(super) fn block_key(term: &Term, block: u64) -> [u8; 26] {
    let tag = if is_in_blocks(term) {
        KEPT_BLOCKS
    } else {
        BLOCKS
    };
    fixed_key(tag, &[term, &block.to_be_bytes()])
}

pub(super) fn range_key(term: &Term, range: u64) -> [u8; 26] {
    fixed_key(RANGES, &[term, &range.to_be_bytes()])
}

/// Whether a view that has read up to `position` keeps this range in one key for each term.
const fn is_whole(range: u64, position: u64) -> bool {
    position / RANGE > range
}

/// Adds a record to a term's posting list; a record that is there already stays once.
pub(super) fn post(term: &Term, seq: u64, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
    let (range, offset) = range_of(seq);
    if is_whole(range, batch.after()) && !is_in_blocks(term) {
        let key = range_key(term, range);
        return batch.edit(&key, true, |offsets| insert(offsets, offset));
    }
    let (block, offset) = place(seq);
    // Of a block that this batch begins, nothing is stored.
    let may_be_stored = batch.after() > block * BLOCK;
    let key = block_key(term, block);
    batch.edit(&key, may_be_stored, |offsets| match offsets.last() {
        Some(last) if *last == offset => {}
        Some(last) if *last > offset => {
            if let Err(at) = offsets.binary_search(&offset) {
                offsets.insert(at, offset);
            }
        }
        _ => offsets.push(offset),
    })
}

/// Takes a record out of a term's posting list, if it is there.
pub(super) fn unpost(term: &Term, seq: u64, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
    let ((range, in_range), (block, in_block)) = (range_of(seq), place(seq));
    let in_one = is_whole(range, batch.after()) && !is_in_blocks(term);
    let key = match in_one {
        true => range_key(term, range),
        false => block_key(term, block),
    };
    let Some(mut offsets) = batch.get(&key)? else {
        return Ok(());
    };
    match in_one {
        true => remove(&mut offsets, in_range),
        false => offsets.retain(|it| *it != in_block),
    }
    match offsets.is_empty() {
        true => batch.delete(&key),
        false => batch.put(&key, offsets),
    }
    Ok(())
}

/// Makes one key of a term's blocks in every range that this batch has read to its end; `last` is the last record that it
/// has read.
pub(super) fn close_ranges(last: u64, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
    let ended = last / RANGE;
    if ended <= batch.after() / RANGE {
        return Ok(());
    }
    let mut current: Option<([u8; 26], Vec<u8>)> = None;
    for (key, offsets) in batch.scan(&[BLOCKS])? {
        let (term, block) = parts(&key)?;
        let range = block / BLOCKS_IN_RANGE;
        if range >= ended {
            continue;
        }
        let whole = range_key(&term, range);
        if current
            .as_ref()
            .is_none_or(|(current, _)| *current != whole)
            && let Some((done, offsets)) = current.replace((whole, Vec::new()))
        {
            batch.put_new(&done, offsets);
        }
        if let Some((_, all)) = &mut current {
            let first = (block % BLOCKS_IN_RANGE * BLOCK) as u16;
            offsets
                .iter()
                .for_each(|it| insert(all, first + u16::from(*it)));
        }
        batch.delete_unread(&key);
    }
    if let Some((done, offsets)) = current {
        batch.put_new(&done, offsets);
    }
    Ok(())
}

fn parts(key: &[u8]) -> Result<(Term, u64), ProjectionError> {
    let parts = key
        .split_first()
        .and_then(|(_, rest)| rest.split_first_chunk());
    let parts = parts.and_then(|(term, block)| {
        let block = block.try_into().ok().map(u64::from_be_bytes)?;
        Some((*term, block))
    });
    parts.ok_or_else(|| ProjectionError::Damaged("a key of a posting list is cut short".into()))
}
