// SPDX-License-Identifier: Apache-2.0
//! Emitted observations on their way to the store: a bounded buffer between `emit` and the store, that never waits.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::access::Grant;
use crate::commands::Command;
use crate::events::ComponentId;
use crate::locks::whole;

/// Observations that go into one commit.
const GROUP_MAX: usize = 64;

/// What waits, of all or of one component.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Load {
    pub(super) fn add(&mut self, size: usize) {
        self.records += 1;
        self.bytes += size;
    }

    pub(super) fn take(&mut self, size: usize) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }

    /// Whether one more fits.
    pub(super) const fn takes(self, size: usize, most: Self) -> bool {
        self.records < most.records && self.bytes.saturating_add(size) <= most.bytes
    }
}

#[derive(Default)]
pub(super) struct EmitBuffer {
    pub(super) waiting: VecDeque<(Grant, Command, usize)>,
    pub(super) load: Load,
    /// Of each component of which something waits.
    pub(super) parts: HashMap<ComponentId, Load>,
    pub(super) closed: bool,
    pub(super) busy: bool,
    /// When those were observed that the redactor has at the moment.
    pub(super) redacting: Vec<i64>,
}

/// A bounded buffer between `emit` and the store: never waits.
pub(super) struct Emitted {
    /// Lock: `emit` for one observation, the task that records them for one group; the redactor is called outside
    /// it.
    pub(super) buffer: Mutex<EmitBuffer>,
    pub(super) filled: Notify,
    pub(super) emptied: Notify,
    pub(super) most: Load,
    /// What one component may have of it.
    pub(super) part: Load,
}

impl Emitted {
    pub(super) fn lock(&self) -> MutexGuard<'_, EmitBuffer> {
        whole(self.buffer.lock())
    }

    /// Nothing more comes in, and what is in is given up: those times are given, to be counted as
    /// lost.
    pub(super) fn give_up(&self) -> Vec<i64> {
        let mut buffer = self.lock();
        buffer.closed = true;
        buffer.load = Load::default();
        buffer.parts.clear();
        let waiting = std::mem::take(&mut buffer.waiting);
        let mut lost = std::mem::take(&mut buffer.redacting);
        drop(buffer);
        lost.extend(
            waiting
                .iter()
                .filter_map(|(_, command, _)| observed(command)),
        );
        lost
    }

    /// The next observations of one grant.
    pub(super) fn take(&self) -> Vec<(Grant, Command)> {
        let mut buffer = self.lock();
        let mut group: Vec<(Grant, Command)> = Vec::new();
        let mut bytes = 0;
        while let Some((grant, _, size)) = buffer.waiting.front() {
            let same = group
                .first()
                .is_none_or(|(first, _)| Arc::ptr_eq(&first.0, &grant.0));
            if !same || group.len() >= GROUP_MAX || (bytes + size > 1 << 20 && !group.is_empty()) {
                break;
            }
            if let Some((grant, command, size)) = buffer.waiting.pop_front() {
                buffer.load.take(size);
                let component = grant.0.component;
                if let Some(part) = buffer.parts.get_mut(&component) {
                    part.take(size);
                    if part.records == 0 {
                        buffer.parts.remove(&component);
                    }
                }
                bytes += size;
                group.push((grant, command));
            }
        }
        buffer.busy = !group.is_empty();
        group
    }
}

pub(super) fn observed(command: &Command) -> Option<i64> {
    match command {
        Command::Observe(observation) => observation.observed_ns,
        _ => None,
    }
}
