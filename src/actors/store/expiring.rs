// SPDX-License-Identifier: Apache-2.0
//! Executions that waited for persons beyond their time: the store ends them, a part of them at a time.

use std::sync::Arc;

use super::super::draft::Draft;
use super::overdue::Expiring;
use super::{Deciding, Id, StoreState};
use crate::commands::expired_digest;
use crate::events::{CommandId, ComponentId, ExecutionId};

/// Executions that are ended by one message. Each is a commit of its own, of three records at most; the next message
/// comes when all of them are durable, so that commands find their turn in between.
const AT_ONCE: usize = 256;

impl<E: Deciding> StoreState<E> {
    /// Ends the first of those whose time is over. They have no caller: nobody is answered.
    pub(super) fn expire(&mut self, expiring: &Expiring) -> Result<(), String> {
        self.forget();
        let now_ns = self.shared.time.ledger_ns();
        for execution in self.entity.overdue(now_ns, AT_ONCE) {
            let drafts = self.entity.expire(execution);
            self.write_expired(execution, drafts, expiring)?;
        }
        self.shared.awaiting.note(self.entity.waits());
        Ok(())
    }

    fn write_expired(
        &mut self,
        execution: ExecutionId,
        drafts: Vec<Draft>,
        expiring: &Expiring,
    ) -> Result<(), String> {
        let id = Id {
            command: CommandId::from_bytes(self.shared.entropy.bytes16()),
            digest: expired_digest(execution),
            generated: true,
        };
        let held = Arc::clone(&expiring.0);
        self.write_own(drafts, id, ComponentId::LEDGER, move || drop(held))
    }
}
