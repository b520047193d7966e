// SPDX-License-Identifier: Apache-2.0
//! Why a ledger was not opened again in the same process.

use super::{OpenError, Retry};

/// The ledger was not opened again. It takes no appends any more; everything acknowledged is
/// durable.
///
/// Example: [`Root::reopen`](crate::Root::reopen).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReopenError {
    /// It was closed, or opened again, before.
    #[error("the ledger was closed before: open it by its path")]
    Closed,
    /// The writer's thread has not come back from the medium: only it can let go. Try again later,
    /// or end the process.
    #[error(
        "the writer's thread has not come back from the medium: try again later, or end the process"
    )]
    StillHung,
    /// A reader or a projection has not come back in time. Try again later.
    #[error("a reader or a projection is still at work: try again later")]
    StillInUse,
    /// It is over a given journal: whoever gave it opens it.
    #[error("the ledger is over a given journal, which only its owner can open again")]
    GivenJournal,
    /// It was let go and did not open; the lock is free.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl ReopenError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::StillHung => "still_hung",
            Self::StillInUse => "still_in_use",
            Self::GivenJournal => "given_journal",
            Self::Open(error) => error.code(),
        }
    }

    /// Whether to call `reopen` again. After [`ReopenError::Open`], where the lock is free, whoever opens the ledger by
    /// its path may come first.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::StillHung | Self::StillInUse => Retry::Safe,
            Self::Closed | Self::GivenJournal => Retry::Never,
            Self::Open(error) => error.retry(),
        }
    }
}
