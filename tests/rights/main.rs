// SPDX-License-Identifier: Apache-2.0
//! What each path answers to each right: the table *path × right*. Each public function of an open ledger has a row, or is
//! named among those that ask for no grant.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../shared/mod.rs"]
mod shared;

mod approvals;
mod awaiting;
mod executions;
mod exempt;
mod grants;
mod metadata;
mod reads;
mod resolving;
mod scene;
mod stores;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use femtoclaw_ledger::{Quota, Rights, Store};
use scene::{Answer, Hands, Scene};

/// What is granted of the stores that a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    Nothing,
    /// Everything of every other store.
    Others,
    Append,
    /// Reading, without payloads.
    Headers,
    /// Appending, reading with payloads, finishing and resolving for others, answering for persons.
    Right,
    /// The same, taken back after the handles were made.
    Revoked,
    /// Everything, by the root of another ledger.
    Foreign,
}

impl Held {
    const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Others,
        Self::Append,
        Self::Headers,
        Self::Right,
        Self::Revoked,
        Self::Foreign,
    ];

    fn rights(self, stores: &[Store]) -> Rights {
        let none = Rights::none();
        let full = |rights: Rights, store| rights.append(store).read_payloads(store);
        let stores = stores.iter().copied();
        match self {
            Self::Nothing => none,
            Self::Others => {
                let stores: Vec<_> = stores.collect();
                let others = Store::ALL.into_iter().filter(|it| !stores.contains(it));
                others.fold(none, full)
            }
            Self::Append => stores.fold(none, Rights::append),
            Self::Headers => stores.fold(none, Rights::read),
            Self::Right | Self::Revoked => {
                let rights = stores.fold(none, full);
                rights.finish_others().resolve_others().approve()
            }
            Self::Foreign => Rights::all(),
        }
    }
}

/// One path: a function by its file below `src` and its name, what it is tried on, whose rights it needs, and its answers in the order
/// of [`Held::ALL`]. An answer is an error's code; or `ok`; or `withheld`: records, and a payload that is wanting; or `nothing`.
pub(crate) struct Row {
    pub(crate) path: &'static str,
    pub(crate) on: &'static str,
    pub(crate) stores: &'static [Store],
    pub(crate) answers: [&'static str; 7],
    pub(crate) call: fn(Hands) -> scene::Call,
}

macro_rules! row {
    ($path:literal, $on:literal, [$($store:ident),*], $answers:expr, |$h:ident| $call:expr) => {
        crate::Row {
            path: $path,
            on: $on,
            stores: &[$(femtoclaw_ledger::Store::$store),*],
            answers: $answers,
            call: |$h: crate::scene::Hands| Box::pin(async move { $call }),
        }
    };
}
pub(crate) use row;

const NOT: &str = "not_granted";
const GONE: &str = "grant_revoked";
const STRANGE: &str = "foreign_grant";
/// What appends.
pub(crate) const APPENDS: [&str; 7] = [NOT, NOT, "ok", NOT, "ok", GONE, STRANGE];
/// What tells where things stand.
pub(crate) const STANDING: [&str; 7] = [NOT, NOT, NOT, "ok", "ok", GONE, STRANGE];
/// What is payload and nothing else.
pub(crate) const PAYLOADS: [&str; 7] = [NOT, NOT, NOT, NOT, "ok", GONE, STRANGE];
/// What appends or reads.
pub(crate) const EITHER: [&str; 7] = [NOT, NOT, "ok", "ok", "ok", GONE, STRANGE];
/// What needs no right but a grant that is in force.
pub(crate) const ANY: [&str; 7] = ["ok", "ok", "ok", "ok", "ok", GONE, STRANGE];

fn all() -> Vec<Row> {
    [
        approvals::rows(),
        executions::rows(),
        stores::rows(),
        metadata::rows(),
        grants::rows(),
        reads::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test]
async fn every_path_answers_as_its_right_says() {
    let scene = Scene::new().await;
    let strangers = shared::World::new(|_| {}).await;
    let mut wrong = Vec::new();
    for row in all() {
        for (held, expected) in Held::ALL.into_iter().zip(row.answers) {
            let name = format!("{held:?} {} {}", row.path, row.on);
            let root = match held {
                Held::Foreign => &strangers.root,
                _ => &scene.world.root,
            };
            let granted = root.grant(&name, held.rights(row.stores), Quota::default());
            let hands = Hands::new(&scene, granted.await.unwrap(), held).await;
            let answer: Answer = (row.call)(hands).await;
            let answer = answer.unwrap_or_else(|code| code);
            if answer != expected {
                wrong.push(format!("{name}: {answer}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn sources(place: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.is_dir() {
            true if name != "tests" => sources(&path, found),
            false if name.ends_with(".rs") && name != "tests.rs" => found.push(path),
            _ => {}
        }
    }
}

#[test]
fn every_public_function_of_an_open_ledger_has_a_row() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src.join("ledger"), &mut files);
    let mut public = BTreeSet::new();
    for file in files {
        let place = file.strip_prefix(&src).unwrap().display().to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().map(str::trim_start);
        let names = lines.filter_map(|line| {
            let plain = line.strip_prefix("pub fn ");
            plain.or_else(|| line.strip_prefix("pub async fn "))
        });
        for name in names {
            let end = name.find(['(', '<']).unwrap();
            public.insert(format!("{place} {}", &name[..end]));
        }
    }
    let is_exempt = |path: &str| {
        let places = exempt::PLACES.iter();
        places.clone().any(|(place, _)| path.starts_with(place))
    };
    public.retain(|path| !is_exempt(path));
    let rows: BTreeSet<String> = all().iter().map(|row| row.path.to_owned()).collect();
    let exempt = exempt::FUNCTIONS.iter().map(|(path, _)| (*path).to_owned());
    let named: BTreeSet<String> = exempt.chain(rows).collect();
    let without: Vec<_> = public.difference(&named).collect();
    let gone: Vec<_> = named.difference(&public).collect();
    assert!(
        without.is_empty() && gone.is_empty(),
        "without a row {without:#?}, gone {gone:#?}"
    );
}
