// SPDX-License-Identifier: Apache-2.0
//! How far the scrub is, kept beside the journal. Losing it means beginning again, and no more.

use std::path::Path;

use crate::database::{self, files};
use crate::events::{Hash, LedgerId};
use crate::integrity::{GENESIS, digest};
use crate::ledger::operate::verify::LargeFile;
use crate::parse::take;

const MAGIC: [u8; 8] = *b"FCLSCRUB";
const VERSION: u16 = 1;
const LEN: usize = 136;
const CHECKSUM_LEN: usize = 32;

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ScrubStage {
    /// The journal, frame by frame.
    Frames = 0,
    /// The files.
    Files = 1,
    /// Nothing, until it is time to begin again.
    Done = 2,
}

/// A table of the journal, or a file of a view; ordered as they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct TableId {
    /// 0: the journal; 1: the views.
    pub(super) database: u8,
    /// Of a view's file: what its view is called, digested.
    pub(super) keyspace: u64,
    /// Of a view's file: the last record in it. One that others were merged into comes where the last of them was,
    /// and is read again if any of them was left.
    pub(super) table: u64,
}

impl TableId {
    pub(super) fn of(file: &LargeFile) -> Self {
        let path = file.path();
        let number = |path: Option<&Path>| {
            let name = path.and_then(Path::file_name)?;
            name.to_str()?.parse().ok()
        };
        match file {
            LargeFile::Table(_) => Self {
                database: 0,
                keyspace: number(path.ancestors().nth(2)).unwrap_or(0),
                table: number(Some(path)).unwrap_or(0),
            },
            LargeFile::View(file) => {
                let name = digest(file.view().name().as_bytes());
                Self {
                    database: 1,
                    keyspace: name.first_chunk().map_or(0, |it| u64::from_be_bytes(*it)),
                    table: file.last_seq(),
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScrubPosition {
    pub(super) stage: ScrubStage,
    /// Records from the first to this one were found sound, in this pass or the one before.
    pub(super) verified: u64,
    /// The last record read in this pass.
    pub(super) seq: u64,
    /// Its record hash.
    pub(super) hash: Hash,
    /// The last table read in this pass; `None`: none.
    pub(super) table: Option<TableId>,
    /// When the pass ended, in nanoseconds since 1970.
    pub(super) ended_ns: i64,
}

impl Default for ScrubPosition {
    fn default() -> Self {
        Self {
            stage: ScrubStage::Frames,
            verified: 0,
            seq: 0,
            hash: GENESIS,
            table: None,
            ended_ns: 0,
        }
    }
}

impl ScrubPosition {
    fn encode(&self, ledger: LedgerId) -> Vec<u8> {
        let table = self.table.unwrap_or_default();
        let mut out = Vec::with_capacity(LEN);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        let any = u8::from(self.table.is_some());
        out.extend_from_slice(&[self.stage as u8, any, table.database, 0, 0, 0]);
        out.extend_from_slice(ledger.as_bytes());
        out.extend_from_slice(&self.verified.to_le_bytes());
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.hash);
        out.extend_from_slice(&table.keyspace.to_le_bytes());
        out.extend_from_slice(&table.table.to_le_bytes());
        out.extend_from_slice(&self.ended_ns.to_le_bytes());
        let checksum = digest(&out);
        out.extend_from_slice(&checksum);
        out
    }

    fn decode(bytes: &[u8], ledger: LedgerId) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&MAGIC)?;
        let [_, _, stage, any, database, ..] = take::<8>(&mut rest)?;
        take::<16>(&mut rest)?;
        let stage = match stage {
            0 => ScrubStage::Frames,
            1 => ScrubStage::Files,
            _ => ScrubStage::Done,
        };
        let mut number = || take(&mut rest).map(u64::from_le_bytes);
        let (verified, seq) = (number()?, number()?);
        let hash = take(&mut rest)?;
        let table = TableId {
            database,
            keyspace: take(&mut rest).map(u64::from_le_bytes)?,
            table: take(&mut rest).map(u64::from_le_bytes)?,
        };
        let position = Self {
            stage,
            verified,
            seq,
            hash,
            table: (any == 1).then_some(table),
            ended_ns: take(&mut rest).map(i64::from_le_bytes)?,
        };
        // Every byte is compared: version, ledger, zeros and checksum too.
        (position.encode(ledger) == bytes).then_some(position)
    }

    /// What the file says; `None` where it says nothing that can be relied on.
    pub(super) fn load(path: &Path, ledger: LedgerId) -> Option<Self> {
        let bytes = files::read(path, LEN as u64).ok()?;
        let position = Self::decode(&bytes, ledger);
        if position.is_none() {
            tracing::warn!(path = %path.display(), "the scrub's position is not legible: it begins again");
        }
        position
    }

    pub(super) fn save(&self, path: &Path, ledger: LedgerId) {
        if let Err(error) = database::replace(path, &self.encode(ledger)) {
            tracing::warn!(%error, "the scrub's position could not be kept");
        }
    }
}

const _: () = assert!(LEN == 8 + 8 + 16 + 16 + 32 + 16 + 8 + CHECKSUM_LEN);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_and_a_changed_byte_is_no_position() {
        let ledger = LedgerId::from_bytes([7; 16]);
        let position = ScrubPosition {
            stage: ScrubStage::Files,
            verified: 11,
            seq: 12,
            hash: [3; 32],
            table: Some(TableId {
                database: 1,
                keyspace: 4,
                table: 9,
            }),
            ended_ns: -5,
        };
        let bytes = position.encode(ledger);
        assert_eq!(bytes.len(), LEN);
        assert_eq!(ScrubPosition::decode(&bytes, ledger), Some(position));
        assert_eq!(
            ScrubPosition::decode(&bytes, LedgerId::from_bytes([8; 16])),
            None
        );
        for at in 0..LEN {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(ScrubPosition::decode(&changed, ledger), None, "byte {at}");
        }
        assert_eq!(ScrubPosition::decode(&bytes[..LEN - 1], ledger), None);
    }
}
