// SPDX-License-Identifier: Apache-2.0
//! The record header: fixed layout, little endian, drawn in `docs/FORMAT.md`. The record hash and
//! the Merkle leaf cover these bytes and not the payload, so a payload can be encrypted, archived
//! or erased while every proof still verifies.

use serde::{Serialize, Serializer};

use super::codec::DecodeError;
use super::readable::words::{Bits, Flags};
use super::readable::{bytes, debug_as_read, hex, time};
use super::{
    CommandId, ComponentId, Event, EventType, ExecutionId, Hash, Outcome, ParentId, Seq, StoreMask,
    StreamId, SubjectId, TraceId,
};

/// Length in bytes of a record header.
pub const HEADER_LEN: usize = 224;
/// Algorithm id of BLAKE3 in a record header.
#[cfg(feature = "engine")]
pub(crate) const ALGORITHM_BLAKE3: u8 = 1;
/// Length in bytes of the salt stored in front of a payload.
pub const SALT_LEN: usize = 16;

/// Header flags.
pub mod flags {
    /// Reserved: the payload is stored encrypted.
    ///
    /// Example: [`RecordHeader::has`](crate::events::RecordHeader::has).
    pub const ENCRYPTED: u16 = 1 << 0;
    /// Reserved: the payload has been moved to an archive.
    ///
    /// Example: [`RecordHeader::has`](crate::events::RecordHeader::has).
    pub const ARCHIVED: u16 = 1 << 1;
    /// The payload holds only the first part of what was given, with its whole length and digest.
    pub const TRUNCATED: u16 = 1 << 2;
    /// The execution was recorded after the fact: its start was not durable before its effect.
    ///
    /// Example: [`RecordHeader::has`](crate::events::RecordHeader::has).
    pub const AFTER_THE_FACT: u16 = 1 << 3;
}

/// Everything about a record but its payload.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct RecordHeader {
    /// What happened.
    pub event_type: EventType,
    /// Which revision of the wire struct the payload is.
    pub revision: u16,
    /// See [`flags`].
    #[serde(serialize_with = "Bits::<Flags>::serialize")]
    pub flags: u16,
    /// Codec of the payload.
    pub codec: u8,
    /// Algorithm of record hash and payload commitment (1: BLAKE3).
    pub algorithm: u8,
    /// How it came out.
    pub outcome: Outcome,
    /// Stores the record belongs to.
    pub stores: StoreMask,
    /// Place in the global order.
    pub seq: Seq,
    /// Nanoseconds since 1970; never less than the record before.
    #[serde(rename = "time", serialize_with = "time::serialize")]
    pub time_ns: i64,
    /// The entity's stream; nil where there is none.
    pub stream: StreamId,
    /// Place in the stream, from 1; 0 where there is none.
    pub stream_version: u64,
    /// The execution; nil where there is none.
    pub execution: ExecutionId,
    /// The session or execution that asked for it; nil where there is none.
    pub parent: ParentId,
    /// Trace id; nil where there is none.
    pub trace: TraceId,
    /// The command that caused it.
    pub command: CommandId,
    /// BLAKE3 of the command's content.
    #[serde(serialize_with = "hex::serialize")]
    pub command_digest: Hash,
    /// Place in its commit, from 0.
    pub commit_index: u16,
    /// Number of records in its commit.
    pub commit_len: u16,
    /// Who caused it.
    pub component: ComponentId,
    /// Length in bytes of the stored payload, without its salt.
    pub payload_len: u32,
    /// BLAKE3 (derived key) over salt and stored payload.
    #[serde(serialize_with = "hex::serialize")]
    pub payload_commitment: Hash,
    /// Whom it is about, as a pseudonym; nil where nobody is named.
    pub subject: SubjectId,
    /// What the clock said when it was written, as a difference to [`RecordHeader::time_ns`] in nanoseconds: 0 where the
    /// clock was believed and had not gone back.
    pub observed_difference_ns: i64,
    /// The key that its payload is encrypted with; 0 for none, which is all that this software writes.
    pub data_key: u32,
}

/// A header is not one of ours.
///
/// Example: [`RecordHeader::decode`](crate::events::RecordHeader::decode).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Fewer bytes than a header has, or another length than it states.
    #[error("record header is cut short or of another length")]
    Length,
    /// Sequence number zero.
    #[error("record header has sequence number 0")]
    ZeroSeq,
    /// The hash algorithm is not known.
    #[error("record header names unknown algorithm {0}")]
    UnknownAlgorithm(u8),
    /// Bytes that are zero in this format are not.
    #[error("record header has something in its reserved bytes")]
    Reserved,
}

impl HeaderError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Length => "header_length",
            Self::ZeroSeq => "zero_seq",
            Self::UnknownAlgorithm(_) => "unknown_algorithm",
            Self::Reserved => "reserved_not_zero",
        }
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], HeaderError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(HeaderError::Length)?;
        self.0 = rest;
        Ok(*head)
    }
}

/// What is left of a header that is written.
struct HeaderRoom<'a>(&'a mut [u8]);

impl HeaderRoom<'_> {
    fn put<const N: usize>(&mut self, bytes: &[u8; N]) {
        if let Some((head, rest)) = std::mem::take(&mut self.0).split_first_chunk_mut::<N>() {
            *head = *bytes;
            self.0 = rest;
        }
    }
}

impl RecordHeader {
    /// The 224 canonical bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let mut room = HeaderRoom(&mut bytes);
        room.put(&(HEADER_LEN as u16).to_le_bytes());
        room.put(&self.event_type.0.to_le_bytes());
        room.put(&self.revision.to_le_bytes());
        room.put(&self.flags.to_le_bytes());
        room.put(&[
            self.codec,
            self.algorithm,
            self.outcome.code(),
            self.stores.bits(),
        ]);
        room.put(&self.component.0.to_le_bytes());
        room.put(&self.seq.get().to_le_bytes());
        room.put(&self.time_ns.to_le_bytes());
        room.put(self.stream.as_bytes());
        room.put(&self.stream_version.to_le_bytes());
        room.put(self.execution.as_bytes());
        room.put(self.parent.as_bytes());
        room.put(self.trace.as_bytes());
        room.put(self.command.as_bytes());
        room.put(&self.command_digest);
        room.put(&self.commit_index.to_le_bytes());
        room.put(&self.commit_len.to_le_bytes());
        room.put(&self.payload_len.to_le_bytes());
        room.put(&self.payload_commitment);
        room.put(self.subject.as_bytes());
        room.put(&self.observed_difference_ns.to_le_bytes());
        room.put(&self.data_key.to_le_bytes());
        bytes
    }

    /// Appends the 224 canonical bytes.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.encode());
    }

    /// Reads the canonical bytes.
    ///
    /// # Errors
    /// [`HeaderError`] where they are no header.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut cursor = Cursor(bytes);
        let length = u16::from_le_bytes(cursor.take()?);
        if usize::from(length) != HEADER_LEN || bytes.len() != HEADER_LEN {
            return Err(HeaderError::Length);
        }
        let event_type = EventType(u16::from_le_bytes(cursor.take()?));
        let revision = u16::from_le_bytes(cursor.take()?);
        let flags = u16::from_le_bytes(cursor.take()?);
        let [codec, algorithm, outcome, stores] = cursor.take()?;
        if algorithm != 1 {
            return Err(HeaderError::UnknownAlgorithm(algorithm));
        }
        let header = Self {
            event_type,
            revision,
            flags,
            codec,
            algorithm,
            outcome: Outcome::from_code(outcome),
            stores: StoreMask::from_bits(stores),
            component: ComponentId(u32::from_le_bytes(cursor.take()?)),
            seq: Seq::new(u64::from_le_bytes(cursor.take()?)).ok_or(HeaderError::ZeroSeq)?,
            time_ns: i64::from_le_bytes(cursor.take()?),
            stream: StreamId::from_bytes(cursor.take()?),
            stream_version: u64::from_le_bytes(cursor.take()?),
            execution: ExecutionId::from_bytes(cursor.take()?),
            parent: ParentId::from_bytes(cursor.take()?),
            trace: TraceId::from_bytes(cursor.take()?),
            command: CommandId::from_bytes(cursor.take()?),
            command_digest: cursor.take()?,
            commit_index: u16::from_le_bytes(cursor.take()?),
            commit_len: u16::from_le_bytes(cursor.take()?),
            payload_len: u32::from_le_bytes(cursor.take()?),
            payload_commitment: cursor.take()?,
            subject: SubjectId::from_bytes(cursor.take()?),
            observed_difference_ns: i64::from_le_bytes(cursor.take()?),
            data_key: u32::from_le_bytes(cursor.take()?),
        };
        match cursor.take()? {
            [0, 0, 0, 0] => Ok(header),
            _ => Err(HeaderError::Reserved),
        }
    }

    /// The event that this is the payload of. A payload under a key is one of a later software: opaque.
    pub(crate) fn event(&self, payload: &[u8]) -> Result<Event, DecodeError> {
        match self.data_key {
            0 => Event::decode(self.event_type, self.revision, self.codec, payload),
            _ => Ok(Event::Opaque),
        }
    }

    /// Whether a record like this keeps this software from writing to the ledger: it cannot read it — the type or the
    /// revision is not known here, or the payload lies under a data key — and may not skip it
    /// ([`EventType::may_be_skipped`]).
    #[must_use]
    pub const fn bars_writing(&self) -> bool {
        self.event_type
            .bars_writing(self.revision, self.data_key != 0)
    }

    /// True where the flag is set.
    #[must_use]
    pub const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// An event in the journal: its header, its hash, its stored payload.
///
/// For serde it has the fields `header`, `hash`, `event` (`None` where it is withheld or not known here) and `payload`: the
/// stored bytes of one that is not known here. What must verify elsewhere travels as evidence or export.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Everything but the payload.
    pub header: RecordHeader,
    /// Record hash: covers the header and the previous record's hash.
    pub hash: Hash,
    /// Its payload; `None` where it is withheld from a reader who may read no payloads
    /// (`Rights::read_payloads`). An empty one is there.
    pub content: Option<Content>,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Content {
    /// The salt that the commitment in the header covers.
    #[serde(serialize_with = "hex::serialize")]
    pub salt: [u8; SALT_LEN],
    /// The payload as stored.
    #[serde(serialize_with = "bytes::serialize")]
    pub payload: Vec<u8>,
}

impl Record {
    /// The payload as stored; `None` where it is withheld.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        let content = self.content.as_ref();
        content.map(|content| content.payload.as_slice())
    }

    /// The event, upcast to its newest revision; types and revisions of a later software stay
    /// opaque, and so do payloads under a data key: they verify and export all the same. [`Event::Withheld`] where the payload is withheld.
    ///
    /// # Errors
    /// [`DecodeError`] where the payload is not what the header says.
    pub fn event(&self) -> Result<Event, DecodeError> {
        match self.payload() {
            Some(payload) => self.header.event(payload),
            None => Ok(Event::Withheld),
        }
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Bytes<'a>(#[serde(serialize_with = "bytes::serialize")] &'a [u8]);

        #[derive(Serialize)]
        struct Record<'a> {
            header: &'a RecordHeader,
            #[serde(serialize_with = "hex::serialize")]
            hash: Hash,
            event: Option<Event>,
            payload: Option<Bytes<'a>>,
        }

        let event = self.event().ok();
        let event = event.filter(|event| event.event_type().is_some());
        let unknown = self.payload().filter(|_| event.is_none());
        let record = Record {
            header: &self.header,
            hash: self.hash,
            event,
            payload: unknown.map(Bytes),
        };
        record.serialize(serializer)
    }
}

debug_as_read!(RecordHeader, Record, Content);

#[cfg(test)]
mod tests;
