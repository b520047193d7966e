// SPDX-License-Identifier: Apache-2.0
//! How executions end: commands of the execution log (FC-STORAGE §5).

use super::check::{self, Checked, Fields, invalid};
use super::fields::fields;
use super::given::{Buffer, Given, Hidden, Redactor};
use super::measure::Cutter;
use super::setters::setters;
use super::{CommandContent, Context};
use crate::config::Limits;
use crate::events::{ExecutionId, Resolution};

/// Bytes of a result and its texts as they will be stored, at most.
fn stored(len: usize, limits: &Limits) -> usize {
    let riders = limits.text_bytes_max.saturating_add(limits.name_bytes_max);
    let most = limits.payload_bytes_max.saturating_add(riders);
    len.min(most.saturating_add(64))
}

fields! {
    /// A failed execution.
    ///
    /// Example: [`execution_log`](crate::execution_log).
    #[derive(Clone, PartialEq, Eq)]
    pub struct Failure {
        /// A stable code of the runtime's; cut where it is longer than a name.
        text pub code: String,
        /// The error in words, for a person; cut where it is longer than a text.
        text pub message: String,
        /// Partial result or details, JSON; may be empty. An oversize one is truncated.
        json pub result: Vec<u8>,
    }
}

impl Failure {
    /// A stable code, and what happened.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            result: Vec::new(),
        }
    }
}

setters!(Failure {
    /// With a partial result or details: JSON, kept byte for byte.
    into result = result: Vec<u8>;
    /// With a partial result or details, as JSON.
    json result_json = result: Vec<u8>;
});

/// How an execution ended.
#[derive(Clone, PartialEq, Eq)]
pub enum Ending {
    /// It succeeded with this result: JSON of any shape, kept byte for byte. Of an oversize one
    /// digest, length and the first 64 KiB are kept: finishing is never refused for size.
    Completed(Vec<u8>),
    /// It failed.
    Failed(Failure),
    /// It was cancelled, for this reason; before its start it had no effect.
    Cancelled(String),
}

impl Given for Ending {
    fn redact(&mut self, by: &mut Redactor<'_>) -> Checked {
        match self {
            Self::Completed(result) => by.json("result", result),
            Self::Failed(failure) => failure.redact(by),
            Self::Cancelled(reason) => by.text("reason", reason),
        }
    }

    fn fit(&mut self) {
        match self {
            Self::Completed(result) => result.fit(),
            Self::Failed(failure) => failure.fit(),
            Self::Cancelled(reason) => reason.fit(),
        }
    }
}

impl std::fmt::Debug for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Completed(result) => write!(f, "Completed({:?})", Hidden::new(result)),
            Self::Failed(failure) => write!(f, "Failed({failure:?})"),
            Self::Cancelled(reason) => write!(f, "Cancelled({:?})", Hidden::new(reason)),
        }
    }
}

impl Ending {
    pub(super) fn validate(&self) -> Checked {
        match self {
            Self::Completed(result) => check::json("result", result),
            Self::Failed(failure) => {
                if failure.code.is_empty() {
                    return Err(invalid("code", "is empty"));
                }
                check::one_line("code", &failure.code)?;
                check::optional_json("result", &failure.result)
            }
            Self::Cancelled(_) => Ok(()),
        }
    }

    pub(super) fn digest(&self, fields: &mut Fields) {
        match self {
            Self::Completed(result) => fields.text("completed").bytes(result),
            Self::Failed(failure) => fields
                .text("failed")
                .text(&failure.code)
                .text(&failure.message)
                .bytes(&failure.result),
            Self::Cancelled(reason) => fields.text("cancelled").text(reason),
        };
    }

    pub(super) fn cut(&mut self, by: &mut Cutter<'_>) {
        match self {
            Self::Completed(result) => by.result(result),
            Self::Failed(failure) => {
                by.name(&mut failure.code);
                by.text(&mut failure.message);
                by.result(&mut failure.result);
            }
            Self::Cancelled(reason) => by.text(reason),
        }
    }

    pub(super) fn stored_len(&self, limits: &Limits) -> usize {
        stored(self.content_len(), limits)
    }

    pub(super) fn content_len(&self) -> usize {
        64 + match self {
            Self::Completed(result) => result.len(),
            Self::Failed(failure) => {
                failure.code.len() + failure.message.len() + failure.result.len()
            }
            Self::Cancelled(reason) => reason.len(),
        }
    }
}

fields! {
    /// Ends an execution.
    ///
    /// Example: `tests/holding/groups.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct Finish {
        /// Common to all commands; parent and trace default to those of the decision.
        nested pub context: Context,
        /// Which execution.
        kept pub execution: ExecutionId,
        /// How it ended.
        nested pub ending: Ending,
    }
}

impl CommandContent for Finish {
    fn validate(&self, _: &Limits) -> Checked {
        check::id("execution", self.execution.is_nil())?;
        self.ending.validate()
    }

    fn digest(&self, fields: &mut Fields) {
        fields.bytes(self.execution.as_bytes());
        self.ending.digest(fields);
    }

    fn content_len(&self) -> usize {
        self.ending.content_len()
    }

    fn stored_len(&self, limits: &Limits) -> usize {
        self.ending.stored_len(limits)
    }

    fn execution(&self) -> Option<ExecutionId> {
        Some(self.execution)
    }

    fn cut(&mut self, by: &mut Cutter<'_>) {
        self.ending.cut(by);
    }
}

fields! {
    /// How an execution in doubt ended.
    ///
    /// Example: `tests/embedding.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct Resolve {
        /// The verdict.
        kept pub resolution: Resolution,
        /// The source of the verdict: a person or a system, and how it knows.
        text pub reason: String,
        /// The late result, JSON; may be empty. An oversize one is truncated.
        json pub result: Vec<u8>,
    }
}

impl Resolve {
    /// The verdict, and who or what knows it.
    #[must_use]
    pub fn new(resolution: Resolution, reason: impl Into<String>) -> Self {
        Self {
            resolution,
            reason: reason.into(),
            result: Vec::new(),
        }
    }
}

setters!(Resolve {
    /// With the late result: JSON, kept byte for byte.
    into result = result: Vec<u8>;
    /// With the late result, as JSON.
    json result_json = result: Vec<u8>;
});

fields! {
    /// Says how an execution in doubt ended; `ExecutionLog::resolve` makes it.
    ///
    /// Example: `tests/redaction/commands.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct ResolveInDoubt {
        /// Common to all commands.
        nested pub context: Context,
        /// Which execution.
        kept pub execution: ExecutionId,
        /// The statement.
        nested pub resolve: Resolve,
    }
}

impl CommandContent for ResolveInDoubt {
    fn validate(&self, _: &Limits) -> Checked {
        check::id("execution", self.execution.is_nil())?;
        if self.resolve.reason.trim().is_empty() {
            return Err(invalid("reason", "is empty"));
        }
        check::optional_json("result", &self.resolve.result)
    }

    fn digest(&self, fields: &mut Fields) {
        fields
            .bytes(self.execution.as_bytes())
            .bytes(&[self.resolve.resolution.code()])
            .text(&self.resolve.reason)
            .bytes(&self.resolve.result);
    }

    fn content_len(&self) -> usize {
        self.resolve.reason.len() + self.resolve.result.len() + 64
    }

    fn stored_len(&self, limits: &Limits) -> usize {
        stored(self.content_len(), limits)
    }

    fn execution(&self) -> Option<ExecutionId> {
        Some(self.execution)
    }

    fn cut(&mut self, by: &mut Cutter<'_>) {
        by.text(&mut self.resolve.reason);
        by.result(&mut self.resolve.result);
    }
}
