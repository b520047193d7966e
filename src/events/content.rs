// SPDX-License-Identifier: Apache-2.0
//! Whose payload a payload is. A record belongs to several stores, so that an execution is in the audit
//! log and in telemetry without a copy; what it says belongs to one.

use super::{EventType, Store, StoreMask};

impl EventType {
    /// The stores whose payloads a reader must be allowed to read to be given this one's: none where it
    /// holds states, numbers, names, versions, codes and the ledger's own words only; all five for a
    /// type of a later software.
    ///
    /// A payload is withheld as a whole. Where one field of it is free text or bytes of a component, of a
    /// model or of the root authority, it belongs to the store that the event was made for.
    #[must_use]
    pub const fn payload_stores(self) -> StoreMask {
        const fn of(store: Store) -> StoreMask {
            StoreMask::NONE.with(store)
        }
        match self {
            // Inputs, arguments, results, messages, reasons and who persons are; and digests of them that have no
            // salt, by which a short one could be guessed.
            Self::ProtocolValidated
            | Self::AuthorizationDecided
            | Self::ExecutionStarted
            | Self::ExecutionCompleted
            | Self::ExecutionFailed
            | Self::ExecutionCancelled
            | Self::ExecutionResolved
            | Self::ApprovalRequested
            | Self::ApprovalGiven
            | Self::ApprovalRefused
            | Self::ApprovalConfirmed
            // Digests without a salt, of what views hold of them.
            | Self::ViewsSealed => of(Store::ExecutionLog),
            // Details, authors and reasons.
            Self::AuditRecorded
            | Self::ComponentRevoked
            | Self::SigningKeyChanged
            | Self::ClockAccepted => of(Store::AuditLog),
            Self::TelemetryRecorded => of(Store::Telemetry),
            Self::ConfigurationChanged => of(Store::Configuration),
            // Descriptions, parameters and reasons.
            Self::CapabilityRegistered
            | Self::CapabilityEnabled
            | Self::CapabilityDisabled
            | Self::CapabilityChanged
            | Self::CapabilityUnregistered => of(Store::RuntimeMetadata),
            Self::ExecutionInDoubt
            | Self::ExecutionAbandoned
            | Self::ApprovalExpired
            | Self::TransitionsRecorded
            | Self::RefusalsRecorded
            | Self::ClockSkewed
            | Self::ComponentGranted
            | Self::LedgerOpened
            | Self::LedgerClosed
            | Self::HealthChanged
            | Self::CheckpointSigned
            | Self::CheckpointCosigned
            | Self::CheckpointWitnessed
            | Self::TelemetryLost
            | Self::ActivityRecorded
            | Self::StorageFailed
            | Self::SnapshotTaken
            | Self::RecoveryReported
            | Self::RuntimeIdentified
            | Self::ModuleVersionSet
            | Self::ModuleRemoved
            | Self::PositionSaved => StoreMask::NONE,
            _ => StoreMask::ALL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new type is withheld from everybody but those who read all payloads, until it stands above.
    #[test]
    fn of_every_type_it_is_said_whose_its_payload_is() {
        for kind in EventType::ALL {
            let stores = kind.payload_stores();
            assert_ne!(stores, StoreMask::ALL, "{kind} is not classified");
            assert!(stores.stores().count() <= 1, "{kind}");
        }
        assert_eq!(EventType(0x7777).payload_stores(), StoreMask::ALL);
    }
}
