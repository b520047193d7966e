// SPDX-License-Identifier: Apache-2.0
//! What can go wrong below the writer, per operation.

use super::Head;
use crate::error::{Cause, Fault};
use crate::events::{HeaderError, LedgerId, Seq};

/// A frame was not appended. Nothing was written, except where the outcome is unknown.
///
/// Example: `tests/waiting/doubles.rs`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendFailure {
    /// The journal's head is not the one that the frame follows.
    #[error("nothing was written: the frame follows {expected}, the head is {actual}")]
    HeadMismatch {
        /// The head that the caller named or the frame was built on.
        expected: Head,
        /// The journal's head.
        actual: Head,
    },
    /// Another writer has taken over.
    #[error("nothing was written: epoch {epoch} has ended, the journal is in epoch {current}")]
    Fenced {
        /// The frame's epoch.
        epoch: u64,
        /// The journal's epoch.
        current: u64,
    },
    /// The frame is of another ledger.
    #[error("nothing was written: a frame of ledger {found} for the journal of {expected}")]
    ForeignLedger {
        /// The journal's ledger.
        expected: LedgerId,
        /// The frame's ledger.
        found: LedgerId,
    },
    /// The frame is larger than any frame may be.
    #[error("nothing was written: a frame of {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The frame has no records.
    #[error("nothing was written: the frame is empty")]
    Empty,
    /// The journal is closed, or an earlier append failed with an unknown outcome.
    #[error("nothing was written: {cause}")]
    Unavailable {
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The medium did not confirm: the frame may be there after the next opening, or not.
    #[error("outcome unknown: {cause}")]
    OutcomeUnknown {
        /// What failed.
        #[source]
        cause: Cause,
    },
}

impl AppendFailure {
    /// An earlier append may have been written: the next one would be a second try.
    pub(super) fn after_unknown_outcome() -> Self {
        Self::Unavailable {
            cause: "an earlier append failed with an unknown outcome".into(),
        }
    }

    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::HeadMismatch { .. } => "head_mismatch",
            Self::Fenced { .. } => "fenced",
            Self::ForeignLedger { .. } => "foreign_ledger",
            Self::TooLarge { .. } => "too_large",
            Self::Empty => "empty",
            Self::Unavailable { .. } => "unavailable",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
        }
    }

    /// What failed below the journal; `None` where nothing did, or nobody knows what.
    #[must_use]
    pub const fn fault(&self) -> Option<Fault> {
        match self {
            Self::Unavailable { cause } | Self::OutcomeUnknown { cause } => cause.fault(),
            _ => None,
        }
    }

    /// True where the frame may have been written all the same.
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. })
    }
}

/// What is stored could not be read. Nothing is made up in its place.
///
/// Example: `tests/waiting/doubles.rs`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadFailure {
    /// The stored bytes are not those that were written.
    #[error("record {seq} is damaged: {problem}")]
    Damaged {
        /// The first record known to be affected.
        seq: Seq,
        /// What was found.
        problem: FrameProblem,
    },
    /// The medium did not answer.
    #[error("the journal cannot be read: {cause}")]
    Io {
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

impl ReadFailure {
    pub(super) const fn damaged(seq: Seq, problem: FrameProblem) -> Self {
        Self::Damaged { seq, problem }
    }

    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "damaged",
            Self::Io { .. } => "io",
            Self::Closed => "closed",
        }
    }
}

/// How stored bytes differ from what was written.
///
/// Example: `tests/journal/frames.rs`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameProblem {
    /// Fewer or more bytes than the frame states.
    #[error("the frame is cut short or of another length")]
    Length,
    /// Not a frame.
    #[error("the frame does not begin as a frame does")]
    Magic,
    /// A frame of another format.
    #[error("the frame has format version {found}")]
    Version {
        /// The version that it states.
        found: u16,
    },
    /// Flags that this format does not know.
    #[error("the frame has unknown flags {found:#x}")]
    Flags {
        /// The flags that it states.
        found: u32,
    },
    /// The frame header's checksum does not match.
    #[error("the frame header's checksum does not match")]
    HeaderChecksum,
    /// The offset table's checksum does not match.
    #[error("the frame table's checksum does not match")]
    TableChecksum,
    /// The body's checksum does not match.
    #[error("the frame body's checksum does not match")]
    BodyChecksum,
    /// Offset table and body, or header and table, contradict each other.
    #[error("the frame table does not describe the body")]
    Table,
    /// The record header is not one.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The record is in another's place.
    #[error("the record says that it is record {found}")]
    Seq {
        /// What it says.
        found: u64,
    },
    /// The record hash does not match: header or predecessor were changed.
    #[error("the record hash does not match")]
    RecordHash,
    /// The payload commitment does not match: salt or payload were changed.
    #[error("the payload does not match its commitment")]
    Commitment,
    /// Time goes back.
    #[error("its time lies before its predecessor's, or is not the frame's")]
    Time,
    /// The frame before ends in another hash: something was replaced.
    #[error("the frame does not follow the frame before")]
    Chain,
    /// The record is not there, though later ones are.
    #[error("it is missing")]
    Missing,
    /// The frame belongs to another ledger.
    #[error("it belongs to ledger {found}")]
    ForeignLedger {
        /// Which one.
        found: LedgerId,
    },
    /// The database below found damage of its own.
    #[error("the database reports {0}")]
    Database(#[source] Cause),
}

impl From<ReadFailure> for crate::error::ReadError {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Damaged { seq, problem } => {
                let problem = problem.to_string();
                Self::Damaged { seq, problem }
            }
            ReadFailure::Io { cause } => Self::Unavailable { cause },
            ReadFailure::Closed => Self::Closed,
        }
    }
}
