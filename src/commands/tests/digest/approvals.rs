// SPDX-License-Identifier: Apache-2.0
//! Commands about what waits for persons.

use super::*;
use crate::commands::parties::{Approver, AskedParties};
use crate::events::Party;

fn person(name: &str) -> Party {
    Party::new("issuer", name)
}

fn number() -> Changes<u32> {
    to([2, 3])
}

fn asked() -> ApprovalRequest {
    ApprovalRequest::new("message", "a rule", 7, basis())
        .ask(person("ann"))
        .ask_role("officer")
        .shown(b"1")
}

fn request(kinds: &mut Kinds) {
    let others = [
        AskedParties(vec![person("bob")]),
        AskedParties(vec![Party::new("other", "ann")]),
        AskedParties(vec![person("ann"), person("bob")]),
        AskedParties::default(),
    ];
    let roles = |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect();
    let changes = fields!(ApprovalRequest {
        context: context(),
        execution: optional_execution(),
        input: to([Some(Vec::new()), Some(vec![1])]),
        capability: text(),
        arguments: bytes(),
        reason: to(["another".to_owned()]),
        basis: of_basis(),
        asked: to(others),
        asked_roles: to::<Vec<String>>([
            roles(&["clerk"]),
            roles(&["officer", "clerk"]),
            roles(&[])
        ]),
        rule: text(),
        approvers_needed: number(),
        until_ns: to([8, -7]),
        shown: bytes(),
    });
    kinds.each(asked, Command::RequestApproval, changes);
}

fn answer() -> Approval {
    Approval::new(person("ann"), "passkey", [1; 32])
}

fn of_answer() -> Changes<Approval> {
    fields!(Approval {
        approver: to([
            Approver(person("bob")),
            Approver(Party::new("other", "ann")),
        ]),
        role: to(["officer".to_owned()]),
        authenticated: text(),
        reason: to(["another".to_owned()]),
        shown_digest: to([[2; 32]]),
    })
}

pub(super) fn approvals(kinds: &mut Kinds) {
    request(kinds);
    let named = ExecutionId::from_bytes([1; 16]);
    let approve = || Approve {
        context: Context::new(),
        execution: ExecutionId::from_bytes([1; 16]),
        approval: answer(),
    };
    assert_eq!(approve().execution, named);
    let changes = fields!(Approve {
        context: context(),
        execution: execution(),
        approval: of_answer(),
    });
    kinds.each(approve, Command::Approve, changes);
    let refuse = || RefuseApproval {
        context: Context::new(),
        execution: ExecutionId::from_bytes([1; 16]),
        refusal: ApprovalRefusal { answer: answer() },
    };
    let changes = fields!(RefuseApproval {
        context: context(),
        execution: execution(),
        refusal: fields!(ApprovalRefusal {
            answer: of_answer()
        }),
    });
    kinds.each(refuse, Command::RefuseApproval, changes);
    let confirm = || ConfirmApproval {
        context: Context::new(),
        execution: ExecutionId::from_bytes([1; 16]),
        basis: basis(),
        reason: String::new(),
    };
    let changes = fields!(ConfirmApproval {
        context: context(),
        execution: execution(),
        basis: of_basis(),
        reason: to(["because".to_owned()]),
    });
    kinds.each(confirm, Command::ConfirmApproval, changes);
    let start = || StartApproved {
        context: Context::new(),
        execution: ExecutionId::from_bytes([1; 16]),
    };
    let changes = fields!(StartApproved {
        context: context(),
        execution: execution(),
    });
    kinds.each(start, Command::StartApproved, changes);
}
