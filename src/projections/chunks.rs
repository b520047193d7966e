// SPDX-License-Identifier: Apache-2.0
//! Committed records as views read them: what one has read the others are given too, and an event is decoded once
//! for all of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use crate::events::{DecodeError, Event, Record, Seq};
use crate::locks::whole;

use super::error::{HaltReason, ProjectionError};
use super::source::Source;

/// Records asked for at a time: bounds memory, and how late a reader sees the first of them.
const RECORDS: usize = 2_048;
/// Chunks that are kept for views that are behind the one that read them first.
const KEPT: usize = 4;

/// A record with its event, which is decoded when the first view wants it.
pub(super) struct ReadRecord {
    pub(super) record: Record,
    event: OnceLock<Result<Event, DecodeError>>,
}

impl ReadRecord {
    pub(super) const fn new(record: Record) -> Self {
        Self {
            record,
            event: OnceLock::new(),
        }
    }

    pub(super) fn event(&self) -> Result<&Event, ProjectionError> {
        let decoded = self.event.get_or_init(|| self.record.event());
        let seq = self.record.header.seq;
        decoded
            .as_ref()
            .map_err(|error| ProjectionError::Refused(format!("record {seq}: {error}").into()))
    }
}

/// Whole commits, one behind the other.
pub(super) type Chunk = Arc<Vec<ReadRecord>>;

/// What the views of one ledger read.
pub(super) struct Chunks {
    source: Arc<dyn Source>,
    /// Lock: a view that reads, while the journal is read: the others want the same records, and wait for them.
    recent: Mutex<VecDeque<Chunk>>,
}

impl Chunks {
    pub(super) fn of(source: Arc<dyn Source>) -> Self {
        Self {
            source,
            recent: Mutex::default(),
        }
    }

    pub(super) fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// Whole commits, at least one, with the one after `after` among them; the first of them may lie before.
    pub(super) fn after(&self, after: u64) -> Result<Chunk, HaltReason> {
        let mut recent = whole(self.recent.lock());
        let holds = |chunk: &&Chunk| {
            let first = chunk
                .first()
                .map_or(u64::MAX, |it| it.record.header.seq.get());
            let last = chunk.last().map_or(0, |it| it.record.header.seq.get());
            first <= after.saturating_add(1) && last > after
        };
        if let Some(chunk) = recent.iter().find(holds) {
            return Ok(Arc::clone(chunk));
        }
        let chunk = Arc::new(self.read(after)?);
        if recent.len() >= KEPT {
            recent.pop_front();
        }
        recent.push_back(Arc::clone(&chunk));
        Ok(chunk)
    }

    fn read(&self, after: u64) -> Result<Vec<ReadRecord>, HaltReason> {
        let mut records: Vec<Record> = Vec::new();
        loop {
            let next = after + records.len() as u64 + 1;
            let Some(from) = Seq::new(next) else {
                return Ok(Vec::new());
            };
            let more = self
                .source
                .records(from, RECORDS)
                .map_err(HaltReason::Source)?;
            let in_order = more
                .iter()
                .zip(next..)
                .all(|(record, seq)| record.header.seq.get() == seq);
            if !in_order {
                return Err(HaltReason::Source(format!(
                    "records after {after} have a gap"
                )));
            }
            let exhausted = more.is_empty();
            records.extend(more);
            let end = records.iter().rposition(ends_commit);
            if let Some(end) = end {
                records.truncate(end + 1);
            }
            if end.is_some() || exhausted {
                return Ok(records.into_iter().map(ReadRecord::new).collect());
            }
        }
    }
}

pub(super) fn ends_commit(record: &Record) -> bool {
    record.header.commit_index.saturating_add(1) >= record.header.commit_len
}
