// SPDX-License-Identifier: Apache-2.0
//! Closing, in the one order that loses nothing: refuse what is new, let executions finish, drain
//! stores, seal views, drain sequencer and writer, record the shutdown, let go of views, journal and directory.
//!
//! One deadline is for all of it. Half of it, at most 2 s, is kept for what comes after the wait for
//! others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::error::{Cause, CloseError};
use crate::events::LedgerClosedV1;
use crate::journal::Head;
use crate::locks::whole;

use super::deadline::{Deadline, LEAST, Until};
use super::end::{Closed, EndKind, EndStage, Ended, LedgerEnd};
use super::ending::{self, EndUnderWay};
use super::tails;
use crate::ledger::attest::checkpoints;
use crate::ledger::inner::Inner;
use crate::ledger::parts::LedgerParts;
use crate::ledger::phase::{FINISHING, SHUT};
use crate::ledger::root::Root;
use crate::ledger::write::submit::Core;

const STEP: Duration = Duration::from_millis(5);
/// After the deadline, for the word of what comes of it.
const SLACK: Duration = Duration::from_millis(200);

impl Root {
    /// Refuses new commands, waits for running executions to finish, makes everything durable,
    /// records the shutdown and lets go of the directory.
    ///
    /// `deadline` is for all of it, by the runtime's clock; less than 0.5 s is taken as 0.5 s.
    /// Executions are waited for until half of it is left, at most 2 s: the rest is for what comes
    /// after. A part that hangs is left behind in a thread of its own, and named in the error.
    ///
    /// Cancelling the call ends the wait, and the closing goes on. Another call joins it and waits for
    /// the same; its deadline makes the end come nearer, never later. Closing a ledger that is
    /// closed says again how it was closed.
    ///
    /// # Errors
    /// [`CloseError`]: what could not be done in time; nothing acknowledged is lost.
    pub async fn close(&self, deadline: Duration) -> Result<Closed, CloseError> {
        close(self.inner(), deadline, deadline).await
    }

    /// As [`Root::close`], without waiting for running executions: they are in doubt at the next
    /// opening.
    ///
    /// Cancelling as with [`Root::close`].
    ///
    /// # Errors
    /// As [`Root::close`].
    pub async fn close_at_once(&self, deadline: Duration) -> Result<Closed, CloseError> {
        close(self.inner(), deadline, Duration::ZERO).await
    }
}

/// `patience`: how long others are waited for at most.
async fn close(
    inner: &Arc<Inner>,
    timeout: Duration,
    patience: Duration,
) -> Result<Closed, CloseError> {
    let end = begun(inner, timeout, patience);
    let joined = end.wait(timeout.max(LEAST).saturating_add(SLACK)).await;
    let still_running = inner.core.shared.running.load(Ordering::Acquire) as u64;
    match joined {
        EndStage::Over(ended) => match inner.released().give_up() {
            true => Err(CloseError::Reopened),
            false => ended,
        },
        EndStage::Left(what) => Err(CloseError::StillInUse { what }),
        // The runtime was slow to turn to it; it goes on.
        EndStage::UnderWay => Err(CloseError::DeadlinePassed {
            running: still_running,
            pending: inner.core.gate.pending_records() as u64,
        }),
    }
}

/// The end under way, which this may hurry; else it begins here.
fn begun(inner: &Arc<Inner>, timeout: Duration, patience: Duration) -> Arc<LedgerEnd> {
    let mut known = inner.end();
    if let Some(end) = &*known {
        end.deadline.shorten(timeout, patience);
        return Arc::clone(end);
    }
    let end = LedgerEnd::new(EndKind::Close, Deadline::new(timeout, patience));
    *known = Some(Arc::clone(&end));
    let running = whole(inner.running.lock()).take();
    inner.core.shared.vitals.close();
    inner.core.phase.advance(FINISHING);
    inner.core.callbacks.pace().stir();
    if let Some(running) = running {
        let mut ending = EndUnderWay {
            inner: Arc::clone(inner),
            end: Arc::clone(&end),
            running: Some(running),
        };
        tokio::spawn(async move {
            let ended = run(&mut ending).await;
            ending.over(ended);
        });
    }
    end
}

async fn run(ending: &mut EndUnderWay) -> Ended {
    let (inner, end) = (Arc::clone(&ending.inner), Arc::clone(&ending.end));
    let (core, deadline) = (&inner.core, &end.deadline);
    let Some(running) = &ending.running else {
        return Err(CloseError::RuntimeGone);
    };
    let emptied = deadline.within(Until::Patience, inner.background.drain());
    if emptied.await.is_none() {
        tracing::warn!("emitted observations were not stored in time");
        for observed_ns in inner.background.give_up() {
            core.shared.self_records.lost(observed_ns);
        }
    }
    deadline.within(Until::Patience, finished(core)).await;
    core.phase.advance(SHUT);
    let saving = deadline.within(Until::End, inner.snapshots.take_at_close());
    if saving.await.is_none() {
        tracing::warn!("the states were not saved in time; the next opening reads more");
    }
    let drained = deadline.within(Until::End, running.actors.drain_stores());
    let drained = drained.await.unwrap_or(false);
    let still_running = core.shared.running.load(Ordering::Acquire) as u64;
    core.shared.self_records.flush();
    tails::seal(&inner, &running.views, deadline).await;
    let signing = deadline.within(Until::End, checkpoints::sign_at_close(&inner.signing));
    if signing.await.is_none() {
        tracing::warn!("no checkpoint was signed in time");
    }
    let told = deadline.within(Until::End, last_words(core, still_running));
    let told = told.await.unwrap_or(false);
    if told {
        let signing = deadline.within(Until::End, checkpoints::sign_closed(&inner.signing));
        if signing.await.is_none() {
            tracing::warn!("the closed ledger was not signed in time");
        }
    }
    inner.background.stop();
    inner.scrub.halt();
    let sequenced = deadline.within(Until::End, running.actors.drain_sequencer());
    let sequenced = sequenced.await.unwrap_or(false);
    let head = let_go(&inner, ending.running.take(), &end).await?;
    if let Some(cause) = core.writer.sealed() {
        return Err(CloseError::Sealed { cause });
    }
    if !drained || !sequenced || !told {
        let pending = core.gate.pending_records() as u64;
        return Err(CloseError::DeadlinePassed {
            running: still_running,
            pending,
        });
    }
    Ok(Closed {
        head,
        running: still_running,
    })
}

/// Waits until nothing runs any more, or nothing can end any more.
async fn finished(core: &Core) {
    while core.gate.running() > 0 && core.writer.sealed().is_none() {
        tokio::time::sleep(STEP).await;
    }
}

/// SHUTDOWN, TERMINATED, and the close itself; true once durable.
async fn last_words(core: &Core, running: u64) -> bool {
    let shared = &core.shared;
    let closing = {
        let in_force = whole(shared.in_force.read());
        in_force.closing.clone()
    };
    if let Some(draft) = closing {
        drop(shared.self_records.write_draft(&draft));
    }
    let closed = shared
        .self_records
        .write(&LedgerClosedV1 { running }.into());
    matches!(closed.await, Ok(Ok(_)))
}

async fn let_go(
    inner: &Inner,
    running: Option<LedgerParts>,
    end: &LedgerEnd,
) -> Result<Head, CloseError> {
    let storage = |cause| CloseError::Storage { cause };
    let running = running.ok_or(CloseError::RuntimeGone)?;
    let letting_go = ending::let_go(inner, running);
    let (step, gone) = letting_go.map_err(|error| storage(Cause::of(error)))?;
    let let_go = ending::gone(end, &step, gone).await.map_err(storage)?;
    let_go.head.map_err(storage)
}
