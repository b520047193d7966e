// SPDX-License-Identifier: Apache-2.0
//! Identities of others in commands: their checks, their digest, and what the redactor is given of them. Issuers and ids
//! are a caller's free text, and may be personal data.

use super::check::{self, Checked, Fields};
use super::given::{Buffer, Given, Redactor};
use crate::config::Limits;
use crate::events::Party;

/// What the parts of a party are called in a command's field: by errors, and to the redactor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartyField {
    pub(crate) issuer: &'static str,
    pub(crate) id: &'static str,
}

impl PartyField {
    /// Both parts are names: not empty, one line, within the limit.
    pub(crate) fn check(self, party: &Party, limits: &Limits) -> Checked {
        check::name(self.issuer, &party.issuer, limits)?;
        check::name(self.id, &party.id, limits)
    }

    pub(crate) fn redact(self, party: &mut Party, by: &mut Redactor<'_>) -> Checked {
        by.text(self.issuer, &mut party.issuer)?;
        by.text(self.id, &mut party.id)
    }
}

/// Adds parties to a command's digest: how many, then each.
pub(crate) fn digest(parties: &[Party], fields: &mut Fields) {
    fields.number(parties.len() as u64);
    for party in parties {
        fields.text(&party.issuer).text(&party.id);
    }
}

/// Bytes of parties as they are stored, at most.
pub(crate) fn content_len(parties: &[Party]) -> usize {
    let of = |party: &Party| party.issuer.len() + party.id.len() + 16;
    parties.iter().map(of).sum()
}

impl Buffer for Party {
    fn fit(&mut self) {
        self.issuer.fit();
        self.id.fit();
    }
}

/// A chain of those on whose behalf a command is sent.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Delegation(pub(super) Vec<Party>);

impl Delegation {
    const FIELD: PartyField = PartyField {
        issuer: "on_behalf_of.issuer",
        id: "on_behalf_of.id",
    };

    pub(super) fn check(&self, limits: &Limits) -> Checked {
        check::at_most("on_behalf_of", self.0.len(), limits.delegation_max)?;
        self.0
            .iter()
            .try_for_each(|party| Self::FIELD.check(party, limits))
    }
}

impl Given for Delegation {
    fn redact(&mut self, by: &mut Redactor<'_>) -> Checked {
        let mut each = self.0.iter_mut();
        each.try_for_each(|party| Self::FIELD.redact(party, by))
    }

    fn fit(&mut self) {
        self.0.shrink_to_fit();
        self.0.iter_mut().for_each(Buffer::fit);
    }
}

/// Those whom a request to persons asks.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct AskedParties(pub(crate) Vec<Party>);

/// The person that an answer is of.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Approver(pub(crate) Party);

impl AskedParties {
    const FIELD: PartyField = PartyField {
        issuer: "asked.issuer",
        id: "asked.id",
    };

    pub(super) fn check(&self, limits: &Limits) -> Checked {
        let mut each = self.0.iter();
        each.try_for_each(|party| Self::FIELD.check(party, limits))
    }
}

impl Approver {
    const FIELD: PartyField = PartyField {
        issuer: "approver.issuer",
        id: "approver.id",
    };

    pub(super) fn check(&self, limits: &Limits) -> Checked {
        Self::FIELD.check(&self.0, limits)
    }
}

impl Given for AskedParties {
    fn redact(&mut self, by: &mut Redactor<'_>) -> Checked {
        let mut each = self.0.iter_mut();
        each.try_for_each(|party| Self::FIELD.redact(party, by))
    }

    fn fit(&mut self) {
        self.0.shrink_to_fit();
        self.0.iter_mut().for_each(Buffer::fit);
    }
}

impl Given for Approver {
    fn redact(&mut self, by: &mut Redactor<'_>) -> Checked {
        Self::FIELD.redact(&mut self.0, by)
    }

    fn fit(&mut self) {
        self.0.fit();
    }
}

impl std::fmt::Debug for AskedParties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AskedParties({} identities)", self.0.len())
    }
}

impl std::fmt::Debug for Approver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Approver")
    }
}
