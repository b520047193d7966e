// SPDX-License-Identifier: Apache-2.0
//! One stored form of a view, as its readers see it.

use std::sync::{Arc, Mutex};

use crate::database::Damage;
use crate::events::{Hash, Record};
use crate::locks::whole;
use crate::projections::segments::{Layer, Segment, SegmentError, get};

use super::manifest::StatedManifest;

/// How far a view has read, and the hash of the record there: another history under the same
/// numbers (a restore, a fork) is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::projections) struct Position {
    pub(in crate::projections) seq: u64,
    pub(in crate::projections) hash: Hash,
}

impl Position {
    pub(in crate::projections) fn of(record: &Record) -> Self {
        Self {
            seq: record.header.seq.get(),
            hash: record.hash,
        }
    }
}

/// A view's content at one position: what came later lies above. Never changed.
#[derive(Clone, Default)]
pub(in crate::projections) struct Layers {
    pub(in crate::projections) position: Position,
    /// The newest first.
    pub(in crate::projections) layers: Vec<Layer>,
}

impl Layers {
    pub(in crate::projections) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SegmentError> {
        get(&self.layers, key)
    }

    /// Those of them that are files.
    pub(in crate::projections) fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.layers.iter().filter_map(|layer| match layer {
            Layer::File(segment) => Some(segment),
            Layer::Memory(_) => None,
        })
    }
}

/// One stored form of a view.
pub(in crate::projections) struct Generation {
    pub(in crate::projections) version: u32,
    pub(in crate::projections) number: u64,
    /// Which opening of the view it belongs to: complaints about an earlier one are void.
    pub(in crate::projections) incarnation: u64,
    /// Lock: the view's runner to put others in place, readers for a copy; no view is read under it.
    layers: Mutex<Arc<Layers>>,
    /// What its manifest says, once it serves.
    /// Lock: the view's runner to put another in place, who verifies for a copy; nothing is called under it.
    stated: Mutex<Option<Arc<StatedManifest>>>,
}

impl Generation {
    pub(super) fn new(version: u32, number: u64, incarnation: u64, layers: Layers) -> Self {
        Self {
            version,
            number,
            incarnation,
            layers: Mutex::new(Arc::new(layers)),
            stated: Mutex::default(),
        }
    }

    pub(super) fn state(&self, stated: StatedManifest) {
        *whole(self.stated.lock()) = Some(Arc::new(stated));
    }

    /// Whether its manifest says what was written to it; one that is being written may not.
    pub(in crate::projections) fn check_manifest(&self) -> Result<(), Damage> {
        let stated = whole(self.stated.lock()).clone();
        stated.map_or(Ok(()), |stated| stated.check())
    }

    /// Its content as it stands.
    pub(in crate::projections) fn layers(&self) -> Arc<Layers> {
        let layers = whole(self.layers.lock());
        Arc::clone(&layers)
    }

    pub(super) fn publish(&self, layers: Layers) {
        let layers = Arc::new(layers);
        let before = std::mem::replace(&mut *whole(self.layers.lock()), layers);
        // Files may close with it: not under the lock.
        drop(before);
    }
}
