// SPDX-License-Identifier: Apache-2.0
//! What several terms have in common: their posting lists are gone through side by side, a range of 65,536 sequence
//! numbers at a time, from either end. A range that one of the terms is not in is passed over by all, unread.

use std::ops::RangeInclusive;

use super::keys::trailing_u64;
use super::offsets::Offsets;
use super::postings::{BLOCK, BLOCKS_IN_RANGE, block_key, range_key, range_of};
use super::record_order::RecordOrder;
use super::storage::RANGE;
use super::terms::{Term, is_in_blocks};
use super::{Pair, ViewError, ViewSnapshot};

/// A term, and where its list is being read.
struct PostingCursor {
    term: Term,
    current: Option<(u64, Offsets)>,
}

/// Sequence numbers in the range that every term's posting lists hold, at most `limit`, from the end that `order` names.
pub(super) fn intersection(
    snapshot: &ViewSnapshot,
    terms: &[Term],
    seqs: RangeInclusive<u64>,
    order: RecordOrder,
    limit: usize,
) -> Result<Vec<u64>, ViewError> {
    let mut found = Vec::new();
    if seqs.is_empty() || limit == 0 {
        return Ok(found);
    }
    let newest = order == RecordOrder::Newest;
    if terms.is_empty() {
        return Ok(match newest {
            true => seqs.rev().take(limit).collect(),
            false => seqs.take(limit).collect(),
        });
    }
    let new = |term: &Term| PostingCursor {
        term: *term,
        current: None,
    };
    let mut cursors: Vec<_> = terms.iter().map(new).collect();
    let ranges = range_of(*seqs.start()).0..=range_of(*seqs.end()).0;
    let mut next = Some(if newest {
        *ranges.end()
    } else {
        *ranges.start()
    });
    while let Some(at) = next.filter(|at| ranges.contains(at)) {
        let Some(at) = agree(snapshot, &mut cursors, at, order)? else {
            break;
        };
        // Fewest first: here, and in looking for the next range.
        cursors.sort_by_key(|it| it.current.as_ref().map(|(_, offsets)| offsets.len()));
        let mut lists = cursors.iter().filter_map(|it| it.current.as_ref());
        let Some((_, first)) = lists.next() else {
            break;
        };
        let both = lists.fold(first.clone(), |both, (_, list)| both.common(list));
        let mut offsets = both.listed();
        if newest {
            offsets.reverse();
        }
        let found_here = offsets.into_iter().map(|it| at * RANGE + 1 + u64::from(it));
        let left = limit - found.len();
        found.extend(found_here.filter(|seq| seqs.contains(seq)).take(left));
        if found.len() >= limit {
            break;
        }
        next = if newest {
            at.checked_sub(1)
        } else {
            at.checked_add(1)
        };
    }
    Ok(found)
}

/// The next range from `at` on that all terms are in; the cursors stand there.
fn agree(
    snapshot: &ViewSnapshot,
    cursors: &mut [PostingCursor],
    mut at: u64,
    order: RecordOrder,
) -> Result<Option<u64>, ViewError> {
    loop {
        let mut agreed = true;
        for cursor in &mut *cursors {
            let Some(stands) = cursor.seek(snapshot, at, order)? else {
                return Ok(None);
            };
            if stands != at {
                (at, agreed) = (stands, false);
                break;
            }
        }
        if agreed {
            return Ok(Some(at));
        }
    }
}

impl PostingCursor {
    /// Goes to the first range from `at` on that the term is in.
    fn seek(
        &mut self,
        snapshot: &ViewSnapshot,
        at: u64,
        order: RecordOrder,
    ) -> Result<Option<u64>, ViewError> {
        let stands = self.current.as_ref().map(|(range, _)| *range);
        let is_there = |stands: &u64| match order {
            RecordOrder::Oldest => *stands >= at,
            RecordOrder::Newest => *stands <= at,
        };
        if let Some(stands) = stands.filter(is_there) {
            return Ok(Some(stands));
        }
        // Ranges that are whole lie before those that are not.
        self.current = match order {
            RecordOrder::Oldest => match self.whole(snapshot, at, order)? {
                None => self.in_blocks(snapshot, at, order)?,
                found => found,
            },
            RecordOrder::Newest => match self.in_blocks(snapshot, at, order)? {
                None => self.whole(snapshot, at, order)?,
                found => found,
            },
        };
        Ok(self.current.as_ref().map(|(range, _)| *range))
    }

    fn whole(
        &self,
        snapshot: &ViewSnapshot,
        at: u64,
        order: RecordOrder,
    ) -> Result<Option<(u64, Offsets)>, ViewError> {
        if is_in_blocks(&self.term) {
            return Ok(None);
        }
        let key = |range| range_key(&self.term, range);
        let pair = match order {
            RecordOrder::Oldest => snapshot.range(&key(at), &key(u64::MAX)).next(),
            RecordOrder::Newest => snapshot.range_back(&key(0), &key(at + 1)).next(),
        };
        let Some((key, value)) = pair.transpose()? else {
            return Ok(None);
        };
        let offsets = Offsets::decode(&value).ok_or_else(damaged)?;
        Ok(Some((trailing_u64(&key)?, offsets)))
    }

    fn in_blocks(
        &self,
        snapshot: &ViewSnapshot,
        at: u64,
        order: RecordOrder,
    ) -> Result<Option<(u64, Offsets)>, ViewError> {
        let key = |range: u64| block_key(&self.term, range.saturating_mul(BLOCKS_IN_RANGE));
        match order {
            RecordOrder::Oldest => gather(snapshot.range(&key(at), &key(u64::MAX)), order),
            RecordOrder::Newest => gather(snapshot.range_back(&key(0), &key(at + 1)), order),
        }
    }
}

/// What the first blocks say that lie in one range.
fn gather(
    pairs: impl Iterator<Item = Result<Pair, ViewError>>,
    order: RecordOrder,
) -> Result<Option<(u64, Offsets)>, ViewError> {
    let (mut range, mut listed) = (None, Vec::new());
    for pair in pairs {
        let (key, offsets) = pair?;
        let block = trailing_u64(&key)?;
        if *range.get_or_insert(block / BLOCKS_IN_RANGE) != block / BLOCKS_IN_RANGE {
            break;
        }
        if !offsets.is_sorted_by(|a, b| a < b) {
            return Err(damaged());
        }
        let first = (block % BLOCKS_IN_RANGE * BLOCK) as u16;
        let offsets = offsets.into_iter().map(|it| first + u16::from(it));
        match order {
            RecordOrder::Oldest => listed.extend(offsets),
            RecordOrder::Newest => listed.extend(offsets.rev()),
        }
    }
    if order == RecordOrder::Newest {
        listed.reverse();
    }
    Ok(range.map(|range| (range, Offsets::Listed(listed))))
}

fn damaged() -> ViewError {
    ViewError::Damaged("a posting list is out of order".into())
}
