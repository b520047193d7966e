// SPDX-License-Identifier: Apache-2.0
//! The writer's side of a generation: takes batches, and has segments written.
//!
//! The view's runner alone uses it; what segments' threads and the journal have to say comes to it as [`News`].

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::events::Hash;
use crate::projections::error::HaltReason;
use crate::projections::segments::{Layer, Run, SegmentHead, merge_runs};
use crate::projections::vouch::{SealedSegment, Voucher};

use super::generation::{Generation, Layers, Position};
use super::lock::ViewsLock;
use super::pieces::{self, Piece, PieceKind};
use super::place::{ViewPlace, segment_file};
use super::sealer::{SealOrder, SealOutcome, Sealer};

/// Ranges of one view that may wait to be written: more records wait for them.
const WAITING_MAX: usize = 2;

/// What the views of one opening share.
pub(in crate::projections) struct Keeping {
    pub(in crate::projections) sealer: Sealer,
    pub(in crate::projections) lock: Arc<ViewsLock>,
    /// `None`: views without a ledger, whose manifests are believed.
    pub(in crate::projections) voucher: Option<Arc<dyn Voucher>>,
    /// What one view holds in memory of a range before it is written to a file, in bytes.
    pub(in crate::projections) memory_bytes: usize,
    /// Records after which a segment ends.
    pub(in crate::projections) range: u64,
}

/// What a generation is told.
pub(in crate::projections) enum News {
    /// What came of an order for a segment.
    Written { job: u64, outcome: SealOutcome },
    /// A record states the segment of these records.
    Vouched(Vouched),
}

/// A record of the journal states the segment of these records.
pub(in crate::projections) struct Vouched {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) by: u64,
}

/// Is told news of a generation: which opening of the view it belongs to, its number, what.
pub(in crate::projections) type Tell = Arc<dyn Fn((u64, u64), News) + Send + Sync>;

/// Why a segment was ordered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// A range has ended, or the view is being closed.
    Ended,
    /// There are eight of a size.
    Merge,
    /// Memory is short.
    Spill,
}

/// The writer's side of a generation.
pub(in crate::projections) struct Kept {
    pub(in crate::projections) generation: Arc<Generation>,
    pub(super) place: ViewPlace,
    pub(super) keeping: Arc<Keeping>,
    pub(super) tell: Tell,
    /// The oldest first.
    pub(super) pieces: Vec<Piece>,
    pub(super) position: Position,
    /// It is the one that the manifest names.
    pub(super) serves: bool,
    pub(super) jobs: HashMap<u64, Why>,
    next_job: u64,
}

impl Kept {
    pub(super) fn of(
        place: &ViewPlace,
        keeping: &Arc<Keeping>,
        tell: &Tell,
        generation: Generation,
    ) -> Self {
        Self {
            generation: Arc::new(generation),
            place: place.clone(),
            keeping: Arc::clone(keeping),
            tell: Arc::clone(tell),
            pieces: Vec::new(),
            position: Position::default(),
            serves: false,
            jobs: HashMap::new(),
            next_job: 0,
        }
    }

    pub(super) fn sealed(&self, first_seq: u64, last_seq: u64, digest: Hash) -> SealedSegment {
        SealedSegment {
            view: self.place.name.to_owned(),
            version: self.generation.version,
            first_seq,
            last_seq,
            digest,
        }
    }

    pub(in crate::projections) const fn position(&self) -> Position {
        self.position
    }

    /// With the first commit that ends at this record or behind it a segment ends.
    pub(in crate::projections) fn next_cut(&self) -> u64 {
        pieces::next_cut(self.position.seq, self.keeping.range)
    }

    /// Whether it is told the news of this opening and generation.
    pub(in crate::projections) fn is(&self, (incarnation, number): (u64, u64)) -> bool {
        (self.generation.incarnation, self.generation.number) == (incarnation, number)
    }

    /// Whether somebody reads it who was not given another in its place.
    pub(in crate::projections) fn is_read(&self) -> bool {
        Arc::strong_count(&self.generation) > 1
    }

    /// Whether more records can be taken before segments are written.
    pub(in crate::projections) fn has_room(&self) -> bool {
        let waiting = self.jobs.values().filter(|why| **why != Why::Merge);
        waiting.count() < WAITING_MAX
    }

    /// Whether a segment is being written that is no merge of others.
    pub(in crate::projections) fn is_writing(&self) -> bool {
        self.jobs.values().any(|why| *why != Why::Merge)
    }

    /// Takes a batch, which brings the view to this position.
    pub(in crate::projections) fn commit(
        &mut self,
        run: Run,
        to: Position,
    ) -> Result<(), HaltReason> {
        let first = self.position.seq + 1;
        self.position = to;
        self.pieces.push(Piece {
            first,
            last: to,
            layer: Layer::Memory(Arc::new(run)),
            kind: PieceKind::Memory { merges: 0 },
            job: None,
        });
        if let Some(range) = pieces::ended(&self.pieces, self.keeping.range) {
            self.order(range, Why::Ended)?;
        }
        while let Some(range) = pieces::runs(&self.pieces) {
            self.merge_runs(range);
        }
        if let Some(range) = self.too_much() {
            self.order(range, Why::Spill)?;
        }
        self.publish();
        Ok(())
    }

    pub(super) fn publish(&self) {
        let layers = self.pieces.iter().rev().map(|piece| piece.layer.clone());
        self.generation.publish(Layers {
            position: self.position,
            layers: layers.collect(),
        });
    }

    fn merge_runs(&mut self, range: Range<usize>) {
        let Some([older, newer]) = self.pieces.get(range.clone()) else {
            return;
        };
        let (Layer::Memory(older_run), Layer::Memory(newer_run)) = (&older.layer, &newer.layer)
        else {
            return;
        };
        let merges = match newer.kind {
            PieceKind::Memory { merges } => merges + 1,
            _ => 0,
        };
        let merged = Piece {
            first: older.first,
            last: newer.last,
            layer: Layer::Memory(Arc::new(merge_runs(newer_run, older_run))),
            kind: PieceKind::Memory { merges },
            job: None,
        };
        self.pieces.splice(range, [merged]);
    }

    /// The runs at the end, where they hold more than one view may.
    fn too_much(&self) -> Option<Range<usize>> {
        let mut start = self.pieces.len();
        let mut bytes = 0;
        for (at, piece) in self.pieces.iter().enumerate().rev() {
            let Layer::Memory(run) = &piece.layer else {
                break;
            };
            if piece.job.is_some() {
                break;
            }
            bytes += run.bytes();
            start = at;
        }
        (bytes > self.keeping.memory_bytes).then_some(start..self.pieces.len())
    }

    /// What there is goes into a segment, although its range has not ended: the next opening has nothing to read again.
    pub(in crate::projections) fn order_tail(&mut self) -> Result<(), HaltReason> {
        let in_memory =
            |piece: &Piece| !matches!(piece.kind, PieceKind::Segment(_)) && piece.job.is_none();
        if !self.pieces.iter().any(in_memory) {
            return Ok(());
        }
        let open = self
            .pieces
            .iter()
            .rposition(|piece| piece.is_sealed(self.keeping.range) || piece.job.is_some());
        let start = open.map_or(0, |at| at + 1);
        self.order(start..self.pieces.len(), Why::Ended)
    }

    /// Has the pieces made one segment.
    pub(super) fn order(&mut self, range: Range<usize>, why: Why) -> Result<(), HaltReason> {
        let Some(group) = self.pieces.get_mut(range) else {
            return Ok(());
        };
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            return Ok(());
        };
        let (first, last) = (first.first, last.last);
        let head = SegmentHead {
            view: self.place.name.to_owned(),
            version: self.generation.version,
            first_seq: first,
            last_seq: last.seq,
            last_hash: last.hash,
        };
        let directory = self
            .place
            .generation(self.generation.version, self.generation.number);
        let mut path = segment_file(&directory, first, last.seq);
        if why == Why::Spill {
            path.set_extension("spill");
        }
        self.next_job += 1;
        let job = self.next_job;
        let mut layers = Vec::new();
        for piece in group.iter_mut() {
            piece.job = Some(job);
            layers.push(piece.layer.clone());
        }
        layers.reverse();
        let tell = Arc::clone(&self.tell);
        let whose = (self.generation.incarnation, self.generation.number);
        let order = SealOrder {
            layers,
            head,
            path,
            done: Box::new(move |outcome| tell(whose, News::Written { job, outcome })),
        };
        if !self.keeping.sealer.order(order, why == Why::Merge) {
            return Err(HaltReason::Medium("views are being closed".to_owned()));
        }
        self.jobs.insert(job, why);
        Ok(())
    }

    /// Removes what other generations left.
    pub(in crate::projections) fn drop_others(&self) -> Result<(), HaltReason> {
        let kept = (self.generation.version, self.generation.number);
        self.place.drop_others(Some(kept))
    }
}
