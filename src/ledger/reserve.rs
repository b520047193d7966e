//! The disk reserve: appends stop while there is still room, and go on by themselves when there is
//! again. What came first is stopped last: new starts, then everything else, then the endings of
//! what runs. The ledger's own records are few and small, and are not stopped.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::callbacks::{Kind, Seat};
use crate::commands::Command;
use crate::database::Space;
use crate::error::AppendError;
use crate::events::Decision;
use crate::metrics;

use super::phase::SHUT;
use super::submit::Core;
use crate::vitals::Part;

/// How often the medium is asked.
const INTERVAL: Duration = Duration::from_millis(100);

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Begins something that will want to end.
    Start = 1,
    /// Anything else.
    Other = 2,
    /// Ends what runs: its effect has happened.
    Finish = 3,
}

impl Need {
    /// Of a group of commands, where so many of them start an execution.
    pub(crate) const fn of(finishes: bool, starts: usize) -> Self {
        match (finishes, starts) {
            (true, _) => Self::Finish,
            (false, 0) => Self::Other,
            (false, _) => Self::Start,
        }
    }
}

/// How many of these commands start an execution.
pub(crate) fn starts(commands: &[Command]) -> usize {
    let starts = commands.iter().filter(|command| match command.parts().0 {
        Command::Start(_) => true,
        Command::Begin(request) => request.decision == Decision::Authorized,
        _ => false,
    });
    starts.count()
}

/// How much is kept free, and what that leaves.
pub(crate) struct Reserve {
    bytes: u64,
    free: AtomicU64,
    /// Needs up to this one are refused; 0: none.
    refused: AtomicU8,
}

impl Reserve {
    /// Keeps so many bytes free; 0: none, and nothing is ever refused.
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            bytes,
            free: AtomicU64::new(u64::MAX),
            refused: AtomicU8::new(0),
        }
    }

    /// Below this much room a need is refused.
    const fn floor(&self, need: Need) -> u64 {
        match need {
            Need::Start => self.bytes,
            Need::Other => self.bytes / 2,
            Need::Finish => self.bytes / 8,
        }
    }

    /// Takes note of the room there is. What was refused is allowed again when there is a
    /// sixteenth more than it needs, so that it does not flutter.
    pub(crate) fn observe(&self, free: u64) {
        self.free.store(free, Ordering::Relaxed);
        let before = self.refused.load(Ordering::Acquire);
        let mut refused = 0;
        for need in [Need::Start, Need::Other, Need::Finish] {
            let was_refused = need as u8 <= before;
            let margin = if was_refused { self.bytes / 16 } else { 0 };
            if free < self.floor(need).saturating_add(margin) {
                refused = need as u8;
            }
        }
        self.refused.store(refused, Ordering::Release);
        match (before, refused) {
            (0, 1..) => tracing::error!(free, reserve = self.bytes, "the disk reserve is reached"),
            (1.., 0) => tracing::warn!(free, reserve = self.bytes, "there is room again"),
            _ => {}
        }
    }

    pub(crate) fn admit(&self, need: Need) -> Result<(), AppendError> {
        if need as u8 > self.refused.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(AppendError::DiskReserve {
            free: self.free.load(Ordering::Relaxed),
            reserve: self.bytes,
        })
    }

    /// What is wrong, where something is.
    pub(crate) fn complaint(&self) -> Option<String> {
        let refused = self.refused.load(Ordering::Acquire);
        let free = self.free.load(Ordering::Relaxed);
        (refused > 0).then(|| format!("disk reserve: {free} bytes free, {} wanted", self.bytes))
    }
}

/// More cannot be free: no file system counts beyond it.
const PLAUSIBLE_BYTES: u64 = i64::MAX as u64;

/// Asks again and again, on a thread of its own: the medium may take its time to answer. Waits for
/// the first answer as long as one call may take.
pub(super) async fn watch(
    core: &Arc<Core>,
    (space, budget): (Arc<dyn Space>, Duration),
    root: PathBuf,
) -> io::Result<()> {
    let seat = core.callbacks.seat(Kind::Space, "", budget);
    let (told, first) = oneshot::channel();
    let vital = core.shared.vitals.start(Part::Space);
    let core = Arc::downgrade(core);
    let run = move || {
        run(&core, &seat, &*space, &root, told);
        vital.done();
    };
    let builder = std::thread::Builder::new().name("ledger-space".into());
    // It ends by itself, soon after the ledger.
    builder.spawn(run)?;
    if tokio::time::timeout(budget, first).await.is_err() {
        tracing::error!("the free space is not known yet");
    }
    Ok(())
}

/// Holds the ledger for no longer than a look: a call that does not come back keeps nothing open.
fn run(core: &Weak<Core>, seat: &Seat, space: &dyn Space, root: &Path, told: oneshot::Sender<()>) {
    let mut told = Some(told);
    loop {
        let found = seat.call(|| space.free_bytes(root));
        match core.upgrade() {
            Some(core) if core.phase.now() < SHUT => look(&core, seat, found),
            _ => return,
        }
        if let Some(told) = told.take() {
            // Whoever opens may have waited long enough.
            let _heard = told.send(()).is_ok();
        }
        std::thread::sleep(INTERVAL);
    }
}

/// Not knowing is no reason to stop, and none to go on: the last value stays in force.
fn look(core: &Core, seat: &Seat, found: Result<io::Result<u64>, String>) {
    match found {
        Ok(Ok(free)) if free > PLAUSIBLE_BYTES => {
            seat.nonsense(&format_args!("{free} bytes are said to be free"));
        }
        Ok(Ok(free)) => {
            seat.well();
            metrics::DISK_FREE_BYTES.gauge(&[]).set(free as f64);
            core.reserve.observe(free);
        }
        Ok(Err(error)) => drop(seat.failed(&error)),
        // It panicked, and its seat has told of it.
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_stop_first_and_endings_last_and_all_come_back_with_a_margin() {
        let reserve = Reserve::new(1_600);
        let admitted = |free| {
            reserve.observe(free);
            let needs = [Need::Start, Need::Other, Need::Finish];
            needs.map(|need| reserve.admit(need).is_ok())
        };
        assert_eq!(admitted(1_600), [true, true, true]);
        assert_eq!(admitted(1_599), [false, true, true]);
        assert_eq!(admitted(800), [false, true, true]);
        assert_eq!(admitted(799), [false, false, true]);
        assert_eq!(admitted(200), [false, false, true]);
        assert_eq!(admitted(199), [false, false, false]);
        assert!(reserve.complaint().unwrap().contains("199"));
        assert_eq!(admitted(299), [false, false, false]);
        assert_eq!(admitted(300), [false, false, true]);
        assert_eq!(admitted(899), [false, false, true]);
        assert_eq!(admitted(900), [false, true, true]);
        assert_eq!(admitted(1_699), [false, true, true]);
        assert_eq!(admitted(1_700), [true, true, true]);
        assert_eq!(reserve.complaint(), None);
        let off = Reserve::new(0);
        off.observe(0);
        assert!(off.admit(Need::Start).is_ok());
    }
}
