// SPDX-License-Identifier: Apache-2.0
//! What reaches a store actor.

use tokio::sync::oneshot;

use super::super::prepared::Earlier;
use super::order::Order;
use super::overdue::Expiring;
use crate::commands::HeldExecution;
use crate::events::Seq;

/// What reaches a store actor.
pub(crate) enum Message {
    /// Decide.
    Order(Box<Order>),
    /// Say what an earlier version of a document holds, behind every order that came before.
    Earlier {
        document: String,
        version: u64,
        reply: oneshot::Sender<Earlier>,
    },
    /// Save the state.
    Snapshot(oneshot::Sender<Taken>),
    /// The holder of an execution has gone.
    LetGo(HeldExecution),
    /// What waits for persons beyond its time ends.
    Expire(Expiring),
}

/// A state that was saved, once the record that holds its digest is durable.
pub(crate) struct Taken {
    /// `SnapshotTakenV1::state`.
    pub(crate) state: u8,
    /// The record with the digest; the state is as it was right before it.
    pub(crate) seq: Seq,
    pub(crate) bytes: Vec<u8>,
}
