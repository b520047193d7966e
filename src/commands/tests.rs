// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::events::{AuditFamily, Outcome, TelemetryKind};

mod builders;
mod compared;
mod cut;
mod digest;
mod redactor;
mod room;
mod sizes;

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
    // To the byte.
    let whole = group(3, 1_000);
    let bytes = whole
        .iter()
        .map(|command| command.stored_size(&limits))
        .sum();
    for (commit_bytes_max, fits) in [(bytes, true), (bytes - 1, false)] {
        let limits = Limits {
            commit_bytes_max,
            ..limits.clone()
        };
        assert_eq!(Command::validate_group(&whole, &limits).is_ok(), fits);
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

#[test]
fn a_request_is_built_and_its_arguments_are_json() {
    let basis = Basis {
        ledger: crate::events::LedgerId::NIL,
        grounds: Grounds::default(),
    };
    let request = Request::new("add", crate::events::Decision::Authorized, basis);
    assert_eq!(request.arguments, b"{}");
    let request = request.input("raw").reason("why").arguments_json(&[1, 2]);
    let request = request.unwrap();
    assert_eq!(
        (&*request.arguments, &*request.reason),
        (&b"[1,2]"[..], "why")
    );
    assert_eq!(request.input.as_deref(), Some(&b"raw"[..]));
    // A key of a map that is no text.
    let refused = request.arguments_json(&std::collections::HashMap::from([([1], 2)]));
    assert_eq!(refused.unwrap_err().code(), "invalid_json");
}
