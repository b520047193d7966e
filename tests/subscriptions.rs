// SPDX-License-Identifier: Apache-2.0
//! Following at the front door: no gap and no duplicate between what is there and what comes, a
//! typed error for whoever is slow, named positions that outlive the process; and watching what is
//! in force.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::time::Duration;

use femtoclaw_ledger::{
    CapabilityDefinition, Context, Ledger, Options, Retry, Seq,
    events::EventType,
    reading::{Filter, Follow, SubscriptionError},
};

mod shared;

use shared::{A_WHILE, WAIT, World, change, command, everything, observation, until};

fn seq(value: u64) -> Seq {
    Seq::new(value).unwrap()
}

async fn record(world: &World, numbers: std::ops::Range<u128>) {
    let telemetry = world.ledger.telemetry(&world.grant).unwrap();
    for number in numbers {
        let record = telemetry.record(observation(command(number), "one"));
        record.await.unwrap();
    }
}

/// Everything up to and with `last`, in the order in which it came.
async fn up_to(mut follow: Follow, last: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    while follow.next_seq().get() <= last {
        let records = follow.next_batch(WAIT).await.unwrap();
        seen.extend(records.iter().map(|record| record.header.seq.get()));
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_anywhere_into_the_present_with_no_gap_and_no_duplicate_while_writers_write() {
    let world = World::new(|_| {}).await;
    record(&world, 0..40).await;
    let head = world.ledger.head().count();
    let last = head + 4 * 60;
    let reads = world.ledger.reader(&world.grant).unwrap();
    // From the first record, from within, at the head, behind it, and well ahead of it.
    let starts = [1, 2, head / 2, head, head + 1, head + 100];
    let followers: Vec<_> = starts
        .into_iter()
        .map(|start| {
            let follow = reads.follow(seq(start)).unwrap();
            (start, tokio::spawn(up_to(follow, last)))
        })
        .collect();
    let writers: Vec<_> = (1..=4_u128)
        .map(|writer| {
            let telemetry = world.ledger.telemetry(&world.grant).unwrap();
            tokio::spawn(async move {
                for number in 0..60 {
                    let context = command(writer << 32 | number);
                    let record = telemetry.record(observation(context, "written"));
                    record.await.unwrap();
                }
            })
        })
        .collect();
    // One that begins in the midst of it.
    let midst = async || world.ledger.head().count() >= head + 80;
    until("80 records are written", midst).await;
    let start = world.ledger.head().count() - 20;
    let late = tokio::spawn(up_to(reads.follow(seq(start)).unwrap(), last));
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(world.ledger.head().count(), last);
    for (start, follower) in followers.into_iter().chain([(start, late)]) {
        let seen = follower.await.unwrap();
        assert_eq!(seen, (start..=last).collect::<Vec<_>>(), "from {start}");
    }
}

#[tokio::test]
async fn a_slow_subscriber_is_told_once_how_far_behind_it_is_and_loses_nothing() {
    assert_eq!(Options::default().limits.follow_lag_max, 65_536);
    let world = World::new(|options| options.limits.follow_lag_max = 10).await;
    let reads = world.ledger.reader(&world.grant).unwrap();
    // Catching up is no lag, however far it is.
    record(&world, 0..30).await;
    let head = world.ledger.head().count();
    let mut follow = reads.follow(Seq::FIRST).unwrap();
    let mut patient = reads.follow(Seq::FIRST).unwrap().lag_max(1_000);
    for follow in [&mut follow, &mut patient] {
        assert_eq!(follow.next_batch(WAIT).await.unwrap().len() as u64, head);
    }
    record(&world, 30..50).await;
    let error = follow.next_batch(WAIT).await.unwrap_err();
    let expected = SubscriptionError::Lagged {
        behind: 20,
        tolerated: 10,
        next: head + 1,
    };
    assert_eq!(error, expected);
    assert_eq!((error.code(), error.retry()), ("lagged", Retry::Safe));
    for follow in [&mut follow, &mut patient] {
        let next = follow.next_batch(WAIT).await.unwrap();
        assert_eq!(next[0].header.seq.get(), head + 1);
        assert_eq!(next.len(), 20);
    }
    assert!(follow.next_batch(Duration::ZERO).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_subscription_ends_with_its_grant() {
    let world = World::new(|_| {}).await;
    let reads = world.ledger.reader(&world.grant).unwrap();
    let mut follow = reads.follow(Seq::FIRST).unwrap();
    assert!(!follow.next_batch(WAIT).await.unwrap().is_empty());
    world.root.revoke(&world.grant, "over").await.unwrap();
    let error = follow.next_batch(WAIT).await.unwrap_err();
    assert_eq!(
        (error.code(), error.retry()),
        ("grant_revoked", Retry::Never)
    );
}

#[tokio::test]
async fn a_named_position_outlives_the_process_and_the_views() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let mut handled = Vec::new();
    for round in 0..3 {
        let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
        let grant = everything(&root).await;
        let metadata = ledger.runtime_metadata(&grant).unwrap();
        ledger.at_least(ledger.head().seq).await.unwrap();
        let saved = metadata.position("billing").await.unwrap();
        assert_eq!(saved.is_some(), round > 0);
        let from = saved.map_or(0, |saved| saved.position) + 1;
        let reads = ledger.reader(&grant).unwrap();
        let mut follow = reads.follow(seq(from)).unwrap();
        let records = follow.next_batch(WAIT).await.unwrap();
        handled.extend(records.iter().map(|record| record.header.seq.get()));
        let done = *handled.last().unwrap();
        let save = metadata.save_position("billing", done, None, Context::new());
        save.await.unwrap();
        root.close(WAIT).await.unwrap();
        drop((ledger, root, reads, metadata, follow));
        if round == 1 {
            std::fs::remove_dir_all(path.join("views")).unwrap();
        }
    }
    let last = handled.len() as u64;
    assert_eq!(handled, (1..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_position_neither_goes_back_nor_leads_in_silence() {
    let world = World::new(|_| {}).await;
    let metadata = world.ledger.runtime_metadata(&world.grant).unwrap();
    let save =
        |seq, expected, number| metadata.save_position("billing", seq, expected, command(number));
    let head = world.ledger.head().count();
    let first = save(head, Some(0), 1).await.unwrap();
    let back = save(head - 1, None, 2).await.unwrap_err();
    assert_eq!(back.code(), "position_conflict");
    let ahead = save(u64::MAX, None, 3).await.unwrap_err();
    assert_eq!(ahead.code(), "position_beyond_head");
    save(head - 1, Some(head), 4).await.unwrap();
    // What was answered before is answered again, wherever the position stands by now.
    let again = save(head, Some(0), 1).await.unwrap();
    assert_eq!((again.first, again.duplicate), (first.first, true));
    world
        .ledger
        .at_least(world.ledger.head().seq)
        .await
        .unwrap();
    let stands = metadata.position("billing").await.unwrap().unwrap();
    assert_eq!(stands.position, head - 1);
    let reads = world.ledger.reader(&world.grant).unwrap();
    let refusals = Filter {
        event_type: Some(EventType::RefusalsRecorded),
        ..Filter::default()
    };
    let refusals = reads.query(refusals, 10).await.unwrap();
    assert_eq!(refusals.len(), 2, "both refusals are on the record");
}

#[tokio::test]
async fn a_watch_gives_what_is_in_force_and_leaves_out_what_came_and_went() {
    let world = World::new(|_| {}).await;
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let mut watch = configuration.watch("policy");
    let mut other = configuration.watch("other");
    assert!(tokio::time::timeout(A_WHILE, watch.next()).await.is_err());
    let first = configuration.change(change(command(1), "one", None));
    let first = first.await.unwrap().receipt.first;
    let current = watch.next().await.unwrap();
    assert_eq!((current.info.version, current.info.seq), (1, first.get()));
    assert_eq!(current.content, b"one");
    for (number, content) in [(2, "two"), (3, "three"), (4, "four")] {
        let next = configuration.change(change(command(number), content, None));
        next.await.unwrap();
    }
    world
        .ledger
        .at_least(world.ledger.head().seq)
        .await
        .unwrap();
    let current = watch.next().await.unwrap();
    assert_eq!((current.info.version, &*current.content), (4, &b"four"[..]));
    // Nothing newer: neither for other records nor for other documents.
    record(&world, 10..12).await;
    assert!(tokio::time::timeout(A_WHILE, watch.next()).await.is_err());
    assert!(tokio::time::timeout(A_WHILE, other.next()).await.is_err());

    let metadata = world.ledger.runtime_metadata(&world.grant).unwrap();
    let mut registry = metadata.watch_registry();
    let waiting = tokio::spawn(async move { registry.next().await });
    let definition = CapabilityDefinition {
        version: "1".to_owned(),
        ..CapabilityDefinition::default()
    };
    let register = metadata.register("read_file", definition, Context::new());
    register.await.unwrap();
    let registry = waiting.await.unwrap().unwrap();
    assert_eq!(registry.registry_version, 1);
    assert!(registry.capabilities.contains_key("read_file"));

    world.root.close(WAIT).await.unwrap();
    assert_eq!(watch.next().await.unwrap_err().code(), "closed");
}
