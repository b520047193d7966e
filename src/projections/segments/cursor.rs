// SPDX-License-Identifier: Apache-2.0
//! Going through the entries of one layer in order.

use std::ops::Range;
use std::sync::Arc;

use super::SegmentError;
use super::block::{DataBlock, Interval};
use super::index::IndexNode;
use super::op::{Op, OpRef};
use super::run::Run;
use super::segment::Segment;

/// A run or a segment.
#[derive(Debug, Clone)]
pub(in crate::projections) enum Layer {
    /// In memory.
    Memory(Arc<Run>),
    /// A file.
    File(Arc<Segment>),
}

impl Layer {
    /// What it says of this key.
    ///
    /// # Errors
    /// As [`SegmentError`].
    pub(super) fn get_hashed(&self, key: &[u8], hash: u64) -> Result<Option<Op>, SegmentError> {
        match self {
            Self::Memory(run) => Ok(run.get(key).map(OpRef::to_op)),
            Self::File(segment) => segment.get_hashed(key, hash),
        }
    }

    /// Number of keys.
    pub(in crate::projections) fn entries(&self) -> u64 {
        match self {
            Self::Memory(run) => run.len() as u64,
            Self::File(segment) => segment.entries(),
        }
    }
}

/// Which key comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::projections) enum Direction {
    /// The smallest.
    Ascending,
    /// The greatest.
    Descending,
}

/// Whether parts that are read stay in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::projections) enum Caching {
    /// They may be wanted again: reads of callers.
    Keep,
    /// They are read once, and are to push out nothing: merges.
    Pass,
}

/// Keys from `from` on, and before `until` where there is one.
#[derive(Debug, Clone)]
pub(super) struct KeyRange {
    pub(super) from: Vec<u8>,
    pub(super) until: Option<Vec<u8>>,
}

/// Goes through a layer's entries in a range of keys. It stands on one, or is at its end.
#[derive(Debug)]
pub(super) enum LayerCursor {
    Memory(RunCursor),
    File(Box<SegmentCursor>),
}

impl LayerCursor {
    /// Stands on the first entry; `None` where the range has none.
    pub(super) fn new(
        layer: &Layer,
        range: &KeyRange,
        direction: Direction,
        caching: Caching,
    ) -> Result<Option<Self>, SegmentError> {
        match layer {
            Layer::Memory(run) => Ok(RunCursor::new(run, range, direction).map(Self::Memory)),
            Layer::File(segment) => {
                let cursor = SegmentCursor::new(segment, range, direction, caching)?;
                Ok(cursor.map(|it| Self::File(Box::new(it))))
            }
        }
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        match self {
            Self::Memory(cursor) => cursor.run.key(cursor.at()),
            Self::File(cursor) => cursor.interval.key(cursor.at()),
        }
    }

    #[inline]
    pub(super) fn op(&self) -> OpRef<'_> {
        match self {
            Self::Memory(cursor) => cursor.run.op(cursor.at()),
            Self::File(cursor) => cursor.interval.op(cursor.at(), &cursor.block),
        }
    }

    /// Goes to the next entry; `false` where there is none.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<bool, SegmentError> {
        match self {
            Self::Memory(cursor) => Ok(cursor.advance()),
            Self::File(cursor) => cursor.advance(),
        }
    }
}

/// The first of what is left, in this direction.
#[inline]
fn first_of(left: &Range<usize>, direction: Direction) -> usize {
    match direction {
        Direction::Ascending => left.start,
        Direction::Descending => left.end.saturating_sub(1),
    }
}

#[inline]
fn without_first(left: &mut Range<usize>, direction: Direction) {
    match direction {
        Direction::Ascending => left.start += 1,
        Direction::Descending => left.end = left.end.saturating_sub(1),
    }
}

#[derive(Debug)]
pub(super) struct RunCursor {
    run: Arc<Run>,
    left: Range<usize>,
    direction: Direction,
}

impl RunCursor {
    fn new(run: &Arc<Run>, range: &KeyRange, direction: Direction) -> Option<Self> {
        let until = range.until.as_ref();
        let left = run.before(&range.from)..until.map_or(run.len(), |it| run.before(it));
        (!left.is_empty()).then(|| Self {
            run: run.clone(),
            left,
            direction,
        })
    }

    #[inline]
    fn at(&self) -> usize {
        first_of(&self.left, self.direction)
    }

    #[inline]
    fn advance(&mut self) -> bool {
        without_first(&mut self.left, self.direction);
        !self.left.is_empty()
    }
}

#[derive(Debug)]
pub(super) struct SegmentCursor {
    segment: Arc<Segment>,
    range: KeyRange,
    direction: Direction,
    keep: bool,
    node: Arc<IndexNode>,
    node_at: usize,
    block: Arc<DataBlock>,
    block_at: usize,
    restart: usize,
    interval: Interval,
    /// Of the interval, the entries in the range that were not passed.
    left: Range<usize>,
    /// No interval behind this one has an entry in the range.
    is_last: bool,
}

impl SegmentCursor {
    fn new(
        segment: &Arc<Segment>,
        range: &KeyRange,
        direction: Direction,
        caching: Caching,
    ) -> Result<Option<Self>, SegmentError> {
        let keep = caching == Caching::Keep;
        let root = segment.root();
        if root.nodes.len() == 0 {
            return Ok(None);
        }
        // The last part that begins before the key where it starts (ascending: or at it).
        let place = |count: usize, before: &dyn Fn(&[u8], bool) -> Option<usize>| {
            let last = count.checked_sub(1);
            match (direction, &range.until) {
                (Direction::Ascending, _) => Some(before(&range.from, true).unwrap_or(0)),
                (Direction::Descending, Some(until)) => before(until, false),
                (Direction::Descending, None) => last,
            }
        };
        let Some(node_at) = place(root.nodes.len(), &|key, or_at| root.before(key, or_at)) else {
            return Ok(None);
        };
        let node = segment.node(node_at, keep)?;
        let Some(block_at) = place(node.blocks.len(), &|key, or_at| node.before(key, or_at)) else {
            return Ok(None);
        };
        let block = segment.block(&node, block_at, keep)?;
        let restart = place(block.restarts(), &|key, or_at| {
            block.restart_before(key, or_at)
        });
        let mut cursor = Self {
            segment: segment.clone(),
            range: range.clone(),
            direction,
            keep,
            restart: 0,
            node,
            node_at,
            block,
            block_at,
            interval: Interval::default(),
            left: 0..0,
            is_last: false,
        };
        cursor.restart = restart.ok_or_else(|| cursor.malformed())?;
        cursor.decode()?;
        Ok((!cursor.left.is_empty() || cursor.next_interval()?).then_some(cursor))
    }

    fn malformed(&self) -> SegmentError {
        let child = self.node.blocks.get(self.block_at);
        let offset = child.map_or(0, |it| it.offset);
        self.segment.damaged(offset, "malformed block")
    }

    #[inline]
    fn at(&self) -> usize {
        first_of(&self.left, self.direction)
    }

    #[inline]
    fn advance(&mut self) -> Result<bool, SegmentError> {
        without_first(&mut self.left, self.direction);
        match self.left.is_empty() {
            false => Ok(true),
            true => self.next_interval(),
        }
    }

    /// Decodes the interval at hand, and leaves of it what is in the range.
    fn decode(&mut self) -> Result<(), SegmentError> {
        let decoded = self.block.interval(self.restart, &mut self.interval);
        decoded.ok_or_else(|| self.malformed())?;
        let count = self.interval.len();
        let from = &self.range.from;
        let start = match self.interval.key(0) < from.as_slice() {
            true => self.interval.before(from),
            false => 0,
        };
        let until = self.range.until.as_ref();
        let beyond = until.filter(|it| self.interval.key(count - 1) >= it.as_slice());
        let end = beyond.map_or(count, |it| self.interval.before(it));
        self.is_last = match self.direction {
            Direction::Ascending => beyond.is_some(),
            Direction::Descending => start > 0,
        };
        self.left = start..end.max(start);
        Ok(())
    }

    /// Goes to the next interval that has an entry in the range; `false` where there is none.
    fn next_interval(&mut self) -> Result<bool, SegmentError> {
        while !self.is_last {
            if !self.step()? {
                break;
            }
            self.decode()?;
            if !self.left.is_empty() {
                return Ok(true);
            }
        }
        self.is_last = true;
        Ok(false)
    }

    /// Goes to the next interval; `false` where there is none.
    fn step(&mut self) -> Result<bool, SegmentError> {
        let next = |at: usize, count: usize| match self.direction {
            Direction::Ascending => Some(at + 1).filter(|at| *at < count),
            Direction::Descending => at.checked_sub(1),
        };
        if let Some(restart) = next(self.restart, self.block.restarts()) {
            self.restart = restart;
            return Ok(true);
        }
        let is_ascending = self.direction == Direction::Ascending;
        let first = |count: usize| {
            if is_ascending {
                0
            } else {
                count.saturating_sub(1)
            }
        };
        if let Some(block) = next(self.block_at, self.node.blocks.len()) {
            self.block_at = block;
        } else if let Some(node) = next(self.node_at, self.segment.root().nodes.len()) {
            self.node_at = node;
            self.node = self.segment.node(node, self.keep)?;
            self.block_at = first(self.node.blocks.len());
        } else {
            return Ok(false);
        }
        self.block = self.segment.block(&self.node, self.block_at, self.keep)?;
        self.restart = first(self.block.restarts());
        Ok(true)
    }
}
