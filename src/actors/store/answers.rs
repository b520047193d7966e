// SPDX-License-Identifier: Apache-2.0
//! What a store's orders are answered with, once everything before them is durable.

use std::sync::Arc;

use super::super::new_commit::Sequenced;
use super::super::sequencer::SequencerMsg;
use super::holding::{holds, used};
use super::idempotency::together;
use super::order::{AnswersOrders, OrderDue};
use super::{Deciding, Id, Order, StoreShared, StoreState};
use crate::commands::{Command, Keeper};
use crate::error::AppendError;
use crate::events::Store;
use crate::journal::{Head, Sealed};

/// What a store's orders need where they are answered.
pub(super) struct OrderAnswers {
    pub(super) store: Store,
    pub(super) shared: Arc<StoreShared>,
    pub(super) keeper: Arc<dyn Keeper>,
}

impl AnswersOrders for OrderAnswers {
    fn answer(&self, order: &mut Order, outcome: Result<&Head, &Sealed>) {
        let error = match (std::mem::take(&mut order.due), outcome) {
            (OrderDue::Commit, Ok(_)) => {
                self.committed(order);
                None
            }
            (OrderDue::Commit, Err(sealed)) => Some(unacknowledged(sealed, &order.ids)),
            (OrderDue::Repeat(claims), _) => match together(&order.ids, &claims) {
                Ok(placed) => {
                    order.result.placed = placed;
                    order.result.duplicate = true;
                    holds(&self.keeper, order);
                    None
                }
                Err(error) => {
                    note_refusal(&self.shared, order, &error);
                    Some(error)
                }
            },
            (OrderDue::Refuse(error), Ok(_)) => Some(error),
            (OrderDue::Refuse(_), Err(sealed)) => Some(AppendError::Sealed {
                cause: sealed.cause.clone(),
            }),
            (OrderDue::Nothing, _) => None,
        };
        order.result.error = error;
    }
}

impl OrderAnswers {
    /// The commit point has passed: every command of the group learns its place.
    fn committed(&self, order: &mut Order) {
        let Some(whole) = order.whole else { return };
        let changes = order.changes.take();
        self.shared.durable.advance(self.store, changes, &whole);
        let records = order.decided.iter().map(|step| step.drafts.len() as u64);
        let activity = &self.shared.self_records.activity;
        activity.committed(records.sum());
        holds(&self.keeper, order);
        used(&mut order.commands);
        let mut first = whole.first;
        for (place, step) in order.places.iter().zip(&order.decided) {
            let records = step.drafts.len() as u64;
            let last = first.plus(records.saturating_sub(1));
            let placed = Sequenced {
                first,
                last,
                time_ns: whole.time_ns,
            };
            // Set once, here; a second time would be a second commit of one claim.
            let _already = place.sequenced.set(placed).is_err();
            order.result.placed.push(placed);
            first = last.plus(1);
        }
    }
}

pub(super) fn unacknowledged(sealed: &Sealed, ids: &[Id]) -> AppendError {
    match ids.first() {
        Some(id) if sealed.outcome_unknown => AppendError::OutcomeUnknown {
            command: id.command,
        },
        _ => AppendError::Sealed {
            cause: sealed.cause.clone(),
        },
    }
}

fn note_refusal(shared: &StoreShared, order: &Order, error: &AppendError) {
    let kind = order.commands.first().map_or("group", Command::kind);
    let detail = || format!("{kind}: {}", error.recorded());
    let (code, audited) = (error.code(), error.is_audited());
    shared
        .self_records
        .refused(order.grant.name(), code, audited, detail);
}

impl<E: Deciding> StoreState<E> {
    /// Refuses in order: the refusal rests on what was decided before it and may not overtake it.
    pub(super) fn refuse(&self, mut order: Box<Order>, error: AppendError) -> Result<(), String> {
        order.finish.clear();
        note_refusal(&self.shared, &order, &error);
        order.due = OrderDue::Refuse(error);
        self.answer(order)
    }

    /// Sends an order back that has nothing to be written.
    pub(super) fn answer(&self, mut order: Box<Order>) -> Result<(), String> {
        order.store = Some(Arc::clone(&self.answers));
        send(&self.shared, SequencerMsg::Answer(order))
    }
}

pub(super) fn send(shared: &StoreShared, message: SequencerMsg) -> Result<(), String> {
    shared
        .sequencer
        .send(message)
        .map_err(|_| "the sequencer is gone".to_owned())
}
