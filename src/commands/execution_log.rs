//! Commands of the execution log (FC-STORAGE §5; execution model §5; authorization §8, §15).

use super::check::{self, Checked, Fields, invalid};
use super::{Basis, Content, Context};
use crate::config::{KEPT_BYTES, Limits};
use crate::events::{Decision, ExecutionId, Resolution, Store};

/// A capability execution that a gate has decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Common to all commands.
    pub context: Context,
    /// Its id; `None`: the ledger makes one.
    pub execution: Option<ExecutionId>,
    /// The protocol output as received, where there is one: digest, length and the first 64 KiB
    /// are kept.
    pub input: Option<Vec<u8>>,
    /// The capability asked for.
    pub capability: String,
    /// The arguments: JSON of any shape, kept byte for byte.
    pub arguments: Vec<u8>,
    /// The gate's decision.
    pub decision: Decision,
    /// Why; may be empty.
    pub reason: String,
    /// What it rested on.
    pub basis: Basis,
}

impl Request {
    pub(super) fn payloads(&mut self, redact: &mut impl FnMut(&mut Vec<u8>)) {
        self.input.iter_mut().for_each(&mut *redact);
        redact(&mut self.arguments);
    }

    fn validate(&self, limits: &Limits) -> Checked {
        check::id("execution", self.execution.is_some_and(|id| id.is_nil()))?;
        if self.input.as_ref().is_some_and(Vec::is_empty) {
            return Err(invalid("input", "is empty"));
        }
        check::name("capability", &self.capability, limits)?;
        check::optional_name("policy_version", self.basis.policy_version(), limits)?;
        check::text(&self.reason, limits)?;
        check::payload(&self.arguments, limits)?;
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
}

fn kept_len(bytes: &[u8]) -> usize {
    bytes.len().min(KEPT_BYTES)
}

impl Content for Request {
    const STORE: Store = Store::ExecutionLog;
    const RECORDS_MAX: usize = 4;

    fn context(&self) -> &Context {
        &self.context
    }

    fn validate(&self, limits: &Limits) -> Checked {
        self.validate(limits)
    }

    fn digest(&self, fields: &mut Fields) {
        self.digest(fields);
    }

    fn content_len(&self) -> usize {
        self.content_len()
    }

    fn execution(&self) -> Option<ExecutionId> {
        self.execution
    }
}

/// An agent's output that the protocol does not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Common to all commands.
    pub context: Context,
    /// Its id; `None`: the ledger makes one.
    pub execution: Option<ExecutionId>,
    /// The output as received, any bytes: digest, length and the first 64 KiB are kept.
    pub input: Vec<u8>,
    /// What is wrong with it.
    pub problem: String,
}

impl Content for Rejection {
    const STORE: Store = Store::ExecutionLog;
    const RECORDS_MAX: usize = 2;

    fn context(&self) -> &Context {
        &self.context
    }

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
}

/// A failed execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A stable code of the runtime's; cut where it is longer than a name.
    pub code: String,
    /// What happened, for a person; cut where it is longer than a text.
    pub message: String,
    /// Partial result or details, JSON; may be empty. An oversize one is truncated.
    pub result: Vec<u8>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It succeeded with this result: JSON of any shape, kept byte for byte. Of an oversize one
    /// digest, length and the first 64 KiB are kept: finishing is never refused for size.
    Completed(Vec<u8>),
    /// It failed.
    Failed(Failure),
    /// It was cancelled, for this reason; before its start it had no effect.
    Cancelled(String),
}

impl Ending {
    pub(super) fn payloads(&mut self, redact: &mut impl FnMut(&mut Vec<u8>)) {
        match self {
            Self::Completed(result) => redact(result),
            Self::Failed(failure) => redact(&mut failure.result),
            Self::Cancelled(_) => {}
        }
    }

    fn validate(&self) -> Checked {
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

    fn digest(&self, fields: &mut Fields) {
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

    fn stored_len(&self, limits: &Limits) -> usize {
        let riders = limits.text_bytes_max.saturating_add(limits.name_bytes_max);
        let most = limits.payload_bytes_max.saturating_add(riders);
        self.content_len().min(most.saturating_add(64))
    }

    fn content_len(&self) -> usize {
        64 + match self {
            Self::Completed(result) => result.len(),
            Self::Failed(failure) => {
                failure.code.len() + failure.message.len() + failure.result.len()
            }
            Self::Cancelled(reason) => reason.len(),
        }
    }
}

/// Ends an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// Common to all commands; parent and trace default to those of the decision.
    pub context: Context,
    /// Which execution.
    pub execution: ExecutionId,
    /// How it ended.
    pub ending: Ending,
}

impl Content for Finish {
    const STORE: Store = Store::ExecutionLog;
    const RECORDS_MAX: usize = 2;

    fn context(&self) -> &Context {
        &self.context
    }

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
}

/// How an execution in doubt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// The verdict.
    pub resolution: Resolution,
    /// Who or what knows, and how.
    pub reason: String,
    /// The late result, JSON; may be empty. An oversize one is truncated.
    pub result: Vec<u8>,
}

/// Says how an execution in doubt ended; `ExecutionLog::resolve` makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveInDoubt {
    /// Common to all commands.
    pub context: Context,
    /// Which execution.
    pub execution: ExecutionId,
    /// The statement.
    pub resolve: Resolve,
}

impl Content for ResolveInDoubt {
    const STORE: Store = Store::ExecutionLog;
    const RECORDS_MAX: usize = 2;

    fn context(&self) -> &Context {
        &self.context
    }

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
        let most = limits
            .payload_bytes_max
            .saturating_add(limits.text_bytes_max);
        self.content_len().min(most.saturating_add(64))
    }

    fn execution(&self) -> Option<ExecutionId> {
        Some(self.execution)
    }
}

/// A whole execution, recorded after the fact: for imports, and for capabilities without effect.
/// Its records are flagged so for ever. The versions of its basis may be older than those in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The request, authorized; its context is the command's.
    pub request: Request,
    /// How it ended.
    pub ending: Ending,
}

impl Content for Imported {
    const STORE: Store = Store::ExecutionLog;
    const RECORDS_MAX: usize = 5;

    fn context(&self) -> &Context {
        &self.request.context
    }

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
}
