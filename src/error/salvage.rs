// SPDX-License-Identifier: Apache-2.0
//! Why nothing was salvaged. The source is as it was in every case, and there is no new ledger.

use std::io;
use std::path::{Path, PathBuf};

use super::{Cause, OpenError, ReadError, Retry};

/// Nothing was salvaged.
///
/// Example: [`salvage`](crate::salvage).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SalvageError {
    /// The source cannot be opened for reading.
    #[error(transparent)]
    Source(OpenError),
    /// There is something where the new ledger is to be.
    #[error("{} exists", .path.display())]
    TargetExists {
        /// Where.
        path: PathBuf,
    },
    /// The new ledger would lie in the old one, which is not written to.
    #[error("{} lies in the source", .path.display())]
    TargetInSource {
        /// Where.
        path: PathBuf,
    },
    /// Another salvage is writing there.
    #[error("another salvage is writing to {}", .path.display())]
    Busy {
        /// Where.
        path: PathBuf,
    },
    /// Not even the first record verifies.
    #[error("nothing can be salvaged: record 1 {why}")]
    Nothing {
        /// Why not.
        why: String,
    },
    /// The record that the anchor claims is another one: nobody can tell which of the records are
    /// those that were acknowledged.
    #[error("record {seq} is another than the one that was acknowledged")]
    OtherHistory {
        /// Which.
        seq: u64,
    },
    /// A record that verified does so no longer, or the medium does not answer.
    #[error("the source cannot be read: {0}")]
    Read(#[source] ReadError),
    /// The new ledger cannot be written.
    #[error("the new ledger cannot be written: {0}")]
    Write(#[source] OpenError),
    /// What was written reads otherwise.
    #[error("the new ledger does not verify: {0}")]
    NotVerified(#[source] Cause),
}

impl SalvageError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Write(OpenError::io(path, source))
    }

    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Source(error) => error.code(),
            Self::TargetExists { .. } => "target_exists",
            Self::TargetInSource { .. } => "target_in_source",
            Self::Busy { .. } => "busy",
            Self::Nothing { .. } => "nothing",
            Self::OtherHistory { .. } => "other_history",
            Self::Read(_) => "read",
            Self::Write(_) => "write",
            Self::NotVerified(_) => "not_verified",
        }
    }

    /// Whether the same salvage can succeed later; what was begun is begun anew.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Source(error) | Self::Write(error) => error.retry(),
            Self::Read(error) => error.retry(),
            Self::Busy { .. } => Retry::Safe,
            Self::TargetExists { .. }
            | Self::TargetInSource { .. }
            | Self::Nothing { .. }
            | Self::OtherHistory { .. }
            | Self::NotVerified(_) => Retry::Never,
        }
    }
}
