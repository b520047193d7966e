// SPDX-License-Identifier: Apache-2.0
//! What the five states share: a command and what is in force go in, drafts of events come out.
//! A state never waits, reads no clock and makes no randomness; applying and replaying are one
//! function, so recovery is the normal path.

use smallvec::SmallVec;

use super::decided_in_force::DecidedInForce;
use super::draft::{Decided, Draft};
use super::prepared::Prepared;
use crate::clock::{BelievedClock, Entropy};
use crate::commands::Command;
use crate::config::Limits;
use crate::error::{AppendError, Cause, ReadError};
use crate::events::{
    ComponentId, Event, ExecutionId, LedgerId, ParentId, RecordHeader, Seq, Store, StreamId,
    SubjectId, TraceId,
};

/// What history says of an execution that left memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct KnownExecution {
    pub(crate) status: super::execution_log::Status,
    pub(crate) version: u64,
}

/// What has left memory. A hit is confirmed against its record by whoever implements this; a miss
/// counts because a state keeps what it finished until the view behind this has caught up
/// (`forget_through`).
pub(crate) trait History {
    fn execution(&self, execution: ExecutionId) -> Result<Option<KnownExecution>, ReadError>;
    /// The last durable record.
    fn head(&self) -> u64;
    /// Content of a document's version; `None` where the view does not have it yet.
    fn configuration(&self, document: &str, version: u64) -> Result<Option<Vec<u8>>, ReadError>;
}

/// The ledger's time: that of its newest record, or the clock's where that is later and believed.
pub(crate) trait LedgerTime {
    fn ledger_ns(&self) -> i64;
}

impl LedgerTime for BelievedClock {
    fn ledger_ns(&self) -> i64 {
        Self::ledger_ns(self)
    }
}

/// All that a decision rests on beside the state itself.
pub(crate) struct Surroundings<'a> {
    pub(crate) ledger: LedgerId,
    pub(crate) epoch: u64,
    /// Who asks.
    pub(crate) component: ComponentId,
    /// Whether it may finish what others started.
    pub(crate) finishes_others: bool,
    /// Whether it may resolve what others started.
    pub(crate) resolves_others: bool,
    pub(crate) now_ns: i64,
    /// Asked by what waits for persons, and by nothing else.
    pub(crate) time: &'a dyn LedgerTime,
    pub(crate) limits: &'a Limits,
    pub(crate) in_force: &'a DecidedInForce,
    pub(crate) entropy: &'a dyn Entropy,
    pub(crate) history: &'a dyn History,
    /// What was found out about the commands' contents before.
    pub(crate) prepared: &'a Prepared,
}

/// History contradicts itself or what was decided: the ledger must not go on from here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReplayError {
    #[error("record {}: {what} does not match its digest", place(*.seq))]
    Corrupt { seq: Option<Seq>, what: String },
    #[error("record {}: {what}", place(*.seq))]
    Inconsistent { seq: Option<Seq>, what: String },
}

fn place(seq: Option<Seq>) -> String {
    seq.map_or_else(|| "not yet written".to_owned(), |seq| seq.to_string())
}

/// Where an event stands: what applying and replaying have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventPlace {
    /// `None` on the way to the sequencer.
    pub(crate) seq: Option<Seq>,
    /// 0 on the way to the sequencer.
    pub(crate) time_ns: i64,
    pub(crate) stream: StreamId,
    pub(crate) stream_version: u64,
    pub(crate) execution: ExecutionId,
    pub(crate) parent: ParentId,
    pub(crate) trace: TraceId,
    pub(crate) subject: SubjectId,
    /// Who caused it.
    pub(crate) component: ComponentId,
}

impl EventPlace {
    pub(crate) fn inconsistent(&self, what: impl Into<String>) -> ReplayError {
        ReplayError::Inconsistent {
            seq: self.seq,
            what: what.into(),
        }
    }

    pub(crate) fn corrupt(&self, what: impl Into<String>) -> ReplayError {
        ReplayError::Corrupt {
            seq: self.seq,
            what: what.into(),
        }
    }
}

/// A command of a group was refused; the state is as it was before the group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RefusedCommand {
    /// Which command of the group, from 0.
    pub(crate) index: usize,
    pub(crate) error: AppendError,
}

/// An event-sourced state of one store.
pub(crate) trait EventSourced {
    /// What [`EventSourced::undo`] needs to take a group back.
    type Saved;

    /// Decides one command that passed [`Command::validate`] (done in the caller's own task: it
    /// reads every byte, and this one works for all callers). Pure.
    fn decide(&self, command: &Command, around: &Surroundings<'_>) -> Result<Decided, AppendError>;

    /// The one way a state changes.
    fn on(&mut self, place: &EventPlace, event: &Event) -> Result<(), ReplayError>;

    fn save(&self, commands: &[Command]) -> Self::Saved;
    fn undo(&mut self, saved: Self::Saved, applied: &[Decided]);

    /// Whether `next` may join a commit that holds `before`.
    fn may_join(&self, _before: &[Decided], _next: &Decided) -> Result<(), AppendError> {
        Ok(())
    }

    fn apply(&mut self, draft: &Draft, component: ComponentId) -> Result<(), ReplayError> {
        let place = EventPlace {
            seq: None,
            time_ns: 0,
            stream: draft.stream,
            stream_version: draft.stream_version,
            execution: draft.execution,
            parent: draft.parent,
            trace: draft.trace,
            subject: draft.subject,
            component,
        };
        self.on(&place, &draft.event)
    }

    fn replay(&mut self, header: &RecordHeader, event: &Event) -> Result<(), ReplayError> {
        let place = EventPlace {
            seq: Some(header.seq),
            time_ns: header.time_ns,
            stream: header.stream,
            stream_version: header.stream_version,
            execution: header.execution,
            parent: header.parent,
            trace: header.trace,
            subject: header.subject,
            component: header.component,
        };
        self.on(&place, event)
    }

    /// Decides and applies a group as one: all of it, or the state stays as it was. The drafts of
    /// what is returned are applied already.
    fn execute(
        &mut self,
        commands: &[Command],
        around: &Surroundings<'_>,
    ) -> Result<SmallVec<[Decided; 1]>, RefusedCommand> {
        // A single command is decided before anything is applied: nothing to take back.
        let saved = (commands.len() > 1).then(|| self.save(commands));
        let mut applied: SmallVec<[Decided; 1]> = SmallVec::new();
        let (mut bytes, mut records) = (0_usize, 0_usize);
        for (index, command) in commands.iter().enumerate() {
            debug_assert_eq!(command.validate(around.limits), Ok(()), "not validated");
            let step = self.decide(command, around).and_then(|next| {
                if saved.is_some() {
                    bytes = bytes.saturating_add(encoded_len(&next.drafts));
                    records += next.drafts.len();
                    within_commit(records, bytes, around.limits)?;
                    self.may_join(&applied, &next)?;
                }
                Ok(next)
            });
            let outcome = step.and_then(|next| {
                let drafts = next
                    .drafts
                    .iter()
                    .try_for_each(|draft| self.apply(draft, around.component));
                applied.push(next);
                // A decision that its own state does not take is a defect, never a refusal to
                // be tried again; the state is left behind by sealing the ledger.
                drafts.map_err(|error| AppendError::Sealed {
                    cause: Cause::of(error),
                })
            });
            if let Err(error) = outcome {
                if let Some(saved) = saved {
                    self.undo(saved, &applied);
                }
                return Err(RefusedCommand { index, error });
            }
        }
        Ok(applied)
    }
}

/// Records of a group are encoded once more to be counted; groups are rare.
fn encoded_len(drafts: &[Draft]) -> usize {
    let mut buffer = Vec::new();
    for draft in drafts {
        draft.event.encode_into(&mut buffer);
    }
    buffer.len() + drafts.len() * crate::commands::RECORD_OVERHEAD_BYTES
}

fn within_commit(records: usize, bytes: usize, limits: &Limits) -> Result<(), AppendError> {
    if bytes > limits.commit_bytes_max {
        return Err(AppendError::CommitTooLarge {
            records: records as u64,
            records_max: limits.commit_records_max as u64,
            bytes: bytes as u64,
            bytes_max: limits.commit_bytes_max as u64,
        });
    }
    Ok(())
}

/// A command came to a state of another store.
pub(crate) fn cross_store(first: Store, command: &Command) -> AppendError {
    AppendError::CrossStore {
        first,
        other: command.store(),
    }
}

/// `expected_version` of any stream.
pub(crate) fn expect_version(expected: Option<u64>, actual: u64) -> Result<(), AppendError> {
    match expected {
        Some(expected) if expected != actual => {
            Err(AppendError::VersionConflict { expected, actual })
        }
        _ => Ok(()),
    }
}
