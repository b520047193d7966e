//! The writer: the only one who appends. A thread of its own takes a frame, has it synced,
//! publishes the head, answers, takes the next; the next fills while the last one syncs.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use super::answers::{Answer, Answerer};
use super::error::{AppendFailure, ReadFailure};
use super::{Frame, Head, Journal};
use crate::clock::Clock;
use crate::events::Seq;

/// A frame and who waits for it. Answers without a frame wait for everything submitted before.
#[derive(Default)]
pub struct Work {
    /// What to append.
    pub frame: Option<Frame>,
    /// Given in order, after the frame and everything before it is durable.
    pub answers: Vec<Answer>,
}

/// The writer stopped for good: nothing more is appended until the ledger is opened again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// What failed.
    pub cause: Arc<str>,
    /// True for the answers that waited for the frame that failed with an unknown outcome.
    pub outcome_unknown: bool,
    /// First and last record whose outcome is unknown.
    pub uncertain: Option<(Seq, Seq)>,
}

impl Sealed {
    /// Whether it is unknown if this record was written: a duplicate of a command in there must
    /// be answered so too.
    #[must_use]
    pub fn is_uncertain(&self, seq: Seq) -> bool {
        self.uncertain
            .is_some_and(|(first, last)| first <= seq && seq <= last)
    }
}

/// One append, told to the observer.
#[derive(Debug)]
pub struct Appended<'a> {
    /// What was to be appended.
    pub frame: &'a Frame,
    /// How long append and sync took.
    pub duration: Duration,
    /// How it came out.
    pub outcome: Result<(), &'a AppendFailure>,
}

/// Is told of every append, on the writer's thread, before anyone is answered.
pub type Observer = Box<dyn FnMut(&Appended<'_>) + Send>;

type Callback = Box<dyn Fn() + Send>;

#[derive(Default)]
struct Queue {
    works: VecDeque<Work>,
    stopping: bool,
    ended: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    submitted: Condvar,
    /// Nothing queued, nothing being appended. Changed under the queue's lock only.
    idle: AtomicBool,
    on_idle: Mutex<Option<Callback>>,
    head: watch::Sender<Head>,
    sealed: watch::Sender<Option<Sealed>>,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next work; `None` where the writer is to end and nothing is left.
    fn take(&self) -> Option<Work> {
        let wait = |queue: &mut Queue| queue.works.is_empty() && !queue.stopping;
        let waited = self.submitted.wait_while(self.queue(), wait);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        let work = queue.works.pop_front();
        queue.ended = work.is_none();
        work
    }

    fn rest(&self) {
        let queue = self.queue();
        if !queue.works.is_empty() {
            return;
        }
        self.idle.store(true, Ordering::SeqCst);
        drop(queue);
        let on_idle = self.on_idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(callback) = &*on_idle {
            callback();
        }
    }
}

/// What the sequencer holds: hands over work. Clones are the same writer.
#[derive(Clone)]
pub struct WriterHandle(Arc<Shared>);

impl WriterHandle {
    /// Queues work; returns at once. The queue holds what was admitted and no more: bounding it is
    /// the admission's business. After the writer's end the answers are given here.
    pub fn submit(&self, work: Work) {
        let mut queue = self.0.queue();
        if !queue.ended {
            queue.works.push_back(work);
            self.0.idle.store(false, Ordering::SeqCst);
            self.0.submitted.notify_one();
            return;
        }
        drop(queue);
        let sealed = self.0.sealed.borrow().clone().unwrap_or_else(|| Sealed {
            cause: "the writer has stopped".into(),
            outcome_unknown: false,
            uncertain: None,
        });
        for answer in work.answers {
            answer(Err(&sealed));
        }
    }

    /// True where nothing is queued and nothing is being appended: hand over what there is. One
    /// atomic read.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.idle.load(Ordering::SeqCst)
    }

    /// Calls `callback` whenever the writer has become idle, on its thread, before it gives the
    /// answers: so the next frame is handed over while they are given. Replaces the last one.
    pub fn on_idle(&self, callback: Callback) {
        let mut on_idle = self
            .0
            .on_idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *on_idle = Some(callback);
    }

    /// The last durable record.
    #[must_use]
    pub fn head(&self) -> Head {
        *self.0.head.borrow()
    }

    /// The last durable record, as it moves on. It moves before anyone is answered.
    #[must_use]
    pub fn watch_head(&self) -> watch::Receiver<Head> {
        self.0.head.subscribe()
    }

    /// Whether and why the writer is sealed.
    #[must_use]
    pub fn watch_sealed(&self) -> watch::Receiver<Option<Sealed>> {
        self.0.sealed.subscribe()
    }

    /// The writer ends when everything queued is answered; returns at once.
    pub fn stop(&self) {
        self.0.queue().stopping = true;
        self.0.submitted.notify_all();
    }
}

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
        let head = journal.head()?;
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            submitted: Condvar::new(),
            idle: AtomicBool::new(true),
            on_idle: Mutex::default(),
            head: watch::Sender::new(head),
            sealed: watch::Sender::new(None),
        });
        let io = |error: io::Error| ReadFailure::Io {
            cause: error.to_string().into(),
        };
        let running = Running {
            shared: Arc::clone(&shared),
            journal,
            clock,
            observer,
            answerer: Answerer::start().map_err(io)?,
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

/// What lives on the thread.
struct Running {
    shared: Arc<Shared>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    observer: Option<Observer>,
    answerer: Answerer,
    head: Head,
}

impl Running {
    fn run(mut self) {
        while let Some(Work { frame, answers }) = self.shared.take() {
            let outcome = self.commit(frame.as_ref());
            // The sequencer hands the next frame over while the answers are given.
            self.shared.rest();
            self.answerer.give(answers, outcome);
            if self.answerer.take_panicked() {
                self.seal("an answer panicked".into(), None);
            }
        }
        self.answerer.finish();
    }

    /// Appends the frame and publishes the new head, or seals.
    fn commit(&mut self, frame: Option<&Frame>) -> Result<Head, Sealed> {
        if let Some(sealed) = &*self.shared.sealed.borrow() {
            return Err(sealed.clone());
        }
        let Some(frame) = frame else {
            return Ok(self.head);
        };
        let started = self.clock.monotonic_ns();
        let append = AssertUnwindSafe(|| self.journal.append(frame, &self.head));
        let outcome = catch_unwind(append).unwrap_or_else(|_| {
            Err(AppendFailure::OutcomeUnknown {
                cause: "the journal panicked".into(),
            })
        });
        let ended = self.clock.monotonic_ns();
        if let Some(observer) = &mut self.observer {
            observer(&Appended {
                frame,
                duration: Duration::from_nanos(ended.saturating_sub(started)),
                outcome: outcome.as_ref().copied(),
            });
        }
        if let Err(failure) = outcome {
            return Err(self.fail(&failure, frame));
        }
        // Durable: from here on it may be shown, and whoever waited is answered.
        self.head = frame.last;
        self.shared.head.send_replace(self.head);
        Ok(self.head)
    }

    /// Seals after a failed append; the answers of this frame are told whether it may be there.
    fn fail(&self, failure: &AppendFailure, frame: &Frame) -> Sealed {
        let outcome_unknown = failure.is_outcome_unknown();
        let last = Seq::new(frame.last.seq).unwrap_or(frame.first);
        let uncertain = outcome_unknown.then_some((frame.first, last));
        let sealed = self.seal(failure.to_string().into(), uncertain);
        Sealed {
            outcome_unknown,
            ..sealed
        }
    }

    fn seal(&self, cause: Arc<str>, uncertain: Option<(Seq, Seq)>) -> Sealed {
        tracing::error!(%cause, "the ledger is sealed");
        let sealed = Sealed {
            cause,
            outcome_unknown: false,
            uncertain,
        };
        // The first cause stays: later ones follow from it.
        self.shared.sealed.send_if_modified(|current| {
            let is_first = current.is_none();
            current.get_or_insert_with(|| sealed.clone());
            is_first
        });
        sealed
    }
}
