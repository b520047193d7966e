// SPDX-License-Identifier: Apache-2.0
//! From decisions to records, from places to receipts, and refusals.

use super::super::claims::Place;
use super::super::draft::{Decided, Draft, Reply};
use super::super::sequencer::{Sequenced, SequencerMsg};
use super::{Answered, Id, Order, Refusal, StoreShared};
use crate::commands::{Command, Hold, Receipt};
use crate::error::AppendError;
use crate::events::{CommandId, ComponentId, LedgerId};
use crate::journal::{Head, NewRecord, Sealed};

/// The commit point has passed: every command of the group learns its place.
pub(super) fn place(
    shared: &StoreShared,
    whole: Sequenced,
    ids: &[Id],
    places: &[Place],
    counts: Vec<u64>,
    replies: Vec<(Reply, Option<Hold>)>,
) -> Vec<Answered> {
    let mut first = whole.first;
    let mut answers = Vec::with_capacity(ids.len());
    for (((id, place), count), (reply, hold)) in ids.iter().zip(places).zip(counts).zip(replies) {
        let last = first.plus(count.saturating_sub(1));
        let placed = Sequenced {
            first,
            last,
            time_ns: whole.time_ns,
        };
        // Set once, here; a second time would be a second commit of one claim.
        let _already = place.sequenced.set(placed).is_err();
        let receipt = receipt(shared.ledger, id.command, placed, false);
        answers.push(Answered {
            receipt,
            reply,
            hold,
        });
        first = last.plus(1);
    }
    answers
}

pub(super) fn receipt(
    ledger: LedgerId,
    command: CommandId,
    placed: Sequenced,
    duplicate: bool,
) -> Receipt {
    let Sequenced {
        first,
        last,
        time_ns,
    } = placed;
    Receipt {
        ledger,
        command,
        first,
        last,
        time_ns,
        duplicate,
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

/// `encoded` is a buffer that is used again and again.
pub(super) fn records(order: &Order, decided: &[Decided], encoded: &mut Vec<u8>) -> Vec<NewRecord> {
    let total: usize = decided.iter().map(|step| step.drafts.len()).sum();
    let commit_len = u16::try_from(total).unwrap_or(u16::MAX);
    let steps = order.ids.iter().zip(decided);
    let drafts = steps.flat_map(|(id, step)| step.drafts.iter().map(move |draft| (id, draft)));
    let numbered = (0..commit_len).zip(drafts);
    numbered
        .map(|(commit_index, (id, draft))| {
            let component = order.grant.component;
            encoded.clear();
            draft.event.encode_into(encoded);
            let payload = encoded.as_slice().to_vec();
            new_record(draft, *id, component, (commit_index, commit_len), payload)
        })
        .collect()
}

pub(super) fn new_record(
    draft: &Draft,
    id: Id,
    component: ComponentId,
    (commit_index, commit_len): (u16, u16),
    payload: Vec<u8>,
) -> NewRecord {
    let event_type = draft.event.event_type().unwrap_or_default();
    NewRecord {
        flags: draft.flags,
        outcome: draft.outcome,
        stores: draft.stores(),
        component,
        stream: draft.stream,
        stream_version: draft.stream_version,
        execution: draft.execution,
        parent: draft.parent,
        trace: draft.trace,
        subject: draft.subject,
        observed_difference_ns: 0,
        command: id.command,
        command_digest: id.digest,
        commit_index,
        commit_len,
        ..NewRecord::new(event_type, draft.event.revision(), payload)
    }
}

/// Refuses in order: the refusal rests on what was decided before it and may not overtake it.
pub(super) fn refuse(shared: &StoreShared, order: Order, error: AppendError) -> Result<(), String> {
    let Order {
        grant,
        reply,
        admitted,
        commands,
        finish,
        ..
    } = order;
    drop(finish);
    let kind = commands.first().map_or("group", Command::kind);
    let detail = || format!("{kind}: {}", error.recorded());
    shared
        .self_records
        .refused(grant.name(), error.code(), error.is_audited(), detail);
    let answer = Box::new(move |outcome: Result<&Head, &Sealed>| {
        let error = match outcome {
            Ok(_) => error,
            Err(sealed) => AppendError::Sealed {
                cause: sealed.cause.clone(),
            },
        };
        drop(admitted);
        drop(reply.send(Err(Refusal { error, commands })));
    });
    send(shared, SequencerMsg::Answer(answer))
}

pub(super) fn send(shared: &StoreShared, message: SequencerMsg) -> Result<(), String> {
    shared
        .sequencer
        .send(message)
        .map_err(|_| "the sequencer is gone".to_owned())
}
