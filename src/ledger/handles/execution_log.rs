// SPDX-License-Identifier: Apache-2.0
//! The execution log's handle (FC-STORAGE §5).

use super::entries::{STANDING, shown};
use super::executions::ExecutionQuery;
use super::handle::Handle;
use super::running::{Answer, Begun, Started};
use super::to_caller::{execution_of, misfit};
use crate::actors::Refusal;
use crate::commands::{
    Authorization, Command, Context, Ending, Failure, Finish, Imported, Permit, Receipt, Recorded,
    Rejection, Request, Resolve, ResolveInDoubt, Start, StartError,
};
use crate::error::{AppendError, ReadError};
use crate::events::ExecutionId;
use crate::ledger::read::views::ViewSet;
use crate::projections::{
    ExecutionEntry, ExecutionFilter, ExecutionOrder, ExecutionStatus, StatusCount,
};

/// The execution log (FC-STORAGE §5).
///
/// Every read holds what this ledger acknowledged before the call, by whichever handle; it waits for
/// its view, at most for a minute, without blocking a thread.
#[derive(Clone)]
pub struct ExecutionLog(pub(in crate::ledger) Handle);

impl ExecutionLog {
    /// Records a decision. An authorized one is answered with the permit to start.
    ///
    /// Cancelled before the command is on its way, it leaves nothing. After that the decision is recorded, and the execution that
    /// it authorized is abandoned: nobody holds its permit.
    ///
    /// # Errors
    /// [`AppendError`]; of an authorization alone `PermitStale` where what it rested on has moved,
    /// `CapabilityNotEnabled`. A denial is recorded with what it was based on.
    pub async fn authorize(&self, request: Request) -> Result<Authorization, AppendError> {
        let answered = self.0.ask(Command::Authorize(request)).await?;
        match self.0.answer(answered)? {
            Answer::Authorized { permit, receipt } => {
                Ok(Authorization::Authorized { permit, receipt })
            }
            Answer::Denied(denied) => Ok(Authorization::Denied(denied)),
            Answer::Duplicate(duplicate) => Ok(Authorization::Duplicate(duplicate)),
            other => Err(misfit(other.receipt())),
        }
    }

    /// Records a decision and, where it authorizes, the start, in one commit: only [`Begun::Started`] says that the
    /// effect may happen.
    ///
    /// Cancelled before the command is on its way, it leaves nothing. After that decision and start are recorded, and the
    /// execution is in doubt: nobody holds it. Sent again with the same command id it is answered with [`Begun::Duplicate`],
    /// also after a restart.
    ///
    /// # Errors
    /// As [`ExecutionLog::authorize`]; `Busy` where too many executions run.
    pub async fn begin(&self, request: Request) -> Result<Begun, AppendError> {
        let answered = self.0.ask(Command::Begin(request)).await?;
        match self.0.answer(answered)? {
            Answer::Running(running) => Ok(Begun::Started(running)),
            Answer::Denied(denied) => Ok(Begun::Denied(denied)),
            Answer::Duplicate(duplicate) => Ok(Begun::Duplicate(duplicate)),
            other => Err(misfit(other.receipt())),
        }
    }

    /// Starts an authorized execution: durable before its effect.
    ///
    /// Cancelled before the command is on its way, it drops the permit, which abandons the execution. After that the start is
    /// recorded, and the execution is in doubt.
    ///
    /// # Errors
    /// [`StartError`] gives the permit back where nothing was written; `PermitStale` where
    /// configuration or registry have moved since.
    pub async fn start(&self, permit: Permit, context: Context) -> Result<Started, StartError> {
        match self
            .0
            .try_ask(Command::Start(Start { context, permit }))
            .await
        {
            Ok(answered) => {
                let outcome = self.0.answer(answered).and_then(|answer| match answer {
                    Answer::Running(running) => Ok(Started::Running(running)),
                    Answer::Duplicate(duplicate) => Ok(Started::Duplicate(duplicate)),
                    other => Err(misfit(other.receipt())),
                });
                outcome.map_err(|error| StartError {
                    error,
                    permit: None,
                })
            }
            Err(Refusal {
                error,
                mut commands,
            }) => {
                let unknown = matches!(error, AppendError::OutcomeUnknown { .. });
                let permit = match commands.pop() {
                    Some(Command::Start(start)) if !unknown => Some(start.permit),
                    _ => None,
                };
                Err(StartError { error, permit })
            }
        }
    }

    /// Records an output that the protocol does not accept.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn reject(&self, rejection: Rejection) -> Result<Recorded, AppendError> {
        let answered = self.0.ask(Command::Reject(rejection)).await?;
        Ok(Recorded {
            execution: execution_of(&answered)?,
            receipt: answered.receipt,
        })
    }

    /// Records that an execution succeeded, by its id; see [`Running::complete`](crate::Running::complete), which whoever
    /// started it has. Never refused for size or load.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// `UnknownExecution`, `InvalidTransition`, `InvalidJson`.
    pub async fn complete(
        &self,
        execution: ExecutionId,
        context: Context,
        result: impl Into<Vec<u8>>,
    ) -> Result<Receipt, AppendError> {
        self.finish(execution, context, Ending::Completed(result.into()))
            .await
    }

    /// Records that an execution failed. Never refused for size or load.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// As [`ExecutionLog::complete`].
    pub async fn fail(
        &self,
        execution: ExecutionId,
        context: Context,
        failure: Failure,
    ) -> Result<Receipt, AppendError> {
        self.finish(execution, context, Ending::Failed(failure))
            .await
    }

    /// Records that an execution was cancelled. Never refused for load.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// As [`ExecutionLog::complete`].
    pub async fn cancel(
        &self,
        execution: ExecutionId,
        context: Context,
        reason: impl Into<String>,
    ) -> Result<Receipt, AppendError> {
        self.finish(execution, context, Ending::Cancelled(reason.into()))
            .await
    }

    async fn finish(
        &self,
        execution: ExecutionId,
        context: Context,
        ending: Ending,
    ) -> Result<Receipt, AppendError> {
        let command = Finish {
            context,
            execution,
            ending,
        };
        self.0.receipt(Command::Finish(command)).await
    }

    /// Says how an execution in doubt ended.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// `InvalidTransition` where it is not in doubt.
    pub async fn resolve(
        &self,
        execution: ExecutionId,
        context: Context,
        resolve: Resolve,
    ) -> Result<Receipt, AppendError> {
        let command = ResolveInDoubt {
            context,
            execution,
            resolve,
        };
        self.0.receipt(Command::Resolve(command)).await
    }

    /// Records a whole execution after the fact: for imports and effect-free capabilities.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// As [`ExecutionLog::authorize`].
    pub async fn record(&self, imported: Imported) -> Result<Recorded, AppendError> {
        let answered = self.0.ask(Command::Import(imported)).await?;
        Ok(Recorded {
            execution: execution_of(&answered)?,
            receipt: answered.receipt,
        })
    }

    /// Executions in doubt, in order of their start: started, and let go of or cut short by a restart; with
    /// everything that is durable at the call. Waits as every read does, and for no other view.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn in_doubt(&self) -> Result<Vec<ExecutionEntry>, ReadError> {
        let head = self.0.inner.head().count();
        let filter = ExecutionFilter {
            statuses: vec![ExecutionStatus::InDoubt],
            ..ExecutionFilter::default()
        };
        let read = move |set: &ViewSet| {
            set.executions
                .find(&filter, ExecutionOrder::Oldest, usize::MAX)
        };
        let read = self.0.read_behind(head, STANDING, read);
        let mut entries = read.await?;
        entries.sort_unstable_by_key(|entry| entry.started_seq);
        entries.iter_mut().for_each(|entry| shown(&self.0, entry));
        Ok(entries)
    }

    /// Finds executions by status, decision, capability, component, subject, parent, party, configuration version and approval,
    /// from either end:
    ///
    /// ```
    /// # use femtoclaw_ledger::{ExecutionLog, ReadError};
    /// # async fn shown(log: &ExecutionLog) -> Result<(), ReadError> {
    /// for denied in log.executions().denied().last(50).await? {
    ///     println!("{} {:?} {}", denied.execution, denied.decision(), denied.capability);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn executions(&self) -> ExecutionQuery {
        ExecutionQuery::new(&self.0)
    }

    /// One execution; with all that was acknowledged before the call.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn get(&self, execution: ExecutionId) -> Result<Option<ExecutionEntry>, ReadError> {
        let read = move |set: &ViewSet| set.executions.get(execution);
        let mut entry = self.0.read(STANDING, read).await?;
        entry.iter_mut().for_each(|entry| shown(&self.0, entry));
        Ok(entry)
    }

    /// How many executions have each status; statuses that none has are left out.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn counts(&self) -> Result<Vec<StatusCount>, ReadError> {
        self.0.read(STANDING, |set| set.executions.counts()).await
    }
}
