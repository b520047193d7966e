// SPDX-License-Identifier: Apache-2.0
//! What waits for persons, on the model. Ann, Bob and whoever is an officer are asked, always.

use femtoclaw_ledger::error::ApprovalError;
use femtoclaw_ledger::events::{ExecutionId, State};
use femtoclaw_ledger::integrity::digest;
use femtoclaw_ledger::projections::ExecutionStatus as Status;
use femtoclaw_ledger::{
    AccessError, AppendError,
    execution_log::{Approval, ApprovalRequest},
};

use super::concrete::Concrete;
use super::reference::{AWAITING_MAX, Asked, Asking, Execution, Reference, Reply, Step};
use super::step::{refused, stands};
use super::whom::inherits;

/// What one of those asked needs no role for.
pub(crate) const ASKED: [&str; 2] = ["ann", "bob"];
pub(crate) const ROLE: &str = "officer";

impl Reference {
    pub(crate) fn approval(&mut self, asked: &Asked<'_>) -> Step {
        match asked.concrete {
            Concrete::RequestApproval(it) => self.ask(asked, it),
            Concrete::Approve(it) => self.approve(asked, it.execution, &it.approval),
            Concrete::RefuseApproval(it) => {
                let known = self.waiting(it.execution, State::Error)?;
                may_answer(it.execution, known, it.refusal.answer())?;
                inherits(it.execution, known, asked)?;
                let known = self.known(it.execution)?;
                known.status = Status::Denied;
                known.decision = femtoclaw_ledger::Decision::DeniedPolicyViolation.code();
                self.last(it.execution, asked, 3);
                Ok((3, Reply::Execution(it.execution)))
            }
            Concrete::ConfirmApproval(it) => {
                let known = self
                    .waiting(it.execution, State::AuthorizationEvaluating)?
                    .clone();
                own(asked, it.execution, &known)?;
                let basis = self.has_been(&it.basis)?;
                self.in_force(basis)?;
                self.enabled(&known.capability)?;
                inherits(it.execution, &known, asked)?;
                let known = self.known(it.execution)?;
                known.basis = basis;
                known.asked.given = 0;
                known.asked.approvers.clear();
                self.last(it.execution, asked, 1);
                Ok((1, Reply::Execution(it.execution)))
            }
            Concrete::StartApproved(it) => {
                let known = self.known(it.execution)?.clone();
                if known.status != Status::Approved {
                    return Err(refused(stands(&known), State::CapabilityExecuting.name()));
                }
                own(asked, it.execution, &known)?;
                self.enabled(&known.capability)?;
                self.rests(it.execution, &known)?;
                inherits(it.execution, &known, asked)?;
                let entry = self.known(it.execution)?;
                entry.status = Status::Running;
                entry.started = asked.placed.first;
                self.last(it.execution, asked, 2);
                Ok((2, Reply::Execution(it.execution)))
            }
            other => panic!("no command of an approval: {other:?}"),
        }
    }

    fn ask(&mut self, asked: &Asked<'_>, it: &ApprovalRequest) -> Step {
        let execution = self.fresh(it.execution)?;
        let basis = self.has_been(&it.basis)?;
        self.in_force(basis)?;
        self.enabled(&it.capability)?;
        let waits = self.count(Status::AwaitingApproval) + self.count(Status::Approved);
        if waits >= AWAITING_MAX {
            return Err(AppendError::Busy {
                what: "executions that wait for approval",
                limit: AWAITING_MAX as u64,
            });
        }
        let before = u64::from(it.input.is_some());
        self.begin(asked, execution, &it.context, Status::AwaitingApproval);
        self.last(execution, asked, before + 2);
        if let Some(entry) = self.executions.get_mut(&execution) {
            entry.capability.clone_from(&it.capability);
            entry.basis = basis;
            entry.asked = Asking {
                requested: asked.placed.first + before,
                until_ns: it.until_ns,
                needed: it.approvers_needed,
                shown: it.shown.clone(),
                given: 0,
                approvers: Vec::new(),
            };
        }
        Ok((before + 2, Reply::Execution(execution)))
    }

    fn approve(&mut self, asked: &Asked<'_>, execution: ExecutionId, it: &Approval) -> Step {
        let known = self
            .waiting(execution, State::AuthorizationEvaluating)?
            .clone();
        may_answer(execution, &known, it)?;
        if known.asked.approvers.contains(&it.approver().id) {
            return Err(ApprovalError::ApprovedAlready { execution }.into());
        }
        self.enabled(&known.capability)?;
        let (given, needed) = (known.asked.given + 1, known.asked.needed);
        let complete = given >= needed;
        if complete {
            self.rests(execution, &known)?;
        }
        inherits(execution, &known, asked)?;
        let entry = self.known(execution)?;
        entry.asked.given = given;
        entry.asked.approvers.push(it.approver().id.clone());
        if complete {
            entry.status = Status::Approved;
            entry.decision = femtoclaw_ledger::Decision::Authorized.code();
        }
        let records = 1 + u64::from(complete);
        self.last(execution, asked, records);
        let counted = (!complete).then_some((given, needed));
        Ok((records, Reply::Given(execution, counted)))
    }

    fn waiting(&mut self, execution: ExecutionId, to: State) -> Result<&Execution, AppendError> {
        let known = self.known(execution)?;
        if known.status != Status::AwaitingApproval {
            return Err(refused(stands(known), to.name()));
        }
        Ok(known)
    }

    fn rests(&self, execution: ExecutionId, known: &Execution) -> Result<(), AppendError> {
        let now = self.versions();
        let (what, asked, in_force) = match known.basis {
            (then, _) if then != now.0 => ("configuration", then, now.0),
            (_, then) if then != now.1 => ("registry", then, now.1),
            _ => return Ok(()),
        };
        let hint = "";
        Err(ApprovalError::BasisMoved {
            execution,
            what,
            asked,
            in_force,
            hint,
        }
        .into())
    }

    /// What the ledger ended meanwhile, with the last record of each.
    pub(crate) fn expired(&mut self, execution: ExecutionId, last: u64, last_ns: i64) {
        if let Some(known) = self.executions.get_mut(&execution) {
            (known.last, known.last_ns) = (last, last_ns);
            known.status = match known.status {
                Status::AwaitingApproval => {
                    known.decision = femtoclaw_ledger::Decision::DeniedPolicyViolation.code();
                    Status::Denied
                }
                _ => Status::Abandoned,
            };
        }
    }
}

fn own(asked: &Asked<'_>, execution: ExecutionId, known: &Execution) -> Result<(), AppendError> {
    if known.component == asked.component {
        return Ok(());
    }
    Err(AccessError::ForeignExecution { execution }.into())
}

fn may_answer(execution: ExecutionId, known: &Execution, it: &Approval) -> Result<(), AppendError> {
    if !ASKED.contains(&it.approver().id.as_str()) && it.role != ROLE {
        return Err(ApprovalError::NotAsked { execution }.into());
    }
    let shown_digest = digest(&known.asked.shown);
    if it.shown_digest != shown_digest {
        return Err(ApprovalError::ShownOther {
            execution,
            shown_digest,
        }
        .into());
    }
    Ok(())
}
