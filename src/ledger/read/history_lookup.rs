// SPDX-License-Identifier: Apache-2.0
//! The past beyond the actors' windows: looked up in views, and every hit confirmed by reading its
//! record, so that no decision rests on a view alone.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::actors::{CommandClaim, Gist, History, KnownExecution, Past, Sequenced, Status};
use crate::error::ReadError;
use crate::events::{
    CommandId, ComponentId, Decision, Event, ExecutionId, Record, RecordHeader, Seq, flags,
};
use crate::journal::Reader;
use crate::projections::{self, ConfigurationView, ExecutionStatus, ExecutionsView, IndexesView};

use super::views::{ViewSet, unviewable};

/// Views and journal, as the stores see them.
pub(crate) struct ViewPast {
    pub(crate) reader: Reader,
    pub(crate) executions: ExecutionsView,
    pub(crate) indexes: IndexesView,
    pub(crate) configuration: ConfigurationView,
    /// The actors' windows hold everything behind this record; only rises.
    pub(crate) windows_from: AtomicU64,
}

/// The event of a record, or which record does not decode.
pub(crate) fn decoded(record: &Record) -> Result<Event, ReadError> {
    let seq = record.header.seq;
    record
        .event()
        .map_err(|problem| ReadError::Undecodable { seq, problem })
}

impl ViewPast {
    /// Views and journal of an opening that found `head`; the windows are empty.
    pub(crate) fn new(reader: Reader, set: &ViewSet, head: u64) -> Self {
        Self {
            reader,
            executions: set.executions.clone(),
            indexes: set.indexes.clone(),
            configuration: set.configuration.clone(),
            windows_from: AtomicU64::new(head),
        }
    }

    /// A view that is still being made knows nothing; as long as nothing has left the windows,
    /// there is nothing that they do not know.
    fn or_windows<T>(&self, found: Result<Option<T>, ReadError>) -> Result<Option<T>, ReadError> {
        match found {
            Err(ReadError::Recovering { .. }) if self.windows_from.load(Ordering::Acquire) == 0 => {
                Ok(None)
            }
            found => found,
        }
    }

    /// The record at `seq`, which a view claims to be there.
    fn confirm(&self, seq: u64) -> Result<Record, ReadError> {
        let place = Seq::new(seq).unwrap_or(Seq::FIRST);
        let missing = || ReadError::Damaged {
            seq: place,
            problem: "it is not there".into(),
        };
        self.reader
            .get(place)
            .map_err(ReadError::from)?
            .ok_or_else(missing)
    }
}

impl History for ViewPast {
    fn execution(&self, execution: ExecutionId) -> Result<Option<KnownExecution>, ReadError> {
        let found = self.executions.get(execution).map_err(unviewable);
        let Some(entry) = self.or_windows(found)? else {
            return Ok(None);
        };
        let record = self.confirm(entry.last_seq)?;
        if record.header.execution != execution {
            let problem = "the executions view names it for another execution".to_owned();
            return Err(ReadError::Damaged {
                seq: record.header.seq,
                problem,
            });
        }
        let status = status(entry.status, entry.resolution);
        Ok(Some(KnownExecution {
            status,
            version: record.header.stream_version,
        }))
    }

    fn head(&self) -> u64 {
        self.reader.head().count()
    }

    fn configuration(&self, document: &str, version: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let found = self
            .configuration
            .version(document, version)
            .map_err(unviewable)?;
        Ok(found.map(|found| found.content))
    }
}

const fn status(status: ExecutionStatus, resolution: u8) -> Status {
    match status {
        ExecutionStatus::Received | ExecutionStatus::Rejected => Status::Rejected,
        ExecutionStatus::AwaitingApproval => Status::Awaiting,
        ExecutionStatus::Approved => Status::Approved,
        ExecutionStatus::Authorized => Status::Authorized,
        ExecutionStatus::Running => Status::Running,
        ExecutionStatus::InDoubt => Status::InDoubt,
        ExecutionStatus::Abandoned => Status::Abandoned,
        ExecutionStatus::Completed => Status::Completed,
        ExecutionStatus::Failed => Status::Failed,
        ExecutionStatus::Cancelled => Status::Cancelled,
        ExecutionStatus::Denied => Status::Denied,
        ExecutionStatus::Resolved => match resolution {
            1 => Status::Completed,
            2 => Status::Failed,
            3 => Status::Cancelled,
            _ => Status::Lost,
        },
    }
}

impl Past for ViewPast {
    fn command(&self, key: (ComponentId, CommandId)) -> Result<Option<CommandClaim>, ReadError> {
        let found = self.indexes.command(key.0, key.1).map_err(unviewable);
        let Some(place) = self.or_windows(found.map(|answer| answer.found))? else {
            return Ok(None);
        };
        let mut found: Option<Commanded> = None;
        for seq in place.first_seq..=place.last_seq {
            let record = self.confirm(seq)?;
            if (record.header.component, record.header.command) != key {
                let problem = "the command index names it for another command".to_owned();
                return Err(ReadError::Damaged {
                    seq: record.header.seq,
                    problem,
                });
            }
            let event = decoded(&record)?;
            match &mut found {
                None => found = Some(Commanded::new(&record.header, &event)),
                Some(found) => found.join(&record.header, &event),
            }
        }
        Ok(found.map(Commanded::into_claim))
    }

    fn forgotten(&self, position: u64) {
        self.windows_from.fetch_max(position, Ordering::AcqRel);
    }

    fn windows_from(&self) -> u64 {
        self.windows_from.load(Ordering::Acquire)
    }

    fn position(&self) -> u64 {
        self.executions
            .view()
            .position()
            .min(self.indexes.view().position())
    }

    fn positions(&self) -> [watch::Receiver<u64>; 2] {
        [self.executions.view().watch(), self.indexes.view().watch()]
    }

    fn halted(&self) -> bool {
        let halted = |view: &projections::View| view.status().halted.is_some();
        halted(self.executions.view()) || halted(self.indexes.view())
    }

    fn rebuilding(&self) -> bool {
        let building = |view: &projections::View| view.status().building.is_some();
        building(self.executions.view()) || building(self.indexes.view())
    }
}

/// What a command's records tell of it, read in order.
pub(crate) struct Commanded {
    pub(crate) key: (ComponentId, CommandId),
    digest: crate::events::Hash,
    gist: Gist,
    sequenced: Sequenced,
}

impl Commanded {
    pub(crate) fn new(header: &RecordHeader, event: &Event) -> Self {
        let sequenced = Sequenced {
            first: header.seq,
            last: header.seq,
            time_ns: header.time_ns,
        };
        let mut commanded = Self {
            key: (header.component, header.command),
            digest: header.command_digest,
            gist: Gist::Receipt,
            sequenced,
        };
        commanded.join(header, event);
        commanded
    }

    /// The next record of the same command in the same commit.
    pub(crate) fn join(&mut self, header: &RecordHeader, event: &Event) {
        self.sequenced.last = header.seq;
        let execution = header.execution;
        self.gist = match (self.gist, event) {
            (_, Event::AuthorizationDecided(_)) if header.has(flags::AFTER_THE_FACT) => {
                Gist::Execution(execution)
            }
            // What persons said, and not whoever sent it, led to this one.
            (_, Event::AuthorizationDecided(decided)) if decided.approval.is_some() => {
                Gist::Execution(execution)
            }
            (_, Event::AuthorizationDecided(decided)) => {
                let decision = Decision::from_code(decided.decision);
                let decision = decision.unwrap_or(Decision::DeniedPolicyViolation);
                Gist::Decided {
                    execution,
                    decision,
                    started: false,
                }
            }
            (
                Gist::Decided {
                    execution,
                    decision,
                    ..
                },
                Event::ExecutionStarted(_),
            ) => Gist::Decided {
                execution,
                decision,
                started: true,
            },
            (
                Gist::Receipt,
                Event::ExecutionStarted(_)
                | Event::ExecutionCompleted(_)
                | Event::ExecutionFailed(_)
                | Event::ExecutionCancelled(_)
                | Event::ExecutionResolved(_)
                | Event::ProtocolValidated(_)
                | Event::ApprovalRequested(_)
                | Event::ApprovalGiven(_)
                | Event::ApprovalRefused(_)
                | Event::ApprovalConfirmed(_),
            ) => Gist::Execution(execution),
            (_, Event::ConfigurationChanged(changed)) => Gist::Changed {
                version: changed.version,
            },
            (gist, _) => gist,
        };
    }

    pub(crate) fn into_claim(self) -> CommandClaim {
        CommandClaim::known(self.digest, self.gist, self.sequenced)
    }
}

#[cfg(test)]
mod tests;
