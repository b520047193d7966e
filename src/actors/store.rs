// SPDX-License-Identifier: Apache-2.0
//! A store actor: an event-sourced entity behind a mailbox. It decides against its own state,
//! applies what it decided at once and never waits for the disk; the caller's reply travels with
//! the events and is answered after the sync.

mod answers;
mod deciding;
mod expiring;
mod finish_slots;
mod holding;
mod idempotency;
mod message;
mod order;
mod overdue;
mod repeating;
mod saving;
mod state;
mod unasked;

use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use smallvec::SmallVec;

use crate::error::AppendError;
use crate::events::Store;
#[cfg(test)]
use crate::journal::Sealed;
use crate::vitals::VitalPart;

use super::claims::Place;
use super::decided_in_force::DecidedInForce;
use super::draft::Decided;
use super::event_sourced::{RefusedCommand, Surroundings};
use super::in_force::Changes;
use super::mailbox::{Filled, Inbox};
#[cfg(test)]
use super::new_commit::Sequenced;
use super::sequencer::SequencerMsg;
use answers::{OrderAnswers, send};
use holding::StoreKeeper;
use idempotency::{Claimed, claim, release};
use state::StoreState;

pub(crate) use message::{Message, Taken};
use order::OrderDue;
pub(crate) use order::{Answered, Answers, Commands, Id, Order, Refusal};
pub(crate) use overdue::AwaitingApprovals;
use overdue::Waits;
pub(crate) use state::{Deciding, Past, StoreShared};

/// Orders handled before the runtime may turn to other tasks.
const AT_ONCE: usize = 32;

const fn part(store: Store) -> VitalPart {
    match store {
        Store::ExecutionLog => VitalPart::ExecutionLog,
        Store::AuditLog => VitalPart::AuditLog,
        Store::Telemetry => VitalPart::Telemetry,
        Store::Configuration => VitalPart::Configuration,
        Store::RuntimeMetadata => VitalPart::RuntimeMetadata,
    }
}

/// A store panicked while it decided: what is in force may be half put in, and nothing more is decided by it.
pub(super) fn half_decided() -> String {
    "a store panicked while it decided".to_owned()
}

pub(crate) struct StoreActor<E>(PhantomData<fn() -> E>);

impl<E> Default for StoreActor<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E: Deciding> Actor for StoreActor<E> {
    type Msg = Filled;
    type State = StoreState<E>;
    type Arguments = (E, Arc<StoreShared>, Inbox<Message>);

    async fn pre_start(
        &self,
        myself: ActorRef<Filled>,
        (entity, shared, inbox): Self::Arguments,
    ) -> Result<StoreState<E>, ActorProcessingErr> {
        let address = inbox.address(myself);
        let (reserves, under_way) = (HashMap::default(), VecDeque::new());
        let answers = OrderAnswers {
            store: E::STORE,
            shared: Arc::clone(&shared),
            keeper: Arc::new(StoreKeeper(address)),
        };
        let _vital = shared.vitals.start(part(E::STORE));
        if E::STORE == Store::ExecutionLog {
            shared.awaiting.note(entity.waits());
        }
        Ok(StoreState {
            entity,
            shared,
            inbox,
            answers: Arc::new(answers),
            reserves,
            under_way,
            forgotten: 0,
            _vital,
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Filled>,
        Filled: Filled,
        state: &mut StoreState<E>,
    ) -> Result<(), ActorProcessingErr> {
        let mut messages = state.inbox.take();
        for (message, number) in messages.drain(..).zip(1_usize..) {
            match message {
                Message::Order(order) => {
                    let span = order.span.clone();
                    span.in_scope(|| state.handle(order))?;
                }
                Message::Earlier {
                    document,
                    version,
                    reply,
                } => drop(reply.send(state.entity.earlier(&document, version))),
                Message::Snapshot(reply) => state.snapshot(reply),
                Message::LetGo(gone) => state.let_go(&gone)?,
                Message::Expire(expiring) => state.expire(&expiring)?,
            }
            // The runtime's other tasks run in between; nobody else touches this state.
            if number % AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
        state.inbox.give_back(messages);
        Ok(())
    }
}

impl<E: Deciding> StoreState<E> {
    fn handle(&mut self, order: Box<Order>) -> Result<(), String> {
        self.forget();
        let shared = Arc::clone(&self.shared);
        let component = order.grant.component;
        // Revoked while it waited: decided here, in order. A decision is on its way before the
        // record of a revocation can be.
        let grant = Arc::clone(&order.grant);
        let _deciding = grant.of.deciding();
        let standing = match order.grant.may_append(E::STORE) {
            Ok(()) => claim(&shared.claims, &*shared.past, component, &order.ids),
            Err(error) => Err(error.into()),
        };
        match standing {
            Err(error) => self.refuse(order, error),
            Ok(Claimed::Before(claims)) => self.repeat(&shared, order, claims),
            Ok(Claimed::New(places)) => self.decide(&shared, order, places),
        }
    }

    fn decide(
        &mut self,
        shared: &StoreShared,
        mut order: Box<Order>,
        places: SmallVec<[Place; 1]>,
    ) -> Result<(), String> {
        order.places = places;
        if E::PUBLISHES {
            let mut in_force = shared.in_force.write().map_err(|_| half_decided())?;
            let outcome = self
                .entity
                .execute(&order.commands, &around(shared, &in_force, &order));
            self.entity.publish(&mut in_force);
            self.entity.behind(shared.past.head());
            let changes = outcome.as_ref().ok();
            order.changes = changes.map(|decided| Changes::of(decided, &in_force));
            self.dispatch(shared, order, outcome)
        } else {
            let in_force = shared.in_force.read().map_err(|_| half_decided())?;
            let outcome = self
                .entity
                .execute(&order.commands, &around(shared, &in_force, &order));
            self.dispatch(shared, order, outcome)
        }
    }

    /// Sends what was decided on its way; still under the lock on what is in force.
    fn dispatch(
        &mut self,
        shared: &StoreShared,
        mut order: Box<Order>,
        outcome: Result<SmallVec<[Decided; 1]>, RefusedCommand>,
    ) -> Result<(), String> {
        order.decided = match outcome {
            Ok(decided) => decided,
            Err(RefusedCommand { error, .. }) => {
                release(&shared.claims, order.grant.component, &order.ids);
                let defect = matches!(error, AppendError::Sealed { .. });
                let cause = error.to_string();
                self.refuse(order, error)?;
                // A state that contradicts its own decision is a defect: the supervisor seals.
                return if defect { Err(cause) } else { Ok(()) };
            }
        };
        self.keep_reserves(&mut order);
        for (place, step) in order.places.iter().zip(&order.decided) {
            // Decided once: a claim that was decided twice would not have been new.
            let _twice = place.gist.set((&step.reply).into()).is_err();
        }
        let last = order.places.last().cloned();
        self.under_way
            .extend(last.map(|place| (self.entity.mark(), place)));
        order.due = OrderDue::Commit;
        order.store = Some(Arc::clone(&self.answers));
        send(shared, SequencerMsg::Commit(order))
    }
}

fn around<'a>(
    shared: &'a StoreShared,
    in_force: &'a DecidedInForce,
    order: &'a Order,
) -> Surroundings<'a> {
    Surroundings {
        ledger: shared.ledger,
        epoch: shared.epoch,
        component: order.grant.component,
        finishes_others: order.grant.rights.may_finish_others(),
        resolves_others: order.grant.rights.may_resolve_others(),
        now_ns: shared.clock.now_ns(),
        time: &*shared.time,
        limits: &shared.limits,
        in_force,
        entropy: &*shared.entropy,
        history: &*shared.past,
        prepared: &order.prepared,
    }
}

#[cfg(test)]
mod tests;
