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

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::options::Options;
use super::submit::Core;
use super::verify::{Damaged, Subject, Unread};
use crate::vitals::Part;

use found::Found;
use pass::Pass;

/// Allowance that can be saved up: of so long a time.
const SAVED_UP_NS: u64 = 1_000_000_000;
/// Between two savings of the position.
const SAVE_NS: u64 = 60_000_000_000;
const FILE: &str = "SCRUB";

/// What the scrub has done since this opening.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Scrubbed {
    /// Every record from the first to this one was found sound, in this pass or the one before.
    pub verified_through: u64,
    /// Passes ended.
    pub passes: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Damages found, and not gone since.
    pub damages: Vec<Damaged>,
    /// What could not be read, and was not since: nothing is known of it.
    pub unread: Vec<Unread>,
    /// Tables whose every block is right, and of which the engine states another checksum of the whole.
    pub engine_faults: Vec<Damaged>,
}

pub(crate) struct Scrub {
    /// 0: it does nothing.
    bytes_per_second: u64,
    pause: Duration,
    subject: Subject,
    /// Held while it reads.
    pass: Mutex<Pass>,
    found: Mutex<Found>,
    /// Its thread, once there is something to do: it takes moments of the monotonic clock.
    thread: Mutex<Option<SyncSender<u64>>>,
    stopped: AtomicBool,
}

impl Scrub {
    pub(super) fn new(options: &Options, subject: Subject, now_ns: u64) -> Self {
        Self {
            bytes_per_second: options.scrub_bytes_per_second,
            pause: options.scrub_pause,
            subject,
            pass: Mutex::new(Pass::new(now_ns)),
            found: Mutex::default(),
            thread: Mutex::default(),
            stopped: AtomicBool::new(false),
        }
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wrong, where something is.
    pub(super) fn complaint(&self) -> Option<String> {
        self.found().complaint()
    }

    pub(super) fn scrubbed(&self) -> Scrubbed {
        self.found().scrubbed()
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Where the position is kept; a ledger over a given journal keeps none.
    fn file(&self) -> Option<PathBuf> {
        let place = self.subject.place.as_ref()?;
        Some(place.root.join(FILE))
    }

    /// Nothing more is begun.
    pub(super) fn halt(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// As [`Scrub::halt`]; keeps the position. Blocks for as long as one frame takes.
    pub(super) fn stop(&self) {
        self.halt();
        if self.bytes_per_second == 0 {
            return;
        }
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        pass.save(self);
    }
}

/// Goes on in the background, as far as the time that has passed allows.
pub(super) fn go_on(core: &Arc<Core>, now_ns: u64) {
    let scrub = &core.scrub;
    if scrub.bytes_per_second == 0 || scrub.is_stopped() {
        return;
    }
    let mut thread = scrub.thread.lock().unwrap_or_else(PoisonError::into_inner);
    let ticks = match &*thread {
        Some(ticks) => ticks,
        None => match start(core) {
            Ok(ticks) => thread.insert(ticks),
            Err(error) => return tracing::warn!(%error, "no thread for the scrub"),
        },
    };
    // Full while it reads: what it may read adds up meanwhile.
    let _full = ticks.try_send(now_ns).is_err();
}

/// A thread of its own: a medium that hangs holds it, and no thread of the runtime. It ends with
/// the ledger.
fn start(core: &Arc<Core>) -> std::io::Result<SyncSender<u64>> {
    let (ticks, taken) = sync_channel::<u64>(0);
    let vital = core.shared.vitals.start(Part::Scrub);
    let core = Arc::downgrade(core);
    let run = move || {
        for now_ns in taken {
            let Some(core) = core.upgrade() else { break };
            let pass = core.scrub.pass.lock();
            let mut pass = pass.unwrap_or_else(PoisonError::into_inner);
            pass.go_on(&core, now_ns);
        }
        vital.done();
    };
    let builder = std::thread::Builder::new().name("ledger-scrub".into());
    builder.spawn(run)?;
    Ok(ticks)
}

impl Core {
    /// What is wrong although appends work, where something is.
    pub(super) fn complaint(&self) -> Option<String> {
        let found = self.scrub.complaint().or_else(|| self.reserve.complaint());
        let found = found.or_else(|| self.checkpoints.complaint());
        // Before the clock is asked: one that hangs is named, and not waited for.
        let found = found.or_else(|| self.callbacks.complaint());
        found.or_else(|| self.clock.complaint())
    }
}

impl super::Ledger {
    /// What the scrub has done since this opening. Asks no disk.
    #[must_use]
    pub fn scrubbed(&self) -> Scrubbed {
        self.0.core.scrub.scrubbed()
    }
}
