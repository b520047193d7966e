// SPDX-License-Identifier: Apache-2.0
//! From numbers to a command about what waits for persons.

use femtoclaw_ledger::events::ExecutionId;
use femtoclaw_ledger::integrity::digest;
use femtoclaw_ledger::projections::ExecutionStatus as Status;
use femtoclaw_ledger::{
    Party,
    execution_log::{
        Approval, ApprovalRefusal, ApprovalRequest, Approve, ConfirmApproval, RefuseApproval,
        StartApproved,
    },
};

use super::approving::{ASKED, ROLE};
use super::choose::{Choices, json, pick, text};
use super::concrete::Concrete;
use super::expire::UNTIL;
use super::ops::What;

fn person(name: &str) -> Party {
    Party::new("id.example", name)
}

impl Choices<'_> {
    pub(crate) fn asking(&self, what: What) -> Concrete {
        let context = self.context(what);
        let execution = self.asked(what);
        match what.kind {
            "request_approval" => Concrete::RequestApproval(self.ask(what)),
            "approve" => Concrete::Approve(Approve {
                context,
                execution,
                approval: self.answer(what, execution),
            }),
            "refuse_approval" => {
                let answer = self.answer(what, execution);
                let (person, shown) = (answer.approver().clone(), answer.shown_digest);
                let why = text(what.spoil == 0, "not today");
                let refusal = ApprovalRefusal::new(person, "passkey", shown, why).role(answer.role);
                Concrete::RefuseApproval(RefuseApproval {
                    context,
                    execution,
                    refusal,
                })
            }
            "confirm_approval" => Concrete::ConfirmApproval(ConfirmApproval {
                context,
                execution,
                basis: self.earlier(u64::from(what.spoil == 6), u64::from(what.spoil == 8)),
                reason: String::new(),
            }),
            _ => Concrete::StartApproved(StartApproved { context, execution }),
        }
    }

    /// Mostly one that waits for this, else any, sometimes one that is not known.
    fn asked(&self, what: What) -> ExecutionId {
        let wanted = match what.kind {
            "start_approved" => Status::Approved,
            _ => Status::AwaitingApproval,
        };
        let found = match what.b % 16 {
            0 => Vec::new(),
            1 => self.model.executions_that(|_| true),
            _ => self.model.executions_that(|it| it == wanted),
        };
        pick(&found, what.a).unwrap_or(self.fresh)
    }

    fn ask(&self, what: What) -> ApprovalRequest {
        let until = i64::try_from(UNTIL.as_nanos()).unwrap();
        let capability = text(what.spoil == 5, self.capability(what));
        let basis = self.earlier(u64::from(what.spoil == 6), u64::from(what.spoil == 8));
        let mut asked = ApprovalRequest::new(capability, "a rule", self.now_ns + until, basis)
            .context(self.context(what))
            .arguments(json(what, false))
            .shown(vec![what.b; 3])
            .ask(person(ASKED[0]))
            .ask(person(ASKED[1]))
            .ask_role(ROLE)
            .approvers_needed(u32::from(what.c % 2) + 1);
        asked.execution = self.new_execution(what);
        let with_input = what.b.is_multiple_of(2);
        asked.input = with_input.then(|| vec![what.a; usize::from(what.a) + 1]);
        asked
    }

    fn answer(&self, what: What, execution: ExecutionId) -> Approval {
        let known = self.model.executions.get(&execution);
        let shown = known.map_or(&[][..], |it| &it.asked.shown);
        let shown = match what.spoil {
            9..20 => [0; 32],
            _ => digest(shown),
        };
        let name = match what.c % 8 {
            0 => "eve",
            odd if odd % 2 == 1 => ASKED[0],
            _ => ASKED[1],
        };
        let role = text(!what.a.is_multiple_of(3), ROLE);
        Approval::new(person(name), "passkey", shown).role(role)
    }
}
