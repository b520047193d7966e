// SPDX-License-Identifier: Apache-2.0
//! Finding executions.

use super::awaiting::AwaitingQuery;
use super::entries::{STANDING, shown};
use super::handle::Handle;
use crate::error::ReadError;
use crate::events::{ComponentId, Decision};
use crate::ledger::read::views::ViewSet;
use crate::projections::{ExecutionEntry, ExecutionFilter, ExecutionOrder, ExecutionStatus};

/// Executions to be found, by what is said of them; made by
/// [`ExecutionLog::executions`](crate::ExecutionLog::executions). Nothing is read before
/// [`first`](Self::first) or [`last`](Self::last).
///
/// Example: [`ExecutionLog::executions`](crate::ExecutionLog::executions).
#[derive(Clone)]
#[must_use = "nothing is read before `first` or `last`"]
pub struct ExecutionQuery {
    log: Handle,
    filter: ExecutionFilter,
}

impl ExecutionQuery {
    pub(super) fn new(log: &Handle) -> Self {
        Self {
            log: log.clone(),
            filter: ExecutionFilter::default(),
        }
    }

    /// Those of this status; said again: also those of that one.
    pub fn status(mut self, status: ExecutionStatus) -> Self {
        self.filter.statuses.push(status);
        self
    }

    /// Those that the gate denied.
    pub fn denied(self) -> Self {
        self.status(ExecutionStatus::Denied)
    }

    /// Those that wait for persons, with what these are asked: what the people's side of a runtime lists. Status, decision
    /// and component asked for so far do not count.
    pub fn awaiting(self) -> AwaitingQuery {
        AwaitingQuery::new(self.log, self.filter.capability)
    }

    /// Those with this decision of the gate's.
    pub fn decision(mut self, decision: Decision) -> Self {
        self.filter.decision = Some(decision);
        self
    }

    /// Those of this capability.
    pub fn capability(mut self, capability: impl Into<String>) -> Self {
        self.filter.capability = Some(capability.into());
        self
    }

    /// Those that this component asked for.
    pub fn component(mut self, component: ComponentId) -> Self {
        self.filter.component = Some(component);
        self
    }

    /// Those that began after this record: to go on after [`first`](Self::first), with the last one's `first_seq`.
    pub fn after(mut self, seq: u64) -> Self {
        self.filter.after = seq;
        self
    }

    /// Those that began before this record: to go on after [`last`](Self::last), with the last one's `first_seq`.
    pub fn before(mut self, seq: u64) -> Self {
        self.filter.before = Some(seq);
        self
    }

    /// The oldest of them, at most `limit`, the oldest first; with all that was acknowledged before the call. Looks at
    /// every execution of the statuses asked for until it has enough.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn first(self, limit: usize) -> Result<Vec<ExecutionEntry>, ReadError> {
        self.find(ExecutionOrder::Oldest, limit).await
    }

    /// The newest of them, at most `limit`, the newest first; otherwise as [`first`](Self::first).
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn last(self, limit: usize) -> Result<Vec<ExecutionEntry>, ReadError> {
        self.find(ExecutionOrder::Newest, limit).await
    }

    async fn find(
        self,
        order: ExecutionOrder,
        limit: usize,
    ) -> Result<Vec<ExecutionEntry>, ReadError> {
        let Self { log, filter } = self;
        let read = move |set: &ViewSet| set.executions.find(&filter, order, limit);
        let mut entries = log.read(STANDING, read).await?;
        entries.iter_mut().for_each(|entry| shown(&log, entry));
        Ok(entries)
    }
}
