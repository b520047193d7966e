// SPDX-License-Identifier: Apache-2.0
//! A command of every kind that holds the secret in every field that its caller writes freely. No
//! field is left to a default: a new one does not compile here before somebody has decided.

use femtoclaw_ledger::events::{Outcome, Party};
use femtoclaw_ledger::{
    AuditEntry, AuditFamily, Basis, CapabilityDefinition, Change, Context, Decision, ExecutionId,
    Failure, Observation, Request, Rollback, TelemetryKind,
    execution_log::{
        Approval, ApprovalRefusal, ApprovalRequest, Approve, ConfirmApproval, Ending, Finish,
        Imported, RefuseApproval, Rejection, Resolution, Resolve, ResolveInDoubt, StartApproved,
    },
    group::Command,
    runtime_metadata::{
        ChangeCapability, Identify, RegisterCapability, RemoveModule, RuntimeId, SavePosition,
        SetModule, State, SwitchCapability, Transition, UnregisterCapability,
    },
};

use crate::SECRET;

fn text() -> String {
    format!("the word is {SECRET}, said once")
}

fn json() -> Vec<u8> {
    format!("{{\"password\": \"{SECRET}\"}}").into_bytes()
}

fn bytes() -> Vec<u8> {
    format!("password={SECRET}").into_bytes()
}

pub(crate) fn execution(number: u8) -> ExecutionId {
    ExecutionId::from_bytes([number; 16])
}

pub(crate) fn request(number: u8, basis: Basis) -> Request {
    let basis = basis.policy(&text(), [3; 32]);
    let chain = [Party::new(text(), text()), Party::new(text(), text())];
    Request {
        context: Context::new().on_behalf_of(chain).subject(text()),
        execution: Some(execution(number)),
        input: Some(bytes()),
        capability: "message".to_owned(),
        arguments: json(),
        decision: Decision::Authorized,
        reason: text(),
        basis,
    }
}

pub(crate) fn finish(number: u8, ending: Ending) -> Command {
    Command::Finish(Finish {
        context: Context::new(),
        execution: execution(number),
        ending,
    })
}

pub(crate) fn failed() -> Ending {
    Ending::Failed(Failure {
        code: text(),
        message: text(),
        result: json(),
    })
}

pub(crate) fn completed() -> Ending {
    Ending::Completed(json())
}

fn import(number: u8, basis: &Basis, ending: Ending) -> Command {
    Command::Import(Imported {
        request: request(number, basis.clone()),
        ending,
    })
}

/// Who is asked, and who answers.
fn person() -> Party {
    Party::new(text(), text())
}

pub(crate) fn ask(number: u8, basis: &Basis) -> Command {
    let request = ApprovalRequest::new(
        "message",
        "a rule",
        i64::MAX,
        basis.clone().policy(&text(), [3; 32]),
    )
    .execution(execution(number))
    .input(bytes())
    .arguments(json())
    .reason(text())
    .shown(bytes())
    .ask(person());
    Command::RequestApproval(request)
}

/// BLAKE3 of what is shown where the secret was taken out.
fn answer() -> Approval {
    let shown = String::from_utf8(bytes())
        .unwrap()
        .replace(SECRET, crate::REMOVED);
    let shown_digest = femtoclaw_ledger::integrity::digest(shown.as_bytes());
    Approval::new(person(), text(), shown_digest).reason(text())
}

fn refusal() -> ApprovalRefusal {
    let shown = answer().shown_digest;
    ApprovalRefusal::new(person(), text(), shown, text())
}

/// In an order in which none is refused.
pub(crate) fn approvals(basis: &Basis) -> Vec<Command> {
    vec![
        ask(21, basis),
        Command::ConfirmApproval(ConfirmApproval {
            context: Context::new(),
            execution: execution(21),
            basis: basis.clone().policy(&text(), [3; 32]),
            reason: text(),
        }),
        Command::Approve(Approve {
            context: Context::new(),
            execution: execution(21),
            approval: answer(),
        }),
        Command::StartApproved(StartApproved {
            context: Context::new(),
            execution: execution(21),
        }),
        finish(21, completed()),
        ask(22, basis),
        Command::RefuseApproval(RefuseApproval {
            context: Context::new(),
            execution: execution(22),
            refusal: refusal(),
        }),
    ]
}

/// In an order in which none is refused; `Start` needs a permit, `Resolve` an execution in doubt.
pub(crate) fn executions(basis: &Basis) -> Vec<Command> {
    let begin = |number| Command::Begin(request(number, basis.clone()));
    let mut denied = request(4, basis.clone());
    denied.decision = Decision::DeniedPolicyViolation;
    vec![
        begin(1),
        finish(1, completed()),
        begin(2),
        finish(2, failed()),
        begin(3),
        finish(3, Ending::Cancelled(text())),
        Command::Authorize(denied),
        Command::Reject(Rejection {
            context: Context::new(),
            execution: Some(execution(5)),
            input: bytes(),
            problem: text(),
        }),
        import(6, basis, completed()),
        import(7, basis, failed()),
        import(8, basis, Ending::Cancelled(text())),
    ]
}

pub(crate) fn resolve(number: u8) -> Command {
    Command::Resolve(ResolveInDoubt {
        context: Context::new(),
        execution: execution(number),
        resolve: Resolve {
            resolution: Resolution::Completed,
            reason: text(),
            result: json(),
        },
    })
}

pub(crate) fn observation() -> Observation {
    Observation {
        context: Context::new(),
        kind: TelemetryKind::Other,
        name: text(),
        observed_ns: None,
        execution: None,
        outcome: Outcome::Neutral,
        attributes: json(),
    }
}

pub(crate) fn entry() -> AuditEntry {
    AuditEntry {
        context: Context::new(),
        family: AuditFamily::OperatorAction,
        action: text(),
        subject: text(),
        outcome: Outcome::Success,
        execution: None,
        detail: json(),
    }
}

pub(crate) fn change(document: &str) -> Change {
    Change {
        context: Context::new(),
        document: document.to_owned(),
        content: bytes(),
        author: text(),
        reason: text(),
        expected_version: None,
    }
}

pub(crate) fn configuration() -> Vec<Command> {
    vec![
        Command::Change(change("policy")),
        Command::Rollback(Rollback {
            context: Context::new(),
            document: "policy".to_owned(),
            to_version: 1,
            author: text(),
            reason: text(),
            expected_version: None,
        }),
    ]
}

fn definition() -> CapabilityDefinition {
    CapabilityDefinition {
        version: text(),
        description: text(),
        parameters: json(),
    }
}

pub(crate) fn metadata() -> Vec<Command> {
    let (context, expected_version) = (Context::new, None);
    let capability = || "read_file".to_owned();
    let module = || "parser".to_owned();
    vec![
        Command::Identify(Identify {
            context: context(),
            runtime: RuntimeId::from_bytes([9; 16]),
            version: text(),
        }),
        Command::SetModule(SetModule {
            context: context(),
            module: module(),
            version: text(),
        }),
        Command::RemoveModule(RemoveModule {
            context: context(),
            module: module(),
        }),
        Command::RegisterCapability(RegisterCapability {
            context: context(),
            capability: capability(),
            definition: definition(),
            expected_version,
        }),
        Command::ChangeCapability(ChangeCapability {
            context: context(),
            capability: capability(),
            definition: definition(),
            expected_version,
        }),
        Command::SwitchCapability(SwitchCapability {
            context: context(),
            capability: capability(),
            enabled: true,
            reason: text(),
            expected_version,
        }),
        Command::UnregisterCapability(UnregisterCapability {
            context: context(),
            capability: capability(),
            reason: text(),
            expected_version,
        }),
        Command::Transition(Transition {
            context: context(),
            to: State::Idle,
            expected: None,
        }),
        Command::SavePosition(SavePosition {
            context: context(),
            name: "reader".to_owned(),
            seq: 1,
            expected: None,
        }),
    ]
}

/// All kinds but `Start`, which nobody can make without a permit.
pub(crate) fn all(basis: &Basis) -> Vec<Command> {
    let mut all = executions(basis);
    all.extend(approvals(basis));
    all.push(resolve(9));
    all.push(Command::Audit(entry()));
    all.push(Command::Observe(observation()));
    all.extend(configuration());
    all.extend(metadata());
    all
}
