// SPDX-License-Identifier: Apache-2.0
//! Every requirement that storage has, and where it stands: shown by tests that are named after it, in part, or not
//! yet. A test holds this list against the tests that there are.
//!
//! `S…` is FC-STORAGE-0001 by its sections; the others are what the sibling specifications ask of storage:
//! audit (A), cryptography (C), upgrade (U), performance (P), threats (T), runbook (R), execution model (X), and two of
//! our own (H).

use std::collections::BTreeMap;

/// Where a requirement stands.
enum Stand {
    /// Tests show all of it.
    Shown,
    /// Tests show what there is; the rest comes later.
    Partly(&'static str),
    /// Nothing of it is built, so nothing shows it.
    Later(&'static str),
}

use Stand::{Later, Partly, Shown};

const IDS: [(&str, Stand); 58] = [
    ("S2.1", Shown),
    ("S2.2", Shown),
    ("S3.1", Shown),
    ("S4.1", Shown),
    ("S5.1", Shown),
    ("S5.2", Shown),
    ("S6.1", Shown),
    ("S6.2", Shown),
    ("S6.3", Shown),
    ("S6.4", Shown),
    ("S7.1", Shown),
    ("S7.2", Shown),
    ("S8.1", Shown),
    ("S8.2", Shown),
    ("S8.3", Shown),
    ("S9.1", Shown),
    ("S9.2", Shown),
    ("S10.1", Shown),
    ("S10.2", Shown),
    ("S11.1", Shown),
    ("S12.1", Shown),
    ("S13.1", Shown),
    ("S13.2", Shown),
    ("S14.1", Shown),
    ("S16.1", Shown),
    ("S17.1", Shown),
    ("S18.1", Shown),
    ("S18.2", Shown),
    (
        "S19.1",
        Partly("the soak of ten minutes is a long form: `tests/load`"),
    ),
    ("S20.1", Shown),
    (
        "S21.1",
        Partly("a full and a read-only disk are shown by `tests/load` and `powercut`"),
    ),
    (
        "S22.1",
        Partly("there is no backup yet: a copy of a closed ledger stands for it"),
    ),
    (
        "S23.1",
        Partly(
            "there is one format and no migration yet: newer and older ones are refused untouched",
        ),
    ),
    ("S24.1", Shown),
    ("A1", Shown),
    ("A2", Shown),
    ("A3", Shown),
    (
        "A4",
        Later("there is no archive, and no way to delete a record that would need one: S5.2"),
    ),
    ("A5", Shown),
    ("A6", Shown),
    (
        "A7",
        Partly("there is no backup, restore, migration or pruning yet that could leave a record"),
    ),
    ("C1", Shown),
    ("C2", Partly("exit codes are the programs': `cli/tests`")),
    ("C3", Shown),
    ("U1", Later("there is no migration: one format")),
    (
        "U2",
        Partly("a newer format is refused untouched; rollback and tools come with migration"),
    ),
    (
        "P1",
        Partly(
            "the mechanism is shown, the time measured: `benches/throughput`, `docs/RELIABILITY.md`",
        ),
    ),
    (
        "P2",
        Partly("the mechanism is shown, the time measured: `benches/throughput`"),
    ),
    (
        "P3",
        Partly("the mechanism is shown, the time measured: `benches/footprint`"),
    ),
    (
        "P4",
        Partly("the mechanism is shown, the rate measured: `benches/throughput`"),
    ),
    ("T1", Shown),
    ("T2", Shown),
    ("R1", Shown),
    ("X1", Shown),
    ("X2", Shown),
    (
        "X3",
        Partly(
            "there is no export of payloads yet: what one holds is JSON, byte for byte as it was given",
        ),
    ),
    ("H1", Shown),
    ("H2", Shown),
];

/// The tests of each id, by the beginning of their names.
fn tests() -> BTreeMap<String, Vec<String>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        // What is no test shows nothing, whatever its name.
        for (_, after) in text.match_indices("#[t").map(|(at, _)| text.split_at(at)) {
            let is_test = after.starts_with("#[test]") || after.starts_with("#[tokio::test");
            let Some((_, name)) = after.split_once("fn ").filter(|_| is_test) else {
                continue;
            };
            let name = name.split('(').next().unwrap_or_default();
            if let Some(id) = id_of(name) {
                all.entry(id).or_default().push(name.to_owned());
            }
        }
    }
    all
}

/// `S10.1` of `s10_1_committed…`, `A3` of `a3_time…`.
fn id_of(name: &str) -> Option<String> {
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    let mut parts = name.split('_');
    let first = parts.next()?;
    let (letter, number) = first.split_at_checked(1)?;
    if !letter.bytes().all(|it| it.is_ascii_lowercase()) || !is_number(&number) {
        return None;
    }
    let second = parts.next().filter(is_number);
    let second = second.map_or(String::new(), |second| format!(".{second}"));
    Some(format!("{}{second}", first.to_uppercase()))
}

#[test]
fn every_id_has_tests_or_a_reason_why_not() {
    let mut tests = tests();
    for (id, stand) in &IDS {
        let found = tests.remove(*id).unwrap_or_default();
        match stand {
            Shown => assert!(!found.is_empty(), "{id} has no test"),
            Partly(left) => assert!(!found.is_empty() && !left.is_empty(), "{id} has no test"),
            Later(why) => assert!(found.is_empty() && !why.is_empty(), "{id}: {found:?}"),
        }
    }
    assert!(
        tests.is_empty(),
        "tests of ids that are not in the list: {tests:?}"
    );
}
