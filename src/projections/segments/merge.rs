// SPDX-License-Identifier: Apache-2.0
//! Several layers as one.

use std::cmp::Ordering;

use super::SegmentError;
use super::cursor::{Caching, Direction, KeyRange, Layer, LayerCursor};
use super::filter::hash;
use super::op::{EntrySink, Op, OpKind, OpRef};

/// The value of a key in these layers, newest first: what the first of them says that says anything.
///
/// # Errors
/// As [`SegmentError`].
pub(in crate::projections) fn get(
    layers: &[Layer],
    key: &[u8],
) -> Result<Option<Vec<u8>>, SegmentError> {
    let hash = hash(key);
    for layer in layers {
        match layer.get_hashed(key, hash)? {
            None => {}
            Some(Op::Delete) => return Ok(None),
            Some(Op::New(value) | Op::Put(value)) => return Ok(Some(value)),
        }
    }
    Ok(None)
}

/// A cursor among the others.
#[derive(Debug, Clone, Copy)]
struct CursorPlace {
    cursor: usize,
    /// The one behind it stands on the same key.
    ties: bool,
}

/// Goes through several layers, newest first, as through one: each key once, with what they say of it together.
///
/// The cursors are kept in the order of the keys on which they stand, of one key the newest first. The one in front
/// moves on and is put in where it belongs: one comparison where it stays in front, else as many as a search takes.
pub(in crate::projections) struct Merge {
    /// Until it has begun: then the cursors hold them.
    layers: Vec<Layer>,
    range: KeyRange,
    direction: Direction,
    caching: Caching,
    has_begun: bool,
    /// Newest first.
    cursors: Vec<LayerCursor>,
    order: Vec<CursorPlace>,
    /// How many in front stand on the key that was given last.
    given: usize,
}

impl Merge {
    /// Of layers, newest first, the keys from `from` on and before `until`. Nothing is read before the first entry
    /// is asked for.
    pub(in crate::projections) fn new(
        layers: &[Layer],
        from: &[u8],
        until: Option<&[u8]>,
        direction: Direction,
        caching: Caching,
    ) -> Self {
        Self {
            layers: layers.to_vec(),
            range: KeyRange {
                from: from.to_vec(),
                until: until.map(<[u8]>::to_vec),
            },
            direction,
            caching,
            has_begun: false,
            cursors: Vec::new(),
            order: Vec::new(),
            given: 0,
        }
    }

    fn begin(&mut self) -> Result<(), SegmentError> {
        self.has_begun = true;
        for layer in std::mem::take(&mut self.layers) {
            let cursor = LayerCursor::new(&layer, &self.range, self.direction, self.caching)?;
            if let Some(cursor) = cursor {
                self.cursors.push(cursor);
                self.insert(self.cursors.len() - 1);
            }
        }
        Ok(())
    }

    fn key(&self, cursor: usize) -> &[u8] {
        self.cursors.get(cursor).map_or(&[], LayerCursor::key)
    }

    /// Puts a cursor in where it belongs.
    fn insert(&mut self, cursor: usize) {
        let key = self.key(cursor);
        let (mut low, mut high) = (0, self.order.len());
        let (mut after_tie, mut before_tie) = (false, false);
        // In front first: entries that follow each other in one layer are common.
        let mut middle = 0;
        while low < high {
            let Some(place) = self.order.get(middle) else {
                break;
            };
            let mut order = self.key(place.cursor).cmp(key);
            if self.direction == Direction::Descending {
                order = order.reverse();
            }
            let is_tie = order == Ordering::Equal;
            if order.then(place.cursor.cmp(&cursor)) == Ordering::Less {
                (low, after_tie) = (middle + 1, is_tie);
            } else {
                (high, before_tie) = (middle, is_tie);
            }
            middle = low.midpoint(high);
        }
        if let Some(before) = low.checked_sub(1).and_then(|at| self.order.get_mut(at)) {
            before.ties = after_tie;
        }
        let ties = before_tie;
        self.order.insert(low, CursorPlace { cursor, ties });
    }

    /// Moves the cursors on that stand on the key that was given.
    fn pass(&mut self) -> Result<(), SegmentError> {
        for _ in 0..std::mem::take(&mut self.given) {
            let place = self.order.remove(0);
            let cursor = self.cursors.get_mut(place.cursor);
            if cursor.map_or(Ok(false), LayerCursor::advance)? {
                self.insert(place.cursor);
            }
        }
        Ok(())
    }

    /// Goes to the next key of which the layers say something: which cursor has its value, and its kind.
    fn step(&mut self) -> Result<Option<(usize, OpKind)>, SegmentError> {
        if !self.has_begun {
            self.begin()?;
        }
        loop {
            self.pass()?;
            let mut said: Option<(usize, OpKind)> = None;
            for place in &self.order {
                self.given += 1;
                if let Some(cursor) = self.cursors.get(place.cursor) {
                    let older = cursor.op().kind();
                    said = match said {
                        None => Some((place.cursor, older)),
                        Some((newer, kind)) => {
                            OpKind::composed(older, kind).map(|kind| (newer, kind))
                        }
                    };
                }
                if !place.ties {
                    break;
                }
            }
            if said.is_some() || self.given == 0 {
                return Ok(said);
            }
        }
    }

    /// The next entry, lent.
    ///
    /// # Errors
    /// As [`SegmentError`]; nothing comes behind one.
    pub(in crate::projections) fn next_entry(
        &mut self,
    ) -> Result<Option<(&[u8], OpRef<'_>)>, SegmentError> {
        let (at, kind) = match self.step() {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.order.clear();
                self.given = 0;
                return Err(error);
            }
        };
        Ok(self.cursors.get(at).map(|cursor| {
            let value = cursor.op().value().unwrap_or_default();
            (cursor.key(), kind.with(value))
        }))
    }

    /// Pours the next `entries_max` entries into a sink; `true` where more are left. At the bottom nothing lies below
    /// these layers: what has no value is left out, and no value is new.
    ///
    /// # Errors
    /// As [`SegmentError`].
    pub(in crate::projections) fn pour(
        &mut self,
        sink: &mut impl EntrySink,
        entries_max: usize,
        bottom: bool,
    ) -> Result<bool, SegmentError> {
        for _ in 0..entries_max {
            let Some((key, op)) = self.next_entry()? else {
                return Ok(false);
            };
            let kind = match bottom {
                true => op.kind().at_bottom(),
                false => Some(op.kind()),
            };
            if let Some(kind) = kind {
                sink.push(key, kind.with(op.value().unwrap_or_default()))?;
            }
        }
        Ok(true)
    }
}

impl Iterator for Merge {
    type Item = Result<(Vec<u8>, Op), SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.next_entry().transpose()?;
        Some(entry.map(|(key, op)| (key.to_vec(), op.to_op())))
    }
}

/// What these layers, newest first, say together of the keys from `from` on and before `until`.
pub(in crate::projections) fn merge(
    layers: &[Layer],
    from: &[u8],
    until: Option<&[u8]>,
    direction: Direction,
) -> Merge {
    Merge::new(layers, from, until, direction, Caching::Keep)
}

/// The keys from `from` on and before `until` that have a value in these layers, newest first.
pub(in crate::projections) fn visible(
    layers: &[Layer],
    from: &[u8],
    until: Option<&[u8]>,
    direction: Direction,
) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), SegmentError>> + Send + use<> {
    merge(layers, from, until, direction).filter_map(|entry| match entry {
        Ok((key, Op::New(value) | Op::Put(value))) => Some(Ok((key, value))),
        Ok((_, Op::Delete)) => None,
        Err(error) => Some(Err(error)),
    })
}

/// Pours all of these layers, newest first, into a sink. Parts that are read push nothing out of the cache. At the
/// bottom — the range begins with record 1 — nothing lies below.
///
/// # Errors
/// As [`SegmentError`].
pub(in crate::projections) fn merge_into(
    layers: &[Layer],
    sink: &mut impl EntrySink,
    bottom: bool,
) -> Result<(), SegmentError> {
    let mut merge = Merge::new(layers, b"", None, Direction::Ascending, Caching::Pass);
    while merge.pour(sink, usize::MAX, bottom)? {}
    Ok(())
}
