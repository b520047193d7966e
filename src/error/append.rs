// SPDX-License-Identifier: Apache-2.0
//! Why a command was refused, or not answered.

use std::time::Duration;

use super::{AccessError, ApprovalError, Cause, ReadError, Retry};
use crate::events::{CommandId, ExecutionId, Store};

/// A command was not acknowledged. Nothing was written, except where the outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A field is not acceptable.
    #[error("nothing was written: {field} {problem}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A field that must be JSON is not.
    #[error("nothing was written: {field} is not JSON: {problem}")]
    InvalidJson {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A payload or text is larger than the limit.
    #[error("nothing was written: {field} has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Which field; `command` where all of it is too large for what a component may have under way.
        field: &'static str,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// One commit would be larger than the limits.
    #[error(
        "nothing was written: a commit of {records} records and {bytes} bytes, the limits are \
         {records_max} and {bytes_max}"
    )]
    CommitTooLarge {
        /// Records at most in this commit.
        records: u64,
        /// The limit in records.
        records_max: u64,
        /// Bytes at most in this commit.
        bytes: u64,
        /// The limit in bytes.
        bytes_max: u64,
    },
    /// As much as the ledger holds at a time is under way.
    #[error("nothing was written: busy, {what} at their limit of {limit}; try again")]
    Busy {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        limit: u64,
    },
    /// The component has used up its own allowance.
    #[error("nothing was written: quota exceeded, try again in {retry_after:?}")]
    QuotaExceeded {
        /// When the allowance covers this command.
        retry_after: Duration,
    },
    /// A component that is new, and there are as many as there may be.
    #[error("nothing was written: there are {limit} components already, which is components_max")]
    TooManyComponents {
        /// The limit, `Limits::components_max`.
        limit: u64,
    },
    /// The component may not do this.
    #[error("nothing was written: {0}")]
    Access(#[from] AccessError),
    /// An execution that waits for persons does not take this.
    #[error("nothing was written: {0}")]
    Approval(#[from] ApprovalError),
    /// No execution has this id.
    #[error("nothing was written: no execution {execution}")]
    UnknownExecution {
        /// The id.
        execution: ExecutionId,
    },
    /// A command names another subject than its execution has: whom an execution is about is said where it begins, and all
    /// its records have it.
    #[error(
        "nothing was written: execution {execution} is not about this subject; name the one of its beginning, or none"
    )]
    OtherSubject {
        /// The execution.
        execution: ExecutionId,
    },
    /// A command names a subject, and the ledger has no key to make a pseudonym: its journal was given, and the file
    /// `SUBJECTS` is not in the directory of its views.
    #[error(
        "nothing was written: no key of subjects; put SUBJECTS back, or open with renew_subject_key"
    )]
    NoSubjectKey,
    /// A state machine does not permit this step.
    #[error("nothing was written: no transition from {from} to {to}; {hint}")]
    InvalidTransition {
        /// Where it stands.
        from: &'static str,
        /// Where it should have gone.
        to: &'static str,
        /// What to do instead.
        hint: &'static str,
    },
    /// The stream moved on since it was read.
    #[error("nothing was written: expected version {expected}, it is {actual}; decide again")]
    VersionConflict {
        /// What the command expected.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// A saved position does not stand where that was expected, or would go back unasked.
    #[error("nothing was written: the position is {actual}, {}", wanted(*.seq, *.expected))]
    PositionConflict {
        /// What was to be saved.
        seq: u64,
        /// Where the command expected it to stand; `None`: not beyond `seq`.
        expected: Option<u64>,
        /// Where it stands (0: never saved).
        actual: u64,
    },
    /// A position beyond the last durable record: nobody can have handled that.
    #[error("nothing was written: position {seq} is beyond the head, which is {head}")]
    PositionBeyondHead {
        /// What was to be saved.
        seq: u64,
        /// The last durable record.
        head: u64,
    },
    /// What the decision rested on has changed: decide again.
    #[error("nothing was written: the {what} changed since the decision; decide again")]
    PermitStale {
        /// What changed: configuration, registry, opening.
        what: &'static str,
    },
    /// An authorization for a capability that is not registered and enabled.
    #[error("nothing was written: capability {capability:?} is not registered and enabled")]
    CapabilityNotEnabled {
        /// The capability.
        capability: String,
    },
    /// The command id was used before with another content.
    #[error("nothing was written: command {command} was sent before with another content")]
    IdempotencyConflict {
        /// The command.
        command: CommandId,
    },
    /// A part of the group was written before, another was not.
    #[error("nothing was written: command {command} of the group was committed before, not all")]
    PartialIdempotency {
        /// The first command that was written before.
        command: CommandId,
    },
    /// The commands of the group were committed before, but not one behind the other and in this order.
    #[error(
        "nothing was written: command {command} was committed before, but not right behind the one in front of it"
    )]
    GroupConflict {
        /// The first command that stands elsewhere.
        command: CommandId,
    },
    /// A command belongs to another store than the rest of its group, or than its handle.
    #[error("nothing was written: a command of {other} among those of {first}")]
    CrossStore {
        /// The store of the first command.
        first: Store,
        /// The other store.
        other: Store,
    },
    /// A validator did not accept the document.
    #[error("nothing was written: document {document:?} was rejected by {validator}: {problem}")]
    Rejected {
        /// The document.
        document: String,
        /// The validator's name.
        validator: String,
        /// In the validator's words.
        problem: String,
    },
    /// The embedder's code, which this command needs, failed: it panicked, said that it cannot, or
    /// gave what is of no use. Its health is the ledger's until it works again.
    #[error("nothing was written: {callback} {name} failed at {command}: {problem}")]
    CallbackFailed {
        /// What it is: redactor, validator.
        callback: &'static str,
        /// Its name.
        name: String,
        /// The kind of command.
        command: &'static str,
        /// What happened, partly in its own words.
        problem: String,
    },
    /// The embedder's code, which this command needs, did not come back in time.
    #[error("nothing was written: {callback} {name} did not answer within {budget:?}")]
    CallbackTimedOut {
        /// What it is: validator.
        callback: &'static str,
        /// Its name.
        name: String,
        /// How long it was waited for.
        budget: Duration,
    },
    /// A view that decisions rest on is being rebuilt.
    #[error("nothing was written: recovering, {done} of {total} records; try again")]
    Recovering {
        /// Records done.
        done: u64,
        /// Records in all.
        total: u64,
    },
    /// A view that decisions rest on is too far behind.
    #[error("nothing was written: a view is {lag} records behind; try again once it has caught up")]
    ViewLag {
        /// How far, in records; 0 where not known.
        lag: u64,
    },
    /// History that the decision rests on could not be read.
    #[error("nothing was written: {0}")]
    History(#[source] ReadError),
    /// The ledger is closing.
    #[error("nothing was written: the ledger is shutting down")]
    ShuttingDown,
    /// The disk reserve is reached: commands are taken again when there is room.
    #[error("nothing was written: {free} bytes free on the disk, {reserve} are kept: make room")]
    DiskReserve {
        /// Bytes free.
        free: u64,
        /// Bytes that are kept free.
        reserve: u64,
    },
    /// There are no random bytes, without which nothing is salted: commands are taken again when there are.
    #[error("nothing was written: no random bytes: {cause}")]
    NoRandomness {
        /// In the source's words.
        #[source]
        cause: Cause,
    },
    /// The ledger stopped writing; open it again.
    #[error("nothing was written: the ledger is sealed and must be opened again: {cause}")]
    Sealed {
        /// Why, and what failed.
        #[source]
        cause: Cause,
    },
    /// A part that every command needs has ended, or its runtime has: open the ledger again.
    #[error("nothing was written: {part} has ended, or its runtime has; open the ledger again")]
    Stopped {
        /// What: a stable word.
        part: &'static str,
    },
    /// It may have been written and may not: look up the command after opening again.
    #[error("outcome unknown: look up command {command} after opening the ledger again")]
    OutcomeUnknown {
        /// What to look up.
        command: CommandId,
    },
}

fn wanted(seq: u64, expected: Option<u64>) -> String {
    match expected {
        Some(expected) => format!("not {expected} as expected"),
        None => format!("and goes back to {seq} only where that is expected"),
    }
}

impl From<ReadError> for AppendError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Recovering { done, total } => Self::Recovering { done, total },
            other => Self::History(other),
        }
    }
}

impl AppendError {
    /// A stable word, also the value of the metric label `reason`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::InvalidJson { .. } => "invalid_json",
            Self::TooLarge { .. } => "too_large",
            Self::CommitTooLarge { .. } => "commit_too_large",
            Self::Busy { .. } => "busy",
            Self::QuotaExceeded { .. } => "quota_exceeded",
            Self::TooManyComponents { .. } => "too_many_components",
            Self::Access(error) => error.code(),
            Self::Approval(error) => error.code(),
            Self::UnknownExecution { .. } => "unknown_execution",
            Self::OtherSubject { .. } => "other_subject",
            Self::NoSubjectKey => "no_subject_key",
            Self::InvalidTransition { .. } => "invalid_transition",
            Self::VersionConflict { .. } => "version_conflict",
            Self::PositionConflict { .. } => "position_conflict",
            Self::PositionBeyondHead { .. } => "position_beyond_head",
            Self::PermitStale { .. } => "permit_stale",
            Self::CapabilityNotEnabled { .. } => "capability_not_enabled",
            Self::IdempotencyConflict { .. } => "idempotency_conflict",
            Self::PartialIdempotency { .. } => "partial_idempotency",
            Self::GroupConflict { .. } => "group_conflict",
            Self::CrossStore { .. } => "cross_store",
            Self::Rejected { .. } => "rejected",
            Self::CallbackFailed { .. } => "callback_failed",
            Self::CallbackTimedOut { .. } => "callback_timeout",
            Self::Recovering { .. } => "recovering",
            Self::ViewLag { .. } => "view_lag",
            Self::History(_) => "history_unreadable",
            Self::ShuttingDown => "shutting_down",
            Self::DiskReserve { .. } => "disk_reserve",
            Self::NoRandomness { .. } => "no_randomness",
            Self::Sealed { .. } => "sealed",
            Self::Stopped { .. } => "stopped",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
        }
    }

    /// Whether the same command may be sent again.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Busy { .. }
            | Self::QuotaExceeded { .. }
            | Self::CallbackTimedOut { .. }
            | Self::Recovering { .. }
            | Self::ViewLag { .. }
            | Self::DiskReserve { .. }
            | Self::NoRandomness { .. } => Retry::Safe,
            Self::ShuttingDown | Self::Sealed { .. } | Self::Stopped { .. } => Retry::AfterReopen,
            Self::History(error) => error.retry(),
            Self::Approval(error) => error.retry(),
            Self::OutcomeUnknown { .. } => Retry::LookUpFirst,
            _ => Retry::Never,
        }
    }

    /// Whether the refusal itself must reach the audit log: no right, a replay with another
    /// content, a step that no state machine permits, a change of configuration or position not
    /// accepted.
    pub(crate) const fn is_audited(&self) -> bool {
        matches!(
            self,
            Self::Access(_)
                | Self::Approval(_)
                | Self::QuotaExceeded { .. }
                | Self::TooManyComponents { .. }
                | Self::UnknownExecution { .. }
                | Self::OtherSubject { .. }
                | Self::InvalidTransition { .. }
                | Self::VersionConflict { .. }
                | Self::PositionConflict { .. }
                | Self::PositionBeyondHead { .. }
                | Self::PermitStale { .. }
                | Self::CapabilityNotEnabled { .. }
                | Self::IdempotencyConflict { .. }
                | Self::PartialIdempotency { .. }
                | Self::GroupConflict { .. }
                | Self::CrossStore { .. }
                | Self::Rejected { .. }
                | Self::CallbackFailed { .. }
                | Self::CallbackTimedOut { .. }
        )
    }

    /// What a record or a line of the log may say of it: nothing in a caller's or a callback's own
    /// words, which may repeat what must not be stored.
    pub(crate) fn recorded(&self) -> String {
        let mut error = self.clone();
        match &mut error {
            Self::InvalidJson { problem, .. }
            | Self::Rejected { problem, .. }
            | Self::CallbackFailed { problem, .. } => "see the answer".clone_into(problem),
            _ => {}
        }
        error.to_string()
    }
}

#[cfg(test)]
mod tests;
