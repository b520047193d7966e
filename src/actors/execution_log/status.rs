// SPDX-License-Identifier: Apache-2.0
//! Where an execution stands, in one word, and what that refuses.

use serde::{Deserialize, Serialize};

use crate::commands::{End, Standing};
use crate::error::AppendError;
use crate::events::State as Machine;

/// Where an execution stands, finer than its machine's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Status {
    /// Persons are asked.
    Awaiting,
    /// Persons approved it; not started.
    Approved,
    /// Authorized, not started.
    Authorized,
    /// Started, not finished.
    Running,
    /// Started, and let go of or cut short by a restart.
    InDoubt,
    Completed,
    Failed,
    Cancelled,
    Denied,
    /// The protocol did not accept it.
    Rejected,
    /// Authorized, and let go of or cut short by a restart before it started.
    Abandoned,
    /// Resolved: nobody can know.
    Lost,
}

impl Status {
    /// The word for where it stands in a refusal.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Awaiting | Self::Approved | Self::Authorized => {
                Machine::AuthorizationEvaluating.name()
            }
            Self::Running => Machine::CapabilityExecuting.name(),
            Self::InDoubt => "IN_DOUBT",
            Self::Completed => Machine::Completed.name(),
            Self::Abandoned => "ABANDONED",
            Self::Failed | Self::Cancelled | Self::Denied | Self::Rejected | Self::Lost => {
                Machine::Error.name()
            }
        }
    }

    pub(crate) const fn standing(self) -> Standing {
        Standing::Ended(match self {
            Self::Awaiting => return Standing::AwaitingApproval,
            Self::Approved => return Standing::Approved,
            Self::Authorized => return Standing::Authorized,
            Self::Running => return Standing::Running,
            Self::InDoubt => return Standing::InDoubt,
            Self::Completed => End::Completed,
            Self::Failed => End::Failed,
            Self::Cancelled => End::Cancelled,
            Self::Denied => End::Denied,
            Self::Rejected => End::Rejected,
            Self::Abandoned => End::Abandoned,
            Self::Lost => End::Lost,
        })
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::Awaiting => "persons have not approved it yet: wait for them, or cancel it",
            Self::Approved => "persons approved it: whoever asked starts it, or cancels it",
            Self::Authorized => "start it with its permit, or cancel it",
            Self::Running => "complete, fail or cancel it",
            Self::InDoubt => "nobody will tell how it ended: resolve it",
            Self::Abandoned => "it was never started: authorize a new one",
            _ => "it has ended",
        }
    }

    pub(crate) const fn refuses(self, to: Machine) -> AppendError {
        AppendError::InvalidTransition {
            from: self.name(),
            to: to.name(),
            hint: self.hint(),
        }
    }
}
