//! An eye on the writer: a commit can hang for ever, in the engine (back-pressure on a full disk)
//! or in the system. Nobody who waits for it is left waiting.
//!
//! Only time in which the process could run counts: between two looks no more than two pauses. A process
//! that was stopped, or whose machine slept, has hung no commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::Frame;
use super::answers::Answer;
use super::handle::Shared;
use super::writer::Sealed;
use crate::events::Seq;
use crate::vitals::Part;

/// How often it looks at most, and at least.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

/// When an append is given up, and who is told.
pub struct Watch {
    /// An append that takes longer hangs: on the injected clock, without time in which nothing ran.
    pub after: Duration,
    /// Called once, before the writer is sealed and its callers are answered.
    pub on_hang: Box<dyn FnOnce(&str) + Send>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

/// The append under way: whoever takes it out answers for it.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<Option<Append>>);

struct Append {
    looked_ns: u64,
    waited_ns: u64,
    uncertain: (Seq, Seq),
    answers: Vec<Answer>,
}

/// An append that was given up.
pub(super) struct Hung {
    pub(super) cause: Arc<str>,
    pub(super) uncertain: (Seq, Seq),
    pub(super) answers: Vec<Answer>,
}

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, Option<Append>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, since_ns: u64, frame: &Frame, answers: Vec<Answer>) {
        let last = Seq::new(frame.last.seq).unwrap_or(frame.first);
        *self.lock() = Some(Append {
            looked_ns: since_ns,
            waited_ns: 0,
            uncertain: (frame.first, last),
            answers,
        });
    }

    /// `None` where it was given up meanwhile.
    pub(super) fn end(&self) -> Option<Vec<Answer>> {
        self.lock().take().map(|append| append.answers)
    }

    /// A look, `pause` after the one before as far as that was up to us.
    fn give_up(&self, now_ns: u64, after: Duration, pause: Duration) -> Option<Hung> {
        let mut append = self.lock();
        let under_way = append.as_mut()?;
        let passed = now_ns.saturating_sub(under_way.looked_ns);
        let most = u64::try_from(pause.as_nanos().saturating_mul(2)).unwrap_or(u64::MAX);
        under_way.looked_ns = under_way.looked_ns.max(now_ns);
        under_way.waited_ns = under_way.waited_ns.saturating_add(passed.min(most));
        if u128::from(under_way.waited_ns) < after.as_nanos() {
            return None;
        }
        let append = append.take()?;
        Some(Hung {
            cause: format!("a commit hangs, given up after {after:?}").into(),
            uncertain: append.uncertain,
            answers: append.answers,
        })
    }
}

impl UnderWay {
    /// The append under way, where its thread is gone.
    pub(super) fn abandoned(&self, cause: &str) -> Option<Hung> {
        let append = self.lock().take()?;
        Some(Hung {
            cause: cause.into(),
            uncertain: append.uncertain,
            answers: append.answers,
        })
    }
}

impl Watch {
    pub(super) fn start(self, shared: &Arc<Shared>) -> std::io::Result<()> {
        let vital = shared.vitals.start(Part::Watchdog);
        let shared = Arc::downgrade(shared);
        let run = move || {
            self.run(&shared);
            vital.done();
        };
        let builder = std::thread::Builder::new().name("ledger-watch".into());
        // It ends by itself, soon after the writer.
        builder.spawn(run).map(drop)
    }

    fn run(self, shared: &Weak<Shared>) {
        let Self { after, on_hang } = self;
        let pause = (after / 8).clamp(LOOKS.0, LOOKS.1);
        loop {
            std::thread::sleep(pause);
            let Some(shared) = shared.upgrade().filter(|shared| !shared.is_over()) else {
                return;
            };
            let now_ns = shared.clock.monotonic_ns();
            if let Some(hung) = shared.under_way.give_up(now_ns, after, pause) {
                // Whoever is told must not keep the callers from their answers.
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

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(8);
    const PAUSE: Duration = Duration::from_secs(1);

    fn under_way(since_ns: u64) -> UnderWay {
        UnderWay(Mutex::new(Some(Append {
            looked_ns: since_ns,
            waited_ns: 0,
            uncertain: (Seq::FIRST, Seq::FIRST),
            answers: Vec::new(),
        })))
    }

    fn looks(under_way: &UnderWay, at_s: impl IntoIterator<Item = u64>) -> Option<u64> {
        let mut at_s = at_s.into_iter();
        at_s.find(|at| {
            let now_ns = at * 1_000_000_000;
            under_way.give_up(now_ns, AFTER, PAUSE).is_some()
        })
    }

    #[test]
    fn a_commit_that_hangs_is_given_up_when_its_time_is_over() {
        assert_eq!(looks(&under_way(0), 1..100), Some(8));
    }

    /// A stopped process, a sleeping machine: the commit was not looked at, and nobody could have.
    #[test]
    fn time_in_which_nothing_ran_is_not_counted() {
        let stopped = under_way(0);
        assert_eq!(looks(&stopped, [1, 601, 602, 603, 604]), None);
        // Two at most were the gap's: 1 + 2 + 3 are six seconds by now.
        assert_eq!(looks(&stopped, 605..700), Some(606));
        // A clock that goes back counts nothing.
        let back = under_way(10_000_000_000);
        assert_eq!(looks(&back, [5, 6, 7, 8, 9, 10]), None);
    }
}
