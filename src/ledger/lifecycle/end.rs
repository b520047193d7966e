// SPDX-License-Identifier: Apache-2.0
//! What is known of the end of an opening, to everybody who waits for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::error::CloseError;
use crate::journal::Head;

use super::deadline::Deadline;

/// How a ledger was closed.
///
/// Example: [`operation`](crate::operation).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Closed {
    /// The last durable record.
    pub head: Head,
    /// Executions that were still running: in doubt at the next opening.
    pub running: u64,
}

/// What whoever waits for the end is told.
pub(in crate::ledger) type Ended = Result<Closed, CloseError>;

/// Who asked for it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum EndKind {
    Close,
    Reopen,
}

/// What came of it, as far as it has come.
#[derive(Debug, Clone)]
pub(in crate::ledger) enum EndStage {
    UnderWay,
    /// Time is up, and this has not come back; it is still waited for.
    Left(&'static str),
    Over(Ended),
}

/// What is known to everybody who waits for one end.
pub(in crate::ledger) struct LedgerEnd {
    pub(in crate::ledger) kind: EndKind,
    pub(in crate::ledger) deadline: Deadline,
    pub(in crate::ledger) stage: watch::Sender<EndStage>,
}

impl LedgerEnd {
    pub(in crate::ledger) fn new(kind: EndKind, deadline: Deadline) -> Arc<Self> {
        Arc::new(Self {
            kind,
            deadline,
            stage: watch::Sender::new(EndStage::UnderWay),
        })
    }

    /// Waits until it is over, at most for `timeout`; until time is up, where it has not been told
    /// yet what is left behind.
    pub(in crate::ledger) async fn wait(&self, timeout: Duration) -> EndStage {
        let mut stage = self.stage.subscribe();
        let before = matches!(&*stage.borrow(), EndStage::Left(_));
        let over = stage.wait_for(|stage| match stage {
            EndStage::UnderWay => false,
            EndStage::Left(_) => !before,
            EndStage::Over(_) => true,
        });
        let waited = tokio::time::timeout(timeout, over).await;
        match waited {
            Ok(Ok(stage)) => stage.clone(),
            // Its sender is in `self`.
            Ok(Err(_)) | Err(_) => self.stage.borrow().clone(),
        }
    }
}
