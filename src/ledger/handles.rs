//! A component's handles: one per store, made from its grant. What takes time is asynchronous;
//! dropping a call's future drops the wait, not the command.

use crate::access::Grant;
use crate::actors::{Answered, Refusal, Reply};
use crate::commands::{
    AuditEntry, Authorization, Begun, CapabilityDefinition, Change, ChangeCapability, Changed,
    Command, Context, Ending, Failure, Finish, Identify, Imported, Observation, Permit, Receipt,
    RegisterCapability, Rejected, Rejection, RemoveModule, Request, Resolve, ResolveInDoubt,
    Rollback, Running, SavePosition, SetModule, Start, StartError, SwitchCapability, Transition,
    UnregisterCapability,
};
use crate::error::{AccessError, AppendError, ReadError};
use crate::events::{ExecutionId, RuntimeId, State, Store, StoreMask};
use crate::projections::{
    AsOf, DiffLine, DocumentVersion, ExecutionEntry, ExecutionStatus, Module, RegistryState,
    Runtime, RuntimeState, SavedPosition, VersionInfo,
};

use super::{Ledger, past::unviewable, reads::blocking};

#[derive(Clone)]
pub(crate) struct Handle {
    ledger: Ledger,
    grant: Grant,
}

pub(super) fn handle(ledger: &Ledger, grant: &Grant, store: Store) -> Result<Handle, AccessError> {
    let core = &ledger.0.core;
    let has_some = core.known(&grant.0).and_then(|()| {
        let append = grant.0.may_append(store);
        append.or_else(|error| {
            grant
                .0
                .may_read(StoreMask::NONE.with(store))
                .map_err(|_| error)
        })
    });
    if let Err(error) = &has_some {
        core.shared
            .own
            .refused(grant.name(), error.code(), true, || {
                format!("handle: {error}")
            });
    }
    has_some.map(|()| Handle {
        ledger: ledger.clone(),
        grant: grant.clone(),
    })
}

impl Handle {
    async fn ask(&self, command: Command) -> Result<Answered, AppendError> {
        self.try_ask(command).await.map_err(|refusal| refusal.error)
    }

    async fn try_ask(&self, command: Command) -> Result<Answered, Refusal> {
        self.ledger.0.core.submit_one(&self.grant, command).await
    }

    async fn receipt(&self, command: Command) -> Result<Receipt, AppendError> {
        self.ask(command).await.map(|answered| answered.receipt)
    }

    async fn read<R: Send + 'static>(
        &self,
        store: Store,
        read: impl FnOnce(&super::ViewSet) -> Result<R, crate::projections::ReadError> + Send + 'static,
    ) -> Result<R, ReadError> {
        self.ledger
            .0
            .core
            .may_read(&self.grant.0, StoreMask::NONE.with(store))?;
        let set = self.ledger.0.set.clone();
        blocking(move || read(&set).map_err(unviewable)).await
    }
}

/// An answer that does not fit its command would be a defect of ours: nobody can say what it means.
fn misfit(answered: &Answered) -> AppendError {
    AppendError::OutcomeUnknown {
        command: answered.receipt.command,
    }
}

fn execution_of(answered: &Answered) -> Result<ExecutionId, AppendError> {
    match answered.reply {
        Reply::Decided { execution, .. } | Reply::Execution(execution) => Ok(execution),
        _ => Err(misfit(answered)),
    }
}

/// The execution log (FC-STORAGE §5).
#[derive(Clone)]
pub struct ExecutionLog(pub(super) Handle);

impl ExecutionLog {
    /// Records a decision. An authorized one is answered with the permit to start.
    ///
    /// # Errors
    /// [`AppendError`]; `PermitStale` where what it rested on has moved, `CapabilityNotEnabled`.
    pub async fn authorize(&self, request: Request) -> Result<Authorization, AppendError> {
        let answered = self.0.ask(Command::Authorize(request)).await?;
        let receipt = answered.receipt;
        match answered.reply {
            Reply::Decided {
                execution,
                decision,
                permit,
                ..
            } => Ok(Authorization {
                execution,
                receipt,
                decision,
                permit,
            }),
            _ => Err(misfit(&answered)),
        }
    }

    /// Records a decision and, where it authorizes, the start, in one commit: when this returns
    /// with `started`, the effect may happen.
    ///
    /// # Errors
    /// As [`ExecutionLog::authorize`]; `Busy` where too many executions run.
    pub async fn begin(&self, request: Request) -> Result<Begun, AppendError> {
        let answered = self.0.ask(Command::Begin(request)).await?;
        let receipt = answered.receipt;
        match answered.reply {
            Reply::Decided {
                execution,
                decision,
                started,
                ..
            } => Ok(Begun {
                execution,
                receipt,
                decision,
                started,
            }),
            _ => Err(misfit(&answered)),
        }
    }

    /// Starts an authorized execution: durable before its effect.
    ///
    /// # Errors
    /// [`StartError`] gives the permit back where nothing was written; `PermitStale` where
    /// configuration or registry have moved since.
    pub async fn start(&self, permit: Permit, context: Context) -> Result<Running, StartError> {
        match self
            .0
            .try_ask(Command::Start(Start { context, permit }))
            .await
        {
            Ok(answered) => {
                let receipt = answered.receipt;
                let execution = execution_of(&answered).map_err(|error| StartError {
                    error,
                    permit: None,
                })?;
                Ok(Running { execution, receipt })
            }
            Err(Refusal {
                error,
                mut commands,
            }) => {
                let unknown = matches!(error, AppendError::OutcomeUnknown { .. });
                let permit = match commands.pop() {
                    Some(Command::Start(start)) if !unknown => Some(start.permit),
                    _ => None,
                };
                Err(StartError { error, permit })
            }
        }
    }

    /// Records an output that the protocol does not accept.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn reject(&self, rejection: Rejection) -> Result<Rejected, AppendError> {
        let answered = self.0.ask(Command::Reject(rejection)).await?;
        Ok(Rejected {
            execution: execution_of(&answered)?,
            receipt: answered.receipt,
        })
    }

    /// Records that an execution succeeded. Never refused for size or load.
    ///
    /// # Errors
    /// `UnknownExecution`, `InvalidTransition`, `InvalidJson`.
    pub async fn complete(
        &self,
        execution: ExecutionId,
        context: Context,
        result: Vec<u8>,
    ) -> Result<Receipt, AppendError> {
        self.finish(execution, context, Ending::Completed(result))
            .await
    }

    /// Records that an execution failed. Never refused for size or load.
    ///
    /// # Errors
    /// As [`ExecutionLog::complete`].
    pub async fn fail(
        &self,
        execution: ExecutionId,
        context: Context,
        failure: Failure,
    ) -> Result<Receipt, AppendError> {
        self.finish(execution, context, Ending::Failed(failure))
            .await
    }

    /// Records that an execution was cancelled. Never refused for load.
    ///
    /// # Errors
    /// As [`ExecutionLog::complete`].
    pub async fn cancel(
        &self,
        execution: ExecutionId,
        context: Context,
        reason: String,
    ) -> Result<Receipt, AppendError> {
        self.finish(execution, context, Ending::Cancelled(reason))
            .await
    }

    async fn finish(
        &self,
        execution: ExecutionId,
        context: Context,
        ending: Ending,
    ) -> Result<Receipt, AppendError> {
        self.0
            .receipt(Command::Finish(Finish {
                context,
                execution,
                ending,
            }))
            .await
    }

    /// Says how an execution in doubt ended.
    ///
    /// # Errors
    /// `InvalidTransition` where it is not in doubt.
    pub async fn resolve(
        &self,
        execution: ExecutionId,
        context: Context,
        resolve: Resolve,
    ) -> Result<Receipt, AppendError> {
        self.0
            .receipt(Command::Resolve(ResolveInDoubt {
                context,
                execution,
                resolve,
            }))
            .await
    }

    /// Records a whole execution after the fact: for imports and effect-free capabilities.
    ///
    /// # Errors
    /// As [`ExecutionLog::authorize`].
    pub async fn record(&self, imported: Imported) -> Result<Rejected, AppendError> {
        let answered = self.0.ask(Command::Import(imported)).await?;
        Ok(Rejected {
            execution: execution_of(&answered)?,
            receipt: answered.receipt,
        })
    }

    /// Executions started before a restart and not finished, in order of their start.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn in_doubt(&self) -> Result<Vec<ExecutionEntry>, ReadError> {
        self.0.ledger.at_least(self.0.ledger.head().seq).await?;
        let mut entries = self.by_status(ExecutionStatus::InDoubt, usize::MAX).await?;
        entries.sort_unstable_by_key(|entry| entry.started_seq);
        Ok(entries)
    }

    /// Executions that stand so, at most `limit`, as the view has them.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn by_status(
        &self,
        status: ExecutionStatus,
        limit: usize,
    ) -> Result<Vec<ExecutionEntry>, ReadError> {
        let read = move |set: &super::ViewSet| set.executions.by_status(status, 0, limit);
        self.0.read(Store::ExecutionLog, read).await
    }

    /// One execution, as the view has it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn get(&self, execution: ExecutionId) -> Result<Option<ExecutionEntry>, ReadError> {
        self.0
            .read(Store::ExecutionLog, move |set| {
                set.executions.get(execution)
            })
            .await
    }

    /// How many executions stand where.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn counts(&self) -> Result<Vec<(ExecutionStatus, u64)>, ReadError> {
        self.0
            .read(Store::ExecutionLog, |set| set.executions.counts())
            .await
    }
}

/// The audit log (FC-STORAGE §6).
#[derive(Clone)]
pub struct AuditLog(pub(super) Handle);

impl AuditLog {
    /// Records an audit event.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn record(&self, entry: AuditEntry) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::Audit(entry)).await
    }
}

/// The telemetry store (FC-STORAGE §7).
#[derive(Clone)]
pub struct Telemetry(pub(super) Handle);

impl Telemetry {
    /// Records an observation, durably.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn record(&self, observation: Observation) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::Observe(observation)).await
    }

    /// Hands an observation over and returns at once, whatever the disk does. Where the bounded
    /// buffer is full the loss is counted and becomes a durable gap record.
    ///
    /// # Errors
    /// `Invalid`, `InvalidJson`, `TooLarge`, `Access`, `ShuttingDown`: it will not be recorded.
    pub fn emit(&self, mut observation: Observation) -> Result<(), AppendError> {
        let core = &self.0.ledger.0.core;
        let observed = observation
            .observed_ns
            .unwrap_or_else(|| core.shared.clock.now_ns());
        observation.observed_ns = Some(observed);
        let command = Command::Observe(observation);
        let checked = core.may_emit(&self.0.grant.0, &command);
        if let Err(error) = checked {
            core.refused(&self.0.grant.0, std::slice::from_ref(&command), &error);
            return Err(error);
        }
        if !self.0.ledger.0.background.emit(&self.0.grant, command) {
            core.shared.own.lost(observed);
        }
        Ok(())
    }
}

/// The configuration store (FC-STORAGE §8).
#[derive(Clone)]
pub struct Configuration(pub(super) Handle);

impl Configuration {
    async fn changed(&self, command: Command) -> Result<Changed, AppendError> {
        let answered = self.0.ask(command).await?;
        match answered.reply {
            Reply::Changed { version } => Ok(Changed {
                version,
                receipt: answered.receipt,
            }),
            _ => Err(misfit(&answered)),
        }
    }

    /// Gives a document new content.
    ///
    /// # Errors
    /// `VersionConflict`, `Rejected` by a validator; otherwise [`AppendError`].
    pub async fn change(&self, change: Change) -> Result<Changed, AppendError> {
        self.changed(Command::Change(change)).await
    }

    /// Gives a document the content of an earlier version, as a new version.
    ///
    /// # Errors
    /// As [`Configuration::change`].
    pub async fn rollback(&self, rollback: Rollback) -> Result<Changed, AppendError> {
        self.changed(Command::Rollback(rollback)).await
    }

    /// The document in force, as the view has it. A damaged one is an error, never a default.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn current(&self, document: &str) -> Result<Option<DocumentVersion>, ReadError> {
        let document = document.to_owned();
        let read = move |set: &super::ViewSet| set.configuration.current(&document);
        self.0.read(Store::Configuration, read).await
    }

    /// One version of a document.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn version(
        &self,
        document: &str,
        version: u64,
    ) -> Result<Option<DocumentVersion>, ReadError> {
        let document = document.to_owned();
        let read = move |set: &super::ViewSet| set.configuration.version(&document, version);
        self.0.read(Store::Configuration, read).await
    }

    /// Every version of a document: who, when, why, from which version.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn history(&self, document: &str) -> Result<Vec<VersionInfo>, ReadError> {
        let document = document.to_owned();
        let read = move |set: &super::ViewSet| set.configuration.history(&document);
        self.0.read(Store::Configuration, read).await
    }

    /// The version in force at a place or time.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn as_of(
        &self,
        document: &str,
        at: AsOf,
    ) -> Result<Option<DocumentVersion>, ReadError> {
        let document = document.to_owned();
        let read = move |set: &super::ViewSet| set.configuration.as_of(&document, at);
        self.0.read(Store::Configuration, read).await
    }

    /// What changed between two versions, line by line; `None` where one does not exist.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn diff(
        &self,
        document: &str,
        from: u64,
        to: u64,
    ) -> Result<Option<Vec<DiffLine>>, ReadError> {
        let document = document.to_owned();
        let read = move |set: &super::ViewSet| set.configuration.diff(&document, from, to);
        self.0.read(Store::Configuration, read).await
    }

    /// All documents' names.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn documents(&self) -> Result<Vec<String>, ReadError> {
        self.0
            .read(Store::Configuration, |set| set.configuration.documents())
            .await
    }

    /// Follows the view's position: ask again for what is current whenever it moves.
    #[must_use]
    pub fn watch(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.ledger.0.set.configuration.view().watch()
    }
}

/// The runtime metadata store (FC-STORAGE §9).
#[derive(Clone)]
pub struct RuntimeMetadata(pub(super) Handle);

impl RuntimeMetadata {
    /// Says who the runtime is.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn identify(
        &self,
        runtime: RuntimeId,
        version: String,
        context: Context,
    ) -> Result<Receipt, AppendError> {
        self.0
            .receipt(Command::Identify(Identify {
                context,
                runtime,
                version,
            }))
            .await
    }

    /// Sets a module's version.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn set_module(&self, command: SetModule) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::SetModule(command)).await
    }

    /// Removes a module.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn remove_module(&self, command: RemoveModule) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::RemoveModule(command)).await
    }

    /// Registers a capability; it is disabled until enabled.
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
    /// # Errors
    /// [`AppendError`].
    pub async fn change(&self, command: ChangeCapability) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::ChangeCapability(command)).await
    }

    /// Enables or disables a capability.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn switch(&self, command: SwitchCapability) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::SwitchCapability(command)).await
    }

    /// Unregisters a capability.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn unregister(&self, command: UnregisterCapability) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::UnregisterCapability(command)).await
    }

    /// Moves the runtime's state machine (execution model §5).
    ///
    /// # Errors
    /// `InvalidTransition`, audited.
    pub async fn transition(
        &self,
        to: State,
        expected: Option<State>,
        context: Context,
    ) -> Result<Receipt, AppendError> {
        self.0
            .receipt(Command::Transition(Transition {
                context,
                to,
                expected,
            }))
            .await
    }

    /// Saves a subscriber's named position, durably.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn save_position(
        &self,
        name: &str,
        seq: u64,
        context: Context,
    ) -> Result<Receipt, AppendError> {
        let name = name.to_owned();
        self.0
            .receipt(Command::SavePosition(SavePosition { context, name, seq }))
            .await
    }

    /// A saved position, as the view has it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn position(&self, name: &str) -> Result<Option<SavedPosition>, ReadError> {
        let name = name.to_owned();
        let read = move |set: &super::ViewSet| set.metadata.saved_position(&name);
        self.0.read(Store::RuntimeMetadata, read).await
    }

    /// Who the runtime is.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn runtime(&self) -> Result<Option<Runtime>, ReadError> {
        self.0
            .read(Store::RuntimeMetadata, |set| set.metadata.runtime())
            .await
    }

    /// Modules and their versions.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn modules(&self) -> Result<Vec<Module>, ReadError> {
        self.0
            .read(Store::RuntimeMetadata, |set| set.metadata.modules())
            .await
    }

    /// Where the runtime's state machine stands.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn state(&self) -> Result<Option<RuntimeState>, ReadError> {
        self.0
            .read(Store::RuntimeMetadata, |set| set.metadata.state())
            .await
    }

    /// The capability registry, as the view has it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn registry(&self) -> Result<RegistryState, ReadError> {
        self.0
            .read(Store::RuntimeMetadata, |set| set.metadata.registry())
            .await
    }

    /// The capability registry at a place or time.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn registry_as_of(&self, at: AsOf) -> Result<RegistryState, ReadError> {
        self.0
            .read(Store::RuntimeMetadata, move |set| {
                set.metadata.registry_as_of(at)
            })
            .await
    }
}
