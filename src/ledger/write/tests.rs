// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use crate::access::{Quota, Rights};
use crate::commands::Change;
use crate::error::Retry;
use crate::journal::MemoryJournal;
use crate::ledger::{Ledger, Options};

/// A store that panicked while it put in force what it had decided may have put in half of it.
#[tokio::test]
async fn nothing_is_decided_by_what_a_panic_left() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Arc::new(MemoryJournal::new());
    let opened = Ledger::open_on(journal, directory.path(), Options::default()).await;
    let (ledger, root) = opened.unwrap();
    let grant = root.grant("tester", Rights::all(), Quota::default());
    let configuration = ledger.configuration(&grant.await.unwrap()).unwrap();
    let shared = Arc::clone(&ledger.0.core.shared);
    let died = std::thread::spawn(move || {
        let _deciding = shared.in_force.write();
        panic!("as a test wants");
    });
    died.join().unwrap_err();
    let head = ledger.head().count();
    let change = Change::new("policy", "1")
        .author("operator")
        .reason("a test");
    let error = configuration.change(change).await.unwrap_err();
    assert_ne!(error.retry(), Retry::Safe, "{error}");
    let sealed = ledger.0.core.writer.sealed();
    let cause = sealed.unwrap().to_string();
    assert!(cause.contains("panicked while it decided"), "{cause}");
    assert_eq!(ledger.head().count(), head);
}
