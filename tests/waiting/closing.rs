// SPDX-License-Identifier: Apache-2.0
//! Closing: one deadline for all of it, whoever goes away meanwhile and whatever hangs.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::{
    CloseError, Context, ExecutionLog, Ledger, OpenError, Options, Root, operation::Closed,
};
use tokio_test::task;

use crate::doubles::{Hook, Hooked, is_scrub};
use crate::shared::held::HeldJournal;
use crate::shared::{A_WHILE, WAIT, command, everything, request, until};
use crate::{Driver, in_time};

/// With one execution running.
async fn running(path: &Path) -> (Ledger, Root, ExecutionLog) {
    let (ledger, root) = Ledger::open(path, Options::default()).await.unwrap();
    let grant = everything(&root).await;
    let log = ledger.execution_log(&grant).unwrap();
    (ledger, root, log)
}

/// As soon as the one before it has let go of the directory.
async fn opens(path: &Path) -> (Ledger, Root) {
    for _ in 0..6_000 {
        match Ledger::open(path, Options::default()).await {
            Ok(opened) => return opened,
            Err(OpenError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it stays locked")
}

#[test]
fn a_close_whose_caller_went_away_is_joined_by_the_next() {
    for driver in Driver::both() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        driver.run(async {
            let (ledger, root, log) = running(&path).await;
            let begun = log.begin(request(&ledger, command(1))).await.unwrap();
            assert!(task::spawn(root.close(WAIT)).poll().is_pending());
            let health = ledger.health();
            assert!(!health.healthy && health.cause == "closing", "{health:?}");
            let refused = log.begin(request(&ledger, command(2))).await;
            assert_eq!(refused.map(drop).unwrap_err().code(), "shutting_down");
            let reopened = root.reopen(Options::default(), WAIT).await;
            assert_eq!(reopened.map(drop).unwrap_err().code(), "closed");
            let early = tokio::time::timeout(A_WHILE, root.close(WAIT)).await;
            assert!(early.is_err(), "an execution runs: {early:?}");
            // What runs can still end, and then nothing is waited for any more.
            let completed = log.complete(begun.execution(), Context::new(), b"1".to_vec());
            completed.await.unwrap();
            let closed = in_time(root.close(WAIT)).await.unwrap();
            assert_eq!(closed.running, 0);
            assert_eq!(closed.head, ledger.head());
            // Once more: it is closed, and says how.
            assert_eq!(root.close(Duration::ZERO).await.unwrap(), closed);
            let health = ledger.health();
            assert!(!health.healthy && health.cause == "closed", "{health:?}");
            Ledger::open(&path, Options::default()).await.unwrap();
        });
    }
}

#[test]
fn a_close_whose_caller_went_away_ends_by_itself() {
    for driver in Driver::both() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        driver.run(async {
            let (_ledger, root, _log) = running(&path).await;
            assert!(task::spawn(root.close(WAIT)).poll().is_pending());
            let (again, _root) = opens(&path).await;
            assert!(again.recovery().unwrap().found.torn.is_none());
            assert_eq!(root.close(WAIT).await.unwrap().running, 0);
        });
    }
}

/// The nearer of two deadlines counts, for both callers.
#[tokio::test]
async fn a_second_close_hurries_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, root, log) = running(&directory.path().join("ledger")).await;
    let _running = log.begin(request(&ledger, command(1))).await.unwrap();
    let (first, second) =
        in_time(async { tokio::join!(root.close(Duration::MAX), root.close_at_once(WAIT)) }).await;
    assert_eq!(first.unwrap().running, 1);
    assert_eq!(second.unwrap().running, 1);
}

/// A medium that hangs: the deadline is one for all steps, and what hangs is named.
#[test]
fn a_hanging_medium_does_not_keep_the_close_beyond_its_deadline() {
    const DEADLINE: Duration = Duration::from_secs(2);
    for driver in Driver::both() {
        let views = tempfile::tempdir().unwrap();
        let memory = MemoryJournal::new();
        let journal = Arc::new(HeldJournal::new(memory.clone()));
        driver.run(async {
            let opened = Ledger::open_on(journal.clone(), views.path(), Options::default()).await;
            let (ledger, root) = opened.unwrap();
            let grant = everything(&root).await;
            let log = ledger.execution_log(&grant).unwrap();
            journal.hold();
            let mut hanging = task::spawn(log.begin(request(&ledger, command(1))));
            assert!(hanging.poll().is_pending());
            let begun = tokio::time::Instant::now();
            let left = in_time(root.close(DEADLINE)).await.unwrap_err();
            let took = begun.elapsed();
            // Each step with a deadline of its own would take thrice that.
            assert!(took >= DEADLINE && took < DEADLINE * 5 / 2, "{took:?}");
            let what = "the writer's thread";
            assert_eq!(left, CloseError::StillInUse { what });
            // It is waited for again, and in vain again.
            let left = in_time(root.close(Duration::ZERO)).await.unwrap_err();
            assert_eq!(left, CloseError::StillInUse { what });
            assert_eq!(ledger.health().cause, "closing");
            journal.release();
            let late = in_time(root.close(WAIT)).await.unwrap_err();
            assert_eq!(late.code(), "deadline_passed", "{late}");
            drop(hanging);
        });
        driver.end();
    }
}

/// Holds the scrub's thread, and no other, at its next frame.
struct Scrubbed {
    held: Mutex<bool>,
    moved: Condvar,
    stands: AtomicBool,
}

impl Scrubbed {
    fn hold(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.moved.notify_all();
    }
}

impl Hook for Arc<Scrubbed> {
    fn look(&self) {
        if is_scrub() {
            let held = self.held.lock().unwrap();
            self.stands.store(*held, Ordering::SeqCst);
            drop(self.moved.wait_while(held, |held| *held).unwrap());
        }
    }
}

#[test]
fn a_hanging_scrub_keeps_neither_the_close_nor_the_runtime() {
    let views = tempfile::tempdir().unwrap();
    let scrubbed = Arc::new(Scrubbed {
        held: Mutex::new(true),
        moved: Condvar::new(),
        stands: AtomicBool::new(false),
    });
    let journal = Arc::new(Hooked {
        inner: MemoryJournal::new(),
        hook: Arc::clone(&scrubbed),
    });
    let driver = Driver::multi_thread();
    let root = driver.run(async {
        let opened = Ledger::open_on(journal.clone(), views.path(), Options::default()).await;
        let (_, root) = opened.unwrap();
        let stands = async || scrubbed.stands.load(Ordering::SeqCst);
        until("the scrub stands", stands).await;
        let left = in_time(root.close(Duration::from_secs(1))).await;
        let what = "the scrub";
        assert_eq!(left.unwrap_err(), CloseError::StillInUse { what });
        root
    });
    // It stands still: the runtime ends all the same.
    driver.end();
    scrubbed.hold(false);
    let told = Driver::current_thread().run(in_time(root.close(WAIT)));
    assert_eq!(told.unwrap_err().code(), "runtime_gone");
}

/// The close goes with its runtime, and says so; the directory is let go of although handles live.
#[test]
fn a_runtime_that_ends_during_the_close() {
    for driver in Driver::both() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let (ledger, root, log) = driver.run(async {
            let (ledger, root, log) = running(&path).await;
            let _running = log.begin(request(&ledger, command(1))).await.unwrap();
            assert!(task::spawn(root.close(WAIT)).poll().is_pending());
            (ledger, root, log)
        });
        driver.end();
        let health = ledger.health();
        assert!(!health.healthy && health.cause == "closed", "{health:?}");
        Driver::current_thread().run(async {
            let told: Result<Closed, CloseError> = in_time(root.close(WAIT)).await;
            assert_eq!(told.unwrap_err(), CloseError::RuntimeGone);
            let refused = in_time(log.begin(request(&ledger, command(2)))).await;
            assert_eq!(refused.map(drop).unwrap_err().code(), "shutting_down");
            let (_, root) = in_time(opens(&path)).await;
            root.close(WAIT).await.unwrap();
        });
    }
}
