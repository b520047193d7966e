//! A component's handles: one per store, made from its grant. What takes time is asynchronous;
//! dropping a call's future drops the wait, not the command.

use std::time::Duration;

use crate::access::Grant;
use crate::actors::{Answered, Refusal, Reply};
use crate::commands::{Changed, Command, Denied, Duplicate, Receipt};
use crate::error::{AccessError, AppendError, ReadError};
use crate::events::{Decision, ExecutionId, Store, StoreMask};

use super::views::ViewSet;
use super::{Ledger, past::unviewable, reads::blocking};

mod audit_log;
mod configuration;
mod execution_log;
mod running;
mod runtime_metadata;
mod telemetry;
mod watch;

pub use audit_log::AuditLog;
pub use configuration::Configuration;
pub use execution_log::ExecutionLog;
pub use running::{Answer, Begun, CommitError, Committed, FinishError, Running, Started};
pub use runtime_metadata::RuntimeMetadata;
pub use telemetry::Telemetry;
pub use watch::Watch;

/// How long a read waits for its view to hold what was acknowledged before.
const OWN_WRITES_MAX: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Handle {
    ledger: Ledger,
    grant: Grant,
}

pub(super) fn handle(ledger: &Ledger, grant: &Grant, store: Store) -> Result<Handle, AccessError> {
    let core = &ledger.0.core;
    let has_some = core.known(&grant.0).and_then(|()| {
        let append = grant.0.may_append(store);
        append.or_else(|error| {
            grant
                .0
                .may_read(StoreMask::NONE.with(store))
                .map_err(|_| error)
        })
    });
    if let Err(error) = &has_some {
        core.shared
            .own
            .refused(grant.name(), error.code(), true, || {
                format!("handle: {error}")
            });
    }
    has_some.map(|()| Handle {
        ledger: ledger.clone(),
        grant: grant.clone(),
    })
}

/// What is read of a store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// Names, states, versions, places and times.
    Standing(Store),
    /// What components wrote.
    Payloads(Store),
}

impl Wanted {
    const fn store(self) -> Store {
        match self {
            Self::Standing(store) | Self::Payloads(store) => store,
        }
    }
}

impl Handle {
    pub(in crate::ledger) fn new(ledger: &Ledger, grant: &Grant) -> Self {
        Self {
            ledger: ledger.clone(),
            grant: grant.clone(),
        }
    }

    fn ask(&self, command: Command) -> impl Future<Output = Result<Answered, AppendError>> + Send {
        let answer = self.try_ask(command);
        async move { answer.await.map_err(|refusal| refusal.error) }
    }

    fn try_ask(&self, command: Command) -> impl Future<Output = Result<Answered, Refusal>> + Send {
        self.ledger.0.core.submit_one(&self.grant, command)
    }

    fn receipt(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<Receipt, AppendError>> + Send {
        let answer = self.ask(command);
        async move { answer.await.map(|answered| answered.receipt) }
    }

    /// An answer, with what it gives into the caller's hands. Where it fits nothing, it lets go.
    fn answer(&self, answered: Answered) -> Result<Answer, AppendError> {
        let Answered {
            receipt,
            reply,
            hold,
        } = answered;
        Ok(match reply {
            Reply::Decided {
                execution,
                decision,
                permit,
                started,
            } => match (permit, started) {
                (Some(mut permit), _) => {
                    permit.hold = hold;
                    Answer::Authorized { permit, receipt }
                }
                (None, true) => {
                    Answer::Running(Running::new(self.clone(), execution, receipt, hold))
                }
                (None, false) if decision != Decision::Authorized => Answer::Denied(Denied {
                    execution,
                    receipt,
                    decision,
                }),
                (None, false) => return Err(misfit(receipt)),
            },
            Reply::Repeated {
                execution,
                decision,
                standing,
                mut permit,
            } => {
                if let Some(permit) = &mut permit {
                    permit.hold = hold;
                }
                Answer::Duplicate(Duplicate {
                    execution,
                    receipt,
                    decision,
                    standing,
                    permit,
                })
            }
            Reply::Execution(execution) => match hold {
                Some(hold) => {
                    Answer::Running(Running::new(self.clone(), execution, receipt, Some(hold)))
                }
                None => Answer::Recorded(receipt),
            },
            Reply::Changed { version } => Answer::Changed(Changed { version, receipt }),
            Reply::Receipt => Answer::Recorded(receipt),
        })
    }

    /// The answers to a group that was one commit.
    pub(in crate::ledger) fn committed(
        &self,
        answers: Result<Vec<Answered>, Refusal>,
    ) -> Result<Option<Committed>, CommitError> {
        let unknown = |error| CommitError {
            error,
            commands: Vec::new(),
        };
        let answers = answers.map_err(|Refusal { error, commands }| match error {
            AppendError::OutcomeUnknown { .. } => unknown(error),
            error => CommitError { error, commands },
        })?;
        let ends = answers.first().zip(answers.last());
        let Some(receipt) = ends.map(|(first, last)| Receipt {
            last: last.receipt.last,
            ..first.receipt
        }) else {
            return Ok(None);
        };
        let answers = answers.into_iter().map(|answered| self.answer(answered));
        let answers = answers.collect::<Result<_, _>>().map_err(unknown)?;
        Ok(Some(Committed { receipt, answers }))
    }

    fn may_read(&self, wanted: Wanted) -> Result<(), AccessError> {
        let core = &self.ledger.0.core;
        match wanted {
            Wanted::Standing(store) => core.may_read(&self.grant.0, StoreMask::NONE.with(store)),
            Wanted::Payloads(store) => core.may_read_payloads(&self.grant.0, store),
        }
    }

    /// Reads a view that holds everything that this ledger acknowledged to the store before the
    /// call, by whichever handle. Waits for it without blocking a thread, at most for
    /// [`OWN_WRITES_MAX`]; a view that is halted or being made again is an error at once.
    async fn read<R: Send + 'static>(
        &self,
        wanted: Wanted,
        read: impl FnOnce(&ViewSet) -> Result<R, crate::projections::ReadError> + Send + 'static,
    ) -> Result<R, ReadError> {
        let durable = &self.ledger.0.core.shared.durable;
        let acknowledged = durable.acknowledged(wanted.store());
        self.read_behind(acknowledged, wanted, read).await
    }

    /// The same, with the view that has read up to the record `seq`.
    async fn read_behind<R: Send + 'static>(
        &self,
        seq: u64,
        wanted: Wanted,
        read: impl FnOnce(&ViewSet) -> Result<R, crate::projections::ReadError> + Send + 'static,
    ) -> Result<R, ReadError> {
        self.may_read(wanted)?;
        let inner = &self.ledger.0;
        let serves = inner.set.serves(wanted.store(), seq, OWN_WRITES_MAX);
        let serves = inner.core.phase.unless_closed(serves).await;
        serves.ok_or(ReadError::Closed)?.map_err(unviewable)?;
        self.read_now(wanted, read).await
    }

    /// The same, with the view as it is.
    async fn read_now<R: Send + 'static>(
        &self,
        wanted: Wanted,
        read: impl FnOnce(&ViewSet) -> Result<R, crate::projections::ReadError> + Send + 'static,
    ) -> Result<R, ReadError> {
        self.may_read(wanted)?;
        let set = self.ledger.0.set.clone();
        let read = blocking(move || read(&set).map_err(unviewable)).await;
        // Taken back while it was read: nothing is given any more.
        self.may_read(wanted)?;
        read
    }
}

/// An answer that does not fit its command would be a defect of ours: nobody can say what it means.
const fn misfit(receipt: Receipt) -> AppendError {
    AppendError::OutcomeUnknown {
        command: receipt.command,
    }
}

fn execution_of(answered: &Answered) -> Result<ExecutionId, AppendError> {
    match answered.reply {
        Reply::Execution(execution) => Ok(execution),
        _ => Err(misfit(answered.receipt)),
    }
}
