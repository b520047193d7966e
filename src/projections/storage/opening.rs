// SPDX-License-Identifier: Apache-2.0
//! How a generation begins: empty, or as what its manifest names and the journal vouches for.

use std::path::Path;
use std::sync::Arc;

use crate::projections::error::HaltReason;
use crate::projections::segments::{Layer, Segment};

use super::generation::{Generation, Layers, Position};
use super::keeping::{Keeping, Kept, Tell};
use super::manifest::ManifestEntry;
use super::pieces::{Piece, PieceKind, SegmentState};
use super::place::{ViewPlace, drop_strays, segment_file};

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

    /// The generation that serves, as far as its segments are vouched for in a journal of so many records; `None` where
    /// there is none.
    pub(in crate::projections) fn open(
        place: &ViewPlace,
        keeping: &Arc<Keeping>,
        incarnation: u64,
        tell: &Tell,
        head: u64,
    ) -> Result<Option<Self>, HaltReason> {
        place.ensure()?;
        let Some(stated) = place.read_manifest()? else {
            return Ok(None);
        };
        let manifest = stated.manifest.clone();
        let (version, number) = (manifest.version, manifest.generation);
        let generation = Generation::new(version, number, incarnation, Layers::default());
        let mut kept = Self::of(place, keeping, tell, generation);
        let directory = place.generation(version, number);
        let (mut named, entries) = (Vec::new(), manifest.segments.len());
        // A journal that lost records, with an operator's leave, may have lost those that vouch.
        let is_within = |it: &ManifestEntry| it.last_seq <= head && it.vouched_by <= head;
        for entry in manifest.segments.into_iter().take_while(is_within) {
            let path = segment_file(&directory, entry.first_seq, entry.last_seq);
            kept.take_up(entry, &path)?;
            named.push(path);
        }
        kept.serves = true;
        if named.len() < entries {
            // Before their files go.
            kept.write_manifest()?;
        } else {
            kept.generation.state(stated);
        }
        if named.is_empty() {
            place.create_generation(version, number)?;
        }
        drop_strays(&directory, &named)?;
        kept.publish();
        Ok(Some(kept))
    }

    /// Takes up a segment that the manifest names.
    fn take_up(&mut self, entry: ManifestEntry, path: &Path) -> Result<(), HaltReason> {
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
            kind: PieceKind::Segment(SegmentState {
                digest: entry.digest,
                vouched_by: Some(entry.vouched_by),
                replaces: Vec::new(),
                obsolete: Vec::new(),
            }),
            job: None,
        });
        Ok(())
    }
}
