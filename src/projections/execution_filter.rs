// SPDX-License-Identifier: Apache-2.0
//! Which executions are asked for, and from which end.

use crate::events::{ComponentId, Decision};

use super::execution_entry::ExecutionEntry;
use super::execution_status::ExecutionStatus;

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

impl ExecutionFilter {
    /// The statuses to look at.
    pub(super) fn asked(&self) -> impl Iterator<Item = ExecutionStatus> {
        let any = self.statuses.is_empty();
        let all = ExecutionStatus::ALL.into_iter();
        all.filter(move |status| any || self.statuses.contains(status))
    }

    /// Whether its first record is where it is asked for.
    pub(super) fn begins(&self, entry: &ExecutionEntry) -> bool {
        entry.first_seq > self.after && self.before.is_none_or(|it| entry.first_seq < it)
    }

    /// Whether the rest of it fits, beside status and place.
    pub(super) fn fits(&self, entry: &ExecutionEntry) -> bool {
        let decision = self.decision.map(Decision::code);
        let capability = self.capability.as_deref();
        decision.is_none_or(|it| it == entry.decision)
            && capability.is_none_or(|it| it == entry.capability)
            && self.component.is_none_or(|it| it == entry.component)
    }
}
