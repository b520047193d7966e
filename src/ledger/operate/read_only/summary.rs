// SPDX-License-Identifier: Apache-2.0
//! What a ledger holds, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::error::ReadError;
use crate::events::{EventType, ExecutionId, Outcome, RecordHeader, Seq, Store};
use crate::journal::{Closes, EpochStretch};

use super::ReadOnly;

/// Counts over every record that can be read.
///
/// Example: [`read_only`](crate::read_only).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Records that were read.
    pub records: u64,
    /// Frames.
    pub frames: u64,
    /// Records that could not be; a gap counts once.
    pub unreadable: u64,
    /// Records of each epoch: one epoch a writer.
    pub epochs: BTreeMap<u64, u64>,
    /// Records of each event type.
    pub events: BTreeMap<EventType, u64>,
    /// Records of each store; one record may belong to several.
    pub stores: BTreeMap<Store, u64>,
    /// The first record that lies, in its epoch, behind the record that closed the ledger: somebody else
    /// than its writer put it there, and no opening accepts it.
    pub after_close: Option<Seq>,
    /// The first record that this software cannot read and may not skip ([`RecordHeader::bars_writing`](crate::events::RecordHeader::bars_writing)): it does not open the
    /// ledger for writing, newer software does.
    pub unknown_event: Option<Seq>,
    /// Time of the first and of the last record, in nanoseconds since 1970.
    #[serde(
        rename = "times",
        serialize_with = "crate::events::readable::time::range"
    )]
    pub times_ns: Option<RangeInclusive<i64>>,
    /// Executions that were started, and of whose end no record tells: in doubt once the ledger is
    /// opened for writing.
    pub unfinished: BTreeSet<ExecutionId>,
    /// Executions that persons were asked about and have not decided on.
    pub awaiting: BTreeSet<ExecutionId>,
    /// Executions that persons have approved, and that were not started.
    pub approved: BTreeSet<ExecutionId>,
}

impl Summary {
    /// Where a record leaves its execution.
    fn follow(&mut self, header: &RecordHeader) {
        let execution = header.execution;
        match header.event_type {
            EventType::ApprovalRequested => {
                self.awaiting.insert(execution);
            }
            EventType::AuthorizationDecided => {
                let was_asked = self.awaiting.remove(&execution);
                if was_asked && header.outcome == Outcome::Success {
                    self.approved.insert(execution);
                }
            }
            EventType::ExecutionStarted => {
                self.approved.remove(&execution);
                self.unfinished.insert(execution);
            }
            EventType::ExecutionAbandoned => {
                self.approved.remove(&execution);
            }
            EventType::ExecutionCompleted
            | EventType::ExecutionFailed
            | EventType::ExecutionCancelled
            | EventType::ExecutionResolved => {
                self.awaiting.remove(&execution);
                self.approved.remove(&execution);
                self.unfinished.remove(&execution);
            }
            _ => {}
        }
    }
}

impl ReadOnly {
    /// Counts what there is. Reads all of the journal.
    ///
    /// # Errors
    /// The medium does not answer.
    pub fn summary(&self) -> Result<Summary, ReadError> {
        let mut summary = Summary::default();
        let mut closes = Closes::default();
        for frame in self.frames(Seq::FIRST) {
            match frame {
                Ok(frame) => {
                    summary.frames += 1;
                    *summary.epochs.entry(frame.epoch).or_default() += u64::from(frame.count);
                    let after = closes
                        .next(&EpochStretch::of(&frame))
                        .map(|after| after.found);
                    summary.after_close = summary.after_close.or(after);
                }
                Err(ReadError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for record in self.range(Seq::FIRST) {
            let header = match record {
                Ok(record) => record.header,
                Err(ReadError::Damaged { .. }) => {
                    summary.unreadable += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            summary.records += 1;
            let unknown = header.bars_writing().then_some(header.seq);
            summary.unknown_event = summary.unknown_event.or(unknown);
            *summary.events.entry(header.event_type).or_default() += 1;
            for store in header.stores.stores() {
                *summary.stores.entry(store).or_default() += 1;
            }
            let times = summary.times_ns.as_ref();
            let first_ns = times.map_or(header.time_ns, |times| *times.start());
            summary.times_ns = Some(first_ns..=header.time_ns);
            summary.follow(&header);
        }
        Ok(summary)
    }
}
