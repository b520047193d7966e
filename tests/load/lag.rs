// SPDX-License-Identifier: Apache-2.0
//! Views that fall behind: who waits for room waits for them too, in turn, and is not refused.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use femtoclaw_ledger::events::{Event, Record};
use femtoclaw_ledger::projections::{Projection, ProjectionError, ViewBatch};
use femtoclaw_ledger::{AppendError, Context};

use crate::scene::{Answer, answered, polled, record, until};
use crate::shared::World;
use crate::shared::standing::Standing;

/// How far views may be behind here, in records.
const LAG: u64 = 8;

/// Takes a record when it is told to; a sender that has gone lets everything through.
struct Slow(Receiver<()>);

impl Projection for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&mut self, _: &Record, _: &Event, _: &mut ViewBatch) -> Result<(), ProjectionError> {
        let _gone = self.0.recv().is_err();
        Ok(())
    }
}

/// A ledger whose views stand still until they are told to go on, and no more commands than views may lag behind.
async fn behind(wait: bool) -> (World, Standing) {
    let standing = Standing::new();
    let world = World::new(|options| {
        options.wait_for_admission = wait;
        options.limits.view_lag_max = LAG;
        options.activity_interval = Duration::from_secs(1 << 30);
        standing.hold(options);
    })
    .await;
    (world, standing)
}

/// Waits until the views have read everything.
async fn all_read(world: &World) {
    until("views have read everything", || {
        let positions = world.ledger.view_positions();
        let head = world.ledger.head().count();
        positions.iter().all(|it| it.position == head)
    })
    .await;
}

/// Records one after the other until one waits; that one.
async fn first_that_waits(world: &World) -> Answer {
    for _ in 0..=LAG {
        let mut answer = record(world, &world.grant, Context::new(), 2);
        if tokio::time::timeout(Duration::from_millis(300), &mut answer)
            .await
            .map(|answer| answer.unwrap())
            .is_err()
        {
            return answer;
        }
    }
    panic!("views may lag without end");
}

#[tokio::test]
async fn who_waits_for_views_goes_on_in_turn_once_they_move() {
    let (world, sender) = behind(true).await;
    let mut waiting = vec![first_that_waits(&world).await];
    let head = world.ledger.head().count();
    for _ in 0..50 {
        let mut answer = record(&world, &world.grant, Context::new(), 2);
        assert_eq!(polled(&mut answer).await, None, "it waits");
        waiting.push(answer);
    }
    assert_eq!(world.ledger.head().count(), head, "nobody passes them");
    drop(sender);
    let receipts = answered(waiting).await;
    assert_eq!(receipts.len(), 51);
    let in_turn = receipts.windows(2).all(|two| two[0].first < two[1].first);
    assert!(in_turn, "first come, first served: {receipts:?}");
}

/// Those who wait are polled by hand here, so that one of them stands still when its turn has come.
#[tokio::test]
async fn nobody_passes_who_waits_for_views() {
    let (world, sender) = behind(true).await;
    let first = first_that_waits(&world).await;
    let head = world.ledger.head().count();
    let mut second = record(&world, &world.grant, Context::new(), 2);
    assert_eq!(polled(&mut second).await, None);
    drop(sender);
    all_read(&world).await;
    let mut third = record(&world, &world.grant, Context::new(), 2);
    for _ in 0..20 {
        assert_eq!(polled(&mut second).await, None, "the first has not gone on");
        assert_eq!(polled(&mut third).await, None, "two wait");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.ledger.head().count(), head);
    let receipts = answered(vec![first, second, third]).await;
    let first = receipts.iter().map(|receipt| receipt.first.get());
    assert!(first.eq(head + 1..=head + 3), "{receipts:?}");
}

#[tokio::test]
async fn who_stops_waiting_for_views_was_never_there_and_the_next_moves_up() {
    let (world, sender) = behind(true).await;
    let first = first_that_waits(&world).await;
    let head = world.ledger.head().count();
    let mut second = record(&world, &world.grant, Context::new(), 2);
    let mut third = record(&world, &world.grant, Context::new(), 2);
    assert_eq!(polled(&mut second).await, None);
    assert_eq!(polled(&mut third).await, None);
    drop(first);
    drop(second);
    drop(sender);
    let receipts = answered(vec![third]).await;
    assert_eq!(receipts[0].first.get(), head + 1);
}

#[tokio::test]
async fn who_waits_for_views_is_told_when_the_ledger_is_closed() {
    let (world, sender) = behind(true).await;
    let waiting = first_that_waits(&world).await;
    let told = async {
        let refused = waiting.await.unwrap_err();
        drop(sender);
        refused
    };
    let (closed, refused) = tokio::join!(world.root.close(Duration::from_secs(60)), told);
    assert_eq!(refused, AppendError::ShuttingDown);
    closed.unwrap();
}

#[tokio::test]
async fn who_does_not_wait_is_refused_and_goes_on_once_they_move() {
    let (world, sender) = behind(false).await;
    let mut refused = None;
    for _ in 0..2 * LAG {
        let answer = record(&world, &world.grant, Context::new(), 2).await;
        refused = refused.or(answer.err());
    }
    let lagging = matches!(refused, Some(AppendError::ViewLag { lag }) if lag > LAG);
    assert!(lagging, "{refused:?}");
    drop(sender);
    all_read(&world).await;
    record(&world, &world.grant, Context::new(), 2)
        .await
        .unwrap();
}

/// No decision rests on it: it holds up nobody, and health says how far it is behind.
#[tokio::test]
async fn a_slow_projection_lags_alone_and_health_says_so() {
    let (sender, receiver) = channel();
    let world = World::new(move |options| {
        options.wait_for_admission = false;
        options.limits.view_lag_max = LAG;
        options.activity_interval = Duration::from_secs(1 << 30);
        options.projections = vec![Box::new(Slow(receiver))];
    })
    .await;
    for _ in 0..5 * LAG {
        record(&world, &world.grant, Context::new(), 2)
            .await
            .unwrap();
        let built_in = world.ledger.at_least(world.ledger.head().seq).await;
        built_in.unwrap();
    }
    let slow = || {
        world
            .ledger
            .view_positions()
            .into_iter()
            .find(|it| it.name == "slow")
    };
    assert_eq!(slow().unwrap().position, 0);
    let health = world.ledger.health();
    assert!(
        !health.healthy && health.cause.contains("view slow: it is"),
        "{health:?}"
    );
    drop(sender);
    all_read(&world).await;
    assert!(world.ledger.health().healthy);
}
