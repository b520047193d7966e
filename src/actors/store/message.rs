// SPDX-License-Identifier: Apache-2.0
//! What reaches a store actor, and what it answers.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::draft::Reply;
use super::super::execution_log::Held;
use super::super::prepared::{Earlier, Prepared};
use super::overdue::Expiring;
use crate::access::GrantState;
use crate::admission::{Admitted, FinishReserve};
use crate::commands::{Command, Hold, Receipt};
use crate::error::AppendError;
use crate::events::{CommandId, ComponentId, ExecutionId, Hash, Seq};

/// What reaches a store actor.
pub(crate) enum Message {
    /// Decide.
    Order(Order),
    /// Say what an earlier version of a document holds, behind every order that came before.
    Earlier {
        document: String,
        version: u64,
        reply: oneshot::Sender<Earlier>,
    },
    /// Save the state.
    Snapshot(oneshot::Sender<Taken>),
    /// The holder of an execution has gone.
    LetGo(LetGo),
    /// What waits for persons beyond its time ends.
    Expire(Expiring),
}

/// An execution whose holder has gone.
#[derive(Clone)]
pub(crate) struct LetGo {
    pub(crate) execution: ExecutionId,
    pub(crate) held: Held,
    /// Who held it.
    pub(crate) component: ComponentId,
}

/// A state that was saved, once the record that holds its digest is durable.
pub(crate) struct Taken {
    /// `SnapshotTakenV1::state`.
    pub(crate) state: u8,
    /// The record with the digest; the state is as it was right before it.
    pub(crate) seq: Seq,
    pub(crate) bytes: Vec<u8>,
}

/// One command, or a group that is to be one commit.
pub(crate) struct Order {
    pub(crate) commands: Vec<Command>,
    pub(crate) ids: Vec<Id>,
    pub(crate) grant: Arc<GrantState>,
    /// What the decision needs to know of the commands' contents.
    pub(crate) prepared: Prepared,
    pub(crate) admitted: Admitted,
    /// Room to finish, one for each execution that the order may start.
    pub(crate) finish: Vec<FinishReserve>,
    pub(crate) reply: oneshot::Sender<Result<Vec<Answered>, Refusal>>,
    pub(crate) span: tracing::Span,
}

/// A command's identity.
#[derive(Clone, Copy)]
pub(crate) struct Id {
    pub(crate) command: CommandId,
    pub(crate) digest: Hash,
    /// Made by the ledger: new by construction, not looked up.
    pub(crate) generated: bool,
}

/// The durable answer to one command. Dropped, by a caller who has gone, it lets go of the execution that it holds.
pub(crate) struct Answered {
    pub(crate) receipt: Receipt,
    pub(crate) reply: Reply,
    /// What was started, or may be, is the caller's to end or to start.
    pub(crate) hold: Option<Hold>,
}

/// Why an order was not carried out, and the order itself.
pub(crate) struct Refusal {
    pub(crate) error: AppendError,
    pub(crate) commands: Vec<Command>,
}
