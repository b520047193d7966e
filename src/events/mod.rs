// SPDX-License-Identifier: Apache-2.0
//! What can happen. Pure: no I/O, no clock, no actor.
//!
//! An event is a fact in the past tense. Its payload is a frozen wire struct, named with its
//! revision; a change of shape is a new revision and an upcaster, and stored bytes never change.
//!
//! # Events of later software
//!
//! A journal may hold types and revisions that only later software knows. They are kept, verified, exported and shown as
//! [`Event::Opaque`]. Whether a ledger with one may be written to is said by its type:
//!
//! ```
//! use femtoclaw_ledger::events::EventType;
//! // Of a type that is not known here, by its number.
//! assert!(EventType(0x9001).may_be_skipped() && !EventType(0x1001).may_be_skipped());
//! // Of a revision that is not known here, by what rests on the type.
//! assert!(EventType::TelemetryRecorded.may_be_skipped());
//! assert!(EventType::ExecutionStarted.is_known(1) && !EventType::ExecutionStarted.is_known(9));
//! assert!(!EventType::ExecutionStarted.may_be_skipped());
//! ```
//!
//! A payload under a data key is read by later software alone, and is judged as a later revision of its type:
//! [`RecordHeader::bars_writing`].
//!
//! # As JSON
//!
//! Everything that is read from a ledger implements [`serde::Serialize`]. In formats for people, such as JSON, values read like this,
//! and like this everywhere: in events, in entries of views, in reports and in what `femtoclaw-ledger` prints.
//!
//! | value | in JSON |
//! |---|---|
//! | ids, digests, salts | lower-case hexadecimal digits; an id that stands for none is all zero |
//! | roots and hashes of the Merkle tree | base64, as checkpoints and proofs have them; notes as their text |
//! | times | RFC 3339 in UTC, with nanoseconds where there are any; the key leaves out `_ns` |
//! | lengths of time | a number, with the unit at the end of the key |
//! | enums, sets of stores, flags | their `name()`, which `Display` has too; a number that has no word here stays a number |
//! | payloads and contents | the text that they are, byte for byte; `{"base64": "…"}` where they are no UTF-8 |
//! | paths | text; what of it is no UTF-8 is replaced |
//!
//! Binary formats hold the same numbers and bytes as ever. Wire structs and entries of views read back from both.
//!
//! ```
//! use femtoclaw_ledger::events::{AuditFamily, Event, ExecutionFailedV1, Resolution, TelemetryKind};
//! let event = Event::from(ExecutionFailedV1 {
//!     code: "EXIT".into(),
//!     message: "exit status: 1".into(),
//!     result: br#"{"status":1}"#.to_vec(),
//!     result_len: 12,
//!     result_digest: [0xAB; 32],
//! });
//! # #[cfg(feature = "engine")] {
//! let json = serde_json::to_value(&event)?;
//! assert_eq!(json["type"], "ExecutionFailed");
//! assert_eq!(json["result"], r#"{"status":1}"#);
//! assert_eq!(json["result_digest"], "ab".repeat(32));
//! # }
//! assert_eq!(Resolution::Lost.to_string(), "lost");
//! assert_eq!(AuditFamily::OperatorAction.name(), "operator_action");
//! assert_eq!(TelemetryKind::from_code(TelemetryKind::Other.code()), Some(TelemetryKind::Other));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A record
//!
//! ```
//! use femtoclaw_ledger::events::{
//!     CODEC_BINCODE, Content, Event, EventType, HEADER_LEN, Outcome, Record, RecordHeader, SALT_LEN,
//!     Seq, Store, TelemetryLostV1, Wire, flags,
//! };
//! # use femtoclaw_ledger::events::*;
//! # fn header(seq: u64, payload: &[u8]) -> Option<RecordHeader> {
//! #     Some(RecordHeader {
//! #         event_type: EventType::TelemetryLost,
//! #         revision: 1,
//! #         flags: 0,
//! #         codec: 1,
//! #         algorithm: 1,
//! #         outcome: Outcome::Neutral,
//! #         stores: StoreMask::ALL,
//! #         seq: Seq::new(seq)?,
//! #         time_ns: 5,
//! #         stream: StreamId::NIL,
//! #         stream_version: seq,
//! #         execution: ExecutionId::NIL,
//! #         parent: ParentId::NIL,
//! #         trace: TraceId::NIL,
//! #         command: CommandId::NIL,
//! #         command_digest: [0; 32],
//! #         commit_index: 0,
//! #         commit_len: 1,
//! #         component: ComponentId(1),
//! #         payload_len: payload.len().try_into().ok()?,
//! #         payload_commitment: [0; 32],
//! #         subject: SubjectId::NIL,
//! #         observed_difference_ns: 0,
//! #         data_key: 0,
//! #     })
//! # }
//!
//! let event = Event::from(TelemetryLostV1 { first_ns: 5, last_ns: 6, count: 1 });
//! let mut payload = Vec::new();
//! event.encode_into(&mut payload);
//! # let header = header(1, &payload).ok_or("no header")?;
//! let content = Content { salt: [0; SALT_LEN], payload: payload.clone() };
//! let record = Record { header, hash: [0; 32], content: Some(content) };
//!
//! // The header tells without a payload what it is, and is all that the chain covers.
//! let RecordHeader { seq, event_type, revision, stores, outcome, .. } = record.header;
//! assert_eq!(seq, Seq::FIRST);
//! assert_eq!((event_type, outcome), (EventType::TelemetryLost, Outcome::Neutral));
//! assert!(stores.contains(Store::Telemetry) && !record.header.has(flags::TRUNCATED));
//! let bytes: [u8; HEADER_LEN] = record.header.encode();
//! assert_eq!(RecordHeader::decode(&bytes)?, record.header);
//! assert!(!record.header.bars_writing());
//!
//! // The payload is decoded on request; a reader without the right to it gets `Event::Withheld`.
//! assert_eq!(record.event()?, event);
//! assert_eq!(Event::decode(TelemetryLostV1::TYPE, revision, CODEC_BINCODE, &payload)?, event);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

mod approval;
mod audit_log;
mod codec;
mod configuration;
mod content;
mod execution_log;
mod ids;
mod outcome;
mod party;
pub(crate) mod readable;
mod record;
mod runtime_metadata;
mod state;
mod store;
mod telemetry;
mod vouched;

pub use approval::*;
pub use audit_log::*;
#[cfg(any(feature = "engine", test))]
pub(crate) use codec::encode_into;
pub use codec::{CODEC_BINCODE, DecodeError};
#[cfg(feature = "engine")]
pub(crate) use codec::{decode, decode_state};
pub use configuration::*;
pub use execution_log::*;
pub use ids::*;
pub use outcome::Outcome;
pub use party::Party;
#[cfg(feature = "engine")]
pub(crate) use record::ALGORITHM_BLAKE3;
pub use record::{Content, HEADER_LEN, HeaderError, Record, RecordHeader, SALT_LEN, flags};
pub use runtime_metadata::*;
pub use state::State;
pub use store::{Store, StoreMask};
pub use telemetry::*;
pub use vouched::*;

/// Number of an event type on disk, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct EventType(pub u16);

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for EventType {
    /// Its name, or its number where only a later software has a name for it.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Self::ALL.contains(self) {
            true => serializer.serialize_str(self.name()),
            false => serializer.collect_str(&format_args!("{:#06x}", self.0)),
        }
    }
}

impl EventType {
    /// As [`RecordHeader::bars_writing`].
    pub(crate) const fn bars_writing(self, revision: u16, is_encrypted: bool) -> bool {
        (is_encrypted || !self.is_known(revision)) && !self.may_be_skipped()
    }
}

/// A frozen wire struct: its type and revision on disk.
pub trait Wire: serde::Serialize + serde::de::DeserializeOwned {
    /// Type on disk.
    const TYPE: EventType;
    /// Revision on disk.
    const REVISION: u16;
}

/// What becomes of a revision of a known type that only later software knows: one line of `events!`, one word.
macro_rules! later_revision {
    // Nothing that is replayed rests on it.
    (skip) => {
        true
    };
    // A state, a grant, an identity or a decision rests on it.
    (know) => {
        false
    };
}

macro_rules! events {
    ($( $code:literal $name:ident $wire:ident $revision:literal
        [$($store:ident)+] $later:ident $(, $old_revision:literal $old:ident)* ;)+) => {
        /// An event of any store, in its newest revision.
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
        #[serde(tag = "type")]
        #[non_exhaustive]
        pub enum Event {
            $(#[doc = concat!("See [`", stringify!($wire), "`].")] $name($wire),)+
            /// A type or revision of a later software: kept, verified and exported unread.
            Opaque,
            /// Its payload is withheld from this reader; the record's header is all there is.
            Withheld,
        }

        $(impl Wire for $wire {
            const TYPE: EventType = EventType($code);
            const REVISION: u16 = $revision;
        }
        impl From<$wire> for Event {
            fn from(wire: $wire) -> Self { Self::$name(wire) }
        })+

        impl EventType {
            /// Every type that this software knows.
            pub const ALL: &'static [Self] = &[$(Self($code)),+];
            $(#[allow(non_upper_case_globals, reason = "named after the event")]
              #[doc = concat!("Type of [`", stringify!($wire), "`].")]
              pub const $name: Self = Self($code);)+

            /// The event's name; `Opaque` for a type of a later software.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self.0 { $($code => stringify!($name),)+ _ => "Opaque" }
            }

            /// The type with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self($code)),)+ _ => None }
            }

            /// The stores that an event of this type belongs to.
            #[must_use]
            pub const fn stores(self) -> StoreMask {
                match self.0 {
                    $($code => StoreMask::NONE$(.with(Store::$store))+,)+
                    _ => StoreMask::NONE,
                }
            }

            /// Whether software that does not know an event of this type, or the revision of it, may go on
            /// writing without it. A type that this software does not know says so by its number, for ever: those with
            /// the bit `0x8000` may be skipped, no other. Of a type that it knows, a later revision may be
            /// skipped where no state, no grant, no identity and no decision rests on it.
            #[must_use]
            pub const fn may_be_skipped(self) -> bool {
                match self.0 { $($code => later_revision!($later),)+ code => code & 0x8000 != 0 }
            }

            /// Whether this software decodes this type in this revision; [`Event::Opaque`] is what it gives of any
            /// other.
            #[must_use]
            pub const fn is_known(self, revision: u16) -> bool {
                matches!((self.0, revision), $(($code, $revision) $(| ($code, $old_revision))*)|+)
            }
        }

        impl Event {
            /// Its type; `None` for [`Event::Opaque`] and [`Event::Withheld`].
            #[must_use]
            pub const fn event_type(&self) -> Option<EventType> {
                match self { $(Self::$name(_) => Some(EventType($code)),)+ Self::Opaque | Self::Withheld => None }
            }

            /// The revision it is written in; 0 for [`Event::Opaque`] and [`Event::Withheld`].
            #[must_use]
            pub const fn revision(&self) -> u16 {
                match self { $(Self::$name(_) => $revision,)+ Self::Opaque | Self::Withheld => 0 }
            }

            /// Appends its payload to `buffer`.
            pub fn encode_into(&self, buffer: &mut Vec<u8>) {
                match self {
                    $(Self::$name(wire) => codec::encode_into(wire, buffer),)+
                    Self::Opaque | Self::Withheld => {}
                }
            }

            /// Decodes a payload and upcasts it to the newest revision.
            ///
            /// # Errors
            /// [`DecodeError`] where a known type and revision does not decode.
            pub fn decode(
                event_type: EventType,
                revision: u16,
                codec: u8,
                payload: &[u8],
            ) -> Result<Self, DecodeError> {
                match (event_type.0, revision) {
                    $(($code, $revision) => codec::decode::<$wire>(codec, payload).map(Self::$name),
                      $(($code, $old_revision) => codec::decode::<$old>(codec, payload)
                            .map(|old| Self::$name(old.into())),)*)+
                    _ => Ok(Self::Opaque),
                }
            }
        }
    };
}

events! {
    0x0101 ProtocolValidated ProtocolValidatedV1 1 [AuditLog Telemetry] know;
    0x0102 AuthorizationDecided AuthorizationDecidedV2 2 [ExecutionLog AuditLog Telemetry] know, 1 AuthorizationDecidedV1;
    0x0103 ExecutionStarted ExecutionStartedV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x0104 ExecutionCompleted ExecutionCompletedV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x0105 ExecutionFailed ExecutionFailedV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x0106 ExecutionCancelled ExecutionCancelledV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x0107 ExecutionResolved ExecutionResolvedV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x0108 ExecutionInDoubt ExecutionInDoubtV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x0109 ExecutionAbandoned ExecutionAbandonedV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x010A ApprovalRequested ApprovalRequestedV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x010B ApprovalGiven ApprovalGivenV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x010C ApprovalRefused ApprovalRefusedV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x010D ApprovalExpired ApprovalExpiredV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x010E ApprovalConfirmed ApprovalConfirmedV1 1 [ExecutionLog AuditLog Telemetry] know;
    0x0201 TransitionsRecorded TransitionsRecordedV1 1 [AuditLog Telemetry] know;
    0x0202 AuditRecorded AuditRecordedV1 1 [AuditLog] skip;
    0x0203 RefusalsRecorded RefusalsRecordedV1 1 [AuditLog Telemetry] skip;
    0x0204 ClockSkewed ClockSkewedV1 1 [AuditLog Telemetry] skip;
    0x0205 ComponentGranted ComponentGrantedV3 3 [AuditLog] know, 2 ComponentGrantedV2, 1 ComponentGrantedV1;
    0x0206 ComponentRevoked ComponentRevokedV1 1 [AuditLog] know;
    0x0207 LedgerOpened LedgerOpenedV1 1 [AuditLog Telemetry RuntimeMetadata] know;
    0x0208 LedgerClosed LedgerClosedV1 1 [AuditLog Telemetry RuntimeMetadata] know;
    0x0209 HealthChanged HealthChangedV1 1 [AuditLog Telemetry] skip;
    0x020A CheckpointSigned CheckpointSignedV1 1 [AuditLog Telemetry] know;
    0x020B CheckpointCosigned CheckpointCosignedV1 1 [AuditLog] know;
    0x020C CheckpointWitnessed CheckpointWitnessedV1 1 [AuditLog] know;
    0x020D SigningKeyChanged SigningKeyChangedV1 1 [AuditLog] know;
    0x020E ClockAccepted ClockAcceptedV1 1 [AuditLog Telemetry] skip;
    0x0301 TelemetryRecorded TelemetryRecordedV1 1 [Telemetry] skip;
    0x0302 TelemetryLost TelemetryLostV1 1 [Telemetry] skip;
    0x0303 ActivityRecorded ActivityRecordedV1 1 [Telemetry] skip;
    0x0304 StorageFailed StorageFailedV1 1 [AuditLog Telemetry] skip;
    0x0305 SnapshotTaken SnapshotTakenV1 1 [Telemetry] skip;
    0x0306 RecoveryReported RecoveryReportedV2 2 [AuditLog Telemetry] skip, 1 RecoveryReportedV1;
    0x8301 ViewsSealed ViewsSealedV1 1 [Telemetry] skip;
    0x0401 ConfigurationChanged ConfigurationChangedV1 1 [Configuration AuditLog] know;
    0x0501 RuntimeIdentified RuntimeIdentifiedV1 1 [RuntimeMetadata AuditLog] know;
    0x0502 ModuleVersionSet ModuleVersionSetV1 1 [RuntimeMetadata AuditLog] know;
    0x0503 ModuleRemoved ModuleRemovedV1 1 [RuntimeMetadata AuditLog] know;
    0x0511 CapabilityRegistered CapabilityRegisteredV1 1 [RuntimeMetadata AuditLog] know;
    0x0512 CapabilityEnabled CapabilityEnabledV1 1 [RuntimeMetadata AuditLog] know;
    0x0513 CapabilityDisabled CapabilityDisabledV1 1 [RuntimeMetadata AuditLog] know;
    0x0514 CapabilityChanged CapabilityChangedV1 1 [RuntimeMetadata AuditLog] know;
    0x0515 CapabilityUnregistered CapabilityUnregisteredV1 1 [RuntimeMetadata AuditLog] know;
    0x0521 PositionSaved PositionSavedV1 1 [RuntimeMetadata] know;
}

// Behind the macro, which it uses.
#[cfg(test)]
mod upcast;
