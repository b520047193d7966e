// SPDX-License-Identifier: Apache-2.0
//! The watchdog of the writer: a commit can hang for ever, in the engine (backpressure on a full disk)
//! or in the system. Every caller who waits for it is answered.
//!
//! It looks while something is appended, and once after. Only time in which the process could run counts: between two looks no more than two pauses. A process
//! that was stopped, or whose machine slept, has hung no commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::handle::WriterShared;
use super::sealed::Sealed;
use super::under_way::AppendUnderWay;
use crate::vitals::VitalPart;

/// How often it looks at most, and at least.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

/// When an append is given up, and who is told.
///
/// ```
/// use femtoclaw_ledger::clock::SystemClock;
/// use femtoclaw_ledger::journal::{CommitWatch, MemoryJournal, Writer};
/// use std::{sync::Arc, time::Duration};
///
/// let on_hang = Box::new(|why: &str| eprintln!("{why}"));
/// let watch = CommitWatch { after: Duration::from_secs(30), on_hang };
/// let (journal, clock) = (Arc::new(MemoryJournal::new()), Arc::new(SystemClock::default()));
/// let writer = Writer::start_watched(journal, clock, None, Some(watch))?;
/// writer.join();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CommitWatch {
    /// An append that takes longer hangs: on the injected clock, without time in which nothing ran.
    pub after: Duration,
    /// Called once, before the writer is sealed and its callers are answered.
    pub on_hang: Box<dyn FnOnce(&str) + Send>,
}

impl std::fmt::Debug for CommitWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

impl CommitWatch {
    pub(super) fn start(self, shared: &Arc<WriterShared>) -> std::io::Result<()> {
        let vital = shared.vitals.start(VitalPart::Watchdog);
        let under_way = Arc::clone(&shared.under_way);
        let shared = Arc::downgrade(shared);
        let run = move || {
            self.run(&under_way, &shared);
            vital.done();
        };
        let builder = std::thread::Builder::new().name("ledger-watch".into());
        // It ends by itself, soon after the writer.
        builder.spawn(run).map(drop)
    }

    fn run(self, appends: &AppendUnderWay, shared: &Weak<WriterShared>) {
        let Self { after, on_hang } = self;
        let pause = (after / 8).clamp(LOOKS.0, LOOKS.1);
        let mut seen = 0;
        // While nothing is appended there is nothing to look at.
        while let Some(count) = appends.wait(seen) {
            seen = count;
            std::thread::sleep(pause);
            let Some(shared) = shared.upgrade().filter(|shared| !shared.is_over()) else {
                return;
            };
            let now_ns = shared.clock.monotonic_ns();
            if let Some(hung) = shared.under_way.give_up(now_ns, after, pause) {
                // The listener must not keep the callers from their answers.
                if catch_unwind(AssertUnwindSafe(|| on_hang(&hung.cause))).is_err() {
                    tracing::error!("whoever was to be told of a hanging commit panicked");
                }
                let Sealed { cause, .. } = shared.give_up(hung);
                tracing::error!(%cause, "callers were answered that the outcome is unknown");
                return;
            }
        }
    }
}
