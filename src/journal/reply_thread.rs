// SPDX-License-Identifier: Apache-2.0
//! Gives answers in order. Many of them go to a thread of their own, so that waking a thousand
//! callers does not keep the next frame from its sync; few are given on the spot.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::Head;
use super::sealed::Sealed;

/// It waits for the sync of everything before, in a box of its own: none is made for the answer. A closure is one, too.
///
/// Example: [`journal`](crate::journal).
pub trait WriterAnswer: Send {
    /// Called once: with the head after the frame that it waited for, or why there will be none.
    fn give(self: Box<Self>, outcome: Result<&Head, &Sealed>);
}

impl<F: FnOnce(Result<&Head, &Sealed>) + Send> WriterAnswer for F {
    fn give(self: Box<Self>, outcome: Result<&Head, &Sealed>) {
        (*self)(outcome);
    }
}

/// More answers than this are worth a thread hop.
const ON_THE_SPOT_MAX: usize = 16;

struct ReplyBatch {
    answers: Vec<Box<dyn WriterAnswer>>,
    outcome: Result<Head, Sealed>,
}

/// What the writer and the thread share.
#[derive(Default)]
struct ReplyShared {
    /// Batches handed over and not yet answered: while there are any, none is answered on the
    /// spot, or it would overtake them.
    waiting: AtomicUsize,
    panicked: AtomicBool,
}

impl ReplyShared {
    fn give(&self, ReplyBatch { answers, outcome }: ReplyBatch) {
        if !give(answers, outcome.as_ref()) {
            self.panicked.store(true, Ordering::Release);
        }
    }
}

/// Gives all of them; false where one panicked.
pub(super) fn give(answers: Vec<Box<dyn WriterAnswer>>, outcome: Result<&Head, &Sealed>) -> bool {
    let mut calm = true;
    for answer in answers {
        calm &= catch_unwind(AssertUnwindSafe(|| answer.give(outcome))).is_ok();
    }
    calm
}

pub(super) struct ReplyThread {
    sender: Sender<ReplyBatch>,
    shared: Arc<ReplyShared>,
    thread: JoinHandle<()>,
}

impl ReplyThread {
    pub(super) fn start() -> io::Result<Self> {
        let (sender, receiver): (_, Receiver<ReplyBatch>) = channel();
        let shared = Arc::new(ReplyShared::default());
        let theirs = Arc::clone(&shared);
        let run = move || {
            for batch in receiver {
                theirs.give(batch);
                theirs.waiting.fetch_sub(1, Ordering::Release);
            }
        };
        let thread = std::thread::Builder::new()
            .name("ledger-answers".into())
            .spawn(run)?;
        Ok(Self {
            sender,
            shared,
            thread,
        })
    }

    pub(super) fn give(&self, answers: Vec<Box<dyn WriterAnswer>>, outcome: Result<Head, Sealed>) {
        let batch = ReplyBatch { answers, outcome };
        let nobody_waits = self.shared.waiting.load(Ordering::Acquire) == 0;
        if nobody_waits && batch.answers.len() <= ON_THE_SPOT_MAX {
            return self.shared.give(batch);
        }
        self.shared.waiting.fetch_add(1, Ordering::Release);
        if let Err(unsent) = self.sender.send(batch) {
            // The thread can only be gone if it was killed from outside; answer all the same.
            self.shared.give(unsent.0);
        }
    }

    /// True once, after an answer panicked.
    pub(super) fn take_panicked(&self) -> bool {
        self.shared.panicked.swap(false, Ordering::Acquire)
    }

    /// Returns when everything is answered.
    pub(super) fn finish(self) {
        drop(self.sender);
        if self.thread.join().is_err() {
            tracing::error!("the thread that answers panicked");
        }
    }
}
