// SPDX-License-Identifier: Apache-2.0
//! Too many: refused or made to wait, in turn, and nothing leaks.

use std::time::Duration;

use femtoclaw_ledger::{AppendError, Context, Grant, Quota, Rights, Root, group::Command};

use crate::scene::{PART, WHOLE, answered, begun, entry, narrow, polled, record};
use crate::shared::{WAIT, World, command, id, request};

const BUSY: AppendError = AppendError::Busy {
    what: "pending records",
    limit: WHOLE as u64,
};

/// A grant of another component than the world's.
async fn another(root: &Root) -> Grant {
    let granted = root.grant("another", Rights::all(), Quota::default());
    granted.await.unwrap()
}

#[tokio::test]
async fn a_component_has_its_part_and_the_rest_is_left_to_others() {
    let world = narrow(false).await;
    let other = another(&world.root).await;
    for _ in 0..3 {
        world.journal.hold();
        let mut held = begun(&world, &world.grant, PART).await;
        let mut one_more = record(&world, &world.grant, Context::new(), 2);
        assert_eq!(polled(&mut one_more).await, Some(BUSY));
        held.extend(begun(&world, &other, WHOLE - PART).await);
        let mut one_more = record(&world, &other, Context::new(), 2);
        assert_eq!(polled(&mut one_more).await, Some(BUSY));
        // All room is given back, that of the refused too: the next round finds the same.
        world.journal.release();
        answered(held).await;
    }
}

#[tokio::test]
async fn who_stops_waiting_was_never_there() {
    let world = narrow(true).await;
    let quota = Quota {
        records_per_second: Some(50),
        bytes_per_second: None,
    };
    let limited = world.root.grant("limited", Rights::all(), quota).await;
    let (limited, other) = (limited.unwrap(), another(&world.root).await);
    world.journal.hold();
    let mut held = begun(&world, &world.grant, PART).await;
    held.extend(begun(&world, &other, WHOLE - PART).await);
    // More of them than any allowance: some wait for their component's part, some for the whole.
    for number in 0..100 {
        for grant in [&world.grant, &limited] {
            let mut gone = record(&world, grant, command(number), 2);
            assert_eq!(polled(&mut gone).await, None, "it waits");
        }
    }
    world.journal.release();
    answered(held).await;
    // The same ids again, and now they are new.
    for grant in [&world.grant, &limited] {
        for number in 0..10 {
            let found = world.ledger.lookup(grant, id(number)).await.unwrap();
            assert_eq!(found, None);
        }
        let again = (0..10).map(|number| record(&world, grant, command(number), 2));
        for receipt in answered(again.collect()).await {
            assert!(!receipt.duplicate);
        }
    }
}

#[tokio::test]
async fn a_start_that_stops_waiting_gives_back_the_room_to_finish() {
    let world = World::new(|options| {
        options.limits.running_max = 2;
        options.limits.commit_records_max = WHOLE;
        options.limits.pending_records_max = WHOLE;
    })
    .await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    world.journal.hold();
    let held = begun(&world, &world.grant, PART).await;
    for _ in 0..10 {
        let begin = log.begin(request(&world.ledger, Context::new()));
        let waited = tokio::time::timeout(Duration::ZERO, begin).await;
        assert!(waited.is_err(), "it waits");
    }
    world.journal.release();
    answered(held).await;
    // Held: one that is let go of has no room any more.
    let mut running = Vec::new();
    for _ in 0..2 {
        let begun = log.begin(request(&world.ledger, Context::new())).await;
        running.push(begun.unwrap().started().unwrap());
    }
    let third = log.begin(request(&world.ledger, Context::new())).await;
    let busy = AppendError::Busy {
        what: "running executions",
        limit: 2,
    };
    assert_eq!(third.unwrap_err(), busy);
}

#[tokio::test]
async fn what_is_refused_for_load_is_not_charged_to_the_quota() {
    let world = narrow(false).await;
    let quota = Quota {
        records_per_second: Some(7),
        bytes_per_second: Some(100_000),
    };
    let limited = world.root.grant("limited", Rights::all(), quota).await;
    let limited = limited.unwrap();
    world.journal.hold();
    let held = begun(&world, &limited, PART).await;
    for _ in 0..100 {
        let mut busy = record(&world, &limited, Context::new(), 2);
        assert_eq!(polled(&mut busy).await, Some(BUSY));
    }
    world.journal.release();
    answered(held).await;
    // The seventh of this second; an eighth has to wait for a seventh of a second.
    answered(begun(&world, &limited, 1).await).await;
    let mut eighth = record(&world, &limited, Context::new(), 2);
    let Some(AppendError::QuotaExceeded { retry_after }) = polled(&mut eighth).await else {
        panic!("the quota does not hold");
    };
    assert_eq!(
        retry_after,
        Duration::from_nanos(1_000_000_000_u64.div_ceil(7))
    );
    world.clock.advance(retry_after);
    answered(begun(&world, &limited, 1).await).await;
}

#[tokio::test]
async fn what_can_never_fit_is_told_so_and_not_left_waiting() {
    let world = World::new(|options| {
        options.limits.pending_bytes_max = options.limits.commit_bytes_max;
    })
    .await;
    let head = world.ledger.head();
    let group = |count: usize| -> Vec<Command> {
        let one = || Command::Audit(entry(Context::new(), 1 << 20));
        std::iter::repeat_with(one).take(count).collect()
    };
    // A component's part of 4 MiB is 3 MiB.
    let waiting = world.ledger.commit(&world.grant, group(3));
    let refused = tokio::time::timeout(WAIT, waiting).await.unwrap();
    let AppendError::TooLarge { field, size, limit } = refused.unwrap_err().error else {
        panic!("another error");
    };
    assert_eq!((field, limit), ("command", 3 << 20));
    assert!(size > limit);
    assert_eq!(world.ledger.head(), head);
    let fits = world.ledger.commit(&world.grant, group(2)).await;
    assert!(fits.unwrap().is_some());
}
