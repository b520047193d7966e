// SPDX-License-Identifier: Apache-2.0
//! A frame: one group commit, one value of the database.
//!
//! Header and offset table have checksums of their own, so that one record is read and checked
//! without hashing the frame; a walk over many records hashes the body once, in bulk.

use std::sync::LazyLock;

use super::Head;
use super::error::{FrameProblem, ReadFailure};
use super::layout::{Entry, FRAME_HEADER_LEN, FrameHeader};
use crate::database::ValueBuffer;
use crate::events::readable::hex::Hex;
use crate::events::{Content, HEADER_LEN, Hash, LedgerId, Record, RecordHeader, SALT_LEN, Seq};
use crate::integrity::{self, Chain, Checksum};

static CHAIN: LazyLock<Chain> = LazyLock::new(Chain::default);

/// The keyed hashers, derived once a process.
pub(super) fn chain() -> &'static Chain {
    &CHAIN
}

/// Consecutive records that were made durable by one sync. Cloning it copies no record.
///
/// Example: [`journal`](crate::journal).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The ledger that it belongs to.
    pub ledger: LedgerId,
    /// Epoch of the writer that filled it.
    pub epoch: u64,
    /// Its first record.
    pub first: Seq,
    /// Number of records.
    pub count: u32,
    /// Hash of the record before its first.
    pub previous: Hash,
    /// Time of its first record, in nanoseconds since 1970.
    pub first_time_ns: i64,
    /// Its last record.
    pub last: Head,
    body_checksum: Checksum,
    table_len: usize,
    bytes: ValueBuffer,
}

/// Without its records.
impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("ledger", &self.ledger)
            .field("epoch", &self.epoch)
            .field("first", &self.first)
            .field("count", &self.count)
            .field("previous", &Hex(&self.previous))
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

/// A record's bytes in the body, not yet checked.
pub(super) struct RecordParts<'a> {
    pub(super) header: &'a [u8],
    pub(super) salt: &'a [u8; SALT_LEN],
    pub(super) payload: &'a [u8],
    /// Both, one behind the other.
    pub(super) salted: &'a [u8],
    pub(super) hash: Hash,
}

impl Frame {
    pub(super) fn new(header: &FrameHeader, bytes: ValueBuffer) -> Self {
        Self {
            ledger: header.ledger,
            epoch: header.epoch,
            first: Seq::new(header.first).unwrap_or(Seq::FIRST),
            count: header.count,
            previous: header.previous,
            first_time_ns: header.first_time_ns,
            last: Head {
                seq: Seq::new((header.first - 1).saturating_add(u64::from(header.count))),
                hash: header.last_hash,
                time_ns: header.last_time_ns,
                epoch: header.epoch,
            },
            body_checksum: header.body_checksum,
            table_len: header.table_len as usize,
            bytes,
        }
    }

    /// Reads a frame: header and offset table are checked, records when they are read.
    ///
    /// # Errors
    /// [`FrameProblem`] where the bytes are not a frame of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameProblem> {
        Self::from_buffer(ValueBuffer::from(bytes))
    }

    pub(super) fn from_buffer(bytes: ValueBuffer) -> Result<Self, FrameProblem> {
        let header = FrameHeader::decode(&bytes)?;
        let frame = Self::new(&header, bytes);
        if integrity::checksum(frame.table()) != header.table_checksum {
            return Err(FrameProblem::TableChecksum);
        }
        let last = frame.entry(frame.count as usize - 1);
        if last.is_none_or(|entry| entry.hash != header.last_hash) {
            return Err(FrameProblem::Table);
        }
        Ok(frame)
    }

    /// The stored bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn buffer(&self) -> ValueBuffer {
        self.bytes.clone()
    }

    /// The number of its last record.
    #[must_use]
    pub const fn last_seq(&self) -> Seq {
        match self.last.seq {
            Some(seq) => seq,
            // No frame is without a record (`FrameHeader::decode`).
            None => self.first,
        }
    }

    /// Whether the record lies in this frame.
    #[must_use]
    pub const fn contains(&self, seq: Seq) -> bool {
        seq.get() >= self.first.get() && seq.get() <= self.last_seq().get()
    }

    /// One record, checked by its own hash and commitment.
    ///
    /// # Errors
    /// [`ReadFailure::Damaged`] where it is not what was written, or not in this frame.
    pub fn record(&self, seq: Seq) -> Result<Record, ReadFailure> {
        self.index(seq)
            .ok_or(FrameProblem::Missing)
            .and_then(|index| self.checked(index, seq))
            .map_err(|problem| ReadFailure::damaged(seq, problem))
    }

    /// All records in order, each checked.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        self.records_from(self.first)
    }

    /// The records from `from` on, each checked: by one hash over the body where they are many.
    /// Where that does not match, one by one, so that the damaged ones are named.
    #[must_use]
    pub fn records_from(&self, from: Seq) -> Records<'_> {
        let next = from.max(self.first).get();
        let left = (self.last.count() + 1).saturating_sub(next);
        let intact = left > u64::from(self.count) / 4 && self.is_body_intact();
        Records {
            frame: self,
            next,
            intact,
        }
    }

    /// As [`Frame::records_from`], of a frame that this process has filled and holds in memory since:
    /// nothing could have come in between.
    pub(super) fn records_written(&self, from: Seq) -> Records<'_> {
        Records {
            frame: self,
            next: from.max(self.first).get(),
            intact: true,
        }
    }

    pub(super) fn is_body_intact(&self) -> bool {
        integrity::checksum(self.body()) == self.body_checksum
    }

    fn table(&self) -> &[u8] {
        let rest = self.bytes.get(FRAME_HEADER_LEN..).unwrap_or_default();
        rest.get(..self.table_len).unwrap_or_default()
    }

    pub(super) fn body(&self) -> &[u8] {
        self.bytes
            .get(FRAME_HEADER_LEN + self.table_len..)
            .unwrap_or_default()
    }

    fn index(&self, seq: Seq) -> Option<usize> {
        let index = seq.get().checked_sub(self.first.get())?;
        (index < u64::from(self.count)).then_some(index as usize)
    }

    pub(super) fn entry(&self, index: usize) -> Option<Entry> {
        Entry::at(self.table(), index)
    }

    /// The records' headers, those that can be read: nothing of them is checked here.
    pub(crate) fn headers(&self) -> impl Iterator<Item = RecordHeader> + '_ {
        let header = |index| RecordHeader::decode(self.parts(index)?.header).ok();
        (0..self.count as usize).filter_map(header)
    }

    pub(super) fn parts(&self, index: usize) -> Option<RecordParts<'_>> {
        let entry = self.entry(index)?;
        let end = entry.offset.checked_add(entry.length)?;
        let (header, salted) = self
            .body()
            .get(entry.offset..end)?
            .split_at_checked(HEADER_LEN)?;
        let (salt, payload) = salted.split_first_chunk::<SALT_LEN>()?;
        Some(RecordParts {
            header,
            salt,
            payload,
            salted,
            hash: entry.hash,
        })
    }

    /// The record in this place, its bytes checked by nothing but its structure.
    fn parsed(
        &self,
        index: usize,
        seq: Seq,
    ) -> Result<(RecordParts<'_>, RecordHeader), FrameProblem> {
        let parts = self.parts(index).ok_or(FrameProblem::Table)?;
        let header = RecordHeader::decode(parts.header)?;
        if header.seq != seq {
            return Err(FrameProblem::Seq {
                found: header.seq.get(),
            });
        }
        if header.payload_len as usize != parts.payload.len() {
            return Err(FrameProblem::Table);
        }
        Ok((parts, header))
    }

    fn checked(&self, index: usize, seq: Seq) -> Result<Record, FrameProblem> {
        let previous = match index.checked_sub(1) {
            None => self.previous,
            Some(before) => self.entry(before).ok_or(FrameProblem::Table)?.hash,
        };
        let raw = self.parts(index).ok_or(FrameProblem::Table)?;
        // Hash before structure: what was tampered with is not interpreted.
        if chain().record_hash(&previous, raw.header) != raw.hash {
            return Err(FrameProblem::RecordHash);
        }
        let (parts, header) = self.parsed(index, seq)?;
        let commitment = chain().payload_commitment(parts.salt, parts.payload);
        if commitment != header.payload_commitment {
            return Err(FrameProblem::Commitment);
        }
        Ok(record(&parts, header))
    }
}

fn record(parts: &RecordParts<'_>, header: RecordHeader) -> Record {
    Record {
        header,
        hash: parts.hash,
        content: Some(Content {
            salt: *parts.salt,
            payload: parts.payload.to_vec(),
        }),
    }
}

/// An iterator over a frame's records; an error names its record, the next call goes on.
///
/// Example: [`journal`](crate::journal).
#[derive(Debug)]
pub struct Records<'a> {
    frame: &'a Frame,
    next: u64,
    /// The body's checksum matched: records need no hashing of their own.
    intact: bool,
}

impl Iterator for Records<'_> {
    type Item = Result<Record, ReadFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        let seq = Seq::new(self.next).filter(|seq| self.frame.contains(*seq))?;
        self.next += 1;
        if !self.intact {
            return Some(self.frame.record(seq));
        }
        let index = self.frame.index(seq)?;
        let parsed = self.frame.parsed(index, seq);
        let record = parsed.map(|(parts, header)| record(&parts, header));
        Some(record.map_err(|problem| ReadFailure::damaged(seq, problem)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.frame.last.count() + 1).saturating_sub(self.next);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}
