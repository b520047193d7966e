// SPDX-License-Identifier: Apache-2.0
//! What the writer's thread shares with those who hand it work.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use metrics::Gauge;
use tokio::sync::watch;

use super::frame_cache::FrameCache;
use super::head_waiter::HeadWaiter;
use super::reply_thread::{self, WriterAnswer};
use super::sealed::Sealed;
use super::under_way::{AppendUnderWay, Hung};
use super::{Frame, Head};
use crate::clock::Clock;
use crate::error::Cause;
use crate::events::Seq;
use crate::locks::whole;
use crate::vitals::Vitals;

/// A frame and who waits for it. Answers without a frame wait for everything submitted before.
#[derive(Default)]
pub struct Work {
    /// What to append.
    pub frame: Option<Frame>,
    /// Given in order, after the frame and everything before it is durable.
    pub answers: Vec<Box<dyn WriterAnswer>>,
}

type Callback = Box<dyn Fn() + Send>;

#[derive(Default)]
pub(super) struct WriterQueue {
    /// With the moment of each hand-over, in nanoseconds of the monotonic clock.
    works: VecDeque<(u64, Work)>,
    stopping: bool,
    ended: bool,
}

pub(super) struct WriterShared {
    pub(super) head_waiter: Arc<HeadWaiter>,
    pub(super) recent: Arc<FrameCache>,
    /// Lock: the sequencer for one work put in, the writer's thread for one taken out; nothing is called under it.
    pub(super) queue: Mutex<WriterQueue>,
    pub(super) submitted: Condvar,
    /// Nothing queued, nothing being appended. Changed under the queue's lock only.
    pub(super) idle: AtomicBool,
    /// Someone asked whether it is idle while it was not.
    pub(super) asked: AtomicBool,
    /// Lock: the writer's thread for a call of it, which only sends a message; the sequencer once, to put it in.
    pub(super) on_idle: Mutex<Option<Callback>>,
    pub(super) head: watch::Sender<Head>,
    pub(super) sealed: watch::Sender<Option<Sealed>>,
    pub(super) sealed_gauge: Gauge,
    pub(super) clock: Arc<dyn Clock>,
    /// The thread has ended.
    pub(super) gone: AtomicBool,
    /// What runs for this opening: the writer is the first of it.
    pub(super) vitals: Vitals,
    /// Frame and answers of the append under way.
    pub(super) under_way: Arc<AppendUnderWay>,
}

impl Drop for WriterShared {
    fn drop(&mut self) {
        // The watchdog may wait where no thread was ever started.
        self.under_way.over();
    }
}

impl WriterShared {
    fn queue(&self) -> MutexGuard<'_, WriterQueue> {
        whole(self.queue.lock())
    }

    /// The next work; `None` where the writer is to end and nothing is left.
    pub(super) fn take(&self) -> Option<(u64, Work)> {
        let wait =
            |queue: &mut WriterQueue| queue.works.is_empty() && !queue.stopping && !queue.ended;
        let waited = self.submitted.wait_while(self.queue(), wait);
        let mut queue = whole(waited);
        let work = queue.works.pop_front();
        queue.ended = work.is_none();
        work
    }

    /// For a writer that hangs: what its append is for is answered *outcome unknown*, what waits
    /// behind it was never tried. Its thread may come back later and finds nothing more to do.
    pub(super) fn give_up(&self, hung: Hung) -> Sealed {
        let Hung {
            cause,
            uncertain,
            answers,
        } = hung;
        let sealed = self.seal(cause.into(), Some(uncertain));
        let unknown = Sealed {
            outcome_unknown: true,
            ..sealed.clone()
        };
        reply_thread::give(answers, Err(&unknown));
        self.refuse(&sealed);
        sealed
    }

    /// Everybody who waits is told, and everybody who comes later.
    fn refuse(&self, sealed: &Sealed) {
        let mut queue = self.queue();
        queue.ended = true;
        let waiting = std::mem::take(&mut queue.works);
        drop(queue);
        for (_, work) in waiting {
            reply_thread::give(work.answers, Err(sealed));
        }
        // Records that the sequencer has kept back for an idle writer come now, and are answered at
        // once.
        self.rest();
    }

    /// The thread panics: nobody is left waiting for it.
    pub(super) fn abandon(&self) {
        let cause = "the writer's thread panicked";
        match self.under_way.abandoned(cause) {
            Some(hung) => drop(self.give_up(hung)),
            None => self.refuse(&self.seal(cause.into(), None)),
        }
    }

    /// Nothing will be appended any more.
    pub(super) fn is_over(&self) -> bool {
        self.queue().ended || self.sealed.borrow().is_some()
    }

    pub(super) fn rest(&self) {
        let queue = self.queue();
        if !queue.works.is_empty() {
            return;
        }
        self.idle.store(true, Ordering::SeqCst);
        drop(queue);
        if !self.asked.swap(false, Ordering::SeqCst) {
            return;
        }
        let on_idle = whole(self.on_idle.lock());
        if let Some(callback) = &*on_idle {
            callback();
        }
    }
}

/// What the sequencer holds: hands over work. Clones are the same writer.
///
/// Example: [`journal`](crate::journal).
#[derive(Clone)]
pub struct WriterHandle(pub(super) Arc<WriterShared>);

impl WriterHandle {
    /// Nothing is appended any more: what waits and what comes is answered with `cause`.
    pub(crate) fn seal(&self, cause: &str) {
        self.0.seal(cause.into(), None);
    }

    /// As [`WriterHandle::seal`], for who must not keep the writer: after its end, nothing.
    pub(crate) fn sealer(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let shared = Arc::downgrade(&self.0);
        move |cause| {
            if let Some(shared) = shared.upgrade() {
                shared.seal(cause.into(), None);
            }
        }
    }

    /// Why nothing is appended any more, where that is so.
    pub(crate) fn sealed(&self) -> Option<Cause> {
        self.0
            .sealed
            .borrow()
            .as_ref()
            .map(|sealed| sealed.cause.clone())
    }

    pub(crate) fn vitals(&self) -> &Vitals {
        &self.0.vitals
    }

    pub(super) fn head_waiter(&self) -> Arc<HeadWaiter> {
        Arc::clone(&self.0.head_waiter)
    }

    pub(super) fn recent(&self) -> Arc<FrameCache> {
        Arc::clone(&self.0.recent)
    }

    /// Queues work; returns at once. The queue holds what was admitted and no more: bounding it is
    /// the admission's business. After the writer's end the answers are given here.
    pub fn submit(&self, work: Work) {
        let now = self.0.clock.monotonic_ns();
        let mut queue = self.0.queue();
        if !queue.ended {
            queue.works.push_back((now, work));
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
            answer.give(Err(&sealed));
        }
    }

    /// True where the thread has nothing more to do with the journal.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.gone.load(Ordering::Acquire)
    }

    /// True where nothing is queued and nothing is being appended: hand over what there is. Where
    /// not, the callback of [`WriterHandle::on_idle`] tells when it is.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        if self.0.idle.load(Ordering::SeqCst) {
            return true;
        }
        self.0.asked.store(true, Ordering::SeqCst);
        // It may have come to rest before it could see that someone asked.
        self.0.idle.load(Ordering::SeqCst)
    }

    /// Calls `callback` when the writer has become idle after someone was told that it was not, on
    /// its thread, before it gives the answers: so the next frame is handed over while they are
    /// given. Replaces the last one.
    pub fn on_idle(&self, callback: Callback) {
        let mut on_idle = whole(self.0.on_idle.lock());
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

impl WriterShared {
    pub(super) fn seal(&self, cause: Cause, uncertain: Option<RangeInclusive<Seq>>) -> Sealed {
        tracing::error!(%cause, "the ledger is sealed");
        let sealed = Sealed {
            cause,
            outcome_unknown: false,
            uncertain,
        };
        self.sealed_gauge.set(1.0);
        // The first cause stays: later ones follow from it.
        self.sealed.send_if_modified(|current| {
            let is_first = current.is_none();
            current.get_or_insert_with(|| sealed.clone());
            is_first
        });
        sealed
    }
}
