// SPDX-License-Identifier: Apache-2.0
//! Reads hold what this ledger acknowledged before.

use std::time::Duration;

use femtoclaw_ledger::events::{ExecutionId, RuntimeId, State};
use femtoclaw_ledger::projections::ExecutionStatus;
use femtoclaw_ledger::{Context, ReadError, configuration::AsOf, runtime_metadata::SetModule};

use crate::shared::standing::Standing;
use crate::shared::{World, change, request};
use crate::{Refusing, held, register};

/// What every read of the three stores with views says.
#[derive(Debug, PartialEq)]
struct Seen {
    history: usize,
    version: bool,
    documents: usize,
    as_of: bool,
    diff: bool,
    registry: u64,
    registry_as_of: u64,
    runtime: bool,
    modules: usize,
    state: Option<State>,
    position: Option<u64>,
    running: usize,
    execution: bool,
    counted: u64,
}

async fn see(world: &World, execution: ExecutionId) -> Result<Seen, ReadError> {
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let metadata = world.ledger.runtime_metadata(&world.grant).unwrap();
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let now = AsOf::Seq(world.ledger.head().count());
    let running = ExecutionStatus::Running;
    Ok(Seen {
        history: configuration.history("policy").await?.len(),
        version: configuration.version("policy", 2).await?.is_some(),
        documents: configuration.documents().await?.len(),
        as_of: configuration.as_of("policy", now).await?.is_some(),
        diff: configuration.diff("policy", 1, 2).await?.is_some(),
        registry: metadata.registry().await?.registry_version,
        registry_as_of: metadata.registry_as_of(now).await?.registry_version,
        runtime: metadata.runtime().await?.is_some(),
        modules: metadata.modules().await?.len(),
        state: metadata.state().await?.map(|it| it.state),
        position: metadata.position("reader").await?.map(|it| it.position),
        running: log.executions().status(running).first(10).await?.len(),
        execution: log.get(execution).await?.is_some(),
        counted: log.counts().await?.iter().map(|it| it.executions).sum(),
    })
}

async fn write(world: &World) -> ExecutionId {
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let metadata = world.ledger.runtime_metadata(&world.grant).unwrap();
    for content in ["one", "two"] {
        let changed = configuration.change(change(Context::new(), content, None));
        changed.await.unwrap();
    }
    register(&metadata, "run").await;
    let runtime = RuntimeId::from_bytes([1; 16]);
    let identified = metadata.identify(runtime, "1".to_owned(), Context::new());
    identified.await.unwrap();
    let module = SetModule {
        context: Context::new(),
        module: "gate".to_owned(),
        version: "1".to_owned(),
    };
    metadata.set_module(module).await.unwrap();
    let idle = metadata.transition(State::Idle, None, Context::new());
    idle.await.unwrap();
    let saved = metadata.save_position("reader", 1, None, Context::new());
    saved.await.unwrap();
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let begun = log.begin(request(&world.ledger, Context::new())).await;
    begun.unwrap().started().unwrap().detach()
}

const ALL: Seen = Seen {
    history: 2,
    version: true,
    documents: 1,
    as_of: true,
    diff: true,
    registry: 1,
    registry_as_of: 1,
    runtime: true,
    modules: 1,
    state: Some(State::Idle),
    position: Some(1),
    running: 1,
    execution: true,
    counted: 1,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_waits_for_what_was_acknowledged_before() {
    let (world, holding) = held().await;
    let execution = write(&world).await;
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let metadata = world.ledger.runtime_metadata(&world.grant).unwrap();
    let log = world.ledger.execution_log(&world.grant).unwrap();
    // While the views stand, none of them answers with less; a read that would is quicker than that, also under load.
    let moment = Duration::from_millis(250);
    let history = tokio::time::timeout(moment, configuration.history("policy"));
    assert!(history.await.is_err());
    let registry = tokio::time::timeout(moment, metadata.registry());
    assert!(registry.await.is_err());
    let counts = tokio::time::timeout(moment, log.counts());
    assert!(counts.await.is_err());
    // Not one of the waits holds a thread that the others need: the first of them ends it all.
    let mut seeing = std::pin::pin!(see(&world, execution));
    assert!(tokio::time::timeout(moment, &mut seeing).await.is_err());
    drop(holding);
    assert_eq!(seeing.await.unwrap(), ALL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_that_are_made_again_say_so_at_once_and_what_is_in_force_needs_none() {
    let world = World::new(|_| {}).await;
    let execution = write(&world).await;
    let holding = Standing::new();
    let world = world.reopened_with(false, |options| holding.hold(options));
    let world = world.await;
    let error = see(&world, execution).await.unwrap_err();
    assert_eq!(error.code(), "recovering", "{error}");
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let current = configuration.current("policy").await.unwrap().unwrap();
    assert_eq!(current.content, b"two");
    let in_force = world.ledger.in_force();
    assert_eq!(
        (in_force.registry_version(), in_force.is_enabled("run")),
        (1, false)
    );
    assert!(in_force.is_enabled("message"));
    drop(holding);
    world
        .ledger
        .at_least(world.ledger.head().seq)
        .await
        .unwrap();
    let seen = see(&world, execution).await.unwrap();
    // A new opening starts the machine anew, and leaves in doubt what ran.
    let expected = Seen {
        state: Some(State::Initializing),
        running: 0,
        ..ALL
    };
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_opening_found_is_never_missing_after_it() {
    let world = World::new(|_| {}).await;
    let execution = write(&world).await;
    world
        .ledger
        .at_least(world.ledger.head().seq)
        .await
        .unwrap();
    let world = world.reopened(true).await;
    // The opening's own record too: nobody waits for the views in between.
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let in_doubt = log.in_doubt().await.unwrap();
    assert_eq!(in_doubt.len(), 1);
    assert_eq!(in_doubt[0].execution, execution);
    let metadata = world.ledger.runtime_metadata(&world.grant).unwrap();
    let state = metadata.state().await.unwrap().unwrap().state;
    assert_eq!(state, State::Initializing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedders_view_that_halted_is_not_waited_for() {
    let world = World::new(|options| options.projections = vec![Box::new(Refusing)]).await;
    let execution = write(&world).await;
    world
        .ledger
        .at_least(world.ledger.head().seq)
        .await
        .unwrap();
    assert!(
        world.ledger.health().cause.contains("projection"),
        "it is told of"
    );
    assert_eq!(see(&world, execution).await.unwrap(), ALL);
    let log = world.ledger.execution_log(&world.grant).unwrap();
    assert_eq!(log.in_doubt().await.unwrap(), []);
}
