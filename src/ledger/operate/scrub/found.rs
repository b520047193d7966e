// SPDX-License-Identifier: Apache-2.0
//! What the scrub has found, and who was told.

use std::collections::BTreeMap;

use crate::actors::SelfRecords;
use crate::events::HealthChangedV1;
use crate::metrics;

use crate::ledger::operate::verify::{Damaged, Unread};

/// Damages that are kept by name.
const KEPT_MAX: usize = 10_000;
/// Damages that are recorded one by one in an opening: what is wholly broken is not told a million
/// times.
const RECORDED_MAX: u64 = 16;

/// What the scrub has done since this opening.
///
/// Example: [`verify`](crate::verify).
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct Scrubbed {
    /// Every record from the first to this one was found sound, in this pass or the one before.
    pub verified_through: u64,
    /// Passes ended.
    pub passes: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Damages found, and not gone since.
    pub damages: Vec<Damaged>,
    /// What could not be read, and was not since: nothing is known of it.
    pub unread: Vec<Unread>,
    /// Tables whose every block is right, and of which the engine states another checksum of the whole.
    pub engine_faults: Vec<Damaged>,
}

#[derive(Default)]
pub(super) struct ScrubFindings {
    /// With the pass that met it last.
    damages: BTreeMap<Damaged, u64>,
    unread: BTreeMap<Unread, u64>,
    engine_faults: BTreeMap<Damaged, u64>,
    recorded: u64,
    passes: u64,
    verified_through: u64,
    bytes: u64,
}

impl ScrubFindings {
    pub(super) fn complaint(&self) -> Option<String> {
        let Some((first, _)) = self.damages.first_key_value() else {
            let (first, _) = self.unread.first_key_value()?;
            return Some(format!(
                "the scrub could not read {} places, the first: {first}",
                self.unread.len()
            ));
        };
        Some(match self.damages.len() {
            1 => format!("damage: {first}"),
            count => format!("{count} damages, the first: {first}"),
        })
    }

    pub(super) fn scrubbed(&self) -> Scrubbed {
        Scrubbed {
            verified_through: self.verified_through,
            passes: self.passes,
            bytes: self.bytes,
            damages: self.damages.keys().cloned().collect(),
            unread: self.unread.keys().cloned().collect(),
            engine_faults: self.engine_faults.keys().cloned().collect(),
        }
    }

    pub(super) fn read(&mut self, bytes: u64, verified_through: u64) {
        self.bytes += bytes;
        self.verified_through = verified_through;
        metrics::SCRUBBED_BYTES.counter(&[]).increment(bytes);
        metrics::VERIFIED_THROUGH_SEQ
            .gauge(&[])
            .set(verified_through as f64);
    }

    /// Something could not be read: health says so, and nothing is recorded.
    pub(super) fn unread(&mut self, unread: Unread) {
        if !self.unread.contains_key(&unread) {
            if self.unread.len() >= KEPT_MAX {
                return;
            }
            tracing::warn!(%unread, "the scrub could not read this; it is no damage");
        }
        self.unread.insert(unread, self.passes);
    }

    /// What could not be read is tried once more.
    pub(super) fn tried_again(&mut self, unread: &Unread) {
        self.unread.remove(unread);
    }

    /// The engine states what is not so.
    pub(super) fn engine_fault(&mut self, fault: Damaged) {
        if !self.engine_faults.contains_key(&fault) {
            if self.engine_faults.len() >= KEPT_MAX {
                return;
            }
            tracing::warn!(%fault, "a fault of the engine, and no damage");
        }
        self.engine_faults.insert(fault, self.passes);
    }

    /// Something is damaged: told once, as long as it stays so.
    pub(super) fn damaged(&mut self, damaged: Damaged, self_records: &SelfRecords) {
        let known = self.damages.contains_key(&damaged);
        if !known && self.damages.len() >= KEPT_MAX {
            return;
        }
        if !known {
            metrics::SCRUB_DAMAGES.counter(&[]).increment(1);
            tracing::error!(%damaged, "the scrub found damage");
            if self.recorded < RECORDED_MAX {
                self.recorded += 1;
                let event = HealthChangedV1 {
                    healthy: false,
                    cause: format!("the scrub found damage: {damaged}"),
                };
                drop(self_records.write(&event.into()));
            }
        }
        self.damages.insert(damaged, self.passes);
    }

    /// A pass has ended: what it has not met again is gone.
    pub(super) fn pass_ended(&mut self, self_records: &SelfRecords) {
        let was_damaged = !self.damages.is_empty();
        let this = self.passes;
        self.damages.retain(|_, pass| *pass >= this);
        self.unread.retain(|_, pass| *pass >= this);
        self.engine_faults.retain(|_, pass| *pass >= this);
        self.passes += 1;
        if was_damaged && self.damages.is_empty() {
            tracing::warn!("the scrub finds no damage any more");
            let event = HealthChangedV1 {
                healthy: true,
                cause: "a whole pass of the scrub found no damage any more".to_owned(),
            };
            drop(self_records.write(&event.into()));
        }
    }
}
