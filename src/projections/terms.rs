// SPDX-License-Identifier: Apache-2.0
//! What records are found by in the query indexes.

use crate::events::{ExecutionId, Outcome, ParentId, Party, SubjectId};
use crate::integrity::FieldDigest;

use super::execution_status::ExecutionStatus;
use super::keys::name_key;

/// What records are found by: 17 bytes, none the beginning of another.
pub(super) type Term = [u8; 17];

const EXECUTION: u8 = b'x';

pub(super) fn term(kind: u8, bytes: [u8; 16]) -> Term {
    let mut term = [kind; 17];
    let [_, rest @ ..] = &mut term;
    *rest = bytes;
    term
}

/// Whether the term's posting list stays in blocks: an execution's few records lie beside each other, and no range has
/// much of them to put together.
pub(super) fn is_in_blocks(term: &Term) -> bool {
    term.first() == Some(&EXECUTION)
}

pub(super) fn execution_term(execution: ExecutionId) -> Term {
    term(EXECUTION, *execution.as_bytes())
}

pub(super) fn event_type_term(event_type: u16) -> Term {
    term(b'e', u128::from(event_type).to_be_bytes())
}

pub(super) fn capability_term(capability: &str) -> Term {
    term(b'c', name_key(capability))
}

/// Of nobody there is none: a nil subject is no subject.
pub(super) fn subject_term(subject: SubjectId) -> Term {
    term(b's', *subject.as_bytes())
}

/// By issuer and id: the same id of another issuer is another party.
pub(super) fn party_term(party: &Party) -> Term {
    let digest = FieldDigest::new("party")
        .field(party.issuer.as_bytes())
        .field(party.id.as_bytes())
        .finish();
    term(b'p', digest.first_chunk().copied().unwrap_or_default())
}

pub(super) fn component_term(component: u32) -> Term {
    term(b'o', u128::from(component).to_be_bytes())
}

/// Grants of this component, which the ledger itself recorded.
pub(super) fn granted_term(component: u32) -> Term {
    term(b'g', u128::from(component).to_be_bytes())
}

pub(super) fn outcome_term(outcome: Outcome) -> Term {
    term(b'r', u128::from(outcome.code()).to_be_bytes())
}

/// By its number: a decision that only a later software knows has one too.
pub(super) fn decision_term(decision: u8) -> Term {
    term(b'd', u128::from(decision).to_be_bytes())
}

/// The session or execution that asked for it. Of none there is no term.
pub(super) fn parent_term(parent: ParentId) -> Term {
    term(b'u', *parent.as_bytes())
}

/// What a decision rests on.
pub(super) fn configuration_term(version: u64) -> Term {
    term(b'v', u128::from(version).to_be_bytes())
}

/// What persons were asked about.
pub(super) fn approval_term() -> Term {
    term(b'a', [0; 16])
}

/// Where an execution has ended up.
pub(super) fn status_term(status: ExecutionStatus) -> Term {
    term(b't', u128::from(u8::from(status)).to_be_bytes())
}
