//! From decisions to records, and from places to receipts.

use super::super::claims::{Gist, Place};
use super::super::entity::{Decided, Draft, Reply};
use super::super::sequencer::Sequenced;
use super::{Answered, Id, Order, Shared};
use crate::commands::{Permit, Receipt};
use crate::error::AppendError;
use crate::events::{CommandId, ComponentId, Hash, LedgerId};
use crate::journal::{NewRecord, Sealed};

pub(super) fn again(gist: Gist, permit: Option<Permit>) -> Reply {
    match gist {
        Gist::Receipt => Reply::Receipt,
        Gist::Decided {
            execution,
            decision,
            started,
        } => Reply::Decided {
            execution,
            decision,
            permit,
            started,
        },
        Gist::Execution(execution) => Reply::Execution(execution),
        Gist::Changed { version } => Reply::Changed { version },
    }
}

/// The commit point has passed: every command of the group learns its place.
pub(super) fn place(
    shared: &Shared,
    whole: Sequenced,
    ids: &[Id],
    places: &[Place],
    counts: Vec<u64>,
    replies: Vec<Reply>,
) -> Vec<Answered> {
    let mut first = whole.first;
    let mut answers = Vec::with_capacity(ids.len());
    for (((id, place), count), reply) in ids.iter().zip(places).zip(counts).zip(replies) {
        let last = first.plus(count.saturating_sub(1));
        let placed = Sequenced {
            first,
            last,
            time_ns: whole.time_ns,
        };
        // Set once, here; a second time would be a second commit of one claim.
        let _already = place.sequenced.set(placed).is_err();
        let receipt = receipt(shared.ledger, id.command, placed, false);
        answers.push(Answered { receipt, reply });
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

pub(super) fn records(order: &Order, decided: &[Decided]) -> Vec<NewRecord> {
    let total: usize = decided.iter().map(|step| step.drafts.len()).sum();
    let commit_len = u16::try_from(total).unwrap_or(u16::MAX);
    let steps = order.ids.iter().zip(decided);
    let drafts = steps.flat_map(|(id, step)| step.drafts.iter().map(move |draft| (id, draft)));
    let numbered = (0..commit_len).zip(drafts);
    numbered
        .map(|(commit_index, (id, draft))| {
            let component = order.grant.component;
            new_record(draft, *id, component, commit_index, commit_len)
        })
        .collect()
}

fn new_record(
    draft: &Draft,
    id: Id,
    component: ComponentId,
    commit_index: u16,
    commit_len: u16,
) -> NewRecord {
    let mut payload = Vec::new();
    draft.event.encode_into(&mut payload);
    NewRecord {
        event_type: draft.event.event_type().unwrap_or_default(),
        revision: draft.event.revision(),
        flags: draft.flags,
        outcome: draft.outcome,
        stores: draft.stores(),
        component,
        stream: draft.stream,
        stream_version: draft.stream_version,
        execution: draft.execution,
        parent: draft.parent,
        trace: draft.trace,
        command: id.command,
        command_digest: id.digest,
        commit_index,
        commit_len,
        salt: [0; 16],
        commitment: Hash::default(),
        payload,
    }
}
