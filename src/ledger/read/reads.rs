// SPDX-License-Identifier: Apache-2.0
//! Reads of records: committed ones only, checked, only of the stores that the grant may read, and without
//! the payloads that it may not read.
//! They go to no actor and never block an async thread.

use std::sync::Arc;
use std::time::Duration;

use crate::access::Grant;
use crate::error::{AccessError, ReadError};
use crate::events::{ExecutionId, Record, Seq, SubjectId};
use crate::projections::{Filter, RecordOrder};

use super::reconstruct::{Reconstruction, reconstruct};
use super::views::unviewable;
use crate::ledger::blocking::blocking;
use crate::ledger::inner::Inner;

/// Places asked of the indexes at a time: some of them may hold what the grant may not read.
const QUERY_PAGE: usize = 256;
/// How long a query waits for the indexes.
const INDEXED: Duration = Duration::from_secs(60);

/// Records, for one component. Where it may read a record and not its payload, `Record::content` is `None`
/// and its event [`Event::Withheld`](crate::events::Event::Withheld).
///
/// Example: [`reading`](crate::reading).
#[derive(Clone)]
pub struct Reads {
    pub(in crate::ledger) inner: Arc<Inner>,
    pub(in crate::ledger) grant: Grant,
}

impl Reads {
    pub(in crate::ledger) fn allowed(&self) -> Result<(), AccessError> {
        let rights = self.grant.rights().read_mask();
        self.inner.core.may_read(&self.grant.0, rights)
    }

    /// Reads where it may block. Records are given only where the grant still holds after the read.
    pub(in crate::ledger) async fn given<R: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<R, ReadError> + Send + 'static,
    ) -> Result<R, ReadError> {
        let read = blocking(read).await;
        self.allowed()?;
        read
    }

    /// The record at `seq`; `None` beyond the head.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// `Access` where the grant may read none of its stores; `Damaged` names the record.
    pub async fn get(&self, seq: Seq) -> Result<Option<Record>, ReadError> {
        self.allowed()?;
        let reader = self.inner.core.reader.clone();
        let record = self.given(move || reader.get(seq).map_err(ReadError::from));
        let record = record.await?;
        let Some(record) = record else {
            return Ok(None);
        };
        let core = &self.inner.core;
        core.may_read(&self.grant.0, record.header.stores)?;
        Ok(self.grant.rights().shown(record))
    }

    /// Records from `from` on, at most `limit`; those of stores that the grant may not read are
    /// passed over.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub async fn range(&self, from: Seq, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.allowed()?;
        let reader = self.inner.core.reader.clone();
        let rights = self.grant.rights();
        self.given(move || {
            let shown = |record: Result<Record, _>| {
                let shown = record.map(|record| rights.shown(record));
                shown.transpose()
            };
            let records = reader.range(from).filter_map(shown).take(limit);
            records
                .collect::<Result<Vec<_>, _>>()
                .map_err(ReadError::from)
        })
        .await
    }

    /// Records that fit the filter, at most `limit`, from the end that [`Filter::order`] names: found through the indexes,
    /// read from the journal. Waits until the indexes hold what is durable at the call, at most for a minute.
    /// Those of stores that the grant may not read are left out and do not count towards `limit`:
    /// fewer records than `limit` are all there are. To go on, ask again with a `seq` range that
    /// begins after the last one, or ends before it. By a party only those are found whose payload may be read.
    ///
    /// ```
    /// # use femtoclaw_ledger::events::Outcome;
    /// # use femtoclaw_ledger::reading::{Filter, RecordOrder};
    /// # use femtoclaw_ledger::{ReadError, Reads};
    /// # async fn shown(reads: &Reads) -> Result<(), ReadError> {
    /// let (outcome, order) = (Some(Outcome::Failure), RecordOrder::Newest);
    /// for failure in reads.query(Filter { outcome, order, ..Filter::default() }, 50).await? {
    ///     println!("{:?}", failure.header);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// As [`Reads::get`]; `Recovering` while the indexes are being made again.
    pub async fn query(&self, filter: Filter, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.allowed()?;
        let (reader, indexes) = (
            self.inner.core.reader.clone(),
            self.inner.set.indexes.clone(),
        );
        let rights = self.grant.rights();
        let phase = &self.inner.core.phase;
        let reached = indexes.view().reached(reader.head().count(), INDEXED);
        let reached = phase.unless_closed(reached).await;
        reached.ok_or(ReadError::Closed)?.map_err(unviewable)?;
        // Taken back while it waited: nothing is read any more.
        self.allowed()?;
        self.given(move || {
            let mut filter = filter;
            let (start, end) = filter.seq.clone().unwrap_or(0..=u64::MAX).into_inner();
            let mut records = Vec::new();
            while records.len() < limit {
                let found = indexes.query(&filter, QUERY_PAGE).map_err(unviewable)?;
                for seq in &found {
                    let record = reader.get(*seq).map_err(ReadError::from)?;
                    let shown = record.and_then(|record| rights.shown(record));
                    // Parties stand in payloads: whoever may not read one is not told that it names somebody.
                    records
                        .extend(shown.filter(|it| filter.party.is_none() || it.content.is_some()));
                }
                match found.last() {
                    Some(last) if found.len() == QUERY_PAGE => {
                        filter.seq = Some(match filter.order {
                            RecordOrder::Oldest => last.get().saturating_add(1)..=end,
                            RecordOrder::Newest => start..=last.get() - 1,
                        });
                    }
                    _ => break,
                }
            }
            records.truncate(limit);
            Ok(records)
        })
        .await
    }

    /// The pseudonym that this ledger's records have of the subject with this id, to be looked for with
    /// [`Filter::subject`](crate::reading::Filter::subject). It says nothing of whether there are any.
    ///
    /// # Errors
    /// `Access`; `NoSubjectKey` where the ledger is over a given journal and its key is not with its views.
    pub fn subject_id(&self, id: &str) -> Result<SubjectId, ReadError> {
        self.allowed()?;
        let key = self.inner.core.subjects.as_ref();
        Ok(key.ok_or(ReadError::NoSubjectKey)?.pseudonym(id))
    }

    /// The whole ordered trace of one execution, as far as the grant may read it: with the audit
    /// log, all of it. (FC-STORAGE §24–25)
    ///
    /// Cancel safe: it changes nothing.
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
}
