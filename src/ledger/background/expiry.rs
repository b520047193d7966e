// SPDX-License-Identifier: Apache-2.0
//! When what waits for persons has waited too long: by the ledger's time, and also where nobody asks.

use std::sync::{Arc, Weak};

use super::tasks::Job;
use crate::actors::expire;
use crate::ledger::phase::SERVING;
use crate::ledger::write::disk_reserve::Need;
use crate::ledger::write::submit::Core;

/// Has the execution log end what is overdue. A late answer is refused without it, so it can wait: for room on the disk,
/// for random bytes, and for the next opening.
pub(in crate::ledger) struct Expiry(Weak<Core>);

impl Expiry {
    pub(in crate::ledger) fn new(core: &Arc<Core>) -> Self {
        Self(Arc::downgrade(core))
    }
}

impl Job for Expiry {
    fn tick(&self, _now_ns: u64) {
        let Some(core) = self.0.upgrade() else { return };
        let Some(deadline_ns) = core.shared.awaiting.first_deadline_ns() else {
            return;
        };
        let writes = core.phase.now() == SERVING
            && core.writer.sealed().is_none()
            && core.reserve.admit(Need::Other).is_ok()
            && core.randomness().is_ok();
        if writes && core.clock.ledger_ns() > deadline_ns {
            expire(&core.shared, &core.stores);
        }
    }
}
