// SPDX-License-Identifier: Apache-2.0
//! What is known of executions that wait for persons, or that persons have approved, and until when.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::events::{ApprovalNamedV1, ApprovalRequestedV1, ExecutionId, Hash, Party};

/// A request that persons were asked about; kept until the execution is started or has ended. What they are shown and
/// the arguments are in the journal alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WaitingRequest {
    pub(super) until_ns: i64,
    /// Place of the request in the execution's stream.
    request_version: u64,
    asked: Vec<Party>,
    asked_roles: Vec<String>,
    rule: String,
    pub(super) needed: u32,
    pub(super) shown_digest: Hash,
    pub(super) on_behalf_of: Vec<Party>,
    /// Who approved on the basis that the request rests on, in order.
    pub(super) approvers: Vec<Party>,
}

impl WaitingRequest {
    pub(super) fn of(event: &ApprovalRequestedV1, request_version: u64) -> Self {
        Self {
            until_ns: event.until_ns,
            request_version,
            asked: event.asked.clone(),
            asked_roles: event.asked_roles.clone(),
            rule: event.rule.clone(),
            needed: event.approvers_needed,
            shown_digest: event.shown_digest,
            on_behalf_of: event.on_behalf_of.clone(),
            approvers: Vec::new(),
        }
    }

    /// How many different identities have approved.
    pub(super) fn given(&self) -> u32 {
        u32::try_from(self.approvers.len()).unwrap_or(u32::MAX)
    }

    /// Whether this person is one of those asked.
    pub(super) fn asks(&self, person: &Party, role: &str) -> bool {
        let has_role = !role.is_empty() && self.asked_roles.iter().any(|asked| asked == role);
        has_role || self.asked.contains(person)
    }

    /// The approval as a decision names it.
    pub(super) fn named(
        &self,
        approvers: Vec<Party>,
        refused_by: Option<Party>,
    ) -> ApprovalNamedV1 {
        ApprovalNamedV1 {
            request_version: self.request_version,
            rule: self.rule.clone(),
            needed: self.needed,
            approvers,
            refused_by,
        }
    }
}

/// Until when each of them may be approved and started.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BTreeSet<(i64, ExecutionId)>);

impl Deadlines {
    pub(super) fn add(&mut self, execution: ExecutionId, waiting: &WaitingRequest) {
        self.0.insert((waiting.until_ns, execution));
    }

    pub(super) fn remove(&mut self, execution: ExecutionId, waiting: &WaitingRequest) {
        self.0.remove(&(waiting.until_ns, execution));
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn first_ns(&self) -> Option<i64> {
        self.0.first().map(|(until_ns, _)| *until_ns)
    }

    /// The first of those whose time is over.
    pub(super) fn overdue(&self, now_ns: i64, most: usize) -> Vec<ExecutionId> {
        let over = |(until_ns, _): &&(i64, ExecutionId)| *until_ns < now_ns;
        let overdue = self.0.iter().take_while(over).take(most);
        overdue.map(|(_, execution)| *execution).collect()
    }
}
