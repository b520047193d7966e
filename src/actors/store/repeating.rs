// SPDX-License-Identifier: Apache-2.0
//! Commands that had been committed before: answered with the first receipt, and with where what they began stands now.

use std::sync::Arc;

use super::super::claims::CommandClaim;
use super::super::draft::Reply;
use super::super::sequencer::{Sequenced, SequencerMsg};
use super::answers::{receipt, refuse, send};
use super::holding::holds;
use super::{
    Answered, Deciding, Id, Order, Refusal, StoreShared, StoreState, around, half_decided,
};
use crate::commands::Command;
use crate::error::AppendError;
use crate::events::CommandId;
use crate::journal::{Head, Sealed};

impl<E: Deciding> StoreState<E> {
    /// Answers a duplicate once its original is durable.
    pub(super) fn repeat(
        &self,
        shared: &Arc<StoreShared>,
        order: Order,
        claims: Vec<CommandClaim>,
    ) -> Result<(), String> {
        let replies = match self.replies(shared, &order, &claims) {
            Ok(replies) => replies,
            Err(error) => return refuse(shared, order, error),
        };
        let Order {
            ids,
            grant,
            reply,
            admitted,
            commands,
            finish,
            ..
        } = order;
        // Nothing starts: the room is free before the caller hears of it.
        drop(finish);
        let (store, shared_then) = (self.address.clone(), Arc::clone(shared));
        let answer = Box::new(move |_: Result<&Head, &Sealed>| {
            let answer = match together(&ids, &claims) {
                Ok(placed) => {
                    let replies = holds(&store, grant.component, &commands, replies);
                    let answers = ids.iter().zip(placed).zip(replies);
                    let answered = |((id, placed), (reply, hold)): ((&Id, _), (_, _))| Answered {
                        receipt: receipt(shared_then.ledger, id.command, placed, true),
                        reply,
                        hold,
                    };
                    Ok(answers.map(answered).collect())
                }
                Err(error) => {
                    let kind = commands.first().map_or("group", Command::kind);
                    let (code, audited) = (error.code(), error.is_audited());
                    let detail = || format!("{kind}: {error}");
                    shared_then
                        .self_records
                        .refused(grant.name(), code, audited, detail);
                    Err(Refusal { error, commands })
                }
            };
            drop(admitted);
            drop(reply.send(answer));
        });
        send(shared, SequencerMsg::Answer(answer))
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

/// Where the originals stand, if one commit or adjacent ones in the same order made them: a receipt over more would span
/// the records of others.
pub(super) fn together(ids: &[Id], claims: &[CommandClaim]) -> Result<Vec<Sequenced>, AppendError> {
    let mut placed: Vec<Sequenced> = Vec::with_capacity(claims.len());
    for (id, claim) in ids.iter().zip(claims) {
        let command: CommandId = id.command;
        // Set where the original was acknowledged, and only there.
        let sequenced = claim.place.sequenced.get().copied();
        let sequenced = sequenced.ok_or(AppendError::OutcomeUnknown { command })?;
        if placed
            .last()
            .is_some_and(|before| before.last.plus(1) != sequenced.first)
        {
            return Err(AppendError::GroupConflict { command });
        }
        placed.push(sequenced);
    }
    Ok(placed)
}
