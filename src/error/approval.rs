// SPDX-License-Identifier: Apache-2.0
//! Why a person's answer, or what it permits, was refused.

use super::Retry;
use crate::events::{ExecutionId, Hash};

/// What an execution that waits for persons refuses. Nothing was written.
///
/// Example: `tests/conformance/approval.rs`.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// The person is none of those asked, by identity or by role.
    #[error(
        "nobody asked this person about execution {execution}, by identity or role: one of those asked must answer"
    )]
    NotAsked {
        /// The execution.
        execution: ExecutionId,
    },
    /// This identity has approved already, and counts once.
    #[error("this person has approved execution {execution} already and counts once: another must")]
    ApprovedAlready {
        /// The execution.
        execution: ExecutionId,
    },
    /// The answer is about something else than what the request shows.
    #[error(
        "the answer is about something else than what execution {execution} shows: show that, and ask again"
    )]
    ShownOther {
        /// The execution.
        execution: ExecutionId,
        /// BLAKE3 of what the request shows.
        shown_digest: Hash,
    },
    /// The time to approve and start it is over.
    #[error("the time to approve and start execution {execution} is over: ask anew")]
    TooLate {
        /// The execution.
        execution: ExecutionId,
        /// Until when it was, in nanoseconds since 1970, by the ledger's time.
        until_ns: i64,
    },
    /// What the request rests on is not in force any more.
    #[error(
        "the {what} moved from version {asked} to {in_force} since execution {execution} was asked about: {hint}"
    )]
    BasisMoved {
        /// The execution.
        execution: ExecutionId,
        /// What moved: configuration, registry.
        what: &'static str,
        /// The version that the request rests on.
        asked: u64,
        /// The version that is in force.
        in_force: u64,
        /// What to do.
        hint: &'static str,
    },
}

impl std::fmt::Debug for ApprovalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApprovalError({}: {self})", self.code())
    }
}

impl ApprovalError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAsked { .. } => "approver_not_asked",
            Self::ApprovedAlready { .. } => "approved_already",
            Self::ShownOther { .. } => "shown_other",
            Self::TooLate { .. } => "approval_too_late",
            Self::BasisMoved { .. } => "basis_moved",
        }
    }

    /// Never: the same answer is refused again.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        Retry::Never
    }
}
