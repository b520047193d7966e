// SPDX-License-Identifier: Apache-2.0
//! Runtime metadata: who the runtime is, its modules, its capabilities, its state machine.

use std::sync::Arc;

use rpds::RedBlackTreeMapSync;
use serde::{Deserialize, Serialize};

use super::capability_registry::Registry;
use super::draft::{
    Decided, Draft, REGISTRY_STREAM, RUNTIME_MACHINE, RUNTIME_STREAM, Reply, transitions,
};
use super::event_sourced::{EventPlace, EventSourced, ReplayError, Surroundings};
use crate::commands::check::invalid;
use crate::commands::{Command, Context, SavePosition, Transition};
use crate::error::AppendError;
use crate::events::{
    Event, ModuleRemovedV1, ModuleVersionSetV1, Outcome, PositionSavedV1, RuntimeId,
    RuntimeIdentifiedV1, Seq, State as Machine, Store,
};

mod places;
pub(crate) mod registry;

/// Where the runtime stands. A clone costs nothing, whatever there is of modules, capabilities and positions.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeMetadataState {
    /// Version of the runtime's stream.
    version: u64,
    identity: Option<(RuntimeId, String)>,
    modules: RedBlackTreeMapSync<String, String>,
    registry: Arc<Registry>,
    machine: Machine,
    positions: RedBlackTreeMapSync<String, u64>,
    /// Events applied that had no place yet.
    applied: u64,
    /// The record of the registry's last change; `None` until that has a place.
    registry_seq: Option<Seq>,
    unplaced: Option<UnplacedRegistry>,
}

/// A change of the registry on its way to its place in the journal.
#[derive(Debug, Clone, Copy)]
struct UnplacedRegistry {
    /// `applied` with it.
    number: u64,
    /// Its place is behind this record.
    after: u64,
}

impl Default for RuntimeMetadataState {
    fn default() -> Self {
        Self {
            version: 0,
            identity: None,
            modules: RedBlackTreeMapSync::new_sync(),
            registry: Arc::default(),
            machine: Machine::Initializing,
            positions: RedBlackTreeMapSync::new_sync(),
            applied: 0,
            registry_seq: None,
            unplaced: None,
        }
    }
}

/// What is saved of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct RuntimePortrait {
    version: u64,
    identity: Option<(RuntimeId, String)>,
    modules: RedBlackTreeMapSync<String, String>,
    registry: Registry,
    registry_seq: Option<Seq>,
    /// The registry's record, where it is missing above, is behind this one.
    unplaced_after: u64,
    machine: u8,
    positions: RedBlackTreeMapSync<String, u64>,
}

impl RuntimeMetadataState {
    pub(crate) fn portrait(&self) -> RuntimePortrait {
        RuntimePortrait {
            version: self.version,
            identity: self.identity.clone(),
            modules: self.modules.clone(),
            registry: (*self.registry).clone(),
            registry_seq: self.registry_seq,
            unplaced_after: self.unplaced.map_or(0, |it| it.after),
            machine: self.machine.code(),
            positions: self.positions.clone(),
        }
    }

    pub(crate) fn from_portrait(portrait: RuntimePortrait) -> Self {
        Self {
            version: portrait.version,
            identity: portrait.identity,
            modules: portrait.modules,
            registry: Arc::new(portrait.registry),
            machine: Machine::from_code(portrait.machine).unwrap_or(Machine::Initializing),
            positions: portrait.positions,
            applied: 0,
            registry_seq: portrait.registry_seq,
            unplaced: None,
        }
    }

    /// The registry as it stands; for [`super::in_force::DecidedInForce`].
    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    /// Where the runtime's state machine stands.
    #[cfg(test)]
    pub(crate) const fn machine(&self) -> Machine {
        self.machine
    }

    /// The runtime's id and version.
    #[cfg(test)]
    pub(crate) const fn identity(&self) -> Option<&(RuntimeId, String)> {
        self.identity.as_ref()
    }

    /// Modules and their versions.
    #[cfg(test)]
    pub(crate) fn modules(&self) -> &RedBlackTreeMapSync<String, String> {
        &self.modules
    }

    /// A subscriber's saved position.
    #[cfg(test)]
    pub(crate) fn position(&self, name: &str) -> Option<u64> {
        self.positions.get(name).copied()
    }

    /// The ledger's own record at a clean close: the machine walks to TERMINATED. `None` where it
    /// stands there already.
    pub(crate) fn closing(&self) -> Option<Draft> {
        let rest: &[Machine] = match self.machine {
            Machine::Initializing => &[Machine::Idle, Machine::Shutdown, Machine::Terminated],
            Machine::Shutdown => &[Machine::Terminated],
            Machine::Terminated => return None,
            _ => &[Machine::Shutdown, Machine::Terminated],
        };
        let path = [&[self.machine], rest].concat();
        Some(self.walk(&Context::new(), &path))
    }

    fn walk(&self, context: &Context, path: &[Machine]) -> Draft {
        self.runtime(context, transitions(RUNTIME_MACHINE, path))
            .outcome(Outcome::Neutral)
            .also(Store::RuntimeMetadata)
    }

    fn runtime(&self, context: &Context, event: impl Into<Event>) -> Draft {
        Draft::new(event)
            .context(context)
            .stream(RUNTIME_STREAM, self.version + 1)
            .outcome(Outcome::Success)
    }

    fn transition(&self, command: &Transition) -> Result<Draft, AppendError> {
        let refused = |hint| AppendError::InvalidTransition {
            from: self.machine.name(),
            to: command.to.name(),
            hint,
        };
        if command
            .expected
            .is_some_and(|expected| expected != self.machine)
        {
            return Err(refused(
                "the runtime does not stand where that was expected",
            ));
        }
        if !command.to.is_runtime() {
            return Err(refused(
                "that is a state of an execution, not of the runtime",
            ));
        }
        if !self.machine.permits(command.to) {
            return Err(refused("the runtime's state machine has no such step"));
        }
        Ok(self.walk(&command.context, &[self.machine, command.to]))
    }
}

impl RuntimeMetadataState {
    /// A position goes on; back only from where the caller expects it; never beyond what is durable.
    fn position_saved(
        &self,
        command: &SavePosition,
        around: &Surroundings<'_>,
    ) -> Result<Draft, AppendError> {
        let SavePosition { name, seq, .. } = command;
        let (seq, expected) = (*seq, command.expected);
        let actual = self.positions.get(name).copied();
        if actual.is_none() {
            room("name", self.positions.size(), around.limits.entries_max)?;
        }
        let actual = actual.unwrap_or(0);
        if expected.map_or(actual > seq, |expected| expected != actual) {
            return Err(AppendError::PositionConflict {
                seq,
                expected,
                actual,
            });
        }
        let head = around.history.head();
        if seq > head {
            return Err(AppendError::PositionBeyondHead { seq, head });
        }
        let name = name.clone();
        Ok(Draft::new(PositionSavedV1 { name, seq }).context(&command.context))
    }
}

fn room(field: &'static str, count: usize, entries_max: usize) -> Result<(), AppendError> {
    if count >= entries_max {
        return Err(invalid(field, "is one more than limits.entries_max"));
    }
    Ok(())
}

impl EventSourced for RuntimeMetadataState {
    type Saved = Self;

    fn decide(&self, command: &Command, around: &Surroundings<'_>) -> Result<Decided, AppendError> {
        let entries_max = around.limits.entries_max;
        let draft = match command {
            Command::Identify(it) => {
                let (runtime, version) = (it.runtime, it.version.clone());
                self.runtime(&it.context, RuntimeIdentifiedV1 { runtime, version })
            }
            Command::SetModule(it) => {
                if !self.modules.contains_key(&it.module) {
                    room("module", self.modules.size(), entries_max)?;
                }
                let (module, version) = (it.module.clone(), it.version.clone());
                self.runtime(&it.context, ModuleVersionSetV1 { module, version })
            }
            Command::RemoveModule(it) => {
                if !self.modules.contains_key(&it.module) {
                    return Err(invalid("module", "is not set"));
                }
                let module = it.module.clone();
                self.runtime(&it.context, ModuleRemovedV1 { module })
            }
            Command::Transition(it) => self.transition(it)?,
            Command::SavePosition(it) => self.position_saved(it, around)?,
            other => {
                let (event, version) = self.decide_registry(other, entries_max)?;
                Draft::new(event)
                    .context(other.context())
                    .stream(REGISTRY_STREAM, version)
                    .outcome(Outcome::Success)
            }
        };
        Ok(Decided {
            drafts: vec![draft],
            reply: Reply::Receipt,
        })
    }

    fn on(&mut self, place: &EventPlace, event: &Event) -> Result<(), ReplayError> {
        self.applied += u64::from(place.seq.is_none());
        match event {
            // A new opening is a new start of the runtime.
            Event::LedgerOpened(_) => self.machine = Machine::Initializing,
            Event::RuntimeIdentified(it) => self.identity = Some((it.runtime, it.version.clone())),
            Event::ModuleVersionSet(it) => {
                let modules = &mut self.modules;
                modules.insert_mut(it.module.clone(), it.version.clone());
            }
            Event::ModuleRemoved(it) => {
                self.modules.remove_mut(&it.module);
            }
            Event::TransitionsRecorded(it) if it.machine == RUNTIME_MACHINE => {
                let last = it.path.last().copied().and_then(Machine::from_code);
                self.machine =
                    last.ok_or_else(|| place.inconsistent("a path of no known state"))?;
            }
            Event::PositionSaved(it) => {
                self.positions.insert_mut(it.name.clone(), it.seq);
            }
            other => self.on_registry(place, other)?,
        }
        if place.stream == RUNTIME_STREAM {
            self.version = place.stream_version;
        }
        Ok(())
    }

    fn save(&self, _: &[Command]) -> Self {
        self.clone()
    }

    fn undo(&mut self, saved: Self, _: &[Decided]) {
        *self = saved;
    }
}

#[cfg(test)]
mod tests;
