// SPDX-License-Identifier: Apache-2.0
//! What waits for persons, for those who show it to them.

use super::entries::{STANDING, shown};
use super::handle::{Handle, Wanted};
use crate::error::ReadError;
use crate::events::{
    ApprovalRequestedV1, ComponentId, Event, ExecutionId, Party, Record, Seq, Store,
};
use crate::ledger::blocking::blocking;
use crate::ledger::read::history_lookup::decoded;
use crate::ledger::read::views::ViewSet;
use crate::projections::{ExecutionEntry, ExecutionFilter, ExecutionOrder, ExecutionStatus};

/// Executions looked at in one read of the view, where some of them may not be for whoever is asked for.
const PAGE: usize = 256;

/// An execution that waits for persons.
///
/// Example: [`execution_log`](crate::execution_log).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Awaiting {
    /// Where it stands: since when and until when, how many have approved and how many must.
    pub entry: ExecutionEntry,
    /// What persons are asked, word for word, as its record has it: who, by what rule, what they are shown and the digest
    /// of that. `None` where the reader may not read payloads of the execution log.
    pub request: Option<ApprovalRequestedV1>,
}

/// Executions that wait for persons, to be listed; made by [`ExecutionQuery::awaiting`](crate::execution_log::ExecutionQuery::awaiting).
/// Nothing is read before [`soonest`](Self::soonest) or [`oldest`](Self::oldest).
///
/// Example: [`execution_log`](crate::execution_log).
#[derive(Clone)]
#[must_use = "nothing is read before `soonest` or `oldest`"]
pub struct AwaitingQuery {
    log: Handle,
    filter: ExecutionFilter,
    persons: Persons,
}

/// Whose answer is asked for; nobody's in particular where it is empty.
#[derive(Clone, Default)]
struct Persons {
    identity: Option<Party>,
    roles: Vec<String>,
}

impl Persons {
    /// Whether what is asked for stands in the requests alone.
    fn are_named(&self) -> bool {
        self.identity.is_some() || !self.roles.is_empty()
    }

    fn may_answer(&self, request: &ApprovalRequestedV1) -> bool {
        let identity = self.identity.as_ref();
        identity.is_some_and(|it| request.asked.contains(it))
            || self.roles.iter().any(|it| request.asked_roles.contains(it))
    }
}

impl AwaitingQuery {
    pub(super) fn new(log: Handle, capability: Option<String>) -> Self {
        let filter = ExecutionFilter {
            statuses: vec![ExecutionStatus::AwaitingApproval],
            capability,
            ..ExecutionFilter::default()
        };
        Self {
            log,
            filter,
            persons: Persons::default(),
        }
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

    /// Those that this person may answer: by identity, or by one of the roles that are given here too. Takes the right to
    /// read payloads of the execution log.
    pub fn asked(mut self, identity: Party) -> Self {
        self.persons.identity = Some(identity);
        self
    }

    /// Those that whoever has this role may answer; said again: also that one. Takes the right to read payloads of the
    /// execution log.
    pub fn asked_role(mut self, role: impl Into<String>) -> Self {
        self.persons.roles.push(role.into());
        self
    }

    /// Those that began after this record: to go on after [`oldest`](Self::oldest), with the last one's `first_seq`.
    pub fn after(mut self, seq: u64) -> Self {
        self.filter.after = seq;
        self
    }

    /// Those whose time ends first, at most `limit`; with all that was acknowledged before the call. One whose time has
    /// ended is among them until the ledger has recorded that.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn soonest(self, limit: usize) -> Result<Vec<Awaiting>, ReadError> {
        let filter = self.filter.clone();
        let all = self.persons.are_named();
        let wanted = if all { usize::MAX } else { limit };
        let read = move |set: &ViewSet| set.executions.soonest(&filter, wanted);
        let entries = self.log.read(self.wanted(), read).await?;
        self.requests(entries, limit).await
    }

    /// Those that were asked first, at most `limit`, the oldest first; otherwise as [`soonest`](Self::soonest).
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn oldest(self, limit: usize) -> Result<Vec<Awaiting>, ReadError> {
        let (mut filter, mut found) = (self.filter.clone(), Vec::new());
        while found.len() < limit {
            let page = if self.persons.are_named() {
                PAGE
            } else {
                limit - found.len()
            };
            let asked = filter.clone();
            let read = move |set: &ViewSet| {
                let order = ExecutionOrder::Oldest;
                set.executions.find(&asked, order, page)
            };
            let entries = self.log.read(self.wanted(), read).await?;
            let Some(last) = entries.last().map(|entry| entry.first_seq) else {
                break;
            };
            filter.after = last;
            let is_last = entries.len() < page;
            found.extend(self.requests(entries, limit - found.len()).await?);
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    fn wanted(&self) -> Wanted {
        match self.persons.are_named() {
            true => Wanted::Payloads(Store::ExecutionLog),
            false => STANDING,
        }
    }

    /// Reads what persons are asked, and leaves out those that are not for whom is asked for. Keeps no more than `limit` in
    /// memory: a request may be as large as a payload.
    async fn requests(
        &self,
        mut entries: Vec<ExecutionEntry>,
        limit: usize,
    ) -> Result<Vec<Awaiting>, ReadError> {
        let log = &self.log;
        entries.iter_mut().for_each(|entry| shown(log, entry));
        let (reader, rights) = (log.inner.core.reader.clone(), log.grant.rights());
        let persons = self.persons.clone();
        let read = blocking(move || {
            let mut found = Vec::new();
            for entry in entries {
                if found.len() >= limit {
                    break;
                }
                let place = Seq::new(entry.requested_seq).unwrap_or(Seq::FIRST);
                let record = reader.get(place).map_err(ReadError::from)?;
                let request = record.and_then(|record| rights.shown(record));
                let request = request
                    .as_ref()
                    .map(|record| asked(record, entry.execution));
                let request = request.transpose()?.flatten();
                let is_for = |request| persons.may_answer(request);
                if !persons.are_named() || request.as_ref().is_some_and(is_for) {
                    found.push(Awaiting { entry, request });
                }
            }
            Ok(found)
        })
        .await;
        // Taken back while it was read: nothing is given any more.
        log.may_read(self.wanted())?;
        read
    }
}

/// What a record asks persons about this execution; `None` where that is withheld.
fn asked(
    record: &Record,
    execution: ExecutionId,
) -> Result<Option<ApprovalRequestedV1>, ReadError> {
    match decoded(record)? {
        Event::ApprovalRequested(request) if record.header.execution == execution => {
            Ok(Some(request))
        }
        Event::Withheld => Ok(None),
        _ => Err(ReadError::Damaged {
            seq: record.header.seq,
            problem: "the executions view names it for what persons are asked".into(),
        }),
    }
}
