// SPDX-License-Identifier: Apache-2.0
//! What a record makes of an execution's entry.

use crate::events::{AuthorizationDecidedV2, Decision, Event, EventType, RecordHeader};

use super::execution_entry::ExecutionEntry;
use super::execution_status::ExecutionStatus;

/// Whether what an event of this type says of its execution is more than its type.
pub(super) const fn status_in_event(event_type: EventType) -> bool {
    matches!(
        event_type,
        EventType::ProtocolValidated
            | EventType::AuthorizationDecided
            | EventType::ExecutionStarted
            | EventType::ExecutionResolved
            | EventType::ApprovalRequested
            | EventType::ApprovalGiven
            | EventType::ApprovalConfirmed
    )
}

pub(super) const fn typed_status(event_type: EventType) -> Option<ExecutionStatus> {
    Some(match event_type {
        EventType::ExecutionCompleted => ExecutionStatus::Completed,
        EventType::ExecutionFailed => ExecutionStatus::Failed,
        EventType::ExecutionCancelled => ExecutionStatus::Cancelled,
        EventType::ExecutionInDoubt => ExecutionStatus::InDoubt,
        EventType::ExecutionAbandoned => ExecutionStatus::Abandoned,
        _ => return None,
    })
}

pub(super) fn told_status(
    event: &Event,
    before: Option<ExecutionStatus>,
) -> Option<ExecutionStatus> {
    Some(match event {
        Event::ProtocolValidated(_) if before.is_some() => return None,
        Event::ProtocolValidated(e) if e.accepted => ExecutionStatus::Received,
        Event::ProtocolValidated(_) => ExecutionStatus::Rejected,
        Event::AuthorizationDecided(e) => decided(e),
        Event::ExecutionStarted(_) => ExecutionStatus::Running,
        Event::ExecutionResolved(_) => ExecutionStatus::Resolved,
        Event::ApprovalRequested(_) => ExecutionStatus::AwaitingApproval,
        _ => return None,
    })
}

fn decided(event: &AuthorizationDecidedV2) -> ExecutionStatus {
    match &event.approval {
        _ if event.decision != Decision::Authorized.code() => ExecutionStatus::Denied,
        Some(_) => ExecutionStatus::Approved,
        None => ExecutionStatus::Authorized,
    }
}

pub(super) fn begin(header: &RecordHeader, status: ExecutionStatus) -> ExecutionEntry {
    ExecutionEntry {
        execution: header.execution,
        status,
        capability: String::new(),
        decision: 0,
        resolution: 0,
        first_seq: header.seq.get(),
        last_seq: header.seq.get(),
        started_seq: 0,
        first_ns: header.time_ns,
        last_ns: header.time_ns,
        parent: header.parent,
        trace: header.trace,
        component: header.component,
        subject: header.subject,
        on_behalf_of: Some(Vec::new()),
        configuration_version: 0,
        requested_seq: 0,
        until_ns: 0,
        approvals_given: 0,
        approvals_needed: 0,
    }
}

pub(super) fn fill(entry: &mut ExecutionEntry, event: &Event) {
    match event {
        Event::AuthorizationDecided(e) => {
            entry.capability.clone_from(&e.capability);
            entry.decision = e.decision;
            entry.configuration_version = e.configuration_version;
            entry.on_behalf_of = Some(e.on_behalf_of.clone());
        }
        Event::ApprovalRequested(e) => {
            entry.capability.clone_from(&e.capability);
            entry.on_behalf_of = Some(e.on_behalf_of.clone());
            entry.configuration_version = e.configuration_version;
            entry.requested_seq = entry.last_seq;
            entry.until_ns = e.until_ns;
            entry.approvals_needed = e.approvers_needed;
        }
        Event::ApprovalGiven(e) => entry.approvals_given = e.given,
        Event::ApprovalConfirmed(e) => {
            entry.configuration_version = e.configuration_version;
            entry.approvals_given = 0;
        }
        Event::ExecutionStarted(e) => {
            entry.capability.clone_from(&e.capability);
            entry.started_seq = entry.last_seq;
        }
        Event::ExecutionResolved(e) => entry.resolution = e.resolution,
        _ => {}
    }
}
