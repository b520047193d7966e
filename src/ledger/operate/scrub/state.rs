// SPDX-License-Identifier: Apache-2.0
//! What the scrub reads, how fast, and what it has found.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::found::ScrubFindings;
use crate::ledger::operate::verify::Subject;
use crate::ledger::options::Options;
use crate::ledger::write::submit::Core;
use crate::locks::whole;

const FILE: &str = "SCRUB";

pub(super) struct ScrubState {
    pub(super) core: Arc<Core>,
    /// 0: it does nothing.
    pub(super) bytes_per_second: u64,
    pub(super) pause: Duration,
    pub(super) subject: Subject,
    /// Lock: the scrub's thread to note what it found, health for a copy; nothing is read under it.
    found: Mutex<ScrubFindings>,
    stopped: AtomicBool,
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

    /// Where the position is kept; a ledger over a given journal keeps none.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let place = self.subject.place.as_ref()?;
        Some(place.root.join(FILE))
    }
}
