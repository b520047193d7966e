// SPDX-License-Identifier: Apache-2.0
//! The golden events of approval and delegation; see `samples.rs`.

use femtoclaw_ledger::events::*;

use crate::samples::{DIGEST, long, text};

fn party(issuer: &str, id: &str) -> Party {
    Party {
        issuer: text(issuer),
        id: text(id),
    }
}

fn nobody() -> Party {
    party("", "")
}

pub(crate) fn approval() -> Vec<Event> {
    [decisions(), requests(), answers(), others()].concat()
}

fn decisions() -> Vec<Event> {
    let decided = |approval| AuthorizationDecidedV2 {
        capability: text("pay"),
        arguments: br#"{"amount": 1.50}"#.to_vec(),
        arguments_digest: DIGEST,
        decision: Decision::Authorized.code(),
        reason: String::new(),
        policy_version: text("2026-01"),
        policy_digest: [0xD2; 32],
        configuration_version: 1,
        registry_version: 2,
        on_behalf_of: vec![
            party("https://id.example", "alice"),
            party("agents", "Einkäufer"),
            party(&long(), "sub/1"),
        ],
        approval: Some(approval),
    };
    let denied = AuthorizationDecidedV2 {
        decision: Decision::DeniedPolicyViolation.code(),
        on_behalf_of: vec![nobody()],
        ..decided(ApprovalNamedV1 {
            request_version: u64::MAX,
            rule: String::new(),
            needed: 0,
            approvers: Vec::new(),
            refused_by: Some(party("https://id.example", "carol")),
        })
    };
    let authorized = decided(ApprovalNamedV1 {
        request_version: 2,
        rule: text("two of finance"),
        needed: 2,
        approvers: vec![party("https://id.example", "bob"), nobody()],
        refused_by: None,
    });
    vec![authorized.into(), denied.into()]
}

fn requests() -> Vec<Event> {
    vec![
        ApprovalRequestedV1 {
            capability: text("pay"),
            arguments: br#"{"amount": 1.50}"#.to_vec(),
            arguments_digest: DIGEST,
            reason: text("above 1,000"),
            policy_version: text("2026-01"),
            policy_digest: [0xD2; 32],
            configuration_version: 250,
            registry_version: 251,
            on_behalf_of: vec![party("https://id.example", "alice"), party("agents", "7")],
            asked: vec![party("https://id.example", "bob"), party(&long(), "dora")],
            asked_roles: vec![text("finance"), String::new(), long()],
            rule: text("two of finance"),
            approvers_needed: 2,
            until_ns: 1_767_225_600_000_000_001,
            shown: text("Pay 1.50 € to X?").into_bytes(),
            shown_digest: [0xD3; 32],
        }
        .into(),
        ApprovalRequestedV1 {
            capability: String::new(),
            arguments: Vec::new(),
            arguments_digest: [0; 32],
            reason: String::new(),
            policy_version: String::new(),
            policy_digest: [0; 32],
            configuration_version: 0,
            registry_version: u64::MAX,
            on_behalf_of: Vec::new(),
            asked: Vec::new(),
            asked_roles: Vec::new(),
            rule: long(),
            approvers_needed: u32::MAX,
            until_ns: i64::MIN,
            shown: vec![0xFF; 251],
            shown_digest: [0xFF; 32],
        }
        .into(),
    ]
}

fn answers() -> Vec<Event> {
    vec![
        ApprovalGivenV1 {
            approver: party("https://id.example", "bob"),
            role: text("finance"),
            authenticated: text("passkey"),
            reason: text("as agreed"),
            shown_digest: [0xD3; 32],
            given: 1,
            needed: 2,
        }
        .into(),
        ApprovalGivenV1 {
            approver: nobody(),
            role: String::new(),
            authenticated: String::new(),
            reason: long(),
            shown_digest: [0; 32],
            given: 251,
            needed: u32::MAX,
        }
        .into(),
        ApprovalRefusedV1 {
            approver: party("https://id.example", "carol"),
            role: text("finance"),
            authenticated: text("password, 2026-01-01"),
            reason: text("not this one"),
            shown_digest: [0xD3; 32],
        }
        .into(),
        ApprovalRefusedV1 {
            approver: party(&long(), &long()),
            role: long(),
            authenticated: String::new(),
            reason: String::new(),
            shown_digest: [0; 32],
        }
        .into(),
    ]
}

fn others() -> Vec<Event> {
    vec![
        ApprovalExpiredV1 {
            given: 1,
            needed: 2,
        }
        .into(),
        ApprovalExpiredV1 {
            given: 0,
            needed: 65_536,
        }
        .into(),
        ApprovalConfirmedV1 {
            reason: text("the limit rose"),
            policy_version: text("2026-02"),
            policy_digest: [0xD2; 32],
            configuration_version: 252,
            registry_version: 253,
        }
        .into(),
        ApprovalConfirmedV1 {
            reason: String::new(),
            policy_version: long(),
            policy_digest: [0; 32],
            configuration_version: u64::MAX,
            registry_version: 0,
        }
        .into(),
        ExecutionAbandonedV1 {
            cause: LeftCause::Expired.code(),
        }
        .into(),
    ]
}
