// SPDX-License-Identifier: Apache-2.0
//! Commands that had been committed before: answered with the first receipt, and with where what they began stands now.

use super::super::claims::CommandClaim;
use super::super::draft::{Decided, Reply};
use super::order::OrderDue;
use super::{Deciding, Order, StoreShared, StoreState, around, half_decided};
use crate::error::AppendError;

impl<E: Deciding> StoreState<E> {
    /// Answers a duplicate once its original is durable.
    pub(super) fn repeat(
        &self,
        shared: &StoreShared,
        mut order: Box<Order>,
        claims: Vec<CommandClaim>,
    ) -> Result<(), String> {
        let replies = match self.replies(shared, &order, &claims) {
            Ok(replies) => replies,
            Err(error) => return self.refuse(order, error),
        };
        // Nothing starts: the room is free before the caller hears of it.
        order.finish.clear();
        let step = |reply| Decided {
            drafts: Vec::new(),
            reply,
        };
        order.decided = replies.into_iter().map(step).collect();
        order.due = OrderDue::Repeat(claims);
        self.answer(order)
    }

    fn replies(
        &self,
        shared: &StoreShared,
        order: &Order,
        claims: &[CommandClaim],
    ) -> Result<Vec<Reply>, AppendError> {
        let in_force = shared.in_force.read().map_err(|_| AppendError::Sealed {
            cause: half_decided().into(),
        })?;
        let around = around(shared, &in_force, order);
        let steps = order.commands.iter().zip(&order.ids).zip(claims);
        steps
            .map(|((command, id), claim)| {
                let command_id = id.command;
                let gist = claim.place.gist.get();
                let gist = gist.ok_or(AppendError::OutcomeUnknown {
                    command: command_id,
                })?;
                self.entity.repeated(command, *gist, &around)
            })
            .collect()
    }
}
