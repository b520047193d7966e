// SPDX-License-Identifier: Apache-2.0
//! What records are found by in the query indexes.

use crate::events::{ExecutionId, Party, SubjectId};
use crate::integrity::FieldDigest;

use super::keys::name_key;

/// What records are found by: 17 bytes, none the beginning of another.
pub(super) type Term = [u8; 17];

pub(super) fn term(kind: u8, bytes: [u8; 16]) -> Term {
    let mut term = [kind; 17];
    let [_, rest @ ..] = &mut term;
    *rest = bytes;
    term
}

pub(super) fn execution_term(execution: ExecutionId) -> Term {
    term(b'x', *execution.as_bytes())
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
