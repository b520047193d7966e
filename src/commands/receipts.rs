// SPDX-License-Identifier: Apache-2.0
//! What a command is answered with, once it is durable.

use super::Permit;
use crate::events::{CommandId, Decision, ExecutionId, Hash, LedgerId, Seq};

/// A command's events are durable: they survive the process and the machine's power.
///
/// Example: [`error`](crate::error).
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// In which ledger.
    pub ledger: LedgerId,
    /// Which command.
    pub command: CommandId,
    /// Its first record.
    pub first: Seq,
    /// Its last record.
    pub last: Seq,
    /// Their time, in nanoseconds since 1970.
    #[serde(
        rename = "time",
        serialize_with = "crate::events::readable::time::serialize"
    )]
    pub time_ns: i64,
    /// True where the command had been committed before; the rest is the first receipt's.
    pub duplicate: bool,
}

crate::events::readable::debug_as_read!(Receipt, ApprovalAsked);

/// A denial is durable. Nothing may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Denied {
    /// The execution.
    pub execution: ExecutionId,
    /// The receipt.
    pub receipt: Receipt,
    /// The decision.
    pub decision: Decision,
}

/// The command had been committed before. Nothing may be done on its account: whoever sent it first may have
/// acted on it.
#[derive(Debug)]
pub struct Duplicate {
    /// The execution.
    pub execution: ExecutionId,
    /// The first receipt, with `duplicate` set.
    pub receipt: Receipt,
    /// The decision of then.
    pub decision: Decision,
    /// Where the execution stands now.
    pub standing: Standing,
    /// The right to start, once more: only where it stands authorized, for a caller whose answer got lost. Two permits start one
    /// execution once.
    pub permit: Option<Permit>,
}

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Persons are asked, and not as many as must have approved it.
    AwaitingApproval,
    /// Persons approved it, and it is not started.
    Approved,
    /// Authorized and not started.
    Authorized,
    /// Started in this opening, and somebody holds it.
    Running,
    /// Started, and let go of or cut short by a restart: its effect may have happened. Resolve it.
    InDoubt,
    /// Over.
    Ended(End),
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// It succeeded.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// The gate denied it.
    Denied,
    /// The protocol did not accept it.
    Rejected,
    /// Authorized, and never started.
    Abandoned,
    /// It was in doubt, and a statement says that nobody can know.
    Lost,
}

/// Nothing was started by this call.
///
/// Example: [the first page](crate).
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The gate's decision was a denial.
    #[error("execution {} was denied: {}", .0.execution, .0.decision.name())]
    Denied(Denied),
    /// The command had been committed before.
    #[error("execution {} was decided on before, it is {}", .0.execution, .0.standing)]
    Duplicate(Box<Duplicate>),
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AwaitingApproval => "awaiting approval",
            Self::Approved => "approved",
            Self::Authorized => "authorized",
            Self::Running => "running",
            Self::InDoubt => "in doubt",
            Self::Ended(End::Completed) => "completed",
            Self::Ended(End::Failed) => "failed",
            Self::Ended(End::Cancelled) => "cancelled",
            Self::Ended(End::Denied) => "denied",
            Self::Ended(End::Rejected) => "rejected",
            Self::Ended(End::Abandoned) => "abandoned",
            Self::Ended(End::Lost) => "lost",
        })
    }
}

/// A decision is durable.
#[derive(Debug)]
#[must_use = "an authorized execution whose permit is dropped is abandoned"]
pub enum Authorization {
    /// It may be started.
    Authorized {
        /// The right to start it.
        permit: Permit,
        /// The receipt.
        receipt: Receipt,
    },
    /// Nothing may be done.
    Denied(Denied),
    /// The command had been committed before.
    Duplicate(Duplicate),
}

impl Authorization {
    /// The execution.
    #[must_use]
    pub const fn execution(&self) -> ExecutionId {
        match self {
            Self::Authorized { permit, .. } => permit.execution(),
            Self::Denied(denied) => denied.execution,
            Self::Duplicate(duplicate) => duplicate.execution,
        }
    }

    /// The receipt.
    #[must_use]
    pub const fn receipt(&self) -> Receipt {
        match self {
            Self::Authorized { receipt, .. } => *receipt,
            Self::Denied(denied) => denied.receipt,
            Self::Duplicate(duplicate) => duplicate.receipt,
        }
    }

    /// The decision.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        match self {
            Self::Authorized { .. } => Decision::Authorized,
            Self::Denied(denied) => denied.decision,
            Self::Duplicate(duplicate) => duplicate.decision,
        }
    }

    /// The right to start: of a new authorization, or once more of one that still stands authorized.
    ///
    /// # Errors
    /// [`NotStarted`]: there is none.
    pub fn permit(self) -> Result<Permit, NotStarted> {
        match self {
            Self::Authorized { permit, .. } => Ok(permit),
            Self::Denied(denied) => Err(NotStarted::Denied(denied)),
            Self::Duplicate(mut duplicate) => match duplicate.permit.take() {
                Some(permit) => Ok(permit),
                None => Err(NotStarted::Duplicate(duplicate.into())),
            },
        }
    }
}

/// A request to persons is durable: the execution waits for them. Nothing may be done yet.
///
/// Example: [`execution_log`](crate::execution_log).
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ApprovalAsked {
    /// The execution.
    pub execution: ExecutionId,
    /// The receipt; `duplicate` where the request had been committed before.
    pub receipt: Receipt,
    /// BLAKE3 of what persons are shown, as it is stored: each of their answers names it.
    #[serde(serialize_with = "crate::events::readable::hex::serialize")]
    pub shown_digest: Hash,
    /// Where the execution stands now.
    pub standing: Standing,
}

/// A person's approval is durable. It never starts anything: `ExecutionLog::start_approved` does.
///
/// Example: [`execution_log`](crate::execution_log).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalOutcome {
    /// It was the last that was needed: whoever asked may start the execution, until it expires.
    Approved {
        /// The execution.
        execution: ExecutionId,
        /// The receipt.
        receipt: Receipt,
    },
    /// It counts, and others must approve too.
    Counted {
        /// The execution.
        execution: ExecutionId,
        /// The receipt.
        receipt: Receipt,
        /// How many different identities have approved, this one included.
        given: u32,
        /// How many must.
        needed: u32,
    },
    /// The command had been committed before.
    Duplicate {
        /// The execution.
        execution: ExecutionId,
        /// The first receipt, with `duplicate` set.
        receipt: Receipt,
        /// Where the execution stands now.
        standing: Standing,
    },
}

impl ApprovalOutcome {
    /// The execution.
    #[must_use]
    pub const fn execution(&self) -> ExecutionId {
        match self {
            Self::Approved { execution, .. }
            | Self::Counted { execution, .. }
            | Self::Duplicate { execution, .. } => *execution,
        }
    }

    /// The receipt.
    #[must_use]
    pub const fn receipt(&self) -> Receipt {
        match self {
            Self::Approved { receipt, .. }
            | Self::Counted { receipt, .. }
            | Self::Duplicate { receipt, .. } => *receipt,
        }
    }
}

/// A protocol violation, or a whole execution after the fact, is durable.
///
/// Example: [`execution_log`](crate::execution_log).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Recorded {
    /// The execution; of a protocol violation, what it would have been.
    pub execution: ExecutionId,
    /// The receipt.
    pub receipt: Receipt,
}

/// A document's new version is durable and in force.
///
/// Example: [`configuration`](crate::configuration).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Changed {
    /// The document's new version.
    pub version: u64,
    /// The receipt.
    pub receipt: Receipt,
}

crate::events::readable::words::spoken!(Standing);
