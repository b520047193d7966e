// SPDX-License-Identifier: Apache-2.0
//! A ledger that nobody uses writes nothing, and hardly wakes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use femtoclaw_ledger::clock::{Clock, ManualClock, WhenSet};
use femtoclaw_ledger::{Context, Ledger, Options};

use crate::child::{child_command, child_path};
use crate::scene::{entry, until};
use crate::shared::{everything, request};

/// A clock that is set by hand and counts who looks: the ledger's own interval does, at every tick.
#[derive(Default)]
struct Watched {
    clock: ManualClock,
    looks: AtomicU64,
}

impl Clock for Watched {
    fn now_ns(&self) -> i64 {
        self.clock.now_ns()
    }

    fn monotonic_ns(&self) -> u64 {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.clock.monotonic_ns()
    }

    fn when_set(&self, told: WhenSet) {
        self.clock.when_set(told);
    }
}

impl Watched {
    /// Time goes on, and the ledger has seen it: of three looks the last two began after it.
    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        let looks = self.looks.load(Ordering::SeqCst);
        until("the ledger looks at its clock", || {
            self.looks.load(Ordering::SeqCst) >= looks + 3
        })
        .await;
    }
}

/// Every file of the journal, by name, with all of its bytes.
fn bytes(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(bytes(&path));
        } else {
            found.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn sixty_idle_seconds_write_nothing() {
    let place = tempfile::tempdir().unwrap();
    let clock = Arc::new(Watched::default());
    let options = Options {
        clock: clock.clone(),
        ..Options::default()
    };
    let path = place.path().join("ledger");
    let (ledger, root) = Ledger::open(&path, options).await.unwrap();
    let grant = everything(&root).await;
    let log = ledger.execution_log(&grant).unwrap();
    let begun = log.begin(request(&ledger, Context::new())).await.unwrap();
    let audit = ledger.audit_log(&grant).unwrap();
    audit.record(entry(Context::new(), 100)).await.unwrap();
    // What was done is told once, in a record of its own; one execution is left running.
    let head = ledger.head().count();
    clock.pass(Duration::from_secs(10)).await;
    until("the activity is told", || ledger.head().count() == head + 1).await;
    let (head, journal) = (ledger.head(), bytes(&path.join("journal")));
    assert!(journal.iter().any(|(_, bytes)| !bytes.is_empty()));
    for _ in 0..60 {
        clock.pass(Duration::from_secs(1)).await;
        assert_eq!(ledger.head(), head);
    }
    assert!(bytes(&path.join("journal")) == journal, "bytes moved");
    // It was awake all the time.
    let done = log.complete(begun.execution(), Context::new(), b"1".to_vec());
    assert_eq!(done.await.unwrap().first.get(), head.count() + 1);
}

/// Voluntary context switches of this process's threads so far, by thread number: each is a wait that a wake-up ends.
fn waits() -> BTreeMap<u64, (String, u64)> {
    let mut found = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        // It may end while it is looked at.
        let Ok(status) = std::fs::read_to_string(task.path().join("status")) else {
            continue;
        };
        let field = |name: &str| {
            let mut lines = status.lines();
            let line = lines.find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().to_owned()
        };
        let number = task.file_name().to_string_lossy().parse().unwrap();
        let count = field("voluntary_ctxt_switches:").parse().unwrap();
        found.insert(number, (field("Name:"), count));
    }
    found
}

/// In ten seconds, of all threads together.
const WAKES_MAX: u64 = 25;

/// In a process of its own: other tests' threads have the same names.
#[test]
fn an_idle_ledger_hardly_wakes() {
    const TEST: &str = "idle::an_idle_ledger_hardly_wakes";
    const SECONDS: u64 = 10;
    if let Some(path) = child_path() {
        return idle(&path, Duration::from_secs(SECONDS));
    }
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: wake-ups are read from Linux's /proc/self/task");
        return;
    }
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = child_command(TEST, &place.path().join("ledger")).output();
    let output = output.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    println!("{told}");
    let lines = told.lines().filter_map(|line| line.strip_prefix("wakes "));
    let counts = lines.map(|line| line.split_once(' ').unwrap().0.parse::<u64>().unwrap());
    let all: u64 = counts.sum();
    assert!(all <= WAKES_MAX, "{all} in {SECONDS} s:\n{told}");
}

/// How often the threads of each name wake in this time.
fn woken(time: Duration) -> BTreeMap<String, u64> {
    let before = waits();
    std::thread::sleep(time);
    let mut by_name = BTreeMap::new();
    for (number, (name, count)) in waits() {
        let was = before.get(&number).map_or(0, |(_, count)| *count);
        *by_name.entry(name).or_default() += count - was;
    }
    by_name
}

/// A ledger that was used, and is not any more.
fn idle(path: &Path, time: Duration) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (ledger, root) = runtime.block_on(async {
        let opened = Ledger::open(path, Options::default()).await.unwrap();
        let (ledger, root) = &opened;
        let grant = everything(root).await;
        let log = ledger.execution_log(&grant).unwrap();
        let begun = log.begin(request(ledger, Context::new())).await.unwrap();
        let done = log.complete(begun.execution(), Context::new(), b"1".to_vec());
        done.await.unwrap();
        opened
    });
    // What was done is told after ten seconds, and then there is nothing more.
    std::thread::sleep(Duration::from_secs(16));
    let head = ledger.head();
    let mut by_name = woken(time);
    // A machine that is busy comes to rest later.
    for _ in 0..3 {
        if by_name.values().sum::<u64>() > WAKES_MAX {
            by_name = woken(time);
        }
    }
    assert_eq!(ledger.head(), head, "something was written");
    for (name, count) in by_name {
        eprintln!("wakes {count} {name}");
    }
    // It is awake at once.
    runtime.block_on(async {
        let grant = everything(&root).await;
        let audit = ledger.audit_log(&grant).unwrap();
        audit.record(entry(Context::new(), 100)).await.unwrap();
        root.close(Duration::from_secs(20)).await.unwrap();
    });
}
