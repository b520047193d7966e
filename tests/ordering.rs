// SPDX-License-Identifier: Apache-2.0
//! Every answer that depends on state travels in order (design §1): with the sync held there is
//! none, to whatever; with the sync failed each says what can be known.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod shared;

use std::future::poll_fn;
use std::task::Poll;

use femtoclaw_ledger::events::Seq;
use femtoclaw_ledger::journal::Journal as _;
use femtoclaw_ledger::{
    AppendError, Retry, Rollback, configuration::Changed, execution_log, group::Command,
};

use crate::shared::held::FailedSync;
use shared::{A_WHILE, WAIT, World, change, command, id, observation, request, until};
use tokio::task::JoinHandle;

type Answer = JoinHandle<Result<Changed, AppendError>>;

/// What stands behind a held sync: a change, and what depends on it.
struct Waiting {
    original: Answer,
    duplicate: Answer,
    conflict: Answer,
    version_conflict: Answer,
    refusal: Answer,
}

impl Waiting {
    fn all(self) -> [Answer; 5] {
        [
            self.original,
            self.duplicate,
            self.conflict,
            self.version_conflict,
            self.refusal,
        ]
    }

    fn any_answered(&self) -> bool {
        let answers = [
            &self.original,
            &self.duplicate,
            &self.conflict,
            &self.version_conflict,
            &self.refusal,
        ];
        answers.iter().any(|answer| answer.is_finished())
    }
}

/// Sends one after the other, so that each is decided after the one before.
async fn send(world: &World, content: (u128, &str), expected: Option<u64>) -> Answer {
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let it = change(command(content.0), content.1, expected);
    let mut answer = Box::pin(async move { configuration.change(it).await });
    // Its first poll sends it; the store's mailbox is in that order.
    let sent = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context)));
    assert!(sent.await.is_pending(), "answered while the sync is held");
    tokio::spawn(answer)
}

/// Until the store has decided on all that was sent to it: what a rollback restores is asked of it
/// behind that.
async fn decided(world: &World) {
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let rollback = Rollback {
        context: command(99),
        document: "policy".to_owned(),
        to_version: 1,
        author: "operator".to_owned(),
        reason: "never sent".to_owned(),
        expected_version: None,
    };
    let mut asking = tokio_test::task::spawn(configuration.rollback(rollback));
    assert!(asking.poll().is_pending());
    until("the store answers", async || asking.is_woken()).await;
}

async fn behind_a_held_sync(world: &World) -> Waiting {
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let first = configuration.change(change(command(1), "one", Some(0)));
    assert_eq!(first.await.unwrap().version, 1);
    world.journal.hold();
    let original = send(world, (2, "two"), Some(1)).await;
    let journal = world.journal.clone();
    let held = tokio::task::spawn_blocking(move || journal.wait_until_held(WAIT));
    assert!(held.await.unwrap(), "no append came to its sync");
    let waiting = Waiting {
        original,
        duplicate: send(world, (2, "two"), Some(1)).await,
        conflict: send(world, (2, "another"), Some(1)).await,
        version_conflict: send(world, (3, "three"), Some(1)).await,
        refusal: send(world, (1, "not one"), Some(0)).await,
    };
    decided(world).await;
    waiting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_answered_or_shown_while_the_sync_is_held() {
    let world = World::new(|_| {}).await;
    let head_watch = {
        let mut watch = world.ledger.watch_head();
        watch.borrow_and_update();
        watch
    };
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let waiting = behind_a_held_sync(&world).await;
    let head = world.ledger.head();
    world.ledger.at_least(head.seq).await.unwrap();
    let mut follow = {
        let reads = world.ledger.reader(&world.grant).unwrap();
        reads.follow(head.next_seq()).unwrap()
    };
    let mut head_watch = head_watch;
    head_watch.borrow_and_update();
    let mut watch = configuration.watch("policy");
    assert_eq!(watch.next().await.unwrap().content, b"one");

    // What must not come is waited for.
    assert!(tokio::time::timeout(A_WHILE, watch.next()).await.is_err());
    assert!(follow.next_batch(A_WHILE).await.unwrap().is_empty());
    assert!(!waiting.any_answered(), "an answer overtook the sync");
    assert_eq!(world.ledger.head(), head);
    assert!(!head_watch.has_changed().unwrap());
    let reads = world.ledger.reader(&world.grant).unwrap();
    let beyond = reads.get(head.next_seq()).await.unwrap();
    assert_eq!(beyond, None);
    let current = configuration.current("policy").await.unwrap().unwrap();
    assert_eq!(current.content, b"one");
    let found = world.ledger.lookup(&world.grant, id(2)).await.unwrap();
    assert_eq!(found, None, "a lookup saw what is not durable");

    world.journal.release();
    let [original, duplicate, conflict, version_conflict, refusal] = waiting.all();
    let original = original.await.unwrap().unwrap();
    let duplicate = duplicate.await.unwrap().unwrap();
    assert_eq!(original.version, 2);
    assert_eq!(watch.next().await.unwrap().info.version, 2);
    assert!(!original.receipt.duplicate && duplicate.receipt.duplicate);
    assert_eq!(duplicate.receipt.first, original.receipt.first);
    assert_eq!(
        conflict.await.unwrap(),
        Err(AppendError::IdempotencyConflict { command: id(2) })
    );
    let moved = AppendError::VersionConflict {
        expected: 1,
        actual: 2,
    };
    assert_eq!(version_conflict.await.unwrap(), Err(moved));
    assert_eq!(
        refusal.await.unwrap(),
        Err(AppendError::IdempotencyConflict { command: id(1) })
    );
    assert!(original.receipt.first.get() > head.count());
    let shown = follow.next_batch(WAIT).await.unwrap();
    assert_eq!(shown[0].header.seq, original.receipt.first);
    world.root.close(WAIT).await.unwrap();
}

async fn a_failed_sync(how: FailedSync) {
    let world = World::new(|_| {}).await;
    let waiting = behind_a_held_sync(&world).await;
    let head = world.ledger.head();
    world.journal.fail_next(how);
    world.journal.release();

    let [original, duplicate, conflict, version_conflict, refusal] = waiting.all();
    let unknown = AppendError::OutcomeUnknown { command: id(2) };
    assert_eq!(unknown.retry(), Retry::LookUpFirst);
    assert_eq!(original.await.unwrap(), Err(unknown.clone()));
    assert_eq!(duplicate.await.unwrap(), Err(unknown));
    for (what, answer) in [
        ("conflict", conflict),
        ("version conflict", version_conflict),
        ("refusal", refusal),
    ] {
        let error = answer.await.unwrap().unwrap_err();
        assert_eq!(error.code(), "sealed", "{what}: {error}");
    }
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let later = configuration.change(change(command(4), "four", None)).await;
    assert_eq!(later.unwrap_err().code(), "sealed");
    assert!(!world.ledger.health().healthy);
    assert_eq!(
        world.ledger.head(),
        head,
        "reads go on, up to what is durable"
    );
    let current = configuration.current("policy").await.unwrap().unwrap();
    assert_eq!(current.content, b"one");
    drop(configuration);

    let reopened = world.reopened(true).await;
    let found = reopened
        .ledger
        .lookup(&reopened.grant, id(2))
        .await
        .unwrap();
    let configuration = reopened.ledger.configuration(&reopened.grant).unwrap();
    let again = configuration.change(change(command(2), "two", Some(1)));
    let again = again.await.unwrap();
    assert_eq!(again.version, 2);
    match how {
        FailedSync::Persisted => {
            let found = found.expect("the frame is there, so is the command");
            assert!(again.receipt.duplicate);
            assert_eq!(
                (found.first, found.last),
                (again.receipt.first, again.receipt.last)
            );
        }
        FailedSync::NotPersisted => {
            assert_eq!(found, None);
            assert!(!again.receipt.duplicate, "it was never written before");
        }
    }
    let refused = [id(3), id(4)];
    for command in refused {
        let found = reopened.ledger.lookup(&reopened.grant, command).await;
        assert_eq!(found.unwrap(), None, "a refused command left its id");
    }
    reopened.root.close(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_whose_frame_is_there_is_an_unknown_outcome() {
    a_failed_sync(FailedSync::Persisted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_whose_frame_is_not_there_is_an_unknown_outcome() {
    a_failed_sync(FailedSync::NotPersisted).await;
}

/// Commits that gather behind a slow medium are cut into frames: no frame is larger than a reader has room for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gathers_behind_a_held_sync_is_cut_into_frames() {
    const SENT: u128 = 60;
    // A record of 4,096 bytes at most has 256 beside its content.
    for (records_target, bytes_target, most) in [(8, 512 << 10, 8), (1_024, 4_096, 16)] {
        let world = World::new(|options| {
            options.limits.frame_records_target = records_target;
            options.limits.frame_bytes_target = bytes_target;
        });
        let world = world.await;
        let telemetry = world.ledger.telemetry(&world.grant).unwrap();
        world.journal.hold();
        let mut sent = Vec::new();
        for number in 1..=SENT {
            let recorded = telemetry.record(observation(command(number), "beat"));
            let mut recorded = tokio_test::task::spawn(recorded);
            assert!(recorded.poll().is_pending());
            sent.push(recorded);
        }
        let journal = world.journal.clone();
        let held = tokio::task::spawn_blocking(move || journal.wait_until_held(WAIT));
        assert!(held.await.unwrap(), "no append came to its sync");
        world.journal.release();
        for recorded in sent {
            recorded.await.unwrap();
        }
        let frames = world.journal.frames(Seq::FIRST);
        let lengths: Vec<usize> = frames.map(|it| it.unwrap().records().count()).collect();
        assert!(lengths.iter().all(|it| *it <= most), "{lengths:?}");
    }
}

/// Polls it once, which takes its place in the queue, and lets it go on by itself.
async fn sent<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let mut call = Box::pin(call);
    let first = poll_fn(|context| Poll::Ready(call.as_mut().poll(context)));
    assert!(first.await.is_pending(), "answered while the sync is held");
    tokio::spawn(call)
}

/// The effect has happened: its room was taken at its start. Two of them have the room of two.
#[tokio::test]
async fn endings_do_not_queue_behind_those_that_wait_for_room() {
    const ROOM: usize = 256;
    let world = World::new(|options| options.limits.pending_records_max = ROOM).await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let reserve = femtoclaw_ledger::Limits::default().finish_reserve_bytes;
    let begin = async |number| {
        let begun = log.begin(request(&world.ledger, command(number))).await;
        begun.unwrap().started().unwrap().detach()
    };
    let (alone, one, two) = (begin(1).await, begin(2).await, begin(3).await);
    let telemetry = world.ledger.telemetry(&world.grant).unwrap();
    world.journal.hold();
    // Four times what may be under way: whoever queues behind them has three times as many before it.
    let mut waiting = Vec::new();
    for number in 0..4 * ROOM as u128 {
        let telemetry = telemetry.clone();
        let beat = observation(command(1_000 + number), "beat");
        waiting.push(sent(async move { telemetry.record(beat).await }).await);
    }
    let result = vec![b'1'; reserve * 3 / 4];
    let (log, whole) = (log.clone(), result.clone());
    let ending = sent(async move { log.complete(alone, command(4), whole).await }).await;
    let finish = |execution, number| {
        Command::Finish(execution_log::Finish {
            context: command(number),
            execution,
            ending: execution_log::Ending::Completed(result.clone()),
        })
    };
    let group = vec![finish(one, 5), finish(two, 6)];
    let (ledger, grant) = (world.ledger.clone(), world.grant.clone());
    let both = sent(async move { ledger.commit(&grant, group).await }).await;
    world.journal.release();
    let ended = ending.await.unwrap().unwrap();
    let both = both.await.unwrap().unwrap().unwrap();
    let mut beats = Vec::new();
    for waited in waiting {
        beats.push(waited.await.unwrap().unwrap().first);
    }
    for receipt in [ended, both.receipt] {
        let before = beats.iter().filter(|it| **it < receipt.first).count();
        assert!(before < 2 * ROOM, "{receipt:?} behind {before}");
    }
}
