// SPDX-License-Identifier: Apache-2.0
//! What the documents claim, and what no text may hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{assert_none, sources};

/// Every cell of the attack matrix that claims something names a test, and every test that
/// `docs/SECURITY.md` names exists.
#[test]
fn what_the_security_page_claims_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/SECURITY.md")).unwrap();
    let cells = page.lines().filter(|line| line.starts_with("| "));
    let cells = cells.flat_map(|line| line.split(" | "));
    let claims = cells.filter(|cell| cell.starts_with("detected") || cell.starts_with("refused"));
    let unnamed: Vec<_> = claims
        .filter(|cell| !cell.contains('`') && !cell.contains(": same"))
        .collect();
    assert!(unnamed.is_empty(), "no test is named: {unnamed:?}");
    let code: String = sources(&["src", "tests", "cli"])
        .into_iter()
        .map(|source| source.text)
        .collect();
    let is_test = |name: &&str| {
        let word = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
        name.matches('_').count() > 2 && name.trim_end_matches('…').chars().all(word)
    };
    let names: BTreeSet<_> = page.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let begins = format!("fn {}", name.trim_end_matches('…'));
        assert!(code.contains(&begins), "there is no test {name}");
    }
}

/// A merge that was not finished leaves its marks in texts that no compiler reads.
#[test]
fn no_file_holds_a_conflict_of_a_merge() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting: Vec<PathBuf> = ["docs", "tests", "src", "cli", "scripts", ".ci"]
        .map(|name| root.join(name))
        .into();
    waiting.extend(
        [
            "README.md",
            "ARCHITECTURE.md",
            "CONTRIBUTING.md",
            "CHANGELOG.md",
        ]
        .map(|name| root.join(name)),
    );
    let (mut read, mut wrong) = (0, Vec::new());
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if let Ok(text) = fs::read_to_string(&path) {
            read += 1;
            let marks = ["<<<<<<< ", ">>>>>>> "];
            let is_mark = |line: &str| marks.iter().any(|mark| line.starts_with(mark));
            wrong.extend(
                text.lines()
                    .filter(|line| is_mark(line))
                    .map(|line| format!("{}: {line}", path.display())),
            );
        }
    }
    assert!(read > 100);
    assert_none(&wrong);
}

/// All of them open ledgers but this one; without the engine there are none.
#[test]
fn each_test_of_a_ledger_says_that_it_needs_the_engine() {
    let is_target = |path: &Path| {
        let parts = path.components().count();
        let is_main = path.file_name().is_some_and(|name| name == "main.rs");
        parts == 2 || (parts == 3 && is_main)
    };
    let mut targets = sources(&["tests"]);
    targets.retain(|it| is_target(&it.path) && !it.path.starts_with("tests/architecture"));
    assert!(targets.len() > 20);
    let says = |text: &str| text.contains("\n#![cfg(feature = \"engine\")]\n");
    let silent = targets.iter().filter(|it| !says(&it.text));
    let silent: Vec<_> = silent.map(|it| it.path.display().to_string()).collect();
    assert_none(&silent);
}

/// Every public asynchronous function says what a call that is dropped leaves behind.
#[test]
fn every_asynchronous_function_says_what_cancelling_it_leaves() {
    let says = |doc: &str| {
        let words = [
            "Cancel safe",
            "Cancelled",
            "ancelling",
            "call was cancelled",
        ];
        words.iter().any(|word| doc.contains(word))
    };
    let (mut looked_at, mut silent) = (0, Vec::new());
    for source in sources(&["src"]) {
        let mut doc = String::new();
        for line in source.text.lines().map(str::trim) {
            match line.strip_prefix("///") {
                Some(text) => doc.push_str(text),
                None if line.starts_with("#[") => {}
                None => {
                    if line.starts_with("pub async fn ") {
                        looked_at += 1;
                        if !says(&doc) {
                            silent.push(format!("{}: {line}", source.path.display()));
                        }
                    }
                    doc.clear();
                }
            }
        }
    }
    assert!(looked_at > 60, "{looked_at} functions");
    assert_none(&silent);
}

/// The files and directories that a row of a table names, each with the places where it may be: as it is written,
/// or in the directory that the row or the table's first line is about.
fn named_in_tables(page: &str) -> Vec<(String, Vec<String>)> {
    let mut table = Vec::new();
    let mut named = Vec::new();
    let mut was_row = false;
    for line in page.lines() {
        let is_row = line.starts_with('|');
        let quoted = line.split('`').skip(1).step_by(2);
        let has_end = |it: &&str| it.ends_with('/') || it.rsplit_once('.').is_some_and(is_file);
        let paths: Vec<&str> = quoted.filter(has_end).collect();
        let rooms = |paths: &[&str]| -> Vec<String> {
            let rooms = paths.iter().filter(|it| it.ends_with('/'));
            rooms.map(|it| (*it).to_owned()).collect()
        };
        if is_row {
            if !was_row {
                table = rooms(&paths);
            }
            let mut places = table.clone();
            if was_row {
                let row = rooms(&paths);
                let below =
                    |it: &String| row.iter().map(|room| it.clone() + room).collect::<Vec<_>>();
                places.extend(table.iter().flat_map(below));
                places.extend(row);
            }
            named.extend(paths.iter().map(|it| ((*it).to_owned(), places.clone())));
        }
        was_row = is_row;
    }
    named
}

fn is_file((name, end): (&str, &str)) -> bool {
    !name.is_empty() && ["rs", "md", "sh", "toml", "svg"].contains(&end)
}

/// A map is worth as much as its paths, and a newcomer's question has an answer by file name.
#[test]
fn every_path_in_the_tables_of_the_architecture_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let exists = |place: &str, path: &str| {
        let place = root.join(place);
        place.join(path).exists() || place.join("src").join(path).exists()
    };
    let named = named_in_tables(&page);
    assert!(named.len() > 120, "{} paths", named.len());
    let missing = named.into_iter().filter(|(path, rooms)| {
        !root.join(path).exists() && !rooms.iter().any(|room| exists(room, path))
    });
    let missing: Vec<_> = missing.map(|(path, _)| path).collect();
    assert_none(&missing);

    let questions = page
        .lines()
        .filter(|line| line.starts_with("| W") && line.contains("? |"));
    let silent = |line: &&str| !line.contains(".rs`");
    let (silent, answered): (Vec<_>, Vec<_>) = questions.partition(silent);
    assert!(silent.is_empty(), "no file answers: {silent:?}");
    assert!(answered.len() >= 13, "{} questions", answered.len());
}

#[test]
fn a_path_that_is_gone_is_missed_in_its_table() {
    let page = "`src/a.rs`\n| in `src/b/` | what |\n|---|---|\n| `e/` | `gone.rs` |\n\n| `src/c/`: `d.rs` |\n";
    let named = named_in_tables(page);
    let rooms = |index: usize| named[index].1.join(" ");
    let paths: Vec<_> = named.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["src/b/", "e/", "gone.rs", "src/c/", "d.rs"]);
    assert_eq!(rooms(2), "src/b/ src/b/e/ e/");
    assert_eq!(rooms(4), "src/c/");
}

/// Each source names its licence on its first line, as SPDX has it.
#[test]
fn every_source_names_its_licence() {
    let places = [
        "src",
        "cli",
        "tests",
        "examples",
        "benches",
        "powercut/src",
        "fuzz",
    ];
    let all = sources(&places);
    assert!(all.len() > 400);
    let names = |text: &str| text.starts_with("// SPDX-License-Identifier: Apache-2.0\n");
    let without = all
        .iter()
        .filter(|it| !names(&it.text) && !it.path.iter().any(|part| part == "target"));
    let without: Vec<_> = without.map(|it| it.path.display().to_string()).collect();
    assert_none(&without);
}
