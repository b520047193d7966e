//! An eye on the writer: a commit can hang for ever, in the engine (back-pressure on a full disk)
//! or in the system. Nobody who waits for it is left waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::Frame;
use super::answers::Answer;
use super::handle::Shared;
use super::writer::Sealed;
use crate::events::Seq;

/// How often it looks at most, and at least.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

/// When an append is given up, and who is told.
pub struct Watch {
    /// An append that takes longer hangs. On the injected clock.
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
    since_ns: u64,
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
            since_ns,
            uncertain: (frame.first, last),
            answers,
        });
    }

    /// `None` where it was given up meanwhile.
    pub(super) fn end(&self) -> Option<Vec<Answer>> {
        self.lock().take().map(|append| append.answers)
    }

    fn give_up(&self, now_ns: u64, after: Duration) -> Option<Hung> {
        let mut append = self.lock();
        let took = now_ns.saturating_sub(append.as_ref()?.since_ns);
        if u128::from(took) < after.as_nanos() {
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

impl Watch {
    pub(super) fn start(self, shared: &Arc<Shared>) -> std::io::Result<()> {
        let shared = Arc::downgrade(shared);
        let run = move || self.run(&shared);
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
            if let Some(hung) = shared.under_way.give_up(shared.clock.monotonic_ns(), after) {
                on_hang(&hung.cause);
                let Sealed { cause, .. } = shared.give_up(hung);
                tracing::error!(%cause, "callers were answered that the outcome is unknown");
                return;
            }
        }
    }
}
