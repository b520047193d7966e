// SPDX-License-Identifier: Apache-2.0
//! Reads records up to the committed head. Every call may read the disk: it blocks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::error::ReadFailure;
use super::frame_cache::FrameCache;
use super::handle::WriterHandle;
use super::head_waiter::HeadWaiter;
use super::{Frame, Frames, Head, Journal};
use crate::events::{Record, Seq};

/// Reads what is durable and nothing else. A clone is cheap.
#[derive(Clone)]
pub struct Reader {
    journal: Arc<dyn Journal>,
    committed: watch::Receiver<Head>,
    head_waiter: Arc<HeadWaiter>,
    recent: Arc<FrameCache>,
}

impl Reader {
    /// Reads `journal` up to the head that `writer` has published.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, writer: &WriterHandle) -> Self {
        Self {
            journal,
            committed: writer.watch_head(),
            head_waiter: writer.head_waiter(),
            recent: writer.recent(),
        }
    }

    /// Waits until the committed head is beyond `seq`, at most for `timeout`; gives the head's
    /// sequence number. Blocks.
    #[must_use]
    pub fn wait_beyond(&self, seq: u64, timeout: Duration) -> u64 {
        self.head_waiter.wait_beyond(seq, timeout)
    }

    /// Ends every [`Reader::wait_beyond`] that is under way.
    pub(crate) fn wake_waiting(&self) {
        self.head_waiter.wake();
    }

    /// Space that the journal takes on its medium, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.journal.size_bytes()
    }

    /// Write-ahead files of the engine below the journal.
    #[must_use]
    pub fn wal_files(&self) -> usize {
        self.journal.wal_files()
    }

    /// The committed head.
    #[must_use]
    pub fn head(&self) -> Head {
        *self.committed.borrow()
    }

    /// The committed head, as it moves on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Head> {
        self.committed.clone()
    }

    /// One record; `None` beyond the head.
    ///
    /// # Errors
    /// [`ReadFailure`].
    pub fn get(&self, seq: Seq) -> Result<Option<Record>, ReadFailure> {
        let frame = self.frame_at(seq)?;
        frame.map(|frame| frame.record(seq)).transpose()
    }

    /// The frame that contains the record; `None` beyond the head.
    ///
    /// # Errors
    /// [`ReadFailure`].
    pub fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        if !self.head().contains(seq) {
            return Ok(None);
        }
        self.journal.frame_at(seq)
    }

    /// The frames from the one that contains `from` up to the head of this moment.
    #[must_use]
    pub fn frames(&self, from: Seq) -> Frames {
        let head = self.head().count();
        // A frame becomes visible below a moment before its head is published.
        let is_committed = move |frame: &Result<Frame, ReadFailure>| {
            frame
                .as_ref()
                .map_or(true, |frame| frame.last_seq().get() <= head)
        };
        Box::new(self.journal.frames(from).take_while(is_committed))
    }

    /// The records from `from` up to the head of this moment, in order. Ends after the first error.
    pub fn range(&self, from: Seq) -> impl Iterator<Item = Result<Record, ReadFailure>> + Send {
        let mut failed = false;
        let records = self.frames(from).flat_map(move |frame| match frame {
            Ok(frame) => frame.records_from(from).collect(),
            Err(failure) => vec![Err(failure)],
        });
        records.take_while(move |record| !std::mem::replace(&mut failed, record.is_err()))
    }

    /// The records from `from` on: whole frames as long as they fit into `max` records, at least one
    /// record if there is one, and no further frame once `bytes_max` are reached. Frames appended
    /// last come from memory, as they were written; all others are read and checked.
    ///
    /// # Errors
    /// [`ReadFailure`].
    pub(crate) fn batch(
        &self,
        from: Seq,
        max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Record>, ReadFailure> {
        let (mut records, mut bytes, mut next) = (Vec::new(), 0, from);
        let mut stored: Option<Frames> = None;
        while records.len() < max && bytes < bytes_max && self.head().contains(next) {
            let written = self.recent.containing(next);
            let is_written = written.is_some();
            let read = || stored.get_or_insert_with(|| self.frames(next)).next();
            let Some(frame) = written.map(Ok).or_else(read).transpose()? else {
                break;
            };
            let left = usize::try_from(frame.last.count() + 1 - next.get()).unwrap_or(usize::MAX);
            if !records.is_empty() && records.len() + left > max {
                break;
            }
            records.reserve(left.min(max - records.len()));
            let from_frame = if is_written {
                stored = None;
                frame.records_written(next)
            } else {
                frame.records_from(next)
            };
            for record in from_frame.take(max - records.len()) {
                records.push(record?);
            }
            bytes += frame.bytes().len();
            next = next.plus(left as u64);
        }
        Ok(records)
    }

    /// Whether the frame with this record is in memory.
    #[cfg(test)]
    pub(super) fn recent_contains(&self, seq: u64) -> bool {
        Seq::new(seq).is_some_and(|seq| self.recent.containing(seq).is_some())
    }

    /// The first record at or after this time, in nanoseconds since 1970; `None` where all are
    /// earlier. Reads O(log n) frames.
    ///
    /// # Errors
    /// [`ReadFailure`].
    pub fn first_since(&self, time_ns: i64) -> Result<Option<Seq>, ReadFailure> {
        // Invariant: records before `low` are earlier, records from `high` on are not.
        let (mut low, mut high) = (1, self.head().count() + 1);
        while low < high {
            let middle = Seq::new(low + (high - low) / 2).unwrap_or(Seq::FIRST);
            let Some(frame) = self.frame_at(middle)? else {
                break;
            };
            if frame.last.time_ns < time_ns {
                low = frame.last.next_seq().get();
            } else if frame.first_time_ns >= time_ns {
                high = frame.first.get();
            } else {
                return Self::first_in(&frame, time_ns).map(Some);
            }
        }
        Ok(Seq::new(low).filter(|seq| self.head().contains(*seq)))
    }

    /// The frame's last record is at or after this time.
    fn first_in(frame: &Frame, time_ns: i64) -> Result<Seq, ReadFailure> {
        let (mut low, mut high) = (frame.first.get(), frame.last_seq().get());
        while low < high {
            let middle = low + (high - low) / 2;
            let seq = Seq::new(middle).unwrap_or(Seq::FIRST);
            if frame.record(seq)?.header.time_ns < time_ns {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Seq::new(low).unwrap_or(frame.first))
    }
}
