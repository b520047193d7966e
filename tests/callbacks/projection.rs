// SPDX-License-Identifier: Apache-2.0
//! A view of the embedder's halts alone, and is started again.

use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{Event, Record};
use femtoclaw_ledger::projections::{
    Projection, ProjectionError, VIEW_COMMIT_BYTES_MAX, VIEW_KEY_BYTES_MAX, VIEW_VALUE_BYTES_MAX,
    ViewBatch,
};
use femtoclaw_ledger::{Options, Seq};

use crate::scene::{Act, Cell, How, options};
use crate::shared::WAIT;

/// What it writes that cannot be written, or says that is not so.
#[derive(Debug, Clone, Copy)]
enum Nonsense {
    Key,
    Value,
    Commit,
    Damaged,
    Words,
}

struct Mine {
    name: &'static str,
    act: Arc<Act>,
    nonsense: Nonsense,
}

impl Projection for Mine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(
        &mut self,
        record: &Record,
        _: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        batch.put(b"", vec![1]);
        batch.put(&record.header.seq.get().to_be_bytes(), vec![2; 100]);
        match (self.act.now(), self.nonsense) {
            (How::Error, _) => return Err(ProjectionError::Refused("a wrong record".into())),
            (How::Nonsense, Nonsense::Key) => {
                batch.put(&[b'k'; VIEW_KEY_BYTES_MAX + 1], vec![1]);
            }
            (How::Nonsense, Nonsense::Value) => {
                batch.put(b"value", vec![0; VIEW_VALUE_BYTES_MAX + 1]);
            }
            (How::Nonsense, Nonsense::Commit) => {
                for key in 0..=VIEW_COMMIT_BYTES_MAX / VIEW_VALUE_BYTES_MAX {
                    batch.put(&key.to_be_bytes(), vec![0; VIEW_VALUE_BYTES_MAX]);
                }
            }
            (How::Nonsense, Nonsense::Damaged) => {
                return Err(ProjectionError::Damaged("says the embedder".into()));
            }
            (How::Nonsense, Nonsense::Words) => {
                return Err(ProjectionError::Refused(
                    "\u{1b}[2J\n".repeat(1 << 20).into(),
                ));
            }
            _ => {}
        }
        // As large as it may be.
        batch.put(&[b'k'; VIEW_KEY_BYTES_MAX], vec![3]);
        assert!(batch.get(&[b'k'; 2 * VIEW_KEY_BYTES_MAX])?.is_none());
        Ok(())
    }
}

fn with(act: &Arc<Act>, nonsense: Nonsense) -> Options {
    let mine = |name, act| {
        let mine = Mine {
            name,
            act,
            nonsense,
        };
        Box::new(mine) as Box<dyn Projection>
    };
    Options {
        projections: vec![mine("mine", Arc::clone(act)), mine("other", Arc::default())],
        ..options()
    }
}

async fn halts_alone(how: How, nonsense: Nonsense, cause: &str) {
    let act = Arc::new(Act::default());
    let cell = Cell::new(with(&act, nonsense)).await;
    cell.works().await;
    act.set(how);
    cell.writes().await;
    cell.names("projection mine").await;
    cell.names(cause).await;
    assert!(cell.ledger.health().cause.len() < 1_000);
    cell.works().await;
    let head = cell.ledger.head().count();
    assert_eq!(
        cell.ledger
            .projection_at_least("other", Seq::new(head))
            .await
            .unwrap(),
        head
    );
    let halted = cell
        .ledger
        .projection_at_least("mine", Seq::new(head))
        .await
        .unwrap_err();
    assert_eq!(halted.code(), "unavailable", "{halted}");
    assert_eq!(
        cell.ledger
            .projection_at_least("none", Seq::FIRST)
            .await
            .unwrap_err()
            .code(),
        "unavailable"
    );
    cell.nothing_set_aside();
    // It stays halted, and named, until it is started again.
    act.set(How::Well);
    cell.works().await;
    cell.names("projection mine").await;
    assert!(cell.root.rebuild_view("mine"));
    let head = cell.ledger.head().count();
    let mine = || {
        cell.ledger
            .view_positions()
            .iter()
            .any(|view| view.name == "mine" && view.position >= head)
    };
    cell.until("mine is made again", mine).await;
    cell.is_well().await;
    cell.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_or_an_error_halts_it_alone() {
    halts_alone(How::Panic, Nonsense::Key, "as the test wanted").await;
    halts_alone(How::Error, Nonsense::Key, "a wrong record").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_engine_would_not_take_halts_it_alone() {
    halts_alone(How::Nonsense, Nonsense::Key, "a key has 65535 bytes").await;
    halts_alone(How::Nonsense, Nonsense::Value, "a value has 16777217 bytes").await;
    halts_alone(How::Nonsense, Nonsense::Commit, "a commit has").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_word_is_not_taken_for_damage_nor_as_it_is() {
    halts_alone(How::Nonsense, Nonsense::Damaged, "says the embedder").await;
    halts_alone(How::Nonsense, Nonsense::Words, "record cannot be projected").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_does_not_come_back_is_named_as_long_as_it_does_not() {
    let act = Arc::new(Act::default());
    let cell = Cell::new(with(&act, Nonsense::Key)).await;
    act.set(How::Hang);
    cell.writes().await;
    cell.names("projection mine: it has not come back").await;
    // Views stand, appends and reads of the journal do not.
    cell.writes().await;
    act.set(How::Well);
    cell.is_well().await;
    cell.works().await;
    cell.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_never_comes_back_keeps_no_close_and_destroys_nothing() {
    let act = Arc::new(Act::default());
    let cell = Cell::new(with(&act, Nonsense::Key)).await;
    act.set(How::Hang);
    cell.writes().await;
    cell.until("it hangs", || act.has_acted()).await;
    let head = cell.ledger.head().count();
    let start = tokio::time::Instant::now();
    let told = cell.root.close(Duration::from_secs(1)).await.unwrap_err();
    assert!(start.elapsed() < WAIT / 2, "{:?}", start.elapsed());
    assert_eq!(told.code(), "still_in_use", "{told}");
    assert!(told.to_string().contains("views"), "{told}");
    cell.nothing_set_aside();
    act.set(How::Well);
    cell.opens_again(head).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_may_call_the_ledger() {
    let act = Arc::new(Act::default());
    let cell = Cell::new(with(&act, Nonsense::Key)).await;
    act.give(&cell);
    act.set(How::Reenter);
    cell.works().await;
    cell.until("it has called", || act.has_reentered()).await;
    act.set(How::Well);
    cell.is_well().await;
    cell.nothing_set_aside();
    cell.root.close(WAIT).await.unwrap();
}

/// Asked for its name and version it panics: nothing is opened, and nothing broken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_without_a_name_is_refused() {
    struct Nameless;
    impl Projection for Nameless {
        fn name(&self) -> &'static str {
            panic!("no name")
        }
        fn version(&self) -> u32 {
            1
        }
        fn apply(
            &mut self,
            _: &Record,
            _: &Event,
            _: &mut ViewBatch,
        ) -> Result<(), ProjectionError> {
            Ok(())
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        projections: vec![Box::new(Nameless)],
        ..Options::default()
    };
    let opened = femtoclaw_ledger::Ledger::open(directory.path().join("ledger"), options).await;
    let refused = opened.map(drop).unwrap_err();
    assert!(refused.to_string().contains("no name"), "{refused}");
    Cell::open(&directory.path().join("ledger"), Options::default())
        .await
        .works()
        .await;
}
