// SPDX-License-Identifier: Apache-2.0
//! A running execution in the hands of whoever is to end it.

use super::handle::Handle;
use crate::actors::Refusal;
use crate::commands::check::to_json;
use crate::commands::{
    ApprovalAsked, ApprovalOutcome, Command, Context, Denied, Duplicate, Ending, Failure, Finish,
    Hold, NotStarted, Permit, Receipt,
};
use crate::error::{AppendError, Retry};
use crate::events::{Decision, ExecutionId};

/// An execution whose start is durable: its effect may happen now, once, and is then told by
/// [`complete`](Running::complete), [`fail`](Running::fail) or [`cancel`](Running::cancel).
///
/// Dropped before that, the execution is in doubt at once and on the record (`ExecutionInDoubt`): its slot is free, and a
/// late result comes by [`ExecutionLog::resolve`](crate::ExecutionLog::resolve). It keeps its ledger open.
///
/// Example: [the first page](crate).
#[must_use = "an execution whose handle is dropped is in doubt"]
pub struct Running {
    log: Handle,
    execution: ExecutionId,
    receipt: Receipt,
    /// `None` where nobody could say so any more.
    hold: Option<Hold>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("execution", &self.execution)
            .field("receipt", &self.receipt)
            .finish_non_exhaustive()
    }
}

impl Running {
    pub(super) const fn new(
        log: Handle,
        execution: ExecutionId,
        receipt: Receipt,
        hold: Option<Hold>,
    ) -> Self {
        Self {
            log,
            execution,
            receipt,
            hold,
        }
    }

    /// The execution.
    #[must_use]
    pub const fn execution(&self) -> ExecutionId {
        self.execution
    }

    /// The receipt of its start.
    #[must_use]
    pub const fn receipt(&self) -> Receipt {
        self.receipt
    }

    /// Gives the handle up without leaving the execution in doubt: it goes on running, and is ended by its id
    /// ([`ExecutionLog::complete`](crate::ExecutionLog::complete)), by a caller elsewhere. Who forgets it takes a slot
    /// until the ledger is closed.
    #[must_use = "the id is what ends it now"]
    pub fn detach(self) -> ExecutionId {
        if let Some(hold) = self.hold {
            hold.release();
        }
        self.execution
    }

    /// Records that it succeeded. Never refused for size or load. Cancelled before the command is on its way, it leaves
    /// the execution in doubt; after that, ended.
    ///
    /// # Errors
    /// [`FinishError`] gives the handle back where nothing was written.
    pub async fn complete(
        self,
        context: Context,
        result: impl Into<Vec<u8>>,
    ) -> Result<Receipt, FinishError> {
        self.finish(context, Ending::Completed(result.into())).await
    }

    /// The same, with a result that is written as JSON. Cancelling as with [`Running::complete`].
    ///
    /// # Errors
    /// As [`Running::complete`]; `InvalidJson` where it cannot be written as JSON.
    pub async fn complete_json(
        self,
        context: Context,
        result: &(impl serde::Serialize + ?Sized),
    ) -> Result<Receipt, FinishError> {
        match to_json("result", result) {
            Ok(result) => self.finish(context, Ending::Completed(result)).await,
            Err(error) => Err(FinishError {
                error,
                running: Some(self),
            }),
        }
    }

    /// Records that it failed. Never refused for size or load. Cancelling as with [`Running::complete`].
    ///
    /// # Errors
    /// As [`Running::complete`].
    pub async fn fail(self, context: Context, failure: Failure) -> Result<Receipt, FinishError> {
        self.finish(context, Ending::Failed(failure)).await
    }

    /// Records that it was cancelled. Never refused for load. Cancelling the call as with [`Running::complete`].
    ///
    /// # Errors
    /// As [`Running::complete`].
    pub async fn cancel(
        self,
        context: Context,
        reason: impl Into<String>,
    ) -> Result<Receipt, FinishError> {
        self.finish(context, Ending::Cancelled(reason.into())).await
    }

    async fn finish(self, context: Context, ending: Ending) -> Result<Receipt, FinishError> {
        let command = Command::Finish(Finish {
            context,
            execution: self.execution,
            ending,
        });
        match self.log.try_ask(command).await {
            Ok(answered) => {
                let _ended = self.detach();
                Ok(answered.receipt)
            }
            Err(Refusal { error, .. }) => {
                let unknown = matches!(error, AppendError::OutcomeUnknown { .. });
                let running = (!unknown).then_some(self);
                Err(FinishError { error, running })
            }
        }
    }
}

/// An execution was not ended. The handle comes back where nothing was written.
///
/// Example: [the first page](crate).
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct FinishError {
    /// Why.
    #[source]
    pub error: AppendError,
    /// The handle; `None` where the outcome is unknown.
    pub running: Option<Running>,
}

impl FinishError {
    /// As [`AppendError::code`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.error.code()
    }

    /// As [`AppendError::retry`].
    #[must_use]
    pub const fn retry(&self) -> Retry {
        self.error.retry()
    }
}

/// A group was not committed. Its commands come back where nothing was written.
///
/// Example: [`group`](crate::group).
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct CommitError {
    /// Why.
    #[source]
    pub error: AppendError,
    /// The commands, with their permits, redacted; one that was too large to be kept whole as
    /// [`Command::Cut`], which can be sent again. Empty where the outcome is unknown.
    pub commands: Vec<Command>,
}

impl CommitError {
    /// As [`AppendError::code`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.error.code()
    }

    /// As [`AppendError::retry`].
    #[must_use]
    pub const fn retry(&self) -> Retry {
        self.error.retry()
    }
}

impl From<CommitError> for AppendError {
    fn from(error: CommitError) -> Self {
        error.error
    }
}

impl From<FinishError> for AppendError {
    fn from(error: FinishError) -> Self {
        error.error
    }
}

/// What came of a decision that is to start its execution at once. Only [`Begun::Started`] is leave to act.
///
/// Example: `tests/embedding.rs`.
#[derive(Debug)]
#[must_use = "an execution whose handle is dropped is in doubt"]
pub enum Begun {
    /// Its effect may happen now.
    Started(Running),
    /// Nothing may be done.
    Denied(Denied),
    /// The command had been committed before: somebody may have acted on it.
    Duplicate(Duplicate),
}

impl Begun {
    /// The execution.
    #[must_use]
    pub const fn execution(&self) -> ExecutionId {
        match self {
            Self::Started(running) => running.execution,
            Self::Denied(denied) => denied.execution,
            Self::Duplicate(duplicate) => duplicate.execution,
        }
    }

    /// The receipt.
    #[must_use]
    pub const fn receipt(&self) -> Receipt {
        match self {
            Self::Started(running) => running.receipt,
            Self::Denied(denied) => denied.receipt,
            Self::Duplicate(duplicate) => duplicate.receipt,
        }
    }

    /// The decision.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        match self {
            Self::Started(_) => Decision::Authorized,
            Self::Denied(denied) => denied.decision,
            Self::Duplicate(duplicate) => duplicate.decision,
        }
    }

    /// Whether this call started it.
    #[must_use]
    pub const fn is_started(&self) -> bool {
        matches!(self, Self::Started(_))
    }

    /// The running execution.
    ///
    /// # Errors
    /// [`NotStarted`]: this call started nothing.
    pub fn started(self) -> Result<Running, NotStarted> {
        match self {
            Self::Started(running) => Ok(running),
            Self::Denied(denied) => Err(NotStarted::Denied(denied)),
            Self::Duplicate(duplicate) => Err(NotStarted::Duplicate(duplicate.into())),
        }
    }
}

/// What came of a start. Only [`Started::Running`] is leave to act.
///
/// Example: [`execution_log`](crate::execution_log).
#[derive(Debug)]
#[must_use = "an execution whose handle is dropped is in doubt"]
pub enum Started {
    /// Its effect may happen now.
    Running(Running),
    /// The command had been committed before: somebody may have acted on it.
    Duplicate(Duplicate),
}

impl Started {
    /// The running execution.
    ///
    /// # Errors
    /// [`NotStarted`]: this call started nothing.
    pub fn running(self) -> Result<Running, NotStarted> {
        match self {
            Self::Running(running) => Ok(running),
            Self::Duplicate(duplicate) => Err(NotStarted::Duplicate(duplicate.into())),
        }
    }
}

/// The answer to one command of a group.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "an execution whose handle is dropped is in doubt, one whose permit is dropped is abandoned"]
pub enum Answer {
    /// Its events are durable.
    Recorded(Receipt),
    /// So are those of a document's new version.
    Changed(crate::commands::Changed),
    /// Authorized: it may be started.
    Authorized {
        /// The right to start it.
        permit: Permit,
        /// The receipt.
        receipt: Receipt,
    },
    /// Started: its effect may happen now.
    Running(Running),
    /// Denied: nothing may be done.
    Denied(Denied),
    /// A decision or a start that had been committed before.
    Duplicate(Duplicate),
    /// Persons are asked: nothing may be done yet.
    Asked(ApprovalAsked),
    /// A person's approval.
    Approval(ApprovalOutcome),
}

impl Answer {
    /// The receipt.
    #[must_use]
    pub const fn receipt(&self) -> Receipt {
        match self {
            Self::Recorded(receipt) | Self::Authorized { receipt, .. } => *receipt,
            Self::Changed(changed) => changed.receipt,
            Self::Asked(asked) => asked.receipt,
            Self::Approval(outcome) => outcome.receipt(),
            Self::Running(running) => running.receipt,
            Self::Denied(denied) => denied.receipt,
            Self::Duplicate(duplicate) => duplicate.receipt,
        }
    }
}

/// A group of commands is durable.
///
/// Example: [`group`](crate::group).
#[derive(Debug)]
#[must_use = "an execution whose handle is dropped is in doubt"]
pub struct Committed {
    /// From the first record of the first command to the last of the last.
    pub receipt: Receipt,
    /// One answer a command, in their order.
    pub answers: Vec<Answer>,
}
