// SPDX-License-Identifier: Apache-2.0
//! Commands of the execution log (FC-STORAGE §5; execution model §5; authorization §8, §15).

use super::check::{self, Checked, Fields, invalid};
use super::context::InContext;
use super::fields::fields;
use super::measure::Cutter;
use super::setters::setters;
use super::{Basis, CommandContent, Context, Ending};
use crate::config::{KEPT_BYTES, Limits};
use crate::events::{Decision, ExecutionId};

fields! {
    /// A capability execution that a gate has decided on.
    #[derive(Clone, PartialEq, Eq)]
    pub struct Request {
        /// Common to all commands.
        nested pub context: Context,
        /// Its id; `None`: the ledger makes one.
        kept pub execution: Option<ExecutionId>,
        /// The protocol output as received, where there is one: digest, length and the first 64 KiB
        /// are kept.
        optional pub input: Option<Vec<u8>>,
        /// The capability asked for.
        name pub capability: String,
        /// The arguments: JSON of any shape, kept byte for byte.
        json pub arguments: Vec<u8>,
        /// The gate's decision.
        kept pub decision: Decision,
        /// Why; may be empty.
        text pub reason: String,
        /// The basis of the decision.
        nested pub basis: Basis,
    }
}

impl Request {
    /// What a gate decided of a capability, and by what. The arguments are `{}` and all else is empty until said.
    ///
    /// ```
    /// use femtoclaw_ledger::{AppendError, Basis, Decision, Request};
    ///
    /// fn asked(basis: Basis) -> Result<Request, AppendError> {
    ///     Request::new("add", Decision::Authorized, basis)
    ///         .reason("numbers harm nobody")
    ///         .arguments_json(&[1, 2])
    /// }
    /// ```
    #[must_use]
    pub fn new(capability: impl Into<String>, decision: Decision, basis: Basis) -> Self {
        Self {
            context: Context::new(),
            execution: None,
            input: None,
            capability: capability.into(),
            arguments: b"{}".to_vec(),
            decision,
            reason: String::new(),
            basis,
        }
    }
}

setters!(Request {
    /// With its command id, parent and trace.
    set context = context: Context;
    /// With an id of the caller's own.
    some execution = execution: ExecutionId;
    /// With the protocol output as received.
    some_into input = input: Vec<u8>;
    /// With these arguments: JSON, kept byte for byte.
    into arguments = arguments: Vec<u8>;
    /// With these arguments, as JSON.
    json arguments_json = arguments: Vec<u8>;
    /// With the gate's reason.
    into reason = reason: String;
});

impl CommandContent for Request {
    fn validate(&self, limits: &Limits) -> Checked {
        check::id("execution", self.execution.is_some_and(|id| id.is_nil()))?;
        if self.input.as_ref().is_some_and(Vec::is_empty) {
            return Err(invalid("input", "is empty"));
        }
        check::name("capability", &self.capability, limits)?;
        check::optional_name("policy_version", self.basis.policy_version(), limits)?;
        check::text("reason", &self.reason, limits)?;
        check::payload("arguments", &self.arguments, limits)?;
        check::json("arguments", &self.arguments)
    }

    fn digest(&self, fields: &mut Fields) {
        fields
            .option(self.execution.as_ref().map(|id| id.as_bytes().as_slice()))
            .option(self.input.as_deref())
            .text(&self.capability)
            .bytes(&self.arguments)
            .bytes(&[self.decision.code()])
            .text(&self.reason);
        self.basis.grounds.digest(fields);
    }

    fn content_len(&self) -> usize {
        let input = self.input.as_ref().map_or(0, |input| kept_len(input));
        let texts =
            self.capability.len() * 2 + self.reason.len() + self.basis.policy_version().len();
        input + self.arguments.len() + texts + 256
    }

    fn cut(&mut self, by: &mut Cutter<'_>) {
        self.input.iter_mut().for_each(|input| by.input(input));
    }

    fn decides(&self) -> bool {
        true
    }

    fn execution(&self) -> Option<ExecutionId> {
        self.execution
    }
}

fn kept_len(bytes: &[u8]) -> usize {
    bytes.len().min(KEPT_BYTES)
}

fields! {
    /// An agent's output that the protocol does not accept.
    #[derive(Clone, PartialEq, Eq)]
    pub struct Rejection {
        /// Common to all commands.
        nested pub context: Context,
        /// Its id; `None`: the ledger makes one.
        kept pub execution: Option<ExecutionId>,
        /// The output as received, any bytes: digest, length and the first 64 KiB are kept.
        bytes pub input: Vec<u8>,
        /// The defect that the validator found.
        text pub problem: String,
    }
}

impl Rejection {
    /// An output as received, and what is wrong with it.
    #[must_use]
    pub fn new(input: impl Into<Vec<u8>>, problem: impl Into<String>) -> Self {
        Self {
            context: Context::new(),
            execution: None,
            input: input.into(),
            problem: problem.into(),
        }
    }
}

setters!(Rejection {
    /// With its command id, parent and trace.
    set context = context: Context;
    /// With an id of the caller's own.
    some execution = execution: ExecutionId;
});

impl CommandContent for Rejection {
    fn validate(&self, limits: &Limits) -> Checked {
        check::id("execution", self.execution.is_some_and(|id| id.is_nil()))?;
        check::some_text("problem", &self.problem, limits)
    }

    fn digest(&self, fields: &mut Fields) {
        fields
            .option(self.execution.as_ref().map(|id| id.as_bytes().as_slice()))
            .bytes(&self.input)
            .text(&self.problem);
    }

    fn content_len(&self) -> usize {
        kept_len(&self.input) + self.problem.len() + 64
    }

    fn execution(&self) -> Option<ExecutionId> {
        self.execution
    }

    fn cut(&mut self, by: &mut Cutter<'_>) {
        by.input(&mut self.input);
    }
}

fields! {
    /// A whole execution, recorded after the fact: for imports, and for capabilities without effect.
    /// Its records are flagged so for ever. The versions of its basis may be older than those in force.
    #[derive(Clone, PartialEq, Eq)]
    pub struct Imported {
        /// The request, authorized; its context is the command's.
        nested pub request: Request,
        /// How it ended.
        nested pub ending: Ending,
    }
}

impl InContext for Imported {
    fn context(&self) -> &Context {
        &self.request.context
    }

    fn context_mut(&mut self) -> &mut Context {
        &mut self.request.context
    }
}

impl CommandContent for Imported {
    fn validate(&self, limits: &Limits) -> Checked {
        if self.request.decision != Decision::Authorized {
            return Err(invalid("decision", "is a denial: record it with authorize"));
        }
        self.request.validate(limits)?;
        self.ending.validate()
    }

    fn digest(&self, fields: &mut Fields) {
        self.request.digest(fields);
        self.ending.digest(fields);
    }

    fn content_len(&self) -> usize {
        self.request.content_len() + self.ending.content_len()
    }

    fn stored_len(&self, limits: &Limits) -> usize {
        self.request.content_len() + self.ending.stored_len(limits)
    }

    fn execution(&self) -> Option<ExecutionId> {
        self.request.execution
    }

    fn cut(&mut self, by: &mut Cutter<'_>) {
        self.request.cut(by);
        self.ending.cut(by);
    }

    fn decides(&self) -> bool {
        true
    }
}
