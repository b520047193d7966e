// SPDX-License-Identifier: Apache-2.0
//! Events on their way to their place: what a store, or the ledger itself, hands to the sequencer.

use crate::events::{CommandId, ComponentId, Hash, Seq};
use crate::journal::{Head, Sealed, WriterAnswer};

use super::draft::Draft;

/// Where a commit came to stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequenced {
    pub(crate) first: Seq,
    pub(crate) last: Seq,
    pub(crate) time_ns: i64,
}

/// What was decided on one command.
pub(crate) struct CommandEvents<'a> {
    pub(crate) command: CommandId,
    /// Of the command's content.
    pub(crate) digest: Hash,
    pub(crate) drafts: &'a [Draft],
}

/// The events of one command, or of a group of them: all or nothing. It waits for its answer in the box in which it came.
pub(crate) trait NewCommit: WriterAnswer {
    /// Who caused it.
    fn component(&self) -> ComponentId;

    /// Its commands in their order, from 0; `None` behind the last.
    fn events(&self, command: usize) -> Option<CommandEvents<'_>>;

    /// It has its place, and waits for its answer from here on.
    fn placed(&mut self, placed: Sequenced);

    /// The span of all that is told meanwhile.
    fn span(&self) -> tracing::Span {
        tracing::Span::none()
    }
}

/// The commands of a commit, in their order.
pub(super) fn commands(commit: &dyn NewCommit) -> impl Iterator<Item = CommandEvents<'_>> {
    (0..).map_while(|number| commit.events(number))
}

/// Whose a record is, and where it stands in its commit.
pub(super) struct PlaceInCommit {
    pub(super) component: ComponentId,
    pub(super) command: CommandId,
    pub(super) digest: Hash,
    pub(super) index: u16,
    pub(super) length: u16,
}

/// A commit that no caller asked for; `over` is told how it came out.
pub(super) struct UnaskedCommit<F> {
    component: ComponentId,
    command: CommandId,
    digest: Hash,
    drafts: Vec<Draft>,
    placed: Option<Sequenced>,
    over: F,
}

impl<F: FnOnce(Result<Sequenced, &Sealed>) + Send + 'static> UnaskedCommit<F> {
    pub(super) fn boxed(
        component: ComponentId,
        (command, digest): (CommandId, Hash),
        drafts: Vec<Draft>,
        over: F,
    ) -> Box<dyn NewCommit> {
        Box::new(Self {
            component,
            command,
            digest,
            drafts,
            placed: None,
            over,
        })
    }

    /// A record that the ledger writes of itself: no execution, a commit of its own.
    pub(super) fn own(draft: Draft, command: CommandId, over: F) -> Box<dyn NewCommit> {
        Self::boxed(ComponentId::LEDGER, (command, [0; 32]), vec![draft], over)
    }
}

impl<F: FnOnce(Result<Sequenced, &Sealed>) + Send> NewCommit for UnaskedCommit<F> {
    fn component(&self) -> ComponentId {
        self.component
    }

    fn events(&self, command: usize) -> Option<CommandEvents<'_>> {
        (command == 0).then_some(CommandEvents {
            command: self.command,
            digest: self.digest,
            drafts: &self.drafts,
        })
    }

    fn placed(&mut self, placed: Sequenced) {
        self.placed = Some(placed);
    }
}

impl<F: FnOnce(Result<Sequenced, &Sealed>) + Send> WriterAnswer for UnaskedCommit<F> {
    fn give(self: Box<Self>, outcome: Result<&Head, &Sealed>) {
        let Self { placed, over, .. } = *self;
        match (outcome, placed) {
            (Ok(_), Some(placed)) => over(Ok(placed)),
            (Err(sealed), _) => over(Err(sealed)),
            // A commit without a place is not durable: it is dropped, and with it whoever waits.
            (Ok(_), None) => {}
        }
    }
}

/// A commit that came behind `LedgerClosed`.
pub(super) struct CommitBehindClose(pub(super) Box<dyn NewCommit>);

impl WriterAnswer for CommitBehindClose {
    fn give(self: Box<Self>, _: Result<&Head, &Sealed>) {
        self.0.give(Err(&Sealed {
            cause: "the ledger is closed".into(),
            outcome_unknown: false,
            uncertain: None,
        }));
    }
}
