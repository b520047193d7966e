// SPDX-License-Identifier: Apache-2.0
//! What decisions rest on: what is in force is one durable snapshot, which lags behind nothing that
//! was acknowledged; reads hold what this ledger acknowledged; a denial is always on the record.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../shared/mod.rs"]
mod shared;

mod denials;
mod own_writes;
mod reopening;
mod snapshots;

use femtoclaw_ledger::events::{Event, Record};
use femtoclaw_ledger::projections::{Projection, ProjectionError, ViewBatch};
use femtoclaw_ledger::{CapabilityDefinition, Context, InForce, Ledger, RuntimeMetadata};
use shared::World;
use shared::standing::Standing;

/// A view that takes no record, and halts.
pub(crate) struct Refusing;

impl Projection for Refusing {
    fn name(&self) -> &'static str {
        "refusing"
    }
    fn version(&self) -> u32 {
        1
    }
    fn apply(&mut self, _: &Record, _: &Event, _: &mut ViewBatch) -> Result<(), ProjectionError> {
        Err(ProjectionError::Refused("no".into()))
    }
}

/// A ledger whose views read nothing until the other value is dropped.
pub(crate) async fn held() -> (World, Standing) {
    let standing = Standing::new();
    let world = World::new(|options| standing.hold(options)).await;
    (world, standing)
}

/// How far the view of this name has read.
pub(crate) fn read_up_to(ledger: &Ledger, view: &str) -> u64 {
    let positions = ledger.view_positions();
    let found = positions.iter().find(|it| it.name == view);
    found.unwrap().position
}

/// Everything in force but where that was seen.
pub(crate) fn facts(in_force: &InForce) -> impl PartialEq + std::fmt::Debug + use<> {
    let own = |(name, it): (&str, _)| (name.to_owned(), it);
    let documents: Vec<_> = in_force.documents().map(own).collect();
    let enabled = |(name, it): (&str, bool)| (name.to_owned(), it);
    let capabilities: Vec<_> = in_force.capabilities().map(enabled).collect();
    let version = in_force.configuration_version();
    (version, documents, in_force.registry(), capabilities)
}

/// Registers a capability; it is not enabled.
pub(crate) async fn register(metadata: &RuntimeMetadata, name: &str) {
    let definition = CapabilityDefinition {
        version: "1".to_owned(),
        ..CapabilityDefinition::default()
    };
    let registered = metadata.register(name, definition, Context::new());
    registered.await.unwrap();
}
