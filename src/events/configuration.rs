// SPDX-License-Identifier: Apache-2.0
//! Configuration events (FC-STORAGE §8).

use serde::{Deserialize, Serialize};

use super::Hash;

/// A document got a new version.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationChangedV1 {
    /// The document's name.
    pub document: String,
    /// The document's new version, from 1, gapless.
    pub version: u64,
    /// Number of configuration changes in force from here on, over all documents.
    pub configuration_version: u64,
    /// The whole content, byte for byte.
    #[serde(with = "super::readable::bytes")]
    pub content: Vec<u8>,
    /// BLAKE3 of the content: checked at every read, a mismatch is an error and never a default.
    #[serde(with = "super::readable::hex")]
    pub content_digest: Hash,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
    /// The version whose content this restores (0: new content).
    pub restored_version: u64,
}

super::readable::debug_as_read!(ConfigurationChangedV1,);
