// SPDX-License-Identifier: Apache-2.0
//! Clock and entropy: without them nothing can be appended. A panic seals and names it, a hang meets
//! the watchdog.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use femtoclaw_ledger::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use femtoclaw_ledger::events::Outcome;
use femtoclaw_ledger::{AuditEntry, AuditFamily, Context, Options, Seq};

use crate::scene::{Act, Cell, How, options};
use crate::shared::{WAIT, request};

/// Misbehaves where the sequencer asks for the time.
#[derive(Default)]
struct Watch {
    act: Arc<Act>,
    clock: SystemClock,
    asked: AtomicU64,
}

impl Clock for Watch {
    fn now_ns(&self) -> i64 {
        match self.act.now() {
            How::Nonsense if self.asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) => {
                i64::MIN
            }
            How::Nonsense => -1,
            _ => self.clock.now_ns(),
        }
    }

    fn monotonic_ns(&self) -> u64 {
        let now = self.clock.monotonic_ns();
        // It goes back at every other call.
        if self.asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            now
        } else {
            now / 2
        }
    }
}

#[derive(Default)]
struct Dice {
    act: Arc<Act>,
    inner: SystemEntropy,
}

impl Entropy for Dice {
    fn bytes16(&self) -> [u8; 16] {
        match self.act.now() {
            How::Nonsense => [7; 16],
            _ => self.inner.bytes16(),
        }
    }
}

fn clock(act: &Arc<Act>) -> Options {
    let act = Arc::clone(act);
    Options {
        clock: Arc::new(Watch {
            act,
            ..Watch::default()
        }),
        ..options()
    }
}

fn entropy(act: &Arc<Act>) -> Options {
    let act = Arc::clone(act);
    Options {
        entropy: Arc::new(Dice {
            act,
            ..Dice::default()
        }),
        ..options()
    }
}

/// Appends are refused and name it; reads go on; what is there opens again.
async fn seals(make: fn(&Arc<Act>) -> Options, how: How, cause: &str) {
    let act = Arc::new(Act::default());
    let cell = Cell::new(make(&act)).await;
    let last = cell.append().await;
    cell.ledger.at_least(Seq::new(last)).await.unwrap();
    act.set(how);
    let log = cell.ledger.execution_log(&cell.grant).unwrap();
    for _ in 0..2 {
        let refused = log.begin(request(&cell.ledger, Context::new())).await;
        assert_eq!(refused.map(drop).unwrap_err().code(), "sealed");
    }
    cell.names("sealed").await;
    cell.names(cause).await;
    let reader = cell.ledger.reader(&cell.grant).unwrap();
    assert!(reader.get(Seq::new(last).unwrap()).await.unwrap().is_some());
    assert_eq!(cell.ledger.head().count(), last, "nothing was written");
    cell.nothing_set_aside();
    let told = cell.root.close(WAIT).await.unwrap_err();
    assert_eq!(told.code(), "sealed", "{told}");
    act.set(How::Well);
    cell.opens_again(last).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_seals_and_names_it() {
    tokio::join!(
        seals(clock, How::Panic, "clock: it panicked: as the test wanted"),
        seals(
            entropy,
            How::Panic,
            "entropy: it panicked: as the test wanted"
        ),
        seals(entropy, How::Nonsense, "entropy: it gave the same bytes"),
    );
}

/// A clock that goes back costs nothing but its word: time does not fall.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_goes_back_is_not_followed() {
    let act = Arc::new(Act::default());
    let cell = Cell::new(clock(&act)).await;
    act.set(How::Nonsense);
    cell.works().await;
    act.set(How::Well);
    cell.works().await;
    assert!(cell.ledger.health().healthy);
    let reader = cell.ledger.reader(&cell.grant).unwrap();
    let mut times = BTreeMap::new();
    for seq in 1..=cell.ledger.head().count() {
        let record = reader.get(Seq::new(seq).unwrap()).await.unwrap().unwrap();
        times.insert(seq, record.header.time_ns);
    }
    assert!(times.values().is_sorted(), "{times:?}");
    cell.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_may_call_the_ledger() {
    for make in [clock, entropy] {
        let act = Arc::new(Act::default());
        let cell = Cell::new(make(&act)).await;
        act.give(&cell);
        act.set(How::Reenter);
        cell.works().await;
        assert!(act.has_reentered());
        act.set(How::Well);
        cell.is_well().await;
        cell.root.close(WAIT).await.unwrap();
    }
}

/// It comes back before the watchdog gives it up: everything goes on.
async fn comes_back(make: fn(&Arc<Act>) -> Options, cause: &str) {
    let act = Arc::new(Act::default());
    let cell = Cell::new(make(&act)).await;
    let last = cell.append().await;
    act.set(How::Hang);
    let cell = Arc::new(cell);
    let waits = Arc::clone(&cell);
    let waiting = tokio::spawn(async move { waits.append().await });
    cell.names(cause).await;
    let reader = cell.ledger.reader(&cell.grant).unwrap();
    assert!(reader.get(Seq::new(last).unwrap()).await.unwrap().is_some());
    act.set(How::Well);
    assert!(waiting.await.unwrap() > last);
    cell.is_well().await;
    cell.works().await;
    Arc::into_inner(cell).unwrap().ends().await;
}

/// It does not: who waits is answered, and the ledger is sealed and says why.
async fn is_given_up(make: fn(&Arc<Act>) -> Options, cause: &str) {
    let act = Arc::new(Act::default());
    let made = Options {
        hang_after: Duration::from_secs(1),
        scrub_bytes_per_second: 0,
        ..make(&act)
    };
    let cell = Cell::new(made).await;
    let last = cell.append().await;
    act.set(How::Hang);
    let log = cell.ledger.audit_log(&cell.grant).unwrap();
    let entry = AuditEntry {
        context: crate::shared::command(1),
        family: AuditFamily::OperatorAction,
        action: "test".to_owned(),
        subject: String::new(),
        outcome: Outcome::Success,
        execution: None,
        detail: Vec::new(),
    };
    let lost = log.record(entry).await.unwrap_err();
    assert_eq!(lost.code(), "outcome_unknown", "{lost}");
    cell.names("sealed").await;
    cell.names(cause).await;
    let reader = cell.ledger.reader(&cell.grant).unwrap();
    assert!(reader.get(Seq::new(last).unwrap()).await.unwrap().is_some());
    let closed = cell.root.close(Duration::from_secs(1)).await;
    let told = closed.unwrap_err();
    assert!(["sealed", "still_in_use"].contains(&told.code()), "{told}");
    act.set(How::Well);
    cell.opens_again(last).await;
}

// A hang holds a thread of the runtime: these have some to spare.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_hang_is_named_and_one_that_lasts_meets_the_watchdog() {
    tokio::join!(
        comes_back(clock, "clock: it has not come back"),
        is_given_up(clock, "clock: it has not come back"),
    );
    tokio::join!(
        comes_back(entropy, "entropy: it has not come back"),
        is_given_up(entropy, "entropy: it has not come back"),
    );
}
