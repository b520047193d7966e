// SPDX-License-Identifier: Apache-2.0
//! What goes wrong with a kind of file: drawn by a seed, or every bit in turn.

use std::ops::Range;

use super::store::{Fault, Store};
use crate::random::Random;

const SECTOR: u64 = 512;

/// Bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) path: String,
    pub(super) range: Range<u64>,
}

/// Kinds of fault, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Flip,
    Zero,
    Truncate,
    Delete,
}

impl Sort {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Flip => "a bit flipped",
            Self::Zero => "a sector zeroed",
            Self::Truncate => "truncated",
            Self::Delete => "deleted",
        }
    }

    /// So many of each hundred cases: flips vary most, a deletion once per file.
    pub(super) const fn of(number: usize) -> Self {
        match number % 20 {
            0..11 => Self::Flip,
            11..15 => Self::Zero,
            15..19 => Self::Truncate,
            _ => Self::Delete,
        }
    }
}

/// A fault of this sort; of another where this one would change nothing.
pub(super) fn draw(
    sort: Sort,
    targets: &[Target],
    store: &Store,
    random: &mut Random,
) -> Option<(Sort, Fault)> {
    let target = targets.get(random.below(targets.len() as u64) as usize)?;
    let (path, range) = (target.path.clone(), target.range.clone());
    let at = range.start + random.below(range.end - range.start);
    let used = &store.files.get(&path)?.used;
    if range.is_empty() {
        return Some((Sort::Delete, Fault::Delete { path }));
    }
    match sort {
        Sort::Delete => Some((sort, Fault::Delete { path })),
        Sort::Truncate => Some((sort, Fault::Truncate { path, to: at })),
        Sort::Zero => {
            let from = (at / SECTOR * SECTOR).max(range.start);
            let to = (at / SECTOR * SECTOR + SECTOR).min(range.end);
            let end = (to as usize).min(used.len());
            let bytes = used.get(from as usize..end).unwrap_or_default();
            match bytes.iter().any(|byte| *byte != 0) {
                true => Some((sort, Fault::Zero { path, from, to })),
                false => Some((Sort::Flip, flip(path, at, random))),
            }
        }
        Sort::Flip => Some((sort, flip(path, at, random))),
    }
}

fn flip(path: String, at: u64, random: &mut Random) -> Fault {
    let bit = random.below(8) as u8;
    Fault::Flip { path, at, bit }
}

/// Every `every`-th bit of a target.
pub(super) fn bits(target: &Target, every: usize) -> impl Iterator<Item = Fault> {
    let bits = target.range.start * 8..target.range.end * 8;
    bits.step_by(every.max(1)).map(|number| Fault::Flip {
        path: target.path.clone(),
        at: number / 8,
        bit: (number % 8) as u8,
    })
}
