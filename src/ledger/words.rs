//! The ledger's own records, as whoever asked for one waits for it.

use tokio::sync::oneshot;

use crate::error::AppendError;
use crate::events::Event;
use crate::journal::Sealed;

use super::phase::SERVING;
use super::submit::Core;

impl Core {
    /// One of the ledger's own records, durable.
    pub(crate) async fn write_own(&self, event: &Event) -> Result<(), AppendError> {
        self.serving()?;
        self.durable(self.shared.own.write(event)).await.map(drop)
    }

    /// Nothing is begun on a ledger that closes.
    pub(crate) fn serving(&self) -> Result<(), AppendError> {
        if self.phase.now() == SERVING {
            Ok(())
        } else {
            Err(AppendError::ShuttingDown)
        }
    }

    /// What one of the ledger's own records is answered with, once it is durable.
    pub(crate) async fn durable<T>(
        &self,
        answer: oneshot::Receiver<Result<T, Sealed>>,
    ) -> Result<T, AppendError> {
        match answer.await {
            Ok(Ok(durable)) => Ok(durable),
            Ok(Err(sealed)) => Err(AppendError::Sealed {
                cause: sealed.cause,
            }),
            Err(_) => Err(self.stopped()),
        }
    }
}
