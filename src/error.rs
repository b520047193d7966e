// SPDX-License-Identifier: Apache-2.0
//! Errors, per operation. Each has a stable code, says what is known, and whether to try again.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::error::{AppendError, OpenError, Retry};
//! # use femtoclaw_ledger::{Ledger, Options, Quota, Rights};
//! # use std::time::Duration;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("ledger");
//! # let (ledger, root) = Ledger::open(&path, Options::default()).await?;
//! # let grant = root.grant("runtime", Rights::all(), Quota::default()).await?;
//! let metadata = ledger.runtime_metadata(&grant)?;
//! match metadata.enable("read_file").await {
//!     Ok(receipt) => println!("durable in record {}", receipt.first),
//!     Err(AppendError::InvalidTransition { hint, .. }) => println!("{hint}"),
//!     Err(error) => match error.retry() {
//!         Retry::Safe => println!("nothing was written, try again: {error}"),
//!         Retry::LookUpFirst => println!("ask Ledger::lookup what became of it: {error}"),
//!         Retry::AfterReopen | Retry::Never => println!("{}: {error}", error.code()),
//!     },
//! }
//! // Every operation has errors of its own, each with a stable code.
//! let second: Result<_, OpenError> = Ledger::open(&path, Options::default()).await;
//! assert_eq!(second.map(|_| ()).unwrap_err().code(), "locked");
//! # root.close(Duration::from_secs(60)).await?;
//! # Ok(())
//! # }
//! ```

use crate::events::{DecodeError, ExecutionId, Seq, Store};

mod append;
mod approval;
mod cause;
mod fault;
mod open;
mod reopen;
mod salvage;

#[cfg(test)]
mod tests;

pub use append::AppendError;
pub use approval::ApprovalError;
pub use cause::Cause;
pub use fault::Fault;
pub(crate) use fault::{again, io_error};
pub use open::OpenError;
pub use reopen::ReopenError;
pub use salvage::SalvageError;

/// A file is not what this software makes, carried by an `io::Error`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct OddFile(pub(crate) String);

/// Whether sending the same command again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// No: the same command is refused again.
    Never,
    /// Yes: nothing was written.
    Safe,
    /// Not on this ledger: it takes nothing any more, and nothing was written. Open it again, and send
    /// the same then.
    AfterReopen,
    /// Only after `lookup(command_id)`, or with the same command id: it may have been written.
    LookUpFirst,
}

/// What a component wanted to do to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Append to it.
    Append,
    /// Read from it.
    Read,
    /// Read the payloads in it.
    ReadPayloads,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Append => "append to",
            Self::Read => "read",
            Self::ReadPayloads => "read payloads of",
        })
    }
}

/// A component does not have the right (FC-STORAGE §18).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The grant is of another ledger, or of an earlier opening of this one.
    #[error("the grant is not of this ledger and opening")]
    ForeignGrant,
    /// The root authority took it back.
    #[error("the grant of {component:?} was revoked")]
    Revoked {
        /// Whose grant.
        component: String,
    },
    /// The grant does not cover this.
    #[error("{component:?} may not {right} the store {store}")]
    NotGranted {
        /// Whose grant.
        component: String,
        /// What was wanted.
        right: Right,
        /// Of which store.
        store: Store,
    },
    /// The grant does not cover having the ledger sign: nothing was signed.
    #[error("{component:?} may not have a checkpoint signed")]
    MayNotSign {
        /// Whose grant.
        component: String,
    },
    /// The grant does not cover handing in what persons say.
    #[error("{component:?} may not approve or refuse for persons")]
    MayNotApprove {
        /// Whose grant.
        component: String,
    },
    /// Another component authorized or started the execution, and the grant holds no right to
    /// finish it for that one, or to resolve it where it is in doubt.
    #[error("execution {execution} is another component's")]
    ForeignExecution {
        /// Which execution.
        execution: ExecutionId,
    },
}

impl AccessError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ForeignGrant => "foreign_grant",
            Self::Revoked { .. } => "grant_revoked",
            Self::NotGranted { .. } | Self::MayNotSign { .. } => "not_granted",
            Self::MayNotApprove { .. } => "not_granted",
            Self::ForeignExecution { .. } => "foreign_execution",
        }
    }

    /// Never: rights do not come back by asking.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        Retry::Never
    }
}

/// Something could not be read. Nothing is made up in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The component may not read this.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The stored bytes are not those that were written.
    #[error("record {seq} is damaged: {problem}")]
    Damaged {
        /// Where.
        seq: Seq,
        /// What was found.
        problem: String,
    },
    /// A record is intact and does not decode.
    #[error("record {seq} does not decode: {problem}")]
    Undecodable {
        /// Where.
        seq: Seq,
        /// In the codec's words.
        problem: DecodeError,
    },
    /// A view is being rebuilt.
    #[error("recovering, {done} of {total} records")]
    Recovering {
        /// Records done.
        done: u64,
        /// Records in all.
        total: u64,
    },
    /// The storage below did not answer.
    #[error("cannot read: {cause}")]
    Unavailable {
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The snapshot of what is in force is of another ledger.
    #[error("the snapshot of what is in force is of another ledger")]
    ForeignSnapshot,
    /// There is no key to make a subject's pseudonym: the journal was given, and the file `SUBJECTS` is not in the directory
    /// of its views.
    #[error("no key of subjects; put SUBJECTS back, or open with renew_subject_key")]
    NoSubjectKey,
    /// The ledger is closed.
    #[error("the ledger is closed")]
    Closed,
}

impl ReadError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Access(error) => error.code(),
            Self::Damaged { .. } => "damaged",
            Self::Undecodable { .. } => "undecodable",
            Self::Recovering { .. } => "recovering",
            Self::Unavailable { .. } => "unavailable",
            Self::ForeignSnapshot => "foreign_snapshot",
            Self::NoSubjectKey => "no_subject_key",
            Self::Closed => "closed",
        }
    }

    /// Whether reading again can help.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Recovering { .. } | Self::Unavailable { .. } => Retry::Safe,
            Self::Closed => Retry::AfterReopen,
            _ => Retry::Never,
        }
    }
}

/// The ledger did not close as asked. Everything acknowledged is durable all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// Time was up with work under way; commands without an answer have an unknown outcome.
    #[error("deadline passed with {running} executions running and {pending} commands unanswered")]
    DeadlinePassed {
        /// Executions started and not finished; in doubt at the next opening.
        running: u64,
        /// Commands without an answer: look them up.
        pending: u64,
    },
    /// The ledger had stopped writing before; its last word was not written.
    #[error("the ledger was sealed before it was closed: {cause}")]
    Sealed {
        /// Why.
        #[source]
        cause: Cause,
    },
    /// Time was up and this had not come back: it is left behind in a thread of its own, and keeps
    /// the directory locked until it does. Closing again waits for it again.
    #[error(
        "the deadline passed and {what} has not come back: the directory stays locked until it does"
    )]
    StillInUse {
        /// What has not come back.
        what: &'static str,
    },
    /// The runtime in which it was closing ended first. Every acknowledged record is durable; the
    /// next opening finds an unclean end.
    #[error("the runtime ended before the ledger was closed")]
    RuntimeGone,
    /// It was opened again: the new one is the one to close.
    #[error("the ledger was opened again: close that one")]
    Reopened,
    /// The storage below failed while closing.
    #[error("cannot close cleanly: {cause}")]
    Storage {
        /// Why.
        #[source]
        cause: Cause,
    },
}

impl CloseError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DeadlinePassed { .. } => "deadline_passed",
            Self::Sealed { .. } => "sealed",
            Self::StillInUse { .. } => "still_in_use",
            Self::RuntimeGone => "runtime_gone",
            Self::Reopened => "reopened",
            Self::Storage { .. } => "storage",
        }
    }

    /// Whether closing again can come to another end: it waits for what was left behind.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::StillInUse { .. } => Retry::Safe,
            _ => Retry::Never,
        }
    }
}
