//! Opening again in the same process: everything lets go in order, the lock is handed over, and
//! what is there is recovered as after any other end.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::directory::Directory;
use crate::error::ReopenError;

use super::guarded::Guarded;
use super::open::{self, Place};
use super::options::Options;
use super::phase::{CLOSED, SHUT};
use super::{Inner, Ledger, Root, Running};

/// Lets go, step by step; may take longer than one attempt to open again.
pub(super) type LettingGo = JoinHandle<Option<Directory>>;

/// What is left for the actors, which have nothing to wait for.
const DRAIN: Duration = Duration::from_secs(1);

pub(super) async fn reopen(
    inner: &Inner,
    options: Options,
    deadline: Duration,
) -> Result<(Ledger, Root), ReopenError> {
    let mut letting_go = inner.letting_go.lock().await;
    if letting_go.is_none() {
        *letting_go = Some(begin(inner).await?);
    }
    let Some(task) = letting_go.as_mut() else {
        return Err(ReopenError::Closed);
    };
    let released = match tokio::time::timeout(deadline, &mut *task).await {
        // Still under way: the next attempt waits for the same.
        Err(_) if inner.core.writer.has_ended() => return Err(ReopenError::StillInUse),
        Err(_) => return Err(ReopenError::StillHung),
        Ok(released) => released,
    };
    *letting_go = None;
    drop(letting_go);
    let directory = released.ok().flatten().ok_or(ReopenError::Closed)?;
    Ok(open::open(Place::Locked(Box::new(directory)), options).await?)
}

async fn begin(inner: &Inner) -> Result<LettingGo, ReopenError> {
    let (running, guarded) = take(inner)?;
    inner.core.phase.advance(SHUT);
    inner.background.stop();
    super::close::stop_scrub(inner).await;
    inner.core.writer.seal("the ledger is opened again");
    let Running {
        actors,
        writer,
        views,
        journal,
        ..
    } = running;
    // They hold no files; what they still say is answered as sealed.
    actors.drain_stores(DRAIN).await;
    actors.drain_sequencer(DRAIN).await;
    drop(journal);
    let core = Arc::clone(&inner.core);
    Ok(tokio::task::spawn_blocking(move || {
        writer.join();
        core.phase.advance(CLOSED);
        views.close();
        guarded.release()
    }))
}

fn take(inner: &Inner) -> Result<(Running, Arc<Guarded>), ReopenError> {
    let mut running = inner.running.lock().unwrap_or_else(PoisonError::into_inner);
    let guarded = running.as_ref().map(|running| running.guarded.clone());
    match guarded.ok_or(ReopenError::Closed)? {
        None => Err(ReopenError::GivenJournal),
        Some(guarded) => {
            let running = running.take().ok_or(ReopenError::Closed)?;
            Ok((running, guarded))
        }
    }
}
