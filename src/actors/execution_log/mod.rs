// SPDX-License-Identifier: Apache-2.0
//! The execution log: decides what may be recorded of an execution, and in which order.
//!
//! Holds open executions only. What is finished stays in a window until the view that answers for
//! history has caught up, and leaves memory then.

use super::draft::{Decided, Draft, Reply, execution_stream};
use super::event_sourced::{
    EventPlace, EventSourced, KnownExecution, ReplayError, Surroundings, cross_store,
};
use crate::commands::{Basis, Command, Context, Held, Permit, Standing};
use crate::error::AppendError;
use crate::events::{
    Decision, Event, ExecutionAbandonedV1, ExecutionId, ExecutionInDoubtV1, LeftCause, Outcome,
    State as Machine, Store,
};

mod approval;
mod asked;
mod drafting;
mod finishing;
mod requests;
mod state;
mod status;
mod truncation;
mod waiting;
mod window;

pub(crate) use state::{BeforeGroup, ExecutionLogState, ExecutionsPortrait, Open};
pub(crate) use status::Status;

impl EventSourced for ExecutionLogState {
    type Saved = BeforeGroup;

    fn decide(&self, command: &Command, around: &Surroundings<'_>) -> Result<Decided, AppendError> {
        let (command, whole) = command.parts();
        match command {
            Command::Authorize(request) => self.authorize(request, whole, false, around),
            Command::Begin(request) => self.authorize(request, whole, true, around),
            Command::Start(start) => self.start(start, around),
            Command::Reject(rejection) => self.reject(rejection, whole, around),
            Command::Finish(finish) => self.finish(finish, whole, around),
            Command::Resolve(resolve) => self.resolve(resolve, whole, around),
            Command::Import(imported) => self.import(imported, whole, around),
            Command::RequestApproval(request) => self.request_approval(request, whole, around),
            Command::Approve(approve) => self.approve(approve, around),
            Command::RefuseApproval(refuse) => self.refuse_approval(refuse, around),
            Command::ConfirmApproval(confirm) => self.confirm_approval(confirm, around),
            Command::StartApproved(start) => self.start_approved(start, around),
            other => Err(cross_store(Store::ExecutionLog, other)),
        }
    }

    fn on(&mut self, place: &EventPlace, event: &Event) -> Result<(), ReplayError> {
        self.advance(place, event)
    }

    fn save(&self, commands: &[Command]) -> BeforeGroup {
        self.save_open(commands.iter().filter_map(Command::execution))
    }

    fn undo(&mut self, saved: BeforeGroup, applied: &[Decided]) {
        let drafts = applied.iter().flat_map(|decided| &decided.drafts);
        self.restore(saved, drafts.map(|draft| draft.execution));
    }

    /// A start must be durable before its effect, so its finish belongs to a later commit. So must be what persons are
    /// asked, before they answer.
    fn may_join(&self, before: &[Decided], next: &Decided) -> Result<(), AppendError> {
        let answers = |draft: &Draft| {
            let answer = matches!(
                draft.event,
                Event::ApprovalGiven(_) | Event::ApprovalRefused(_)
            );
            answer && asks(before, draft.execution)
        };
        if next.drafts.iter().any(answers) {
            return Err(crate::commands::check::invalid(
                "commands",
                "ask persons and hand in their answer: that takes two commits",
            ));
        }
        // Those of an import are of an execution that nothing before it can have started.
        let ends = |draft: &&Draft| draft.event.event_type().is_some_and(state::finishes);
        let finished = next.drafts.iter().filter(ends);
        for finish in finished {
            let started = before
                .iter()
                .flat_map(|decided| &decided.drafts)
                .any(|draft| {
                    draft.execution == finish.execution
                        && matches!(draft.event, Event::ExecutionStarted(_))
                });
            if started {
                return Err(crate::commands::check::invalid(
                    "commands",
                    "start and finish one execution: that takes two commits, or an import",
                ));
            }
        }
        Ok(())
    }
}

/// Whether persons are asked about this execution in these commands, or asked again on another basis.
fn asks(before: &[Decided], execution: ExecutionId) -> bool {
    let mut drafts = before.iter().flat_map(|decided| &decided.drafts);
    drafts.any(|draft| {
        let asks = matches!(
            draft.event,
            Event::ApprovalRequested(_) | Event::ApprovalConfirmed(_)
        );
        asks && draft.execution == execution
    })
}

impl ExecutionLogState {
    /// What memory and history know of an execution.
    fn known(
        &self,
        execution: ExecutionId,
        around: &Surroundings<'_>,
    ) -> Result<Option<KnownExecution>, AppendError> {
        match self.remembered(execution) {
            Some(known) => Ok(Some(known)),
            None => Ok(around.history.execution(execution)?),
        }
    }

    /// The open execution, or why the step to `to` is refused.
    fn open_or(
        &self,
        execution: ExecutionId,
        to: Machine,
        around: &Surroundings<'_>,
    ) -> Result<&Open, AppendError> {
        if let Some(open) = self.open(execution) {
            return Ok(open);
        }
        match self.known(execution, around)? {
            None => Err(AppendError::UnknownExecution { execution }),
            Some(known) => Err(known.status.refuses(to)),
        }
    }

    /// What a decision or a start that had been committed before is answered with: where its execution stands now, and the
    /// permit again where it is authorized and not started. Two permits start one execution once.
    pub(crate) fn repeated(
        &self,
        execution: ExecutionId,
        decision: Decision,
        around: &Surroundings<'_>,
    ) -> Result<Reply, AppendError> {
        Ok(Reply::Repeated {
            execution,
            decision,
            standing: self.stands(execution, around)?,
            permit: self.reissue(execution, around),
        })
    }

    /// Where an execution stands now, for whoever sent a command about it once more.
    pub(crate) fn stands(
        &self,
        execution: ExecutionId,
        around: &Surroundings<'_>,
    ) -> Result<Standing, AppendError> {
        let known = self.known(execution, around)?;
        let known = known.ok_or(AppendError::UnknownExecution { execution })?;
        Ok(known.status.standing())
    }

    fn reissue(&self, execution: ExecutionId, around: &Surroundings<'_>) -> Option<Permit> {
        let open = self.open(execution)?;
        (open.status == Status::Authorized).then(|| Permit {
            execution,
            capability: open.capability.to_string(),
            arguments_digest: open.arguments_digest,
            basis: Basis {
                ledger: around.ledger,
                grounds: open.basis.clone(),
            },
            ledger: around.ledger,
            epoch: around.epoch,
            hold: None,
        })
    }

    /// What is written where its holder lets go of an execution: nothing where it has moved on meanwhile.
    pub(crate) fn let_go(&self, execution: ExecutionId, held: Held) -> Option<Draft> {
        let open = self.open(execution)?;
        let cause = LeftCause::Dropped.code();
        let draft = match (held, open.status) {
            (Held::Running, Status::Running) => {
                Draft::new(ExecutionInDoubtV1 { cause }).outcome(Outcome::Unknown)
            }
            (Held::Permit, Status::Authorized) => {
                Draft::new(ExecutionAbandonedV1 { cause }).outcome(Outcome::Cancelled)
            }
            _ => return None,
        };
        let context = drafting::inherited(&Context::new(), open);
        Some(
            draft
                .context(&context)
                .execution(execution)
                .stream(execution_stream(execution), open.version + 1),
        )
    }
}

#[cfg(test)]
mod tests;
