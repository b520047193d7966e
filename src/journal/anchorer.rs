// SPDX-License-Identifier: Apache-2.0
//! The thread that writes the anchor: the claim of one frame while the next is synced, and soon
//! after the last one when nothing follows.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Head;
use super::anchor::Anchor;
use crate::error::{Cause, Fault};
use crate::locks::whole;

/// How long nothing must follow before the last frame is claimed by itself.
const IDLE: Duration = Duration::from_millis(5);

#[derive(Default)]
struct AnchorerState {
    /// Head and number of frames that are durable, and to be claimed.
    durable: Option<(Head, u64)>,
    /// Somebody waits for it.
    urgent: bool,
    claimed: u64,
    /// Claimed, or being so right now.
    begun: u64,
    failed: Option<Cause>,
    /// The slot that the next claim goes to.
    next_slot: usize,
    /// A claim is being written, or could not be.
    is_writing: bool,
    stopping: bool,
}

#[derive(Default)]
struct AnchorerShared {
    /// Lock: the anchor's thread and the append, for a few fields; no file is written under it.
    state: Mutex<AnchorerState>,
    told: Condvar,
    done: Condvar,
}

impl AnchorerShared {
    fn lock(&self) -> MutexGuard<'_, AnchorerState> {
        whole(self.state.lock())
    }

    /// The next claim to write; `None` at the end.
    fn next(&self) -> Option<(Head, u64)> {
        let nothing = |state: &mut AnchorerState| state.durable.is_none() && !state.stopping;
        let waited = self.told.wait_while(self.lock(), nothing);
        let state = whole(waited);
        // Most often the next frame comes before the time is up, and asks for this claim itself.
        let calm = |state: &mut AnchorerState| !state.urgent && !state.stopping;
        let waited = self.told.wait_timeout_while(state, IDLE, calm);
        let mut state = whole(waited).0;
        state.urgent = false;
        let next = state.durable.take();
        state.begun = next.map_or(state.begun, |(head, _)| head.count());
        state.is_writing = next.is_some();
        next
    }
}

pub(super) struct Anchorer {
    shared: Arc<AnchorerShared>,
    /// Lock: who stops it, until the thread has ended; whoever else stops it waits too.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Anchorer {
    pub(super) fn start(mut anchor: Anchor) -> io::Result<Self> {
        let shared = Arc::new(AnchorerShared::default());
        let claimed = anchor.claim().count();
        *shared.lock() = AnchorerState {
            claimed,
            begun: claimed,
            next_slot: anchor.next_slot(),
            ..AnchorerState::default()
        };
        let theirs = Arc::clone(&shared);
        let run = move || {
            while let Some((head, frames)) = theirs.next() {
                // A waiter for the claim must not wait for a thread that is gone.
                let write = AssertUnwindSafe(|| anchor.write(&head, frames));
                let written = catch_unwind(write)
                    .unwrap_or_else(|_| Err(io::Error::other("its thread panicked")));
                let mut state = theirs.lock();
                match written {
                    Ok(()) => {
                        state.claimed = head.count();
                        state.next_slot = anchor.next_slot();
                        state.is_writing = false;
                    }
                    Err(error) => {
                        let path = anchor.path().display();
                        let told = format!("anchor {path}: {error}");
                        state.failed = Some(Cause::new(told, Fault::of(&error)));
                    }
                }
                theirs.done.notify_all();
                if state.failed.is_some() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("ledger-anchor".into())
            .spawn(run)?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Why nothing can be claimed any more, where that is so.
    pub(super) fn failed(&self) -> Option<Cause> {
        self.shared.lock().failed.clone()
    }

    /// The slot of a claim that is being written, or could not be.
    pub(super) fn writing(&self) -> Option<usize> {
        let state = self.shared.lock();
        state.is_writing.then_some(state.next_slot)
    }

    /// To be claimed at once.
    pub(super) fn now(&self, head: Head, frames: u64) {
        self.tell(head, frames, true);
    }

    /// To be claimed when nothing follows.
    pub(super) fn soon(&self, head: Head, frames: u64) {
        self.tell(head, frames, false);
    }

    fn tell(&self, head: Head, frames: u64, urgent: bool) {
        let mut state = self.shared.lock();
        if head.count() > state.begun {
            state.durable = Some((head, frames));
            state.urgent |= urgent;
            self.shared.told.notify_all();
        }
    }

    /// Returns when this record is claimed, or why it cannot be.
    pub(super) fn wait(&self, seq: u64) -> Result<(), Cause> {
        let under_way = |state: &mut AnchorerState| state.claimed < seq && state.failed.is_none();
        let waited = self.shared.done.wait_while(self.shared.lock(), under_way);
        let state = whole(waited);
        match &state.failed {
            Some(cause) if state.claimed < seq => Err(cause.clone()),
            _ => Ok(()),
        }
    }

    /// Claims what is durable and ends. Blocks.
    pub(super) fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.told.notify_all();
        let mut thread = whole(self.thread.lock());
        if let Some(thread) = thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the anchor's thread panicked");
        }
    }
}

impl Drop for Anchorer {
    fn drop(&mut self) {
        // Waits, as the engine does for its threads: nothing may be written behind the lock's back.
        self.stop();
    }
}
