// SPDX-License-Identifier: Apache-2.0
//! The drafts of one command on one execution.

use super::super::draft::{
    Decided, Draft, EXECUTION_MACHINE, Reply, execution_stream, transitions,
};
use super::Open;
use crate::commands::Context;
use crate::error::AppendError;
use crate::events::{Event, ExecutionId, Outcome, State as Machine};

/// The drafts of one command on one execution: versions count up along its stream.
pub(super) struct Drafting {
    execution: ExecutionId,
    context: Context,
    version: u64,
    pub(super) flags: u16,
    pub(super) drafts: Vec<Draft>,
}

impl Drafting {
    pub(super) fn new(execution: ExecutionId, context: Context, version: u64) -> Self {
        Self {
            execution,
            context,
            version,
            flags: 0,
            drafts: Vec::with_capacity(4),
        }
    }

    pub(super) fn push(&mut self, event: impl Into<Event>, outcome: Outcome, flags: u16) {
        self.version += 1;
        let draft = Draft::new(event)
            .context(&self.context)
            .execution(self.execution)
            .stream(execution_stream(self.execution), self.version)
            .outcome(outcome)
            .flags(self.flags | flags);
        self.drafts.push(draft);
    }

    /// A commit that walked ends with the one record of its path.
    pub(super) fn finish(mut self, path: &[Machine], reply: Reply) -> Decided {
        self.push(transitions(EXECUTION_MACHINE, path), Outcome::Neutral, 0);
        self.stay(reply)
    }

    /// The execution's machine stays where it stands.
    pub(super) fn stay(self, reply: Reply) -> Decided {
        Decided {
            drafts: self.drafts,
            reply,
        }
    }
}

/// Parent and trace are the decision's where a later command names none; the subject is the decision's in any case.
///
/// # Errors
/// `OtherSubject`: all records of an execution are about whom its first one is about.
pub(super) fn inherit(
    execution: ExecutionId,
    context: &Context,
    open: &Open,
) -> Result<Context, AppendError> {
    let named = context.subject_id();
    if !named.is_nil() && named != open.subject {
        return Err(AppendError::OtherSubject { execution });
    }
    Ok(inherited(context, open))
}

/// As [`inherit`], where the context names nobody.
pub(super) fn inherited(context: &Context, open: &Open) -> Context {
    let mut context = context.clone().about(open.subject);
    if context.parent_id().is_none() && !open.parent.is_nil() {
        context = context.parent(open.parent);
    }
    if context.trace_id().is_none() && !open.trace.is_nil() {
        context = context.trace(open.trace);
    }
    context
}
