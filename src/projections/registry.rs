// SPDX-License-Identifier: Apache-2.0
//! The capability registry's history: each change numbered by its registry version, so that any
//! earlier state is a fold over the changes up to it (FC-STORAGE §9).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::events::{Event, EventType, Hash, Record};
use crate::integrity::FieldDigest;

use super::keys::{key, name_key, pack, trailing_u64, unpack};
use super::{AsOf, ProjectionError, ViewBatch, ViewError, ViewSnapshot};

/// name key → the capability as it is now.
const CAPABILITY: u8 = b'c';
/// registry version → what changed.
const CHANGE: u8 = b'h';
/// → registry version.
const TOTAL: u8 = b'g';

/// The events that change the registry.
pub(super) const CHANGES: [EventType; 5] = [
    EventType::CapabilityRegistered,
    EventType::CapabilityChanged,
    EventType::CapabilityEnabled,
    EventType::CapabilityDisabled,
    EventType::CapabilityUnregistered,
];

/// A registered capability.
///
/// Example: [`runtime_metadata`](crate::runtime_metadata).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its effect, in words.
    pub description: String,
    /// Its parameters, JSON, byte for byte; may be empty.
    #[serde(with = "crate::events::readable::bytes")]
    pub parameters: Vec<u8>,
    /// Whether it may be used.
    pub enabled: bool,
    /// The registry version of its last change.
    pub registry_version: u64,
    /// The record of its last change.
    pub seq: u64,
    /// When it last changed, in nanoseconds since 1970.
    #[serde(rename = "time", with = "crate::events::readable::time")]
    pub time_ns: i64,
}

crate::events::readable::debug_as_read!(Capability);

/// The whole registry at a moment.
///
/// Example: [`runtime_metadata`](crate::runtime_metadata).
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct RegistryState {
    /// Number of registry changes so far.
    pub registry_version: u64,
    /// By name.
    pub capabilities: BTreeMap<String, Capability>,
}

/// Texts (name, version, description), parameters, whether it is enabled.
type RegistryFields<'a> = ([&'a [u8]; 3], &'a [u8], bool);

/// Digest of a registry: its version, and of each capability, in the order of their names, every
/// field that a change of it sets.
pub(crate) fn registry_digest<'a>(
    version: u64,
    capabilities: impl Iterator<Item = RegistryFields<'a>>,
) -> Hash {
    let mut digest = FieldDigest::new("femtoclaw-ledger registry");
    digest.add(&version.to_be_bytes());
    for (texts, parameters, enabled) in capabilities {
        for text in texts {
            digest.add(text);
        }
        digest.add(parameters);
        digest.add(&[u8::from(enabled)]);
    }
    digest.finish()
}

impl RegistryState {
    /// Digest of version and capabilities: equal to that of [`InForce`](crate::InForce) exactly
    /// where both are the same registry. When and where it changed does not count.
    #[must_use]
    pub fn digest(&self) -> Hash {
        let capabilities = self.capabilities.values();
        registry_digest(
            self.registry_version,
            capabilities.map(|it| {
                let texts = [&it.name, &it.version, &it.description].map(|text| text.as_bytes());
                (texts, &*it.parameters, it.enabled)
            }),
        )
    }
}

#[derive(Serialize, Deserialize)]
struct RegistryChange {
    seq: u64,
    time_ns: i64,
    name: String,
    /// `None`: no longer registered.
    after: Option<Capability>,
}

/// Takes a registry event into the view; other events are left alone.
pub(super) fn apply(
    record: &Record,
    event: &Event,
    batch: &mut ViewBatch,
) -> Result<(), ProjectionError> {
    let (name, registry_version) = match event {
        Event::CapabilityRegistered(e) => (&e.capability, e.registry_version),
        Event::CapabilityChanged(e) => (&e.capability, e.registry_version),
        Event::CapabilityEnabled(e) => (&e.capability, e.registry_version),
        Event::CapabilityDisabled(e) => (&e.capability, e.registry_version),
        Event::CapabilityUnregistered(e) => (&e.capability, e.registry_version),
        _ => return Ok(()),
    };
    let capability_key = key(CAPABILITY, &[&name_key(name)]);
    let before: Option<Capability> = batch.value(&capability_key)?;
    let mut after = after(event, before);
    if let Some(capability) = &mut after {
        capability.registry_version = registry_version;
        capability.seq = record.header.seq.get();
        capability.time_ns = record.header.time_ns;
        batch.put(&capability_key, pack(capability));
    } else {
        batch.delete(&capability_key);
    }
    let change = RegistryChange {
        seq: record.header.seq.get(),
        time_ns: record.header.time_ns,
        name: name.clone(),
        after,
    };
    let number = registry_version.to_be_bytes();
    batch.put(&key(CHANGE, &[&number]), pack(&change));
    batch.put(&[TOTAL], number.to_vec());
    Ok(())
}

/// The capability after the event; its version, record and time are filled in by the caller.
fn after(event: &Event, before: Option<Capability>) -> Option<Capability> {
    let enabled = before.as_ref().is_some_and(|before| before.enabled);
    let defined = |name: &str, version: &str, description: &str, parameters: &[u8]| Capability {
        name: name.to_owned(),
        version: version.to_owned(),
        description: description.to_owned(),
        parameters: parameters.to_owned(),
        enabled,
        registry_version: 0,
        seq: 0,
        time_ns: 0,
    };
    let switched = |enabled, before| Capability { enabled, ..before };
    match event {
        Event::CapabilityRegistered(e) => Some(Capability {
            enabled: false,
            ..defined(&e.capability, &e.version, &e.description, &e.parameters)
        }),
        Event::CapabilityChanged(e) => Some(defined(
            &e.capability,
            &e.version,
            &e.description,
            &e.parameters,
        )),
        Event::CapabilityEnabled(_) => before.map(|before| switched(true, before)),
        Event::CapabilityDisabled(_) => before.map(|before| switched(false, before)),
        _ => None,
    }
}

pub(super) fn version(snapshot: &ViewSnapshot) -> Result<u64, ViewError> {
    match snapshot.get(&[TOTAL])? {
        Some(bytes) => Ok(trailing_u64(&bytes)?),
        None => Ok(0),
    }
}

pub(super) fn capability(
    snapshot: &ViewSnapshot,
    name: &str,
) -> Result<Option<Capability>, ViewError> {
    snapshot.value(&key(CAPABILITY, &[&name_key(name)]))
}

pub(super) fn current(snapshot: &ViewSnapshot) -> Result<RegistryState, ViewError> {
    let mut state = RegistryState {
        registry_version: version(snapshot)?,
        ..RegistryState::default()
    };
    for pair in snapshot.scan(&[CAPABILITY], &[CAPABILITY]) {
        let capability: Capability = unpack(&pair?.1)?;
        state
            .capabilities
            .insert(capability.name.clone(), capability);
    }
    Ok(state)
}

pub(super) fn as_of(snapshot: &ViewSnapshot, at: AsOf) -> Result<RegistryState, ViewError> {
    let mut state = RegistryState::default();
    for pair in snapshot.scan(&[CHANGE], &[CHANGE]) {
        let (number, bytes) = pair?;
        let change: RegistryChange = unpack(&bytes)?;
        if !at.covers(change.seq, change.time_ns) {
            break;
        }
        state.registry_version = trailing_u64(&number)?;
        match change.after {
            Some(capability) => state.capabilities.insert(change.name, capability),
            None => state.capabilities.remove(&change.name),
        };
    }
    Ok(state)
}
