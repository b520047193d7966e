// SPDX-License-Identifier: Apache-2.0
//! A clock that stands too far ahead is not believed, and one wrong start costs no later record its
//! time.

use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::events::{ClockSkewedV1, Event, Record, RecordHeader};
use femtoclaw_ledger::journal::MemoryJournal;

use crate::support::{Open, START_NS, WAIT, clock, fixed, later, open_on};

const SECOND_NS: i64 = 1_000_000_000;
const YEAR_NS: i64 = 365 * 24 * 3_600 * SECOND_NS;

/// What each record says of the clock: direction, observed.
async fn doubts(open: &Open) -> Vec<(u8, i64)> {
    let events = open.events().await.into_iter();
    let told = |event| match event {
        Event::ClockSkewed(it) => Some((it.direction, it.observed_ns)),
        Event::ClockAccepted(it) => Some((u8::MAX, it.observed_ns)),
        _ => None,
    };
    events.filter_map(told).collect()
}

async fn last_ns(open: &Open) -> i64 {
    open.execute().await;
    let records = open.records().await;
    assert!(records.is_sorted_by_key(|record| record.header.time_ns));
    records.last().unwrap().header.time_ns
}

/// A ledger with a history that ends at the start of time, closed.
async fn history(clock: &Arc<ManualClock>) -> MemoryJournal {
    let memory = MemoryJournal::new();
    let open = open_on(Arc::new(memory.clone()), fixed(clock)).await;
    open.execute().await;
    assert!(doubts(&open).await.is_empty(), "nothing to compare with");
    open.close().await;
    memory
}

#[tokio::test]
async fn one_start_with_a_clock_in_the_future_costs_no_later_record_its_time() {
    let clock = clock();
    let memory = history(&clock).await;
    let wrong = START_NS + 10 * YEAR_NS;
    clock.set_now(wrong);
    let open = open_on(Arc::new(memory.reopen()), later(&clock)).await;
    assert_eq!(last_ns(&open).await, START_NS);
    let health = open.ledger.health();
    assert!(
        !health.healthy && health.cause.contains("accept_clock"),
        "{health:?}"
    );
    // Time goes on, by the monotonic clock.
    clock.advance(Duration::from_secs(7));
    assert_eq!(last_ns(&open).await, START_NS + 7 * SECOND_NS);
    assert_eq!(doubts(&open).await, [(ClockSkewedV1::DOUBTED, wrong)]);
    open.close().await;
    // The next start has the right clock: nothing is left of it.
    clock.set_now(START_NS + 8 * SECOND_NS);
    let open = open_on(Arc::new(memory.reopen()), later(&clock)).await;
    assert_eq!(last_ns(&open).await, START_NS + 8 * SECOND_NS);
    assert!(open.ledger.health().healthy);
    assert_eq!(doubts(&open).await.len(), 1);
}

/// What the clock said when it was ordered, of each record from this one on.
async fn said(open: &Open, from: usize) -> Vec<i64> {
    let records = open.records().await;
    let said = |header: &RecordHeader| header.time_ns.saturating_add(header.observed_difference_ns);
    records[from..].iter().map(|it| said(&it.header)).collect()
}

#[tokio::test]
async fn a3_a_record_says_what_the_clock_said_beside_its_time() {
    let clock = clock();
    let open = open_on(Arc::new(history(&clock).await.reopen()), later(&clock)).await;
    let day = 24 * 3_600 * SECOND_NS;
    // Right; behind; right; ahead and believed; further ahead than that; right.
    let clocks = [
        0,
        -day,
        SECOND_NS,
        100 * SECOND_NS,
        2 * YEAR_NS,
        101 * SECOND_NS,
    ];
    let mut from = open.records().await.len();
    for (round, ahead) in clocks.into_iter().enumerate() {
        clock.set_now(START_NS + ahead);
        open.execute().await;
        let said = said(&open, from).await;
        // The record that tells of the excursion says it too.
        assert!(said.len() >= 6, "{said:?}");
        assert!(
            said.iter().all(|it| *it == START_NS + ahead),
            "{round}: {said:?}"
        );
        let records = open.records().await;
        let differs = |it: &Record| it.header.observed_difference_ns != 0;
        let expected = [1, 4].contains(&round);
        assert!(
            records[from..].iter().all(|it| differs(it) == expected),
            "{round}"
        );
        from += said.len();
    }
    // As far as a number of its size can say it.
    clock.set_now(i64::MIN);
    open.execute().await;
    let records = open.records().await;
    let last = &records.last().unwrap().header;
    assert_eq!(last.time_ns, START_NS + 101 * SECOND_NS);
    assert_eq!(last.observed_difference_ns, i64::MIN);
    // A clock that is accepted is believed from its own record on.
    let now = START_NS + 3 * YEAR_NS;
    clock.set_now(now);
    open.execute().await;
    let doubted = open.records().await;
    assert_ne!(doubted.last().unwrap().header.observed_difference_ns, 0);
    open.root.accept_clock("in store").await.unwrap();
    let accepted = open.records().await;
    let accepted = &accepted[doubted.len()].header;
    assert_eq!(
        (accepted.time_ns, accepted.observed_difference_ns),
        (now, 0)
    );
}

#[tokio::test]
async fn a_clock_that_is_accepted_is_on_the_record_and_believed_for_good() {
    let clock = clock();
    let memory = history(&clock).await;
    let now = START_NS + 3 * YEAR_NS;
    clock.set_now(now);
    let open = open_on(Arc::new(memory.reopen()), later(&clock)).await;
    let empty = open.root.accept_clock(" ").await.unwrap_err();
    assert_eq!(empty.code(), "invalid");
    open.root
        .accept_clock("in store for three years")
        .await
        .unwrap();
    let events = open.events().await;
    let accepted = events.iter().rev().find_map(|event| match event {
        Event::ClockAccepted(it) => Some(it.clone()),
        _ => None,
    });
    let accepted = accepted.expect("on the record");
    assert_eq!(accepted.observed_ns, now);
    assert_eq!(accepted.expected_ns, START_NS);
    assert_eq!(accepted.reason, "in store for three years");
    assert!(open.ledger.health().healthy);
    assert_eq!(last_ns(&open).await, now);
    let again = open.root.accept_clock("again").await.unwrap_err();
    assert_eq!(again.code(), "invalid");
    open.close().await;
    let open = open_on(Arc::new(memory.reopen()), later(&clock)).await;
    assert_eq!(last_ns(&open).await, now);
    assert_eq!(doubts(&open).await.len(), 2);
}

#[tokio::test]
async fn a_clock_that_leaps_years_ahead_while_it_runs_is_not_believed_until_it_is_back() {
    let clock = clock();
    let open = open_on(Arc::new(MemoryJournal::new()), fixed(&clock)).await;
    let wrong = START_NS + YEAR_NS + 1;
    clock.set_now(wrong);
    assert_eq!(last_ns(&open).await, START_NS);
    clock.advance(Duration::from_secs(2));
    assert_eq!(last_ns(&open).await, START_NS + 2 * SECOND_NS);
    assert!(!open.ledger.health().healthy);
    // Set right, it is believed again by itself, and told of anew the next time.
    clock.set_now(START_NS + 3 * SECOND_NS);
    assert_eq!(last_ns(&open).await, START_NS + 3 * SECOND_NS);
    assert!(open.ledger.health().healthy);
    clock.set_now(wrong + 10 * SECOND_NS);
    assert_eq!(last_ns(&open).await, START_NS + 3 * SECOND_NS);
    let both = [wrong, wrong + 10 * SECOND_NS];
    let both = both.map(|observed| (ClockSkewedV1::DOUBTED, observed));
    assert_eq!(doubts(&open).await, both);
    // Also where no command comes.
    clock.set_now(START_NS + 4 * SECOND_NS);
    let healthy = async {
        while !open.ledger.health().healthy {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WAIT, healthy).await.unwrap();
}
