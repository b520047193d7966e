// SPDX-License-Identifier: Apache-2.0
//! The registered capabilities, as data.

use std::sync::Arc;

use rpds::RedBlackTreeMapSync;
use serde::{Deserialize, Serialize};

use crate::events::Hash;
use crate::projections::registry_digest;

/// What a capability was registered as, or changed to.
#[derive(Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct RegisteredDefinition {
    /// Its version.
    pub(crate) version: String,
    /// Its effect, in words.
    pub(crate) description: String,
    /// Its parameters, JSON, byte for byte; may be empty.
    pub(crate) parameters: Vec<u8>,
}

/// A registered capability. Clones share its definition, which may be long.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct RegisteredCapability {
    pub(crate) definition: Arc<RegisteredDefinition>,
    /// Whether it may be used.
    pub(crate) enabled: bool,
}

/// All registered capabilities. The built-in `message` is not among them: it is always there. A clone costs nothing,
/// and a change of it copies one path of the tree: what is in force is one, and changes with each commit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Registry {
    /// Number of registry changes that made it (0: none yet).
    pub(crate) version: u64,
    /// By name.
    pub(crate) capabilities: RedBlackTreeMapSync<String, RegisteredCapability>,
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
                let defined = &*it.definition;
                let texts = [name, &defined.version, &defined.description];
                (
                    texts.map(|text| text.as_bytes()),
                    &*defined.parameters,
                    it.enabled,
                )
            }),
        )
    }
}
