// SPDX-License-Identifier: Apache-2.0
//! Runtime metadata: who the runtime is, its modules, the capability registry, its state machine,
//! saved positions (FC-STORAGE §9).

use serde::{Deserialize, Serialize};

use crate::events::{Event, EventType, Record, RecordHeader, RuntimeId, State};

use super::keys::{key, name_key, pack, unpack};
use super::registry::{self, Capability, RegistryState};
use super::view::reader;
use super::{AsOf, Projection, ProjectionError, View, ViewBatch, ViewError, ViewSnapshot};

const VERSION: u32 = 1;
const RUNTIME: u8 = b'r';
/// name key → module.
const MODULE: u8 = b'm';
const STATE: u8 = b's';
/// name key → saved position.
const SAVED: u8 = b'p';
/// `TransitionsRecorded.machine`: the runtime's own.
const RUNTIME_MACHINE: u8 = 0;

/// Who the runtime said it is.
///
/// Example: [`runtime_metadata`](crate::runtime_metadata).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Its id.
    pub runtime: RuntimeId,
    /// Its version.
    pub version: String,
    /// The record that says so.
    pub seq: u64,
    /// When, in nanoseconds since 1970.
    #[serde(rename = "time", with = "crate::events::readable::time")]
    pub time_ns: i64,
}

crate::events::readable::debug_as_read!(Runtime);

/// A module of the runtime.
///
/// Example: [`runtime_metadata`](crate::runtime_metadata).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The record that says so.
    pub seq: u64,
    /// When, in nanoseconds since 1970.
    #[serde(rename = "time", with = "crate::events::readable::time")]
    pub time_ns: i64,
}

crate::events::readable::debug_as_read!(Module);

/// Where the runtime's own state machine stands.
///
/// Example: [`runtime_metadata`](crate::runtime_metadata).
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct RuntimeState {
    /// The state.
    pub state: State,
    /// The record of the last transition, or of the opening since.
    pub seq: u64,
    /// When, in nanoseconds since 1970.
    #[serde(
        rename = "time",
        serialize_with = "crate::events::readable::time::serialize"
    )]
    pub time_ns: i64,
}

crate::events::readable::debug_as_read!(RuntimeState);

/// A subscriber's durable position.
///
/// Example: [`runtime_metadata`](crate::runtime_metadata).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPosition {
    /// Its name.
    pub name: String,
    /// The last sequence number handled (0: none).
    pub position: u64,
    /// The record that saved it.
    pub seq: u64,
    /// When, in nanoseconds since 1970.
    #[serde(rename = "time", with = "crate::events::readable::time")]
    pub time_ns: i64,
}

crate::events::readable::debug_as_read!(SavedPosition);

/// The projection.
///
/// Example: `tests/projections/as_of.rs`.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuntimeMetadataProjection;

impl RuntimeMetadataProjection {
    /// The view's name.
    pub const NAME: &'static str = super::names::RUNTIME_METADATA;
}

impl Projection for RuntimeMetadataProjection {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn wants(&self, header: &RecordHeader) -> bool {
        match header.event_type {
            EventType::RuntimeIdentified
            | EventType::ModuleVersionSet
            | EventType::ModuleRemoved
            | EventType::LedgerOpened
            | EventType::PositionSaved => true,
            // An execution's machine is not the runtime's.
            EventType::TransitionsRecorded => header.execution.is_nil(),
            other => registry::CHANGES.contains(&other),
        }
    }

    fn apply(
        &mut self,
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let (seq, time_ns) = (record.header.seq.get(), record.header.time_ns);
        match event {
            Event::RuntimeIdentified(e) => {
                let runtime = Runtime {
                    runtime: e.runtime,
                    version: e.version.clone(),
                    seq,
                    time_ns,
                };
                batch.put(&[RUNTIME], pack(&runtime));
            }
            Event::ModuleVersionSet(e) => {
                let module = Module {
                    name: e.module.clone(),
                    version: e.version.clone(),
                    seq,
                    time_ns,
                };
                batch.put(&key(MODULE, &[&name_key(&e.module)]), pack(&module));
            }
            Event::ModuleRemoved(e) => batch.delete(&key(MODULE, &[&name_key(&e.module)])),
            Event::TransitionsRecorded(e) if e.machine == RUNTIME_MACHINE => {
                if let Some(state) = e.path.last() {
                    batch.put(&[STATE], pack(&(*state, seq, time_ns)));
                }
            }
            // A new opening is a new start of the runtime.
            Event::LedgerOpened(_) => {
                batch.put(&[STATE], pack(&(State::Initializing.code(), seq, time_ns)));
            }
            Event::PositionSaved(e) => {
                let saved = SavedPosition {
                    name: e.name.clone(),
                    position: e.seq,
                    seq,
                    time_ns,
                };
                batch.put(&key(SAVED, &[&name_key(&e.name)]), pack(&saved));
            }
            _ => registry::apply(record, event, batch)?,
        }
        Ok(())
    }
}

/// Reads the runtime metadata view, at the view's position: wait for a newer one with
/// [`View::at_least`].
///
/// Example: `tests/projections/as_of.rs`.
#[derive(Debug, Clone)]
pub struct RuntimeMetadataView(View);

reader!(RuntimeMetadataView, RuntimeMetadataProjection, VERSION);

impl RuntimeMetadataView {
    fn value<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, ViewError> {
        self.read(|snapshot| snapshot.value(key))
    }

    fn values<T: serde::de::DeserializeOwned>(&self, tag: u8) -> Result<Vec<T>, ViewError> {
        self.read(|snapshot| {
            let pairs = snapshot.scan(&[tag], &[tag]);
            pairs.map(|pair| Ok(unpack(&pair?.1)?)).collect()
        })
    }

    /// Who the runtime is; `None` where it has not said.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn runtime(&self) -> Result<Option<Runtime>, ViewError> {
        self.value(&[RUNTIME])
    }

    /// All modules, sorted by name.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn modules(&self) -> Result<Vec<Module>, ViewError> {
        let mut modules: Vec<Module> = self.values(MODULE)?;
        modules.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(modules)
    }

    /// The capability registry.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn registry(&self) -> Result<RegistryState, ViewError> {
        self.read(registry::current)
    }

    /// One capability; `None` where it is not registered.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn capability(&self, name: &str) -> Result<Option<Capability>, ViewError> {
        self.read(|snapshot| registry::capability(snapshot, name))
    }

    /// The capability registry as it was at a moment.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn registry_as_of(&self, at: AsOf) -> Result<RegistryState, ViewError> {
        self.read(|snapshot| registry::as_of(snapshot, at))
    }

    /// Number of registry changes.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn registry_version(&self) -> Result<u64, ViewError> {
        self.read(registry::version)
    }

    /// Where the runtime's state machine stands; `None` before the first opening.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn state(&self) -> Result<Option<RuntimeState>, ViewError> {
        let stored: Option<(u8, u64, i64)> = self.value(&[STATE])?;
        Ok(stored.and_then(|(state, seq, time_ns)| {
            let state = State::from_code(state)?;
            Some(RuntimeState {
                state,
                seq,
                time_ns,
            })
        }))
    }

    /// A subscriber's saved position; `None` where none was saved.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn saved_position(&self, name: &str) -> Result<Option<SavedPosition>, ViewError> {
        self.value(&key(SAVED, &[&name_key(name)]))
    }

    /// All saved positions, sorted by name.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn saved_positions(&self) -> Result<Vec<SavedPosition>, ViewError> {
        let mut saved: Vec<SavedPosition> = self.values(SAVED)?;
        saved.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(saved)
    }
}
