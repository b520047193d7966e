// SPDX-License-Identifier: Apache-2.0
//! Committed records as views read them: what one has read the others are given too, and an event is decoded once
//! for all of them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

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

/// How long the one that is ahead waits for one that still wants what it would push out.
const PATIENCE: Duration = Duration::from_millis(50);

/// What the views of one ledger read.
pub(super) struct Chunks {
    source: Arc<dyn Source>,
    /// Lock: a view that wants records, for a few entries; the journal is read without it.
    shelf: Mutex<Shelf>,
    changed: Condvar,
}

#[derive(Default)]
struct Shelf {
    /// One behind the other, the oldest first.
    recent: VecDeque<Chunk>,
    /// A view reads the records behind the newest of them.
    reading: bool,
    /// How far each view is, and whether it is one that others wait for.
    readers: Vec<(u64, bool)>,
}

fn first_of(chunk: &Chunk) -> u64 {
    let first = chunk.first();
    first.map_or(u64::MAX, |read| read.record.header.seq.get())
}

fn last_of(chunk: &Chunk) -> u64 {
    chunk.last().map_or(0, |read| read.record.header.seq.get())
}

impl Shelf {
    fn holding(&self, after: u64) -> Option<Chunk> {
        let holds =
            |chunk: &&Chunk| first_of(chunk) <= after.saturating_add(1) && last_of(chunk) > after;
        self.recent.iter().find(holds).cloned()
    }

    fn end(&self) -> Option<u64> {
        self.recent.back().map(last_of)
    }

    /// Whether it is full, and a view other than this one wants its oldest next.
    fn is_wanted(&self, reader: usize) -> bool {
        let Some(oldest) = self.recent.front().filter(|_| self.recent.len() >= KEPT) else {
            return false;
        };
        let wanted = first_of(oldest).saturating_sub(1)..last_of(oldest);
        let mut others = self.readers.iter().enumerate();
        others.any(|(other, (after, waits))| *waits && other != reader && wanted.contains(after))
    }

    fn put(&mut self, chunk: Chunk) {
        let follows = self
            .end()
            .is_none_or(|end| end.saturating_add(1) == first_of(&chunk));
        if !follows {
            self.recent.clear();
        }
        if self.recent.len() >= KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(chunk);
    }
}

/// A read that is under way; dropped, it is over.
struct ReadUnderWay<'a>(&'a Chunks);

impl Drop for ReadUnderWay<'_> {
    fn drop(&mut self) {
        whole(self.0.shelf.lock()).reading = false;
        self.0.changed.notify_all();
    }
}

impl Chunks {
    pub(super) fn of(source: Arc<dyn Source>) -> Self {
        Self {
            source,
            shelf: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(super) fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// The number of one more view that reads here. An embedder's is not waited for: it holds up nobody.
    pub(super) fn reader(&self, is_built_in: bool) -> usize {
        let mut shelf = whole(self.shelf.lock());
        shelf.readers.push((u64::MAX, is_built_in));
        shelf.readers.len() - 1
    }

    /// Whole commits, at least one, with the one after `after` among them; the first of them may lie before.
    ///
    /// Views that are near each other share them: the one that is ahead waits a little for those that are behind, and
    /// for one that is far behind, which reads by itself, not at all.
    pub(super) fn after(&self, reader: usize, after: u64) -> Result<Chunk, HaltReason> {
        let mut shelf = whole(self.shelf.lock());
        if let Some((at, _)) = shelf.readers.get_mut(reader) {
            *at = after;
        }
        self.changed.notify_all();
        let waits = |shelf: &mut Shelf| {
            shelf.holding(after).is_none() && (shelf.reading || shelf.is_wanted(reader))
        };
        let is_ahead = |shelf: &Shelf| shelf.end().is_none_or(|end| after >= end);
        if is_ahead(&shelf) {
            let waited = self.changed.wait_timeout_while(shelf, PATIENCE, waits);
            shelf = whole(waited).0;
        }
        if let Some(chunk) = shelf.holding(after) {
            return Ok(chunk);
        }
        if !is_ahead(&shelf) || shelf.reading {
            drop(shelf);
            return Ok(Arc::new(self.read(after)?));
        }
        shelf.reading = true;
        drop(shelf);
        let _under_way = ReadUnderWay(self);
        let chunk = Arc::new(self.read(after)?);
        if !chunk.is_empty() {
            whole(self.shelf.lock()).put(Arc::clone(&chunk));
        }
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
