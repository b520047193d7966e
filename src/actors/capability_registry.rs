// SPDX-License-Identifier: Apache-2.0
//! The registered capabilities, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::events::Hash;
use crate::projections::registry_digest;

/// A registered capability.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct RegisteredCapability {
    /// Its version.
    pub(crate) version: String,
    /// Its effect, in words.
    pub(crate) description: String,
    /// Its parameters, JSON, byte for byte; may be empty.
    pub(crate) parameters: Vec<u8>,
    /// Whether it may be used.
    pub(crate) enabled: bool,
}

/// All registered capabilities. The built-in `message` is not among them: it is always there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Registry {
    /// Number of registry changes that made it (0: none yet).
    pub(crate) version: u64,
    /// By name.
    pub(crate) capabilities: BTreeMap<String, RegisteredCapability>,
}

impl Registry {
    /// Whether a capability is registered and enabled.
    #[must_use]
    pub(crate) fn is_enabled(&self, capability: &str) -> bool {
        self.capabilities
            .get(capability)
            .is_some_and(|it| it.enabled)
    }

    /// Digest of version and capabilities, as views give it of theirs.
    pub(crate) fn digest(&self) -> Hash {
        let capabilities = self.capabilities.iter();
        registry_digest(
            self.version,
            capabilities.map(|(name, it)| {
                let texts = [name, &it.version, &it.description].map(|text| text.as_bytes());
                (texts, &*it.parameters, it.enabled)
            }),
        )
    }
}
