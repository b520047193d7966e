// SPDX-License-Identifier: Apache-2.0
//! Commands of the audit log (FC-STORAGE §6; audit specification §4–5).

use super::check::{self, Checked, Fields};
use super::fields::fields;
use super::setters::setters;
use super::{CommandContent, Context};
use crate::config::Limits;
use crate::events::{AuditFamily, ExecutionId, Outcome};

fields! {
    /// Something worth an audit. Decisions, validations, executions and transitions need none: they
    /// are in the audit log by construction.
    ///
    /// Example: [`redaction`](crate::redaction).
    #[derive(Clone, PartialEq, Eq)]
    pub struct AuditEntry {
        /// Common to all commands.
        nested pub context: Context,
        /// Which of the nine families.
        kept pub family: AuditFamily,
        /// The action, as a stable word.
        text pub action: String,
        /// To what: one line, may be empty.
        text pub subject: String,
        /// How it came out.
        kept pub outcome: Outcome,
        /// The execution it belongs to.
        kept pub execution: Option<ExecutionId>,
        /// Details, JSON of any shape, kept byte for byte; may be empty.
        json pub detail: Vec<u8>,
    }
}

impl AuditEntry {
    /// An entry about this action, a stable word: neutral in its outcome, without subject and detail, until said.
    #[must_use]
    pub fn new(family: AuditFamily, action: impl Into<String>) -> Self {
        Self {
            context: Context::new(),
            family,
            action: action.into(),
            subject: String::new(),
            outcome: Outcome::Neutral,
            execution: None,
            detail: Vec::new(),
        }
    }
}

setters!(AuditEntry {
    /// With its command id, parent and trace.
    set context = context: Context;
    /// To what it was done: one line.
    into subject = subject: String;
    /// How it came out.
    set outcome = outcome: Outcome;
    /// The execution it belongs to.
    some execution = execution: ExecutionId;
    /// With these details: JSON, kept byte for byte.
    into detail = detail: Vec<u8>;
    /// With these details, as JSON.
    json detail_json = detail: Vec<u8>;
});

impl CommandContent for AuditEntry {
    fn validate(&self, limits: &Limits) -> Checked {
        check::name("action", &self.action, limits)?;
        check::one_line("subject", &self.subject)?;
        check::text("subject", &self.subject, limits)?;
        check::id("execution", self.execution.is_some_and(|id| id.is_nil()))?;
        check::payload("detail", &self.detail, limits)?;
        check::optional_json("detail", &self.detail)
    }

    fn digest(&self, fields: &mut Fields) {
        fields
            .bytes(&[self.family.code(), self.outcome.code()])
            .text(&self.action)
            .text(&self.subject)
            .option(self.execution.as_ref().map(|id| id.as_bytes().as_slice()))
            .bytes(&self.detail);
    }

    fn content_len(&self) -> usize {
        self.action.len() + self.subject.len() + self.detail.len() + 32
    }

    fn execution(&self) -> Option<ExecutionId> {
        self.execution
    }
}
