// SPDX-License-Identifier: Apache-2.0
//! What `emit` may hand over, and how it gets to its store.

use crate::access::{Grant, GrantState};
use crate::actors::{Answered, Prepared, Refusal};
use crate::commands::Command;
use crate::error::AppendError;
use crate::events::Store;

use super::disk_reserve::Need;
use super::submit::{Core, OrderRoom};
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
    ) -> Result<Vec<Answered>, Refusal> {
        let admitted = self.reserve.admit(Need::Other);
        if let Err(error) = admitted.and_then(|()| self.randomness()) {
            return Err(Refusal { error, commands });
        }
        let size = commands.iter().map(Command::size).sum();
        match self.gate.admit(&grant.0, size, true).await {
            Ok(admitted) => {
                let room = OrderRoom {
                    admitted,
                    finish: Vec::new(),
                };
                let prepared = Prepared::default();
                self.send(grant, commands, prepared, room).await
            }
            Err(error) => Err(Refusal { error, commands }),
        }
    }
}
