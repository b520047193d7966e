// SPDX-License-Identifier: Apache-2.0
//! Runtime metadata events (FC-STORAGE §9).

use serde::{Deserialize, Serialize};

use super::RuntimeId;

/// A runtime said who it is.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeIdentifiedV1 {
    /// The runtime's id.
    pub runtime: RuntimeId,
    /// Its version.
    pub version: String,
}

/// A module runs in this version.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleVersionSetV1 {
    /// The module's name.
    pub module: String,
    /// Its version.
    pub version: String,
}

/// A module is no longer there.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRemovedV1 {
    /// The module's name.
    pub module: String,
}

/// A capability was registered; disabled until enabled (authorization specification §15).
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityRegisteredV1 {
    /// The capability's name.
    pub capability: String,
    /// Its version.
    pub version: String,
    /// Its effect, in words.
    pub description: String,
    /// Its parameters, JSON, byte for byte; may be empty.
    #[serde(with = "super::readable::bytes")]
    pub parameters: Vec<u8>,
    /// Number of registry changes in force from here on.
    pub registry_version: u64,
}

/// A capability's definition changed; whether it is enabled did not.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityChangedV1 {
    /// The capability's name.
    pub capability: String,
    /// Its version.
    pub version: String,
    /// Its effect, in words.
    pub description: String,
    /// Its parameters, JSON, byte for byte; may be empty.
    #[serde(with = "super::readable::bytes")]
    pub parameters: Vec<u8>,
    /// Number of registry changes in force from here on.
    pub registry_version: u64,
}

/// A capability may be used from here on.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityEnabledV1 {
    /// The capability's name.
    pub capability: String,
    /// Why.
    pub reason: String,
    /// Number of registry changes in force from here on.
    pub registry_version: u64,
}

/// A capability may not be used from here on.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityDisabledV1 {
    /// The capability's name.
    pub capability: String,
    /// Why.
    pub reason: String,
    /// Number of registry changes in force from here on.
    pub registry_version: u64,
}

/// A capability is no longer there.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityUnregisteredV1 {
    /// The capability's name.
    pub capability: String,
    /// Why.
    pub reason: String,
    /// Number of registry changes in force from here on.
    pub registry_version: u64,
}

/// A subscriber's named position was saved: it has handled everything up to there.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionSavedV1 {
    /// The position's name.
    pub name: String,
    /// The last sequence number handled (0: none).
    pub seq: u64,
}

super::readable::debug_as_read!(CapabilityRegisteredV1, CapabilityChangedV1,);
