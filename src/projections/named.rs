// SPDX-License-Identifier: Apache-2.0
//! What the payload of an event names that records are found by.

use crate::events::{Event, EventType, Party};

/// Whether the payload of an event of this type names any of it.
pub(super) const fn is_asked(event_type: EventType) -> bool {
    matches!(
        event_type,
        EventType::AuthorizationDecided
            | EventType::ExecutionStarted
            | EventType::ApprovalRequested
            | EventType::ApprovalGiven
            | EventType::ApprovalRefused
            | EventType::ApprovalConfirmed
            | EventType::CapabilityRegistered
            | EventType::CapabilityChanged
            | EventType::CapabilityEnabled
            | EventType::CapabilityDisabled
            | EventType::CapabilityUnregistered
            | EventType::ComponentGranted
    )
}

/// Everybody that the event's payload names.
pub(super) fn parties(event: &Event) -> Vec<&Party> {
    match event {
        Event::AuthorizationDecided(e) => {
            let approval = e.approval.iter();
            let answered = approval.flat_map(|it| it.approvers.iter().chain(&it.refused_by));
            e.on_behalf_of.iter().chain(answered).collect()
        }
        Event::ApprovalRequested(e) => e.on_behalf_of.iter().chain(&e.asked).collect(),
        Event::ApprovalGiven(e) => vec![&e.approver],
        Event::ApprovalRefused(e) => vec![&e.approver],
        _ => Vec::new(),
    }
}

/// The capability that the event's payload names.
pub(super) fn capability(event: &Event) -> Option<&str> {
    Some(match event {
        Event::AuthorizationDecided(e) => &e.capability,
        Event::ApprovalRequested(e) => &e.capability,
        Event::ExecutionStarted(e) => &e.capability,
        Event::CapabilityRegistered(e) => &e.capability,
        Event::CapabilityChanged(e) => &e.capability,
        Event::CapabilityEnabled(e) => &e.capability,
        Event::CapabilityDisabled(e) => &e.capability,
        Event::CapabilityUnregistered(e) => &e.capability,
        _ => return None,
    })
}

/// The configuration version that a decision, a question or its confirmation rests on.
pub(super) const fn configuration_version(event: &Event) -> Option<u64> {
    match event {
        Event::AuthorizationDecided(e) => Some(e.configuration_version),
        Event::ApprovalRequested(e) => Some(e.configuration_version),
        Event::ApprovalConfirmed(e) => Some(e.configuration_version),
        _ => None,
    }
}
