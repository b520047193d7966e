// SPDX-License-Identifier: Apache-2.0
//! Tries many mutants with one build: the library is built once with all of them in it, each behind a switch that
//! the environment sets, and each is tried with those tests alone that come by it, the quickest first.
//!
//! `switches LIST CHOSEN TREE OUT TARGET…`: cargo-mutants' list in JSON; the names of some of them, a line each; a
//! copy of the repository, which is changed; the directory in which `caught.txt`, `missed.txt` and `timeout.txt` grow,
//! `alone.txt` names those that no switch can be, and `by.txt` says which test noticed. Whatever is in these files
//! is not tried again. `lib` is the target of the tests inside the library.

#![allow(
    clippy::disallowed_methods,
    reason = "a tool that measures tests reads the clock"
)]

mod build;
mod list;
mod source;
mod trial;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use list::Mutant;
use trial::{Outcome, Trial};

/// One test, its cost, and the switches that it comes by.
struct Test {
    target: usize,
    name: String,
    took: Duration,
    reaches: BTreeSet<usize>,
}

struct Run {
    tree: PathBuf,
    out: PathBuf,
    temporary: PathBuf,
    mutants: Vec<Mutant>,
    programs: Vec<(String, PathBuf)>,
    tests: Vec<Test>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [list, chosen, tree, out, targets @ ..] = arguments.as_slice() else {
        panic!("LIST CHOSEN TREE OUT TARGET…");
    };
    let read =
        |path: &str| fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (tree, out) = (PathBuf::from(tree), PathBuf::from(out));
    let mutants = list::read(&read(list), &read(chosen));
    let temporary = std::env::temp_dir().join(format!("switches-{}", std::process::id()));
    let since = Instant::now();
    let built = build::build(&tree, &mutants, targets);
    let alone: Vec<&str> = (0..mutants.len())
        .filter(|id| !built.taken.contains(id))
        .map(|id| mutants[id].name.as_str())
        .collect();
    fs::write(out.join("alone.txt"), alone.join("\n") + "\n").expect("alone.txt");
    eprintln!(
        "{} mutants in one build, {} s; {} others do not build so, {} have no switch",
        built.taken.len(),
        since.elapsed().as_secs(),
        built.refused.len(),
        alone.len() - built.refused.len()
    );
    let mut run = Run {
        tree,
        out,
        temporary,
        mutants,
        programs: built.programs,
        tests: Vec::new(),
    };
    let since = Instant::now();
    run.tests = run.measured();
    run.tests.sort_by_key(|test| test.took);
    eprintln!(
        "{} tests pass alone, {} s",
        run.tests.len(),
        since.elapsed().as_secs()
    );

    let done: HashSet<String> = ["caught", "missed", "timeout"]
        .iter()
        .filter_map(|outcome| fs::read_to_string(run.out.join(format!("{outcome}.txt"))).ok())
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let left: Vec<usize> = built
        .taken
        .iter()
        .copied()
        .filter(|id| !done.contains(&run.mutants[*id].name))
        .collect();
    let since = Instant::now();
    in_parallel(&left, |id| run.trial(*id));
    if let Err(error) = fs::remove_dir_all(&run.temporary) {
        eprintln!("left behind: {}: {error}", run.temporary.display());
    }
    eprintln!(
        "{} mutants tried, {} s",
        left.len(),
        since.elapsed().as_secs()
    );
}

/// Two at a time, or as MUTANTS_JOBS says.
fn in_parallel<T: Sync>(all: &[T], each: impl Fn(&T) + Sync) {
    let jobs = std::env::var("MUTANTS_JOBS")
        .ok()
        .and_then(|it| it.parse().ok())
        .unwrap_or(2);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(one);
                }
            });
        }
    });
}

impl Run {
    /// Every test by itself, without any mutant.
    fn measured(&self) -> Vec<Test> {
        let mut all = Vec::new();
        for (target, (_, program)) in self.programs.iter().enumerate() {
            let out = std::process::Command::new(program)
                .args(["--list", "--format", "terse"])
                .current_dir(&self.tree)
                .output()
                .expect("a list of tests");
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            all.extend(
                text.lines()
                    .filter_map(|line| line.strip_suffix(": test"))
                    .map(|it| (target, it.to_owned())),
            );
        }
        let tests = Mutex::new(Vec::new());
        in_parallel(&all, |(target, name)| {
            let reached = self.temporary.join(format!("{target}-{name}.reached"));
            fs::create_dir_all(&self.temporary).expect("a temporary directory");
            let since = Instant::now();
            let set = vec![("MUTANTS_REACHED", reached.display().to_string())];
            let outcome = self.outcome(
                *target,
                vec![name],
                set,
                Duration::from_secs(300),
                &format!("{target}-{name}"),
            );
            let took = since.elapsed();
            match outcome {
                Outcome::Passed => {}
                // A test that fails without a mutant says nothing about one.
                Outcome::Failed(why) => {
                    return eprintln!("NOT USED {name}, which fails without a mutant: {why}");
                }
                Outcome::Late => return eprintln!("NOT USED {name}, which takes too long"),
            }
            // A test that comes by no switch writes no file.
            let reaches = match fs::read_to_string(&reached) {
                Err(error) if error.kind() != ErrorKind::NotFound => panic!("{name}: {error}"),
                reaches => reaches.unwrap_or_default(),
            };
            let reaches = reaches.lines().filter_map(|it| it.parse().ok()).collect();
            let test = Test {
                target: *target,
                name: name.clone(),
                took,
                reaches,
            };
            tests.lock().expect("no panic").push(test);
        });
        tests.into_inner().expect("no panic")
    }

    fn outcome(
        &self,
        target: usize,
        tests: Vec<&str>,
        set: Vec<(&'static str, String)>,
        limit: Duration,
        name: &str,
    ) -> Outcome {
        let temporary = self.temporary.join(name.replace("::", "-"));
        Trial {
            tree: &self.tree,
            program: &self.programs[target].1,
            tests,
            set,
            temporary,
            limit,
        }
        .run()
    }

    /// Quick tests first, in ever longer bundles, until one fails.
    fn trial(&self, id: usize) {
        let name = &self.mutants[id].name;
        let since = Instant::now();
        let concerned: Vec<&Test> = self
            .tests
            .iter()
            .filter(|test| test.reaches.contains(&id))
            .collect();
        if concerned.is_empty() {
            return self.tell("missed", name, "no test comes by it");
        }
        let mut bundles: Vec<BTreeMap<usize, Vec<&Test>>> = vec![BTreeMap::new()];
        let (mut sum, mut most) = (Duration::ZERO, Duration::from_millis(200));
        for test in concerned.iter().copied() {
            if sum > most {
                bundles.push(BTreeMap::new());
                (sum, most) = (Duration::ZERO, most * 2);
            }
            sum += test.took;
            bundles
                .last_mut()
                .expect("one at least")
                .entry(test.target)
                .or_default()
                .push(test);
        }
        for (target, tests) in bundles.into_iter().flatten() {
            let limit =
                Duration::from_secs(30) + tests.iter().map(|test| test.took).sum::<Duration>() * 10;
            let names = tests.iter().map(|test| test.name.as_str()).collect();
            let set = vec![("MUTANT", id.to_string())];
            match self.outcome(target, names, set, limit, &format!("mutant-{id}")) {
                Outcome::Passed => {}
                Outcome::Failed(why) => {
                    let why = format!(
                        "{} s, {}: {why}",
                        since.elapsed().as_secs(),
                        self.programs[target].0
                    );
                    return self.tell("caught", name, &why);
                }
                Outcome::Late => {
                    let why = format!("{}: one of {}", self.programs[target].0, names_of(&tests));
                    return self.tell("timeout", name, &why);
                }
            }
        }
        let why = format!(
            "{} s, {} tests come by it",
            since.elapsed().as_secs(),
            concerned.len()
        );
        self.tell("missed", name, &why);
    }

    fn tell(&self, outcome: &str, name: &str, why: &str) {
        append(&self.out.join(format!("{outcome}.txt")), name);
        append(
            &self.out.join("by.txt"),
            &format!("{outcome}\t{name}\t{why}"),
        );
    }
}

fn names_of(tests: &[&Test]) -> String {
    tests
        .iter()
        .map(|test| test.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn append(path: &Path, line: &str) {
    let file = fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
        .expect("the outcome is kept");
}
