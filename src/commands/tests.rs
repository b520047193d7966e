use super::*;
use crate::events::{AuditFamily, Outcome, State, TelemetryKind};

fn entry() -> AuditEntry {
    AuditEntry {
        context: Context::new(),
        family: AuditFamily::OperatorAction,
        action: "backup".into(),
        subject: String::new(),
        outcome: Outcome::Success,
        execution: None,
        detail: Vec::new(),
    }
}

fn observation() -> Observation {
    Observation {
        context: Context::new(),
        kind: TelemetryKind::Other,
        name: "backup".into(),
        observed_ns: None,
        execution: None,
        outcome: Outcome::Success,
        attributes: Vec::new(),
    }
}

fn request() -> Request {
    Request {
        context: Context::new(),
        execution: None,
        input: None,
        capability: "message".into(),
        arguments: b"{}".to_vec(),
        decision: crate::events::Decision::Authorized,
        reason: String::new(),
        basis: Basis {
            ledger: crate::events::LedgerId::from_bytes([9; 16]),
            grounds: Grounds::default(),
        },
    }
}

#[test]
fn the_digest_covers_every_field_but_the_command_id() {
    let same = Command::Begin(request()).content_digest();
    let mut named = request();
    named.context = Context::new().command(CommandId::from_bytes([1; 16]));
    assert_eq!(Command::Begin(named).content_digest(), same);
    assert_ne!(Command::Authorize(request()).content_digest(), same, "kind");
    let changes: [fn(&mut Request); 12] = [
        |it| it.context = Context::new().parent(ParentId::from_bytes([1; 16])),
        |it| it.context = Context::new().trace(TraceId::from_bytes([1; 16])),
        |it| it.execution = Some(ExecutionId::from_bytes([1; 16])),
        |it| it.input = Some(Vec::new()),
        |it| it.capability.push('x'),
        |it| it.arguments.push(b' '),
        |it| it.decision = crate::events::Decision::DeniedPolicyViolation,
        |it| it.reason.push('x'),
        |it| it.basis.grounds.configuration_version = 1,
        |it| it.basis.grounds.registry_version = 1,
        |it| it.basis.grounds.policy_version.push('x'),
        |it| it.basis.grounds.policy_digest = [1; 32],
    ];
    let mut seen = std::collections::BTreeSet::from([same]);
    for change in changes {
        let mut other = request();
        change(&mut other);
        assert!(seen.insert(Command::Begin(other).content_digest()));
    }
}

#[test]
fn fields_of_the_other_stores_count_too() {
    let transition = |to, expected| {
        let context = Context::new();
        Command::Transition(Transition {
            context,
            to,
            expected,
        })
    };
    let mut failed = entry();
    failed.outcome = Outcome::Failure;
    let mut timed = observation();
    timed.observed_ns = Some(0);
    let change = Change {
        context: Context::new(),
        document: "d".into(),
        content: Vec::new(),
        author: "a".into(),
        reason: "r".into(),
        expected_version: None,
    };
    let expecting = Change {
        expected_version: Some(0),
        ..change.clone()
    };
    let finish = |ending| {
        let (context, execution) = (Context::new(), ExecutionId::from_bytes([1; 16]));
        Command::Finish(Finish {
            context,
            execution,
            ending,
        })
    };
    let all = [
        Command::Audit(entry()),
        Command::Audit(failed),
        Command::Observe(observation()),
        Command::Observe(timed),
        Command::Change(change),
        Command::Change(expecting),
        transition(State::Idle, None),
        transition(State::Idle, Some(State::Error)),
        transition(State::Error, None),
        finish(Ending::Completed(b"1".to_vec())),
        finish(Ending::Cancelled("1".into())),
    ];
    let digests: std::collections::BTreeSet<_> = all.iter().map(Command::content_digest).collect();
    assert_eq!(digests.len(), all.len());
}

#[test]
fn a_group_has_one_store_and_fits_a_commit() {
    let limits = Limits::default();
    assert_eq!(Command::validate_group(&[], &limits), Ok(()));
    let mixed = [Command::Audit(entry()), Command::Observe(observation())];
    let (first, other) = (Store::AuditLog, Store::Telemetry);
    let refused = Command::validate_group(&mixed, &limits);
    assert_eq!(refused, Err(AppendError::CrossStore { first, other }));

    let group = |count: usize, detail: usize| -> Vec<Command> {
        let big = || AuditEntry {
            detail: [b"1".to_vec(), vec![b' '; detail]].concat(),
            ..entry()
        };
        (0..count).map(|_| Command::Audit(big())).collect()
    };
    for (count, detail, fits) in [
        (256, 0, true),
        (257, 0, false),
        (3, 1_000_000, true),
        (5, 1_000_000, false),
    ] {
        let outcome = Command::validate_group(&group(count, detail), &limits);
        let code = outcome.map_err(|error| error.code());
        assert_eq!(code.is_ok(), fits, "{count} × {detail}");
        assert!(fits || code == Err("commit_too_large"));
    }
}

#[test]
fn an_oversize_result_counts_as_what_is_kept() {
    let limits = Limits::default();
    let finish = Command::Finish(Finish {
        context: Context::new(),
        execution: ExecutionId::from_bytes([1; 16]),
        ending: Ending::Completed([b"1".to_vec(), vec![b' '; 9 << 20]].concat()),
    });
    assert!(finish.finishes() && finish.size() > 9 << 20);
    assert!(finish.stored_size(&limits) < 2 << 20);
    assert_eq!(Command::validate_group(&[finish], &limits), Ok(()));
}
