// SPDX-License-Identifier: Apache-2.0
//! A system without random bytes: what begins is refused before anything is written, and goes on once there are some.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use femtoclaw_ledger::clock::{Entropy, SystemEntropy};
use femtoclaw_ledger::events::{EventType, Seq};

use femtoclaw_ledger::salvage::SalvageOptions;
use femtoclaw_ledger::{Context, Failure, Ledger, Options, Quota, Retry, Rights};

use crate::shared::{WAIT, observation, request, until};

/// Has bytes for what was begun, and none for what begins as long as it is dry; for so many ends.
#[derive(Default)]
struct Source {
    is_dry: AtomicBool,
    /// How often it said that it has none.
    refused: AtomicUsize,
    ends: AtomicUsize,
    inner: SystemEntropy,
}

impl Source {
    fn dry(self: &Arc<Self>, is_dry: bool) {
        self.is_dry.store(is_dry, Ordering::SeqCst);
    }
}

impl Entropy for Source {
    fn bytes16(&self) -> [u8; 16] {
        self.inner.bytes16()
    }

    fn ready(&self) -> io::Result<()> {
        match self.is_dry.load(Ordering::SeqCst) {
            true => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                Err(io::Error::other("none, as the test wanted"))
            }
            false => self.inner.ready(),
        }
    }

    fn ready_to_end(&self, times: usize) -> io::Result<()> {
        assert!(times > 1, "an id and a salt at least");
        let one_less = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        match self.ends.fetch_update(order, order, one_less) {
            Ok(_) => Ok(()),
            Err(_) => self.ready(),
        }
    }
}

#[tokio::test]
async fn without_random_bytes_nothing_begins_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let source = Arc::new(Source::default());
    let options = || Options {
        entropy: source.clone(),
        ..Options::default()
    };
    source.dry(true);
    let refused = Ledger::open(&path, options()).await.map(drop).unwrap_err();
    assert_eq!(
        (refused.code(), refused.retry()),
        ("no_randomness", Retry::Safe)
    );
    assert!(!path.exists());

    source.dry(false);
    let (ledger, root) = Ledger::open(&path, options()).await.unwrap();
    let grant = root.grant("test", Rights::all(), Quota::default());
    let grant = grant.await.unwrap();
    let log = ledger.execution_log(&grant).unwrap();
    let begun = log.begin(request(&ledger, Context::new())).await.unwrap();
    let running = begun.started().unwrap().detach();
    let head = ledger.head();
    source.dry(true);
    let refusals = [
        log.begin(request(&ledger, Context::new())).await.map(drop),
        log.complete(running, Context::new(), b"1".to_vec())
            .await
            .map(drop),
        root.grant("other", Rights::all(), Quota::default())
            .await
            .map(drop),
        root.revoke(&grant, "a test").await.map(drop),
    ];
    for refused in refusals.map(Result::unwrap_err) {
        assert_eq!(
            (refused.code(), refused.retry()),
            ("no_randomness", Retry::Safe)
        );
    }
    let health = ledger.health();
    assert!(
        health.cause.contains("none, as the test wanted"),
        "{health:?}"
    );
    assert_eq!(ledger.head(), head);

    source.dry(false);
    let done = log.complete(running, Context::new(), b"1".to_vec()).await;
    assert_eq!(done.unwrap().first.get(), head.count() + 1);
    assert!(ledger.health().healthy);
    root.close(WAIT).await.unwrap();
    drop((log, ledger, grant, root));

    source.dry(true);
    let salvage = SalvageOptions {
        entropy: source.clone(),
        ..SalvageOptions::default()
    };
    let to = directory.path().join("salvaged");
    let refused = Ledger::salvage(&path, &to, &salvage).unwrap_err();
    assert_eq!(
        (refused.code(), refused.retry()),
        ("no_randomness", Retry::Safe)
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// The effect has happened: its record is what matters most. What was emitted is lost, and does not use up what is left.
#[tokio::test]
async fn without_random_bytes_what_runs_can_end() {
    let directory = tempfile::tempdir().unwrap();
    let source = Arc::new(Source::default());
    let options = Options {
        entropy: source.clone(),
        ..Options::default()
    };
    let opened = Ledger::open(directory.path().join("ledger"), options).await;
    let (ledger, root) = opened.unwrap();
    let grant = root.grant("test", Rights::all(), Quota::default());
    let grant = grant.await.unwrap();
    let log = ledger.execution_log(&grant).unwrap();
    let mut running = Vec::new();
    for _ in 0..3 {
        let begun = log.begin(request(&ledger, Context::new())).await.unwrap();
        running.push(begun.started().unwrap().detach());
    }
    let head = ledger.head().count();
    source.ends.store(2, Ordering::SeqCst);
    source.dry(true);
    let begun = log.begin(request(&ledger, Context::new())).await;
    assert_eq!(begun.map(drop).unwrap_err().code(), "no_randomness");
    let telemetry = ledger.telemetry(&grant).unwrap();
    let refused = || source.refused.load(Ordering::SeqCst);
    let before = refused();
    telemetry.emit(observation(Context::new(), "beat")).unwrap();
    until("what was emitted is refused", async || refused() > before).await;
    let complete = |number: usize| log.complete(running[number], Context::new(), b"1".to_vec());
    complete(0).await.unwrap();
    // It runs no more, and takes nothing of what is kept for those that do.
    let again = complete(0).await.unwrap_err();
    assert_eq!(again.code(), "no_randomness");
    let fail = log.fail(
        running[1],
        Context::new(),
        Failure::new("broken", "it broke"),
    );
    fail.await.unwrap();
    let refused = complete(2).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.retry()),
        ("no_randomness", Retry::Safe)
    );
    let reader = ledger.reader(&grant).unwrap();
    let since = reader.range(Seq::new(head + 1).unwrap(), usize::MAX);
    let types: Vec<_> = since.await.unwrap();
    let types: Vec<_> = types.iter().map(|it| it.header.event_type).collect();
    let ends = [EventType::ExecutionCompleted, EventType::ExecutionFailed];
    let each = ends.map(|end| [end, EventType::TransitionsRecorded]);
    assert_eq!(types, each.concat());
    assert!(!ledger.health().healthy);

    source.dry(false);
    complete(2).await.unwrap();
    assert!(ledger.health().healthy);
    root.close(WAIT).await.unwrap();
}
