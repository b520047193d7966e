// SPDX-License-Identifier: Apache-2.0
//! A ledger that nobody uses writes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use femtoclaw_ledger::clock::{Clock, ManualClock};
use femtoclaw_ledger::{Context, Ledger, Options};

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
