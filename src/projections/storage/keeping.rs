// SPDX-License-Identifier: Apache-2.0
//! The writer's side of a generation: takes batches, has segments written and merged, and keeps the manifest.
//!
//! The view's runner alone uses it; what segments' threads and the journal have to say comes to it as [`News`].

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::events::Hash;
use crate::projections::error::HaltReason;
use crate::projections::segments::{Layer, Run, Segment, SegmentHead, merge_runs};
use crate::projections::vouch::{SealedSegment, Voucher};

use super::generation::{Generation, Layers, Position};
use super::manifest::{Manifest, ManifestEntry};
use super::pieces::{self, Kind, Piece, SegmentState};
use super::place::{ViewPlace, drop_strays, segment_file};
use super::sealer::{Order, Sealed, Sealer};

/// Ranges of one view that may wait to be written: more records wait for them.
const WAITING_MAX: usize = 2;

/// What the views of one opening share.
pub(in crate::projections) struct Keeping {
    pub(in crate::projections) sealer: Sealer,
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
    Written { job: u64, outcome: Sealed },
    /// A record states the segment of these records.
    Vouched(Vouched),
}

/// A record of the journal states the segment of these records.
pub(in crate::projections) struct Vouched {
    first: u64,
    last: u64,
    by: u64,
}

/// Is told news of a generation: which opening of the view it belongs to, its number, what.
pub(in crate::projections) type Tell = Arc<dyn Fn((u64, u64), News) + Send + Sync>;

/// Why a segment was ordered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
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
    place: ViewPlace,
    keeping: Arc<Keeping>,
    tell: Tell,
    /// The oldest first.
    pieces: Vec<Piece>,
    position: Position,
    /// It is the one that the manifest names.
    serves: bool,
    jobs: HashMap<u64, Why>,
    next_job: u64,
}

impl Kept {
    /// A new, empty generation.
    pub(in crate::projections) fn create(
        place: &ViewPlace,
        keeping: &Arc<Keeping>,
        (version, incarnation): (u32, u64),
        tell: &Tell,
    ) -> Result<Self, HaltReason> {
        place.ensure()?;
        let number = place.next_number()?;
        place.create_generation(version, number)?;
        let layers = Layers::default();
        let generation = Generation::new(version, number, incarnation, layers);
        Ok(Self::of(place, keeping, tell, generation))
    }

    fn of(place: &ViewPlace, keeping: &Arc<Keeping>, tell: &Tell, generation: Generation) -> Self {
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

    /// The generation that serves, as far as its segments are vouched for; `None` where there is none, or where it is
    /// of a journal that ended elsewhere.
    pub(in crate::projections) fn open(
        place: &ViewPlace,
        keeping: &Arc<Keeping>,
        incarnation: u64,
        tell: &Tell,
        head: u64,
    ) -> Result<Option<Self>, HaltReason> {
        place.ensure()?;
        let Some(manifest) = place.read_manifest()? else {
            return Ok(None);
        };
        if manifest
            .segments
            .last()
            .is_some_and(|it| it.last_seq > head)
        {
            return Ok(None);
        }
        let (version, number) = (manifest.version, manifest.generation);
        let generation = Generation::new(version, number, incarnation, Layers::default());
        let mut kept = Self::of(place, keeping, tell, generation);
        let directory = place.generation(version, number);
        let mut named = Vec::new();
        for entry in manifest.segments {
            let path = segment_file(&directory, entry.first_seq, entry.last_seq);
            kept.take_up(entry, &path)?;
            named.push(path);
        }
        if named.is_empty() {
            place.create_generation(version, number)?;
        }
        drop_strays(&directory, &named)?;
        kept.serves = true;
        kept.publish();
        Ok(Some(kept))
    }

    /// Takes up a segment that the manifest names.
    fn take_up(&mut self, entry: ManifestEntry, path: &PathBuf) -> Result<(), HaltReason> {
        let sealed = self.sealed(entry.first_seq, entry.last_seq, entry.digest);
        if let Some(voucher) = &self.keeping.voucher {
            let vouched = voucher.has_vouched(entry.vouched_by, &sealed);
            if !vouched.map_err(HaltReason::Source)? {
                let (path, by) = (path.display(), entry.vouched_by);
                let cause = format!("{path}: record {by} does not vouch for it");
                return Err(HaltReason::Damage(cause));
            }
        }
        let segment = Segment::open(path, &entry.digest, &self.keeping.sealer.cache)?;
        let head = segment.head();
        let is_named = (head.view.as_str(), head.version) == (&*sealed.view, sealed.version)
            && (head.first_seq, head.last_seq) == (entry.first_seq, entry.last_seq);
        if !is_named {
            let cause = format!("{}: it is another segment", path.display());
            return Err(HaltReason::Damage(cause));
        }
        self.position = Position {
            seq: head.last_seq,
            hash: head.last_hash,
        };
        self.pieces.push(Piece {
            first: entry.first_seq,
            last: self.position,
            layer: Layer::File(Arc::new(segment)),
            kind: Kind::Segment(SegmentState {
                digest: entry.digest,
                vouched_by: Some(entry.vouched_by),
                replaces: Vec::new(),
                obsolete: Vec::new(),
            }),
            job: None,
        });
        Ok(())
    }

    fn sealed(&self, first_seq: u64, last_seq: u64, digest: Hash) -> SealedSegment {
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

    /// Whether more records can be taken before segments are written.
    pub(in crate::projections) fn has_room(&self) -> bool {
        let waiting = self.jobs.values().filter(|why| **why != Why::Merge);
        waiting.count() < WAITING_MAX
    }

    /// Whether everything is in segments that are vouched for, or were handed to who vouches.
    pub(in crate::projections) fn is_handed_over(&self) -> bool {
        let in_memory = |piece: &Piece| !matches!(piece.kind, Kind::Segment(_));
        !self.pieces.iter().any(in_memory)
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
            kind: Kind::Memory { merges: 0 },
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

    fn publish(&self) {
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
            Kind::Memory { merges } => merges + 1,
            _ => 0,
        };
        let merged = Piece {
            first: older.first,
            last: newer.last,
            layer: Layer::Memory(Arc::new(merge_runs(newer_run, older_run))),
            kind: Kind::Memory { merges },
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
            |piece: &Piece| !matches!(piece.kind, Kind::Segment(_)) && piece.job.is_none();
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
    fn order(&mut self, range: Range<usize>, why: Why) -> Result<(), HaltReason> {
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
        let order = Order {
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

    /// Takes what it is told.
    pub(in crate::projections) fn hear(&mut self, news: News) -> Result<(), HaltReason> {
        match news {
            News::Written { job, outcome } => {
                let Some(why) = self.jobs.remove(&job) else {
                    return Ok(());
                };
                let (digest, segment) = outcome?;
                self.written(job, why, digest, segment)?;
            }
            News::Vouched(vouched) => self.vouched(&vouched)?,
        }
        while let Some(range) = pieces::neighbours(&self.pieces, self.keeping.range) {
            self.order(range, Why::Merge)?;
        }
        Ok(())
    }

    /// A segment stands in the place of the pieces that it was made of.
    fn written(
        &mut self,
        job: u64,
        why: Why,
        digest: Hash,
        segment: Arc<Segment>,
    ) -> Result<(), HaltReason> {
        let is_of = |piece: &Piece| piece.job == Some(job);
        let start = self.pieces.iter().position(is_of);
        let end = self.pieces.iter().rposition(is_of);
        let (Some(start), Some(end)) = (start, end) else {
            return Ok(());
        };
        let directory = self
            .place
            .generation(self.generation.version, self.generation.number);
        let (mut replaces, mut obsolete) = (Vec::new(), Vec::new());
        let group = self.pieces.drain(start..=end).collect::<Vec<_>>();
        for piece in &group {
            let mut path = segment_file(&directory, piece.first, piece.last.seq);
            match &piece.kind {
                Kind::Memory { .. } => continue,
                Kind::Spilled => drop(path.set_extension("spill")),
                Kind::Segment(state) => {
                    obsolete.extend(state.obsolete.iter().cloned());
                    match entry(piece, state) {
                        Some(entry) => replaces.push(entry),
                        None => replaces.extend(state.replaces.iter().cloned()),
                    }
                }
            }
            obsolete.push(path);
        }
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            return Ok(());
        };
        let (first, last) = (first.first, last.last);
        let kind = match why {
            Why::Spill => Kind::Spilled,
            Why::Ended | Why::Merge => Kind::Segment(SegmentState {
                digest,
                vouched_by: None,
                replaces,
                obsolete,
            }),
        };
        let piece = Piece {
            first,
            last,
            layer: Layer::File(segment),
            kind,
            job: None,
        };
        self.pieces.insert(start, piece);
        self.publish();
        if why != Why::Spill {
            self.have_vouched(first, last.seq, digest)?;
        }
        Ok(())
    }

    fn have_vouched(&mut self, first: u64, last: u64, digest: Hash) -> Result<(), HaltReason> {
        let Some(voucher) = &self.keeping.voucher else {
            return self.vouched(&Vouched { first, last, by: 0 });
        };
        let tell = Arc::clone(&self.tell);
        let whose = (self.generation.incarnation, self.generation.number);
        let told = move |by| tell(whose, News::Vouched(Vouched { first, last, by }));
        voucher.vouch(self.sealed(first, last, digest), Box::new(told));
        Ok(())
    }

    fn vouched(&mut self, vouched: &Vouched) -> Result<(), HaltReason> {
        let found = self
            .pieces
            .iter_mut()
            .find(|piece| (piece.first, piece.last.seq) == (vouched.first, vouched.last));
        let Some(Kind::Segment(state)) = found.map(|piece| &mut piece.kind) else {
            return Ok(());
        };
        state.vouched_by = Some(vouched.by);
        state.replaces.clear();
        let obsolete = std::mem::take(&mut state.obsolete);
        self.write_manifest()?;
        for path in obsolete {
            // What stays behind goes with the next opening.
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "a segment that was replaced stays");
            }
        }
        Ok(())
    }

    /// From here on this generation serves, also after a power cut.
    pub(in crate::projections) fn serve(&mut self) -> Result<(), HaltReason> {
        self.serves = true;
        self.write_manifest()
    }

    fn write_manifest(&self) -> Result<(), HaltReason> {
        if !self.serves {
            return Ok(());
        }
        let mut segments = Vec::new();
        for piece in &self.pieces {
            let Kind::Segment(state) = &piece.kind else {
                break;
            };
            match entry(piece, state) {
                Some(entry) => segments.push(entry),
                None => {
                    segments.extend(state.replaces.iter().cloned());
                    if segments.last().map(|it| it.last_seq) != Some(piece.last.seq) {
                        break;
                    }
                }
            }
        }
        let (version, number) = (self.generation.version, self.generation.number);
        let manifest = Manifest::new(version, number, segments);
        self.place.write_manifest(&manifest)
    }

    /// Removes what other generations left.
    pub(in crate::projections) fn drop_others(&self) -> Result<(), HaltReason> {
        let kept = (self.generation.version, self.generation.number);
        self.place.drop_others(Some(kept))
    }
}

/// The manifest's line for a segment that is vouched for.
fn entry(piece: &Piece, state: &SegmentState) -> Option<ManifestEntry> {
    Some(ManifestEntry {
        first_seq: piece.first,
        last_seq: piece.last.seq,
        digest: state.digest,
        vouched_by: state.vouched_by?,
    })
}
