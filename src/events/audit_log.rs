// SPDX-License-Identifier: Apache-2.0
//! Audit log events (FC-STORAGE §6). What mirrors an execution is no copy: the execution's own
//! record belongs to both stores by its mask.

use serde::{Deserialize, Serialize};

use super::readable::words::{Bits, Code, Codes, Directions, Machines, words};
use super::{State, Store};

/// A state machine walked this path in one commit (execution model §5).
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionsRecordedV1 {
    /// 0: the runtime's machine; 1: one execution's machine.
    #[serde(with = "Code::<Machines>")]
    pub machine: u8,
    /// The states, from where it stood to where it came, each as its number.
    #[serde(with = "Codes::<State>")]
    pub path: Vec<u8>,
}

/// Something worth an audit, told by a component (audit specification §4–5).
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecordedV1 {
    /// [`AuditFamily`] as its number.
    #[serde(with = "Code::<AuditFamily>")]
    pub family: u8,
    /// What was done, as a stable word.
    pub action: String,
    /// To what.
    pub subject: String,
    /// Details, JSON, byte for byte; may be empty.
    #[serde(with = "super::readable::bytes")]
    pub detail: Vec<u8>,
}

/// Commands were refused; the first of a kind at once, the rest counted once an interval.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalsRecordedV1 {
    /// Whose commands; empty where the component is not known.
    pub component: String,
    /// The error's stable code.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// When the first was refused, in nanoseconds since 1970.
    #[serde(rename = "first", with = "super::readable::time")]
    pub first_ns: i64,
    /// When the last was refused, in nanoseconds since 1970.
    #[serde(rename = "last", with = "super::readable::time")]
    pub last_ns: i64,
    /// The first one, for a person.
    pub detail: String,
}

/// The clock stood behind the head, or leapt ahead of the monotonic clock, or stood so far ahead
/// that it is not believed: one excursion.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSkewedV1 {
    /// What the clock showed, in nanoseconds since 1970.
    #[serde(rename = "observed", with = "super::readable::time")]
    pub observed_ns: i64,
    /// What was expected at least (behind) or at most (ahead), in nanoseconds since 1970.
    #[serde(rename = "expected", with = "super::readable::time")]
    pub expected_ns: i64,
    /// 0: behind; 1: ahead; 2: far ahead, and not believed.
    #[serde(with = "Code::<Directions>")]
    pub direction: u8,
}

impl ClockSkewedV1 {
    /// `direction` of a clock behind the head.
    pub const BEHIND: u8 = 0;
    /// `direction` of a clock that leapt ahead.
    pub const AHEAD: u8 = 1;
    /// `direction` of a clock too far ahead to be believed.
    pub const DOUBTED: u8 = 2;
}

/// The root authority believes a clock that stood too far ahead: from here on, time is what it shows.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockAcceptedV1 {
    /// What the clock showed, in nanoseconds since 1970.
    #[serde(rename = "observed", with = "super::readable::time")]
    pub observed_ns: i64,
    /// What time was until here, in nanoseconds since 1970.
    #[serde(rename = "expected", with = "super::readable::time")]
    pub expected_ns: i64,
    /// Why it is believed.
    pub reason: String,
}

/// The root authority granted a component its rights and its quota; also interns the component's number.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentGrantedV3 {
    /// The component's number, for ever.
    pub component: u32,
    /// Its name.
    pub name: String,
    /// Stores it may append to, as a mask.
    #[serde(with = "Bits::<Store>")]
    pub append: u8,
    /// Stores it may read, as a mask.
    #[serde(with = "Bits::<Store>")]
    pub read: u8,
    /// Stores it may read with their payloads, as a mask.
    #[serde(with = "Bits::<Store>")]
    pub read_payloads: u8,
    /// True where it may finish executions of other components.
    pub finish_others: bool,
    /// True where it may resolve executions in doubt that other components started.
    pub resolve_others: bool,
    /// True where it may have the ledger sign a checkpoint.
    pub sign_checkpoints: bool,
    /// True where it may hand in what persons say of executions that wait for them.
    pub approve: bool,
    /// Records per second that it may append; `None`: no limit of its own, or not recorded (revision 1).
    pub records_per_second: Option<u32>,
    /// Bytes per second that it may append; `None`: no limit of its own, or not recorded (revision 1).
    pub bytes_per_second: Option<u64>,
}

/// As [`ComponentGrantedV3`], before persons approved: nobody handed in what they say. It is read as the third revision
/// and never written.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentGrantedV2 {
    /// The component's number, for ever.
    pub component: u32,
    /// Its name.
    pub name: String,
    /// Stores it may append to, as a mask.
    #[serde(with = "Bits::<Store>")]
    pub append: u8,
    /// Stores it may read, as a mask.
    #[serde(with = "Bits::<Store>")]
    pub read: u8,
    /// Stores it may read with their payloads, as a mask.
    #[serde(with = "Bits::<Store>")]
    pub read_payloads: u8,
    /// True where it may finish executions of other components.
    pub finish_others: bool,
    /// True where it may resolve executions in doubt that other components started.
    pub resolve_others: bool,
    /// True where it may have the ledger sign a checkpoint.
    pub sign_checkpoints: bool,
    /// Records per second that it may append; `None`: no limit of its own, or not recorded (revision 1).
    pub records_per_second: Option<u32>,
    /// Bytes per second that it may append; `None`: no limit of its own, or not recorded (revision 1).
    pub bytes_per_second: Option<u64>,
}

/// The first revision: whoever could read saw payloads, whoever could append to the execution log
/// resolved what was in doubt, whoever could read the audit log had checkpoints signed, and the quota was
/// not recorded. It is read as
/// [`ComponentGrantedV3`] and never written.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentGrantedV1 {
    /// The component's number, for ever.
    pub component: u32,
    /// Its name.
    pub name: String,
    /// Stores it may append to, as a mask; [`Self::FINISH_OTHERS`] beside them.
    pub append: u8,
    /// Stores it may read, as a mask.
    pub read: u8,
}

impl ComponentGrantedV1 {
    /// The bit of `append` that says: it may finish executions of other components.
    pub const FINISH_OTHERS: u8 = 0x80;
}

/// What the first revision did not name gets the value that it meant.
impl From<ComponentGrantedV1> for ComponentGrantedV2 {
    fn from(old: ComponentGrantedV1) -> Self {
        let append = old.append & !ComponentGrantedV1::FINISH_OTHERS;
        Self {
            component: old.component,
            name: old.name,
            append,
            read: old.read,
            read_payloads: old.read,
            finish_others: old.append & ComponentGrantedV1::FINISH_OTHERS != 0,
            resolve_others: append & super::Store::ExecutionLog as u8 != 0,
            sign_checkpoints: old.read & super::Store::AuditLog as u8 != 0,
            records_per_second: None,
            bytes_per_second: None,
        }
    }
}

impl From<ComponentGrantedV2> for ComponentGrantedV3 {
    fn from(old: ComponentGrantedV2) -> Self {
        Self {
            component: old.component,
            name: old.name,
            append: old.append,
            read: old.read,
            read_payloads: old.read_payloads,
            finish_others: old.finish_others,
            resolve_others: old.resolve_others,
            sign_checkpoints: old.sign_checkpoints,
            approve: false,
            records_per_second: old.records_per_second,
            bytes_per_second: old.bytes_per_second,
        }
    }
}

impl From<ComponentGrantedV1> for ComponentGrantedV3 {
    fn from(old: ComponentGrantedV1) -> Self {
        ComponentGrantedV2::from(old).into()
    }
}

/// The root authority took a component's rights away.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentRevokedV1 {
    /// The component's number.
    pub component: u32,
    /// Why.
    pub reason: String,
}

/// A writer opened the ledger: startup, and the report of the recovery that came with it. Every
/// execution that was started before and not finished is in doubt from here on.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerOpenedV1 {
    /// Version of this crate.
    pub software: String,
    /// The head that was found (0: an empty journal).
    pub head: u64,
    /// Executions found started and not finished.
    pub in_doubt: u64,
    /// Executions found authorized and never started.
    pub abandoned: u64,
    /// True where the last writer closed the ledger.
    pub clean: bool,
    /// How long reading the history took, in nanoseconds of the injected monotonic clock.
    pub duration_ns: u64,
}

/// The ledger was closed: the last record of a clean shutdown.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerClosedV1 {
    /// Executions that were still running.
    pub running: u64,
}

/// The ledger's health changed (operations runbook §8).
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthChangedV1 {
    /// True: healthy again; false: degraded.
    pub healthy: bool,
    /// What changed.
    pub cause: String,
}

/// The ledger signed a checkpoint: every record up to `size` is covered by it.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointSignedV1 {
    /// Number of records covered.
    pub size: u64,
    /// Root of the Merkle tree over their headers.
    #[serde(with = "super::readable::root")]
    pub root: super::Hash,
    /// The signed note (C2SP `tlog-checkpoint`), byte for byte.
    #[serde(with = "super::readable::bytes")]
    pub note: Vec<u8>,
    /// Destinations that have a copy.
    pub copied: u32,
    /// Destinations that have none.
    pub failed: u32,
    /// What the first of those said; empty where there is none.
    pub problem: String,
}

/// Cosignatures were added to a checkpoint that this ledger had signed.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointCosignedV1 {
    /// Number of records covered.
    pub size: u64,
    /// Root of the Merkle tree over their headers.
    #[serde(with = "super::readable::root")]
    pub root: super::Hash,
    /// The note with every signature that is known of it by now, byte for byte.
    #[serde(with = "super::readable::bytes")]
    pub note: Vec<u8>,
    /// Cosignatures that are new in it.
    pub added: u32,
}

/// This ledger, as a witness, cosigned a checkpoint of another log: from here on it cosigns only
/// what extends it.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointWitnessedV1 {
    /// The log's origin.
    pub origin: String,
    /// Number of records that its checkpoint covers.
    pub size: u64,
    /// Root of its tree.
    #[serde(with = "super::readable::root")]
    pub root: super::Hash,
    /// Its checkpoint, with its own signatures and the cosignature, byte for byte.
    #[serde(with = "super::readable::bytes")]
    pub note: Vec<u8>,
}

/// From here on another key signs this ledger's checkpoints. What the old one signed stays valid.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKeyChangedV1 {
    /// The public key until here (C2SP `signed-note`); name and id alone where no more is known.
    pub old: String,
    /// The public key from here on.
    pub new: String,
    /// Who changed it.
    pub author: String,
    /// Why.
    pub reason: String,
}

words! {
    /// The nine audit families (audit specification §4).
    pub enum AuditFamily {
        /// Startup and shutdown.
        Lifecycle = 1 "lifecycle",
        /// Configuration loaded or changed.
        Configuration = 2 "configuration",
        /// Capability execution.
        Execution = 3 "execution",
        /// Authorization decision.
        Authorization = 4 "authorization",
        /// Binary verification.
        BinaryVerification = 5 "binary_verification",
        /// Extension loading.
        ExtensionLoading = 6 "extension_loading",
        /// Upgrade.
        Upgrade = 7 "upgrade",
        /// Security violation.
        SecurityViolation = 8 "security_violation",
        /// Operator action.
        OperatorAction = 9 "operator_action",
    }
}

super::readable::debug_as_read!(
    TransitionsRecordedV1,
    AuditRecordedV1,
    RefusalsRecordedV1,
    ClockSkewedV1,
    ClockAcceptedV1,
    ComponentGrantedV2,
    ComponentGrantedV3,
    CheckpointSignedV1,
    CheckpointCosignedV1,
    CheckpointWitnessedV1,
);
