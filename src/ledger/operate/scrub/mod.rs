// SPDX-License-Identifier: Apache-2.0
//! The scrub: verification in the background, so slow that nobody notices it. A pass reads the
//! journal frame by frame, then every file; then it rests, and begins again.
//!
//! It holds no more than a frame or a piece of a table, is driven by the ledger's tick, reads so many
//! bytes a second of the injected clock, and writes nothing but its position. What it finds makes the
//! ledger unhealthy until a whole pass has found nothing of it any more.

mod again;
mod found;
mod pass;
mod position;
mod state;

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use super::verify::Subject;
use crate::ledger::background::tasks::Job;
use crate::ledger::options::Options;
use crate::ledger::write::submit::Core;
use crate::locks::whole;
use crate::vitals::VitalPart;

pub use found::Scrubbed;
use pass::Pass;
use state::ScrubState;

/// The scrub of a ledger that serves.
pub(crate) struct Scrub {
    state: Arc<ScrubState>,
    /// Lock: the scrub's thread while it reads, and the close, which waits for one frame at most.
    pass: Arc<Mutex<Pass>>,
    /// Its thread, once there is something to do: it takes moments of the monotonic clock.
    /// Lock: the timer's task, to start the thread once and to hand over a moment; it never waits.
    thread: Mutex<Option<SyncSender<u64>>>,
}

impl Scrub {
    pub(in crate::ledger) fn new(core: &Arc<Core>, options: &Options, subject: Subject) -> Self {
        let now_ns = core.shared.clock.monotonic_ns();
        Self {
            state: Arc::new(ScrubState::new(core, options, subject)),
            pass: Arc::new(Mutex::new(Pass::new(now_ns))),
            thread: Mutex::default(),
        }
    }

    /// What is wrong, where something is.
    pub(in crate::ledger) fn complaint(&self) -> Option<String> {
        self.state.found().complaint()
    }

    pub(in crate::ledger) fn scrubbed(&self) -> Scrubbed {
        self.state.found().scrubbed()
    }

    /// Nothing more is begun.
    pub(in crate::ledger) fn halt(&self) {
        self.state.halt();
    }

    /// As [`Scrub::halt`]; keeps the position. Blocks for as long as one frame takes.
    pub(in crate::ledger) fn stop(&self) {
        self.halt();
        if self.state.bytes_per_second == 0 {
            return;
        }
        // Poisoned: the pass panicked, and its position may be one that it never came to.
        match self.pass.lock() {
            Ok(mut pass) => pass.save(&self.state),
            Err(_) => tracing::warn!("the scrub panicked: its position is not kept"),
        }
    }

    /// A thread of its own: a medium that hangs holds it, and no thread of the runtime. It ends with
    /// the ledger.
    fn start(&self) -> std::io::Result<SyncSender<u64>> {
        let (ticks, taken) = sync_channel::<u64>(0);
        let vital = self.state.core.shared.vitals.start(VitalPart::Scrub);
        let (state, pass) = (Arc::downgrade(&self.state), Arc::clone(&self.pass));
        let run = move || {
            for now_ns in taken {
                let Some(state) = state.upgrade() else { break };
                let Ok(mut pass) = pass.lock() else { return };
                pass.go_on(&state, now_ns);
            }
            vital.done();
        };
        let builder = std::thread::Builder::new().name("ledger-scrub".into());
        builder.spawn(run)?;
        Ok(ticks)
    }
}

impl Job for Arc<Scrub> {
    /// Goes on in the background, as far as the time that has passed allows.
    fn tick(&self, now_ns: u64) {
        if self.state.bytes_per_second == 0 || self.state.is_stopped() || self.state.is_resting() {
            return;
        }
        let mut thread = whole(self.thread.lock());
        let ticks = match &*thread {
            Some(ticks) => ticks,
            None => match self.start() {
                Ok(ticks) => thread.insert(ticks),
                Err(error) => return tracing::warn!(%error, "no thread for the scrub"),
            },
        };
        // Full while it reads: what it may read adds up meanwhile.
        let _full = ticks.try_send(now_ns).is_err();
    }
}

#[cfg(test)]
mod tests;
