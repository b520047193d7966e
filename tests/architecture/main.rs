// SPDX-License-Identifier: Apache-2.0
//! Holds the architecture: which module may know which, who may use which library, how long a file
//! and a function may be. It reads the sources, so a rule cannot be forgotten in a review.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, its helpers too"
)]

use std::fs;
use std::path::{Path, PathBuf};

mod circles;
mod documented;
mod edges;
mod hooks;
mod locks;
mod names;
mod rooms;
mod shown;
mod texts;
mod tuples;
mod words;

/// A library, and the modules or files in which alone it may be named.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("ractor::", &["actors"]),
    ("blake3::", &["integrity"]),
    ("xxhash_rust::", &["database", "integrity"]),
    ("sha2::", &["integrity"]),
    ("rapidhash::", &["actors", "admission", "projections"]),
    ("rpds::", &["actors"]),
    ("quick_cache::", &["projections"]),
    ("ed25519_dalek::", &["integrity"]),
    ("pkcs8::", &["integrity"]),
    (
        "fjall::",
        &[
            "database",
            "journal/fjall",
            "journal/bulk_create",
            "projections",
        ],
    ),
    ("bincode::", &["events"]),
    ("getrandom::", &["clock"]),
    ("rustix::", &["database", "directory", "error"]),
    ("SystemTime", &["clock"]),
    ("Instant::now", &["clock"]),
    ("Utc::now", &["clock"]),
    ("clap::", &["cli"]),
    ("futures_core::", &["ledger"]),
];

/// Calls that only a program may make: a library installs nothing global.
const PROGRAMS_ONLY: &[&str] = &[
    "set_global_recorder",
    "install_recorder",
    "set_global_default",
    "tracing_subscriber",
    "process::exit",
];

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

#[derive(Debug)]
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The first part of its path under `src`; `None` for `lib.rs`, which re-exports from all.
    fn module(&self) -> Option<String> {
        let path = self.path.with_extension("");
        let mut parts = path.iter().map(|part| part.to_string_lossy().into_owned());
        let module = parts.find(|part| part != "src")?;
        (module != "lib").then_some(module)
    }

    /// What is compiled into the library: no comments, no tests.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self.path.iter().any(|part| {
            let part = part.to_string_lossy();
            part == "tests" || part == "tests.rs" || part == "testing.rs"
        });
        let lines = self.text.lines().take(if is_test { 0 } else { usize::MAX });
        let lines = lines.take_while(|line| line.trim() != "#[cfg(test)]");
        let uncommented = |line| str::split(line, "//").next().unwrap_or_default();
        lines
            .map(uncommented)
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}

fn sources(directories: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting: Vec<_> = directories.iter().map(|name| root.join(name)).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        // What a build of a crate below makes is no source of ours.
        if path.ends_with("target") {
            continue;
        }
        if path.is_dir() {
            waiting.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root).unwrap().to_owned();
            found.push(Source { path, text });
        }
    }
    found
}

fn wrong_libraries(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let module = source.module().unwrap_or_default();
        let file = source.path.with_extension("");
        let is_home = |home: &&str| *home == module || file == Path::new("src").join(home);
        for (line, code) in source.code() {
            let place = format!("{}:{line}", source.path.display());
            for (library, homes) in LIBRARIES {
                // A file of ours may have a library's name.
                let named = code.match_indices(library);
                let mut named = named.filter(|(at, _)| {
                    !["self::", "super::"]
                        .iter()
                        .any(|it| code[..*at].ends_with(it))
                });
                if named.next().is_some() && !homes.iter().any(is_home) {
                    wrong.push(format!("{place}: {library} belongs to {homes:?}"));
                }
            }
            for call in PROGRAMS_ONLY.iter().filter(|call| code.contains(**call)) {
                if module != "cli" {
                    wrong.push(format!("{place}: {call} is for programs"));
                }
            }
        }
    }
    wrong
}

/// Files and functions that are too long. `cargo fmt` guarantees that a function ends with a brace
/// at the indentation of its first line.
fn too_long(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for Source { path, text } in sources {
        let lines: Vec<_> = text.lines().collect();
        if lines.len() > FILE_LINES_MAX {
            wrong.push(format!("{}: {} lines", path.display(), lines.len()));
        }
        for (index, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let mut words = code
                .split_whitespace()
                .take_while(|word| !word.starts_with("//"));
            if !words.any(|word| word == "fn") || code.ends_with(';') || code.ends_with('}') {
                continue;
            }
            let end = format!("{}}}", &line[..line.len() - code.len()]);
            let is_end = |line: &&str| **line == end || line.starts_with(&format!("{end} "));
            let length = lines[index..]
                .iter()
                .position(is_end)
                .map_or(0, |last| last + 1);
            if length > FUNCTION_LINES_MAX {
                wrong.push(format!("{}:{}: {length} lines", path.display(), index + 1));
            }
        }
    }
    wrong
}

/// The body of a macro without the comments in it, which name what they link to.
fn uncommented(tokens: &impl ToString) -> String {
    let text = tokens.to_string();
    let mut pieces = text.split("[doc = ");
    let mut code = pieces.next().unwrap_or_default().to_owned();
    let behind = pieces.filter_map(|piece| piece.split_once("\"]"));
    code.extend(behind.map(|(_, rest)| rest));
    code
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// How many names a `use` takes.
fn names(tree: &syn::UseTree) -> usize {
    match tree {
        syn::UseTree::Path(path) => names(&path.tree),
        syn::UseTree::Group(group) => group.items.iter().map(names).sum(),
        syn::UseTree::Name(_) | syn::UseTree::Rename(_) => 1,
        // As many as there come to be.
        syn::UseTree::Glob(_) => usize::MAX / 2,
    }
}

/// The root has what every embedder needs, and the rest is in rooms.
#[test]
fn the_root_has_few_names() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let root = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
    let uses = root.items.iter().filter_map(|item| match item {
        syn::Item::Use(item) => Some(names(&item.tree)),
        _ => None,
    });
    let count: usize = uses.sum();
    assert!((30..=46).contains(&count), "{count} names");
}

#[test]
fn libraries_stay_where_they_belong() {
    assert_none(&wrong_libraries(&sources(&["src", "cli/src"])));
}

#[test]
fn the_embedding_example_has_25_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, start, end) in [
        ("README.md", "```rust", "```"),
        ("src/lib.rs", "//! ```", "//! ```"),
    ] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let lines = text.lines().skip_while(|line| *line != start).skip(1);
        let count = lines.take_while(|line| *line != end).count();
        assert!((10..=25).contains(&count), "{file}: {count} lines");
    }
}

#[test]
fn a_whole_runtime_has_200_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("tests/embedding.rs")).unwrap();
    assert!(text.lines().count() <= 200);
}

#[test]
fn files_and_functions_are_short() {
    assert_none(&too_long(&sources(&[
        "src",
        "cli",
        "tests",
        "examples",
        "benches",
        "powercut/src",
    ])));
}

/// The rules themselves can fail.
#[test]
fn each_violation_is_found() {
    let source = |path: &str, text: &str| Source {
        path: path.into(),
        text: text.to_owned(),
    };
    let used = [
        source("src/actors/a.rs", "let x = fjall::y();\n"),
        source("src/journal/b.rs", "let x = std::time::Instant::now();\n"),
        source("src/journal/frame.rs", "use fjall::Slice;\n"),
        source("src/journal/fjall.rs", "use fjall::Slice;\n"),
        source(
            "src/ledger.rs",
            "PrometheusBuilder::new().install_recorder();\n",
        ),
    ];
    assert_eq!(wrong_libraries(&used).len(), 4);
    assert_none(&wrong_libraries(&[source(
        "src/actors/a.rs",
        "use ractor::Actor;\n",
    )]));

    let body = "    x();\n".repeat(69);
    let long = [
        source("src/a.rs", &format!("pub fn f() {{\n{body}}}\n")),
        source("src/b.rs", &"\n".repeat(401)),
    ];
    assert_eq!(
        too_long(&long),
        ["src/a.rs:1: 71 lines", "src/b.rs: 401 lines"]
    );
}
