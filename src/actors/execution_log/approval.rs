// SPDX-License-Identifier: Apache-2.0
//! Executions that persons are asked about: the request, their answers, the start of what they approved, and what
//! becomes of what nobody answered in time.

use super::super::draft::{Decided, Draft, Reply};
use super::super::event_sourced::Surroundings;
use super::drafting::{Drafting, inherit, inherited};
use super::requests::{
    Moved, TO_DECISION, enabled, in_force, moved, of_the_past, started_event, validated,
};
use super::state::Open;
use super::truncation::KeptBytes;
use super::waiting::WaitingRequest;
use super::{ExecutionLogState, Status};
use crate::commands::check::invalid;
use crate::commands::measure::Whole;
use crate::commands::{
    Approval, ApprovalRequest, Approve, ConfirmApproval, Context, RefuseApproval, StartApproved,
};
use crate::error::{AccessError, AppendError, ApprovalError};
use crate::events::{
    ApprovalConfirmedV1, ApprovalExpiredV1, ApprovalGivenV1, ApprovalNamedV1, ApprovalRefusedV1,
    ApprovalRequestedV1, AuthorizationDecidedV2, Decision, ExecutionAbandonedV1, ExecutionId,
    LeftCause, Outcome, State as Machine,
};
use crate::integrity::digest;

const TO_DENIAL: [Machine; 2] = [Machine::AuthorizationEvaluating, Machine::Error];

/// An execution that persons were asked about: it waits, or they approved it.
struct OpenRequest<'a> {
    execution: ExecutionId,
    open: &'a Open,
    waiting: &'a WaitingRequest,
}

impl ExecutionLogState {
    pub(super) fn request_approval(
        &self,
        request: &ApprovalRequest,
        whole: Whole,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let execution = self.fresh(request.execution, around)?;
        of_the_past(&request.basis, around)?;
        in_force(&request.basis.grounds, around)?;
        enabled(&request.capability, around)?;
        if request.until_ns <= around.time.ledger_ns() {
            return Err(invalid("until_ns", "is past"));
        }
        if self.awaiting() >= around.limits.awaiting_max {
            return Err(AppendError::Busy {
                what: "executions that wait for approval",
                limit: around.limits.awaiting_max as u64,
            });
        }
        let mut drafting = Drafting::new(execution, request.context.clone(), 0);
        if let Some(input) = &request.input {
            validated(&mut drafting, KeptBytes::input(input, whole.input), None);
        }
        let shown_digest = digest(&request.shown);
        let event = ApprovalRequestedV1 {
            capability: request.capability.clone(),
            arguments: request.arguments.clone(),
            arguments_digest: digest(&request.arguments),
            reason: request.reason.clone(),
            policy_version: request.basis.policy_version().to_owned(),
            policy_digest: *request.basis.policy_digest(),
            configuration_version: request.basis.configuration_version(),
            registry_version: request.basis.registry_version(),
            on_behalf_of: request.context.delegation().to_vec(),
            asked: request.asked.0.clone(),
            asked_roles: request.asked_roles.clone(),
            rule: request.rule.clone(),
            approvers_needed: request.approvers_needed,
            until_ns: request.until_ns,
            shown: request.shown.clone(),
            shown_digest,
        };
        drafting.push(event, Outcome::Neutral, 0);
        let reply = Reply::Asked {
            execution,
            shown_digest,
            standing: Status::Awaiting.standing(),
        };
        Ok(drafting.finish(&TO_DECISION, reply))
    }

    pub(super) fn approve(
        &self,
        command: &Approve,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let approval = &command.approval;
        let execution = command.execution;
        let to = Machine::AuthorizationEvaluating;
        let asked = self.asked(execution, to, around)?;
        asked.may_answer(approval, around)?;
        let OpenRequest { open, waiting, .. } = asked;
        if waiting.approvers.contains(&approval.approver.0) {
            return Err(ApprovalError::ApprovedAlready { execution }.into());
        }
        enabled(&open.capability, around)?;
        let (given, needed) = (waiting.given().saturating_add(1), waiting.needed);
        let complete = given >= needed;
        if complete {
            asked.rests_in_force("confirm the request and have it approved again", around)?;
        }
        let mut drafting = asked.drafting(&command.context)?;
        let event = ApprovalGivenV1 {
            approver: approval.approver.0.clone(),
            role: approval.role.clone(),
            authenticated: approval.authenticated.clone(),
            reason: approval.reason.clone(),
            shown_digest: approval.shown_digest,
            given,
            needed,
        };
        drafting.push(event, Outcome::Success, 0);
        if complete {
            let mut approvers = waiting.approvers.clone();
            approvers.push(approval.approver.0.clone());
            let named = waiting.named(approvers, None);
            let decided = asked.decided(Decision::Authorized, "persons approved", named);
            drafting.push(decided, Outcome::Success, 0);
        }
        Ok(drafting.stay(Reply::Given {
            execution,
            given,
            needed,
        }))
    }

    pub(super) fn refuse_approval(
        &self,
        command: &RefuseApproval,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let refusal = &command.refusal.answer;
        let asked = self.asked(command.execution, Machine::Error, around)?;
        asked.may_answer(refusal, around)?;
        let mut drafting = asked.drafting(&command.context)?;
        let event = ApprovalRefusedV1 {
            approver: refusal.approver.0.clone(),
            role: refusal.role.clone(),
            authenticated: refusal.authenticated.clone(),
            reason: refusal.reason.clone(),
            shown_digest: refusal.shown_digest,
        };
        drafting.push(event, Outcome::Denied, 0);
        let waiting = asked.waiting;
        let named = waiting.named(waiting.approvers.clone(), Some(refusal.approver.0.clone()));
        let why = "a person refused";
        let decided = asked.decided(Decision::DeniedPolicyViolation, why, named);
        drafting.push(decided, Outcome::Denied, 0);
        Ok(drafting.finish(&TO_DENIAL, Reply::Execution(command.execution)))
    }

    /// The approvals given before were given on another basis, and are void.
    pub(super) fn confirm_approval(
        &self,
        command: &ConfirmApproval,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let to = Machine::AuthorizationEvaluating;
        let asked = self.asked(command.execution, to, around)?;
        asked.of_its_own(around)?;
        of_the_past(&command.basis, around)?;
        asked.in_time(around)?;
        in_force(&command.basis.grounds, around)?;
        enabled(&asked.open.capability, around)?;
        let mut drafting = asked.drafting(&command.context)?;
        let event = ApprovalConfirmedV1 {
            reason: command.reason.clone(),
            policy_version: command.basis.policy_version().to_owned(),
            policy_digest: *command.basis.policy_digest(),
            configuration_version: command.basis.configuration_version(),
            registry_version: command.basis.registry_version(),
        };
        drafting.push(event, Outcome::Neutral, 0);
        Ok(drafting.stay(Reply::Execution(command.execution)))
    }

    pub(super) fn start_approved(
        &self,
        command: &StartApproved,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let to = Machine::CapabilityExecuting;
        let execution = command.execution;
        let open = self.open_or(execution, to, around)?;
        let asked = match (open.status, open.waiting.as_deref()) {
            (Status::Approved, Some(waiting)) => OpenRequest {
                execution,
                open,
                waiting,
            },
            (status, _) => return Err(status.refuses(to)),
        };
        asked.of_its_own(around)?;
        asked.in_time(around)?;
        enabled(&open.capability, around)?;
        asked.rests_in_force("cancel it and ask anew", around)?;
        self.room(true, around)?;
        let mut drafting = asked.drafting(&command.context)?;
        let started = started_event(&open.capability, open.arguments_digest, &open.basis);
        drafting.push(started, Outcome::Neutral, 0);
        let path = [Machine::AuthorizationEvaluating, to];
        Ok(drafting.finish(&path, Reply::Execution(execution)))
    }

    /// The drafts that end one whose time is over; none for one that has moved on.
    pub(crate) fn expire(&self, execution: ExecutionId) -> Vec<Draft> {
        let Some(open) = self.open(execution) else {
            return Vec::new();
        };
        let Some(waiting) = open.waiting.as_deref() else {
            return Vec::new();
        };
        let asked = OpenRequest {
            execution,
            open,
            waiting,
        };
        let context = inherited(&Context::new(), open);
        let mut drafting = Drafting::new(execution, context, open.version);
        if open.status == Status::Approved {
            let cause = LeftCause::Expired.code();
            drafting.push(ExecutionAbandonedV1 { cause }, Outcome::Cancelled, 0);
            return drafting.drafts;
        }
        let event = ApprovalExpiredV1 {
            given: waiting.given(),
            needed: waiting.needed,
        };
        drafting.push(event, Outcome::Denied, 0);
        let named = waiting.named(waiting.approvers.clone(), None);
        let why = "not enough persons approved in time";
        let decided = asked.decided(Decision::DeniedPolicyViolation, why, named);
        drafting.push(decided, Outcome::Denied, 0);
        drafting.finish(&TO_DENIAL, Reply::Receipt).drafts
    }

    /// What waits for persons, or why the step to `to` is refused.
    fn asked(
        &self,
        execution: ExecutionId,
        to: Machine,
        around: &Surroundings<'_>,
    ) -> Result<OpenRequest<'_>, AppendError> {
        let open = self.open_or(execution, to, around)?;
        match (open.status, open.waiting.as_deref()) {
            (Status::Awaiting, Some(waiting)) => Ok(OpenRequest {
                execution,
                open,
                waiting,
            }),
            (status, _) => Err(status.refuses(to)),
        }
    }
}

impl OpenRequest<'_> {
    fn drafting(&self, context: &Context) -> Result<Drafting, AppendError> {
        let context = inherit(self.execution, context, self.open)?;
        Ok(Drafting::new(self.execution, context, self.open.version))
    }

    /// By the ledger's time, also where its end is not on the record yet.
    fn in_time(&self, around: &Surroundings<'_>) -> Result<(), AppendError> {
        let until_ns = self.waiting.until_ns;
        if around.time.ledger_ns() <= until_ns {
            return Ok(());
        }
        let execution = self.execution;
        Err(ApprovalError::TooLate {
            execution,
            until_ns,
        }
        .into())
    }

    fn may_answer(&self, answer: &Approval, around: &Surroundings<'_>) -> Result<(), AppendError> {
        let execution = self.execution;
        self.in_time(around)?;
        if !self.waiting.asks(&answer.approver.0, &answer.role) {
            return Err(ApprovalError::NotAsked { execution }.into());
        }
        let shown_digest = self.waiting.shown_digest;
        if answer.shown_digest != shown_digest {
            return Err(ApprovalError::ShownOther {
                execution,
                shown_digest,
            }
            .into());
        }
        Ok(())
    }

    /// The component that asked goes on with it, and no other.
    fn of_its_own(&self, around: &Surroundings<'_>) -> Result<(), AppendError> {
        if self.open.component == around.component {
            return Ok(());
        }
        let execution = self.execution;
        Err(AccessError::ForeignExecution { execution }.into())
    }

    fn rests_in_force(
        &self,
        hint: &'static str,
        around: &Surroundings<'_>,
    ) -> Result<(), AppendError> {
        match moved(&self.open.basis, around) {
            None => Ok(()),
            Some(Moved { what, then, now }) => Err(ApprovalError::BasisMoved {
                execution: self.execution,
                what,
                asked: then,
                in_force: now,
                hint,
            }
            .into()),
        }
    }

    /// The decision at the end of the wait. The arguments are in the request: persons may take days, and what waits
    /// for them holds no contents in memory.
    fn decided(
        &self,
        decision: Decision,
        why: &str,
        approval: ApprovalNamedV1,
    ) -> AuthorizationDecidedV2 {
        let Open {
            capability, basis, ..
        } = self.open;
        AuthorizationDecidedV2 {
            capability: capability.to_string(),
            arguments: Vec::new(),
            arguments_digest: self.open.arguments_digest,
            decision: decision.code(),
            reason: why.to_owned(),
            policy_version: basis.policy_version.clone(),
            policy_digest: basis.policy_digest,
            configuration_version: basis.configuration_version,
            registry_version: basis.registry_version,
            on_behalf_of: self.waiting.on_behalf_of.clone(),
            approval: Some(approval),
        }
    }
}
