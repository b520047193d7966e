//! Closing, in the one order that loses nothing: refuse what is new, let executions finish, drain
//! stores, sequencer and writer, record the shutdown, let go of views, journal and directory.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::error::CloseError;
use crate::events::LedgerClosedV1;
use crate::journal::Head;

use super::checkpoints;
use super::phase::{CLOSED, FINISHING, SHUT};
use super::snapshots;
use super::submit::Core;
use super::{Inner, Running};

/// How a ledger was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The last durable record.
    pub head: Head,
    /// Executions that were still running: in doubt at the next opening.
    pub running: u64,
}

const STEP: Duration = Duration::from_millis(5);

pub(super) async fn close(inner: &Inner, deadline: Duration) -> Result<Closed, CloseError> {
    let core = &inner.core;
    let Some(running) = take(inner) else {
        return Err(CloseError::Storage {
            cause: "the ledger was closed before".into(),
        });
    };
    core.phase.advance(FINISHING);
    for observed_ns in inner.background.drain_within(deadline).await {
        core.shared.own.lost(observed_ns);
    }
    let mut waited = Duration::ZERO;
    while core.gate.running() > 0 && waited < deadline && core.writer.sealed().is_none() {
        tokio::time::sleep(STEP).await;
        waited += STEP;
    }
    core.phase.advance(SHUT);
    let left = deadline.saturating_sub(waited).max(Duration::from_secs(1));
    let saving = tokio::time::timeout(left, snapshots::take_at_close(core)).await;
    if saving.is_err() {
        tracing::warn!("the states were not saved in time; the next opening reads more");
    }
    let drained = running.actors.drain_stores(left).await;
    let still_running = core.shared.running.load(Ordering::Acquire) as u64;
    core.shared.own.flush();
    let signing = tokio::time::timeout(left, checkpoints::sign_at_close(core)).await;
    if signing.is_err() {
        tracing::warn!("no checkpoint was signed in time");
    }
    let told = last_words(inner, still_running, left).await;
    inner.background.stop();
    stop_scrub(inner).await;
    let drained = drained && running.actors.drain_sequencer(left).await;
    let head = let_go(core, running, left).await?;
    if let Some(cause) = core.writer.sealed() {
        return Err(CloseError::Sealed { cause });
    }
    if !drained || !told {
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

/// Before the directory is let go of: nothing is written into it afterwards.
pub(super) async fn stop_scrub(inner: &Inner) {
    let core = Arc::clone(&inner.core);
    let stopping = tokio::task::spawn_blocking(move || core.scrub.stop());
    if stopping.await.is_err() {
        tracing::warn!("the scrub's position was not kept");
    }
}

fn take(inner: &Inner) -> Option<Running> {
    inner
        .running
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
}

/// SHUTDOWN, TERMINATED, and the close itself; true once durable.
async fn last_words(inner: &Inner, running: u64, timeout: Duration) -> bool {
    let shared = &inner.core.shared;
    let closing = {
        let in_force = shared
            .in_force
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        in_force.closing.clone()
    };
    if let Some(draft) = closing {
        drop(shared.own.write_draft(&draft));
    }
    let closed = shared.own.write(&LedgerClosedV1 { running }.into());
    matches!(tokio::time::timeout(timeout, closed).await, Ok(Ok(Ok(_))))
}

/// Everything that blocks, off the runtime's threads.
async fn let_go(core: &Arc<Core>, running: Running, timeout: Duration) -> Result<Head, CloseError> {
    let Running {
        mut writer,
        views,
        journal,
        ..
    } = running;
    let core = Arc::clone(core);
    let step = tokio::task::spawn_blocking(move || {
        // One that hangs keeps the journal, and the lock with it, until it comes back.
        let joined = writer.join_within(timeout);
        core.phase.advance(CLOSED);
        if !joined {
            views.close();
            return Err("the writer's thread has not come back".to_owned());
        }
        let head = journal.head();
        views.close();
        journal.close();
        head.map_err(|error| error.to_string())
    });
    let outcome = step
        .await
        .map_err(|error| error.to_string())
        .and_then(|outcome| outcome);
    outcome.map_err(|cause| CloseError::Storage {
        cause: cause.into(),
    })
}
