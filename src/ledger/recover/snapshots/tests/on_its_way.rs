// SPDX-License-Identifier: Apache-2.0
//! The state that a store saves while a change is on its way, and the executions that it has forgotten by then.

use super::*;
use crate::commands::{CapabilityDefinition, Command, Ending, Imported};
use crate::ledger::recover::saved_states::vouched;

/// One runtime thread: whatever can go on has gone on, and nothing is acknowledged.
async fn go_on() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

/// The state that the store saves while `sent` is decided and not durable.
async fn saved_while_held<T>(
    world: &World,
    store: Store,
    sent: impl Future<Output = T> + Send + 'static,
) -> Taken
where
    T: Send + 'static,
{
    world.journal.hold();
    let sent = tokio::spawn(sent);
    go_on().await;
    let core = Arc::clone(&world.ledger.0.core);
    let saving = tokio::spawn(async move { actors::snapshot(core.stores.of(store)).await });
    go_on().await;
    world.journal.release();
    sent.await.unwrap();
    saving.await.unwrap().unwrap()
}

fn restored(world: &World, taken: &Taken, state: u8) -> Replayed {
    let (seq, bytes) = (taken.seq.get(), &taken.bytes);
    let vouched = vouched(&world.journal, seq, state, bytes.len() as u64).unwrap();
    assert_eq!(vouched.digest, digest(bytes));
    let mut replayed = Replayed::default();
    restore(&mut replayed, &vouched, seq, bytes).unwrap();
    replayed
}

#[tokio::test]
async fn a_change_on_its_way_when_states_are_saved_is_placed_by_its_record() {
    let world = World::new().await;
    // Three changes, all of them with a place.
    world.work(41).await;
    world.still().await;
    let head = world.ledger.head().count();
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let change = async move {
        let change = Change {
            context: Context::new(),
            document: "on its way".to_owned(),
            content: b"1".to_vec(),
            author: "operator".to_owned(),
            reason: "a test".to_owned(),
            expected_version: None,
        };
        configuration.change(change).await.unwrap()
    };
    let taken = saved_while_held(&world, Store::Configuration, change).await;
    let expected = world.replay(Replayed::default()).configuration.saved(0);
    let mut replayed = restored(&world, &taken, 2);
    let unplaced = replayed.configuration.documents_in_force();
    assert_eq!(unplaced.filter(Result::is_err).count(), 1);
    assert_eq!(replayed.places_from, Some(head), "no more is read again");
    // As if the other states had been saved there too: only the missing place is read again.
    let seq = taken.seq.get();
    replayed.from.executions = seq;
    replayed.from.metadata = seq;
    replayed.from.components = seq;
    let replayed = world.replay(replayed);
    assert_eq!(replayed.configuration.saved(0), expected);
    assert!(
        replayed
            .configuration
            .documents_in_force()
            .all(|it| it.is_ok())
    );
}

#[tokio::test]
async fn a_capability_on_its_way_when_states_are_saved_is_placed_by_its_record() {
    let world = World::new().await;
    let register = |capability: &'static str| {
        let metadata = world.ledger.runtime_metadata(&world.grant).unwrap();
        async move {
            let definition = CapabilityDefinition {
                version: "1".to_owned(),
                description: "a capability".to_owned(),
                parameters: b"{}".to_vec(),
            };
            let registered = metadata.register(capability, definition, Context::new());
            registered.await.unwrap()
        }
    };
    register("read_file").await;
    register("write_file").await;
    world.still().await;
    let placed = world.replay(Replayed::default()).metadata;
    let at_rest = actors::snapshot(world.ledger.0.core.stores.of(Store::RuntimeMetadata)).await;
    let at_rest = restored(&world, &at_rest.unwrap(), 3);
    assert_eq!(at_rest.places_from, None, "every place is known");
    assert_eq!(at_rest.metadata.registry_seq(), placed.registry_seq());
    let head = world.ledger.head().count();
    let taken = saved_while_held(&world, Store::RuntimeMetadata, register("send")).await;
    let replayed = restored(&world, &taken, 3);
    assert_eq!(replayed.metadata.registry_seq(), None);
    assert_eq!(replayed.places_from, Some(head), "no more is read again");
}

/// Else memory, and what is saved, would grow with history.
#[tokio::test]
async fn what_ended_long_ago_is_in_views_alone() {
    const LONG: u64 = 4_096;
    let world = World::new().await;
    let imports = |count| {
        let imported = |_| {
            Command::Import(Imported {
                request: request(&world.ledger),
                ending: Ending::Completed(b"1".to_vec()),
            })
        };
        (0..count).map(imported).collect::<Vec<_>>()
    };
    let commit = async |count: u64| {
        let committed = world.ledger.commit(&world.grant, imports(count)).await;
        assert!(committed.unwrap().is_some());
    };
    let finished = async || {
        world.caught_up().await;
        let store = world.ledger.0.core.stores.of(Store::ExecutionLog);
        let taken = actors::snapshot(store).await.unwrap();
        restored(&world, &taken, 1).executions.remembered_finished()
    };
    commit(2).await;
    assert_eq!(finished().await, 2, "so few may stay");
    while world.ledger.head().count() < LONG {
        commit(50).await;
    }
    assert_eq!(finished().await, 0);
    commit(3).await;
    assert_eq!(finished().await, 3, "the next walk is far");
}
