// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use crate::access::{Quota, Rights};
use crate::ledger::{Ledger, Options};
use crate::projections::ViewDigest;
use crate::projections::tests::take_out;

const WAIT: Duration = Duration::from_secs(60);

async fn digests(ledger: &Ledger) -> Vec<ViewDigest> {
    ledger.at_least(ledger.head().seq).await.unwrap();
    ledger.view_digests().await.unwrap()
}

/// Somebody takes an entry out of each view, and writes segments and manifests as this software does. No record of the
/// journal states those digests: each view is set aside, and what it says is what the records make of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_record_states_is_set_aside_and_never_answered_from() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
    for name in ["one", "two", "three"] {
        root.grant(name, Rights::all(), Quota::default())
            .await
            .unwrap();
    }
    digests(&ledger).await;
    let mut keys = Vec::new();
    for view in &ledger.0.set.all {
        let first = view.scan(b"", 1).unwrap();
        keys.extend(first.into_iter().map(|(key, _)| (view.name(), key)));
    }
    root.close(WAIT).await.unwrap();
    drop((ledger, root));
    // As it was left, nothing is made again.
    let quarantine = path.join("quarantine");
    let aside = || std::fs::read_dir(&quarantine).map_or(0, Iterator::count);
    let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
    digests(&ledger).await;
    assert_eq!(aside(), 0);
    root.close(WAIT).await.unwrap();
    drop((ledger, root));

    assert!(keys.len() >= 2, "{keys:?}");
    for (view, key) in &keys {
        take_out(&path.join("views").join(view), key);
    }
    let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
    assert_eq!(aside(), keys.len());
    let found = digests(&ledger).await;
    for view in &ledger.0.set.all {
        let is_there = |key: &[u8]| view.get(key).unwrap().is_some();
        let mut of_it = keys.iter().filter(|(name, _)| *name == view.name());
        assert!(of_it.all(|(_, key)| is_there(key)), "{}", view.name());
    }
    assert_eq!(found.len(), ledger.0.set.all.len());
    root.close(WAIT).await.unwrap();
}
