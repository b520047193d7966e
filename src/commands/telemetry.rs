// SPDX-License-Identifier: Apache-2.0
//! Commands of the telemetry store (FC-STORAGE §7).

use super::check::{self, Checked, Fields};
use super::fields::fields;
use super::setters::setters;
use super::{CommandContent, Context};
use crate::config::Limits;
use crate::events::{ExecutionId, Outcome, TelemetryKind};

fields! {
    /// Something a component observed.
    ///
    /// Example: [`Telemetry`](crate::Telemetry).
    #[derive(Clone, PartialEq, Eq)]
    pub struct Observation {
        /// Common to all commands.
        nested pub context: Context,
        /// Which kind.
        kept pub kind: TelemetryKind,
        /// What, as a stable word.
        text pub name: String,
        /// When, in nanoseconds since 1970; `None`: when the ledger takes it.
        kept pub observed_ns: Option<i64>,
        /// The execution it belongs to.
        kept pub execution: Option<ExecutionId>,
        /// How it came out.
        kept pub outcome: Outcome,
        /// Attributes, JSON of any shape, kept byte for byte; may be empty.
        json pub attributes: Vec<u8>,
    }
}

impl Observation {
    /// An observation of this name, a stable word: neutral in its outcome, of now, without attributes, until said.
    #[must_use]
    pub fn new(kind: TelemetryKind, name: impl Into<String>) -> Self {
        Self {
            context: Context::new(),
            kind,
            name: name.into(),
            observed_ns: None,
            execution: None,
            outcome: Outcome::Neutral,
            attributes: Vec::new(),
        }
    }
}

setters!(Observation {
    /// With its command id, parent and trace.
    set context = context: Context;
    /// When, in nanoseconds since 1970.
    some observed_ns = observed_ns: i64;
    /// The execution it belongs to.
    some execution = execution: ExecutionId;
    /// How it came out.
    set outcome = outcome: Outcome;
    /// With these attributes: JSON, kept byte for byte.
    into attributes = attributes: Vec<u8>;
    /// With these attributes, as JSON.
    json attributes_json = attributes: Vec<u8>;
});

impl CommandContent for Observation {
    fn validate(&self, limits: &Limits) -> Checked {
        check::name("name", &self.name, limits)?;
        check::id("execution", self.execution.is_some_and(|id| id.is_nil()))?;
        check::payload("attributes", &self.attributes, limits)?;
        check::optional_json("attributes", &self.attributes)
    }

    fn digest(&self, fields: &mut Fields) {
        fields
            .bytes(&[self.kind.code(), self.outcome.code()])
            .text(&self.name)
            .optional_number(self.observed_ns.map(i64::cast_unsigned))
            .option(self.execution.as_ref().map(|id| id.as_bytes().as_slice()))
            .bytes(&self.attributes);
    }

    fn content_len(&self) -> usize {
        self.name.len() + self.attributes.len() + 32
    }

    fn execution(&self) -> Option<ExecutionId> {
        self.execution
    }
}
