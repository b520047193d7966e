// SPDX-License-Identifier: Apache-2.0
//! What belongs to a command besides its content.

use super::check::{self, Checked, Fields};
use crate::events::{CommandId, ParentId, TraceId};

/// What is common to all commands: its id, and what it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context {
    pub(super) command: Option<CommandId>,
    pub(super) parent: Option<ParentId>,
    pub(super) trace: Option<TraceId>,
}

impl Context {
    /// No parent, no trace, and a command id that the ledger makes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The command's id: sent again with the same content, it is answered with the first receipt.
    #[must_use]
    pub const fn command(mut self, command: CommandId) -> Self {
        self.command = Some(command);
        self
    }

    /// The session or execution that asked for it.
    #[must_use]
    pub const fn parent(mut self, parent: ParentId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// The trace it belongs to.
    #[must_use]
    pub const fn trace(mut self, trace: TraceId) -> Self {
        self.trace = Some(trace);
        self
    }

    /// The command id, where one was given.
    #[must_use]
    pub const fn command_id(&self) -> Option<CommandId> {
        self.command
    }

    /// The parent, where one was given.
    #[must_use]
    pub const fn parent_id(&self) -> Option<ParentId> {
        self.parent
    }

    /// The trace, where one was given.
    #[must_use]
    pub const fn trace_id(&self) -> Option<TraceId> {
        self.trace
    }

    pub(super) fn validate(&self) -> Checked {
        check::id("command", self.command.is_some_and(|id| id.is_nil()))?;
        check::id("parent", self.parent.is_some_and(|id| id.is_nil()))?;
        check::id("trace", self.trace.is_some_and(|id| id.is_nil()))
    }

    pub(super) fn digest(&self, fields: &mut Fields) {
        fields
            .option(self.parent.as_ref().map(|id| id.as_bytes().as_slice()))
            .option(self.trace.as_ref().map(|id| id.as_bytes().as_slice()));
    }
}
