// SPDX-License-Identifier: Apache-2.0
//! An open ledger as its handles share it: the write path, the views, and each feature beside them.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::actors::InForce;
use crate::events::LedgerId;
use crate::journal::Head;
use crate::locks::whole;

use super::attest::checkpoints::Signing;
use super::background::tasks::Background;
use super::lifecycle::end::LedgerEnd;
use super::lifecycle::released::Released;
use super::operate::scrub::Scrub;
use super::parts::LedgerParts;
use super::read::views::ViewSet;
use super::recover::recovery::Recovery;
use super::recover::snapshots::Snapshots;
use super::write::submit::Core;
use super::write::vouching::Vouching;

pub(crate) struct Inner {
    pub(super) core: Arc<Core>,
    pub(super) set: ViewSet,
    pub(super) signing: Signing,
    pub(super) scrub: Arc<Scrub>,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) vouching: Vouching,
    pub(super) recovery: Option<Recovery>,
    pub(super) background: Background,
    /// Lock: a rebuild or a verification for what it hands on, the close to take it all out; nobody waits under it.
    pub(super) running: Mutex<Option<LedgerParts>>,
    /// Once it ends.
    /// Lock: whoever closes, to find the end under way or begin it; nobody waits under it.
    pub(super) end: Mutex<Option<Arc<LedgerEnd>>>,
    /// Lock: the end that is over and who reopens, for a few fields; nobody waits under it.
    pub(super) released: Mutex<Released>,
}

impl Inner {
    pub(super) fn id(&self) -> LedgerId {
        self.core.shared.ledger
    }

    pub(super) fn head(&self) -> Head {
        self.core.reader.head()
    }

    pub(super) fn in_force(&self) -> InForce {
        self.core.shared.durable.in_force()
    }

    pub(super) fn end(&self) -> MutexGuard<'_, Option<Arc<LedgerEnd>>> {
        whole(self.end.lock())
    }

    pub(super) fn released(&self) -> MutexGuard<'_, Released> {
        whole(self.released.lock())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.core.shared.vitals.close();
        self.scrub.halt();
    }
}
