// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use crate::ledger::{Ledger, Options};

/// A position that the pass may never have come to would leave damage unread after the next opening.
#[tokio::test]
async fn the_position_of_a_pass_that_panicked_is_not_kept() {
    for panicked in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let options = Options {
            // It is in the middle of its pass then.
            scrub_bytes_per_second: 1,
            ..Options::default()
        };
        let (ledger, _root) = Ledger::open(&path, options).await.unwrap();
        let scrub = &ledger.0.scrub;
        // A second has passed, by which it may read; it keeps its position each minute, and when it stops.
        let soon = scrub.state.core.shared.clock.monotonic_ns() + 1_000_000_000;
        scrub.pass.lock().unwrap().go_on(&scrub.state, soon);
        if panicked {
            let pass = Arc::clone(&scrub.pass);
            let died = std::thread::spawn(move || {
                let _reading = pass.lock();
                panic!("as a test wants");
            });
            died.join().unwrap_err();
        }
        scrub.stop();
        assert_eq!(path.join("SCRUB").exists(), !panicked);
    }
}

/// A scrub that reads keeps the journal and its lock: it ends with the last handle of its ledger.
#[tokio::test]
async fn a_ledger_that_is_dropped_is_not_read_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
    let reading = Arc::clone(&ledger.0.scrub.state);
    drop(root);
    assert!(!reading.is_stopped());
    drop(ledger);
    assert!(reading.is_stopped());
}
