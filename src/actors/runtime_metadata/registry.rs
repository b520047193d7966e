// SPDX-License-Identifier: Apache-2.0
//! The capability registry: a capability is registered, disabled, until it is enabled.

use std::sync::Arc;

use super::super::capability_registry::{RegisteredCapability, RegisteredDefinition, Registry};
use super::super::event_sourced::{EventPlace, ReplayError, cross_store, expect_version};
use super::{RuntimeMetadataState, room};
use crate::commands::Command;
use crate::error::AppendError;
use crate::events::{
    CapabilityChangedV1, CapabilityDisabledV1, CapabilityEnabledV1, CapabilityRegisteredV1,
    CapabilityUnregisteredV1, Event, Store,
};

/// A capability's life in a refusal's words.
pub(super) const UNREGISTERED: &str = "UNREGISTERED";
pub(super) const DISABLED: &str = "DISABLED";
pub(super) const ENABLED: &str = "ENABLED";

impl RuntimeMetadataState {
    /// The capability's place in its life, checked against what the command needs.
    fn capability(
        &self,
        name: &str,
        expected_version: Option<u64>,
        from: &[&'static str],
        to: &'static str,
    ) -> Result<u64, AppendError> {
        expect_version(expected_version, self.registry.version)?;
        let stands = match self.registry.capabilities.get(name) {
            None => UNREGISTERED,
            Some(capability) if capability.enabled => ENABLED,
            Some(_) => DISABLED,
        };
        if !from.contains(&stands) {
            let hint = "the capability does not stand where that is possible";
            let from = stands;
            return Err(AppendError::InvalidTransition { from, to, hint });
        }
        Ok(self.registry.version + 1)
    }

    pub(super) fn decide_registry(
        &self,
        command: &Command,
        entries_max: usize,
    ) -> Result<(Event, u64), AppendError> {
        let registered: &[&'static str] = &[DISABLED, ENABLED];
        Ok(match command {
            Command::RegisterCapability(it) => {
                let expected = it.expected_version;
                let version =
                    self.capability(&it.capability, expected, &[UNREGISTERED], "REGISTERED")?;
                room("capability", self.registry.capabilities.size(), entries_max)?;
                let event = CapabilityRegisteredV1 {
                    capability: it.capability.clone(),
                    version: it.definition.version.clone(),
                    description: it.definition.description.clone(),
                    parameters: it.definition.parameters.clone(),
                    registry_version: version,
                };
                (event.into(), version)
            }
            Command::ChangeCapability(it) => {
                let expected = it.expected_version;
                let version = self.capability(&it.capability, expected, registered, "CHANGED")?;
                let event = CapabilityChangedV1 {
                    capability: it.capability.clone(),
                    version: it.definition.version.clone(),
                    description: it.definition.description.clone(),
                    parameters: it.definition.parameters.clone(),
                    registry_version: version,
                };
                (event.into(), version)
            }
            Command::SwitchCapability(it) => {
                let (from, to) = if it.enabled {
                    (DISABLED, ENABLED)
                } else {
                    (ENABLED, DISABLED)
                };
                let version = self.capability(&it.capability, it.expected_version, &[from], to)?;
                (
                    switched(&it.capability, it.enabled, &it.reason, version),
                    version,
                )
            }
            Command::UnregisterCapability(it) => {
                let expected = it.expected_version;
                let version =
                    self.capability(&it.capability, expected, registered, UNREGISTERED)?;
                let event = CapabilityUnregisteredV1 {
                    capability: it.capability.clone(),
                    reason: it.reason.clone(),
                    registry_version: version,
                };
                (event.into(), version)
            }
            other => return Err(cross_store(Store::RuntimeMetadata, other)),
        })
    }

    /// The next registry, where its version is the next one.
    fn registry_at(
        &mut self,
        place: &EventPlace,
        version: u64,
    ) -> Result<&mut Registry, ReplayError> {
        if version != self.registry.version + 1 {
            return Err(place.inconsistent(format!("registry version {version} is out of order")));
        }
        self.moved(place);
        let registry = Arc::make_mut(&mut self.registry);
        registry.version = version;
        Ok(registry)
    }

    pub(super) fn on_registry(
        &mut self,
        place: &EventPlace,
        event: &Event,
    ) -> Result<(), ReplayError> {
        match event {
            Event::CapabilityRegistered(it) => {
                let capability = RegisteredCapability {
                    definition: defined(&it.version, &it.description, &it.parameters),
                    enabled: false,
                };
                let registry = self.registry_at(place, it.registry_version)?;
                registry
                    .capabilities
                    .insert_mut(it.capability.clone(), capability);
            }
            Event::CapabilityChanged(it) => {
                let registry = self.registry_at(place, it.registry_version)?;
                let capability = existing(registry, place, &it.capability)?;
                capability.definition = defined(&it.version, &it.description, &it.parameters);
            }
            Event::CapabilityEnabled(it) => {
                let registry = self.registry_at(place, it.registry_version)?;
                existing(registry, place, &it.capability)?.enabled = true;
            }
            Event::CapabilityDisabled(it) => {
                let registry = self.registry_at(place, it.registry_version)?;
                existing(registry, place, &it.capability)?.enabled = false;
            }
            Event::CapabilityUnregistered(it) => {
                let registry = self.registry_at(place, it.registry_version)?;
                existing(registry, place, &it.capability)?;
                registry.capabilities.remove_mut(&it.capability);
            }
            _ => {}
        }
        Ok(())
    }
}

fn defined(version: &str, description: &str, parameters: &[u8]) -> Arc<RegisteredDefinition> {
    Arc::new(RegisteredDefinition {
        version: version.to_owned(),
        description: description.to_owned(),
        parameters: parameters.to_owned(),
    })
}

fn switched(capability: &str, enabled: bool, reason: &str, registry_version: u64) -> Event {
    let (capability, reason) = (capability.to_owned(), reason.to_owned());
    if enabled {
        Event::CapabilityEnabled(CapabilityEnabledV1 {
            capability,
            reason,
            registry_version,
        })
    } else {
        Event::CapabilityDisabled(CapabilityDisabledV1 {
            capability,
            reason,
            registry_version,
        })
    }
}

fn existing<'a>(
    registry: &'a mut Registry,
    place: &EventPlace,
    name: &str,
) -> Result<&'a mut RegisteredCapability, ReplayError> {
    let unknown = || place.inconsistent(format!("capability {name:?} is not registered"));
    registry.capabilities.get_mut(name).ok_or_else(unknown)
}
