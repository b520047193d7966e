// SPDX-License-Identifier: Apache-2.0
//! cargo-mutants' own list.

use std::collections::HashSet;

use serde_json::Value;

pub struct Mutant {
    /// As cargo-mutants calls it, with its place.
    pub name: String,
    pub file: String,
    pub genre: String,
    pub replacement: String,
    /// Line and column, in characters, from 1.
    pub from: (usize, usize),
}

/// Of `cargo mutants --list --json`, those with these names, in that order.
pub fn read(json: &str, chosen: &str) -> Vec<Mutant> {
    let wanted: HashSet<&str> = chosen.lines().collect();
    let all: Vec<Value> = serde_json::from_str(json).expect("a list by cargo-mutants");
    let mut found: Vec<Mutant> = all
        .iter()
        .map(mutant)
        .filter(|it| wanted.contains(it.name.as_str()))
        .collect();
    found.sort_by_key(|it| chosen.lines().position(|name| name == it.name));
    found.dedup_by(|a, b| a.name == b.name);
    found
}

fn mutant(it: &Value) -> Mutant {
    let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| it["span"]["start"][name].as_u64().expect("a place") as usize;
    Mutant {
        name: text("name"),
        file: text("file"),
        genre: text("genre"),
        replacement: text("replacement"),
        from: (number("line"), number("column")),
    }
}
