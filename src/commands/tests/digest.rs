// SPDX-License-Identifier: Apache-2.0
//! A command's digest covers every field but the command id: each is changed in turn. A field that
//! is not named here does not compile.

use std::collections::BTreeSet;

use super::*;
use crate::commands::context::NamedSubject;
use crate::commands::parties::Delegation;
use crate::events::{
    CommandId, Decision, LedgerId, ParentId, Party, Resolution, SubjectId, TraceId,
};

/// Ways to change a value, each to another one.
type Changes<T> = Vec<Box<dyn Fn(&mut T)>>;

/// The changes of a struct: those of all its fields, which are named without `..`.
macro_rules! fields {
    ($type:ident { $($field:ident: $changes:expr),+ $(,)? }) => {{
        let _all = |it: $type| {
            let $type { $($field: _),+ } = it;
        };
        let mut all: Changes<$type> = Vec::new();
        $(for change in $changes {
            all.push(Box::new(move |it: &mut $type| change(&mut it.$field)));
        })+
        all
    }};
}

mod approvals;
mod stores;

fn to<T: Clone + 'static>(values: impl IntoIterator<Item = T>) -> Changes<T> {
    let change = |value: T| -> Box<dyn Fn(&mut T)> { Box::new(move |it| it.clone_from(&value)) };
    values.into_iter().map(change).collect()
}

fn text() -> Changes<String> {
    to(["another".to_owned(), String::new()])
}

fn bytes() -> Changes<Vec<u8>> {
    to([b"another".to_vec(), Vec::new()])
}

fn optional_number() -> Changes<Option<u64>> {
    to([Some(0), Some(1)])
}

/// Each party, each part of it, and their order.
fn delegation() -> Changes<Delegation> {
    let party = |parts: (&str, &str)| Party::new(parts.0, parts.1);
    let chains: [&[(&str, &str)]; 6] = [
        &[("a", "b")],
        &[("ab", "")],
        &[("b", "a")],
        &[("a", "b"), ("c", "d")],
        &[("c", "d"), ("a", "b")],
        &[("a", "bc"), ("", "d")],
    ];
    to(chains.map(|chain| Delegation(chain.iter().copied().map(party).collect())))
}

/// By its pseudonym alone: of its id no digest is made.
fn subject() -> Changes<Option<NamedSubject>> {
    let subject = |pseudonym: u8| NamedSubject {
        id: "1".to_owned(),
        pseudonym: Some(SubjectId::from_bytes([pseudonym; 16])),
    };
    to([Some(subject(1)), Some(subject(2))])
}

/// Not the command id.
fn context() -> Changes<Context> {
    fields!(Context {
        command: Changes::<Option<CommandId>>::new(),
        parent: to([Some(ParentId::from_bytes([1; 16]))]),
        trace: to([Some(TraceId::from_bytes([1; 16]))]),
        delegation: delegation(),
        subject: subject(),
    })
}

fn execution() -> Changes<ExecutionId> {
    to([ExecutionId::from_bytes([2; 16])])
}

fn optional_execution() -> Changes<Option<ExecutionId>> {
    to([
        Some(ExecutionId::NIL),
        Some(ExecutionId::from_bytes([2; 16])),
    ])
}

fn basis() -> Basis {
    Basis {
        ledger: LedgerId::from_bytes([9; 16]),
        grounds: Grounds::default(),
    }
}

/// Not the ledger: there is one.
fn of_basis() -> Changes<Basis> {
    let grounds = || {
        fields!(Grounds {
            configuration_version: to([1]),
            registry_version: to([1]),
            policy_version: to(["1".to_owned()]),
            policy_digest: to([[1; 32]]),
        })
    };
    fields!(Basis {
        ledger: Changes::<LedgerId>::new(),
        grounds: grounds(),
    })
}

fn request() -> Request {
    Request {
        context: Context::new(),
        execution: None,
        input: None,
        capability: "message".into(),
        arguments: b"{}".to_vec(),
        decision: Decision::Authorized,
        reason: "a rule".into(),
        basis: basis(),
    }
}

fn of_request() -> Changes<Request> {
    let others = Decision::ALL.into_iter();
    fields!(Request {
        context: context(),
        execution: optional_execution(),
        input: to([Some(Vec::new()), Some(vec![1])]),
        capability: text(),
        arguments: bytes(),
        decision: to(others.filter(|it| *it != Decision::Authorized)),
        reason: text(),
        basis: of_basis(),
    })
}

fn failure() -> Failure {
    Failure {
        code: "1".into(),
        message: "1".into(),
        result: b"1".to_vec(),
    }
}

/// From `Completed(b"1")`.
fn of_ending() -> Changes<Ending> {
    let _all = |it: Ending| match it {
        Ending::Completed(_) | Ending::Failed(_) | Ending::Cancelled(_) => {}
    };
    let failures = fields!(Failure {
        code: text(),
        message: text(),
        result: bytes(),
    });
    let failed = failures.into_iter().map(|change| {
        let mut it = failure();
        change(&mut it);
        Ending::Failed(it)
    });
    to([
        Ending::Completed(b"2".to_vec()),
        Ending::Failed(failure()),
        Ending::Cancelled("1".into()),
        Ending::Cancelled("2".into()),
    ]
    .into_iter()
    .chain(failed))
}

fn definition() -> Changes<CapabilityDefinition> {
    fields!(CapabilityDefinition {
        version: to(["1".to_owned()]),
        description: to(["1".to_owned()]),
        parameters: to([b"1".to_vec()]),
    })
}

/// Seen kinds of commands.
#[derive(Default)]
struct Kinds(BTreeSet<&'static str>);

impl Kinds {
    /// Each change of the content gives a digest of its own.
    fn each<T>(&mut self, make: fn() -> T, of: fn(T) -> Command, changes: Changes<T>) {
        let unchanged = of(make());
        let kind = unchanged.kind();
        let mut seen = BTreeSet::from([unchanged.content_digest()]);
        for (number, change) in changes.iter().enumerate() {
            let mut it = make();
            change(&mut it);
            let is_new = seen.insert(of(it).content_digest());
            assert!(is_new, "{kind}: change {number} does not count");
        }
        assert!(self.0.insert(kind), "{kind} twice");
    }
}

fn permit() -> Permit {
    Permit {
        execution: ExecutionId::from_bytes([1; 16]),
        capability: "message".into(),
        arguments_digest: [1; 32],
        basis: basis(),
        ledger: LedgerId::from_bytes([9; 16]),
        epoch: 1,
        hold: None,
    }
}

fn executions(kinds: &mut Kinds) {
    kinds.each(request, Command::Authorize, of_request());
    kinds.each(request, Command::Begin, of_request());
    let of_permit = fields!(Permit {
        execution: execution(),
        capability: text(),
        arguments_digest: to([[2; 32]]),
        basis: of_basis(),
        ledger: to([LedgerId::from_bytes([8; 16])]),
        epoch: to([2]),
        // The holder is no content.
        hold: Changes::<Option<Hold>>::new(),
    });
    let start = || Start {
        context: Context::new(),
        permit: permit(),
    };
    let changes = fields!(Start {
        context: context(),
        permit: of_permit,
    });
    kinds.each(start, Command::Start, changes);
    let reject = || Rejection {
        context: Context::new(),
        execution: None,
        input: vec![1],
        problem: "not the protocol".into(),
    };
    let changes = fields!(Rejection {
        context: context(),
        execution: optional_execution(),
        input: bytes(),
        problem: text(),
    });
    kinds.each(reject, Command::Reject, changes);
    let finish = || Finish {
        context: Context::new(),
        execution: ExecutionId::from_bytes([1; 16]),
        ending: Ending::Completed(b"1".to_vec()),
    };
    let changes = fields!(Finish {
        context: context(),
        execution: execution(),
        ending: of_ending(),
    });
    kinds.each(finish, Command::Finish, changes);
    let import = || Imported {
        request: request(),
        ending: Ending::Completed(b"1".to_vec()),
    };
    let changes = fields!(Imported {
        request: of_request(),
        ending: of_ending(),
    });
    kinds.each(import, Command::Import, changes);
}

fn resolutions(kinds: &mut Kinds) {
    let resolve = || ResolveInDoubt {
        context: Context::new(),
        execution: ExecutionId::from_bytes([1; 16]),
        resolve: Resolve {
            resolution: Resolution::Lost,
            reason: "a restart".into(),
            result: b"1".to_vec(),
        },
    };
    let others = Resolution::ALL.into_iter();
    let of_resolve = fields!(Resolve {
        resolution: to(others.filter(|it| *it != Resolution::Lost)),
        reason: text(),
        result: bytes(),
    });
    let changes = fields!(ResolveInDoubt {
        context: context(),
        execution: execution(),
        resolve: of_resolve,
    });
    kinds.each(resolve, Command::Resolve, changes);
}

fn told(kinds: &mut Kinds) {
    let audit = || AuditEntry {
        subject: "a file".into(),
        ..entry()
    };
    let families = AuditFamily::ALL.into_iter();
    let changes = fields!(AuditEntry {
        context: context(),
        family: to(families.filter(|it| *it != AuditFamily::OperatorAction)),
        action: text(),
        subject: text(),
        outcome: to([Outcome::Neutral, Outcome::Failure, Outcome::Denied]),
        execution: optional_execution(),
        detail: to([b"1".to_vec()]),
    });
    kinds.each(audit, Command::Audit, changes);
    let changes = fields!(Observation {
        context: context(),
        kind: to([TelemetryKind::Execution, TelemetryKind::Error]),
        name: text(),
        observed_ns: to([Some(0), Some(1), Some(-1)]),
        execution: optional_execution(),
        outcome: to([Outcome::Neutral, Outcome::Failure, Outcome::Denied]),
        attributes: to([b"1".to_vec()]),
    });
    kinds.each(observation, Command::Observe, changes);
}

#[test]
fn every_field_of_every_command_counts() {
    let mut kinds = Kinds::default();
    executions(&mut kinds);
    resolutions(&mut kinds);
    approvals::approvals(&mut kinds);
    told(&mut kinds);
    stores::documents(&mut kinds);
    stores::capabilities(&mut kinds);
    stores::runtime(&mut kinds);
    let all = Command::KINDS.iter().copied().collect();
    assert_eq!(kinds.0, all, "a kind of command is not tried");
}

#[test]
fn the_command_id_does_not_count() {
    let mut named = request();
    named.context = Context::new().command(CommandId::from_bytes([1; 16]));
    let same = Command::Begin(request()).content_digest();
    assert_eq!(Command::Begin(named).content_digest(), same);
    assert_ne!(Command::Authorize(request()).content_digest(), same, "kind");
}
