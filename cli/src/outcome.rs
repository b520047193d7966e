// SPDX-License-Identifier: Apache-2.0
//! How a command ends.

/// Exit codes, the same in every program around the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Failure = 1,
    Usage = 2,
    /// The subject is not what it claims to be.
    Integrity = 3,
    /// Done, and there is something to be looked at.
    #[cfg(feature = "engine")]
    Warnings = 4,
    #[cfg(feature = "engine")]
    NoStore = 10,
    #[cfg(feature = "engine")]
    Locked = 11,
    #[cfg(feature = "engine")]
    OtherFormat = 13,
    NotFound = 14,
}

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) exit: Exit,
    pub(crate) text: String,
    /// The same for programs, where they asked for it.
    pub(crate) data: String,
}

impl Problem {
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        let (text, data) = (text.into(), String::new());
        Self { exit, text, data }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// The error and everything that caused it, on one line.
    pub(crate) fn of(exit: Exit, what: &str, error: &dyn std::error::Error) -> Self {
        let mut text = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self::new(exit, text)
    }
}
