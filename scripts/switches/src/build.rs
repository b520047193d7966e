// SPDX-License-Identifier: Apache-2.0
//! The copy of the library with all switches, as many as it builds with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::list::Mutant;
use crate::source::{Region, switched};

pub struct Built {
    /// Those with a switch.
    pub taken: BTreeSet<usize>,
    /// Those that have none since the library does not build with it.
    pub refused: BTreeSet<usize>,
    /// Each target and its program.
    pub programs: Vec<(String, PathBuf)>,
}

pub fn build(tree: &Path, mutants: &[Mutant], targets: &[String]) -> Built {
    let library = tree.join("src/lib.rs");
    let text = std::fs::read_to_string(&library).expect("src/lib.rs");
    std::fs::write(&library, format!("{text}\nmod mutant_switch;\n")).expect("src/lib.rs");
    std::fs::write(tree.join("src/mutant_switch.rs"), include_str!("switch.rs"))
        .expect("the switch");

    let mut files: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::new();
    for (id, mutant) in mutants.iter().enumerate() {
        files.entry(&mutant.file).or_default().push((id, mutant));
    }
    let sources: BTreeMap<&str, String> = files
        .keys()
        .map(|&file| {
            (
                file,
                std::fs::read_to_string(tree.join(file)).expect("a source"),
            )
        })
        .collect();
    let mut refused = BTreeSet::new();
    loop {
        let mut taken = BTreeSet::new();
        let mut regions: BTreeMap<String, Vec<Region>> = BTreeMap::new();
        for (&file, mutants) in &files {
            let left: Vec<_> = mutants
                .iter()
                .filter(|(id, _)| !refused.contains(id))
                .copied()
                .collect();
            let made = switched(&sources[file], &left);
            write_changed(&tree.join(file), &made.text);
            taken.extend(made.taken);
            regions.insert(file.to_owned(), made.regions);
        }
        let errors = errors(tree);
        if errors.is_empty() {
            return Built {
                taken,
                refused,
                programs: programs(tree, targets),
            };
        }
        let before = refused.len();
        for error in &errors {
            refused.extend(to_blame(error, &regions));
        }
        eprintln!(
            "{} errors, {} switches taken out",
            errors.len(),
            refused.len() - before
        );
        if refused.len() == before {
            for error in errors {
                eprintln!(
                    "{}",
                    error["rendered"]
                        .as_str()
                        .unwrap_or("an error without a text")
                );
            }
            panic!("errors that no switch explains");
        }
    }
}

fn write_changed(path: &Path, text: &str) {
    if std::fs::read_to_string(path).is_ok_and(|it| it == text) {
        return;
    }
    std::fs::write(path, text).expect("a source is written");
}

/// The mutants of the smallest region around each place that an error names first; of any place, where none helps. A
/// `match` without all of its arms is told by what is matched: the next region behind that has one of the arms.
fn to_blame(error: &Value, regions: &BTreeMap<String, Vec<Region>>) -> Vec<usize> {
    let spans = error["spans"].as_array().cloned().unwrap_or_default();
    let of = |span: &Value| {
        let from = span["byte_start"].as_u64()? as usize;
        let to = span["byte_end"].as_u64()? as usize;
        let regions = regions.get(span["file_name"].as_str()?)?;
        let around = regions.iter().filter(|it| it.from <= from && to <= it.to);
        around
            .min_by_key(|it| it.to - it.from)
            .map(|it| it.ids.clone())
    };
    let first: Vec<usize> = spans
        .iter()
        .filter(|it| it["is_primary"] == true)
        .filter_map(of)
        .flatten()
        .collect();
    if !first.is_empty() {
        return first;
    }
    let any: Vec<usize> = spans.iter().filter_map(of).flatten().collect();
    if !any.is_empty() {
        return any;
    }
    let behind = |span: &Value| {
        let to = span["byte_end"].as_u64()? as usize;
        let regions = regions.get(span["file_name"].as_str()?)?;
        let behind = regions.iter().filter(|it| it.from >= to);
        behind.min_by_key(|it| it.from).map(|it| it.ids.clone())
    };
    spans.iter().filter_map(behind).flatten().collect()
}

fn errors(tree: &Path) -> Vec<Value> {
    let out = Command::new("cargo")
        .args([
            "check",
            "--locked",
            "-q",
            "-p",
            "femtoclaw-ledger",
            "--lib",
            "--message-format=json",
        ])
        .current_dir(tree)
        .stderr(Stdio::null())
        .output()
        .expect("cargo");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|it| it["reason"] == "compiler-message" && it["message"]["level"] == "error")
        .map(|it| it["message"].clone())
        .filter(|it| !it["spans"].as_array().is_none_or(Vec::is_empty))
        .collect()
}

fn programs(tree: &Path, targets: &[String]) -> Vec<(String, PathBuf)> {
    let mut command = Command::new("cargo");
    command.args([
        "test",
        "--locked",
        "-q",
        "-p",
        "femtoclaw-ledger",
        "--no-run",
        "--message-format=json",
    ]);
    for target in targets {
        match target.as_str() {
            "lib" => command.arg("--lib"),
            name => command.args(["--test", name]),
        };
    }
    let out = command.current_dir(tree).output().expect("cargo");
    assert!(
        out.status.success(),
        "the tests do not build: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let mut found = BTreeMap::new();
    for line in text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        if let (Some(program), Some(name)) =
            (line["executable"].as_str(), line["target"]["name"].as_str())
        {
            let name = if line["target"]["kind"][0] == "lib" {
                "lib"
            } else {
                name
            };
            found.insert(name.to_owned(), PathBuf::from(program));
        }
    }
    targets
        .iter()
        .map(|target| {
            (
                target.clone(),
                found
                    .get(target)
                    .unwrap_or_else(|| panic!("no program of {target}"))
                    .clone(),
            )
        })
        .collect()
}
