// SPDX-License-Identifier: Apache-2.0
//! What becomes of a request that waits for persons: what they say of it, what it rests on, and the start of what they
//! approved.

use super::check::{self, Checked, Fields};
use super::fields::fields;
use super::parties::{self, Approver};
use super::setters::setters;
use super::{Basis, CommandContent, Context};
use crate::config::Limits;
use crate::events::{ExecutionId, Hash, Party};

/// Bytes that a decision or a start takes beside what its command says: the capability, and the names of the request.
const DECISION_BYTES: usize = 256;

fields! {
    /// A person's approval: who, in what role, how the identity was authenticated, and of what.
    ///
    /// The role is a name: the redactor is not given it, but the identity, as `approver.issuer` and `approver.id`.
    ///
    /// Example: [`execution_log`](crate::execution_log).
    #[derive(Clone, PartialEq, Eq)]
    pub struct Approval {
        /// Who.
        nested pub(crate) approver: Approver,
        /// In what role; may be empty.
        name pub role: String,
        /// How the identity was authenticated.
        text pub authenticated: String,
        /// Why; may be empty.
        text pub reason: String,
        /// BLAKE3 of what the person was shown.
        digest pub shown_digest: Hash,
    }
}

impl Approval {
    /// Who approves, how the identity was authenticated, and the digest of what it was shown.
    #[must_use]
    pub fn new(approver: Party, authenticated: impl Into<String>, shown_digest: Hash) -> Self {
        Self {
            approver: Approver(approver),
            role: String::new(),
            authenticated: authenticated.into(),
            reason: String::new(),
            shown_digest,
        }
    }

    /// Who.
    #[must_use]
    pub const fn approver(&self) -> &Party {
        &self.approver.0
    }

    fn validate(&self, limits: &Limits) -> Checked {
        self.approver.check(limits)?;
        check::optional_name("role", &self.role, limits)?;
        check::some_text("authenticated", &self.authenticated, limits)?;
        check::text("reason", &self.reason, limits)
    }

    fn digest(&self, fields: &mut Fields) {
        parties::digest(std::slice::from_ref(&self.approver.0), fields);
        fields
            .text(&self.role)
            .text(&self.authenticated)
            .text(&self.reason)
            .bytes(&self.shown_digest);
    }

    /// The approver is in the decision too.
    fn content_len(&self) -> usize {
        let texts = self.role.len() + self.authenticated.len() + self.reason.len();
        let approver = parties::content_len(std::slice::from_ref(&self.approver.0));
        2 * approver + texts + DECISION_BYTES
    }
}

setters!(Approval {
    /// In this role.
    into role = role: String;
    /// With the person's reason.
    into reason = reason: String;
});

fields! {
    /// A person's refusal: who, in what role, how the identity was authenticated, of what, and why.
    ///
    /// The role is a name: the redactor is not given it, but the identity, as `approver.issuer` and `approver.id`.
    ///
    /// Example: `tests/conformance/asking.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct ApprovalRefusal {
        /// The approver's part: who, how authenticated, of what, and why.
        nested pub(crate) answer: Approval,
    }
}

impl ApprovalRefusal {
    /// Who refuses, how the identity was authenticated, the digest of what it was shown, and why.
    #[must_use]
    pub fn new(
        approver: Party,
        authenticated: impl Into<String>,
        shown_digest: Hash,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            answer: Approval::new(approver, authenticated, shown_digest).reason(reason),
        }
    }

    /// What the person said.
    #[must_use]
    pub const fn answer(&self) -> &Approval {
        &self.answer
    }

    /// In this role.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.answer.role = role.into();
        self
    }
}

fields! {
    /// Hands in a person's approval; `ExecutionLog::approve` makes it.
    ///
    /// Example: `tests/redaction/commands.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct Approve {
        /// Common to all commands; parent and trace default to those of the request.
        nested pub context: Context,
        /// Which execution.
        kept pub execution: ExecutionId,
        /// What the person said.
        nested pub approval: Approval,
    }
}

fields! {
    /// Hands in a person's refusal; `ExecutionLog::refuse_approval` makes it.
    ///
    /// Example: `tests/redaction/commands.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct RefuseApproval {
        /// Common to all commands; parent and trace default to those of the request.
        nested pub context: Context,
        /// Which execution.
        kept pub execution: ExecutionId,
        /// What the person said.
        nested pub refusal: ApprovalRefusal,
    }
}

fields! {
    /// Rests a request on what is in force now, where that moved; `ExecutionLog::confirm_approval` makes it.
    ///
    /// Example: `tests/redaction/commands.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct ConfirmApproval {
        /// Common to all commands; parent and trace default to those of the request.
        nested pub context: Context,
        /// Which execution.
        kept pub execution: ExecutionId,
        /// What the request rests on from here.
        nested pub basis: Basis,
        /// Why; may be empty.
        text pub reason: String,
    }
}

fields! {
    /// Starts what persons have approved; `ExecutionLog::start_approved` makes it.
    ///
    /// Example: `tests/redaction/commands.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct StartApproved {
        /// Common to all commands; parent and trace default to those of the request.
        nested pub context: Context,
        /// Which execution.
        kept pub execution: ExecutionId,
    }
}

impl CommandContent for Approve {
    fn validate(&self, limits: &Limits) -> Checked {
        check::id("execution", self.execution.is_nil())?;
        self.approval.validate(limits)
    }

    fn digest(&self, fields: &mut Fields) {
        fields.bytes(self.execution.as_bytes());
        self.approval.digest(fields);
    }

    fn content_len(&self) -> usize {
        self.approval.content_len()
    }

    fn execution(&self) -> Option<ExecutionId> {
        Some(self.execution)
    }
}

impl CommandContent for RefuseApproval {
    fn validate(&self, limits: &Limits) -> Checked {
        check::id("execution", self.execution.is_nil())?;
        let answer = &self.refusal.answer;
        answer.validate(limits)?;
        check::some_text("reason", &answer.reason, limits)
    }

    fn digest(&self, fields: &mut Fields) {
        fields.bytes(self.execution.as_bytes());
        self.refusal.answer.digest(fields);
    }

    fn content_len(&self) -> usize {
        self.refusal.answer.content_len()
    }

    fn execution(&self) -> Option<ExecutionId> {
        Some(self.execution)
    }
}

impl CommandContent for ConfirmApproval {
    fn validate(&self, limits: &Limits) -> Checked {
        check::id("execution", self.execution.is_nil())?;
        check::optional_name("policy_version", self.basis.policy_version(), limits)?;
        check::text("reason", &self.reason, limits)
    }

    fn digest(&self, fields: &mut Fields) {
        fields.bytes(self.execution.as_bytes()).text(&self.reason);
        self.basis.grounds.digest(fields);
    }

    fn content_len(&self) -> usize {
        self.reason.len() + self.basis.policy_version().len() + 64
    }

    fn execution(&self) -> Option<ExecutionId> {
        Some(self.execution)
    }
}

impl CommandContent for StartApproved {
    fn validate(&self, _: &Limits) -> Checked {
        check::id("execution", self.execution.is_nil())
    }

    fn digest(&self, fields: &mut Fields) {
        fields.bytes(self.execution.as_bytes());
    }

    /// The capability is the request's.
    fn content_len(&self) -> usize {
        DECISION_BYTES
    }

    fn execution(&self) -> Option<ExecutionId> {
        Some(self.execution)
    }
}
