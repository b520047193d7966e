// SPDX-License-Identifier: Apache-2.0
//! Quota, room and the bound of a commit rest on a command's size: each of its bytes counts, and what is cut does not.

use std::collections::BTreeSet;

use super::*;
use crate::config::KEPT_BYTES;
use crate::events::{Decision, LedgerId, Party, Resolution, RuntimeId, State};

const NAMED: ExecutionId = ExecutionId::from_bytes([7; 16]);
/// No two sums of these are the same.
const ONE: usize = 1_000;
const TWO: usize = 2_000;
const FOUR: usize = 4_000;
/// What a command takes beside its fields' bytes.
const BESIDE: std::ops::RangeInclusive<usize> = 16..=512;

fn text(len: usize) -> String {
    "x".repeat(len)
}

fn bytes(len: usize) -> Vec<u8> {
    vec![b'1'; len]
}

fn basis() -> Basis {
    Basis {
        ledger: LedgerId::from_bytes([9; 16]),
        grounds: Grounds::default(),
    }
}

/// 9,000 bytes: the capability is in two of its records.
fn request(input: usize) -> Request {
    Request {
        context: Context::new(),
        execution: Some(NAMED),
        input: Some(bytes(input)),
        capability: text(ONE),
        arguments: bytes(TWO),
        decision: Decision::Authorized,
        reason: text(FOUR - input),
        basis: basis(),
    }
}

fn failed() -> Ending {
    Ending::Failed(Failure {
        code: text(ONE),
        message: text(TWO),
        result: bytes(FOUR),
    })
}

fn finish(ending: Ending) -> Command {
    Command::Finish(Finish {
        context: Context::new(),
        execution: NAMED,
        ending,
    })
}

fn resolve(result: usize) -> Command {
    Command::Resolve(ResolveInDoubt {
        context: Context::new(),
        execution: NAMED,
        resolve: Resolve {
            resolution: Resolution::Lost,
            reason: text(ONE),
            result: bytes(result),
        },
    })
}

fn import(ending: Ending) -> Command {
    Command::Import(Imported {
        request: request(300),
        ending,
    })
}

/// Commands about what waits for persons.
fn of_approvals() -> Vec<(Command, usize)> {
    let asked = ApprovalRequest {
        context: Context::new(),
        execution: Some(NAMED),
        input: Some(bytes(ONE)),
        capability: text(TWO),
        arguments: bytes(FOUR),
        reason: text(8_000),
        basis: basis(),
        asked: parties::AskedParties(vec![Party::new(text(16_000), text(32_000))]),
        asked_roles: vec![text(64_000)],
        rule: text(128_000),
        approvers_needed: 1,
        until_ns: 1,
        shown: bytes(256_000),
    };
    let answer = || Approval {
        approver: parties::Approver(Party::new(text(ONE), text(TWO))),
        role: text(FOUR),
        authenticated: text(8_000),
        reason: text(16_000),
        shown_digest: [1; 32],
    };
    let approve = Approve {
        context: Context::new(),
        execution: NAMED,
        approval: answer(),
    };
    let refuse = RefuseApproval {
        context: Context::new(),
        execution: NAMED,
        refusal: ApprovalRefusal { answer: answer() },
    };
    let confirm = ConfirmApproval {
        context: Context::new(),
        execution: NAMED,
        basis: basis(),
        reason: text(ONE),
    };
    let start = StartApproved {
        context: Context::new(),
        execution: NAMED,
    };
    // The approver is in the decision too.
    let answered = 2 * (ONE + TWO) + FOUR + 8_000 + 16_000;
    vec![
        (Command::RequestApproval(asked), 511 * ONE),
        (Command::Approve(approve), answered),
        (Command::RefuseApproval(refuse), answered),
        (Command::ConfirmApproval(confirm), ONE),
        (Command::StartApproved(start), 0),
    ]
}

/// Commands of an execution, and the bytes of their fields.
fn of_executions() -> Vec<(Command, usize)> {
    let start = Start {
        context: Context::new(),
        permit: Permit {
            execution: NAMED,
            capability: text(ONE),
            arguments_digest: [1; 32],
            basis: basis(),
            ledger: LedgerId::from_bytes([9; 16]),
            epoch: 1,
            hold: None,
        },
    };
    let reject = Rejection {
        context: Context::new(),
        execution: Some(NAMED),
        input: bytes(ONE),
        problem: text(TWO),
    };
    let audit = AuditEntry {
        action: text(ONE),
        subject: text(TWO),
        detail: bytes(FOUR),
        execution: Some(NAMED),
        ..entry()
    };
    let observed = Observation {
        name: text(ONE),
        attributes: bytes(TWO),
        execution: Some(NAMED),
        ..observation()
    };
    vec![
        (Command::Authorize(request(300)), 2 * ONE + TWO + FOUR),
        (Command::Begin(request(700)), 2 * ONE + TWO + FOUR),
        (Command::Start(start), ONE),
        (Command::Reject(reject), ONE + TWO),
        (finish(Ending::Completed(bytes(FOUR))), FOUR),
        (finish(failed()), ONE + TWO + FOUR),
        (finish(Ending::Cancelled(text(TWO))), TWO),
        (resolve(FOUR), ONE + FOUR),
        (import(failed()), 2 * ONE + TWO + FOUR + ONE + TWO + FOUR),
        (Command::Audit(audit), ONE + TWO + FOUR),
        (Command::Observe(observed), ONE + TWO),
    ]
}

/// Those of documents and of the registry.
fn of_versions() -> Vec<(Command, usize)> {
    let context = Context::new;
    let definition = || CapabilityDefinition {
        version: text(TWO),
        description: text(FOUR),
        parameters: bytes(8_000),
    };
    let change = Change {
        context: context(),
        document: text(ONE),
        content: bytes(TWO),
        author: text(FOUR),
        reason: text(8_000),
        expected_version: None,
    };
    let rollback = Rollback {
        context: context(),
        document: text(ONE),
        to_version: 1,
        author: text(TWO),
        reason: text(FOUR),
        expected_version: None,
    };
    let register = RegisterCapability {
        context: context(),
        capability: text(ONE),
        definition: definition(),
        expected_version: None,
    };
    let changed = ChangeCapability {
        context: context(),
        capability: text(ONE),
        definition: definition(),
        expected_version: None,
    };
    let switch = SwitchCapability {
        context: context(),
        capability: text(ONE),
        enabled: true,
        reason: text(TWO),
        expected_version: None,
    };
    let unregister = UnregisterCapability {
        context: context(),
        capability: text(ONE),
        reason: text(TWO),
        expected_version: None,
    };
    vec![
        (Command::Change(change), ONE + TWO + FOUR + 8_000),
        (Command::Rollback(rollback), ONE + TWO + FOUR),
        (
            Command::RegisterCapability(register),
            ONE + TWO + FOUR + 8_000,
        ),
        (Command::ChangeCapability(changed), ONE + TWO + FOUR + 8_000),
        (Command::SwitchCapability(switch), ONE + TWO),
        (Command::UnregisterCapability(unregister), ONE + TWO),
    ]
}

/// Those of the runtime.
fn of_the_rest() -> Vec<(Command, usize)> {
    let context = Context::new;
    let identify = Identify {
        context: context(),
        runtime: RuntimeId::from_bytes([1; 16]),
        version: text(ONE),
    };
    let set = SetModule {
        context: context(),
        module: text(ONE),
        version: text(TWO),
    };
    let remove = RemoveModule {
        context: context(),
        module: text(ONE),
    };
    let transition = Transition {
        context: context(),
        to: State::Idle,
        expected: None,
    };
    let save = SavePosition {
        context: context(),
        name: text(ONE),
        seq: 1,
        expected: None,
    };
    vec![
        (Command::Identify(identify), ONE),
        (Command::SetModule(set), ONE + TWO),
        (Command::RemoveModule(remove), ONE),
        (Command::Transition(transition), 0),
        (Command::SavePosition(save), ONE),
    ]
}

#[test]
fn every_byte_of_a_command_is_counted_once_for_each_record_that_holds_it() {
    let limits = Limits::default();
    let mut kinds = BTreeSet::new();
    let mut counted = |command: &Command, fields: usize| {
        let kind = command.kind();
        kinds.insert(kind);
        let records = command.records_max() * RECORD_OVERHEAD_BYTES;
        let beside = command.size() - records - fields;
        assert!(BESIDE.contains(&beside), "{kind}: {beside} beside {fields}");
        assert_eq!(command.stored_size(&limits), command.size(), "{kind}");
    };
    for (command, fields) in of_executions().into_iter().chain(of_approvals()) {
        counted(&command, fields);
        assert_eq!(command.execution(), Some(NAMED), "{}", command.kind());
    }
    for (command, fields) in of_versions().into_iter().chain(of_the_rest()) {
        counted(&command, fields);
        assert_eq!(command.execution(), None, "{}", command.kind());
    }
    let all: BTreeSet<_> = Command::KINDS.iter().copied().collect();
    assert_eq!(kinds, all, "a kind of command is not measured");
}

#[test]
fn the_name_of_a_policy_counts_too() {
    let mut named = request(300);
    named.basis.grounds.policy_version = text(ONE);
    let size = Command::Begin(named).size();
    assert_eq!(size, Command::Begin(request(300)).size() + ONE);
}

/// An oversize result is stored as a payload and its texts at most; an input, as its first 64 KiB.
#[test]
fn of_what_will_be_cut_only_what_is_kept_is_stored() {
    let limits = Limits::default();
    let huge = 10 * limits.payload_bytes_max;
    let most = limits.payload_bytes_max + limits.text_bytes_max + limits.name_bytes_max;
    let completed = || Ending::Completed(bytes(huge));
    // The request of the imported one is beside it, whole.
    for (command, whole) in [
        (finish(completed()), 0),
        (resolve(huge), 0),
        (import(completed()), 2 * ONE + TWO + FOUR),
    ] {
        let kind = command.kind();
        let records = command.records_max() * RECORD_OVERHEAD_BYTES;
        assert!(command.size() > huge, "{kind}");
        let beside = command.stored_size(&limits) - records - most - whole;
        assert!(BESIDE.contains(&beside), "{kind}: {beside}");
    }
    let reject = Command::Reject(Rejection {
        context: Context::new(),
        execution: None,
        input: bytes(10 * KEPT_BYTES),
        problem: text(ONE),
    });
    let asked = Command::Begin(Request {
        input: Some(bytes(10 * KEPT_BYTES)),
        ..request(0)
    });
    for (command, whole) in [(reject, ONE), (asked, 2 * ONE + TWO + FOUR)] {
        let records = command.records_max() * RECORD_OVERHEAD_BYTES;
        let beside = command.stored_size(&limits) - records - KEPT_BYTES - whole;
        assert!(BESIDE.contains(&beside), "{}: {beside}", command.kind());
    }
}
