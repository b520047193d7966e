// SPDX-License-Identifier: Apache-2.0
//! Who is told how far something is: a panic of it is its own, and the last that it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use femtoclaw_ledger::{Ledger, Options, salvage::SalvageOptions, verify::VerifyOptions};

use crate::scene::{Act, Cell, How};
use crate::shared::WAIT;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verification_goes_on_and_is_right() {
    let act = Arc::new(Act::default());
    let cell = Cell::new(Options::default()).await;
    act.give(&cell);
    cell.works().await;
    for (how, times) in [(How::Panic, Some(1)), (How::Reenter, None)] {
        let told = Arc::new(AtomicUsize::new(0));
        act.set(how);
        let (listener, counts) = (Arc::clone(&act), Arc::clone(&told));
        let progress = move |_: &femtoclaw_ledger::verify::VerifyProgress| {
            counts.fetch_add(1, Ordering::SeqCst);
            listener.now();
        };
        let verified = cell.ledger.verify(VerifyOptions::default(), progress).await;
        assert!(verified.unwrap().is_sound());
        let told = told.load(Ordering::SeqCst);
        assert!(times.map_or(told > 0, |times| times == told), "{told}");
    }
    assert!(act.has_reentered());
    // One that is slow is waited for, and nobody else is.
    act.set(How::Hang);
    let listener = Arc::clone(&act);
    let progress = move |_: &femtoclaw_ledger::verify::VerifyProgress| {
        listener.now();
    };
    let ledger = cell.ledger.clone();
    let verifying =
        tokio::spawn(async move { ledger.verify(VerifyOptions::default(), progress).await });
    cell.until("it is told", || act.has_acted()).await;
    cell.works().await;
    assert!(cell.ledger.health().healthy);
    act.set(How::Well);
    assert!(verifying.await.unwrap().unwrap().is_sound());
    cell.root.close(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_salvage_goes_on_and_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let (path, to) = (
        directory.path().join("ledger"),
        directory.path().join("new"),
    );
    let cell = Cell::open(&path, Options::default()).await;
    cell.works().await;
    let head = cell.root.close(WAIT).await.unwrap().head.count();
    drop(cell);
    let told = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&told);
    let options = SalvageOptions {
        progress: Some(Box::new(move |_| {
            counts.fetch_add(1, Ordering::SeqCst);
            panic!("as the test wanted")
        })),
        ..SalvageOptions::default()
    };
    let target = to.clone();
    let salvaged = tokio::task::spawn_blocking(move || Ledger::salvage(&path, &target, &options));
    salvaged.await.unwrap().unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 1, "it is told no more");
    let again = Cell::open(&to, Options::default()).await;
    assert!(again.ledger.head().count() > head);
    again.works().await;
}
