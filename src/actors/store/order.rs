// SPDX-License-Identifier: Apache-2.0
//! A command on its way, from its caller through store, sequencer and writer and back: one box, that is made once and
//! handed on.

use std::sync::Arc;

use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::super::claims::{CommandClaim, Place};
use super::super::draft::{Decided, Reply};
use super::super::in_force::Changes;
use super::super::new_commit::{CommandEvents, NewCommit, Sequenced};
use super::super::prepared::Prepared;
use crate::access::GrantState;
use crate::admission::{Admitted, FinishReserve};
use crate::commands::{Command, Hold, Receipt};
use crate::error::AppendError;
use crate::events::{CommandId, ComponentId, Hash, LedgerId};
use crate::journal::{Head, Sealed, WriterAnswer};

/// Commands that are to be one commit: most are alone.
pub(crate) type Commands = SmallVec<[Command; 1]>;

/// One command, or a group that is to be one commit.
pub(crate) struct Order {
    pub(crate) commands: Commands,
    pub(crate) ids: SmallVec<[Id; 1]>,
    pub(crate) grant: Arc<GrantState>,
    /// What the decision needs to know of the commands' contents.
    pub(crate) prepared: Prepared,
    pub(crate) admitted: Admitted,
    /// Room to finish, one for each execution that the order may start.
    pub(crate) finish: SmallVec<[FinishReserve; 1]>,
    /// Where its caller waits for it.
    pub(crate) reply: Option<oneshot::Sender<Box<Self>>>,
    pub(crate) span: tracing::Span,
    /// Its store, once that has handled it.
    pub(super) store: Option<Arc<dyn AnswersOrders>>,
    pub(super) due: OrderDue,
    pub(super) decided: SmallVec<[Decided; 1]>,
    pub(super) places: SmallVec<[Place; 1]>,
    pub(super) changes: Option<Changes>,
    /// Where all of it came to stand.
    pub(super) whole: Option<Sequenced>,
    pub(super) result: OrderResult,
}

/// What an order is answered with.
#[derive(Default)]
pub(super) struct OrderResult {
    /// Where each of its commands stands.
    pub(super) placed: SmallVec<[Sequenced; 1]>,
    pub(super) holds: SmallVec<[Option<Hold>; 1]>,
    /// Committed before.
    pub(super) duplicate: bool,
    pub(super) error: Option<AppendError>,
}

/// What is to be answered behind the sync of everything before.
#[derive(Default)]
pub(super) enum OrderDue {
    #[default]
    Nothing,
    /// It was decided, and is on its way.
    Commit,
    /// These were committed before.
    Repeat(Vec<CommandClaim>),
    Refuse(AppendError),
}

/// A store, where one of its orders is answered.
pub(super) trait AnswersOrders: Send + Sync {
    /// On the thread that answers: it may not block.
    fn answer(&self, order: &mut Order, outcome: Result<&Head, &Sealed>);
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

/// The answers to the commands of one order.
pub(crate) type Answers = SmallVec<[Answered; 1]>;

/// Why an order was not carried out, and the order itself.
pub(crate) struct Refusal {
    pub(crate) error: AppendError,
    pub(crate) commands: Commands,
}

impl Order {
    pub(crate) fn new(grant: Arc<GrantState>, commands: Commands) -> Box<Self> {
        Box::new(Self {
            commands,
            ids: SmallVec::new(),
            grant,
            prepared: Prepared::default(),
            admitted: Admitted::default(),
            finish: SmallVec::new(),
            reply: None,
            span: tracing::Span::none(),
            store: None,
            due: OrderDue::Nothing,
            decided: SmallVec::new(),
            places: SmallVec::new(),
            changes: None,
            whole: None,
            result: OrderResult::default(),
        })
    }

    /// It is refused without having been sent.
    pub(crate) fn refused(self: Box<Self>, error: AppendError) -> Refusal {
        let commands = self.commands;
        Refusal { error, commands }
    }

    /// What its caller is told.
    #[expect(
        clippy::result_large_err,
        reason = "whoever asks takes it apart at once, and the commands go back to their caller"
    )]
    pub(crate) fn answers(self: Box<Self>, ledger: LedgerId) -> Result<Answers, Refusal> {
        let Self {
            commands,
            ids,
            decided,
            result,
            ..
        } = *self;
        if let Some(error) = result.error {
            return Err(Refusal { error, commands });
        }
        let duplicate = result.duplicate;
        let answered = ids
            .iter()
            .zip(decided)
            .zip(result.placed.iter().zip(result.holds));
        Ok(answered
            .map(|((id, step), (placed, hold))| Answered {
                receipt: Receipt {
                    ledger,
                    command: id.command,
                    first: placed.first,
                    last: placed.last,
                    time_ns: placed.time_ns,
                    duplicate,
                },
                reply: step.reply,
                hold,
            })
            .collect())
    }
}

impl NewCommit for Order {
    fn component(&self) -> ComponentId {
        self.grant.component
    }

    fn events(&self, command: usize) -> Option<CommandEvents<'_>> {
        let (id, step) = (self.ids.get(command)?, self.decided.get(command)?);
        Some(CommandEvents {
            command: id.command,
            digest: id.digest,
            drafts: &step.drafts,
        })
    }

    fn placed(&mut self, placed: Sequenced) {
        self.whole = Some(placed);
    }

    fn span(&self) -> tracing::Span {
        self.span.clone()
    }
}

impl WriterAnswer for Order {
    fn give(mut self: Box<Self>, outcome: Result<&Head, &Sealed>) {
        if let Some(store) = self.store.take() {
            store.answer(&mut self, outcome);
        }
        // The room is free before the caller hears of it.
        self.admitted = Admitted::default();
        if let Some(reply) = self.reply.take() {
            // A caller that has gone leaves a durable command that it can look up.
            drop(reply.send(self));
        }
    }
}
