//! Following records: what is there, then what comes.
//!
//! Waiting holds no thread: it is for the head to move, for the ledger to close, or for a grant to
//! be taken back. Only a read of what is there goes to the blocking pool, and the position moves
//! when its records are given, not before.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::reads::Reads;
use super::views::{CHUNK_BYTES, JournalSource};
use crate::error::ReadError;
use crate::events::{Record, Seq};
use crate::journal::Head;
use crate::projections::{Subscription, SubscriptionError};

/// A read under way, and the head that it goes up to.
struct Reading {
    head: u64,
    task: JoinHandle<Result<Vec<Record>, ReadError>>,
}

impl Drop for Reading {
    /// One that has not begun takes no thread any more.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A subscription: see [`Reads::follow`].
pub struct Follow {
    subscription: Subscription,
    reads: Reads,
    heads: watch::Receiver<Head>,
    bell: watch::Receiver<()>,
    /// Left by a call that was dropped: the next one takes what it reads.
    reading: Option<Reading>,
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
    pub(super) fn new(reads: Reads, subscription: Subscription) -> Self {
        let core = &reads.inner.core;
        let (heads, bell) = (core.reader.watch(), core.phase.bell());
        Self {
            subscription,
            reads,
            heads,
            bell,
            reading: None,
        }
    }

    /// Tolerates this many records of lag instead of `Limits::follow_lag_max`.
    #[must_use]
    pub fn lag_max(mut self, records: u64) -> Self {
        self.subscription = self.subscription.lag_max(records);
        self
    }

    /// The next records, as soon as there are any; empty where `timeout` passes before one is
    /// there, or where all of them belong to stores that the grant may not read. What is there
    /// is read however long that takes. Waiting holds no thread.
    ///
    /// Cancelling the call loses nothing and skips nothing: the next call gives what this one
    /// would have given. It may be a branch of `select!`.
    ///
    /// # Errors
    /// [`SubscriptionError`]: it lags, the journal cannot be read, the grant was taken back — also
    /// while it waited — or the ledger is closed. While a ledger closes, its last records are
    /// given as long as it has not let go of them.
    pub async fn next(&mut self, timeout: Duration) -> Result<Vec<Record>, SubscriptionError> {
        let outcome = self.pull(timeout).await;
        if let Err(SubscriptionError::Closed | SubscriptionError::Access(_)) = &outcome {
            // A caller who asks on and on would never give its thread back, and a close may need it.
            tokio::task::yield_now().await;
        }
        outcome
    }

    async fn pull(&mut self, timeout: Duration) -> Result<Vec<Record>, SubscriptionError> {
        let time_up = tokio::time::sleep(timeout);
        tokio::pin!(time_up);
        let mut waited = false;
        loop {
            // Marked before the look: what moves meanwhile ends the wait below.
            self.bell.mark_unchanged();
            let head = self.heads.borrow_and_update().seq;
            self.reads.allowed()?;
            if self.reads.inner.core.phase.is_closed() {
                return Err(SubscriptionError::Closed);
            }
            if self.reading.is_none() && self.subscription.has_next(head, waited)? {
                let (from, most) = self.subscription.wanted(head);
                let reader = self.reads.inner.core.reader.clone();
                let read = move || {
                    reader
                        .batch(from, most, CHUNK_BYTES)
                        .map_err(ReadError::from)
                };
                let task = tokio::task::spawn_blocking(read);
                self.reading = Some(Reading { head, task });
            }
            let Some(reading) = &mut self.reading else {
                waited = true;
                let moved = tokio::select! {
                    moved = self.heads.changed() => moved,
                    rung = self.bell.changed() => rung,
                    () = &mut time_up => return Ok(Vec::new()),
                };
                // Who tells of it is gone, and with it the ledger.
                moved.map_err(|_| SubscriptionError::Closed)?;
                continue;
            };
            let (head, read) = tokio::select! {
                biased;
                read = &mut reading.task => (reading.head, read),
                _ = self.bell.changed() => continue,
            };
            self.reading = None;
            // Taken back while it was read: nothing is given any more.
            self.reads.allowed()?;
            let read = read.unwrap_or_else(|error| {
                let cause = error.to_string().into();
                Err(ReadError::Unavailable { cause })
            });
            let records = read.map_err(SubscriptionError::Read)?;
            let records = self.subscription.take(head, records)?;
            let rights = self.reads.grant.rights();
            let shown = records.into_iter().filter_map(|it| rights.shown(it));
            return Ok(shown.collect());
        }
    }

    /// The next record's place: what to save as a position, less one.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        self.subscription.next_seq()
    }
}
