// SPDX-License-Identifier: Apache-2.0
//! What a generation makes of what it is told: segments that were written stand in the place of what they were made of,
//! those that are vouched for get into the manifest, and what they replace goes after that.

use std::sync::Arc;

use crate::events::Hash;
use crate::projections::error::HaltReason;
use crate::projections::segments::{Layer, Segment};

use super::keeping::{Kept, News, Vouched, Why};
use super::manifest::{Manifest, ManifestEntry};
use super::pieces::{self, Piece, PieceKind, SegmentState};

impl Kept {
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
        Ok(())
    }

    /// Has neighbours of one size made one segment.
    pub(in crate::projections) fn merge_neighbours(&mut self) -> Result<(), HaltReason> {
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
            // Another one has been made of the same meanwhile, and of more.
            segment.remove_when_unused();
            return Ok(());
        };
        let (mut replaces, mut obsolete) = (Vec::new(), Vec::new());
        let group = self.pieces.drain(start..=end).collect::<Vec<_>>();
        for piece in &group {
            if let PieceKind::Segment(state) = &piece.kind {
                obsolete.extend(state.obsolete.iter().cloned());
                match entry(piece, state) {
                    Some(entry) => replaces.push(entry),
                    None => replaces.extend(state.replaces.iter().cloned()),
                }
            }
            if let Layer::File(segment) = &piece.layer {
                obsolete.push(Arc::clone(segment));
            }
        }
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            return Ok(());
        };
        let (first, last) = (first.first, last.last);
        let kind = match why {
            Why::Spill => PieceKind::Spilled,
            Why::Ended | Why::Merge => PieceKind::Segment(SegmentState {
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
        let Some(PieceKind::Segment(state)) = found.map(|piece| &mut piece.kind) else {
            return Ok(());
        };
        state.vouched_by = Some(vouched.by);
        state.replaces.clear();
        let obsolete = std::mem::take(&mut state.obsolete);
        self.write_manifest()?;
        for segment in obsolete {
            segment.remove_when_unused();
        }
        Ok(())
    }

    /// From here on this generation serves, also after a power cut.
    pub(in crate::projections) fn serve(&mut self) -> Result<(), HaltReason> {
        self.serves = true;
        self.write_manifest()
    }

    pub(super) fn write_manifest(&self) -> Result<(), HaltReason> {
        if !self.serves {
            return Ok(());
        }
        let mut segments = Vec::new();
        for piece in &self.pieces {
            let PieceKind::Segment(state) = &piece.kind else {
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
        let stated = self.place.write_manifest(manifest)?;
        self.generation.state(stated);
        Ok(())
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
