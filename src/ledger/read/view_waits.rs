// SPDX-License-Identifier: Apache-2.0
//! Waits until views have read so far.

use std::time::Duration;

use crate::error;
use crate::events::Seq;
use crate::projections::{View, ViewError, ViewPosition};

use super::views::unviewable;
use crate::ledger::open_ledger::Ledger;

/// An hour: a rebuild may take long, a wait for ever would hide that it is stuck.
const WAIT: Duration = Duration::from_secs(3_600);

impl Ledger {
    /// Waits until every built-in view has read up to `seq`, a record or a head's [`seq`](crate::Head::seq): what the
    /// ledger itself answers from. `None` is reached at once. An embedder's view is waited for with
    /// [`Ledger::projection_at_least`](Self::projection_at_least).
    /// Holds no thread; cancelling the call ends the wait and nothing else.
    ///
    /// # Errors
    /// `Unavailable` where one of them is halted, `Closed` where the ledger is.
    pub async fn at_least(&self, seq: impl Into<Option<Seq>>) -> Result<(), error::ReadError> {
        let seq = seq.into().map_or(0, Seq::get);
        let reached = async {
            for view in self.0.set.all.iter().filter(|view| view.is_built_in()) {
                view.reached(seq, WAIT).await.map_err(unviewable)?;
            }
            Ok(())
        };
        let reached = self.0.core.phase.unless_closed(reached).await;
        reached.unwrap_or(Err(error::ReadError::Closed))
    }

    /// Waits until the view `name` has read up to `seq`; gives its position. Holds no thread; cancelling
    /// the call ends the wait and nothing else.
    ///
    /// # Errors
    /// `Unavailable` where there is no such view, or it is halted; `Closed` where the ledger is.
    pub async fn projection_at_least(
        &self,
        name: &str,
        seq: impl Into<Option<Seq>>,
    ) -> Result<u64, error::ReadError> {
        let seq = seq.into().map_or(0, Seq::get);
        let Some(view) = self.0.set.all.iter().find(|view| view.name() == name) else {
            let cause = format!("no such view: {name:?}").into();
            return Err(error::ReadError::Unavailable { cause });
        };
        let reached = self.0.core.phase.unless_closed(view.reached(seq, WAIT));
        let reached = reached.await.unwrap_or(Err(ViewError::Closed));
        reached.map_err(unviewable)
    }

    /// How far each view has read, by name: less than the head while it catches up.
    #[must_use]
    pub fn view_positions(&self) -> Vec<ViewPosition> {
        let views = self.0.set.all.iter();
        let position = |view: &View| ViewPosition {
            name: view.name(),
            position: view.position(),
        };
        views.map(position).collect()
    }
}
