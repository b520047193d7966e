// SPDX-License-Identifier: Apache-2.0
//! Following records: what is there, then what comes.
//!
//! Waiting holds no thread: it is for the head to move, for the ledger to close, or for a grant to
//! be taken back. Only a read of what is there goes to the blocking pool, and the position moves
//! when its records are given, not before.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as Poked, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::reads::Reads;
use super::views::{CHUNK_BYTES, JournalSource};
use crate::error::{Cause, ReadError, Retry};
use crate::events::{Record, Seq};
use crate::journal::Head;
use crate::projections::{Subscription, SubscriptionError};

/// A read under way, and the head that it goes up to.
struct FollowReading {
    head: u64,
    task: JoinHandle<Result<Vec<Record>, ReadError>>,
}

impl Drop for FollowReading {
    /// One that has not begun takes no thread any more.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A wait: true where something moved, false where whoever tells of it is gone, and with it the ledger.
type Stirred = Pin<Box<dyn Future<Output = bool> + Send + Sync>>;

async fn stirred(mut heads: watch::Receiver<Head>, mut bell: watch::Receiver<()>) -> bool {
    tokio::select! {
        moved = heads.changed() => moved.is_ok(),
        rung = bell.changed() => rung.is_ok(),
    }
}

/// A subscription: see [`Reads::follow`].
///
/// It gives records in batches ([`Follow::next_batch`]), or one by one as a stream, whose `next` and `try_next` are branches of
/// `select!` too. The stream gives an error as an item. It ends after one that asking again cannot help: the ledger is closed
/// or the grant was taken back.
///
/// ```
/// use femtoclaw_ledger::reading::{Follow, SubscriptionError};
/// use futures_util::TryStreamExt;
/// use tokio::sync::oneshot;
///
/// async fn tail(mut follow: Follow, mut stop: oneshot::Receiver<()>) -> Result<(), SubscriptionError> {
///     loop {
///         tokio::select! {
///             record = follow.try_next() => match record? {
///                 Some(record) => println!("{} {:?}", record.header.seq, record.header.event_type),
///                 None => return Ok(()),
///             },
///             _ = &mut stop => return Ok(()), // nothing is lost: `next_seq` says where to go on
///         }
///     }
/// }
/// ```
pub struct Follow {
    subscription: Subscription,
    reads: Reads,
    heads: watch::Receiver<Head>,
    bell: watch::Receiver<()>,
    /// Left by a call that was dropped: the next one takes what it reads.
    reading: Option<FollowReading>,
    /// Wakes whoever polled last.
    stirred: Option<Stirred>,
    /// What comes ends a wait: it is no lag, however much comes at once.
    waited: bool,
    /// Read, and not given by the stream yet.
    left: VecDeque<Record>,
    /// The stream has ended.
    ended: bool,
}

impl Reads {
    /// Every record from `from` on, first what is there, then what comes, without gap or
    /// duplicate. It pulls: however far it falls behind, its memory is one batch. Once it has
    /// caught up, falling behind by more than `Limits::follow_lag_max` is an error, said once; see
    /// [`Follow::lag_max`].
    ///
    /// # Errors
    /// `Access`.
    pub fn follow(&self, from: Seq) -> Result<Follow, ReadError> {
        self.allowed()?;
        let source = JournalSource::shared(self.inner.core.reader.clone());
        let subscription =
            Subscription::new(source, from).lag_max(self.inner.core.shared.limits.follow_lag_max);
        Ok(Follow::new(self.clone(), subscription))
    }
}

impl Follow {
    pub(in crate::ledger) fn new(reads: Reads, subscription: Subscription) -> Self {
        let core = &reads.inner.core;
        let (heads, bell) = (core.reader.watch(), core.phase.bell());
        Self {
            subscription,
            reads,
            heads,
            bell,
            reading: None,
            stirred: None,
            waited: false,
            left: VecDeque::new(),
            ended: false,
        }
    }

    /// Tolerates this many records of lag instead of `Limits::follow_lag_max`.
    #[must_use]
    pub fn lag_max(mut self, records: u64) -> Self {
        self.subscription = self.subscription.lag_max(records);
        self
    }

    /// The next records, as soon as there are any; empty where `timeout` passes before one is
    /// there, or where all of them belong to stores that the grant may not read. Records that are
    /// there are read however long that takes. Waiting holds no thread.
    ///
    /// Cancelling the call loses nothing and skips nothing: the next call gives what this one
    /// would have given. It may be a branch of `select!`.
    ///
    /// # Errors
    /// [`SubscriptionError`]: it lags, the journal cannot be read, the grant was taken back — also
    /// while it waited — or the ledger is closed. While a ledger closes, its last records are
    /// given as long as it has not let go of them.
    pub async fn next_batch(
        &mut self,
        timeout: Duration,
    ) -> Result<Vec<Record>, SubscriptionError> {
        if !self.left.is_empty() {
            self.reads.allowed()?;
            return Ok(std::mem::take(&mut self.left).into());
        }
        self.waited = false;
        let time_up = tokio::time::sleep(timeout);
        tokio::pin!(time_up);
        let outcome = poll_fn(|cx| match self.poll_batch(cx) {
            Poll::Pending if self.reading.is_none() => {
                time_up.as_mut().poll(cx).map(|()| Ok(Vec::new()))
            }
            polled => polled,
        });
        let outcome = outcome.await;
        if let Err(SubscriptionError::Closed | SubscriptionError::Access(_)) = &outcome {
            // A caller who asks on and on would never give its thread back, and a close may need it.
            tokio::task::yield_now().await;
        }
        outcome
    }

    fn poll_batch(&mut self, cx: &mut Poked<'_>) -> Poll<Result<Vec<Record>, SubscriptionError>> {
        loop {
            // Marked before the look: what moves meanwhile ends the wait below.
            self.bell.mark_unchanged();
            let head = self.heads.borrow_and_update().count();
            self.reads.allowed()?;
            if self.reads.inner.core.phase.is_closed() {
                return Poll::Ready(Err(SubscriptionError::Closed));
            }
            if self.reading.is_none() && self.subscription.has_next(head, self.waited)? {
                self.reading = Some(self.read(head));
            }
            if let Some(reading) = &mut self.reading {
                if let Poll::Ready(read) = Pin::new(&mut reading.task).poll(cx) {
                    let head = reading.head;
                    (self.reading, self.waited) = (None, false);
                    let read = read.unwrap_or_else(|error| {
                        let cause = Cause::of(error);
                        Err(ReadError::Unavailable { cause })
                    });
                    return Poll::Ready(self.shown(head, read));
                }
            } else {
                self.waited = true;
            }
            let wait = || -> Stirred { Box::pin(stirred(self.heads.clone(), self.bell.clone())) };
            let moved = ready!(self.stirred.get_or_insert_with(wait).as_mut().poll(cx));
            self.stirred = None;
            if !moved {
                return Poll::Ready(Err(SubscriptionError::Closed));
            }
        }
    }

    fn read(&self, head: u64) -> FollowReading {
        let (from, most) = self.subscription.wanted(head);
        let reader = self.reads.inner.core.reader.clone();
        let read = move || {
            reader
                .batch(from, most, CHUNK_BYTES)
                .map_err(ReadError::from)
        };
        let task = tokio::task::spawn_blocking(read);
        FollowReading { head, task }
    }

    /// What the grant may read of what was read up to `head`.
    fn shown(
        &mut self,
        head: u64,
        read: Result<Vec<Record>, ReadError>,
    ) -> Result<Vec<Record>, SubscriptionError> {
        // Taken back while it was read: nothing is given any more.
        self.reads.allowed()?;
        let records = read.map_err(SubscriptionError::Read)?;
        let records = self.subscription.take(head, records)?;
        let rights = self.reads.grant.rights();
        let shown = records.into_iter().filter_map(|it| rights.shown(it));
        Ok(shown.collect())
    }

    /// The next record's place: what to save as a position, less one.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        let next = self.subscription.next_seq();
        self.left.front().map_or(next, |record| record.header.seq)
    }
}

impl Stream for Follow {
    type Item = Result<Record, SubscriptionError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Poked<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            let polled = if self.left.is_empty() {
                ready!(self.poll_batch(cx)).map(|records| self.left = records.into())
            } else {
                self.reads.allowed().map_err(SubscriptionError::Access)
            };
            if let Err(error) = polled {
                self.ended = error.retry() != Retry::Safe;
                return Poll::Ready(Some(Err(error)));
            }
            // None where all of them belong to stores that the grant may not read.
            if let Some(record) = self.left.pop_front() {
                return Poll::Ready(Some(Ok(record)));
            }
        }
    }
}
