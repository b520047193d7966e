// SPDX-License-Identifier: Apache-2.0
//! What `emit` may hand over, and how it gets to its store.

use std::sync::Arc;

use crate::access::{Grant, GrantState};
use crate::actors::{Answers, Order, Refusal};
use crate::commands::Command;
use crate::error::AppendError;
use crate::events::Store;

use super::disk_reserve::Need;
use super::submit::Core;
use crate::ledger::phase::SERVING;

impl Core {
    /// What `emit` can refuse without waiting for anything.
    pub(crate) fn may_emit(
        &self,
        grant: &GrantState,
        command: &mut Command,
    ) -> Result<(), AppendError> {
        if self.phase.now() != SERVING {
            return Err(AppendError::ShuttingDown);
        }
        // What takes it to the store went with its runtime: nobody would.
        self.emitting()?;
        self.known(grant)?;
        grant.may_append(Store::Telemetry)?;
        command.validate(&self.shared.limits)?;
        self.name_subject(command)
    }

    /// Emitted observations: admitted when there is room, without the caller's waiting for it, and
    /// still while the ledger closes.
    pub(crate) async fn emit_group(
        &self,
        grant: &Grant,
        commands: Vec<Command>,
    ) -> Result<Answers, Refusal> {
        let mut order = Order::new(Arc::clone(&grant.0), commands.into());
        let reserved = self.reserve.admit(Need::Other);
        if let Err(error) = reserved.and_then(|()| self.randomness()) {
            return Err(order.refused(error));
        }
        let size = order.commands.iter().map(Command::size).sum();
        match self.gate.admit(&grant.0, size, true).await {
            Ok(admitted) => {
                order.admitted = admitted;
                self.send(order).await
            }
            Err(error) => Err(order.refused(error)),
        }
    }
}
