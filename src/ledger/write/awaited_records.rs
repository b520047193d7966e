// SPDX-License-Identifier: Apache-2.0
//! The ledger's own records, as whoever asked for one waits for it.

use tokio::sync::oneshot;

use crate::commands::given::Given;
use crate::error::AppendError;
use crate::events::Event;
use crate::journal::Sealed;

use super::submit::Core;
use crate::ledger::phase::SERVING;

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

    /// Nothing is begun on a ledger that closes.
    pub(crate) fn serving(&self) -> Result<(), AppendError> {
        if self.phase.now() == SERVING {
            Ok(())
        } else {
            Err(AppendError::ShuttingDown)
        }
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
