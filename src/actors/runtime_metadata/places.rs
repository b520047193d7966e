// SPDX-License-Identifier: Apache-2.0
//! Where the registry's last change stands in the journal: known once its commit is durable.

use super::{RuntimeMetadataState, RuntimePortrait, UnplacedRegistry};
use crate::actors::event_sourced::EventPlace;
use crate::events::{Event, RecordHeader, Seq};

impl RuntimeMetadataState {
    /// Counts events: one record each.
    pub(crate) const fn mark(&self) -> u64 {
        self.applied
    }

    /// The record of the registry's last change.
    pub(crate) const fn registry_seq(&self) -> Option<Seq> {
        self.registry_seq
    }

    /// The registry changes with the event applied last.
    pub(super) fn moved(&mut self, place: &EventPlace) {
        self.registry_seq = place.seq;
        self.unplaced = place.seq.is_none().then_some(UnplacedRegistry {
            number: self.applied,
            after: 0,
        });
    }

    /// The events decided last have their place behind the record `head`.
    pub(crate) fn behind(&mut self, head: u64) {
        if let Some(unplaced) = self.unplaced.as_mut().filter(|it| it.after == 0) {
            unplaced.after = head;
        }
    }

    /// One commit is durable: its last event is number `mark`, its last record `last`.
    pub(crate) fn committed(&mut self, mark: u64, last: Seq) {
        if let Some(unplaced) = self.unplaced.take_if(|it| it.number <= mark) {
            self.registry_seq = Seq::new(last.get().saturating_sub(mark - unplaced.number));
        }
    }

    /// A record that was on its way when this state was saved.
    pub(crate) fn place(&mut self, header: &RecordHeader, event: &Event) {
        let version = match event {
            Event::CapabilityRegistered(it) => it.registry_version,
            Event::CapabilityChanged(it) => it.registry_version,
            Event::CapabilityEnabled(it) => it.registry_version,
            Event::CapabilityDisabled(it) => it.registry_version,
            Event::CapabilityUnregistered(it) => it.registry_version,
            _ => return,
        };
        if self.registry_seq.is_none() && version == self.registry.version {
            self.registry_seq = Some(header.seq);
        }
    }
}

impl RuntimePortrait {
    /// The registry's record is behind this one; `None` where it is known or there is none.
    pub(crate) fn unplaced_after(&self) -> Option<u64> {
        let missing = self.registry.version > 0 && self.registry_seq.is_none();
        missing.then_some(self.unplaced_after)
    }
}
