// SPDX-License-Identifier: Apache-2.0
//! Executions that wait for persons (EU AI Act, Art. 14). An execution waits in `AUTHORIZATION_EVALUATING`; what persons
//! say of it ends in one [`AuthorizationDecidedV2`](super::AuthorizationDecidedV2). Wire structs are frozen: a change
//! is a new revision.

use serde::{Deserialize, Serialize};

use super::{Hash, Party};

/// A gate asks persons whether an execution may begin.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequestedV1 {
    /// The capability asked for.
    pub capability: String,
    /// The arguments, JSON, byte for byte as received.
    #[serde(with = "super::readable::bytes")]
    pub arguments: Vec<u8>,
    /// BLAKE3 of the arguments.
    #[serde(with = "super::readable::hex")]
    pub arguments_digest: Hash,
    /// Why persons are asked, in the gate's words; may be empty.
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
    /// Who may answer: these identities.
    pub asked: Vec<Party>,
    /// Who may answer: whoever has one of these roles.
    pub asked_roles: Vec<String>,
    /// The rule by which they are asked.
    pub rule: String,
    /// How many different identities must approve, from 1.
    pub approvers_needed: u32,
    /// Until when it may be approved and started, in nanoseconds since 1970.
    #[serde(rename = "until", with = "super::readable::time")]
    pub until_ns: i64,
    /// What they are shown, byte for byte.
    #[serde(with = "super::readable::bytes")]
    pub shown: Vec<u8>,
    /// BLAKE3 of what they are shown.
    #[serde(with = "super::readable::hex")]
    pub shown_digest: Hash,
}

/// A person approved.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalGivenV1 {
    /// Who.
    pub approver: Party,
    /// In what role; may be empty.
    pub role: String,
    /// How the identity was authenticated.
    pub authenticated: String,
    /// Why; may be empty.
    pub reason: String,
    /// BLAKE3 of what was approved: what the request shows.
    #[serde(with = "super::readable::hex")]
    pub shown_digest: Hash,
    /// How many different identities have approved, this one included.
    pub given: u32,
    /// How many must.
    pub needed: u32,
}

/// A person refused: the execution is denied.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRefusedV1 {
    /// Who.
    pub approver: Party,
    /// In what role; may be empty.
    pub role: String,
    /// How the identity was authenticated.
    pub authenticated: String,
    /// Why.
    pub reason: String,
    /// BLAKE3 of what was refused: what the request shows.
    #[serde(with = "super::readable::hex")]
    pub shown_digest: Hash,
}

/// Nobody answered in time: the execution is denied.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalExpiredV1 {
    /// How many different identities had approved.
    pub given: u32,
    /// How many must have.
    pub needed: u32,
}

/// The basis of the request had moved, and the gate confirmed the request on what is in force now. Approvals given
/// before do not count any more.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalConfirmedV1 {
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

/// The approval that a decision rests on.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalNamedV1 {
    /// Place of the request in the execution's stream.
    pub request_version: u64,
    /// The rule by which persons were asked.
    pub rule: String,
    /// How many different identities must have approved.
    pub needed: u32,
    /// Who approved, in order; of a denial, who had.
    pub approvers: Vec<Party>,
    /// Who refused; `None` where nobody did.
    pub refused_by: Option<Party>,
}

super::readable::debug_as_read!(
    ApprovalRequestedV1,
    ApprovalGivenV1,
    ApprovalRefusedV1,
    ApprovalConfirmedV1,
);
