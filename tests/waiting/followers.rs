// SPDX-License-Identifier: Apache-2.0
//! Followers and watches: without a thread while they wait, woken by what concerns them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use femtoclaw_ledger::events::{Event, Record};
use femtoclaw_ledger::projections::{Projection, ProjectionError, ViewBatch};
use femtoclaw_ledger::{
    Ledger, Options, Retry, Seq,
    reading::{Filter, Follow, SubscriptionError},
};
use futures_util::{StreamExt, TryStreamExt};
use tokio_test::task;

use crate::shared::{WAIT, World, command, everything, observation, request, until};
use crate::{Driver, EVER, in_time};

fn at_the_end(world: &World) -> Follow {
    let reads = world.ledger.reader(&world.grant).unwrap();
    reads.follow(world.ledger.head().next_seq()).unwrap()
}

async fn record(world: &World, number: u128) {
    let telemetry = world.ledger.telemetry(&world.grant).unwrap();
    let recorded = telemetry.record(observation(command(number), "one"));
    in_time(recorded).await.unwrap();
}

/// Reads, commands and the close go on beside any number of idle followers.
#[test]
fn idle_followers_hold_no_thread() {
    for driver in Driver::both() {
        driver.run(async {
            let world = World::new(|_| {}).await;
            let followers: Vec<_> = (0..512)
                .map(|_| {
                    let mut follow = at_the_end(&world);
                    let mut waiting = task::spawn(async move { follow.next_batch(EVER).await });
                    assert!(waiting.poll().is_pending());
                    waiting
                })
                .collect();
            let reads = world.ledger.reader(&world.grant).unwrap();
            assert!(in_time(reads.get(Seq::FIRST)).await.unwrap().is_some());
            in_time(world.root.close(WAIT)).await.unwrap();
            for waiting in followers {
                // The last records, or that nothing comes any more.
                let woken = in_time(waiting).await;
                assert!(
                    matches!(&woken, Ok(records) if !records.is_empty())
                        || woken == Err(SubscriptionError::Closed),
                    "{woken:?}"
                );
            }
        });
    }
}

/// A call that is dropped keeps neither a thread nor the directory.
#[test]
fn a_runtime_ends_although_followers_were_dropped_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (ended, end) = std::sync::mpsc::channel();
    let inside = path.clone();
    std::thread::spawn(move || {
        let driver = Driver::multi_thread();
        driver.run(async {
            let (ledger, root) = Ledger::open(&inside, Options::default()).await.unwrap();
            let grant = everything(&root).await;
            let reads = ledger.reader(&grant).unwrap();
            let mut follow = reads.follow(Seq::new(1 << 40).unwrap()).unwrap();
            for _ in 0..8 {
                assert!(task::spawn(follow.next_batch(EVER)).poll().is_pending());
            }
            in_time(root.close(WAIT)).await.unwrap();
        });
        driver.end();
        ended.send(()).unwrap();
    });
    end.recv_timeout(WAIT).expect("the runtime ends");
    let opened = Driver::current_thread().run(Ledger::open(&path, Options::default()));
    opened.unwrap();
}

/// As a branch of `select!` whose other branch is always ready.
#[test]
fn a_dropped_call_loses_nothing_and_skips_nothing() {
    for driver in Driver::both() {
        driver.run(async {
            let world = World::new(|_| {}).await;
            let mut follow = at_the_end(&world);
            let first = follow.next_seq().get();
            let (mut seen, mut dropped) = (Vec::new(), 0);
            for number in 0..100 {
                record(&world, number).await;
                let head = world.ledger.head().count();
                while seen.last() != Some(&head) {
                    let before = follow.next_seq();
                    let mut next = task::spawn(follow.next_batch(EVER));
                    let polled = next.poll();
                    drop(next);
                    if let std::task::Poll::Ready(records) = polled {
                        let records: Vec<Record> = records.unwrap();
                        seen.extend(records.iter().map(|record| record.header.seq.get()));
                    } else {
                        dropped += 1;
                        assert_eq!(follow.next_seq(), before);
                        tokio::task::yield_now().await;
                    }
                }
            }
            assert!(seen.iter().copied().eq(first..first + seen.len() as u64));
            assert!(seen.len() >= 100 && dropped >= 100, "{dropped}");
        });
    }
}

/// Its `next` is dropped again and again, while it waits and while it reads.
#[test]
fn a_stream_gives_each_record_once_whoever_drops_its_calls() {
    for driver in Driver::both() {
        driver.run(async {
            let world = World::new(|_| {}).await;
            let mut follow = at_the_end(&world);
            let first = follow.next_seq().get();
            let mut seen = Vec::new();
            for number in 0..20 {
                assert!(task::spawn(follow.try_next()).poll().is_pending());
                record(&world, 3 * number).await;
                if let Poll::Ready(given) = task::spawn(follow.try_next()).poll() {
                    seen.push(given.unwrap().unwrap().header.seq.get());
                }
                record(&world, 3 * number + 1).await;
                record(&world, 3 * number + 2).await;
                let head = world.ledger.head().count();
                while seen.last() != Some(&head) {
                    let next = follow.next_seq();
                    let given = in_time(follow.try_next()).await.unwrap().unwrap();
                    assert_eq!(given.header.seq, next);
                    seen.push(next.get());
                }
            }
            assert!(seen.iter().copied().eq(first..first + 60));
        });
    }
}

/// Read at once, given one by one: a batch takes what is left, a revocation leaves nothing.
#[tokio::test]
async fn a_stream_has_what_it_did_not_give_yet() {
    let world = World::new(|_| {}).await;
    let (mut follow, mut revoked) = (at_the_end(&world), at_the_end(&world));
    let first = follow.next_seq();
    for number in 0..5 {
        record(&world, number).await;
    }
    for follow in [&mut follow, &mut revoked] {
        let given = in_time(follow.next()).await.unwrap().unwrap();
        assert_eq!(given.header.seq, first);
        assert_eq!(follow.next_seq(), first.plus(1));
    }
    let left = in_time(follow.next_batch(Duration::ZERO)).await.unwrap();
    assert_eq!((left.len(), left[0].header.seq), (4, first.plus(1)));
    assert_eq!(follow.next_seq(), first.plus(5));
    world.root.revoke(&world.grant, "over").await.unwrap();
    let error = in_time(revoked.next()).await.unwrap().unwrap_err();
    assert_eq!(error.code(), "grant_revoked");
    assert_eq!(revoked.next_seq(), first.plus(1));
    assert_eq!(in_time(revoked.next()).await, None);
}

#[test]
fn a_waiting_stream_is_woken_by_a_record_and_ends_with_the_ledger() {
    for driver in Driver::both() {
        driver.run(async {
            let world = World::new(|_| {}).await;
            let mut follow = at_the_end(&world);
            let mut waiting = task::spawn(follow.next());
            assert!(waiting.poll().is_pending());
            record(&world, 1).await;
            in_time(waiting).await.unwrap().unwrap();
            let tail = tokio::spawn(async move { follow.collect::<Vec<_>>().await });
            tokio::task::yield_now().await;
            in_time(world.root.close(WAIT)).await.unwrap();
            let mut told = in_time(tail).await.unwrap();
            // The close's own records may come before.
            assert_eq!(told.pop(), Some(Err(SubscriptionError::Closed)));
            assert!(told.iter().all(Result::is_ok), "{told:?}");
        });
    }
}

/// Until it says that nothing comes any more: in order, and nothing left out.
async fn to_the_end(mut follow: Follow) -> Vec<Record> {
    let mut records = Vec::new();
    loop {
        let from = follow.next_seq();
        match in_time(follow.next_batch(EVER)).await {
            Ok(more) => {
                assert_eq!(more[0].header.seq, from);
                records.extend(more);
            }
            Err(error) => {
                assert_eq!(error, SubscriptionError::Closed);
                assert_eq!((error.code(), follow.next_seq()), ("closed", from));
                // For ever, and at once.
                let again = in_time(follow.next_batch(Duration::ZERO)).await;
                assert_eq!(again, Err(SubscriptionError::Closed));
                return records;
            }
        }
    }
}

#[test]
fn a_follower_is_told_that_the_ledger_is_closed() {
    for driver in Driver::both() {
        driver.run(async {
            let world = World::new(|_| {}).await;
            let waiting = tokio::spawn(to_the_end(at_the_end(&world)));
            let configuration = world.ledger.configuration(&world.grant).unwrap();
            let mut watch = configuration.watch("policy");
            let watching = tokio::spawn(async move { watch.next().await });
            tokio::task::yield_now().await;
            in_time(world.root.close(WAIT)).await.unwrap();
            waiting.await.unwrap();
            let told = in_time(watching).await.unwrap().unwrap_err();
            assert_eq!(told.code(), "closed");
            // Whoever comes late is told the same.
            assert!(to_the_end(at_the_end(&world)).await.is_empty());
        });
    }
}

#[tokio::test]
async fn a_follower_is_told_that_the_ledger_was_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let opened = Ledger::open(directory.path().join("ledger"), Options::default()).await;
    let (ledger, root) = opened.unwrap();
    let grant = everything(&root).await;
    let reads = ledger.reader(&grant).unwrap();
    let follow = reads.follow(Seq::FIRST).unwrap();
    let waiting = tokio::spawn(to_the_end(follow));
    let again = in_time(root.reopen(Options::default(), WAIT)).await;
    let (again, _root) = again.unwrap();
    let seen = waiting.await.unwrap();
    assert!(seen.len() as u64 <= again.head().count());
    let late = reads.get(Seq::FIRST).await.unwrap_err();
    assert_eq!(late.code(), "closed");
}

/// The revocation is found after the wait: a waiting follower gets nothing from then on.
#[tokio::test]
async fn a_waiting_follower_ends_with_its_grant() {
    let world = World::new(|_| {}).await;
    let follow = |start| {
        let reads = world.ledger.reader(&world.grant).unwrap();
        let mut follow = reads.follow(start).unwrap();
        task::spawn(async move { follow.next_batch(EVER).await })
    };
    let head = world.ledger.head().count();
    // One waits for the next record, one for a record that does not come.
    let starts = [head + 1, head + 1_000].map(|seq| Seq::new(seq).unwrap());
    let mut waiting = starts.map(follow);
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let mut watch = configuration.watch("policy");
    let mut watching = task::spawn(async move { watch.next().await });
    assert!(waiting.iter_mut().all(|it| it.poll().is_pending()));
    assert!(watching.poll().is_pending());
    world.root.revoke(&world.grant, "over").await.unwrap();
    for waiting in waiting {
        let error = in_time(waiting).await.unwrap_err();
        assert_eq!(
            (error.code(), error.retry()),
            ("grant_revoked", Retry::Never)
        );
    }
    let error = in_time(watching).await.unwrap_err();
    assert_eq!(error.code(), "grant_revoked");
}

/// Stands at the next record until it is let go.
struct Slow {
    held: Arc<AtomicBool>,
}

impl Projection for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&mut self, _: &Record, _: &Event, _: &mut ViewBatch) -> Result<(), ProjectionError> {
        while self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// Views that are slow keep those who wait for them, and nobody else.
#[test]
fn waiting_for_views_holds_no_thread() {
    let held = Arc::new(AtomicBool::new(false));
    Driver::multi_thread().run(async {
        let slow = Slow { held: held.clone() };
        let world = World::new(|options| options.projections.push(Box::new(slow))).await;
        in_time(world.ledger.at_least(world.ledger.head().seq))
            .await
            .unwrap();
        held.store(true, Ordering::SeqCst);
        record(&world, 1).await;
        let head = world.ledger.head().count();
        let (reads, log) = (
            world.ledger.reader(&world.grant).unwrap(),
            world.ledger.execution_log(&world.grant).unwrap(),
        );
        let mut waiting = task::spawn(async {
            tokio::join!(
                world.ledger.at_least(Seq::new(head)),
                reads.query(Filter::default(), 1_000),
                log.in_doubt(),
            )
        });
        assert!(waiting.poll().is_pending());
        assert!(in_time(reads.get(Seq::FIRST)).await.unwrap().is_some());
        let begun = log.begin(request(&world.ledger, command(2)));
        let _running = in_time(begun).await.unwrap();
        held.store(false, Ordering::SeqCst);
        let (reached, found, in_doubt) = in_time(waiting).await;
        reached.unwrap();
        assert!(found.unwrap().len() as u64 >= head);
        assert!(in_doubt.unwrap().is_empty());
    });
}

/// One on every thread, who takes no answer for an end.
#[test]
fn followers_that_ask_on_and_on_do_not_keep_a_ledger_from_closing() {
    for driver in Driver::both() {
        driver.run(async {
            let world = World::new(|_| {}).await;
            let asked = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
            for _ in 0..8 {
                let (mut follow, asked) = (at_the_end(&world), asked.clone());
                tokio::spawn(async move {
                    while asked.fetch_add(1, Ordering::SeqCst) < u64::MAX {
                        drop(follow.next_batch(EVER).await);
                    }
                });
            }
            record(&world, 1).await;
            in_time(world.root.close(WAIT)).await.unwrap();
            let so_far = asked.load(Ordering::SeqCst);
            let more = async || asked.load(Ordering::SeqCst) >= so_far + 16;
            until("they are answered, and ask again", more).await;
        });
    }
}
