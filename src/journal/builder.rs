// SPDX-License-Identifier: Apache-2.0
//! Fills a frame: one record is one pass over its bytes, and no allocation once the buffers stand.

use std::io::Read;

use super::Head;
use super::frame::{Frame, chain};
use super::layout::{Entry, FRAME_BYTES_MAX, FRAME_HEADER_LEN, FrameHeader};
use crate::database::ValueBuffer;
use crate::events::{
    ALGORITHM_BLAKE3, CODEC_BINCODE, CommandId, ComponentId, Event, EventType, ExecutionId,
    HEADER_LEN, Hash, LedgerId, Outcome, ParentId, RecordHeader, SALT_LEN, Seq, StoreMask,
    StreamId, SubjectId, TraceId,
};
use crate::integrity;

/// A record that lacks only its place: sequence number, time and hash.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct NewRecord {
    /// What happened.
    pub event_type: EventType,
    /// Revision of the payload's wire struct.
    pub revision: u16,
    /// See [`crate::events::flags`].
    pub flags: u16,
    /// How it came out.
    pub outcome: Outcome,
    /// Stores the record belongs to.
    pub stores: StoreMask,
    /// Who caused it.
    pub component: ComponentId,
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
    /// Whom it is about, as a pseudonym; nil where nobody is named.
    pub subject: SubjectId,
    /// What the clock said, as a difference to the record's time in nanoseconds.
    pub observed_difference_ns: i64,
    /// The command that caused it.
    pub command: CommandId,
    /// BLAKE3 of the command's content.
    #[serde(serialize_with = "crate::events::readable::hex::serialize")]
    pub command_digest: Hash,
    /// Place in its commit, from 0.
    pub commit_index: u16,
    /// Number of records in its commit.
    pub commit_len: u16,
    /// The salt that the commitment covers.
    #[serde(serialize_with = "crate::events::readable::hex::serialize")]
    pub salt: [u8; SALT_LEN],
    /// Commitment to salt and payload; see [`crate::integrity::Chain::payload_commitment`].
    #[serde(serialize_with = "crate::events::readable::hex::serialize")]
    pub commitment: Hash,
    /// The encoded event.
    #[serde(serialize_with = "crate::events::readable::bytes::serialize")]
    pub payload: Vec<u8>,
}

crate::events::readable::debug_as_read!(NewRecord);

impl NewRecord {
    /// A record with this payload, as the ledger writes it of itself: of no stream, execution or command, neutral, in a
    /// commit of its own. The sequencer adds salt and commitment.
    #[must_use]
    pub const fn new(event_type: EventType, revision: u16, payload: Vec<u8>) -> Self {
        Self {
            event_type,
            revision,
            flags: 0,
            outcome: Outcome::Neutral,
            stores: event_type.stores(),
            component: ComponentId::LEDGER,
            stream: StreamId::NIL,
            stream_version: 0,
            execution: ExecutionId::NIL,
            parent: ParentId::NIL,
            trace: TraceId::NIL,
            subject: SubjectId::NIL,
            observed_difference_ns: 0,
            command: CommandId::NIL,
            command_digest: [0; 32],
            commit_index: 0,
            commit_len: 1,
            salt: [0; SALT_LEN],
            commitment: [0; 32],
            payload,
        }
    }

    /// As [`NewRecord::new`], of an event.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let mut payload = Vec::new();
        event.encode_into(&mut payload);
        Self::new(
            event.event_type().unwrap_or_default(),
            event.revision(),
            payload,
        )
    }
}

/// A frame that is being filled.
pub struct FrameBuilder {
    ledger: LedgerId,
    epoch: u64,
    after: Head,
    head: Head,
    first_time_ns: i64,
    table: Vec<u8>,
    body: Vec<u8>,
}

/// Without the records in it.
impl std::fmt::Debug for FrameBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameBuilder")
            .field("ledger", &self.ledger)
            .field("epoch", &self.epoch)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

impl FrameBuilder {
    /// An empty frame that follows `after`.
    #[must_use]
    pub fn new(ledger: LedgerId, epoch: u64, after: Head) -> Self {
        Self {
            ledger,
            epoch,
            after,
            head: after,
            first_time_ns: after.time_ns,
            table: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a record; `time_ns` must not be less than the time of the record before. A frame that
    /// outgrows [`FRAME_BYTES_MAX`] is refused by the journal as a whole.
    pub fn push(&mut self, record: &NewRecord, time_ns: i64) -> Seq {
        debug_assert!(
            time_ns >= self.head.time_ns || self.head.seq.is_none(),
            "time went back"
        );
        let header = header(record, self.head.next_seq(), time_ns);
        self.add(&header, &record.salt, &record.payload)
    }

    /// As [`FrameBuilder::push`], of a record that is nowhere as a whole. Its header has the next place.
    pub(crate) fn add(
        &mut self,
        header: &RecordHeader,
        salt: &[u8; SALT_LEN],
        payload: &[u8],
    ) -> Seq {
        let (seq, time_ns) = (header.seq, header.time_ns);
        debug_assert_eq!(seq, self.head.next_seq(), "another place");
        let offset = self.body.len();
        let canonical = header.encode();
        let hash = chain().record_hash(&self.head.hash, &canonical);
        self.body.extend_from_slice(&canonical);
        self.body.extend_from_slice(salt);
        self.body.extend_from_slice(payload);
        let length = self.body.len() - offset;
        Entry::encode_into(clamped(offset), clamped(length), &hash, &mut self.table);
        if self.head == self.after {
            self.first_time_ns = time_ns;
        }
        self.head = Head {
            seq: Some(seq),
            hash,
            time_ns,
            epoch: self.epoch,
        };
        seq
    }

    /// Records pushed so far.
    #[must_use]
    pub fn records(&self) -> usize {
        usize::try_from(self.head.count() - self.after.count()).unwrap_or(usize::MAX)
    }

    /// Bytes of the frame as it stands.
    #[must_use]
    pub fn bytes(&self) -> usize {
        FRAME_HEADER_LEN + self.table.len() + self.body.len()
    }

    /// Bytes that a record with a payload of this length takes in a frame.
    #[must_use]
    pub const fn record_bytes(payload_len: usize) -> usize {
        super::layout::ENTRY_LEN + HEADER_LEN + SALT_LEN + payload_len
    }

    /// The head that a journal has after this frame.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The frame.
    #[must_use]
    pub fn finish(mut self) -> Frame {
        self.take()
    }

    /// The frame; the builder goes on with the one after it, in the same buffers.
    pub fn take(&mut self) -> Frame {
        let header = FrameHeader {
            ledger: self.ledger,
            epoch: self.epoch,
            first: self.after.next_seq().get(),
            count: clamped(self.records()),
            table_len: clamped(self.table.len()),
            body_len: self.body.len() as u64,
            first_time_ns: self.first_time_ns,
            last_time_ns: self.head.time_ns,
            previous: self.after.hash,
            last_hash: self.head.hash,
            body_checksum: integrity::checksum(&self.body),
            table_checksum: integrity::checksum(&self.table),
        };
        let frame = Frame::new(&header, join(&header.encode(), &self.table, &self.body));
        self.after = self.head;
        self.table.clear();
        self.body.clear();
        // One huge frame must not be paid for for ever.
        self.body.shrink_to(FRAME_BYTES_MAX / 16);
        frame
    }
}

fn header(record: &NewRecord, seq: Seq, time_ns: i64) -> RecordHeader {
    RecordHeader {
        event_type: record.event_type,
        revision: record.revision,
        flags: record.flags,
        codec: CODEC_BINCODE,
        algorithm: ALGORITHM_BLAKE3,
        outcome: record.outcome,
        stores: record.stores,
        seq,
        time_ns,
        stream: record.stream,
        stream_version: record.stream_version,
        execution: record.execution,
        parent: record.parent,
        trace: record.trace,
        command: record.command,
        command_digest: record.command_digest,
        commit_index: record.commit_index,
        commit_len: record.commit_len,
        component: record.component,
        payload_len: clamped(record.payload.len()),
        payload_commitment: record.commitment,
        subject: record.subject,
        observed_difference_ns: record.observed_difference_ns,
        data_key: 0,
    }
}

/// What is clamped lies in a frame that is refused as too large long before.
fn clamped(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// One copy into the buffer that the database takes over.
fn join(header: &[u8], table: &[u8], body: &[u8]) -> ValueBuffer {
    let length = u32::try_from(header.len() + table.len() + body.len());
    let mut parts = header.chain(table).chain(body);
    let joined = length
        .ok()
        .and_then(|length| ValueBuffer::read(&mut parts, length).ok());
    joined.unwrap_or_else(ValueBuffer::empty)
}
