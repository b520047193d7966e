// SPDX-License-Identifier: Apache-2.0
//! Answers that cannot be misread as leave to act, and what becomes of an execution whose holder has gone: a command
//! sent again starts nothing, and a handle, a permit or a call that is dropped leaves no slot taken.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../shared/mod.rs"]
mod shared;

mod again;
mod dropped;
mod groups;

use femtoclaw_ledger::events::{
    Event, EventType, ExecutionId, LeftCause, Outcome, Resolution, Seq,
};
use femtoclaw_ledger::projections::ExecutionStatus;
use femtoclaw_ledger::{
    Begun, Context, Decision, ExecutionLog, Ledger, Record, Started,
    execution_log::{Authorization, End, Resolve, Standing},
    group::{Answer, Command},
    runtime_metadata::Transition,
};
use shared::{WAIT, World, change, command, observation, request, until};

fn log(world: &World) -> ExecutionLog {
    world.ledger.execution_log(&world.grant).unwrap()
}

/// Where the view has it, once it has everything that is durable.
async fn stands(world: &World, execution: ExecutionId) -> ExecutionStatus {
    let head = world.ledger.head().count();
    world.ledger.at_least(Seq::new(head)).await.unwrap();
    log(world).get(execution).await.unwrap().unwrap().status
}

async fn records(world: &World, kind: EventType) -> Vec<Record> {
    let reads = world.ledger.reader(&world.grant).unwrap();
    let all = reads.range(Seq::FIRST, 10_000).await.unwrap();
    all.into_iter()
        .filter(|record| record.header.event_type == kind)
        .collect()
}

async fn written(world: &World, kind: EventType, count: usize) -> Vec<Record> {
    until(kind.name(), async || {
        records(world, kind).await.len() == count
    })
    .await;
    records(world, kind).await
}

fn resolve() -> Resolve {
    Resolve {
        resolution: Resolution::Completed,
        reason: "its output was found".to_owned(),
        result: b"1".to_vec(),
    }
}

fn duplicate(begun: Begun) -> femtoclaw_ledger::execution_log::Duplicate {
    match begun {
        Begun::Duplicate(it) => it,
        other => panic!("no duplicate: {other:?}"),
    }
}
