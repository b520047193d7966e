// SPDX-License-Identifier: Apache-2.0
//! Opening, and opening again, dropped half-way: nothing is left behind.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::Seq;
use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::journal::{FrameProblem, ReadFailure};
use femtoclaw_ledger::{
    Ledger, OpenError, Options, Retry, Root, checkpoint::CheckpointOptions, error::ReopenError,
};
use tokio_test::task;

use crate::doubles::{Hook, Hooked};
use crate::shared::{WAIT, World, command, everything, observation, until};
use crate::{Driver, in_time};

/// As soon as the one before it has let go of the directory.
async fn opened(path: &Path) -> (Ledger, Root) {
    for _ in 0..6_000 {
        match Ledger::open(path, Options::default()).await {
            Ok(opened) => return opened,
            Err(OpenError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it stays locked")
}

/// Polls so many times, with the runtime's other tasks in between; true where it was ready.
async fn polled<F: Future>(future: F, polls: usize) -> bool {
    let mut future = task::spawn(future);
    for _ in 0..polls {
        if future.poll().is_ready() {
            return true;
        }
        until("the opening is woken", async || future.is_woken()).await;
    }
    future.poll().is_ready()
}

#[test]
fn an_opening_dropped_after_any_poll_lets_go_of_the_directory() {
    for driver in Driver::both() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        driver.run(async {
            let mut polls = 0;
            while !polled(Ledger::open(&path, Options::default()), polls).await {
                let (_ledger, root) = in_time(opened(&path)).await;
                everything(&root).await;
                in_time(root.close(WAIT)).await.unwrap();
                polls += 1;
            }
            // It was ready, and dropped with what it gave.
            let (_, root) = in_time(opened(&path)).await;
            in_time(root.close(WAIT)).await.unwrap();
        });
        driver.end();
    }
}

#[test]
fn a_runtime_ends_in_the_midst_of_an_opening() {
    for driver in Driver::both() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        driver.run(async {
            let mut opening = task::spawn(Ledger::open(&path, Options::default()));
            assert!(opening.poll().is_pending());
        });
        driver.end();
        Driver::current_thread().run(async {
            in_time(opened(&path)).await;
        });
    }
}

#[test]
fn opening_again_goes_on_where_a_dropped_call_left_it() {
    for driver in Driver::both() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        driver.run(async {
            let (_, mut root) = opened(&path).await;
            for polls in 0..4 {
                let again = root.reopen(Options::default(), WAIT);
                if polled(again, polls).await {
                    break;
                }
                // What the dropped call was opening may still hold the lock.
                let mut opened = None;
                until("the lock is let go of", async || {
                    opened = match root.reopen(Options::default(), WAIT).await {
                        Err(ReopenError::Open(OpenError::Locked { .. })) => None,
                        opened => Some(opened.unwrap()),
                    };
                    opened.is_some()
                })
                .await;
                let (ledger, next) = opened.unwrap();
                assert!(ledger.health().healthy);
                let told = root.reopen(Options::default(), WAIT).await;
                assert_eq!(told.map(drop).unwrap_err().code(), "closed");
                let told = root.close(WAIT).await.unwrap_err();
                assert_eq!(told.code(), "reopened");
                root = next;
            }
        });
    }
}

/// Whoever gives up opening again closes, and the directory is free.
#[tokio::test]
async fn a_close_takes_over_from_an_opening_that_was_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (_ledger, root) = opened(&path).await;
    let mut again = task::spawn(root.reopen(Options::default(), WAIT));
    assert!(again.poll().is_pending());
    drop(again);
    let told = in_time(root.close(WAIT)).await.unwrap_err();
    assert_eq!(told.code(), "sealed");
    Ledger::open(&path, Options::default()).await.unwrap();
}

/// Damaged from this record on.
#[derive(Clone)]
struct Damaged(u64);

impl Hook for Damaged {
    fn failure(&self, last: u64) -> Option<ReadFailure> {
        let seq = Seq::new(self.0).unwrap();
        let problem = FrameProblem::Magic;
        (last >= self.0).then_some(ReadFailure::Damaged { seq, problem })
    }
}

/// Views that are missing cannot be made of a damaged journal: the journal is told, for the opening
/// that waits for views and for the one that does not.
#[tokio::test]
async fn a_damaged_journal_is_not_told_as_views() {
    let world = World::new(|_| {}).await;
    let telemetry = world.ledger.telemetry(&world.grant).unwrap();
    for number in 1..10 {
        let record = telemetry.record(observation(command(number), "one"));
        record.await.unwrap();
    }
    in_time(world.root.close(WAIT)).await.unwrap();
    let signer = SigningKey::from_seed("ledger.example/w", Algorithm::Ed25519, &[1; 32]);
    let signer = Arc::new(signer.unwrap());
    for signs in [false, true] {
        let views = tempfile::tempdir().unwrap();
        let journal = Hooked {
            inner: world.journal.below().reopen(),
            hook: Damaged(5),
        };
        let checkpoints = signs.then(|| CheckpointOptions::new(signer.clone(), Vec::new()));
        let options = Options {
            checkpoints,
            ..Options::default()
        };
        let opened = Ledger::open_on(Arc::new(journal), views.path(), options);
        let error = in_time(opened).await.map(drop).unwrap_err();
        let told = (error.code(), error.retry());
        assert_eq!(told, ("journal_damaged", Retry::Never), "{error}");
    }
}
