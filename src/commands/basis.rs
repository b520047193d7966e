// SPDX-License-Identifier: Apache-2.0
//! The basis of a decision. Only a snapshot of what is in force makes one.

use super::check::Fields;
use super::fields::fields;
use crate::events::{Hash, LedgerId};

fields! {
    /// The basis of a decision: the versions of one `InForce`, which alone makes
    /// it, and the policy by the gate's own word.
    ///
    /// The ledger compares the versions of an authorization with those in force. A decision read from
    /// a snapshot of what is in force can't be passed off as one by a later state.
    ///
    /// Example: [the first page](crate).
    #[derive(Clone, PartialEq, Eq)]
    pub struct Basis {
        kept pub(crate) ledger: LedgerId,
        nested pub(crate) grounds: Grounds,
    }
}

fields! {
    /// The same without the ledger, as records hold it.
    #[derive(Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Grounds {
        kept pub(crate) configuration_version: u64,
        kept pub(crate) registry_version: u64,
        text pub(crate) policy_version: String,
        digest pub(crate) policy_digest: Hash,
    }
}

impl Basis {
    /// Names the policy: its version, which may be empty, and its digest. The ledger records both
    /// and compares neither.
    #[must_use]
    pub fn policy(mut self, version: &str, digest: Hash) -> Self {
        version.clone_into(&mut self.grounds.policy_version);
        self.grounds.policy_digest = digest;
        self
    }

    /// Number of configuration changes that were in force.
    #[must_use]
    pub const fn configuration_version(&self) -> u64 {
        self.grounds.configuration_version
    }

    /// Number of registry changes that were in force.
    #[must_use]
    pub const fn registry_version(&self) -> u64 {
        self.grounds.registry_version
    }

    /// The policy's version, by the gate's word; empty where it named none.
    #[must_use]
    pub fn policy_version(&self) -> &str {
        &self.grounds.policy_version
    }

    /// The policy's digest, by the gate's word; zeros where it named none.
    #[must_use]
    pub const fn policy_digest(&self) -> &Hash {
        &self.grounds.policy_digest
    }
}

impl Grounds {
    pub(crate) fn digest(&self, fields: &mut Fields) {
        let Self {
            configuration_version,
            registry_version,
            policy_version,
            policy_digest,
        } = self;
        fields
            .number(*configuration_version)
            .number(*registry_version)
            .text(policy_version)
            .bytes(policy_digest);
    }
}
