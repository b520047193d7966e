// SPDX-License-Identifier: Apache-2.0
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::time::Duration;

use super::*;
use crate::access::{Grant, Quota, Rights};
use crate::commands::{Change, Context, Request};
use crate::events::{CommandId, Decision, ExecutionId};
use crate::held::HeldMemory;
use crate::integrity::digest;
use crate::ledger::{Ledger, Options, Root};

struct World {
    directory: tempfile::TempDir,
    journal: HeldMemory,
    ledger: Ledger,
    root: Root,
    grant: Grant,
}

async fn open(journal: &HeldMemory, path: &Path) -> (Ledger, Root, Grant) {
    let options = Options {
        snapshot_records: 300,
        ..Options::default()
    };
    let opened = Ledger::open_on(Arc::new(journal.clone()), path, options).await;
    let (ledger, root) = opened.unwrap();
    let grant = root.grant("tester", Rights::all(), Quota::default()).await;
    (ledger, root, grant.unwrap())
}

fn request(ledger: &Ledger) -> Request {
    Request {
        context: Context::new(),
        execution: None,
        input: None,
        capability: "message".to_owned(),
        arguments: b"{}".to_vec(),
        decision: Decision::Authorized,
        reason: String::new(),
        basis: ledger.in_force().basis(),
    }
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let journal = HeldMemory::in_memory();
        let (ledger, root, grant) = open(&journal, directory.path()).await;
        Self {
            directory,
            journal,
            ledger,
            root,
            grant,
        }
    }

    /// More than one snapshot's worth of history, with something left of every kind.
    async fn busy() -> Self {
        let world = Self::new().await;
        let second = world.root.grant("second", Rights::none(), Quota::default());
        second.await.unwrap();
        world.work(200).await;
        world.saved_at_least(1).await;
        world.work(60).await;
        world.still().await;
        world.caught_up().await;
        world
    }

    /// Nothing is written any more but by the test itself.
    async fn still(&self) {
        let background = &self.ledger.0.background;
        background.stop();
        // What was running when it was told to stop runs on to where it waits next.
        while !background.is_stopped() || self.snapshots().under_way.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn snapshots(&self) -> &Snapshots {
        &self.ledger.0.snapshots
    }

    async fn caught_up(&self) {
        let head = self.ledger.head().count();
        self.ledger.at_least(Seq::new(head)).await.unwrap();
    }

    async fn work(&self, executions: u32) {
        let log = self.ledger.execution_log(&self.grant).unwrap();
        let configuration = self.ledger.configuration(&self.grant).unwrap();
        for turn in 0..executions {
            let begun = log.begin(request(&self.ledger)).await.unwrap();
            if turn % 7 != 0 {
                let done = log.complete(begun.execution(), Context::new(), b"1".to_vec());
                done.await.unwrap();
            }
            if turn % 20 == 0 {
                let change = Change {
                    context: Context::new(),
                    document: format!("document {}", turn % 3),
                    content: turn.to_string().into_bytes(),
                    author: "operator".to_owned(),
                    reason: "a test".to_owned(),
                    expected_version: None,
                };
                configuration.change(change).await.unwrap();
            }
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        newest_first(&directory(self.directory.path()))
    }

    async fn saved_at_least(&self, files: usize) {
        for _ in 0..3_000 {
            if self.files().len() >= files {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the states were not saved");
    }

    fn load(&self, views_at: u64) -> Replayed {
        let root = self.directory.path();
        load(root, self.ledger.id(), &self.journal, views_at)
    }

    fn replay(&self, saved: Replayed) -> Replayed {
        let journal: Arc<dyn Journal> = Arc::new(self.journal.clone());
        let window_from = self.ledger.head().count();
        crate::ledger::recover::replay::replay(
            &journal,
            self.ledger.id(),
            window_from,
            saved,
            &crate::ledger::recover::caller_gone::Dropped::default(),
        )
        .unwrap()
    }
}

/// Everything of the states, but for the window's marks.
fn all(replayed: &Replayed) -> [crate::events::Hash; 4] {
    [
        replayed.executions.saved(0),
        replayed.configuration.saved(0),
        replayed.metadata.saved(0),
        replayed.components.saved(0),
    ]
    .map(|bytes| digest(&bytes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saved_states_and_the_tail_give_what_the_whole_journal_gives() {
    let world = World::busy().await;
    let head = world.ledger.head();
    let whole = world.replay(Replayed::default());
    assert_eq!((whole.head, whole.read), (head, head.count()));
    let saved = world.load(head.count());
    let first = saved.from.first();
    assert!(first > 0, "nothing was saved");
    // A state that was saved before its last change had a place is read from before that change.
    let first = saved.places_from.map_or(first, |from| from.min(first));
    let tail = world.replay(saved);
    assert_eq!(tail.head, head);
    // When states are saved, and what shares a frame with them, is a matter of time; from the frame
    // of the next record on, and no more, is read.
    let next = world.journal.frame_at(Seq::FIRST.plus(first)).unwrap();
    let before = next.map_or(head.count(), |frame| frame.first.get() - 1);
    assert_eq!(tail.read, head.count() - before, "after {first}");
    assert_eq!(all(&whole), all(&tail));
    assert_eq!(whole.executions.unfinished(), 38);
    assert_eq!(tail.components.0["second"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opening_from_saved_states_knows_commands_and_executions_from_before_them() {
    let mut world = World::busy().await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let command = CommandId::from_bytes([9; 16]);
    let mut early = request(&world.ledger);
    early.context = Context::new().command(command);
    let begun = log.begin(early.clone()).await.unwrap();
    world.work(150).await;
    world.ledger.0.snapshots.take().await;
    world.caught_up().await;
    assert!(world.load(world.ledger.head().count()).from.first() > begun.receipt().last.get());
    world.root.close(Duration::ZERO).await.unwrap();
    (world.ledger, world.root, world.grant) =
        open(&world.journal.reopen(), world.directory.path()).await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let again = log.begin(early).await.unwrap();
    assert_eq!(again.execution(), begun.execution());
    let done = log.complete(begun.execution(), Context::new(), b"1".to_vec());
    assert_eq!(done.await.unwrap_err().code(), "invalid_transition");
    let never = ExecutionId::from_bytes([7; 16]);
    let unknown = log.complete(never, Context::new(), b"1".to_vec()).await;
    assert_eq!(unknown.unwrap_err().code(), "unknown_execution");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_journal_does_not_vouch_for_is_passed_over() {
    let world = World::busy().await;
    let head = world.ledger.head().count();
    let files = world.files();
    for older in &files[1..] {
        fs::remove_file(older).unwrap();
    }
    let good = fs::read(&files[0]).unwrap();
    assert!(world.load(head).from.first() > 0);
    // Every byte of the small parts, some of the large ones.
    for at in (0..64)
        .chain((64..good.len()).step_by(97))
        .chain([good.len() - 1])
    {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        fs::write(&files[0], &bad).unwrap();
        assert_eq!(world.load(head).from.first(), 0, "byte {at}");
    }
    for length in [0, 7, 8, 24, 25, 40, good.len() / 2, good.len() - 1] {
        fs::write(&files[0], &good[..length]).unwrap();
        assert_eq!(world.load(head).from.first(), 0, "length {length}");
    }
    fs::write(&files[0], &good).unwrap();
    assert!(world.load(head).from.first() > 0);
    // The journal it was saved beside, cut before its record.
    let root = world.directory.path();
    let empty = HeldMemory::in_memory();
    assert_eq!(load(root, world.ledger.id(), &empty, head).from.first(), 0);
    let other = LedgerId::from_bytes([1; 16]);
    assert_eq!(load(root, other, &world.journal, head).from.first(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_that_are_behind_what_was_forgotten_need_an_older_one() {
    let world = World::busy().await;
    // Nothing has left the windows of so young a ledger, so any view will do; what has, needs one.
    assert!(world.load(0).from.first() > 0);
    let (state, _, bytes) = saved(&world.replay(Replayed::default()).components, 10);
    let event = SnapshotTakenV1 {
        state,
        layout: 1,
        length: bytes.len() as u64,
        digest: digest(&bytes),
    };
    let mut replayed = Replayed::default();
    assert_eq!(restore(&mut replayed, &event, 5, &bytes), Ok(10));
    let unknown = SnapshotTakenV1 { layout: 2, ..event };
    assert!(restore(&mut replayed, &unknown, 5, &bytes).is_err());
}

/// Executions that have left the windows are in views alone: states that forgot them need views
/// that hold them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_that_forgot_more_than_the_views_have_read_are_passed_over() {
    const FORGOTTEN: u64 = 10;
    let world = World::busy().await;
    for file in world.files() {
        fs::remove_file(file).unwrap();
    }
    let core = &world.ledger.0.core;
    let mut all = Vec::new();
    for store in STORES {
        all.extend(actors::snapshot(core.stores.of(store)).await);
    }
    let (reply, taken) = oneshot::channel();
    let (state, layout, bytes) = saved(&core.components.all(), FORGOTTEN);
    core.shared.self_records.saved(state, layout, bytes, reply);
    all.push(taken.await.unwrap());
    let last = all.iter().map(|taken| taken.seq.get()).max().unwrap();
    let directory = directory(world.directory.path());
    write(&directory, world.ledger.id(), last, &all).unwrap();
    assert_eq!(world.load(FORGOTTEN - 1).from.first(), 0);
    assert!(world.load(FORGOTTEN).from.first() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saved_states_are_for_nobody_elses_eyes() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::busy().await;
    for file in world.files() {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{}", file.display());
    }
}

mod kinds;
mod on_its_way;
