// SPDX-License-Identifier: Apache-2.0
//! Why something did not work, and what the program does about it.

use std::process::ExitCode;

use femtoclaw_ledger::{AccessError, AppendError, OpenError, ReadError, group::CommitError};

/// Exit codes, the same in every program around the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything worked.
    Ok = 0,
    /// It did not.
    Failure = 1,
    /// The ledger is damaged, or misses what was acknowledged.
    Integrity = 3,
    /// Done, and something is worth a look.
    Warnings = 4,
    /// Another process has the ledger open.
    Locked = 11,
    /// The ledger has a format that this software does not read.
    OtherFormat = 13,
    /// A file named on the command line is not there.
    NotFound = 14,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Policy or registry moved on: look again and decide anew. Nothing was written.
    DecideAgain,
    /// Go on with the next request. Nothing was written.
    GoOn,
    /// Stop: nothing more will be recorded, so nothing more may be done.
    Stop(Exit),
}

/// A problem, with a message for the user.
#[derive(Debug)]
pub(crate) struct Problem {
    /// What to do next.
    pub(crate) then: Then,
    /// For a person.
    pub(crate) message: String,
}

impl Problem {
    /// One that ends the program.
    pub(crate) fn stop(exit: Exit, message: impl ToString) -> Self {
        Self {
            then: Then::Stop(exit),
            message: message.to_string(),
        }
    }

    /// The code to end with, where it ends the program.
    pub(crate) const fn exit(&self) -> Exit {
        match self.then {
            Then::Stop(exit) => exit,
            Then::DecideAgain | Then::GoOn => Exit::Failure,
        }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::stop(Exit::Failure, error)
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        error.error.into()
    }
}

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        let exit = match error {
            OpenError::Locked { .. } => Exit::Locked,
            OpenError::FormatTooNew { .. }
            | OpenError::FormatTooOld { .. }
            | OpenError::UnknownEvent { .. } => Exit::OtherFormat,
            OpenError::Damaged { .. } | OpenError::Journal(_) => Exit::Integrity,
            _ => Exit::Failure,
        };
        Self::stop(exit, error)
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        let then = match error {
            AppendError::PermitStale { .. } | AppendError::CapabilityNotEnabled { .. } => {
                Then::DecideAgain
            }
            AppendError::Sealed { .. }
            | AppendError::ShuttingDown
            | AppendError::Access(_)
            | AppendError::OutcomeUnknown { .. } => Then::Stop(Exit::Failure),
            _ => Then::GoOn,
        };
        Self {
            then,
            message: error.to_string(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let exit = match error {
            ReadError::Damaged { .. } => Exit::Integrity,
            _ => Exit::Failure,
        };
        Self::stop(exit, error)
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        Self::stop(Exit::Failure, error)
    }
}
