// SPDX-License-Identifier: Apache-2.0
//! The right to start one execution. Only a durable decision makes one; there is no other way.

use std::fmt;

use super::check::{Checked, Fields};
use super::context::InContext;
use super::given::given;
use super::hold::Hold;
use super::{Basis, CommandContent, Context};
use crate::config::Limits;
use crate::error::AppendError;
use crate::events::readable::hex::Hex;
use crate::events::{ExecutionId, Hash, LedgerId};

/// The right to start one authorized execution, once: bound to the execution, its capability and
/// arguments, the versions that the decision rested on, the ledger and this opening of it.
///
/// Dropped without having been used it abandons the execution, at once and on the record.
///
/// Example: [`execution_log`](crate::execution_log).
#[must_use = "an authorized execution whose permit is dropped is abandoned"]
pub struct Permit {
    pub(crate) execution: ExecutionId,
    pub(crate) capability: String,
    pub(crate) arguments_digest: Hash,
    pub(crate) basis: Basis,
    pub(crate) ledger: LedgerId,
    pub(crate) epoch: u64,
    /// `None` until its decision is durable.
    pub(crate) hold: Option<Hold>,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("execution", &self.execution)
            .field("capability", &self.capability)
            .field("arguments_digest", &Hex(&self.arguments_digest))
            .field("basis", &self.basis)
            .field("ledger", &self.ledger)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// Two permits are equal where they give the same right.
impl PartialEq for Permit {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            execution,
            capability,
            arguments_digest,
            basis,
            ledger,
            epoch,
            hold: _,
        } = other;
        (self.execution, &self.capability, &self.arguments_digest)
            == (*execution, capability, arguments_digest)
            && (&self.basis, self.ledger, self.epoch) == (basis, *ledger, *epoch)
    }
}

impl Eq for Permit {}

impl Permit {
    /// The execution that it starts.
    #[must_use]
    pub const fn execution(&self) -> ExecutionId {
        self.execution
    }

    /// The capability that was authorized.
    #[must_use]
    pub fn capability(&self) -> &str {
        &self.capability
    }

    /// BLAKE3 of the arguments that were authorized.
    #[must_use]
    pub const fn arguments_digest(&self) -> &Hash {
        &self.arguments_digest
    }

    /// What the decision rested on.
    #[must_use]
    pub const fn basis(&self) -> &Basis {
        &self.basis
    }
}

/// Starts an authorized execution; `ExecutionLog::start` makes it of a permit.
///
/// Example: `tests/redaction/commands.rs`.
#[derive(Debug)]
pub struct Start {
    /// Common to all commands.
    pub context: Context,
    /// The right to start.
    pub permit: Permit,
}

given!(Start { nested context, kept permit });

impl InContext for Start {
    fn context(&self) -> &Context {
        &self.context
    }

    fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }
}

impl CommandContent for Start {
    fn validate(&self, _: &Limits) -> Checked {
        Ok(())
    }

    fn digest(&self, fields: &mut Fields) {
        let permit = &self.permit;
        fields
            .bytes(permit.execution.as_bytes())
            .text(&permit.capability)
            .bytes(&permit.arguments_digest);
        permit.basis.grounds.digest(fields);
        fields.bytes(permit.ledger.as_bytes()).number(permit.epoch);
    }

    fn content_len(&self) -> usize {
        self.permit.capability.len() + 64
    }

    fn execution(&self) -> Option<ExecutionId> {
        Some(self.permit.execution)
    }
}

/// An execution was not started. The permit comes back where nothing was written.
///
/// Example: [`execution_log`](crate::execution_log).
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct StartError {
    /// Why.
    #[source]
    pub error: AppendError,
    /// The permit; `None` where the outcome is unknown.
    pub permit: Option<Permit>,
}

impl StartError {
    /// As [`AppendError::code`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.error.code()
    }

    /// As [`AppendError::retry`].
    #[must_use]
    pub const fn retry(&self) -> crate::error::Retry {
        self.error.retry()
    }
}
