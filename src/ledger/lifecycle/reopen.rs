// SPDX-License-Identifier: Apache-2.0
//! Opening again in the same process: everything lets go in order, the lock is handed over, and
//! what is there is recovered as after any other end.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Cause, CloseError, ReopenError};
use crate::locks::whole;

use super::deadline::{Deadline, Until};
use super::end::{EndKind, EndStage, Ended, LedgerEnd};
use super::ending::{self, EndUnderWay};
use super::open::{self, LedgerPlace};
use crate::ledger::inner::Inner;
use crate::ledger::open_ledger::Ledger;
use crate::ledger::options::Options;
use crate::ledger::phase::SHUT;
use crate::ledger::root::Root;

/// What is left for the actors, which have nothing to wait for.
const DRAIN: Duration = Duration::from_secs(1);

impl Root {
    /// Opens a sealed ledger again without ending the process: everything lets go, at most until
    /// `deadline`, the lock is handed over, and the journal is recovered as after any other end.
    /// This ledger, its root, handles and grants are of no use afterwards, also where it fails: each
    /// component is granted anew, by the root that this gives.
    ///
    /// It may be called again where it says `StillHung` or `StillInUse`, where opening failed, and
    /// where the call was cancelled: it goes on where it was. What a cancelled call was opening lets
    /// go of the directory in its own time; until then the next one is told `Locked`.
    ///
    /// # Errors
    /// [`ReopenError`].
    pub async fn reopen(
        &self,
        options: Options,
        deadline: Duration,
    ) -> Result<(Ledger, Self), ReopenError> {
        let inner = reopen(self.inner(), options, deadline).await?;
        Ok((Ledger::new(Arc::clone(&inner)), Self::new(inner)))
    }
}

async fn reopen(
    inner: &Arc<Inner>,
    options: Options,
    timeout: Duration,
) -> Result<Arc<Inner>, ReopenError> {
    let end = begun(inner, timeout)?;
    match end.wait(timeout).await {
        EndStage::Over(_) => {}
        // Still under way: the next attempt waits for the same.
        _ if inner.core.writer.has_ended() => return Err(ReopenError::StillInUse),
        _ => return Err(ReopenError::StillHung),
    }
    let place = place(inner)?;
    let opened = open::open(place, options).await?;
    inner.released().reopened = true;
    Ok(opened)
}

fn place(inner: &Inner) -> Result<LedgerPlace, ReopenError> {
    let mut released = inner.released();
    if released.reopened {
        return Err(ReopenError::Closed);
    }
    let path = released.path.clone();
    match (released.directory.take(), path) {
        (Some(directory), _) => Ok(LedgerPlace::Locked(Box::new(directory))),
        (None, Some(path)) => Ok(LedgerPlace::Directory(path)),
        (None, None) => Err(ReopenError::Closed),
    }
}

/// The end under way for the same purpose; else it begins here.
fn begun(inner: &Arc<Inner>, timeout: Duration) -> Result<Arc<LedgerEnd>, ReopenError> {
    let mut known = inner.end();
    match &*known {
        Some(end) if end.kind == EndKind::Reopen => return Ok(Arc::clone(end)),
        Some(_) => return Err(ReopenError::Closed),
        None => {}
    }
    let running = {
        let mut running = whole(inner.running.lock());
        let given = running
            .as_ref()
            .is_some_and(|it| it.locked_journal.is_none());
        if given {
            return Err(ReopenError::GivenJournal);
        }
        running.take().ok_or(ReopenError::Closed)?
    };
    let end = LedgerEnd::new(EndKind::Reopen, Deadline::new(timeout, timeout));
    *known = Some(Arc::clone(&end));
    inner.core.shared.vitals.close();
    inner.core.phase.advance(SHUT);
    inner.core.callbacks.pace().stir();
    let mut ending = EndUnderWay {
        inner: Arc::clone(inner),
        end: Arc::clone(&end),
        running: Some(running),
    };
    tokio::spawn(async move {
        let ended = run(&mut ending).await;
        ending.over(ended);
    });
    Ok(end)
}

async fn run(ending: &mut EndUnderWay) -> Ended {
    let (inner, end) = (Arc::clone(&ending.inner), Arc::clone(&ending.end));
    let core = &inner.core;
    let Some(running) = &ending.running else {
        return Err(CloseError::RuntimeGone);
    };
    inner.background.stop();
    inner.scrub.halt();
    core.writer.seal("the ledger is opened again");
    inner.vouching.close();
    // They hold no files; what they still say is answered as sealed.
    let drained = async {
        running.actors.drain_stores().await;
        running.actors.drain_sequencer().await;
    };
    let drained = tokio::time::timeout(DRAIN, drained);
    let _timely = end.deadline.within(Until::End, drained).await;
    let storage = |cause| CloseError::Storage { cause };
    let place = running.locked_journal.as_ref().and_then(|it| it.place());
    inner.released().path = place.map(|(path, _)| path);
    let running = ending.running.take().ok_or(CloseError::RuntimeGone)?;
    let letting_go = ending::let_go(&inner, running);
    let (step, gone) = letting_go.map_err(|error| storage(Cause::of(error)))?;
    let let_go = ending::gone(&end, &step, gone).await.map_err(storage)?;
    inner.released().directory = let_go.directory;
    let cause = core.writer.sealed().unwrap_or_default();
    Err(CloseError::Sealed { cause })
}
