// SPDX-License-Identifier: Apache-2.0
//! The runtime metadata store's handle (FC-STORAGE §9).

use super::handle::{Handle, Wanted};
use super::watch::Watch;
use crate::commands::{
    CapabilityDefinition, ChangeCapability, Command, Context, Identify, Receipt,
    RegisterCapability, RemoveModule, SavePosition, SetModule, SwitchCapability, Transition,
    UnregisterCapability,
};
use crate::error::{AppendError, ReadError};
use crate::events::{RuntimeId, State, Store};
use crate::ledger::read::views::ViewSet;
use crate::projections::{AsOf, Module, RegistryState, Runtime, RuntimeState, SavedPosition};

/// Names, states, versions, places and times of this store.
const STANDING: Wanted = Wanted::Standing(Store::RuntimeMetadata);
/// The texts and bytes that components wrote into this store.
const PAYLOADS: Wanted = Wanted::Payloads(Store::RuntimeMetadata);

/// The runtime metadata store (FC-STORAGE §9).
///
/// Every read holds what this ledger acknowledged before the call, by whichever handle. Reads wait
/// for the view that answers them, at most for a minute, without blocking a thread; where it is
/// halted or being made again they are an error at once (`unavailable`, `recovering`). Dropping a
/// read ends the wait and nothing else.
#[derive(Clone)]
pub struct RuntimeMetadata(pub(in crate::ledger) Handle);

impl RuntimeMetadata {
    /// Says who the runtime is.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn identify(
        &self,
        runtime: RuntimeId,
        version: String,
        context: Context,
    ) -> Result<Receipt, AppendError> {
        let command = Identify {
            context,
            runtime,
            version,
        };
        self.0.receipt(Command::Identify(command)).await
    }

    /// Sets a module's version.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn set_module(&self, command: SetModule) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::SetModule(command)).await
    }

    /// Removes a module.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn remove_module(&self, command: RemoveModule) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::RemoveModule(command)).await
    }

    /// Registers a capability; it is disabled until enabled.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn register(
        &self,
        capability: &str,
        definition: CapabilityDefinition,
        context: Context,
    ) -> Result<Receipt, AppendError> {
        let capability = capability.to_owned();
        let command = RegisterCapability {
            context,
            capability,
            definition,
            expected_version: None,
        };
        self.0.receipt(Command::RegisterCapability(command)).await
    }

    /// Changes a capability's definition.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn change(&self, command: ChangeCapability) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::ChangeCapability(command)).await
    }

    /// Enables or disables a capability.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn switch(&self, command: SwitchCapability) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::SwitchCapability(command)).await
    }

    /// Enables a capability, whatever the registry's version, and without a reason: see
    /// [`RuntimeMetadata::switch`] for the full form.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed.
    ///
    /// ```
    /// # use femtoclaw_ledger::{AppendError, Receipt, RuntimeMetadata};
    /// async fn example(metadata: &RuntimeMetadata) -> Result<Receipt, AppendError> {
    ///     metadata.enable("read_file").await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn enable(&self, capability: &str) -> Result<Receipt, AppendError> {
        self.switch(switched(capability, true)).await
    }

    /// Disables a capability, whatever the registry's version, and without a reason: see
    /// [`RuntimeMetadata::switch`] for the full form.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed.
    ///
    /// ```
    /// # use femtoclaw_ledger::{AppendError, Receipt, RuntimeMetadata};
    /// async fn example(metadata: &RuntimeMetadata) -> Result<Receipt, AppendError> {
    ///     metadata.disable("read_file").await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn disable(&self, capability: &str) -> Result<Receipt, AppendError> {
        self.switch(switched(capability, false)).await
    }

    /// Unregisters a capability.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn unregister(&self, command: UnregisterCapability) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::UnregisterCapability(command)).await
    }

    /// Moves the runtime's state machine (execution model §5).
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// `InvalidTransition`, audited.
    pub async fn transition(
        &self,
        to: State,
        expected: Option<State>,
        context: Context,
    ) -> Result<Receipt, AppendError> {
        let command = Transition {
            context,
            to,
            expected,
        };
        self.0.receipt(Command::Transition(command)).await
    }

    /// Saves a subscriber's named position, durably: it has handled everything up to `seq`. With
    /// `expected`, only where the position stands there (0: never saved), and then it may also go
    /// back; without, it only goes on. So of two subscribers with one name none loses the other's
    /// place in silence.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// `PositionConflict`: it stands elsewhere, or would go back; `PositionBeyondHead`: `seq` is not
    /// durable yet; both audited. Otherwise as an append.
    pub async fn save_position(
        &self,
        name: &str,
        seq: u64,
        expected: Option<u64>,
        context: Context,
    ) -> Result<Receipt, AppendError> {
        let name = name.to_owned();
        let command = SavePosition {
            context,
            name,
            seq,
            expected,
        };
        self.0.receipt(Command::SavePosition(command)).await
    }

    /// A saved position.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn position(&self, name: &str) -> Result<Option<SavedPosition>, ReadError> {
        let name = name.to_owned();
        let read = move |set: &ViewSet| set.metadata.saved_position(&name);
        self.0.read(STANDING, read).await
    }

    /// Who the runtime is.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn runtime(&self) -> Result<Option<Runtime>, ReadError> {
        self.0.read(STANDING, |set| set.metadata.runtime()).await
    }

    /// Modules and their versions.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn modules(&self) -> Result<Vec<Module>, ReadError> {
        self.0.read(STANDING, |set| set.metadata.modules()).await
    }

    /// Where the runtime's state machine stands.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn state(&self) -> Result<Option<RuntimeState>, ReadError> {
        self.0.read(STANDING, |set| set.metadata.state()).await
    }

    /// The capability registry. To decide by it, take [`Ledger::in_force`](crate::Ledger::in_force)
    /// instead.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn registry(&self) -> Result<RegistryState, ReadError> {
        self.0.read(PAYLOADS, |set| set.metadata.registry()).await
    }

    /// Watches the capability registry.
    #[must_use]
    pub fn watch_registry(&self) -> Watch<RegistryState> {
        let positions = self.0.inner.set.metadata.view().watch();
        let read = |set: &ViewSet, seen: u64| {
            if set.metadata.registry_version()? <= seen {
                return Ok(None);
            }
            let registry = set.metadata.registry()?;
            Ok(Some((registry.registry_version, registry)))
        };
        Watch::new(&self.0, PAYLOADS, positions, read)
    }

    /// The capability registry at a place or time.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn registry_as_of(&self, at: AsOf) -> Result<RegistryState, ReadError> {
        self.0
            .read(PAYLOADS, move |set| set.metadata.registry_as_of(at))
            .await
    }
}

fn switched(capability: &str, enabled: bool) -> SwitchCapability {
    SwitchCapability {
        context: Context::new(),
        capability: capability.to_owned(),
        enabled,
        reason: String::new(),
        expected_version: None,
    }
}
