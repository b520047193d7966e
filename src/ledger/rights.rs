// SPDX-License-Identifier: Apache-2.0
//! Whether a grant holds a right: where it does not, that is refused, counted and audited.

use crate::access::GrantState;
use crate::error::AccessError;
use crate::events::{Store, StoreMask};

use super::write::submit::Core;

impl Core {
    /// A grant of another ledger, or of an earlier opening of this one, opens nothing.
    pub(crate) fn known(&self, grant: &GrantState) -> Result<(), AccessError> {
        if grant.opening == self.opening {
            Ok(())
        } else {
            Err(AccessError::ForeignGrant)
        }
    }

    /// A read without the grant: refused, counted and audited as an append is.
    pub(crate) fn may_read(
        &self,
        grant: &GrantState,
        stores: StoreMask,
    ) -> Result<(), AccessError> {
        let outcome = self.known(grant).and_then(|()| grant.may_read(stores));
        self.held("read", grant, outcome)
    }

    /// Having a checkpoint signed without the right: refused, counted and audited in the same way.
    pub(crate) fn may_sign(&self, grant: &GrantState) -> Result<(), AccessError> {
        let outcome = self.known(grant).and_then(|()| grant.may_sign());
        self.held("sign", grant, outcome)
    }

    /// As [`Core::may_read`], of the payloads of a store.
    pub(crate) fn may_read_payloads(
        &self,
        grant: &GrantState,
        store: Store,
    ) -> Result<(), AccessError> {
        let known = self.known(grant);
        let outcome = known.and_then(|()| grant.may_read_payloads(store));
        self.held("read", grant, outcome)
    }

    /// A component's own commands take its grant, and no right.
    pub(crate) fn may_look_up(&self, grant: &GrantState) -> Result<(), AccessError> {
        let outcome = self.known(grant).and_then(|()| grant.alive());
        self.held("look-up", grant, outcome)
    }

    /// A right that was asked for, and whether it is there.
    pub(super) fn held(
        &self,
        what: &str,
        grant: &GrantState,
        outcome: Result<(), AccessError>,
    ) -> Result<(), AccessError> {
        if let Err(error) = &outcome {
            let detail = || format!("{what}: {error}");
            let own = &self.shared.self_records;
            own.refused(grant.name(), error.code(), true, detail);
        }
        outcome
    }
}
