// SPDX-License-Identifier: Apache-2.0
//! A ledger in a directory, and how long figures take.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{
    Grant, Ledger, OpenError, Options, Root,
    checkpoint::{CheckpointDirectory, CheckpointOptions},
};

use crate::recorder::Book;
use crate::shared::everything;
/// The gauges follow once a tick.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..30_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{what}: not within a minute");
}

pub(crate) async fn open(path: &Path) -> (Ledger, Root, Grant) {
    for _ in 0..30_000 {
        let key = SigningKey::from_seed("ledger.example/m", Algorithm::Ed25519, &[1; 32]).unwrap();
        let kept = CheckpointDirectory::new(path.with_extension("kept"));
        let options = Options {
            checkpoints: Some(CheckpointOptions::new(Arc::new(key), vec![Arc::new(kept)])),
            ..Options::default()
        };
        match Ledger::open(path, options).await {
            Ok((ledger, root)) => {
                let grant = everything(&root).await;
                return (ledger, root, grant);
            }
            // A dropped ledger lets go in its own time.
            Err(error) => assert!(matches!(error, OpenError::Locked { .. }), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("still locked");
}

/// The files that a close wrote are taken up.
pub(crate) async fn files_of_views(book: &Book, path: &Path) {
    let opened = open(path).await;
    until("the views' files are known", || {
        book.value("engine_views_bytes", &[]) > 0.0
    })
    .await;
    opened.1.close(Duration::from_secs(60)).await.unwrap();
    drop(opened);
}
