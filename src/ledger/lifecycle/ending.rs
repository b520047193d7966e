// SPDX-License-Identifier: Apache-2.0
//! The end of an opening, by a close or by opening again. It runs in a task of its own: whoever asked
//! for it waits for its outcome, may go away, and may ask again. Work that must block is done in a
//! thread of its own, and is left behind where it does not come back in time.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::oneshot;

use super::deadline::Until;
use super::end::{EndStage, Ended, LedgerEnd};
use crate::directory::Directory;
use crate::error::{Cause, CloseError};
use crate::journal::Head;
use crate::ledger::inner::Inner;
use crate::ledger::parts::LedgerParts;
use crate::ledger::phase::CLOSED;
use crate::locks::whole;

/// An end on its way. Where its runtime ends before it does, whoever waits is told, and everything is
/// let go of as after a crash.
pub(in crate::ledger) struct EndUnderWay {
    pub(in crate::ledger) inner: Arc<Inner>,
    pub(in crate::ledger) end: Arc<LedgerEnd>,
    pub(in crate::ledger) running: Option<LedgerParts>,
}

impl EndUnderWay {
    pub(in crate::ledger) fn over(self, ended: Ended) {
        self.end.stage.send_replace(EndStage::Over(ended));
    }
}

impl Drop for EndUnderWay {
    fn drop(&mut self) {
        let core = &self.inner.core;
        self.inner.background.stop();
        self.inner.scrub.halt();
        if let Some(running) = self.running.take() {
            // It ends by itself; without a thread the last handle lets go.
            drop(let_go(&self.inner, running));
        }
        core.phase.advance(CLOSED);
        self.end.stage.send_if_modified(|stage| {
            let is_over = matches!(stage, EndStage::Over(_));
            if !is_over {
                *stage = EndStage::Over(Err(CloseError::RuntimeGone));
            }
            !is_over
        });
    }
}

/// What was let go of.
pub(in crate::ledger) struct PartsLetGo {
    pub(in crate::ledger) head: Result<Head, Cause>,
    /// Still locked.
    pub(in crate::ledger) directory: Option<Directory>,
}

/// What is being waited for, in words.
/// Lock: the thread that lets go for one word put in, who waits for it for a copy.
#[derive(Clone)]
pub(in crate::ledger) struct EndStep(Arc<Mutex<&'static str>>);

impl EndStep {
    fn lock(&self) -> MutexGuard<'_, &'static str> {
        whole(self.0.lock())
    }

    pub(in crate::ledger) fn now(&self) -> &'static str {
        *self.lock()
    }
}

/// Everything that blocks, in order, in a thread of its own: what hangs there keeps the journal, and
/// the lock with it, until it comes back, and keeps neither the runtime nor the caller.
///
/// # Errors
/// There is no thread to be had.
pub(in crate::ledger) fn let_go(
    inner: &Inner,
    running: LedgerParts,
) -> std::io::Result<(EndStep, oneshot::Receiver<PartsLetGo>)> {
    let LedgerParts {
        writer,
        views,
        journal,
        locked_journal,
        actors,
    } = running;
    // They hold no files: whatever they still say is answered by the writer, or dropped.
    drop(actors);
    let (told, gone) = oneshot::channel();
    let step = EndStep(Arc::new(Mutex::new("the writer's thread")));
    let (core, scrub, at) = (
        Arc::clone(&inner.core),
        Arc::clone(&inner.scrub),
        step.clone(),
    );
    let work = move || {
        writer.join();
        core.phase.advance(CLOSED);
        *at.lock() = "the views' thread";
        views.close();
        *at.lock() = "the scrub";
        scrub.stop();
        *at.lock() = "the journal";
        let head = journal.head().map_err(Cause::of);
        let directory = match locked_journal {
            Some(locked_journal) => locked_journal.release(),
            None => {
                journal.close();
                None
            }
        };
        drop((journal, scrub, core));
        // Nobody waits any more: the directory is unlocked by being dropped.
        drop(told.send(PartsLetGo { head, directory }));
    };
    let builder = std::thread::Builder::new().name("ledger-closing".into());
    builder.spawn(work)?;
    Ok((step, gone))
}

/// Waits for what was let go of: says at the deadline what has not come back, and goes on waiting.
pub(in crate::ledger) async fn gone(
    end: &LedgerEnd,
    step: &EndStep,
    gone: oneshot::Receiver<PartsLetGo>,
) -> Result<PartsLetGo, Cause> {
    let mut gone = gone;
    let in_time = end.deadline.within(Until::End, &mut gone).await;
    let outcome = match in_time {
        Some(outcome) => outcome,
        None => {
            let what = step.now();
            tracing::error!(what, "the ledger is not let go of yet");
            end.stage.send_replace(EndStage::Left(what));
            gone.await
        }
    };
    outcome.map_err(|_| format!("letting go panicked: {}", step.now()).into())
}
