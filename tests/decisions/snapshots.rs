// SPDX-License-Identifier: Apache-2.0
//! What is in force, as a snapshot.

use std::time::Duration;

use femtoclaw_ledger::integrity::digest;
use femtoclaw_ledger::{Context, Seq, configuration::AsOf, group::Command};

use crate::shared::held::FailedSync;
use crate::shared::{WAIT, World, change, command, request};
use crate::{facts, held, read_up_to, register};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_was_acknowledged_is_the_one_that_decisions_are_made_by() {
    let (world, holding) = held().await;
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let mut by_old = 0;
    for round in 1..=30_u64 {
        let content = format!("{{\"round\":{round}}}");
        let changed = configuration.change(change(Context::new(), &content, None));
        let changed = changed.await.unwrap();
        let in_force = world.ledger.in_force();
        let current = configuration.current("policy").await.unwrap();
        let read = configuration.content(&in_force, "policy").await.unwrap();
        assert_eq!(read, current);
        by_old += u64::from(current.is_none_or(|it| it.content != content.as_bytes()));
        let document = in_force.document("policy").unwrap();
        assert_eq!((document.version, changed.version), (round, round));
        assert_eq!(document.seq, changed.receipt.first);
        assert_eq!(document.digest, digest(content.as_bytes()));
        assert_eq!(in_force.configuration_version(), round);
        assert_eq!(in_force.as_of(), changed.receipt.last.get());
        // No view knows of any of this yet.
        assert!(read_up_to(&world.ledger, "configuration") < changed.receipt.first.get());
        let mut decided = request(&world.ledger, Context::new());
        decided.basis = in_force.basis_of("policy").unwrap();
        assert_eq!(decided.basis.policy_version(), round.to_string());
        assert_eq!(decided.basis.policy_digest(), &document.digest);
        let _running = log.begin(decided).await.unwrap();
    }
    assert_eq!(by_old, 0, "of 30 decisions, by an old policy");
    drop(holding);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_before_stays_as_it_is_and_its_decisions_are_stale() {
    let world = World::new(|_| {}).await;
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let first = configuration.change(change(Context::new(), "first", None));
    first.await.unwrap();
    let before = world.ledger.in_force();
    let second = configuration.change(change(Context::new(), "second", None));
    second.await.unwrap();
    let read = configuration.content(&before, "policy").await.unwrap();
    assert_eq!(read.unwrap().content, b"first");
    assert_eq!(before.document("policy").unwrap().version, 1);
    let mut decided = request(&world.ledger, Context::new());
    decided.basis = before.basis_of("policy").unwrap();
    let stale = log.begin(decided).await.unwrap_err();
    assert_eq!(stale.code(), "permit_stale");
    let now = world.ledger.in_force();
    assert_eq!(now.earlier(3, 0), None, "of the future");
    assert_eq!(now.earlier(2, 1), None, "of the future");
    let earlier = now.earlier(1, 0).unwrap();
    assert_eq!(earlier.configuration_version(), 1);
    assert_eq!(now.basis_of("no such"), None);
    assert_eq!(now.document("no such"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_another_ledger_is_of_no_use() {
    let (world, other) = (World::new(|_| {}).await, World::new(|_| {}).await);
    assert_eq!(other.ledger.id(), world.ledger.id(), "ids that are counted");
    let elsewhere = World::new(|options| {
        options.ledger_id = Some(femtoclaw_ledger::events::LedgerId::from_bytes([7; 16]));
    });
    let elsewhere = elsewhere.await.ledger.in_force();
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let refused = configuration.content(&elsewhere, "policy").await;
    assert_eq!(refused.unwrap_err().code(), "foreign_snapshot");
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let mut decided = request(&world.ledger, Context::new());
    decided.basis = elsewhere.basis();
    assert_eq!(log.begin(decided).await.unwrap_err().code(), "invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_in_force_for_others_before_it_is_durable() {
    let world = World::new(|_| {}).await;
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let first = configuration.change(change(Context::new(), "one", None));
    first.await.unwrap();
    for (how, durable) in [(None, true), (Some(FailedSync::Persisted), false)] {
        let before = world.ledger.in_force();
        world.journal.hold();
        let theirs = configuration.clone();
        let second = tokio::spawn(async move {
            let change = change(Context::new(), "two", None);
            theirs.change(change).await
        });
        let journal = world.journal.clone();
        let at_sync = tokio::task::spawn_blocking(move || journal.wait_until_held(WAIT));
        assert!(at_sync.await.unwrap(), "no append came to its sync");
        // Decided, on its way, and shown to nobody.
        let during = world.ledger.in_force();
        assert_eq!(facts(&during), facts(&before));
        assert_eq!(during.as_of(), before.as_of());
        let current = configuration.current("policy").await.unwrap().unwrap();
        assert_eq!(
            current.info.version,
            before.document("policy").unwrap().version
        );
        how.into_iter().for_each(|how| world.journal.fail_next(how));
        world.journal.release();
        assert_eq!(second.await.unwrap().is_ok(), durable);
        let after = world.ledger.in_force();
        let moved = after.configuration_version() - before.configuration_version();
        assert_eq!(moved, u64::from(durable));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_document_of_a_group_is_at_its_own_record() {
    let world = World::new(|_| {}).await;
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let named = |name: &str, content: &str| {
        let mut it = change(Context::new(), content, None);
        it.document = name.to_owned();
        Command::Change(it)
    };
    let group = vec![named("a", "1"), named("b", "2"), named("a", "3")];
    let receipt = world.ledger.commit(&world.grant, group).await.unwrap();
    let first = receipt.unwrap().receipt.first;
    let in_force = world.ledger.in_force();
    for (name, content, at) in [("a", b"3", 2), ("b", b"2", 1)] {
        let found = in_force.document(name).unwrap();
        assert_eq!(found.seq.get(), first.get() + at);
        let read = configuration.content(&in_force, name).await.unwrap();
        assert_eq!(read.unwrap().content, content);
    }
    assert_eq!(in_force.configuration_version(), 3);
}

/// Snapshots taken while configuration and registry change: each is of one place of the journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_snapshot_is_of_one_place_while_both_change() {
    const ROUNDS: u64 = 60;
    let world = World::new(|_| {}).await;
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let metadata = world.ledger.runtime_metadata(&world.grant).unwrap();
    let theirs = configuration.clone();
    let documents = tokio::spawn(async move {
        for round in 0..ROUNDS {
            let mut it = change(command(u128::from(round)), &round.to_string(), None);
            it.document = format!("document {}", round % 3);
            theirs.change(it).await.unwrap();
        }
    });
    let theirs = metadata.clone();
    let registry = tokio::spawn(async move {
        for round in 0..ROUNDS {
            register(&theirs, &format!("capability {round}")).await;
        }
    });
    let mut last = world.ledger.in_force();
    while last.configuration_version() < ROUNDS || last.registry_version() < ROUNDS {
        let in_force = world.ledger.in_force();
        assert!(in_force.as_of() >= last.as_of());
        assert!(in_force.configuration_version() >= last.configuration_version());
        assert!(in_force.registry_version() >= last.registry_version());
        let mut versions = 0;
        for (name, document) in in_force.documents() {
            let read = configuration
                .content(&in_force, name)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(digest(&read.content), document.digest);
            assert_eq!(read.info.seq, document.seq.get());
            assert!(read.info.configuration_version <= in_force.configuration_version());
            assert!(document.seq.get() <= in_force.as_of());
            versions += document.version;
        }
        assert_eq!(versions, in_force.configuration_version());
        let at = AsOf::Seq(in_force.as_of());
        let there = metadata.registry_as_of(at).await.unwrap();
        assert_eq!(there.digest(), in_force.registry().digest);
        assert_eq!(there.registry_version, in_force.registry_version());
        last = in_force;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    documents.await.unwrap();
    registry.await.unwrap();
    let reads = world.ledger.reader(&world.grant).unwrap();
    let seq: Seq = last.registry().seq.unwrap();
    let record = reads.get(seq).await.unwrap().unwrap();
    assert_eq!(record.header.stream_version, ROUNDS);
}
