//! Reads of records: committed ones only, checked, and only of the stores that the grant may read.
//! They go to no actor and never block an async thread.

use std::time::Duration;

use crate::access::Grant;
use crate::error::{AccessError, ReadError};
use crate::events::{ExecutionId, Record, Seq};
use crate::projections::{Filter, Subscription, SubscriptionError};

use super::past::unviewable;
use super::reconstruct::{Reconstruction, reconstruct};
use super::{Ledger, views::JournalSource};

/// Places asked of the indexes at a time: some of them may hold what the grant may not read.
const QUERY_PAGE: usize = 256;

/// Runs a read where it may block.
pub(super) async fn blocking<R: Send + 'static>(
    read: impl FnOnce() -> Result<R, ReadError> + Send + 'static,
) -> Result<R, ReadError> {
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| {
            Err(ReadError::Unavailable {
                cause: error.to_string().into(),
            })
        })
}

/// Records, for one component.
#[derive(Clone)]
pub struct Reads {
    pub(super) ledger: Ledger,
    pub(super) grant: Grant,
}

impl Reads {
    fn allowed(&self) -> Result<(), AccessError> {
        let rights = self.grant.rights().read_mask();
        self.ledger.0.core.may_read(&self.grant.0, rights)
    }

    /// The record at `seq`; `None` beyond the head.
    ///
    /// # Errors
    /// `Access` where the grant may read none of its stores; `Damaged` names the record.
    pub async fn get(&self, seq: Seq) -> Result<Option<Record>, ReadError> {
        self.allowed()?;
        let reader = self.ledger.0.core.reader.clone();
        let record = blocking(move || reader.get(seq).map_err(ReadError::from)).await?;
        if let Some(record) = &record {
            self.ledger
                .0
                .core
                .may_read(&self.grant.0, record.header.stores)?;
        }
        Ok(record)
    }

    /// Records from `from` on, at most `limit`; those of stores that the grant may not read are
    /// passed over.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub async fn range(&self, from: Seq, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.allowed()?;
        let reader = self.ledger.0.core.reader.clone();
        let mask = self.grant.rights().read_mask();
        blocking(move || {
            let readable = |record: &Result<Record, _>| {
                record.as_ref().map_or(true, |record: &Record| {
                    record.header.stores.intersects(mask)
                })
            };
            let records = reader.range(from).filter(readable).take(limit);
            records
                .collect::<Result<Vec<_>, _>>()
                .map_err(ReadError::from)
        })
        .await
    }

    /// Records that fit the filter, in order, at most `limit`: found through the indexes, read from
    /// the journal. Waits until the indexes hold what is durable at the call, at most for a minute.
    /// Those of stores that the grant may not read are left out and do not count towards `limit`:
    /// fewer records than `limit` are all there are. To go on, ask again with a `seq` range that
    /// begins after the last one.
    ///
    /// # Errors
    /// As [`Reads::get`]; `Recovering` while the indexes are being made again.
    pub async fn query(&self, filter: Filter, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.allowed()?;
        let (reader, indexes) = (
            self.ledger.0.core.reader.clone(),
            self.ledger.0.set.indexes.clone(),
        );
        let mask = self.grant.rights().read_mask();
        blocking(move || {
            let wait = Duration::from_secs(60);
            indexes
                .view()
                .at_least(reader.head().seq, wait)
                .map_err(unviewable)?;
            let mut filter = filter;
            let end = filter.seq.as_ref().map_or(u64::MAX, |range| *range.end());
            let mut records = Vec::new();
            while records.len() < limit {
                let found = indexes.query(&filter, QUERY_PAGE).map_err(unviewable)?;
                for seq in &found {
                    let record = reader.get(*seq).map_err(ReadError::from)?;
                    records.extend(record.filter(|record| record.header.stores.intersects(mask)));
                }
                match found.last() {
                    Some(last) if found.len() == QUERY_PAGE => {
                        filter.seq = Some(last.get().saturating_add(1)..=end);
                    }
                    _ => break,
                }
            }
            records.truncate(limit);
            Ok(records)
        })
        .await
    }

    /// The whole ordered trace of one execution, as far as the grant may read it: with the audit
    /// log, all of it. (FC-STORAGE §24–25)
    ///
    /// # Errors
    /// As [`Reads::query`].
    pub async fn reconstruct(
        &self,
        execution: ExecutionId,
    ) -> Result<Option<Reconstruction>, ReadError> {
        let filter = Filter {
            execution: Some(execution),
            ..Filter::default()
        };
        let records = self.query(filter, usize::MAX).await?;
        reconstruct(execution, &records)
    }

    /// Every record from `from` on, first what is there, then what comes, without gap or
    /// duplicate. It pulls: however far it falls behind, its memory is one batch. Once it has
    /// caught up, falling behind by more than `Limits::follow_lag_max` is an error, said once; see
    /// [`Follow::lag_max`].
    ///
    /// # Errors
    /// `Access`.
    pub fn follow(&self, from: Seq) -> Result<Follow, ReadError> {
        self.allowed()?;
        let source = JournalSource::shared(self.ledger.0.core.reader.clone());
        let stores = self.grant.rights().read_mask();
        let subscription = Subscription::new(source, from)
            .stores(stores)
            .lag_max(self.ledger.0.core.shared.limits.follow_lag_max);
        Ok(Follow {
            subscription: Some(subscription),
            reads: self.clone(),
        })
    }
}

/// A subscription: see [`Reads::follow`].
pub struct Follow {
    subscription: Option<Subscription>,
    reads: Reads,
}

impl Follow {
    /// Tolerates this many records of lag instead of `Limits::follow_lag_max`.
    #[must_use]
    pub fn lag_max(mut self, records: u64) -> Self {
        self.subscription = self.subscription.map(|it| it.lag_max(records));
        self
    }

    /// The next records, as soon as there are any; empty where `timeout` passes first, or where all
    /// of them belong to stores that the grant may not read.
    ///
    /// # Errors
    /// [`SubscriptionError`]: it lags, the journal cannot be read, the grant was taken back, or an
    /// earlier call was dropped half-way; then follow again from the last record handled.
    pub async fn next(&mut self, timeout: Duration) -> Result<Vec<Record>, SubscriptionError> {
        self.reads.allowed()?;
        let Some(mut subscription) = self.subscription.take() else {
            return Err(SubscriptionError::Interrupted);
        };
        let step = tokio::task::spawn_blocking(move || {
            let outcome = subscription.next_batch(timeout);
            (subscription, outcome)
        });
        let stopped = |error: tokio::task::JoinError| SubscriptionError::Source(error.to_string());
        let (subscription, outcome) = step.await.map_err(stopped)?;
        self.subscription = Some(subscription);
        outcome
    }

    /// The next record's place: what to save as a position, less one.
    #[must_use]
    pub fn next_seq(&self) -> Option<Seq> {
        self.subscription.as_ref().map(Subscription::next_seq)
    }
}
