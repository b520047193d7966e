// SPDX-License-Identifier: Apache-2.0
//! Damage to every kind of file of a closed store, one fault at a time: it is noticed, or it does not
//! matter; nothing is lost in silence, and nothing of what was damaged is thrown away.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::campaign::document;
use crate::random::Random;

mod base;
pub(crate) mod child;
mod fault;
mod judge;
mod kinds;
mod store;
mod tally;

use base::Make;
use child::{Case, Child};
use fault::{Sort, bits, draw};
use kinds::kinds;
use store::Store;
use tally::{Place, Tally};

/// Small, so that journal and views have many tables.
const MEMTABLE_BYTES: u64 = 24 << 10;
/// When the stores were made, and when their copies are opened.
const BEGUN_NS: i64 = 1_700_000_000_000_000_000;
const OPENED_NS: i64 = BEGUN_NS + 3_600_000_000_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Cases for each kind of file.
    #[arg(long, default_value_t = 8)]
    each: usize,
    /// Of a whole frame, and of its entry in the log, every n-th bit is flipped.
    #[arg(long, default_value_t = 101)]
    every_bit: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Processes at the same time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Only kinds of file with this in their name.
    #[arg(long)]
    only: Option<String>,
    /// Keeps the stores and what was counted here: the same command goes on where it was stopped.
    #[arg(long)]
    kept: Option<PathBuf>,
    /// Begins no case after so many minutes.
    #[arg(long)]
    minutes: Option<u64>,
    /// Writes the table into this document, between its marks.
    #[arg(long)]
    report: Option<PathBuf>,
}

/// A case and where it is counted.
struct Planned {
    place: Place,
    case: Case,
    may_end_early: bool,
}

/// True where nothing was broken.
pub(crate) fn run(args: &Args) -> io::Result<bool> {
    let since = Instant::now();
    let memory = Path::new("/dev/shm");
    let scratch = match &args.kept {
        Some(kept) => {
            fs::create_dir_all(kept)?;
            tempfile::tempdir_in(kept)?
        }
        None if memory.is_dir() => tempfile::tempdir_in(memory)?,
        None => tempfile::tempdir()?,
    };
    let stores = args.kept.as_deref().unwrap_or(scratch.path());
    let mut paths = Vec::new();
    let runtime = tokio::runtime::Runtime::new()?;
    for (name, make) in [
        ("small", Make::Small),
        ("rotated", Make::Rotated),
        ("window", Make::Window),
    ] {
        let path = stores.join(name);
        if !path.with_extension("asked").exists() {
            // What an earlier run had begun to make.
            if path.exists() {
                fs::remove_dir_all(&path)?;
            }
            let asked = runtime.block_on(base::make(&path, make))?;
            fs::write(path.with_extension("asked"), serde_json::to_string(&asked)?)?;
        }
        paths.push(path);
    }
    drop(runtime);
    let counted = stores.join("counted.json");
    let mut tally: Tally = match fs::read(&counted) {
        Ok(text) => serde_json::from_slice(&text)?,
        Err(_) => Tally::default(),
    };
    let loaded: io::Result<Vec<_>> = paths.iter().map(|path| Store::load(path)).collect();
    let mut planned = plan(args, &loaded?);
    let all = planned.len();
    planned.drain(..tally.cases().min(all));
    eprintln!(
        "{} of {all} cases, {} s",
        planned.len(),
        since.elapsed().as_secs()
    );
    tally = judge(args, &paths, scratch.path(), planned, tally)?;
    tally.seconds += since.elapsed().as_secs();
    if tally.cases() < all {
        fs::write(&counted, serde_json::to_vec(&tally)?)?;
        let left = all - tally.cases();
        return Err(io::Error::other(format!("{left} cases are left")));
    }
    let table = tally.table();
    print!("{table}");
    for broken in tally.broken.iter().take(40) {
        println!("{broken}");
    }
    if let Some(path) = &args.report {
        let command = format!(
            "```console\n$ cargo run --release --manifest-path powercut/Cargo.toml -- damage --each {} --every-bit {} --seed {}\n```\n\n{} s.\n",
            args.each, args.every_bit, args.seed, tally.seconds
        );
        document::replace(path, "damage", &format!("{command}\n{table}"))?;
    }
    Ok(tally.broken.is_empty())
}

fn plan(args: &Args, stores: &[Store]) -> Vec<Planned> {
    let mut random = Random::new(args.seed);
    // The journal's files where its log has gone on to another one.
    let mut all = kinds(0, &stores[0], |label| !label.starts_with("journal: "));
    all.extend(kinds(1, &stores[1], |label| label.starts_with("journal: ")));
    let mut planned = Vec::new();
    for (index, kind) in all.iter().enumerate() {
        let targets = &kind.targets;
        // Of an empty file only the whole can go.
        let is_empty = targets.iter().all(|target| target.range.is_empty());
        let each = if is_empty {
            targets.len().min(args.each)
        } else {
            args.each
        };
        for number in 0..each {
            let sort = Sort::of(number);
            let store = &stores[kind.store];
            let Some((sort, fault)) = draw(sort, targets, store, &mut random) else {
                continue;
            };
            planned.push(Planned {
                place: (index, kind.label.clone(), sort.label().to_owned()),
                case: Case {
                    store: kind.store,
                    faults: vec![fault],
                },
                may_end_early: false,
            });
        }
    }
    planned.extend(every_bit(args, &stores[0], all.len()));
    planned.extend(window(args, &stores[2], all.len() + 2, &mut random));
    planned.retain(|it| {
        args.only
            .as_ref()
            .is_none_or(|only| it.place.1.contains(only.as_str()))
    });
    planned
}

/// One frame as the table has it, and as the log has it.
fn every_bit(args: &Args, store: &Store, index: usize) -> Vec<Planned> {
    let is_table = |name: &str| name.starts_with("journal/keyspaces/1/tables/");
    let is_log = |name: &str| name.starts_with("journal/") && name.ends_with(".jnl");
    let frames = [
        (
            "one whole frame in a table",
            kinds::frame(store, is_table, false),
        ),
        (
            "a whole frame's entry in the log",
            kinds::frame(store, is_log, true),
        ),
    ];
    let mut planned = Vec::new();
    for (at, (label, target)) in frames.into_iter().enumerate() {
        for fault in target
            .iter()
            .flat_map(|target| bits(target, args.every_bit))
        {
            planned.push(Planned {
                place: (index + at, label.to_owned(), "every bit flipped".to_owned()),
                case: Case {
                    store: 0,
                    faults: vec![fault],
                },
                may_end_early: false,
            });
        }
    }
    planned
}

/// The newest frame, before the anchor has come up to it.
fn window(args: &Args, store: &Store, index: usize, random: &mut Random) -> Vec<Planned> {
    let Some((newest, target)) = kinds::newest(store) else {
        return Vec::new();
    };
    let targets = [target];
    let label = "the anchor's window: the newest frame in the log".to_owned();
    let mut planned = Vec::new();
    for number in 0..args.each {
        let sort = match Sort::of(number) {
            // The log as a whole is not the newest frame.
            Sort::Delete => Sort::Truncate,
            sort => sort,
        };
        if let Some((sort, fault)) = draw(sort, &targets, store, random) {
            planned.push(Planned {
                place: (index, label.clone(), sort.label().to_owned()),
                case: Case {
                    store: newest,
                    faults: vec![fault],
                },
                may_end_early: true,
            });
        }
    }
    planned
}

fn judge(
    args: &Args,
    stores: &[PathBuf],
    scratch: &Path,
    planned: Vec<Planned>,
    tally: Tally,
) -> io::Result<Tally> {
    let (all, since) = (planned.len(), Instant::now());
    let queue = Mutex::new(VecDeque::from(planned));
    let tally = Mutex::new(tally);
    let until = args
        .minutes
        .map(|minutes| Duration::from_secs(60 * minutes));
    let next = || {
        if until.is_some_and(|until| since.elapsed() > until) {
            return None;
        }
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() % 500 == 0 {
            eprintln!(
                "{} of {all} left, {} s",
                queue.len(),
                since.elapsed().as_secs()
            );
        }
        queue.pop_front()
    };
    let one = |job: usize| -> io::Result<()> {
        let place = scratch.join(format!("job-{job}"));
        fs::create_dir(&place)?;
        let mut child = Child::start(stores, &place)?;
        while let Some(planned) = next() {
            let verdict = child.judge(&planned.case)?;
            let case = format!("{:?}", planned.case.faults);
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            match verdict {
                Ok(verdict) => tally.take(&planned.place, &case, &verdict, planned.may_end_early),
                Err(how) => {
                    tally.died(&planned.place, &case, &how);
                    drop(tally);
                    child = Child::start(stores, &place)?;
                }
            }
        }
        child.end()
    };
    std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..args.jobs.max(1))
            .map(|job| scope.spawn(move || one(job)))
            .collect();
        for job in jobs {
            job.join()
                .map_err(|_| io::Error::other("a job panicked"))??;
        }
        io::Result::Ok(())
    })?;
    Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// All of a directory, as it is at this moment.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => fs::copy(entry.path(), target).map(drop)?,
        }
    }
    Ok(())
}
