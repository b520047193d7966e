// SPDX-License-Identifier: Apache-2.0
//! A payment that persons are asked about, each way it can go, and evidence of it.

use crate::events::{
    ApprovalConfirmedV1, ApprovalExpiredV1, ApprovalGivenV1, ApprovalNamedV1, ApprovalRefusedV1,
    ApprovalRequestedV1, AuthorizationDecidedV2, CommandId, ComponentId, Content, Event, EventType,
    ExecutionAbandonedV1, ExecutionCancelledV1, ExecutionCompletedV1, ExecutionId,
    ExecutionStartedV1, Outcome, ParentId, Party, Record, RecordHeader, Seq, StoreMask, StreamId,
    SubjectId, TraceId, TransitionsRecordedV1,
};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::evidence::{Bundle, Item, MakeError, Opening};
use crate::integrity::key::Signer;
use crate::integrity::merkle::{TreeHash, leaf_hash, node_hash};
use crate::integrity::{Chain, digest};

pub(super) const EXECUTION: [u8; 16] = [7; 16];
pub(super) const UNTIL_NS: i64 = 1_767_229_200_000_000_000;
pub(super) const SHOWN: &[u8] = b"Pay 5,000 EUR to ACME";

/// One record of the execution.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) event: Event,
    pub(super) outcome: Outcome,
    /// Records with one number are of one command.
    pub(super) command: u8,
    pub(super) component: u32,
    pub(super) time_ns: i64,
}

pub(super) fn step(command: u8, outcome: Outcome, event: impl Into<Event>) -> Step {
    Step {
        event: event.into(),
        outcome,
        command,
        component: if (2..10).contains(&command) { 2 } else { 1 },
        time_ns: UNTIL_NS - 1_000_000_000,
    }
}

pub(super) fn party(id: &str) -> Party {
    Party {
        issuer: "https://id.example".into(),
        id: id.into(),
    }
}

pub(super) fn asked() -> ApprovalRequestedV1 {
    ApprovalRequestedV1 {
        capability: "payment.send".into(),
        arguments: b"{\"eur\":5000}".to_vec(),
        arguments_digest: digest(b"{\"eur\":5000}"),
        reason: "above the limit".into(),
        policy_version: "7".into(),
        policy_digest: [4; 32],
        configuration_version: 3,
        registry_version: 2,
        on_behalf_of: vec![party("maria"), party("travel-agent")],
        asked: vec![party("ann"), party("ben")],
        asked_roles: vec!["treasurer".into()],
        rule: "payments above 1,000 EUR".into(),
        approvers_needed: 2,
        until_ns: UNTIL_NS,
        shown: SHOWN.to_vec(),
        shown_digest: digest(SHOWN),
    }
}

pub(super) fn given(who: &str, given: u32) -> ApprovalGivenV1 {
    ApprovalGivenV1 {
        approver: party(who),
        role: String::new(),
        authenticated: "passkey".into(),
        reason: "ordered".into(),
        shown_digest: digest(SHOWN),
        given,
        needed: 2,
    }
}

pub(super) fn refused(who: &str) -> ApprovalRefusedV1 {
    ApprovalRefusedV1 {
        approver: party(who),
        role: String::new(),
        authenticated: "passkey".into(),
        reason: "twice the usual price".into(),
        shown_digest: digest(SHOWN),
    }
}

pub(super) fn named(approvers: &[&str], refused_by: Option<&str>) -> ApprovalNamedV1 {
    ApprovalNamedV1 {
        request_version: 1,
        rule: asked().rule,
        needed: 2,
        approvers: approvers.iter().map(|who| party(who)).collect(),
        refused_by: refused_by.map(party),
    }
}

pub(super) fn decided(decision: u8, approval: ApprovalNamedV1) -> AuthorizationDecidedV2 {
    let asked = asked();
    AuthorizationDecidedV2 {
        capability: asked.capability,
        // The request has them.
        arguments: Vec::new(),
        arguments_digest: asked.arguments_digest,
        decision,
        reason: String::new(),
        policy_version: asked.policy_version,
        policy_digest: asked.policy_digest,
        configuration_version: 3,
        registry_version: 2,
        on_behalf_of: asked.on_behalf_of,
        approval: Some(approval),
    }
}

pub(super) fn path(states: &[u8]) -> TransitionsRecordedV1 {
    TransitionsRecordedV1 {
        machine: 2,
        path: states.to_vec(),
    }
}

/// Persons are asked.
pub(super) fn waiting() -> Vec<Step> {
    let walked = path(&[3, 4, 5]);
    vec![
        step(1, Outcome::Neutral, asked()),
        step(1, Outcome::Neutral, walked),
    ]
}

/// Both approve.
pub(super) fn approved() -> Vec<Step> {
    let mut steps = waiting();
    steps.push(step(2, Outcome::Success, given("ann", 1)));
    steps.push(step(3, Outcome::Success, given("ben", 2)));
    let decided = decided(1, named(&["ann", "ben"], None));
    steps.push(step(3, Outcome::Success, decided));
    steps
}

/// It is started, and succeeds.
pub(super) fn paid() -> Vec<Step> {
    let mut steps = approved();
    let started = ExecutionStartedV1 {
        capability: "payment.send".into(),
        arguments_digest: asked().arguments_digest,
        configuration_version: 3,
        registry_version: 2,
    };
    steps.push(step(10, Outcome::Neutral, started));
    steps.push(step(10, Outcome::Neutral, path(&[5, 6])));
    let completed = ExecutionCompletedV1 {
        result: b"{\"receipt\":17}".to_vec(),
        result_len: 14,
        result_digest: digest(b"{\"receipt\":17}"),
    };
    steps.push(step(11, Outcome::Success, completed));
    steps.push(step(11, Outcome::Neutral, path(&[6, 7, 8])));
    steps
}

/// One approves, the other refuses.
pub(super) fn declined() -> Vec<Step> {
    let mut steps = waiting();
    steps.push(step(2, Outcome::Success, given("ann", 1)));
    steps.push(step(3, Outcome::Denied, refused("ben")));
    let denied = decided(4, named(&["ann"], Some("ben")));
    steps.push(step(3, Outcome::Denied, denied));
    steps.push(step(3, Outcome::Neutral, path(&[5, 9])));
    steps
}

/// One approves, and the time is over.
pub(super) fn expired() -> Vec<Step> {
    let mut steps = waiting();
    steps.push(step(2, Outcome::Success, given("ann", 1)));
    let expired = ApprovalExpiredV1 {
        given: 1,
        needed: 2,
    };
    steps.push(step(3, Outcome::Denied, expired));
    steps.push(step(3, Outcome::Denied, decided(4, named(&["ann"], None))));
    steps.push(step(3, Outcome::Neutral, path(&[5, 9])));
    for step in steps.iter_mut().skip(3) {
        step.time_ns = UNTIL_NS + 1;
    }
    steps
}

/// What is in force moves after the first approval; it is confirmed and approved anew.
pub(super) fn confirmed() -> Vec<Step> {
    let mut steps = waiting();
    steps.push(step(2, Outcome::Success, given("ann", 1)));
    let confirmed = ApprovalConfirmedV1 {
        reason: "still right".into(),
        policy_version: "8".into(),
        policy_digest: [5; 32],
        configuration_version: 4,
        registry_version: 2,
    };
    steps.push(step(10, Outcome::Neutral, confirmed));
    steps.push(step(4, Outcome::Success, given("ann", 1)));
    steps.push(step(5, Outcome::Success, given("ben", 2)));
    let mut decided = decided(1, named(&["ann", "ben"], None));
    decided.policy_version = "8".into();
    decided.policy_digest = [5; 32];
    decided.configuration_version = 4;
    steps.push(step(5, Outcome::Success, decided));
    steps
}

pub(super) fn cancelled(mut steps: Vec<Step>) -> Vec<Step> {
    let cancelled = ExecutionCancelledV1 {
        reason: "not needed".into(),
    };
    steps.push(step(10, Outcome::Cancelled, cancelled));
    steps.push(step(10, Outcome::Neutral, path(&[5, 9])));
    steps
}

/// Approved, and nobody starts it in time.
pub(super) fn left() -> Vec<Step> {
    let mut steps = approved();
    let mut left = step(10, Outcome::Cancelled, ExecutionAbandonedV1 { cause: 2 });
    left.time_ns = UNTIL_NS + 1;
    steps.push(left);
    steps
}

/// The records behind the opening of a ledger.
pub(super) fn records(steps: &[Step]) -> Vec<Record> {
    let of_one = |command| steps.iter().filter(|it| it.command == command).count();
    let mut index = 0;
    let numbered = (1_u64..).zip(steps);
    let records = numbered.map(|(version, step)| {
        let mut payload = Vec::new();
        step.event.encode_into(&mut payload);
        let before = version.checked_sub(2).and_then(|at| steps.get(at as usize));
        index = match before {
            Some(before) if before.command == step.command => index + 1,
            _ => 0,
        };
        let header = RecordHeader {
            event_type: step.event.event_type().unwrap(),
            revision: step.event.revision(),
            flags: 0,
            codec: 1,
            algorithm: 1,
            outcome: step.outcome,
            stores: StoreMask::ALL,
            seq: Seq::new(version + 1).unwrap(),
            time_ns: step.time_ns,
            stream: StreamId::from_bytes(EXECUTION),
            stream_version: version,
            execution: ExecutionId::from_bytes(EXECUTION),
            parent: ParentId::NIL,
            trace: TraceId::NIL,
            command: CommandId::from_bytes([step.command; 16]),
            command_digest: [0; 32],
            commit_index: index,
            commit_len: of_one(step.command) as u16,
            component: ComponentId(step.component),
            payload_len: payload.len() as u32,
            payload_commitment: Chain::default().payload_commitment(&[9; 16], &payload),
            subject: SubjectId::from_bytes([0x5b; 16]),
            observed_difference_ns: 0,
            data_key: 0,
        };
        Record {
            header,
            hash: [0; 32],
            content: Some(Content {
                salt: [9; 16],
                payload,
            }),
        }
    });
    records.collect()
}

/// Evidence of it, in a ledger that holds nothing else.
pub(super) fn evidence(steps: &[Step]) -> Result<Bundle, MakeError> {
    let records = records(steps);
    let mut first = records[0].header.clone();
    first.event_type = EventType::LedgerOpened;
    first.component = ComponentId::LEDGER;
    first.stream = StreamId::from_bytes([1; 16]);
    first.seq = Seq::FIRST;
    let mut leaves = vec![leaf_hash(&first.encode())];
    leaves.extend(records.iter().map(|it| leaf_hash(&it.header.encode())));
    let items = records.into_iter().enumerate().map(|(at, record)| {
        let path = way(&leaves, at + 1);
        Item::new(record, path)
    });
    let items = items.collect();
    let opening = Opening {
        header: first,
        path: way(&leaves, 0),
    };
    let (key, size) = (super::super::log(), leaves.len() as u64);
    let checkpoint = Checkpoint::new("ledger.example/a", size, top(&leaves)).unwrap();
    let note = checkpoint.sign(&key).unwrap();
    let execution = ExecutionId::from_bytes(EXECUTION);
    let keys = [key.key().clone()];
    Bundle::new(opening, execution, Vec::new(), items, &note, &keys)
}

/// Where a tree of these leaves is cut in two.
pub(super) fn half(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}

pub(super) fn top(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(half(leaves.len()));
            node_hash(&top(left), &top(right))
        }
    }
}

/// From a leaf up to the root's child.
pub(super) fn way(leaves: &[TreeHash], at: usize) -> Vec<TreeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(half(leaves.len()));
    let (mut path, other) = match at.checked_sub(left.len()) {
        None => (way(left, at), top(right)),
        Some(at) => (way(right, at), top(left)),
    };
    path.push(other);
    path
}
