// SPDX-License-Identifier: Apache-2.0
//! Where executions stand (FC-STORAGE §5).

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::events::readable::words::{Code, Words};

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExecutionStatus {
    /// Its input was accepted and nothing was decided yet; only inside a commit.
    Received = 0,
    /// Authorized and not started.
    Authorized = 1,
    /// Started and not finished.
    Running = 2,
    /// Started, and let go of or cut short by a restart: nobody knows until it is resolved.
    InDoubt = 3,
    /// Authorized, and let go of or cut short by a restart before it started.
    Abandoned = 4,
    /// Succeeded.
    Completed = 5,
    /// Failed.
    Failed = 6,
    /// Cancelled.
    Cancelled = 7,
    /// Denied by the gate.
    Denied = 8,
    /// Refused by the protocol.
    Rejected = 9,
    /// Was in doubt and then resolved by a statement.
    Resolved = 10,
    /// Waits for persons to approve it; a restart does not change that.
    AwaitingApproval = 11,
    /// Approved and not started; a restart does not change that.
    Approved = 12,
}

/// How many executions have a status.
///
/// Example: `tests/projections/executions.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StatusCount {
    /// The status.
    pub status: ExecutionStatus,
    /// How many have it.
    pub executions: u64,
}

impl ExecutionStatus {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Received,
        Self::Authorized,
        Self::Running,
        Self::InDoubt,
        Self::Abandoned,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Denied,
        Self::Rejected,
        Self::Resolved,
        Self::AwaitingApproval,
        Self::Approved,
    ];

    /// Whether nothing more becomes of it.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        match self {
            Self::Received
            | Self::Authorized
            | Self::Running
            | Self::InDoubt
            | Self::AwaitingApproval
            | Self::Approved => false,
            Self::Abandoned
            | Self::Completed
            | Self::Failed
            | Self::Cancelled
            | Self::Denied
            | Self::Rejected
            | Self::Resolved => true,
        }
    }

    /// A stable lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Authorized => "authorized",
            Self::Running => "running",
            Self::InDoubt => "in_doubt",
            Self::Abandoned => "abandoned",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Denied => "denied",
            Self::Rejected => "rejected",
            Self::Resolved => "resolved",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Approved => "approved",
        }
    }
}

impl From<ExecutionStatus> for u8 {
    fn from(status: ExecutionStatus) -> Self {
        status as Self
    }
}

impl TryFrom<u8> for ExecutionStatus {
    type Error = &'static str;

    fn try_from(code: u8) -> Result<Self, Self::Error> {
        Self::ALL
            .into_iter()
            .find(|status| *status as u8 == code)
            .ok_or("unknown execution status")
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Words for ExecutionStatus {
    fn all() -> impl Iterator<Item = (u8, &'static str)> {
        Self::ALL.into_iter().map(|it| (it as u8, it.name()))
    }
}

impl Serialize for ExecutionStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Code::<Self>::serialize(&u8::from(*self), serializer)
    }
}

impl<'de> Deserialize<'de> for ExecutionStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Code::<Self>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
