// SPDX-License-Identifier: Apache-2.0
//! Telemetry events (FC-STORAGE §7, §20).

use serde::{Deserialize, Serialize};

use super::readable::words::{Code, Snapshots, words};

/// A component observed something.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetryRecordedV1 {
    /// [`TelemetryKind`] as its number.
    #[serde(with = "Code::<TelemetryKind>")]
    pub kind: u8,
    /// What, as a stable word.
    pub name: String,
    /// When it was observed, in nanoseconds since 1970 (the record's own time is when it was stored).
    #[serde(rename = "observed", with = "super::readable::time")]
    pub observed_ns: i64,
    /// Attributes, JSON, byte for byte; may be empty.
    #[serde(with = "super::readable::bytes")]
    pub attributes: Vec<u8>,
}

/// Observations were lost because the bounded buffer was full: the gap, for ever.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetryLostV1 {
    /// Observation time of the first lost one, in nanoseconds since 1970.
    #[serde(rename = "first", with = "super::readable::time")]
    pub first_ns: i64,
    /// Observation time of the last lost one, in nanoseconds since 1970.
    #[serde(rename = "last", with = "super::readable::time")]
    pub last_ns: i64,
    /// How many were lost.
    pub count: u64,
}

/// What the ledger itself did in an interval; never counts itself, never written when idle.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityRecordedV1 {
    /// Start of the interval, in nanoseconds since 1970.
    #[serde(rename = "first", with = "super::readable::time")]
    pub first_ns: i64,
    /// End of the interval, in nanoseconds since 1970.
    #[serde(rename = "last", with = "super::readable::time")]
    pub last_ns: i64,
    /// Records appended.
    pub records: u64,
    /// Commands committed.
    pub commits: u64,
    /// Frames synced.
    pub frames: u64,
    /// Bytes written to the journal.
    pub bytes: u64,
    /// Commands refused.
    pub refused: u64,
}

/// The write path failed under an earlier writer, which could not say so itself any more.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageFailedV1 {
    /// When, in nanoseconds since 1970; 0: not known.
    #[serde(rename = "failed", with = "super::readable::time::known")]
    pub failed_ns: i64,
    /// What failed and how.
    pub cause: String,
}

/// A state was saved, as it stood right before this record, so that an opening need not read what
/// came before. The saved bytes lie beside the journal and are believed only with this digest.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotTakenV1 {
    /// Which state: 1 execution log, 2 configuration, 3 runtime metadata, 4 components, 5 types of events.
    #[serde(with = "Code::<Snapshots>")]
    pub state: u8,
    /// Layout of the bytes.
    pub layout: u32,
    /// How many bytes.
    pub length: u64,
    /// BLAKE3 of the bytes.
    #[serde(with = "super::readable::hex")]
    pub digest: super::Hash,
}

/// What an opening found in the files after an end that was not clean, what it repaired and what
/// it set aside.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryReportedV2 {
    /// The last record that the anchor claimed to be acknowledged; 0: none, or it said nothing.
    pub anchored: u64,
    /// The last record recovered.
    pub recovered: u64,
    /// Files of the write-ahead log.
    pub log_files: u64,
    /// Whole batches in them.
    pub log_batches: u64,
    /// Bytes after the last whole batch, which the anchor did not cover; 0: none.
    pub torn_bytes: u64,
    /// Where they began in their file.
    pub torn_offset: u64,
    /// The name under which they are kept in `quarantine/`; empty: none.
    pub torn_kept: String,
    /// One slot of the anchor was not whole.
    pub anchor_slot_lost: bool,
    /// Why the anchor was made anew; empty: it was not.
    pub anchor_renewed: String,
    /// Unfinished creations that were removed.
    pub swept: u64,
    /// How long it took, in nanoseconds, replaying not included.
    pub duration_ns: u64,
    /// Why the key of subjects was made anew; empty: it was not.
    pub subject_key_renewed: String,
}

impl From<RecoveryReportedV1> for RecoveryReportedV2 {
    fn from(old: RecoveryReportedV1) -> Self {
        Self {
            anchored: old.anchored,
            recovered: old.recovered,
            log_files: old.log_files,
            log_batches: old.log_batches,
            torn_bytes: old.torn_bytes,
            torn_offset: old.torn_offset,
            torn_kept: old.torn_kept,
            anchor_slot_lost: old.anchor_slot_lost,
            anchor_renewed: old.anchor_renewed,
            swept: old.swept,
            duration_ns: old.duration_ns,
            subject_key_renewed: String::new(),
        }
    }
}

/// As [`RecoveryReportedV2`], before a ledger had a key of subjects; read as the second revision and never written.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryReportedV1 {
    /// The last record that the anchor claimed to be acknowledged; 0: none, or it said nothing.
    pub anchored: u64,
    /// The last record recovered.
    pub recovered: u64,
    /// Files of the write-ahead log.
    pub log_files: u64,
    /// Whole batches in them.
    pub log_batches: u64,
    /// Bytes after the last whole batch, which the anchor did not cover; 0: none.
    pub torn_bytes: u64,
    /// Where they began in their file.
    pub torn_offset: u64,
    /// The name under which they are kept in `quarantine/`; empty: none.
    pub torn_kept: String,
    /// One slot of the anchor was not whole.
    pub anchor_slot_lost: bool,
    /// Why the anchor was made anew; empty: it was not.
    pub anchor_renewed: String,
    /// Unfinished creations that were removed.
    pub swept: u64,
    /// How long it took, in nanoseconds, replaying not included.
    pub duration_ns: u64,
}

words! {
    /// The kinds of telemetry (FC-STORAGE §7).
    pub enum TelemetryKind {
        /// An execution event.
        Execution = 1 "execution",
        /// An error event.
        Error = 2 "error",
        /// An authorization event.
        Authorization = 3 "authorization",
        /// A state transition.
        StateTransition = 4 "state_transition",
        /// Anything else.
        Other = 5 "other",
    }
}

super::readable::debug_as_read!(
    TelemetryRecordedV1,
    TelemetryLostV1,
    ActivityRecordedV1,
    StorageFailedV1,
    SnapshotTakenV1,
);
