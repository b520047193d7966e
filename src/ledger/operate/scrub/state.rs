// SPDX-License-Identifier: Apache-2.0
//! What the scrub reads, how fast, and what it has found.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::found::ScrubFindings;
use crate::ledger::operate::verify::Subject;
use crate::ledger::options::Options;
use crate::ledger::write::submit::Core;
use crate::locks::whole;

const FILE: &str = "SCRUB";

/// Whether a pass that ended then is to be followed by the next.
pub(super) fn is_rested(ended_ns: i64, pause: Duration, now_ns: i64) -> bool {
    let pause = i64::try_from(pause.as_nanos()).unwrap_or(i64::MAX);
    // A clock that was set back must not make it wait for ever.
    now_ns < ended_ns || now_ns - ended_ns >= pause
}

pub(super) struct ScrubState {
    pub(super) core: Arc<Core>,
    /// 0: it does nothing.
    pub(super) bytes_per_second: u64,
    pub(super) pause: Duration,
    pub(super) subject: Subject,
    /// Lock: the scrub's thread to note what it found, health for a copy; nothing is read under it.
    found: Mutex<ScrubFindings>,
    stopped: AtomicBool,
    /// When the pass that is over ended; 0 while one is under way.
    rests_since_ns: AtomicI64,
}

impl ScrubState {
    pub(super) fn new(core: &Arc<Core>, options: &Options, subject: Subject) -> Self {
        Self {
            core: Arc::clone(core),
            bytes_per_second: options.scrub_bytes_per_second,
            pause: options.scrub_pause,
            subject,
            found: Mutex::default(),
            stopped: AtomicBool::new(false),
            rests_since_ns: AtomicI64::new(0),
        }
    }

    pub(super) fn found(&self) -> MutexGuard<'_, ScrubFindings> {
        whole(self.found.lock())
    }

    /// Nothing more is begun.
    pub(super) fn halt(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The pass ended at `ended_ns`, all that it found was looked at again, and its position is kept; 0: one goes on.
    pub(super) fn rests(&self, ended_ns: i64) {
        self.rests_since_ns.store(ended_ns, Ordering::Release);
    }

    /// Whether there is nothing to do until the pause is over.
    pub(super) fn is_resting(&self) -> bool {
        let since = self.rests_since_ns.load(Ordering::Acquire);
        since != 0 && !is_rested(since, self.pause, self.core.shared.clock.now_ns())
    }

    /// Where the position is kept; a ledger over a given journal keeps none.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let place = self.subject.place.as_ref()?;
        Some(place.root.join(FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_rests_until_its_pause_is_over() {
        let rested = |now_ns| is_rested(100, Duration::from_nanos(50), now_ns);
        assert_eq!(
            [100, 149, 150, 1_000].map(rested),
            [false, false, true, true]
        );
        // Set back.
        assert!(rested(99));
    }
}
