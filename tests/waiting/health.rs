// SPDX-License-Identifier: Apache-2.0
//! What runs for a ledger is known to its health: what ends without being asked to is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use femtoclaw_ledger::events::Seq;
use femtoclaw_ledger::journal::{MemoryJournal, ReadFailure};
use femtoclaw_ledger::{Ledger, Options, Retry};

use crate::doubles::{Hook, Hooked, is_scrub};
use crate::shared::{WAIT, command, everything, observation, request, until};
use crate::{Driver, in_time};

/// The runtime is dropped and the ledger is not: told at once, and nothing is accepted in silence.
#[test]
fn a_ledger_whose_runtime_has_gone_is_not_healthy_and_takes_nothing() {
    for driver in Driver::both() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let (ledger, root, grant) = driver.run(async {
            let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
            let grant = everything(&root).await;
            let telemetry = ledger.telemetry(&grant).unwrap();
            telemetry.emit(observation(command(1), "before")).unwrap();
            assert!(ledger.health().healthy, "{:?}", ledger.health());
            (ledger, root, grant)
        });
        driver.end();
        let health = ledger.health();
        assert!(!health.healthy, "{health:?}");
        assert!(health.cause.contains("runtime"), "{health:?}");
        let telemetry = ledger.telemetry(&grant).unwrap();
        for number in 2..1_000 {
            let refused = telemetry.emit(observation(command(number), "after"));
            let refused = refused.unwrap_err();
            let told = (refused.code(), refused.retry());
            assert_eq!(told, ("stopped", Retry::AfterReopen));
        }
        let log = ledger.execution_log(&grant).unwrap();
        Driver::current_thread().run(async {
            let refused = in_time(log.begin(request(&ledger, command(3)))).await;
            assert_eq!(refused.map(drop).unwrap_err().code(), "stopped");
            // What is durable can be read, and the directory is let go of.
            let reads = ledger.reader(&grant).unwrap();
            assert!(in_time(reads.get(Seq::FIRST)).await.unwrap().is_some());
            let closed = in_time(root.close(Duration::from_secs(1))).await;
            let told = closed.unwrap_err().code();
            // On a busy machine its threads come back later than the deadline: that is told, and they come back.
            assert!(
                ["deadline_passed", "still_in_use"].contains(&told),
                "{told}"
            );
            let opened = async || Ledger::open(&path, Options::default()).await.ok();
            let mut again = None;
            until("the directory is let go of", async || {
                again = opened().await;
                again.is_some()
            })
            .await;
            assert!(again.is_some_and(|(again, _)| again.health().healthy));
        });
    }
}

/// Panics in the scrub's thread, and in no other.
#[derive(Clone)]
struct Trap;

impl Hook for Trap {
    fn look(&self) {
        assert!(!is_scrub(), "as the test wants");
    }
}

/// A job whose body panicked is told, and costs nothing but itself.
#[tokio::test]
async fn a_panic_in_the_scrub_is_told() {
    let views = tempfile::tempdir().unwrap();
    let journal = Arc::new(Hooked {
        inner: MemoryJournal::new(),
        hook: Trap,
    });
    let opened = Ledger::open_on(journal.clone(), views.path(), Options::default()).await;
    let (ledger, root) = opened.unwrap();
    let told = async {
        while ledger.health().healthy {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    in_time(told).await;
    let health = ledger.health();
    assert_eq!(health.cause, "scrub panicked");
    let grant = everything(&root).await;
    let log = ledger.execution_log(&grant).unwrap();
    let _begun = log.begin(request(&ledger, command(1))).await.unwrap();
    in_time(root.close_at_once(WAIT)).await.unwrap();
}

/// A medium that gives no frame while it is away.
#[derive(Clone, Default)]
struct Away(Arc<AtomicBool>);

impl Hook for Away {
    fn failure(&self, _: u64) -> Option<ReadFailure> {
        let cause = "the medium is away".into();
        let is_away = self.0.load(Ordering::Acquire);
        is_away.then_some(ReadFailure::Io { cause })
    }
}

/// Views that the journal cannot be read for say so, by name, until it can.
#[tokio::test]
async fn a_view_that_cannot_go_on_is_named_until_it_does() {
    let views = tempfile::tempdir().unwrap();
    let away = Away::default();
    let journal = MemoryJournal::new();
    let open = async |journal: MemoryJournal| {
        let journal = Hooked {
            inner: journal,
            hook: away.clone(),
        };
        let options = Options {
            // It would read too, and have a say.
            scrub_bytes_per_second: 0,
            ..Options::default()
        };
        let opened = Ledger::open_on(Arc::new(journal), views.path(), options).await;
        opened.unwrap()
    };
    let (ledger, root) = open(journal.clone()).await;
    ledger.at_least(ledger.head().seq).await.unwrap();
    in_time(root.close(WAIT)).await.unwrap();
    drop((ledger, root));
    // None of its frames is in memory any more.
    let (ledger, root) = open(journal.reopen()).await;
    assert!(ledger.health().healthy, "{:?}", ledger.health());
    away.0.store(true, Ordering::Release);
    assert!(root.rebuild_view("executions"));
    until("health names a view", async || !ledger.health().healthy).await;
    let cause = ledger.health().cause;
    assert!(
        cause.starts_with("view ") && cause.contains("the medium is away"),
        "{cause}"
    );
    away.0.store(false, Ordering::Release);
    until("views go on", async || ledger.health().healthy).await;
    ledger.at_least(ledger.head().seq).await.unwrap();
    in_time(root.close(WAIT)).await.unwrap();
}
