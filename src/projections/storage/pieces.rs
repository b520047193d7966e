// SPDX-License-Identifier: Apache-2.0
//! A layer with the records that it is of, and which layers become one: decided by sequence numbers alone, so that
//! a view that is made again has the same files.

use std::ops::Range;
use std::sync::Arc;

use crate::events::Hash;
use crate::projections::segments::{Layer, Segment};

use super::generation::Position;
use super::manifest::ManifestEntry;

/// Records in a range: with the first commit that ends at or behind a multiple of it, a segment ends.
pub(in crate::projections) const RANGE: u64 = 1 << 16;
/// As many neighbours of one size become one.
const FAN_IN: usize = 8;
/// Ranges in the largest segment.
const RANGES_MAX: u64 = 64;
/// As many runs become one in memory.
const RUNS: usize = 2;

/// What a view has to reach, after this record, for its next segment to end with the commit at hand; with so many
/// records in a range.
pub(super) const fn next_cut(after: u64, range: u64) -> u64 {
    (after / range + 1) * range
}

/// How a layer is kept.
#[derive(Clone)]
pub(super) enum PieceKind {
    /// In memory; made of smaller ones so many times.
    Memory { merges: u32 },
    /// In a file that is this opening's alone: memory was short.
    Spilled,
    /// In a file that the next opening takes up, once it is vouched for.
    Segment(SegmentState),
}

#[derive(Clone)]
pub(super) struct SegmentState {
    pub(super) digest: Hash,
    /// The record that states it, once there is one.
    pub(super) vouched_by: Option<u64>,
    /// Those that it was made of: as long as it is not vouched for they still count.
    pub(super) replaces: Vec<ManifestEntry>,
    /// Those whose files go when it counts.
    pub(super) obsolete: Vec<Arc<Segment>>,
}

/// A layer and the records that it is of.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) first: u64,
    pub(super) last: Position,
    pub(super) layer: Layer,
    pub(super) kind: PieceKind,
    /// The job that makes something else of it.
    pub(super) job: Option<u64>,
}

impl Piece {
    /// Ranges that end in it; 0: none does, as in memory and in what was written at a close.
    pub(super) const fn ranges(&self, range: u64) -> u64 {
        self.last.seq / range - self.first.saturating_sub(1) / range
    }

    /// Whether it is in a file and ends where a range does.
    pub(super) const fn is_sealed(&self, range: u64) -> bool {
        matches!(self.kind, PieceKind::Segment(_)) && self.ranges(range) > 0
    }

    /// Whether it may be made part of another one: it is vouched for, and no job has it.
    fn is_settled(&self, range: u64) -> bool {
        let vouched = matches!(&self.kind, PieceKind::Segment(state) if state.vouched_by.is_some());
        vouched && self.ranges(range) > 0 && self.job.is_none()
    }
}

/// The pieces, oldest first, that belong to a range which has ended and are no segment yet; none where a job has
/// them already.
pub(super) fn ended(pieces: &[Piece], range: u64) -> Option<Range<usize>> {
    let open = pieces.iter().position(|piece| !piece.is_sealed(range))?;
    let rest = pieces.get(open..)?;
    // What comes behind those that are being written ends in a range of its own.
    let free = rest.iter().position(|piece| piece.job.is_none())?;
    let start = open + free;
    let first = pieces.get(start)?.first;
    let number = first.saturating_sub(1) / range;
    let end = rest
        .iter()
        .skip(free)
        .position(|piece| piece.last.seq / range > number)?;
    Some(start..start + end + 1)
}

/// The pieces of one size that become one segment.
pub(super) fn neighbours(pieces: &[Piece], range: u64) -> Option<Range<usize>> {
    let mut start = 0;
    while let Some(piece) = pieces.get(start) {
        if !piece.is_sealed(range) {
            return None;
        }
        let ranges = piece.ranges(range);
        let group = pieces.get(start..start + FAN_IN).unwrap_or_default();
        let aligned =
            (piece.first.saturating_sub(1) / range).is_multiple_of(ranges * FAN_IN as u64);
        let alike = group.len() == FAN_IN
            && group
                .iter()
                .all(|other| other.is_settled(range) && other.ranges(range) == ranges);
        if aligned && alike && ranges * FAN_IN as u64 <= RANGES_MAX {
            return Some(start..start + FAN_IN);
        }
        start += 1;
    }
    None
}

/// The runs at the end that become one run.
pub(super) fn runs(pieces: &[Piece]) -> Option<Range<usize>> {
    let newest = pieces.last()?;
    let PieceKind::Memory { merges } = newest.kind else {
        return None;
    };
    let start = pieces.len().checked_sub(RUNS)?;
    let alike = pieces.get(start..)?.iter().all(|piece| {
        // A newer one that was merged more often has overtaken.
        piece.job.is_none()
            && matches!(piece.kind, PieceKind::Memory { merges: other } if other <= merges)
    });
    // A run that ends a range stays at its end.
    alike.then_some(start..pieces.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::projections::segments::{OpRef, Run};

    fn piece(first: u64, last: u64, kind: PieceKind) -> Piece {
        let run = Run::build([(b"key", OpRef::Delete)]);
        Piece {
            first,
            last: Position {
                seq: last,
                hash: [0; 32],
            },
            layer: Layer::Memory(Arc::new(run)),
            kind,
            job: None,
        }
    }

    fn sealed(first: u64, last: u64) -> Piece {
        let state = SegmentState {
            digest: [0; 32],
            vouched_by: Some(last + 1),
            replaces: Vec::new(),
            obsolete: Vec::new(),
        };
        piece(first, last, PieceKind::Segment(state))
    }

    const MEMORY: PieceKind = PieceKind::Memory { merges: 0 };

    /// Commits do not end where ranges do: a segment takes the rest of the commit along.
    #[test]
    fn a_range_ends_with_the_commit_in_which_it_does() {
        assert_eq!(
            [0, 9, 10, 19, 20].map(|after| next_cut(after, 10)),
            [10, 10, 20, 20, 30]
        );
        let mut pieces = vec![sealed(1, 12), piece(13, 15, MEMORY), piece(16, 19, MEMORY)];
        assert_eq!(ended(&pieces, 10), None);
        pieces.push(piece(20, 23, MEMORY));
        assert_eq!(ended(&pieces, 10), Some(1..4));
        // A job has them; the next range ends by itself.
        for piece in pieces.get_mut(1..4).unwrap() {
            piece.job = Some(1);
        }
        pieces.push(piece(24, 29, MEMORY));
        assert_eq!(ended(&pieces, 10), None);
        pieces.push(piece(30, 30, MEMORY));
        assert_eq!(ended(&pieces, 10), Some(4..6));
    }

    /// What was written at a close belongs to the range that goes on.
    #[test]
    fn a_segment_of_a_part_becomes_part_of_its_ranges() {
        let pieces = [sealed(1, 10), sealed(11, 14), piece(15, 21, MEMORY)];
        assert_eq!(ended(&pieces, 10), Some(1..3));
    }

    #[test]
    fn eight_settled_neighbours_of_one_size_become_one_where_they_are_aligned() {
        let mut pieces: Vec<_> = (0..9).map(|at| sealed(at * 10 + 1, at * 10 + 10)).collect();
        assert_eq!(neighbours(&pieces, 10), Some(0..8));
        pieces.remove(0);
        assert_eq!(neighbours(&pieces, 10), None, "they begin in the middle");
        pieces.splice(..7, [sealed(1, 80)]);
        assert_eq!(neighbours(&pieces, 10), None, "they are of two sizes");
        pieces.extend((9..16).map(|at| sealed(at * 10 + 1, at * 10 + 10)));
        assert_eq!(neighbours(&pieces, 10), Some(1..9));
        if let Some(PieceKind::Segment(state)) = pieces.get_mut(4).map(|piece| &mut piece.kind) {
            state.vouched_by = None;
        }
        assert_eq!(neighbours(&pieces, 10), None, "one is not vouched for");
    }

    #[test]
    fn the_largest_ones_stay_as_they_are() {
        let size = RANGES_MAX * 10;
        let pieces: Vec<_> = (0..9)
            .map(|at| sealed(at * size + 1, (at + 1) * size))
            .collect();
        assert_eq!(neighbours(&pieces, 10), None);
    }
}
