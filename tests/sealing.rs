// SPDX-License-Identifier: Apache-2.0
//! When appends stop: a hanging commit, a sealed ledger opened again, the disk reserve.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use femtoclaw_ledger::clock::{Entropy, ManualClock, SystemEntropy};
use femtoclaw_ledger::events::{AuditFamily, CommandId, Event, Outcome, Record, Seq};
use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::projections::{Projection, ProjectionError, ViewBatch};
use femtoclaw_ledger::{
    AppendError, AuditEntry, Context, Decision, Grant, Ledger, OpenError, Options, Quota, Request,
    Rights, Root, operation::Space,
};

#[path = "shared/held.rs"]
mod held;

use held::HeldJournal;

const WAIT: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(50);
/// When a commit is given up in these tests.
const HANG_AFTER: Duration = Duration::from_secs(1);

async fn everything(root: &Root) -> Grant {
    let grant = root.grant("runtime", Rights::all(), Quota::default());
    grant.await.unwrap()
}

fn entry(command: u8) -> AuditEntry {
    AuditEntry {
        context: Context::new().command(CommandId::from_bytes([command; 16])),
        family: AuditFamily::OperatorAction,
        action: "test".into(),
        subject: String::new(),
        outcome: Outcome::Success,
        execution: None,
        detail: Vec::new(),
    }
}

/// Whose next sync is held, from here on.
async fn over_held_journal() -> (
    tempfile::TempDir,
    Arc<HeldJournal<MemoryJournal>>,
    Arc<ManualClock>,
    (Ledger, Root),
    Grant,
) {
    let directory = tempfile::tempdir().unwrap();
    let journal = Arc::new(HeldJournal::new(MemoryJournal::new()));
    let clock = Arc::new(ManualClock::new(1_000_000_000));
    let options = Options {
        clock: clock.clone(),
        hang_after: HANG_AFTER,
        ..Options::default()
    };
    let opened = Ledger::open_on(journal.clone(), directory.path(), options).await;
    let (ledger, root) = opened.unwrap();
    let grant = everything(&root).await;
    ledger.at_least(ledger.head().seq).await.unwrap();
    journal.hold();
    (directory, journal, clock, (ledger, root), grant)
}

/// A commit that does not come back: its caller is told that the outcome is unknown, those behind
/// it that nothing was written; what comes back later is not shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_commit_is_answered_and_seals() {
    let (_directory, journal, clock, (ledger, root), grant) = over_held_journal().await;
    let head = ledger.head();
    let log = ledger.audit_log(&grant).unwrap();
    let hanging = tokio::spawn(async move { log.record(entry(5)).await });
    let waiting = journal.clone();
    let held = tokio::task::spawn_blocking(move || waiting.wait_until_held(WAIT));
    assert!(held.await.unwrap());
    // Queued behind it, as far as the sequencer hands work over.
    let log = ledger.audit_log(&grant).unwrap();
    let mut behind = tokio_test::task::spawn(async move { log.record(entry(6)).await });
    assert!(behind.poll().is_pending());
    assert!(!hanging.is_finished());
    // A stopped process, a sleeping machine: no time in which the commit could have come back.
    clock.advance(Duration::from_secs(600));
    let mut looks = 0;
    while !hanging.is_finished() {
        clock.advance(HANG_AFTER / 8);
        tokio::time::sleep(HANG_AFTER / 8).await;
        looks += 1;
        assert!(looks < 1_000, "the commit that hangs is never given up");
    }
    // Of the ten minutes two eighths count at most, and each round is one.
    assert!(looks >= 6, "given up in {looks} eighths");
    let told = hanging.await.unwrap().unwrap_err();
    assert!(
        matches!(told, AppendError::OutcomeUnknown { command } if command.as_bytes() == &[5; 16]),
        "{told}"
    );
    let told = behind.await.unwrap_err();
    assert!(
        matches!(&told, AppendError::Sealed { cause } if cause.contains("hangs")),
        "{told}"
    );
    let health = ledger.health();
    assert!(
        !health.healthy && health.cause.contains("hangs"),
        "{}",
        health.cause
    );
    // Reads go on.
    let reader = ledger.reader(&grant).unwrap();
    let read = reader.range(Seq::FIRST, 1_000).await.unwrap();
    assert_eq!((read.len() as u64, ledger.head()), (head.count(), head));
    let options = Options::default();
    let again = root.reopen(options, SOON).await.map(drop).unwrap_err();
    assert_eq!(again.code(), "given_journal", "{again}");
    // Its thread keeps the journal: closing says so and does not wait for ever.
    let closed = root.close(SOON).await.unwrap_err();
    assert_eq!(closed.code(), "still_in_use", "{closed}");
    journal.release();
    // Now its thread ends, and with it whatever could still be shown.
    let closed = root.close(WAIT).await.map(drop);
    assert_ne!(closed.err().map(|error| error.code()), Some("still_in_use"));
    assert_eq!(ledger.head(), head);
}

/// Salts are drawn in the sequencer: this one fails there, and the ledger is sealed.
#[derive(Default)]
struct Failing(AtomicBool);

impl Entropy for Failing {
    fn bytes16(&self) -> [u8; 16] {
        assert!(!self.0.load(Ordering::SeqCst), "as the test wanted");
        SystemEntropy::default().bytes16()
    }
}

async fn sealed(path: &Path, change: impl FnOnce(&mut Options)) -> (Ledger, Root, Grant) {
    let entropy = Arc::new(Failing::default());
    let mut options = Options {
        entropy: entropy.clone(),
        ..Options::default()
    };
    change(&mut options);
    let (ledger, root) = Ledger::open(path, options).await.unwrap();
    let grant = everything(&root).await;
    let log = ledger.audit_log(&grant).unwrap();
    log.record(entry(1)).await.unwrap();
    entropy.0.store(true, Ordering::SeqCst);
    let refused = log.record(entry(2)).await.unwrap_err();
    assert_eq!(refused.code(), "sealed", "{refused}");
    let health = ledger.health();
    assert!(health.cause.starts_with("sealed: entropy"), "{health:?}");
    assert_eq!(log.record(entry(3)).await.unwrap_err().code(), "sealed");
    (ledger, root, grant)
}

#[tokio::test]
async fn a_sealed_ledger_is_opened_again_under_the_same_lock() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (old, old_root, old_grant) = sealed(&path, |_| {}).await;
    let old_log = old.audit_log(&old_grant).unwrap();
    let id = old.id();
    let (ledger, root) = old_root.reopen(Options::default(), WAIT).await.unwrap();
    assert_eq!(ledger.id(), id);
    assert!(ledger.health().healthy);
    let grant = everything(&root).await;
    let command = |byte| CommandId::from_bytes([byte; 16]);
    assert!(ledger.lookup(&grant, command(1)).await.unwrap().is_some());
    assert!(ledger.lookup(&grant, command(2)).await.unwrap().is_none());
    let log = ledger.audit_log(&grant).unwrap();
    log.record(entry(2)).await.unwrap();
    // The old one is of no use, and does no harm.
    assert_eq!(
        old_log.record(entry(3)).await.unwrap_err().code(),
        "shutting_down"
    );
    assert_eq!(old_root.close(WAIT).await.unwrap_err().code(), "reopened");
    let again = old_root.reopen(Options::default(), WAIT).await;
    assert_eq!(again.map(drop).unwrap_err().code(), "closed");
    assert_eq!(
        log.record(entry(4)).await.unwrap().first.get(),
        ledger.head().count()
    );
    // The lock was handed over.
    let second = Ledger::open(&path, Options::default()).await.map(drop);
    assert!(matches!(second.unwrap_err(), OpenError::Locked { .. }));
    root.close(WAIT).await.unwrap();
    Ledger::open(&path, Options::default()).await.unwrap();
}

/// Stands at one record until it is let go.
struct Slow {
    held: Arc<AtomicBool>,
}

impl Projection for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&mut self, _: &Record, _: &Event, _: &mut ViewBatch) -> Result<(), ProjectionError> {
        while self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_ledger_still_in_use_is_not_opened_again_until_it_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let held = Arc::new(AtomicBool::new(false));
    let slow = Slow { held: held.clone() };
    let (_ledger, root, _grant) = sealed(&path, |options| {
        options.projections.push(Box::new(slow));
        held.store(true, Ordering::SeqCst);
    })
    .await;
    for _ in 0..2 {
        let told = root.reopen(Options::default(), SOON).await.map(drop);
        assert_eq!(told.unwrap_err().code(), "still_in_use");
        let second = Ledger::open(&path, Options::default()).await.map(drop);
        assert!(matches!(second.unwrap_err(), OpenError::Locked { .. }));
    }
    held.store(false, Ordering::SeqCst);
    let (ledger, _) = root.reopen(Options::default(), WAIT).await.unwrap();
    assert!(ledger.health().healthy);
}

/// A disk as full as the test wants.
struct Disk(AtomicU64);

impl Space for Disk {
    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.0.load(Ordering::SeqCst))
    }
}

fn request(ledger: &Ledger) -> Request {
    Request {
        context: Context::new(),
        execution: None,
        input: None,
        capability: "message".into(),
        arguments: b"{}".to_vec(),
        decision: Decision::Authorized,
        reason: "a plain message".into(),
        basis: ledger.in_force().basis(),
    }
}

/// Until the ledger has seen how much room there is.
async fn until(ledger: &Ledger, complaint: Option<u64>) {
    for _ in 0..60_000 {
        let health = ledger.health();
        let seen = match complaint {
            None => health.healthy,
            Some(free) => health.cause.contains(&format!("{free} bytes free")),
        };
        if seen {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{:?}", ledger.health());
}

#[tokio::test]
async fn appends_stop_before_the_disk_is_full_and_go_on_by_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk(AtomicU64::new(10_000)));
    let options = Options {
        space: disk.clone(),
        disk_reserve_bytes: 1_600,
        ..Options::default()
    };
    let opened = Ledger::open(directory.path().join("ledger"), options).await;
    let (ledger, root) = opened.unwrap();
    let grant = everything(&root).await;
    let (log, audit) = (
        ledger.execution_log(&grant).unwrap(),
        ledger.audit_log(&grant).unwrap(),
    );
    let mut running = Vec::new();
    for _ in 0..2 {
        running.push(
            log.begin(request(&ledger))
                .await
                .unwrap()
                .started()
                .unwrap()
                .detach(),
        );
    }
    let full = |error: AppendError| match error {
        AppendError::DiskReserve { free, reserve } => (free, reserve),
        other => panic!("{other}"),
    };
    disk.0.store(1_500, Ordering::SeqCst);
    until(&ledger, Some(1_500)).await;
    let head = ledger.head();
    let refused = log.begin(request(&ledger)).await.unwrap_err();
    assert_eq!((full(refused), ledger.head()), ((1_500, 1_600), head));
    audit.record(entry(1)).await.unwrap();
    disk.0.store(700, Ordering::SeqCst);
    until(&ledger, Some(700)).await;
    let refused = audit.record(entry(2)).await.unwrap_err();
    assert_eq!(full(refused), (700, 1_600));
    let ended = running.pop().unwrap();
    log.complete(ended, Context::new(), b"1".to_vec())
        .await
        .unwrap();
    disk.0.store(100, Ordering::SeqCst);
    until(&ledger, Some(100)).await;
    let last = running.pop().unwrap();
    let refused = log.complete(last, Context::new(), b"1".to_vec()).await;
    assert_eq!(full(refused.unwrap_err()), (100, 1_600));
    disk.0.store(5_000, Ordering::SeqCst);
    until(&ledger, None).await;
    log.complete(last, Context::new(), b"1".to_vec())
        .await
        .unwrap();
    audit.record(entry(2)).await.unwrap();
    let _running = log.begin(request(&ledger)).await.unwrap();
    root.close_at_once(Duration::from_secs(60)).await.unwrap();
}
