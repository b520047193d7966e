// SPDX-License-Identifier: Apache-2.0
//! Finding executions.

use super::awaiting::AwaitingQuery;
use super::entries::{STANDING, shown};
use super::handle::{Handle, Wanted};
use crate::error::ReadError;
use crate::events::{ComponentId, Decision, ParentId, Party, Store, SubjectId};
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

    /// Those that wait for persons, with what these are asked: what the people's side of a runtime lists. What else
    /// was asked for so far, beside the capability, does not count.
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

    /// Those about this subject: [`Reads::subject_id`](crate::Reads::subject_id) gives it for an id.
    pub fn subject(mut self, subject: SubjectId) -> Self {
        self.filter.subject = Some(subject);
        self
    }

    /// Those that this session or execution asked for.
    pub fn parent(mut self, parent: ParentId) -> Self {
        self.filter.parent = Some(parent);
        self
    }

    /// Those on behalf of this party, alone or among others. Takes the right to read payloads of the execution log.
    pub fn on_behalf_of(mut self, party: Party) -> Self {
        self.filter.on_behalf_of = Some(party);
        self
    }

    /// Those whose decision rests on this configuration version; before a decision, those whose question to persons does.
    pub fn configuration_version(mut self, version: u64) -> Self {
        self.filter.configuration_version = Some(version);
        self
    }

    /// Those that persons were asked about, whatever came of it.
    pub fn approval(mut self) -> Self {
        self.filter.approval = true;
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

    /// The oldest of them, at most `limit`, the oldest first; with all that was acknowledged before the call. Of
    /// those that have ended it reads some that fit, at most `limit` for each status asked for; of those that have not, all
    /// of the statuses asked for, until it has enough.
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
        // Names of persons are content: who may not read it is not told whose an execution is.
        let wanted = match filter.on_behalf_of {
            Some(_) => Wanted::Payloads(Store::ExecutionLog),
            None => STANDING,
        };
        let read = move |set: &ViewSet| set.executions.find(&filter, order, limit);
        let mut entries = log.read(wanted, read).await?;
        entries.iter_mut().for_each(|entry| shown(&log, entry));
        Ok(entries)
    }
}
