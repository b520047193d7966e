// SPDX-License-Identifier: Apache-2.0
//! Whose start counts: of this machine, or of the host that its volume is of.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use femtoclaw_ledger::projections::Boot;
use femtoclaw_ledger::{Ledger, Options};

use crate::shared::WAIT;

async fn opened_and_closed(path: &std::path::Path, boot: Boot) {
    let options = Options {
        boot,
        ..Options::default()
    };
    let (ledger, root) = Ledger::open(path, options).await.unwrap();
    ledger.at_least(ledger.head().seq).await.unwrap();
    root.close(WAIT).await.unwrap();
}

/// Views are not synced: under another start any part of them may be gone. Those that were closed are synced.
#[tokio::test]
async fn views_that_were_not_closed_are_kept_under_the_same_start_alone() {
    let named = |name: &str| Boot::Named(name.to_owned());
    let cases = [
        (named("monday"), named("monday"), true),
        (named("monday"), named("tuesday"), false),
        (Boot::System, named("tuesday"), false),
        (Boot::Untold, Boot::Untold, false),
    ];
    for (before, after, kept) in cases {
        for closed in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("ledger");
            opened_and_closed(&path, before.clone()).await;
            if !closed {
                // As after a kill: no seal.
                std::fs::remove_file(path.join("views/SEAL")).unwrap();
            }
            // Open, so that no other file gets its number.
            let before_it = File::open(path.join("views/version")).unwrap();
            opened_and_closed(&path, after.clone()).await;
            let found = File::open(path.join("views/version")).unwrap();
            let [before_it, found] = [before_it, found].map(|it| it.metadata().unwrap().ino());
            assert_eq!(
                before_it == found,
                kept || closed,
                "{before:?}, {after:?}, {closed}"
            );
        }
    }
}
