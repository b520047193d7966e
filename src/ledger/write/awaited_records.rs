// SPDX-License-Identifier: Apache-2.0
//! The ledger's own records, as whoever asked for one waits for it.

use tokio::sync::oneshot;

use crate::commands::Command;
use crate::commands::given::Given;
use crate::error::{AppendError, Cause};
use crate::events::Event;
use crate::journal::Sealed;

use super::submit::Core;
use crate::ledger::phase::SERVING;

fn none_left(error: std::io::Error) -> AppendError {
    let cause = Cause::of(error);
    AppendError::NoRandomness { cause }
}

impl Core {
    /// A record that the root authority has the ledger write, durable. `method` is what it called:
    /// what it said is redacted as a command is.
    pub(crate) async fn write_own<E: Given + Into<Event>>(
        &self,
        method: &'static str,
        mut event: E,
    ) -> Result<(), AppendError> {
        self.serving()?;
        self.foreign.redact_own(method, &mut event)?;
        let written = self.shared.self_records.write(&event.into());
        self.durable(written).await.map(drop)
    }

    /// Nothing is begun on a ledger that closes, or has nothing to salt it with.
    pub(crate) fn serving(&self) -> Result<(), AppendError> {
        self.callbacks.pace().stir();
        if self.phase.now() == SERVING {
            self.randomness()
        } else {
            Err(AppendError::ShuttingDown)
        }
    }

    /// What is begun finds its salts.
    pub(in crate::ledger) fn randomness(&self) -> Result<(), AppendError> {
        self.shared.entropy.ready().map_err(none_left)
    }

    /// The end of what runs finds its salts, also where nothing begins any more: its effect has happened.
    pub(in crate::ledger) fn randomness_to_end(
        &self,
        commands: &[Command],
    ) -> Result<(), AppendError> {
        let records: usize = commands.iter().map(Command::records_max).sum();
        // An id for each, a salt for each record; and both for one that tells of the clock.
        let times = commands.len() + records + 2;
        let ready = self.shared.entropy.ready_to_end(times);
        ready.map_err(none_left)
    }

    /// The answer to one of the ledger's own records, once it is durable.
    pub(crate) async fn durable<T>(
        &self,
        answer: oneshot::Receiver<Result<T, Sealed>>,
    ) -> Result<T, AppendError> {
        let answered = tokio::select! {
            biased;
            answered = answer => answered.ok(),
            () = self.callbacks.gone() => None,
        };
        match answered {
            Some(Ok(durable)) => Ok(durable),
            Some(Err(sealed)) => Err(AppendError::Sealed {
                cause: sealed.cause,
            }),
            None => Err(self.stopped()),
        }
    }
}
