// SPDX-License-Identifier: Apache-2.0
//! The operator's tables say of every code what the code says.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    AppendError, CloseError, OpenError, ReadError, ReopenError, Retry, SalvageError, access,
    against_a_checkpoint, anchoring, appending, of_the_system, opening, words,
};
use crate::events::{DecodeError, Seq};
use crate::ledger::{CheckpointError, EvidenceError};
use crate::projections::{SubscriptionError, ViewError};

/// What one table says of each code, and whose codes it takes over.
#[derive(Default)]
struct Table {
    codes: BTreeMap<String, String>,
    /// "an opening's", "a read's" and the like.
    others: Vec<String>,
}

fn table(name: &str) -> Table {
    let page = include_str!("../../../docs/OPERATING.md");
    let head = format!("| {name}: `code()` | retry |");
    let (_, rows) = page.split_once(&head).expect("the table is there");
    let rows = rows
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut table = Table::default();
    for row in rows {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        let (codes, retry) = (cells.next().unwrap(), cells.next().unwrap());
        let who = cells.next().unwrap_or_default();
        assert!(!who.trim_matches('|').is_empty(), "{row}: who must act?");
        let named: Vec<&str> = codes.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            table.others.push(codes.to_owned());
        }
        for code in named {
            let twice = table.codes.insert(code.to_owned(), retry.to_owned());
            assert!(twice.is_none(), "{name}: {code} stands twice");
        }
    }
    table
}

const fn word(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "never",
        Retry::Safe => "safe",
        Retry::AfterReopen => "after opening again",
        Retry::LookUpFirst => "look up first",
    }
}

/// Every code stands in its table with its verdict, and the table names no other.
fn holds(name: &str, told: impl IntoIterator<Item = (&'static str, Retry)>) {
    let table = table(name);
    for (code, retry) in told {
        let Some(said) = table.codes.get(code) else {
            panic!("{name}: {code} is not in the table")
        };
        let as_told = said.starts_with(word(retry)) || said.starts_with("as the");
        assert!(as_told, "{name}: {code} is {}, not {said}", word(retry));
    }
}

/// The codes of the tables and those of the sources are the same.
fn names(name: &str, codes: impl IntoIterator<Item = &'static str>) {
    let mut left = table(name).codes;
    // Several errors may share a code: the right to a store, and the right to its payloads.
    for code in codes.into_iter().collect::<BTreeSet<_>>() {
        assert!(left.remove(code).is_some(), "{name}: {code} is missing");
    }
    assert!(left.is_empty(), "{name}: no error has the codes {left:?}");
}

pub(super) fn reading() -> [(ReadError, Retry); 7] {
    [
        (
            ReadError::Damaged {
                seq: Seq::FIRST,
                problem: String::new(),
            },
            Retry::Never,
        ),
        (
            ReadError::Undecodable {
                seq: Seq::FIRST,
                problem: DecodeError::UnknownCodec(9),
            },
            Retry::Never,
        ),
        (ReadError::Recovering { done: 1, total: 2 }, Retry::Safe),
        (ReadError::Unavailable { cause: "x".into() }, Retry::Safe),
        (ReadError::ForeignSnapshot, Retry::Never),
        (ReadError::NoSubjectKey, Retry::Never),
        (ReadError::Closed, Retry::AfterReopen),
    ]
}

pub(super) fn closing() -> [CloseError; 6] {
    [
        CloseError::DeadlinePassed {
            running: 1,
            pending: 1,
        },
        CloseError::Sealed { cause: "x".into() },
        CloseError::RuntimeGone,
        CloseError::Reopened,
        CloseError::StillInUse { what: "the scrub" },
        CloseError::Storage { cause: "x".into() },
    ]
}

#[test]
fn appending_is_told_as_it_is() {
    holds(
        "append",
        appending().iter().map(|(it, _)| (it.code(), it.retry())),
    );
    let access = access().map(|error| error.code());
    names(
        "append",
        words(include_str!("../append.rs"))
            .into_iter()
            .chain(words(include_str!("../approval.rs")))
            .chain(access),
    );
}

#[test]
fn opening_is_told_as_it_is() {
    let mut all: Vec<OpenError> = opening().into_iter().map(|(error, _)| error).collect();
    all.extend(anchoring().map(|(error, _)| error));
    all.extend(against_a_checkpoint().map(|(error, _)| error));
    all.extend(of_the_system().map(|(error, _)| error));
    // As an append says.
    all.retain(|error| !matches!(error, OpenError::Callback(_)));
    holds("open", all.iter().map(|it| (it.code(), it.retry())));
    let words = words(include_str!("../open.rs")).into_iter();
    names("open", words.filter(|word| !word.starts_with("callback")));
}

#[test]
fn opening_again_and_salvage_are_told_as_they_are() {
    let own = [
        ReopenError::Closed,
        ReopenError::StillHung,
        ReopenError::StillInUse,
        ReopenError::GivenJournal,
    ];
    holds("reopen", own.iter().map(|it| (it.code(), it.retry())));
    names("reopen", words(include_str!("../reopen.rs")));
    assert_eq!(table("reopen").others, ["an opening's"]);

    let path = || "/ledger".into();
    let text = || "text".to_owned();
    let own = [
        SalvageError::TargetExists { path: path() },
        SalvageError::TargetInSource { path: path() },
        SalvageError::Busy { path: path() },
        SalvageError::Nothing { why: text() },
        SalvageError::OtherHistory { seq: 1 },
        SalvageError::Read(ReadError::Closed),
        SalvageError::Write(OpenError::Sealed(text().into())),
        SalvageError::NotVerified(text().into()),
    ];
    holds("salvage", own.iter().map(|it| (it.code(), it.retry())));
    names("salvage", words(include_str!("../salvage.rs")));
}

#[test]
fn reading_and_following_are_told_as_they_are() {
    holds(
        "read",
        reading().iter().map(|(it, _)| (it.code(), it.retry())),
    );
    let (behind, tolerated, next) = (2, 1, 1);
    let (expected, found) = (1, 2);
    let own = [
        SubscriptionError::Lagged {
            behind,
            tolerated,
            next,
        },
        SubscriptionError::Source(String::new()),
        SubscriptionError::Closed,
        SubscriptionError::Gap { expected, found },
    ];
    holds("follow", own.iter().map(|it| (it.code(), it.retry())));
    let may_not = ["not_granted", "grant_revoked", "foreign_grant"];
    let own = words(include_str!("../../projections/subscription.rs"));
    names("follow", own.into_iter().chain(may_not));
    assert_eq!(table("follow").others, ["a read's"]);
    let inner = ReadError::Unavailable { cause: "x".into() };
    let outer = SubscriptionError::Read(inner.clone());
    assert_eq!((outer.code(), outer.retry()), (inner.code(), inner.retry()));
}

#[test]
fn closing_is_told_as_it_is() {
    let all: [CloseError; 6] = closing();
    holds("close", all.iter().map(|it| (it.code(), it.retry())));
    names("close", all.iter().map(CloseError::code));
}

#[test]
fn checkpoints_and_evidence_are_told_as_they_are() {
    let text = || "text".to_owned();
    let own = [
        CheckpointError::NoSigner,
        CheckpointError::Tree(ViewError::Closed),
        CheckpointError::Rewritten(1),
        CheckpointError::Signer(text().into()),
        CheckpointError::NotRecorded(text().into()),
        CheckpointError::NotOurs,
        CheckpointError::Cosignature(text().into()),
        CheckpointError::Key(text().into()),
        CheckpointError::Export(text().into()),
        CheckpointError::Stopped,
    ];
    holds("checkpoint", own.iter().map(|it| (it.code(), it.retry())));
    names(
        "checkpoint",
        words(include_str!("../../ledger/attest/checkpoints/options.rs")),
    );
    let (seq, size) = (Seq::FIRST, 0);
    let own = [
        EvidenceError::NotCovered { seq, size },
        EvidenceError::Unnamed,
        EvidenceError::Write(text().into()),
        EvidenceError::Checkpoint(CheckpointError::Tree(ViewError::Closed)),
    ];
    holds("evidence", own.iter().map(|it| (it.code(), it.retry())));
}

/// A loop that sends again what may be sent again does not spin on a ledger that is closed or
/// sealed.
#[test]
fn what_this_ledger_never_takes_again_is_not_safe_to_send_again() {
    let cause = || "x".into();
    let over = [
        AppendError::ShuttingDown,
        AppendError::Sealed { cause: cause() },
        AppendError::Stopped { part: "emitting" },
        AppendError::History(ReadError::Closed),
    ];
    assert!(over.iter().all(|it| it.retry() == Retry::AfterReopen));
    assert_eq!(ReadError::Closed.retry(), Retry::AfterReopen);
    assert_eq!(SubscriptionError::Closed.retry(), Retry::AfterReopen);
    assert_eq!(ViewError::Closed.retry(), Retry::AfterReopen);
}
