// SPDX-License-Identifier: Apache-2.0
//! The fixed parts of a frame, byte for byte as `docs/FORMAT.md` draws them. Little endian.

use super::error::FrameProblem;
use crate::events::{Hash, LedgerId};
use crate::integrity::{self, Checksum};
use crate::parse;

/// Version of the frame format that this software reads and writes.
///
/// Example: [`FrameBuilder`](crate::journal::FrameBuilder).
pub const FRAME_FORMAT_VERSION: u16 = 3;
/// Length in bytes of a frame header.
///
/// Example: `tests/verify/frames.rs`.
pub const FRAME_HEADER_LEN: usize = 192;
/// No frame is larger, in bytes: what is appended must fit the database's write-ahead log.
///
/// Example: `tests/journal/conformance.rs`.
pub const FRAME_BYTES_MAX: usize = 32 << 20;

/// Length in bytes of one entry of the offset table.
pub(super) const ENTRY_LEN: usize = 40;
/// How every frame begins.
pub(super) const MAGIC: [u8; 8] = *b"FCLFRAME";
/// The part of the header that its checksum covers: all but the checksum.
const CHECKED_LEN: usize = FRAME_HEADER_LEN - size_of::<Checksum>();

/// What a frame header holds beside magic, version, lengths and its own checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) ledger: LedgerId,
    pub(super) epoch: u64,
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) table_len: u32,
    pub(super) body_len: u64,
    pub(super) first_time_ns: i64,
    pub(super) last_time_ns: i64,
    pub(super) previous: Hash,
    pub(super) last_hash: Hash,
    pub(super) body_checksum: Checksum,
    pub(super) table_checksum: Checksum,
}

/// Takes a fixed number of bytes off the front.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], FrameProblem> {
    parse::take(bytes).ok_or(FrameProblem::Length)
}

impl FrameHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FRAME_HEADER_LEN);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FRAME_FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&(FRAME_HEADER_LEN as u16).to_le_bytes());
        out.extend_from_slice(&0_u32.to_le_bytes());
        out.extend_from_slice(self.ledger.as_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.table_len.to_le_bytes());
        out.extend_from_slice(&self.body_len.to_le_bytes());
        out.extend_from_slice(&self.first_time_ns.to_le_bytes());
        out.extend_from_slice(&self.last_time_ns.to_le_bytes());
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&self.last_hash);
        out.extend_from_slice(&self.body_checksum);
        out.extend_from_slice(&self.table_checksum);
        let checksum = integrity::checksum(&out);
        out.extend_from_slice(&checksum);
        out
    }

    /// The length that a header states of its whole frame, where its own checksum matches.
    pub(super) fn stated_len(header: &[u8]) -> Option<usize> {
        let (checked, sum) = header.split_at_checked(CHECKED_LEN)?;
        let lengths = checked.strip_prefix(&MAGIC)?.get(44..)?;
        if integrity::checksum(checked) != sum {
            return None;
        }
        let (table, rest) = lengths.split_first_chunk::<4>()?;
        let (body, _) = rest.split_first_chunk::<8>()?;
        let body = usize::try_from(u64::from_le_bytes(*body)).ok()?;
        let table = u32::from_le_bytes(*table) as usize;
        FRAME_HEADER_LEN.checked_add(table)?.checked_add(body)
    }

    /// Reads the header at the front of `frame`; lengths are checked against `frame`'s.
    pub(super) fn decode(frame: &[u8]) -> Result<Self, FrameProblem> {
        let mut rest = frame;
        if take(&mut rest)? != MAGIC {
            return Err(FrameProblem::Magic);
        }
        // The version comes before any other check: another format may have another header.
        let version = u16::from_le_bytes(take(&mut rest)?);
        if version != FRAME_FORMAT_VERSION {
            return Err(FrameProblem::Version { found: version });
        }
        let (checked, sum) = frame
            .get(..FRAME_HEADER_LEN)
            .and_then(|header| header.split_at_checked(CHECKED_LEN))
            .ok_or(FrameProblem::Length)?;
        if integrity::checksum(checked) != sum {
            return Err(FrameProblem::HeaderChecksum);
        }
        if usize::from(u16::from_le_bytes(take(&mut rest)?)) != FRAME_HEADER_LEN {
            return Err(FrameProblem::Length);
        }
        match u32::from_le_bytes(take(&mut rest)?) {
            0 => {}
            found => return Err(FrameProblem::Flags { found }),
        }
        let header = Self {
            ledger: LedgerId::from_bytes(take(&mut rest)?),
            epoch: u64::from_le_bytes(take(&mut rest)?),
            first: u64::from_le_bytes(take(&mut rest)?),
            count: u32::from_le_bytes(take(&mut rest)?),
            table_len: u32::from_le_bytes(take(&mut rest)?),
            body_len: u64::from_le_bytes(take(&mut rest)?),
            first_time_ns: i64::from_le_bytes(take(&mut rest)?),
            last_time_ns: i64::from_le_bytes(take(&mut rest)?),
            previous: take(&mut rest)?,
            last_hash: take(&mut rest)?,
            body_checksum: take(&mut rest)?,
            table_checksum: take(&mut rest)?,
        };
        header.check_lengths(frame.len()).map(|()| header)
    }

    fn check_lengths(&self, frame_len: usize) -> Result<(), FrameProblem> {
        let length = (FRAME_HEADER_LEN as u64)
            .checked_add(u64::from(self.table_len))
            .and_then(|sum| sum.checked_add(self.body_len));
        if length != Some(frame_len as u64) {
            return Err(FrameProblem::Length);
        }
        let entries = u64::from(self.count) * ENTRY_LEN as u64;
        let fits = self.first > 0 && self.first.checked_add(u64::from(self.count)).is_some();
        if self.count == 0 || entries != u64::from(self.table_len) || !fits {
            return Err(FrameProblem::Table);
        }
        Ok(())
    }
}

/// One entry of the offset table: where a record lies in the body, and its hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) offset: usize,
    pub(super) length: usize,
    pub(super) hash: Hash,
}

impl Entry {
    pub(super) fn encode_into(offset: u32, length: u32, hash: &Hash, out: &mut Vec<u8>) {
        out.extend_from_slice(&offset.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(hash);
    }

    /// The entry with this number.
    pub(super) fn at(table: &[u8], index: usize) -> Option<Self> {
        let start = index.checked_mul(ENTRY_LEN)?;
        let mut entry = table.get(start..start.checked_add(ENTRY_LEN)?)?;
        Some(Self {
            offset: u32::from_le_bytes(take(&mut entry).ok()?) as usize,
            length: u32::from_le_bytes(take(&mut entry).ok()?) as usize,
            hash: take(&mut entry).ok()?,
        })
    }
}
