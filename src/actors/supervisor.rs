// SPDX-License-Identifier: Apache-2.0
//! Starts the actors and watches them. The meaning of each failure is decided here: a store actor
//! or the sequencer that fails, or stops without being told, seals the ledger — its state may
//! contradict the journal, and nothing is rolled back in memory. Reads go on; appends answer
//! `Sealed`.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use crate::error::Cause;
use crate::events::{ComponentId, LedgerId, Store};
use crate::journal::WriterHandle;
use crate::vitals::Vitals;

use super::StoreRef;
use super::audit_log::AuditLogState;
use super::configuration::ConfigurationState;
use super::decided_in_force::DecidedInForce;
use super::draft::Draft;
use super::event_sourced::EventSourced;
use super::execution_log::ExecutionLogState;
use super::in_force::{Durable, InForce};
use super::mailbox;
use super::runtime_metadata::RuntimeMetadataState;
use super::sequencer::{Sequencer, SequencerArgs, SequencerRef};
use super::store::{Deciding, StoreActor, StoreShared};
use super::telemetry::TelemetryState;

/// The states that the journal holds.
pub(crate) struct StoreStates {
    pub(crate) execution_log: ExecutionLogState,
    pub(crate) configuration: ConfigurationState,
    pub(crate) runtime_metadata: RuntimeMetadataState,
}

impl StoreStates {
    /// This epoch begins: what was open before is in doubt or abandoned.
    pub(crate) fn opened(&mut self, draft: &Draft) -> Result<(), String> {
        let states = [
            self.execution_log.apply(draft, ComponentId::LEDGER),
            self.configuration.apply(draft, ComponentId::LEDGER),
            self.runtime_metadata.apply(draft, ComponentId::LEDGER),
        ];
        states
            .into_iter()
            .collect::<Result<Vec<()>, _>>()
            .map(drop)
            .map_err(|e| e.to_string())
    }

    /// What is in force and durable at the start, the journal ending with the record `head`.
    pub(crate) fn durable(&self, ledger: LedgerId, head: u64) -> Result<Durable, String> {
        let (configuration, metadata) = (&self.configuration, &self.runtime_metadata);
        InForce::opening(ledger, head, configuration, metadata).map(Durable::new)
    }

    /// What is in force at the start.
    pub(crate) fn in_force(&self) -> DecidedInForce {
        let mut in_force = DecidedInForce::default();
        self.configuration.publish(&mut in_force);
        self.runtime_metadata.publish(&mut in_force);
        in_force
    }
}

/// All actors of one opening.
pub(crate) struct Actors {
    vitals: Vitals,
    supervisor: ActorRef<()>,
    sequencer: SequencerRef,
    pub(crate) stores: Stores,
}

/// The five store actors.
#[derive(Clone)]
pub(crate) struct Stores {
    execution_log: StoreRef,
    audit_log: StoreRef,
    telemetry: StoreRef,
    configuration: StoreRef,
    runtime_metadata: StoreRef,
}

impl Stores {
    pub(crate) const fn of(&self, store: Store) -> &StoreRef {
        match store {
            Store::ExecutionLog => &self.execution_log,
            Store::AuditLog => &self.audit_log,
            Store::Telemetry => &self.telemetry,
            Store::Configuration => &self.configuration,
            Store::RuntimeMetadata => &self.runtime_metadata,
        }
    }

    fn all(&self) -> impl Iterator<Item = &StoreRef> {
        Store::ALL.into_iter().map(|store| self.of(store))
    }
}

struct Supervisor(WriterHandle);

impl Actor for Supervisor {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(who, cause) => {
                self.0
                    .seal(&format!("actor {} failed: {cause}", name(&who)));
            }
            // Only a close asks an actor to stop.
            SupervisionEvent::ActorTerminated(who, _, reason) if !self.0.vitals().is_closing() => {
                let reason = reason.unwrap_or_else(|| "it says no reason".to_owned());
                self.0
                    .seal(&format!("actor {} stopped: {reason}", name(&who)));
            }
            _ => {}
        }
        Ok(())
    }
}

fn name(who: &ractor::ActorCell) -> String {
    who.get_id().to_string()
}

/// Starts the sequencer, under a supervisor that seals when it fails.
pub(crate) async fn start_sequencer(
    args: SequencerArgs,
) -> Result<(ActorRef<()>, SequencerRef), Cause> {
    let writer = args.writer.clone();
    let (supervisor, _) = Actor::spawn(None, Supervisor(writer.clone()), ())
        .await
        .map_err(Cause::of)?;
    let (inbox, address) = mailbox::new();
    let linked = Actor::spawn_linked(None, Sequencer, (args, inbox), supervisor.get_cell()).await;
    let (actor, _) = linked.map_err(Cause::of)?;
    let sequencer = address(actor);
    let theirs = sequencer.clone();
    writer.on_idle(Box::new(move || theirs.wake()));
    Ok((supervisor, sequencer))
}

async fn start_store<E: Deciding>(
    entity: E,
    shared: &Arc<StoreShared>,
    supervisor: &ActorRef<()>,
) -> Result<StoreRef, Cause> {
    let (inbox, address) = mailbox::new();
    let arguments = (entity, Arc::clone(shared), inbox);
    let actor = StoreActor::<E>::default();
    let linked = Actor::spawn_linked(None, actor, arguments, supervisor.get_cell()).await;
    linked.map(|(actor, _)| address(actor)).map_err(Cause::of)
}

/// ractor keeps an actor that nobody refers to any more: a ledger that is dropped and not closed
/// must end them, or they would hold the journal and its lock for ever. Never blocks.
impl Drop for Actors {
    fn drop(&mut self) {
        self.vitals.close();
        self.supervisor.stop(None);
        for store in self.stores.all() {
            store.actor().stop(None);
        }
        self.sequencer.actor().stop(None);
    }
}

impl Actors {
    /// Starts the five stores.
    pub(crate) async fn start(
        supervisor: ActorRef<()>,
        sequencer: SequencerRef,
        states: StoreStates,
        shared: &Arc<StoreShared>,
    ) -> Result<Self, Cause> {
        let StoreStates {
            execution_log,
            configuration,
            runtime_metadata,
        } = states;
        let stores = Stores {
            execution_log: start_store(execution_log, shared, &supervisor).await?,
            audit_log: start_store(AuditLogState, shared, &supervisor).await?,
            telemetry: start_store(TelemetryState, shared, &supervisor).await?,
            configuration: start_store(configuration, shared, &supervisor).await?,
            runtime_metadata: start_store(runtime_metadata, shared, &supervisor).await?,
        };
        Ok(Self {
            vitals: shared.vitals.clone(),
            supervisor,
            sequencer,
            stores,
        })
    }

    /// Every command in a mailbox is decided. False where an actor did not end as it should.
    pub(crate) async fn drain_stores(&self) -> bool {
        let mut drained = true;
        for store in self.stores.all() {
            drained &= store.actor().drain_and_wait(None).await.is_ok();
        }
        drained
    }

    /// Every event on its way is handed to the writer. False where that did not end as it should.
    pub(crate) async fn drain_sequencer(&self) -> bool {
        let drained = self.sequencer.actor().drain_and_wait(None).await.is_ok();
        self.supervisor.stop(None);
        drained
    }
}
