// SPDX-License-Identifier: Apache-2.0
//! One callback: its calls, and what is wrong with it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::locks::whole;
use crate::metrics;

use super::kind::{CallbackKind, LOOK, VitalCallback};

/// Longest text of an embedder's that is kept, in characters.
const TEXT_CHARS_MAX: usize = 512;
/// Calls of one callback at the same time that are watched.
const CALLS_WATCHED: usize = 16;

/// A text that somebody else made, fit for a line of a log: bounded, and without characters that
/// change what is shown.
pub(super) fn bounded(text: &str) -> String {
    let mut kept: String = text
        .chars()
        .take(TEXT_CHARS_MAX)
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        kept.push('…');
    }
    kept
}

/// What a panic says.
pub(crate) fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => bounded(text),
        (None, Some(text)) => bounded(text),
        (None, None) => "no message".to_owned(),
    };
    // Its payload is the embedder's too, and may panic where it is dropped; once more is enough.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
    text
}

/// How a call went wrong, in the words of the metric.
#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    Failed,
    Panicked,
    Nonsense,
    Hung,
}

impl How {
    const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Nonsense => "nonsense",
            Self::Hung => "hung",
        }
    }
}

/// One call under way. The caller counts `turn` up when the call begins and when it ends: odd is
/// under way. The rest is the watching thread's.
#[derive(Default)]
struct Call {
    turn: AtomicU64,
    seen: AtomicU64,
    looks: AtomicU32,
}

/// A registered callback.
pub(crate) struct Seat {
    kind: CallbackKind,
    name: String,
    pub(super) budget: Duration,
    /// In a call on a thread of its own.
    pub(super) busy: AtomicBool,
    calls: [Call; CALLS_WATCHED],
    /// How long the longest call under way takes, in looks; 0 where none exceeds the budget.
    over: AtomicU32,
    /// Not called any more.
    out: AtomicBool,
    /// Lock: the caller that met a failure and health, for one text; no callback is called under it.
    trouble: Mutex<Option<String>>,
    vital: Option<Arc<VitalCallback>>,
    failures: [(How, ::metrics::Counter); 4],
}

/// Ends the mark of a call, also where it unwinds.
struct Mark<'a>(Option<&'a AtomicU64>);

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        if let Some(turn) = self.0 {
            turn.fetch_add(1, Ordering::Release);
        }
    }
}

/// The steps of one call.
pub(crate) struct Steps<'a>(Mark<'a>);

impl Steps<'_> {
    /// The next step begins.
    pub(crate) fn next(&self) {
        if let Some(turn) = self.0.0 {
            turn.fetch_add(2, Ordering::Release);
        }
    }
}

impl Seat {
    pub(super) fn new(
        kind: CallbackKind,
        name: &str,
        budget: Duration,
        vital: Option<Arc<VitalCallback>>,
    ) -> Self {
        let failures = |how: How| {
            let labels = [kind.word(), how.word()];
            (how, metrics::CALLBACK_FAILURES.counter(&labels))
        };
        Self {
            kind,
            name: bounded(name),
            budget,
            busy: AtomicBool::new(false),
            calls: Default::default(),
            over: AtomicU32::new(0),
            out: AtomicBool::new(false),
            trouble: Mutex::new(None),
            vital,
            failures: [How::Failed, How::Panicked, How::Nonsense, How::Hung].map(failures),
        }
    }

    pub(crate) const fn kind(&self) -> CallbackKind {
        self.kind
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn budget(&self) -> Duration {
        self.budget
    }

    /// What it is, and its name where it has one.
    pub(crate) fn title(&self) -> String {
        match self.name.as_str() {
            "" => self.kind.word().to_owned(),
            name => format!("{} {name}", self.kind.word()),
        }
    }

    /// Calls the embedder's code: what it panics with comes back as a text. The caller says whether
    /// the answer is a good one ([`Seat::well`]) or not.
    pub(crate) fn call<T>(&self, work: impl FnOnce() -> T) -> Result<T, String> {
        let mark = self.mark();
        let outcome = catch_unwind(AssertUnwindSafe(work));
        drop(mark);
        outcome.map_err(|panic| self.panicked(panic))
    }

    /// As [`Seat::call`], for work that calls the embedder's code again and again: the budget is that
    /// of one step.
    pub(crate) fn call_in_steps<T>(&self, work: impl FnOnce(&Steps<'_>) -> T) -> Result<T, String> {
        let steps = Steps(self.mark());
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&steps)));
        drop(steps);
        outcome.map_err(|panic| self.panicked(panic))
    }

    fn panicked(&self, panic: Box<dyn Any + Send>) -> String {
        let text = panic_text(panic);
        let cause = match self.kind.is_discreet() {
            true => "it panicked".to_owned(),
            false => format!("it panicked: {text}"),
        };
        self.trouble(How::Panicked, &cause);
        cause
    }

    /// It worked: what was wrong is over.
    pub(crate) fn well(&self) {
        if let Some(cause) = self.lock().take() {
            let callback = self.title();
            tracing::info!(callback, cause, "a callback works again");
        }
    }

    /// How a call ended whose panics somebody else has caught.
    pub(crate) fn ended(&self, wrong: Option<How>) {
        match wrong {
            None => self.well(),
            Some(how @ How::Failed) => self.trouble(how, "it gave an error"),
            Some(how @ How::Panicked) => self.trouble(how, "it panicked"),
            Some(how @ How::Nonsense) => self.trouble(how, "it gave what cannot be"),
            Some(how @ How::Hung) => self.trouble(how, "it did not come back"),
        }
    }

    /// It gave an error. Gives the text that is kept of it.
    pub(crate) fn failed(&self, cause: &dyn std::fmt::Display) -> String {
        self.tell(How::Failed, cause)
    }

    /// It gave what cannot be. Gives the text that is kept of it.
    pub(crate) fn nonsense(&self, cause: &dyn std::fmt::Display) -> String {
        self.tell(How::Nonsense, cause)
    }

    /// The embedder's own words may panic where they are made.
    fn tell(&self, how: How, cause: &dyn std::fmt::Display) -> String {
        match self.call(|| bounded(&cause.to_string())) {
            Ok(cause) => {
                self.trouble(how, &cause);
                cause
            }
            Err(panicked) => panicked,
        }
    }

    /// Whether it is not to be called any more.
    pub(super) fn is_out(&self) -> bool {
        self.out.load(Ordering::Acquire)
    }

    /// True where this callback is vital, and was not given up before.
    pub(super) fn give_up(&self) -> bool {
        self.vital.is_some() && !self.out.swap(true, Ordering::AcqRel)
    }

    pub(super) fn trouble(&self, how: How, cause: &str) {
        let callback = self.title();
        for (_, counter) in self
            .failures
            .iter()
            .filter(|(it, _)| *it as u8 == how as u8)
        {
            counter.increment(1);
        }
        let mut trouble = self.lock();
        if trouble.as_deref() != Some(cause) {
            tracing::error!(callback, cause, "a callback does not work");
            *trouble = Some(cause.to_owned());
        }
        drop(trouble);
        if let Some(vital) = &self.vital {
            self.out.store(true, Ordering::Release);
            vital.fail(format!("{callback}: {cause}"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        whole(self.trouble.lock())
    }

    /// A call begins; where there are more at a time than are watched, this one is not.
    fn mark(&self) -> Mark<'_> {
        thread_local!(static FIRST: usize = first());
        let first = FIRST.try_with(|first| *first).unwrap_or_default();
        let (before, from) = self.calls.split_at(first);
        let mut places = from.iter().chain(before);
        let place = places.find_map(|call| {
            let turn = call.turn.load(Ordering::Relaxed);
            let (acquired, lost) = (Ordering::Acquire, Ordering::Relaxed);
            let begun = turn % 2 == 0
                && call
                    .turn
                    .compare_exchange(turn, turn + 1, acquired, lost)
                    .is_ok();
            begun.then_some(&call.turn)
        });
        Mark(place)
    }

    /// The watching thread's look, one each `step`: how long the longest call under way takes, where
    /// that exceeds the budget.
    pub(super) fn look(&self, step: Duration) -> Option<Duration> {
        let mut longest = 0;
        for call in &self.calls {
            let turn = call.turn.load(Ordering::Acquire);
            if turn % 2 == 0 || call.seen.swap(turn, Ordering::Relaxed) != turn {
                call.looks.store(0, Ordering::Relaxed);
                continue;
            }
            longest = longest.max(call.looks.fetch_add(1, Ordering::Relaxed) + 1);
        }
        let took = step.saturating_mul(longest);
        let is_over = longest > 0 && took >= self.budget;
        let was = self
            .over
            .swap(if is_over { longest } else { 0 }, Ordering::AcqRel);
        let callback = self.title();
        match (was, is_over) {
            (0, true) => {
                let how = |(how, _): &&(How, _)| matches!(how, How::Hung);
                self.failures
                    .iter()
                    .filter(how)
                    .for_each(|(_, it)| it.increment(1));
                tracing::error!(callback, ?took, "a callback has not come back");
            }
            (1.., false) => tracing::warn!(callback, "a callback has come back"),
            _ => {}
        }
        is_over.then_some(took)
    }

    /// Whether a call that is watched is under way.
    pub(super) fn is_called(&self) -> bool {
        let under_way = |call: &Call| call.turn.load(Ordering::Relaxed) % 2 == 1;
        self.calls.iter().any(under_way)
    }

    /// What its last call did wrong, where it did; without its name.
    pub(crate) fn cause(&self) -> Option<String> {
        self.lock().clone()
    }

    /// What is wrong, where something is. Calls nobody.
    pub(crate) fn complaint(&self) -> Option<String> {
        let over = self.over.load(Ordering::Acquire);
        if over > 0 {
            let took = LOOK.saturating_mul(over).as_secs_f64();
            return Some(format!(
                "{}: it has not come back for {took:.1} s",
                self.title()
            ));
        }
        let trouble = self.lock().clone()?;
        Some(format!("{}: {trouble}", self.title()))
    }
}

/// Where this thread looks for a place first: threads that call side by side do not meet.
fn first() -> usize {
    static THREADS: AtomicU64 = AtomicU64::new(0);
    THREADS.fetch_add(1, Ordering::Relaxed) as usize % CALLS_WATCHED
}
