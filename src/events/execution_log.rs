// SPDX-License-Identifier: Apache-2.0
//! Execution log events (FC-STORAGE §5). Wire structs are frozen: a change is a new revision.

use serde::{Deserialize, Serialize};

use super::approval::ApprovalNamedV1;
use super::readable::words::{Code, words};
use super::{Hash, Party};

/// An agent's output was received and checked against the protocol.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolValidatedV1 {
    /// The output as received; the first 64 KiB of it where `input_len` is larger.
    #[serde(with = "super::readable::bytes")]
    pub input: Vec<u8>,
    /// Length of the whole output in bytes.
    pub input_len: u64,
    /// BLAKE3 of the whole output.
    #[serde(with = "super::readable::hex")]
    pub input_digest: Hash,
    /// True where the protocol accepts it.
    pub accepted: bool,
    /// What the validator found wrong; empty when accepted.
    pub problem: String,
}

/// A capability gate decided on one execution (authorization specification §8, §15).
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationDecidedV2 {
    /// The capability asked for.
    pub capability: String,
    /// The arguments, JSON, byte for byte as received; empty where persons were asked, whose request has them.
    #[serde(with = "super::readable::bytes")]
    pub arguments: Vec<u8>,
    /// BLAKE3 of the arguments.
    #[serde(with = "super::readable::hex")]
    pub arguments_digest: Hash,
    /// [`Decision`] as its number.
    #[serde(with = "Code::<Decision>")]
    pub decision: u8,
    /// Why, in the gate's words; may be empty.
    pub reason: String,
    /// Policy version in force.
    pub policy_version: String,
    /// Digest of the policy in force.
    #[serde(with = "super::readable::hex")]
    pub policy_digest: Hash,
    /// Number of configuration changes in force (0: none yet).
    pub configuration_version: u64,
    /// Number of registry changes in force (0: none yet).
    pub registry_version: u64,
    /// On whose behalf, from the principal to whoever acts; empty where nobody is named.
    pub on_behalf_of: Vec<Party>,
    /// The approval that it rests on; `None` where no person was asked.
    pub approval: Option<ApprovalNamedV1>,
}

impl From<AuthorizationDecidedV1> for AuthorizationDecidedV2 {
    fn from(old: AuthorizationDecidedV1) -> Self {
        Self {
            capability: old.capability,
            arguments: old.arguments,
            arguments_digest: old.arguments_digest,
            decision: old.decision,
            reason: old.reason,
            policy_version: old.policy_version,
            policy_digest: old.policy_digest,
            configuration_version: old.configuration_version,
            registry_version: old.registry_version,
            on_behalf_of: Vec::new(),
            approval: None,
        }
    }
}

/// As [`AuthorizationDecidedV2`], before delegation and approval were recorded; read as the second revision and never
/// written.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationDecidedV1 {
    /// The capability asked for.
    pub capability: String,
    /// The arguments, JSON, byte for byte as received.
    #[serde(with = "super::readable::bytes")]
    pub arguments: Vec<u8>,
    /// BLAKE3 of the arguments.
    #[serde(with = "super::readable::hex")]
    pub arguments_digest: Hash,
    /// [`Decision`] as its number.
    #[serde(with = "Code::<Decision>")]
    pub decision: u8,
    /// Why, in the gate's words; may be empty.
    pub reason: String,
    /// Policy version in force.
    pub policy_version: String,
    /// Digest of the policy in force.
    #[serde(with = "super::readable::hex")]
    pub policy_digest: Hash,
    /// Number of configuration changes in force (0: none yet).
    pub configuration_version: u64,
    /// Number of registry changes in force (0: none yet).
    pub registry_version: u64,
}

/// An authorized execution began; what follows may have effects.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionStartedV1 {
    /// The capability.
    pub capability: String,
    /// BLAKE3 of the arguments it was authorized with.
    #[serde(with = "super::readable::hex")]
    pub arguments_digest: Hash,
    /// Configuration version in force at the start.
    pub configuration_version: u64,
    /// Registry version in force at the start.
    pub registry_version: u64,
}

/// An execution succeeded.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionCompletedV1 {
    /// The result, JSON; its first 64 KiB where the record is flagged truncated.
    #[serde(with = "super::readable::bytes")]
    pub result: Vec<u8>,
    /// Length of the whole result in bytes.
    pub result_len: u64,
    /// BLAKE3 of the whole result.
    #[serde(with = "super::readable::hex")]
    pub result_digest: Hash,
}

/// An execution failed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionFailedV1 {
    /// A stable code of the runtime's.
    pub code: String,
    /// What happened, for a person.
    pub message: String,
    /// Partial result or details, JSON; may be empty; truncated as a result is.
    #[serde(with = "super::readable::bytes")]
    pub result: Vec<u8>,
    /// Length of the whole result in bytes.
    pub result_len: u64,
    /// BLAKE3 of the whole result.
    #[serde(with = "super::readable::hex")]
    pub result_digest: Hash,
}

/// An execution was cancelled: before its start it had no effect, afterwards it may have.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionCancelledV1 {
    /// Why.
    pub reason: String,
}

/// An execution that was in doubt after a restart was resolved by an explicit statement.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionResolvedV1 {
    /// [`Resolution`] as its number.
    #[serde(with = "Code::<Resolution>")]
    pub resolution: u8,
    /// Who or what knows, and how.
    pub reason: String,
    /// The late result, JSON; may be empty; truncated as a result is.
    #[serde(with = "super::readable::bytes")]
    pub result: Vec<u8>,
    /// Length of the whole result in bytes.
    pub result_len: u64,
    /// BLAKE3 of the whole result.
    #[serde(with = "super::readable::hex")]
    pub result_digest: Hash,
}

/// An execution that runs was let go of: whoever was to tell how it ends is gone. Its effect may have happened, and may
/// be happening still; it waits to be resolved.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionInDoubtV1 {
    /// [`LeftCause`] as its number.
    #[serde(with = "Code::<LeftCause>")]
    pub cause: u8,
}

/// An authorized execution was let go of before its start: it never starts.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionAbandonedV1 {
    /// [`LeftCause`] as its number.
    #[serde(with = "Code::<LeftCause>")]
    pub cause: u8,
}

words! {
    /// Why an execution was let go of while the ledger was open.
    ///
    /// Example: `tests/holding/dropped.rs`.
    pub enum LeftCause {
        /// Its handle or its permit was dropped, or the call that was to give one.
        Dropped = 1 "dropped",
        /// Persons had approved it, and nobody started it in time.
        Expired = 2 "expired",
    }
}

words! {
    /// The five authorization decisions (authorization specification §8, §15).
    pub enum Decision {
        /// `AUTHORIZED`
        Authorized = 1 "AUTHORIZED",
        /// `DENIED_CAPABILITY_NOT_FOUND`
        DeniedCapabilityNotFound = 2 "DENIED_CAPABILITY_NOT_FOUND",
        /// `DENIED_CAPABILITY_DISABLED`
        DeniedCapabilityDisabled = 3 "DENIED_CAPABILITY_DISABLED",
        /// `DENIED_POLICY_VIOLATION`
        DeniedPolicyViolation = 4 "DENIED_POLICY_VIOLATION",
        /// `DENIED_ARGUMENT_INVALID`
        DeniedArgumentInvalid = 5 "DENIED_ARGUMENT_INVALID",
    }
}

words! {
    /// How an execution in doubt is resolved.
    pub enum Resolution {
        /// It had succeeded; the result may be late.
        Completed = 1 "completed",
        /// It had failed.
        Failed = 2 "failed",
        /// It was stopped before or after the crash.
        Cancelled = 3 "cancelled",
        /// Nobody can know.
        Lost = 4 "lost",
    }
}

super::readable::debug_as_read!(
    ProtocolValidatedV1,
    AuthorizationDecidedV1,
    AuthorizationDecidedV2,
    ExecutionStartedV1,
    ExecutionCompletedV1,
    ExecutionFailedV1,
    ExecutionResolvedV1,
    ExecutionInDoubtV1,
    ExecutionAbandonedV1,
);
