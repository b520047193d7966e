//! What a command is answered with, once it is durable.

use super::Permit;
use crate::events::{CommandId, Decision, ExecutionId, LedgerId, Seq};

/// A command's events are durable: they survive the process and the machine's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    pub time_ns: i64,
    /// True where the command had been committed before; the rest is the first receipt's.
    pub duplicate: bool,
}

/// A decision is durable; where it authorizes, the permit starts the execution.
#[derive(Debug)]
pub struct Authorization {
    /// The execution.
    pub execution: ExecutionId,
    /// The receipt.
    pub receipt: Receipt,
    /// The decision.
    pub decision: Decision,
    /// The right to start; `None` where it was denied.
    pub permit: Option<Permit>,
}

/// An execution's start is durable: its effect may happen now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// The execution.
    pub execution: ExecutionId,
    /// The receipt.
    pub receipt: Receipt,
}

/// A decision is durable and, where it authorizes, the start with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// The execution.
    pub execution: ExecutionId,
    /// The receipt.
    pub receipt: Receipt,
    /// The decision.
    pub decision: Decision,
    /// True where its effect may happen now.
    pub started: bool,
}

/// A protocol violation is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// The execution that it would have been.
    pub execution: ExecutionId,
    /// The receipt.
    pub receipt: Receipt,
}

/// A document's new version is durable and in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// The document's new version.
    pub version: u64,
    /// The receipt.
    pub receipt: Receipt,
}
