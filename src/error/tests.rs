// SPDX-License-Identifier: Apache-2.0
//! Every variant of every error has a word of its own and says whether to try again.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::events::{CommandId, EventType, ExecutionId, LedgerId, Seq};
use crate::metrics::REFUSALS;

mod refusals;
mod table;

use refusals::{access, approving};

/// The words in an error's source, as `code()` gives them.
fn words(source: &str) -> BTreeSet<&str> {
    let bodies = source.split("fn code(&self)").skip(1);
    let lines = bodies.filter_map(|body| body.split("\n    }\n").next());
    let lines = lines.flat_map(str::lines);
    let lines = lines.filter_map(|line| line.trim().split_once(" => \""));
    let words = lines.filter_map(|(variant, word)| {
        let word = word.strip_suffix("\",")?;
        variant.starts_with("Self::").then_some(word)
    });
    words.collect()
}

fn opening() -> Vec<(OpenError, Retry)> {
    let path = PathBuf::from("/ledger");
    let text = || "text".to_owned();
    let id = LedgerId::from_bytes([1; 16]);
    let io = io::Error::other("refused");
    let mode = 0o777;
    let (found, supported) = (1, 2);
    let damage = || ReadError::Damaged {
        seq: Seq::FIRST,
        problem: text(),
    };
    vec![
        (
            OpenError::NotADirectory { path: path.clone() },
            Retry::Never,
        ),
        (
            OpenError::Insecure {
                path: path.clone(),
                mode,
                remedy: text(),
            },
            Retry::Never,
        ),
        (OpenError::Locked { pid: 1 }, Retry::Safe),
        (
            OpenError::NotALedger {
                path: path.clone(),
                problem: text(),
            },
            Retry::Never,
        ),
        (OpenError::FormatTooNew { found, supported }, Retry::Never),
        (OpenError::FormatTooOld { found, supported }, Retry::Never),
        (
            OpenError::OtherLedger {
                expected: id,
                found: id,
            },
            Retry::Never,
        ),
        (
            OpenError::Damaged {
                path: path.clone(),
                offset: Some(7),
                problem: text(),
            },
            Retry::Never,
        ),
        (OpenError::Journal(damage()), Retry::Never),
        (
            OpenError::Database {
                path: path.clone(),
                cause: text().into(),
            },
            Retry::Safe,
        ),
        (OpenError::Limits("a limit"), Retry::Never),
        (OpenError::History(text().into()), Retry::Never),
        (OpenError::ProjectionName(text()), Retry::Never),
        (OpenError::Views(text().into()), Retry::Safe),
        (OpenError::Actors(text().into()), Retry::Safe),
        (OpenError::NoRandomness(text().into()), Retry::Safe),
        (OpenError::Sealed(text().into()), Retry::Safe),
        (OpenError::Io { path, source: io }, Retry::Safe),
    ]
}

/// What the system has to say.
fn of_the_system() -> [(OpenError, Retry); 3] {
    let (path, source) = (PathBuf::from("/ledger"), std::io::ErrorKind::Interrupted);
    let refused = OpenError::io(&path, source.into());
    let (needed, limit) = (192, 64);
    let few = OpenError::Descriptors { needed, limit };
    let unread = OpenError::journal(ReadError::Unavailable { cause: "x".into() });
    [refused, few, unread].map(|error| (error, Retry::Safe))
}

/// What the anchor and the key of subjects have to say.
fn anchoring() -> [(OpenError, Retry); 3] {
    let (path, problem) = (PathBuf::from("/ledger/ANCHOR"), "text".to_owned());
    let (anchored, recovered) = (Seq::FIRST.plus(1), Some(Seq::FIRST));
    let missing = OpenError::AcknowledgedRecordsMissing {
        anchored,
        recovered,
    };
    let keyless = OpenError::SubjectKey {
        path: path.clone(),
        problem: problem.clone(),
    };
    let unusable = OpenError::Anchor { path, problem };
    [missing, unusable, keyless].map(|error| (error, Retry::Never))
}

fn appending() -> Vec<(AppendError, Retry)> {
    use AppendError as E;
    let problem = String::new();
    let execution = ExecutionId::from_bytes([2; 16]);
    let (from, to, hint) = ("a", "b", "c");
    let (field, size, limit) = ("content", 2, 1);
    let retry_after = Duration::from_secs(1);
    let mut all = vec![
        (
            E::Invalid {
                field: "x",
                problem: problem.clone(),
            },
            Retry::Never,
        ),
        (
            E::InvalidJson {
                field: "x",
                problem: problem.clone(),
            },
            Retry::Never,
        ),
        (E::TooLarge { field, size, limit }, Retry::Never),
        (
            E::CommitTooLarge {
                records: 2,
                records_max: 1,
                bytes: 2,
                bytes_max: 1,
            },
            Retry::Never,
        ),
        (
            E::Busy {
                what: "records",
                limit: 1,
            },
            Retry::Safe,
        ),
        (E::QuotaExceeded { retry_after }, Retry::Safe),
        (E::TooManyComponents { limit: 1 }, Retry::Never),
        (E::UnknownExecution { execution }, Retry::Never),
        (E::OtherSubject { execution }, Retry::Never),
        (E::NoSubjectKey, Retry::Never),
        (E::InvalidTransition { from, to, hint }, Retry::Never),
        (
            E::VersionConflict {
                expected: 1,
                actual: 2,
            },
            Retry::Never,
        ),
        (
            E::PositionConflict {
                seq: 1,
                expected: None,
                actual: 2,
            },
            Retry::Never,
        ),
        (E::PositionBeyondHead { seq: 2, head: 1 }, Retry::Never),
    ];
    all.extend(deciding());
    let asked = approving().into_iter();
    all.extend(asked.map(|error| (E::Approval(error), Retry::Never)));
    let access = access().into_iter();
    all.extend(access.map(|error| (E::Access(error), Retry::Never)));
    all
}

fn deciding() -> Vec<(AppendError, Retry)> {
    use AppendError as E;
    let (text, problem) = ("text".to_owned(), String::new());
    let command = CommandId::from_bytes([1; 16]);
    let (first, other) = (Store::AuditLog, Store::Telemetry);
    vec![
        (E::PermitStale { what: "registry" }, Retry::Never),
        (
            E::CapabilityNotEnabled {
                capability: text.clone(),
            },
            Retry::Never,
        ),
        (E::IdempotencyConflict { command }, Retry::Never),
        (E::PartialIdempotency { command }, Retry::Never),
        (E::GroupConflict { command }, Retry::Never),
        (E::CrossStore { first, other }, Retry::Never),
        (
            E::Rejected {
                document: text,
                validator: String::new(),
                problem,
            },
            Retry::Never,
        ),
        (
            E::CallbackFailed {
                callback: "redactor",
                name: "x".to_owned(),
                command: "begin",
                problem: "text".to_owned(),
            },
            Retry::Never,
        ),
        (
            E::CallbackTimedOut {
                callback: "validator",
                name: "x".to_owned(),
                budget: Duration::from_secs(1),
            },
            Retry::Safe,
        ),
        (E::Recovering { done: 1, total: 2 }, Retry::Safe),
        (E::ViewLag { lag: 1 }, Retry::Safe),
        (E::History(ReadError::Closed), Retry::AfterReopen),
        (E::ShuttingDown, Retry::AfterReopen),
        (
            E::DiskReserve {
                free: 1,
                reserve: 2,
            },
            Retry::Safe,
        ),
        (E::NoRandomness { cause: "x".into() }, Retry::Safe),
        (E::Sealed { cause: "x".into() }, Retry::AfterReopen),
        (E::Stopped { part: "emitting" }, Retry::AfterReopen),
        (E::OutcomeUnknown { command }, Retry::LookUpFirst),
    ]
}

fn against_a_checkpoint() -> [(OpenError, Retry); 8] {
    let (place, size, head) = (|| "the journal".to_owned(), 2, 1);
    let behind = OpenError::BehindCheckpoint {
        place: place(),
        size,
        head,
    };
    let place = place();
    let other = OpenError::OtherHistory { place, size };
    let key = OpenError::OtherKey {
        key: "name+00000000".to_owned(),
    };
    let busy = AppendError::ShuttingDown;
    let callback = OpenError::Callback(Box::new(busy));
    let destination = OpenError::Destination {
        place: "kept".to_owned(),
        problem: "text".to_owned(),
    };
    let (closed, found) = (Seq::FIRST, Seq::FIRST.plus(1));
    let after = OpenError::RecordsAfterClose { closed, found };
    let odd = OpenError::OddFile {
        path: PathBuf::from("/ledger/LOCK"),
        problem: "it is a pipe".to_owned(),
    };
    let unknown = OpenError::UnknownEvent {
        seq: Seq::FIRST,
        event_type: EventType(0x7777),
        revision: 3,
        encrypted: false,
    };
    let all = [
        behind,
        other,
        key,
        callback,
        destination,
        after,
        odd,
        unknown,
    ];
    all.map(|error| (error, Retry::Never))
}

#[test]
fn every_refusal_to_open_has_a_word_and_says_whether_to_try_again() {
    let mut all = opening();
    all.extend(anchoring());
    all.extend(of_the_system());
    all.extend(against_a_checkpoint());
    for (error, retry) in &all {
        assert_eq!(error.retry(), *retry, "{}", error.code());
    }
    let told: BTreeSet<&str> = all.iter().map(|(error, _)| error.code()).collect();
    assert_eq!(told, words(include_str!("open.rs")));
}

#[test]
fn every_refusal_to_append_has_a_word_a_verdict_and_a_metric_label() {
    let all = appending();
    for (error, retry) in &all {
        assert_eq!(error.retry(), *retry, "{}", error.code());
    }
    let told: BTreeSet<&str> = all.iter().map(|(error, _)| error.code()).collect();
    let of_access = access().map(|error| error.code());
    let own: BTreeSet<&str> = told
        .iter()
        .copied()
        .filter(|code| !of_access.contains(code))
        .collect();
    let mut named = words(include_str!("append.rs"));
    named.extend(words(include_str!("approval.rs")));
    assert_eq!(own, named);
    let [label] = REFUSALS.labels else {
        panic!("one label")
    };
    let labels: BTreeSet<&str> = label.values.iter().copied().collect();
    let refusals: BTreeSet<&str> = told
        .into_iter()
        .filter(|code| *code != "outcome_unknown")
        .chain(words(include_str!("../integrity/witness.rs")))
        .collect();
    assert_eq!(labels, refusals);
}

#[test]
fn every_other_error_has_a_word_and_says_whether_to_try_again() {
    let (reading, closing) = (table::reading(), table::closing());
    let mut told: BTreeSet<&str> = access().map(|error| error.code()).into();
    for error in access() {
        assert_eq!(error.retry(), Retry::Never);
        assert_eq!(ReadError::from(error.clone()).code(), error.code());
    }
    for (error, retry) in &reading {
        assert_eq!(error.retry(), *retry, "{}", error.code());
        told.insert(error.code());
    }
    for error in &closing {
        let again = matches!(error, CloseError::StillInUse { .. });
        let retry = if again { Retry::Safe } else { Retry::Never };
        assert_eq!(error.retry(), retry);
        told.insert(error.code());
    }
    assert_eq!(told, words(include_str!("../error.rs")));
}

#[test]
fn every_refusal_to_open_again_has_a_word_and_says_whether_to_try_again() {
    let inner = || OpenError::Locked { pid: 1 };
    for (error, word, retry) in [
        (ReopenError::Closed, "closed", Retry::Never),
        (ReopenError::StillHung, "still_hung", Retry::Safe),
        (ReopenError::StillInUse, "still_in_use", Retry::Safe),
        (ReopenError::GivenJournal, "given_journal", Retry::Never),
        (ReopenError::Open(inner()), inner().code(), inner().retry()),
    ] {
        assert_eq!((error.code(), error.retry()), (word, retry), "{error}");
    }
}

#[test]
fn the_operator_finds_every_word_in_the_table() {
    let page = include_str!("../../docs/OPERATING.md");
    let sources = [
        include_str!("open.rs"),
        include_str!("append.rs"),
        include_str!("reopen.rs"),
        include_str!("../error.rs"),
        include_str!("../integrity/witness.rs"),
        include_str!("../ledger/attest/witness.rs"),
    ];
    for word in sources.into_iter().flat_map(words) {
        assert!(
            page.contains(&format!("`{word}`")),
            "{word} is not in OPERATING.md"
        );
    }
}
