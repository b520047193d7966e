//! The past beyond the actors' windows: looked up in views, and every hit confirmed by reading its
//! record, so that no decision rests on a view alone.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::actors::{Claim, Gist, History, Known, Past, Sequenced, Status};
use crate::error::ReadError;
use crate::events::{
    CommandId, ComponentId, Decision, Event, ExecutionId, Record, RecordHeader, Seq, flags,
};
use crate::journal::Reader;
use crate::projections::{self, ConfigurationView, ExecutionStatus, ExecutionsView, IndexesView};

/// Views and journal, as the stores see them.
pub(crate) struct ViewPast {
    pub(crate) reader: Reader,
    pub(crate) executions: ExecutionsView,
    pub(crate) indexes: IndexesView,
    pub(crate) configuration: ConfigurationView,
    /// The opening read all of history into the windows, and nothing has left them: they shrink
    /// only behind views that serve. So a new ledger, or one whose views are being made again,
    /// need not wait for them to say *never seen*.
    pub(crate) all_in_windows: AtomicBool,
}

/// The event of a record, or which record does not decode.
pub(crate) fn decoded(record: &Record) -> Result<Event, ReadError> {
    let seq = record.header.seq;
    record
        .event()
        .map_err(|problem| ReadError::Undecodable { seq, problem })
}

pub(crate) fn unviewable(error: projections::ReadError) -> ReadError {
    match error {
        projections::ReadError::Building { done, total } => ReadError::Recovering { done, total },
        projections::ReadError::Closed => ReadError::Closed,
        other => ReadError::Unavailable {
            cause: other.to_string().into(),
        },
    }
}

impl ViewPast {
    /// What a view says; while it cannot answer, *nothing* where the windows hold all there is.
    fn beyond_windows<T>(
        &self,
        answer: Result<Option<T>, projections::ReadError>,
    ) -> Result<Option<T>, ReadError> {
        match answer {
            Err(projections::ReadError::Building { .. })
                if self.all_in_windows.load(Ordering::Acquire) =>
            {
                Ok(None)
            }
            answer => answer.map_err(unviewable),
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
    fn execution(&self, execution: ExecutionId) -> Result<Option<Known>, ReadError> {
        let Some(entry) = self.beyond_windows(self.executions.get(execution))? else {
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
        Ok(Some(Known {
            status,
            version: record.header.stream_version,
        }))
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
    fn command(&self, key: (ComponentId, CommandId)) -> Result<Option<Claim>, ReadError> {
        let place = self.indexes.command(key.0, key.1).map(|(_, place)| place);
        let Some(place) = self.beyond_windows(place)? else {
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

    fn position(&self) -> u64 {
        let executions = self.executions.view().position();
        let position = executions.min(self.indexes.view().position());
        if position > 0 {
            // Whoever learns of a position may forget up to it.
            self.all_in_windows.store(false, Ordering::Release);
        }
        position
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
                | Event::ProtocolValidated(_),
            ) => Gist::Execution(execution),
            (_, Event::ConfigurationChanged(changed)) => Gist::Changed {
                version: changed.version,
            },
            (gist, _) => gist,
        };
    }

    pub(crate) fn into_claim(self) -> Claim {
        Claim::known(self.digest, self.gist, self.sequenced)
    }
}
