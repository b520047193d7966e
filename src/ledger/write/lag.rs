// SPDX-License-Identifier: Apache-2.0
//! Views that decisions look history up in may be behind the journal, but not beyond the actors' windows. Who would wait
//! for room waits for them too, first come, first served; who would not is refused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{timeout, timeout_at};

use crate::actors::Past;
use crate::admission::Gate;
use crate::clock::runtime_after;
use crate::error::AppendError;
use crate::journal::Reader;
use crate::ledger::phase::{Phase, SERVING};

/// Views that have not come far enough in this time are refused for: a wait for ever would hide that one is stuck.
const WAIT: Duration = Duration::from_secs(60);
/// What was refused behind the admission moves no view: who waits looks again without one.
const LOOK: Duration = Duration::from_millis(20);

/// How far the views are behind, and how much comes before them still.
pub(super) struct Lag<'a> {
    pub(super) past: &'a dyn Past,
    pub(super) reader: &'a Reader,
    pub(super) gate: &'a Gate,
}

impl Lag<'_> {
    /// Refuses where the views are too far behind.
    pub(super) fn tolerated(&self) -> Result<(), AppendError> {
        self.tolerated_with(0)
    }

    /// As [`Lag::tolerated`], where what is under way counts too: else all who wait would go on at once when a view has
    /// moved.
    fn tolerated_for_one_more(&self) -> Result<(), AppendError> {
        self.tolerated_with(self.gate.pending_records() as u64)
    }

    fn tolerated_with(&self, more: u64) -> Result<(), AppendError> {
        let (done, total) = (self.past.position(), self.reader.head().count());
        let lag = total.saturating_sub(done);
        if lag.saturating_add(more) <= self.gate.limits.view_lag_max {
            return Ok(());
        }
        if self.past.rebuilding() {
            return Err(AppendError::Recovering { done, total });
        }
        Err(AppendError::ViewLag { lag })
    }
}

/// Who waits for views.
#[derive(Default)]
pub(in crate::ledger) struct Line {
    /// Lock: whoever is at the head of the line, until its command may go on or it is refused; its views are waited for
    /// under it. Others wait for it in the order in which they came.
    head: Mutex<()>,
    length: AtomicUsize,
}

/// A place in the line; given up when dropped.
struct InLine<'a>(&'a AtomicUsize);

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Line {
    /// Comes back once the views are near enough.
    ///
    /// Cancelled, it leaves the line; the next moves up.
    ///
    /// # Errors
    /// `ViewLag` after a minute, and where a view is halted; `Recovering` where one is made again; `ShuttingDown`.
    pub(super) async fn wait(&self, lag: &Lag<'_>, phase: &Phase) -> Result<(), AppendError> {
        let nobody = self.length.load(Ordering::Acquire) == 0;
        if nobody && lag.tolerated_for_one_more().is_ok() {
            return Ok(());
        }
        self.length.fetch_add(1, Ordering::AcqRel);
        let _in_line = InLine(&self.length);
        let waited = timeout_at(runtime_after(WAIT), self.turn(lag, phase)).await;
        waited.unwrap_or_else(|_| lag.tolerated())
    }

    async fn turn(&self, lag: &Lag<'_>, phase: &Phase) -> Result<(), AppendError> {
        let _head = self.head.lock().await;
        let mut bell = phase.bell();
        let [mut one, mut other] = lag.past.positions();
        loop {
            // Marked before the look: what moves meanwhile ends the wait below.
            bell.mark_unchanged();
            one.mark_unchanged();
            other.mark_unchanged();
            if phase.now() != SERVING {
                return Err(AppendError::ShuttingDown);
            }
            match lag.tolerated_for_one_more() {
                Ok(()) => return Ok(()),
                Err(AppendError::ViewLag { .. }) if !lag.past.halted() => {}
                Err(_) => return lag.tolerated(),
            }
            let rang = async {
                tokio::select! {
                    _rang = bell.changed() => {}
                    _moved = one.changed() => {}
                    _moved = other.changed() => {}
                }
            };
            let _looks_again = timeout(LOOK, rang).await;
        }
    }
}
