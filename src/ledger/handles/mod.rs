//! A component's handles: one per store, made from its grant. What takes time is asynchronous;
//! dropping a call's future drops the wait, not the command.

use std::time::Duration;

use crate::access::Grant;
use crate::actors::{Answered, Refusal, Reply};
use crate::commands::{Command, Receipt};
use crate::error::{AccessError, AppendError, ReadError};
use crate::events::{ExecutionId, Store, StoreMask};

use super::views::ViewSet;
use super::{Ledger, past::unviewable, reads::blocking};

mod audit_log;
mod configuration;
mod execution_log;
mod runtime_metadata;
mod telemetry;
mod watch;

pub use audit_log::AuditLog;
pub use configuration::Configuration;
pub use execution_log::ExecutionLog;
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

impl Handle {
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

    fn may_read(&self, store: Store) -> Result<(), AccessError> {
        let core = &self.ledger.0.core;
        core.may_read(&self.grant.0, StoreMask::NONE.with(store))
    }

    /// Reads a view that holds everything that this ledger acknowledged to the store before the
    /// call, by whichever handle. Waits for it without blocking a thread, at most for
    /// [`OWN_WRITES_MAX`]; a view that is halted or being made again is an error at once.
    async fn read<R: Send + 'static>(
        &self,
        store: Store,
        read: impl FnOnce(&ViewSet) -> Result<R, crate::projections::ReadError> + Send + 'static,
    ) -> Result<R, ReadError> {
        let durable = &self.ledger.0.core.shared.durable;
        let acknowledged = durable.acknowledged(store);
        self.read_behind(acknowledged, store, read).await
    }

    /// The same, with the view that has read up to the record `seq`.
    async fn read_behind<R: Send + 'static>(
        &self,
        seq: u64,
        store: Store,
        read: impl FnOnce(&ViewSet) -> Result<R, crate::projections::ReadError> + Send + 'static,
    ) -> Result<R, ReadError> {
        self.may_read(store)?;
        let inner = &self.ledger.0;
        let serves = inner.set.serves(store, seq, OWN_WRITES_MAX);
        let serves = inner.core.phase.unless_closed(serves).await;
        serves.ok_or(ReadError::Closed)?.map_err(unviewable)?;
        self.read_now(store, read).await
    }

    /// The same, with the view as it is.
    async fn read_now<R: Send + 'static>(
        &self,
        store: Store,
        read: impl FnOnce(&ViewSet) -> Result<R, crate::projections::ReadError> + Send + 'static,
    ) -> Result<R, ReadError> {
        self.may_read(store)?;
        let set = self.ledger.0.set.clone();
        let read = blocking(move || read(&set).map_err(unviewable)).await;
        // Taken back while it was read: nothing is given any more.
        self.may_read(store)?;
        read
    }
}

/// An answer that does not fit its command would be a defect of ours: nobody can say what it means.
fn misfit(answered: &Answered) -> AppendError {
    AppendError::OutcomeUnknown {
        command: answered.receipt.command,
    }
}

fn execution_of(answered: &Answered) -> Result<ExecutionId, AppendError> {
    match answered.reply {
        Reply::Decided { execution, .. } | Reply::Execution(execution) => Ok(execution),
        _ => Err(misfit(answered)),
    }
}
