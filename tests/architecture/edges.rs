// SPDX-License-Identifier: Apache-2.0
//! Which top-level module may use which.

use std::collections::BTreeSet;

use crate::circles::Crate;
use crate::{Source, assert_none, sources};

/// A module of `src`, and the modules that it may use. Each uses only modules of rows above its own, so there is no circle.
/// A new edge is a line that a review reads; an edge that nothing needs any more goes.
const ALLOWED: &[(&str, &str)] = &[
    // These two are all there is without the feature `engine`.
    ("events", ""),
    ("integrity", "events"),
    ("config", ""),
    ("locks", ""),
    ("pace", "locks"),
    ("parse", ""),
    ("redaction", ""),
    ("clock", "events locks"),
    ("error", "events"),
    // Its labels are the names of the stores.
    ("metrics", "events"),
    // A part that is gone counts.
    ("vitals", "locks metrics"),
    // Clock, entropy, signer and verifier may be the embedder's: each has its seat.
    ("callbacks", "clock integrity locks metrics pace"),
    ("access", "clock error events locks"),
    // A redaction that fails says how, in the words of its seat.
    (
        "commands",
        "callbacks config error events integrity redaction",
    ),
    ("admission", "access config error events locks"),
    // A torn tail is told by its digest.
    ("database", "error integrity parse"),
    (
        "journal",
        "clock database error events integrity locks metrics parse vitals",
    ),
    // The anchor is made before the identity: a directory with an identity has one.
    ("directory", "clock database error events integrity journal"),
    // Views read no journal: they are given a `Source`.
    (
        "projections",
        "callbacks clock database error events integrity locks metrics",
    ),
    // Of the views, the digest of the registry alone: what is in force has the same.
    (
        "actors",
        "access admission clock commands config error events integrity journal locks \
         metrics projections vitals",
    ),
    (
        "ledger",
        "access actors admission callbacks clock commands config database directory error \
         events integrity journal locks metrics parse projections redaction vitals",
    ),
];

/// The top-level module that a path of the crate begins with; `None` for `lib.rs`, which passes on from all of them.
fn top(module: &[String]) -> Option<&str> {
    module.first().map(String::as_str)
}

/// Every use of another top-level module that is not allowed, every row that is out of order or needed by nothing.
fn wrong_edges(parsed: &Crate, allowed: &[(&str, &str)]) -> Vec<String> {
    let may = |row: usize, name: &str| allowed[row].1.split_whitespace().any(|it| it == name);
    let row = |name: &str| allowed.iter().position(|(module, _)| *module == name);
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for module in parsed.0.keys() {
        let Some(from) = top(module) else { continue };
        let file = module.join("/");
        let Some(at) = row(from) else {
            wrong.push(format!("{file}: module {from} has no row"));
            continue;
        };
        // A name of the root hides where it comes from.
        let of_the_root = parsed.root_names(module).into_iter();
        wrong.extend(of_the_root.map(|name| format!("{file}: crate::{name} names no module")));
        for target in parsed.needs(module).keys() {
            let to = top(target).unwrap_or("lib");
            if to != from && !may(at, to) {
                wrong.push(format!("{file}: {from} must not use {to}"));
            }
            used.insert((from.to_owned(), to.to_owned()));
        }
    }
    for (at, (from, targets)) in allowed.iter().enumerate() {
        for to in targets.split_whitespace() {
            if row(to).is_none_or(|to| to >= at) {
                wrong.push(format!("{from} → {to} is no row above"));
            }
            if !used.contains(&((*from).to_owned(), to.to_owned())) {
                wrong.push(format!("{from} → {to} is needed by nothing"));
            }
        }
    }
    wrong
}

#[test]
fn modules_use_only_what_they_may() {
    let sources = sources(&["src"]);
    assert!(sources.len() > 10);
    assert_none(&wrong_edges(&Crate::parse(&sources), ALLOWED));
}

/// The rules themselves can fail.
#[test]
fn each_wrong_edge_is_found() {
    let file = |path: &str, text: &str| Source {
        path: path.into(),
        text: text.to_owned(),
    };
    let files = [
        file("src/lib.rs", "mod a; mod b; pub use b::B;\n"),
        file("src/a.rs", "use crate::b::B; pub(crate) struct A;\n"),
        // In a group, by the parent, by a path in code: each is the same edge.
        file("src/b/mod.rs", "pub struct B; use crate::{a::A};\n"),
        file("src/b/one.rs", "use super::super::a::A;\n"),
        file("src/b/two.rs", "fn f() -> crate::a::A { crate::a::A }\n"),
        file("src/b/three.rs", "fn f() -> crate::B {}\n"),
        file(
            "src/b/four.rs",
            "#[cfg(test)]\nmod tests { use crate::c::x; }\n",
        ),
        // A comment needs nothing, in a macro neither.
        file("src/b/five.rs", "m! {\n/// [`A`](crate::a::A).\nA }\n"),
        file("src/novel.rs", "\n"),
    ];
    let parsed = Crate::parse(&files);
    let expected = [
        "a: a must not use b",
        "b/three: crate::B names no module",
        "novel: module novel has no row",
    ];
    assert_eq!(wrong_edges(&parsed, &[("a", ""), ("b", "a")]), expected);
    let expected = [
        "b: b must not use a",
        "b/one: b must not use a",
        "b/three: crate::B names no module",
        "b/two: b must not use a",
        "a → b is no row above",
    ];
    let found = wrong_edges(&parsed, &[("a", "b"), ("b", ""), ("novel", "")]);
    assert_eq!(found, expected);
    let unused = wrong_edges(&parsed, &[("novel", ""), ("a", "novel")]);
    assert!(unused.contains(&"a → novel is needed by nothing".to_owned()));
}
