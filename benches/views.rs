// SPDX-License-Identifier: Apache-2.0
//! Making the views again: a ledger of a million records, its `views/` deleted, damaged or in the
//! way, opened again. Prints how long it took to open and until the views served again, and fails
//! where their state digests differ from those of views made of nothing but the journal, or from those
//! before.
//!
//! `cargo bench --bench views -- [--quick] [--records 1000000]`

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may stop at the first error"
)]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::clock::{CountingEntropy, ManualClock};
use femtoclaw_ledger::events::{Record, Seq};
use femtoclaw_ledger::projections::{Source, View, ViewDigest, Views, ViewsOptions, built_in};
use femtoclaw_ledger::{Context, Grant, Ledger, Options, Reads};
use support::{json, now, observation, request};

const CALLERS: u64 = 256;
const CLOSE: Duration = Duration::from_secs(60);

type Digests = Vec<ViewDigest>;

/// Half of the records from executions, half observations of no execution.
async fn fill(ledger: &Ledger, grant: &Grant, records: u64) {
    let log = ledger.execution_log(grant).unwrap();
    let telemetry = ledger.telemetry(grant).unwrap();
    let tasks: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (ledger, log, telemetry) = (ledger.clone(), log.clone(), telemetry.clone());
            tokio::spawn(async move {
                while ledger.head().count() < records {
                    let begun = log.begin(request(&ledger, json(156))).await.unwrap();
                    let context = Context::new();
                    log.complete(begun.execution(), context, json(156))
                        .await
                        .unwrap();
                    for _ in 0..6 {
                        telemetry.record(observation()).await.unwrap();
                    }
                    // A refusal for lag would end the benchmark; real callers try again later.
                    let head = ledger.head().count();
                    if behind(&ledger) > 50_000 {
                        ledger.at_least(Seq::new(head)).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn behind(ledger: &Ledger) -> u64 {
    let positions = ledger.view_positions().into_iter();
    let slowest = positions.map(|it| it.position).min().unwrap_or(0);
    ledger.head().count().saturating_sub(slowest)
}

/// The child: fills a ledger, says so, and waits to be killed.
async fn child(path: &Path, records: u64) {
    let (ledger, root, _) = support::open(path).await;
    let started = now();
    fill(&ledger, &support::grant(&root).await, records).await;
    let filled = started.elapsed();
    ledger.at_least(ledger.head().seq).await.unwrap();
    println!(
        "{} records in {:.1} s, views there after {:.1} s",
        ledger.head().count(),
        filled.as_secs_f64(),
        started.elapsed().as_secs_f64()
    );
    std::future::pending().await
}

/// Fills a ledger in another process and kills that one with SIGKILL.
fn filled_and_killed(path: &Path, records: u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--child", path.to_str().unwrap(), "--records"])
        .arg(records.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!line.is_empty(), "the child failed");
    print!("{line}");
}

/// Standing clock, counted ids: every opening of a copy writes the same records, so that the state
/// digests of all of them are comparable.
fn same_every_time() -> Options {
    Options {
        clock: Arc::new(ManualClock::new(4_000_000_000_000_000_000)),
        entropy: Arc::new(CountingEntropy::default()),
        // It would find the damage too, and record it.
        scrub_bytes_per_second: 0,
        ..Options::default()
    }
}

/// Opens, waits for the views, gives their digests at the head. They are what views made of nothing but
/// the journal have there.
async fn reopen(path: &Path, what: &str) -> Digests {
    let started = now();
    let (ledger, root) = Ledger::open(path, same_every_time()).await.unwrap();
    let grant = support::grant(&root).await;
    let opened = started.elapsed();
    ledger.at_least(ledger.head().seq).await.unwrap();
    let served = started.elapsed();
    let digests = loop {
        let head = ledger.head().count();
        ledger.at_least(Seq::new(head)).await.unwrap();
        match ledger.view_digests().await {
            Ok(digests) if digests.iter().all(|it| it.position == head) => {
                break digests;
            }
            // What was found is recorded meanwhile, and is in the views too.
            Ok(_) => {}
            // Damage that only reading finds is healed by then: it is waited for once more.
            Err(error) => println!("    {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let healed = started.elapsed();
    let from_nothing = fresh(&ledger, &grant, path.with_file_name("fresh")).await;
    assert_eq!(digests, from_nothing, "{what}");
    root.close(CLOSE).await.unwrap();
    println!(
        "{what:<22} open in {:>7.3} s, views at the head after {:>7.3} s, digests of all views after {:>7.3} s",
        opened.as_secs_f64(),
        served.as_secs_f64(),
        healed.as_secs_f64()
    );
    digests
}

/// The records of a ledger that is open, up to where they are compared.
struct Replay {
    reads: Reads,
    head: u64,
    runtime: tokio::runtime::Handle,
}

impl Source for Replay {
    fn head(&self) -> u64 {
        self.head
    }

    fn records(&self, from: Seq, max: usize) -> Result<Vec<Record>, String> {
        let left = (self.head + 1).saturating_sub(from.get());
        let max = max.min(usize::try_from(left).unwrap());
        let records = self.runtime.block_on(self.reads.range(from, max));
        records.map_err(|error| error.to_string())
    }

    fn wait_beyond(&self, _: u64, timeout: Duration) -> u64 {
        std::thread::sleep(timeout);
        self.head
    }
}

/// Digests of views that are made of nothing but the records.
async fn fresh(ledger: &Ledger, grant: &Grant, path: PathBuf) -> Digests {
    let source = Arc::new(Replay {
        reads: ledger.reader(grant).unwrap(),
        head: ledger.head().count(),
        runtime: tokio::runtime::Handle::current(),
    });
    let made = move || {
        let head = source.head;
        fs::create_dir(&path).unwrap();
        let views = Views::open(&path, ViewsOptions::default(), built_in(), source).unwrap();
        let digest = |view: &View| {
            view.at_least(head, Duration::from_secs(600)).unwrap();
            view.digest().unwrap()
        };
        let digests = views.all().map(digest).collect();
        views.close();
        fs::remove_dir_all(path).unwrap();
        digests
    };
    tokio::task::spawn_blocking(made).await.unwrap()
}

fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// Empty directories too: the structure is checked before a ledger opens.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(to, private).unwrap();
}

/// One bit in every 4 KiB of the largest file.
fn damage(path: &Path) {
    let size = |file: &PathBuf| fs::metadata(file).unwrap().len();
    let largest = files(&path.join("views")).into_iter().max_by_key(size);
    let largest = largest.unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    bytes.iter_mut().step_by(4_096).for_each(|byte| *byte ^= 1);
    fs::write(largest, bytes).unwrap();
}

fn make_unopenable(path: &Path) {
    for manifest in files(&path.join("views")) {
        if manifest.ends_with("manifest.json") {
            fs::write(manifest, b"no manifest").unwrap();
        }
    }
}

type Spoil = fn(&Path);

const CASES: [(&str, Spoil); 4] = [
    ("views as they were", |_| {}),
    ("views deleted", |path| {
        fs::remove_dir_all(path.join("views")).unwrap()
    }),
    ("views damaged", damage),
    ("views do not open", make_unopenable),
];

async fn run(path: &Path) {
    let ledger = path.join("ledger");
    let started = now();
    let (opened, root, took) = support::open(&ledger).await;
    opened.at_least(opened.head().seq).await.unwrap();
    println!(
        "{:<22} open in {:>7.3} s, views at the head after {:>7.3} s",
        "after a kill",
        took.as_secs_f64(),
        started.elapsed().as_secs_f64()
    );
    root.close(CLOSE).await.unwrap();
    drop((opened, root));
    let mut expected = None;
    for (what, spoil) in CASES {
        let spoilt = path.join("copy");
        copy(&ledger, &spoilt);
        spoil(&spoilt);
        let found = reopen(&spoilt, what).await;
        let first: &mut Digests = expected.get_or_insert_with(|| found.clone());
        match (first.first(), found.first()) {
            (Some(at), Some(head)) if at.position < head.position => {
                println!(
                    "    {} records more: what was found",
                    head.position - at.position
                );
            }
            _ => assert_eq!(*first, found, "{what}"),
        }
        fs::remove_dir_all(&spoilt).unwrap();
    }
    println!(
        "in all {} cases the state digests of all views are those of views made anew",
        CASES.len()
    );
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let default = if support::flag("--quick") {
        50_000
    } else {
        1_000_000
    };
    let records = support::value("--records").map_or(default, |value| value.parse().unwrap());
    if let Some(path) = support::value("--child") {
        return runtime.block_on(child(Path::new(&path), records));
    }
    let directory = support::fresh_directory();
    filled_and_killed(&directory.path().join("ledger"), records);
    runtime.block_on(run(directory.path()));
}
