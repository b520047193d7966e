// SPDX-License-Identifier: Apache-2.0
//! Outcomes: one number in a record's header.

use std::fmt;

use serde::{Serialize, Serializer};

/// How what the record tells of came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It neither succeeded nor failed: a fact.
    Neutral,
    /// It succeeded.
    Success,
    /// It failed.
    Failure,
    /// It was denied.
    Denied,
    /// It was cancelled.
    Cancelled,
    /// It is not known.
    Unknown,
    /// A number of a later software: not known here, and kept, since hashes cover it.
    Later(u8),
}

impl Outcome {
    /// All outcomes that have a name, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Neutral,
        Self::Success,
        Self::Failure,
        Self::Denied,
        Self::Cancelled,
        Self::Unknown,
    ];

    /// The outcome with this number.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.code() == code)
            .unwrap_or(Self::Later(code))
    }

    /// Its number on disk.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Neutral => 0,
            Self::Success => 1,
            Self::Failure => 2,
            Self::Denied => 3,
            Self::Cancelled => 4,
            Self::Unknown => 5,
            Self::Later(code) => code,
        }
    }

    /// A stable lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Unknown | Self::Later(_) => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Later(code) => serializer.serialize_u8(*code),
            known => serializer.serialize_str(known.name()),
        }
    }
}
