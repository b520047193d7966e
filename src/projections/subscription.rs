// SPDX-License-Identifier: Apache-2.0
//! Following the journal: from any sequence number on, first what is there, then what comes.
//!
//! A subscription pulls, and what it pulls next is determined by a sequence number alone. So there
//! is nothing to hand over between catching up and following: no gap and no duplicate can be. Its
//! memory is one batch, whatever the subscriber does.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{AccessError, ReadError, Retry};
use crate::events::{Record, Seq, StoreMask};

use super::Source;

/// Why a subscription has nothing to give just now. It can be asked again: nothing is skipped.
///
/// Example: [`Follow`](crate::reading::Follow).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// It had caught up and then fell behind by more than it was told to tolerate. Said once;
    /// asking again catches up from `next`.
    #[error("subscriber is {behind} records behind at {next}, {tolerated} are tolerated")]
    Lagged {
        /// Records between it and the head.
        behind: u64,
        /// How many were to be tolerated.
        tolerated: u64,
        /// The record that it gets next.
        next: u64,
    },
    /// The source of an embedder's own cannot be read.
    #[error("journal: {0}")]
    Source(String),
    /// The journal cannot be read: as a read says.
    #[error("journal: {0}")]
    Read(#[source] ReadError),
    /// The subscriber may not read any more.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The ledger is closed, or was opened again: nothing comes any more. Follow the one that is
    /// open from [`crate::reading::Follow::next_seq`] on.
    #[error("the ledger is closed")]
    Closed,
    /// The journal gave another record than the next one.
    #[error("expected record {expected}, found {found}")]
    Gap {
        /// The next record.
        expected: u64,
        /// What came instead.
        found: u64,
    },
}

impl SubscriptionError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Lagged { .. } => "lagged",
            Self::Source(_) => "journal_unreadable",
            Self::Read(error) => error.code(),
            Self::Access(error) => error.code(),
            Self::Closed => "closed",
            Self::Gap { .. } => "gap",
        }
    }

    /// Whether asking the same subscription again can help.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Lagged { .. } | Self::Source(_) => Retry::Safe,
            Self::Read(error) => error.retry(),
            Self::Closed => Retry::AfterReopen,
            Self::Access(_) | Self::Gap { .. } => Retry::Never,
        }
    }
}

/// Records in order, each exactly once, from one sequence number on.
///
/// Example: `tests/projections/subscription.rs`.
pub struct Subscription {
    source: Arc<dyn Source>,
    next: Seq,
    stores: StoreMask,
    batch_max: usize,
    lag_max: Option<u64>,
    live: bool,
}

impl Subscription {
    /// Records from `from` on.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, from: Seq) -> Self {
        Self {
            source,
            next: from,
            stores: StoreMask::ALL,
            batch_max: 256,
            lag_max: None,
            live: false,
        }
    }

    /// Only records that belong to one of these stores.
    #[must_use]
    pub fn stores(mut self, stores: StoreMask) -> Self {
        self.stores = stores;
        self
    }

    /// At most this many records at a time (at least 1; 256 unless told).
    #[must_use]
    pub fn batch_max(mut self, records: usize) -> Self {
        self.batch_max = records.max(1);
        self
    }

    /// Once it has caught up, being this many records behind is an error rather than a delay.
    #[must_use]
    pub fn lag_max(mut self, records: u64) -> Self {
        self.lag_max = Some(records);
        self
    }

    /// The record that comes next: everything before it was given or belongs to other stores.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        self.next
    }

    /// True once it has reached the head, until it lags.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.live
    }

    /// The next records: at once while catching up, else as soon as one is committed, at most
    /// after `timeout`; empty then, or where all of them belong to other stores. Blocks the thread.
    ///
    /// # Errors
    /// [`SubscriptionError`]; nothing is skipped by it.
    pub fn next_batch(&mut self, timeout: Duration) -> Result<Vec<Record>, SubscriptionError> {
        let mut head = self.source.head();
        if !self.has_next(head, false)? {
            head = self.source.wait_beyond(self.next.get() - 1, timeout);
            if !self.has_next(head, true)? {
                return Ok(Vec::new());
            }
        }
        let (next, most) = self.wanted(head);
        let read = self.source.records(next, most);
        self.take(head, read.map_err(SubscriptionError::Source)?)
    }

    /// Whether there is something to read at this head; where not, it has caught up. A caller that
    /// `waited` for it does not lag, however much has come at once.
    ///
    /// # Errors
    /// [`SubscriptionError::Lagged`].
    pub(crate) fn has_next(&mut self, head: u64, waited: bool) -> Result<bool, SubscriptionError> {
        if head < self.next.get() {
            self.live = true;
            return Ok(false);
        }
        if !waited {
            self.check_lag(head)?;
        }
        Ok(true)
    }

    /// From where on, and how many records at most are to be read up to `head`.
    pub(crate) fn wanted(&self, head: u64) -> (Seq, usize) {
        let available = usize::try_from(head + 1 - self.next.get()).unwrap_or(usize::MAX);
        (self.next, available.min(self.batch_max))
    }

    /// Takes what was read up to `head`, and moves on.
    ///
    /// # Errors
    /// [`SubscriptionError::Source`], [`SubscriptionError::Gap`]: it has not moved.
    pub(crate) fn take(
        &mut self,
        head: u64,
        mut records: Vec<Record>,
    ) -> Result<Vec<Record>, SubscriptionError> {
        let next = self.next.get();
        for (record, expected) in records.iter().zip(next..) {
            let found = record.header.seq.get();
            if found != expected {
                return Err(SubscriptionError::Gap { expected, found });
            }
        }
        if records.is_empty() {
            return Err(SubscriptionError::Source(format!(
                "record {next} is committed and missing"
            )));
        }
        self.next = self.next.plus(records.len() as u64);
        self.live |= self.next.get() > head;
        let stores = self.stores;
        records
            .retain(|record| stores == StoreMask::ALL || record.header.stores.intersects(stores));
        Ok(records)
    }

    fn check_lag(&mut self, head: u64) -> Result<(), SubscriptionError> {
        let next = self.next.get();
        let behind = head - next + 1;
        match self.lag_max {
            Some(tolerated) if self.live && behind > tolerated => {
                self.live = false;
                Err(SubscriptionError::Lagged {
                    behind,
                    tolerated,
                    next,
                })
            }
            _ => Ok(()),
        }
    }
}
