// SPDX-License-Identifier: Apache-2.0
//! Who does it. Five store actors decide against event-sourced states, the sequencer gives every
//! event its place in the one global order, the writer thread below makes it durable.
//!
//! The states are pure: no actor, no channel, no I/O. ractor is named here and nowhere else.

pub(crate) mod audit_log;
mod capability_registry;
mod claims;
pub(crate) mod configuration;
mod decided_in_force;
mod draft;
mod event_sourced;
pub(crate) mod execution_log;
mod in_force;
mod kinds;
mod mailbox;
mod meters;
mod new_commit;
mod prepared;
pub(crate) mod runtime_metadata;
mod self_records;
mod sequencer;
mod snapshot;
mod store;
mod supervisor;
pub(crate) mod telemetry;

#[cfg(test)]
mod testing;

pub(crate) use claims::{Claims, CommandClaim, Gist};
pub(crate) use configuration::ConfigurationState;
pub(crate) use draft::{Draft, Reply};
pub(crate) use event_sourced::{EventSourced, History, KnownExecution, ReplayError};
pub(crate) use execution_log::{ExecutionLogState, Status};
pub use in_force::{DocumentInForce, InForce, RegistryInForce};
pub(crate) use kinds::{JournalKinds, Kinds};
pub(crate) use meters::{CommandOutcome, Meters};
pub(crate) use new_commit::Sequenced;
pub(crate) use prepared::{Earlier, Prepared};
pub(crate) use runtime_metadata::RuntimeMetadataState;
pub(crate) use self_records::{FrameCounts, SelfRecords};
pub(crate) use sequencer::SequencerArgs;
pub(crate) use snapshot::{ComponentNames, Snapshot};
pub(crate) use store::{
    Answered, Answers, AwaitingApprovals, Commands, Id, Message, Order, Past, Refusal, StoreShared,
    Taken,
};
pub(crate) use supervisor::{Actors, StoreStates, Stores, start_sequencer};

use crate::events::Store;

/// A store actor's address.
pub(crate) type StoreRef = mailbox::Address<Message>;

/// Puts an order into a store's mailbox; gives it back where the store has ended.
pub(crate) fn deliver(store: &StoreRef, order: Box<Order>) -> Result<(), Box<Order>> {
    match store.send(Message::Order(order)) {
        Err(Message::Order(order)) => Err(order),
        _ => Ok(()),
    }
}

/// Asks the configuration store for an earlier version's content. The reply is dropped where the
/// store has ended.
pub(crate) fn earlier(
    store: &StoreRef,
    document: &str,
    version: u64,
    reply: tokio::sync::oneshot::Sender<Earlier>,
) {
    let document = document.to_owned();
    drop(store.send(Message::Earlier {
        document,
        version,
        reply,
    }));
}

/// Has the execution log end what waits for persons beyond its time, unless it is doing so.
pub(crate) fn expire(shared: &StoreShared, stores: &Stores) {
    if let Some(expiring) = shared.awaiting.expiring() {
        // A store that has ended needs no word: the next opening ends what is overdue.
        drop(
            stores
                .of(Store::ExecutionLog)
                .send(Message::Expire(expiring)),
        );
    }
}

/// Asks a store for its state, as bytes, and for the record that holds their digest. `None` where
/// it has none to save, the store has ended, or the journal took no record.
pub(crate) async fn snapshot(store: &StoreRef) -> Option<Taken> {
    let (reply, taken) = tokio::sync::oneshot::channel();
    store.send(Message::Snapshot(reply)).ok()?;
    taken.await.ok()
}
