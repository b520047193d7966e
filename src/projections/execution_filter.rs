// SPDX-License-Identifier: Apache-2.0
//! Which executions are asked for, and from which end.

use crate::events::{ComponentId, Decision, ParentId, Party, SubjectId};

use super::execution_entry::ExecutionEntry;
use super::execution_status::ExecutionStatus;
use super::record_order::RecordOrder;
use super::terms::{
    Term, approval_term, capability_term, component_term, configuration_term, decision_term,
    parent_term, party_term, subject_term,
};

/// Which executions are asked for: those that fit all that it says. The default fits all.
///
/// Example: `tests/projections/executions.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecutionFilter {
    /// Any of these; all where it is empty.
    pub statuses: Vec<ExecutionStatus>,
    /// The gate's decision.
    pub decision: Option<Decision>,
    /// The capability asked for.
    pub capability: Option<String>,
    /// The component that asked.
    pub component: Option<ComponentId>,
    /// Whom they are about, as a pseudonym.
    pub subject: Option<SubjectId>,
    /// The session or execution that asked for them.
    pub parent: Option<ParentId>,
    /// Somebody on whose behalf they are.
    pub on_behalf_of: Option<Party>,
    /// The configuration version that their decision rests on; see [`ExecutionEntry::configuration_version`].
    pub configuration_version: Option<u64>,
    /// Those that persons were asked about.
    pub approval: bool,
    /// Those whose first record comes after this one.
    pub after: u64,
    /// Those whose first record comes before this one.
    pub before: Option<u64>,
}

/// From which end executions are given, by their first records.
///
/// Example: `tests/projections/executions.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExecutionOrder {
    /// The oldest first.
    Oldest,
    /// The newest first.
    Newest,
}

impl From<ExecutionOrder> for RecordOrder {
    fn from(order: ExecutionOrder) -> Self {
        match order {
            ExecutionOrder::Oldest => Self::Oldest,
            ExecutionOrder::Newest => Self::Newest,
        }
    }
}

impl ExecutionFilter {
    /// The statuses to look at.
    pub(super) fn asked(&self) -> impl Iterator<Item = ExecutionStatus> {
        let any = self.statuses.is_empty();
        let all = ExecutionStatus::ALL.into_iter();
        all.filter(move |status| any || self.statuses.contains(status))
    }

    /// What those that have ended are found by, beside their status.
    pub(super) fn terms(&self) -> Vec<Term> {
        // Mostly the rarest first; which is, the lists tell.
        let terms = [
            self.subject.map(subject_term),
            self.parent.map(parent_term),
            self.on_behalf_of.as_ref().map(party_term),
            self.approval.then(approval_term),
            self.configuration_version.map(configuration_term),
            self.decision.map(|it| decision_term(it.code())),
            self.capability.as_deref().map(capability_term),
            self.component.map(|it| component_term(it.0)),
        ];
        terms.into_iter().flatten().collect()
    }

    /// Whether its first record is where it is asked for.
    pub(super) fn begins(&self, entry: &ExecutionEntry) -> bool {
        entry.first_seq > self.after && self.before.is_none_or(|it| entry.first_seq < it)
    }

    /// Whether the rest of it fits, beside status and place.
    pub(super) fn fits(&self, entry: &ExecutionEntry) -> bool {
        let decision = self.decision.map(Decision::code);
        let capability = self.capability.as_deref();
        let version = self.configuration_version;
        let parties = entry.on_behalf_of.as_deref().unwrap_or_default();
        // Nil is nobody, and no parent.
        decision.is_none_or(|it| it == entry.decision)
            && capability.is_none_or(|it| it == entry.capability)
            && self.component.is_none_or(|it| it == entry.component)
            && self
                .subject
                .is_none_or(|it| !it.is_nil() && it == entry.subject)
            && self
                .parent
                .is_none_or(|it| !it.is_nil() && it == entry.parent)
            && self
                .on_behalf_of
                .as_ref()
                .is_none_or(|it| parties.contains(it))
            && version.is_none_or(|it| it == entry.configuration_version)
            && (!self.approval || entry.requested_seq != 0)
    }
}
