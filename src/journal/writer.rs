// SPDX-License-Identifier: Apache-2.0
//! The writer: the only one who appends. A thread of its own takes a frame, has it synced,
//! publishes the head, answers, takes the next; the next fills while the last one syncs.

use std::io;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use super::commit_watchdog::CommitWatch;
use super::error::{AppendFailure, ReadFailure};
use super::handle::{Work, WriterHandle, WriterShared};
use super::head_waiter::HeadWaiter;
use super::reply_thread::{ReplyThread, WriterAnswer};
use super::sealed::Sealed;
use super::{Frame, Head, Journal};
use crate::clock::Clock;
use crate::error::Cause;
use crate::events::Seq;
use crate::metrics::SEALED;
use crate::vitals::{Vital, VitalPart, Vitals};

/// One append, told to the observer.
#[derive(Debug)]
pub struct Appended<'a> {
    /// What was to be appended.
    pub frame: &'a Frame,
    /// How long append and sync took.
    pub duration: Duration,
    /// How long it took since the frame was handed over: waiting for the one before it included.
    pub since_hand_over: Duration,
    /// How it came out.
    pub outcome: Result<(), &'a AppendFailure>,
}

/// Is told of every append, on the writer's thread, before anyone is answered.
pub type Observer = Box<dyn FnMut(&Appended<'_>) + Send>;

/// Answers, and what they are to say.
type AppendOutcome = (Vec<Box<dyn WriterAnswer>>, Result<Head, Sealed>);

/// How often a thread that may hang is asked whether it has come back.
const JOIN_STEP: Duration = Duration::from_millis(1);

/// Owns the thread. Dropping it stops the writer and does not wait.
pub struct Writer {
    handle: WriterHandle,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the writer at the journal's head.
    ///
    /// # Errors
    /// [`ReadFailure`] where the head can't be read or no thread can be had.
    pub fn start(
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        observer: Option<Observer>,
    ) -> Result<Self, ReadFailure> {
        Self::start_watched(journal, clock, observer, None)
    }

    /// As [`Writer::start`], with a watchdog over appends that do not come back.
    ///
    /// # Errors
    /// As [`Writer::start`].
    pub fn start_watched(
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        observer: Option<Observer>,
        watch: Option<CommitWatch>,
    ) -> Result<Self, ReadFailure> {
        let head = journal.head()?;
        let head_waiter = Arc::new(HeadWaiter::default());
        head_waiter.set(head.count());
        let shared = Arc::new(WriterShared {
            head_waiter,
            recent: Arc::default(),
            queue: Mutex::default(),
            submitted: Condvar::new(),
            idle: AtomicBool::new(true),
            asked: AtomicBool::new(false),
            on_idle: Mutex::default(),
            head: watch::Sender::new(head),
            sealed: watch::Sender::new(None),
            sealed_gauge: SEALED.gauge(&[]),
            clock,
            gone: AtomicBool::new(false),
            vitals: Vitals::default(),
            under_way: Arc::default(),
        });
        let io = |error: io::Error| ReadFailure::Io {
            cause: Cause::of(error),
        };
        if let Some(watch) = watch {
            watch.start(&shared).map_err(io)?;
        }
        let running = WriterThread {
            shared: Arc::clone(&shared),
            journal,
            observer,
            vital: shared.vitals.start(VitalPart::Writer),
            reply_thread: ReplyThread::start().map_err(io)?,
            head,
        };
        let builder = std::thread::Builder::new().name("ledger-writer".into());
        let thread = builder.spawn(move || running.run()).map_err(io)?;
        Ok(Self {
            handle: WriterHandle(shared),
            thread: Some(thread),
        })
    }

    /// What to submit work with.
    #[must_use]
    pub fn handle(&self) -> WriterHandle {
        self.handle.clone()
    }

    /// Stops and waits until everything queued is answered. Blocks.
    pub fn join(mut self) {
        self.end();
    }

    /// As [`Writer::join`], but waits no longer than `timeout` for a thread that hangs: false
    /// where it has not come back. Blocks.
    pub fn join_within(&mut self, timeout: Duration) -> bool {
        self.handle.stop();
        let mut left = timeout;
        while self
            .thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
        {
            if left.is_zero() {
                return false;
            }
            let step = left.min(JOIN_STEP);
            std::thread::sleep(step);
            left -= step;
        }
        self.end();
        true
    }

    fn end(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer's thread panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

/// Told last, whatever ends the thread.
struct Leaving(Arc<WriterShared>);

impl Drop for Leaving {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.abandon();
        }
        self.0.gone.store(true, Ordering::Release);
        self.0.under_way.over();
    }
}

/// What lives on the thread.
struct WriterThread {
    shared: Arc<WriterShared>,
    journal: Arc<dyn Journal>,
    observer: Option<Observer>,
    vital: Vital,
    reply_thread: ReplyThread,
    head: Head,
}

impl WriterThread {
    fn run(mut self) {
        let _leaving = Leaving(Arc::clone(&self.shared));
        while let Some((handed_over, Work { frame, answers })) = self.shared.take() {
            // None: it took too long, and the watch has answered in its place.
            let Some((answers, outcome)) = self.commit(frame.as_ref(), answers, handed_over) else {
                break;
            };
            // The sequencer hands the next frame over while the answers are given.
            self.shared.rest();
            self.reply_thread.give(answers, outcome);
            // Behind the answers: whoever follows the journal takes no core from whom it answers.
            self.shared.head_waiter.ring();
            if self.reply_thread.take_panicked() {
                self.seal("an answer panicked".into(), None);
            }
        }
        self.reply_thread.finish();
        drop(self.journal);
        self.vital.done();
    }

    /// Appends the frame and publishes the new head, or seals.
    fn commit(
        &mut self,
        frame: Option<&Frame>,
        answers: Vec<Box<dyn WriterAnswer>>,
        handed_over: u64,
    ) -> Option<AppendOutcome> {
        if let Some(sealed) = &*self.shared.sealed.borrow() {
            return Some((answers, Err(sealed.clone())));
        }
        let Some(frame) = frame else {
            return Some((answers, Ok(self.head)));
        };
        let started = self.shared.clock.monotonic_ns();
        self.shared.under_way.begin(started, frame, answers);
        let append = AssertUnwindSafe(|| self.journal.append(frame, &self.head));
        let outcome = catch_unwind(append).unwrap_or_else(|_| {
            Err(AppendFailure::OutcomeUnknown {
                cause: "the journal panicked".into(),
            })
        });
        // Who has the answers, tells: what comes too late is not shown either.
        let answers = self.shared.under_way.end()?;
        let ended = self.shared.clock.monotonic_ns();
        if let Some(observer) = &mut self.observer {
            observer(&Appended {
                frame,
                duration: Duration::from_nanos(ended.saturating_sub(started)),
                since_hand_over: Duration::from_nanos(ended.saturating_sub(handed_over)),
                outcome: outcome.as_ref().copied(),
            });
        }
        if let Err(failure) = outcome {
            return Some((answers, Err(self.fail(&failure, frame))));
        }
        // Durable: from here on it may be shown, and whoever waited is answered.
        self.head = frame.last;
        self.shared.recent.push(frame.clone());
        self.shared.head.send_replace(self.head);
        self.shared.head_waiter.set(self.head.count());
        Some((answers, Ok(self.head)))
    }

    /// Seals after a failed append; the answers of this frame are told whether it may be there.
    fn fail(&self, failure: &AppendFailure, frame: &Frame) -> Sealed {
        let outcome_unknown = failure.is_outcome_unknown();
        let last = frame.last_seq();
        let uncertain = outcome_unknown.then_some(frame.first..=last);
        let cause = Cause::of(failure.clone()).fault_is(failure.fault());
        let sealed = self.seal(cause, uncertain);
        Sealed {
            outcome_unknown,
            ..sealed
        }
    }

    fn seal(&self, cause: Cause, uncertain: Option<RangeInclusive<Seq>>) -> Sealed {
        self.shared.seal(cause, uncertain)
    }
}
