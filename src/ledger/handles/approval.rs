// SPDX-License-Identifier: Apache-2.0
//! Executions that persons are asked about, by the execution log's handle (EU AI Act, Art. 14).

use super::execution_log::ExecutionLog;
use super::running::{Answer, Started};
use super::to_caller::misfit;
use crate::commands::{
    Approval, ApprovalAsked, ApprovalOutcome, ApprovalRefusal, ApprovalRequest, Approve, Basis,
    Command, ConfirmApproval, Context, Receipt, RefuseApproval, StartApproved,
};
use crate::error::AppendError;
use crate::events::ExecutionId;

impl ExecutionLog {
    /// Records that an execution may begin if persons approve it. It waits for them, also over restarts, until its time
    /// is over by the ledger's clock: then it is denied, on the record. Nobody holds it, and nothing may be done yet.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`]: `Invalid` where its time is past, `PermitStale` where what it rests on has moved,
    /// `CapabilityNotEnabled`, `Busy` where as many wait as may (`Limits::awaiting_max`).
    pub async fn request_approval(
        &self,
        request: ApprovalRequest,
    ) -> Result<ApprovalAsked, AppendError> {
        let answered = self.0.ask(Command::RequestApproval(request)).await?;
        match self.0.answer(answered)? {
            Answer::Asked(asked) => Ok(asked),
            other => Err(misfit(other.receipt())),
        }
    }

    /// Records that a person approves. The last that is needed makes the decision, on what is in force now; it starts
    /// nothing. Needs the right [`Rights::approve`](crate::Rights::approve).
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`]; of an approval alone [`ApprovalError`](crate::error::ApprovalError), which says what to do;
    /// `CapabilityNotEnabled`; `UnknownExecution`, and `InvalidTransition` where it does not wait any more.
    pub async fn approve(
        &self,
        execution: ExecutionId,
        context: Context,
        approval: Approval,
    ) -> Result<ApprovalOutcome, AppendError> {
        let command = Approve {
            context,
            execution,
            approval,
        };
        let answered = self.0.ask(Command::Approve(command)).await?;
        match self.0.answer(answered)? {
            Answer::Approval(outcome) => Ok(outcome),
            other => Err(misfit(other.receipt())),
        }
    }

    /// Records that a person refuses: the execution is denied. Needs the right
    /// [`Rights::approve`](crate::Rights::approve).
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// As [`ExecutionLog::approve`]; it does not matter to a refusal what has moved meanwhile.
    pub async fn refuse_approval(
        &self,
        execution: ExecutionId,
        context: Context,
        refusal: ApprovalRefusal,
    ) -> Result<Receipt, AppendError> {
        let command = RefuseApproval {
            context,
            execution,
            refusal,
        };
        self.0.receipt(Command::RefuseApproval(command)).await
    }

    /// Rests a request on what is in force now, where that has moved since persons were asked; by the component that
    /// asked. What they approved before is void: they must approve again.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// As [`ExecutionLog::request_approval`], and as [`ExecutionLog::approve`] where it is too late.
    pub async fn confirm_approval(
        &self,
        execution: ExecutionId,
        context: Context,
        basis: Basis,
        reason: impl Into<String>,
    ) -> Result<Receipt, AppendError> {
        let command = ConfirmApproval {
            context,
            execution,
            basis,
            reason: reason.into(),
        };
        self.0.receipt(Command::ConfirmApproval(command)).await
    }

    /// Starts an execution that persons approved, by the component that asked: durable before its effect. Only
    /// [`Started::Running`] is leave to act.
    ///
    /// Cancelled before the command is on its way, it leaves nothing: the execution can still be started. After that the
    /// start is recorded, and the execution is in doubt.
    ///
    /// # Errors
    /// As [`ExecutionLog::approve`]; `Busy` where too many executions run.
    pub async fn start_approved(
        &self,
        execution: ExecutionId,
        context: Context,
    ) -> Result<Started, AppendError> {
        let command = StartApproved { context, execution };
        let answered = self.0.ask(Command::StartApproved(command)).await?;
        match self.0.answer(answered)? {
            Answer::Running(running) => Ok(Started::Running(running)),
            Answer::Duplicate(duplicate) => Ok(Started::Duplicate(duplicate)),
            other => Err(misfit(other.receipt())),
        }
    }
}
