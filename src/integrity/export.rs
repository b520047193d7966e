// SPDX-License-Identifier: Apache-2.0
//! A history as static files (C2SP `tlog-tiles`): `checkpoint`, the tiles of the tree, and the
//! entries, which are the records' canonical headers. Any web server can serve them, and whoever
//! has the log's public key can check them.
#![doc = include_str!("../rooms/export.md")]

use super::merkle::{
    HASH_LEN, ProveError, TILE_WIDTH, Tile, TileSource, TileWriter, TreeFull, TreeHash, leaf_hash,
};
use super::note::Note;
use crate::events::{HeaderError, RecordHeader};

use super::checkpoint::Checkpoint;

/// Path of the checkpoint in an export.
pub const CHECKPOINT_PATH: &str = "checkpoint";

/// Where an export is read from. It need not be trusted.
pub trait ExportSource: TileSource {
    /// The entry bundle whose leaf hashes this tile of level 0 holds.
    ///
    /// # Errors
    /// Where it is not there or cannot be read.
    fn entries(&self, tile: Tile) -> Result<Vec<u8>, Self::Error>;
}

/// An export is not what its checkpoint says, or cannot be read.
///
/// Example: [`verify_export`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError<E: std::error::Error + 'static> {
    /// An entry bundle could not be read.
    #[error("{path} could not be read")]
    Source {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: E,
    },
    /// A tile could not be read, or has the wrong length.
    #[error("a tile cannot be used")]
    Tile(#[from] ProveError<E>),
    /// A bundle does not hold as many entries as its name says, or bytes are left over.
    #[error("{path} does not hold exactly {width} entries")]
    Bundle {
        /// Which file.
        path: String,
        /// Entries that it must hold.
        width: u16,
    },
    /// An entry is no record header.
    #[error("entry {index} is not a record header")]
    Header {
        /// Which entry, from 0.
        index: u64,
        /// Why not.
        #[source]
        source: HeaderError,
    },
    /// A record is not where its sequence number says.
    #[error("entry {index} is the header of record {found}")]
    Order {
        /// Which entry, from 0.
        index: u64,
        /// The sequence number in it, which must be one more.
        found: u64,
    },
    /// Time falls.
    #[error("entry {index} is of a time before the entry in front of it")]
    Time {
        /// Which entry, from 0.
        index: u64,
    },
    /// A tile does not hold what its entries, or the tiles below it, hash to.
    #[error("hash {at} of {path} is not that of what lies below it")]
    Hash {
        /// Which tile.
        path: String,
        /// Place of the first wrong hash in it, from 0.
        at: usize,
    },
    /// Entries and tiles agree, and their root is not the one in the checkpoint.
    #[error("the root over all entries is {found}, and the checkpoint says {expected}")]
    Root {
        /// As signed.
        expected: TreeHash,
        /// As computed.
        found: TreeHash,
    },
}

impl<E: std::error::Error + 'static> ExportError<E> {
    /// What the source said, where it failed.
    #[must_use]
    pub const fn source_error(&self) -> Option<&E> {
        match self {
            Self::Source { source, .. } | Self::Tile(ProveError::Source(_, source)) => Some(source),
            _ => None,
        }
    }
}

/// What was checked.
///
/// Example: [`verify_export`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct VerifiedExport {
    /// Number of records.
    pub records: u64,
    /// Time of the first record in nanoseconds since 1970; 0 where there is none.
    #[serde(
        rename = "first",
        serialize_with = "crate::events::readable::time::serialize"
    )]
    pub first_ns: i64,
    /// Time of the last record.
    #[serde(
        rename = "last",
        serialize_with = "crate::events::readable::time::serialize"
    )]
    pub last_ns: i64,
}

/// Recomputes the whole tree from the entries, holds it against every tile, and the root against
/// the checkpoint, whose signatures the caller has checked. `each` sees every record's header with
/// its entry. Memory does not grow with the history.
///
/// What it shows: these are all the records of the checkpoint, in this order, unchanged. Payloads
/// are not in an export: a payload is held against the commitment in its header.
///
/// # Errors
/// [`ExportError`] names the first file and place that is wrong.
pub fn verify_export<S: ExportSource>(
    source: &S,
    checkpoint: &Checkpoint,
    mut each: impl FnMut(&RecordHeader, &[u8]),
) -> Result<VerifiedExport, ExportError<S::Error>> {
    let size = checkpoint.size();
    let mut writer = TileWriter::default();
    let mut verified = VerifiedExport {
        records: 0,
        first_ns: 0,
        last_ns: 0,
    };
    for number in 0_u64.. {
        let Some(tile) = Tile::in_tree(0, number, size) else {
            break;
        };
        let path = tile.entries_path();
        let bytes = source
            .entries(tile)
            .map_err(|source| ExportError::Source { path, source })?;
        let mut rest = bytes.as_slice();
        for _ in 0..tile.width() {
            let entry = take_entry(&mut rest).ok_or_else(|| bundle(tile))?;
            check_entry(&mut verified, entry, &mut each)?;
            add(&mut writer, leaf_hash(entry), source)?;
        }
        if !rest.is_empty() {
            return Err(bundle(tile));
        }
    }
    for (tile, hashes) in writer.partial().filter(|(_, hashes)| !hashes.is_empty()) {
        compare(source, tile, hashes)?;
    }
    let (expected, found) = (*checkpoint.root(), writer.frontier().root());
    if expected != found {
        return Err(ExportError::Root { expected, found });
    }
    Ok(verified)
}

fn bundle<E: std::error::Error>(tile: Tile) -> ExportError<E> {
    ExportError::Bundle {
        path: tile.entries_path(),
        width: tile.width(),
    }
}

fn take_entry<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = after;
    Some(entry)
}

fn check_entry<E: std::error::Error>(
    verified: &mut VerifiedExport,
    entry: &[u8],
    each: &mut impl FnMut(&RecordHeader, &[u8]),
) -> Result<(), ExportError<E>> {
    let index = verified.records;
    let header = RecordHeader::decode(entry);
    let header = header.map_err(|source| ExportError::Header { index, source })?;
    let found = header.seq.get();
    if found != index + 1 {
        return Err(ExportError::Order { index, found });
    }
    if index == 0 {
        verified.first_ns = header.time_ns;
    } else if header.time_ns < verified.last_ns {
        return Err(ExportError::Time { index });
    }
    verified.last_ns = header.time_ns;
    verified.records = found;
    each(&header, entry);
    Ok(())
}

fn add<S: ExportSource>(
    writer: &mut TileWriter,
    leaf: TreeHash,
    source: &S,
) -> Result<(), ExportError<S::Error>> {
    let mut outcome = Ok(());
    let appended = writer.append(leaf, |tile, hashes| {
        if outcome.is_ok() {
            outcome = compare(source, tile, hashes);
        }
    });
    outcome?;
    // A checkpoint states no size above the largest tree's.
    appended.map_err(|TreeFull| {
        let (asked, size) = (writer.size(), writer.size());
        ExportError::Tile(ProveError::OutOfTree { asked, size })
    })
}

fn compare<S: ExportSource>(
    source: &S,
    tile: Tile,
    hashes: &[TreeHash],
) -> Result<(), ExportError<S::Error>> {
    let stored = super::merkle::read_tile(source, tile)?;
    match stored.iter().zip(hashes).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(at) => Err(ExportError::Hash {
            path: tile.path(),
            at,
        }),
    }
}

/// Makes the files of an export, entry by entry; holds no more than one tile a level and one bundle.
#[derive(Debug, Default)]
pub struct Exporter {
    writer: TileWriter,
    bundle: Vec<u8>,
}

impl Exporter {
    /// Goes on where an export over `size` records ended: at the first entry of its last bundle,
    /// which is made anew. The next record to be appended is the one after [`Exporter::tree`]'s size.
    ///
    /// # Errors
    /// As [`TileWriter::resume`].
    pub fn resume<S: TileSource>(source: &S, size: u64) -> Result<Self, ProveError<S::Error>> {
        let writer = TileWriter::resume(source, size - size % u64::from(TILE_WIDTH))?;
        let bundle = Vec::new();
        Ok(Self { writer, bundle })
    }

    /// The tree so far.
    #[must_use]
    pub const fn tree(&self) -> &TileWriter {
        &self.writer
    }

    /// Adds the canonical header of the next record; `put` is given each file that it completes,
    /// with its path.
    ///
    /// # Errors
    /// What `put` says. The export is to be made anew.
    pub fn append<E>(
        &mut self,
        header: &[u8],
        mut put: impl FnMut(String, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        // A header has 224 bytes; what does not fit into a bundle is no header.
        let length = u16::try_from(header.len()).unwrap_or(u16::MAX);
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(header);
        let (mut outcome, bundle) = (Ok(()), &mut self.bundle);
        // Full at 2^63 - 1 records: no journal gets there.
        let _full = self.writer.append(leaf_hash(header), |tile, hashes| {
            if outcome.is_ok() && tile.level() == 0 {
                outcome = put(tile.entries_path(), std::mem::take(bundle));
            }
            if outcome.is_ok() {
                outcome = put(tile.path(), tile_bytes(hashes));
            }
        });
        outcome
    }

    /// Ends with the unfinished tiles and the checkpoint of this tree.
    ///
    /// # Errors
    /// What `put` says.
    pub fn finish<E>(
        self,
        checkpoint: &Note,
        mut put: impl FnMut(String, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let last = self.writer.size() % u64::from(TILE_WIDTH);
        if last > 0
            && let Some(tile) = Tile::in_tree(0, self.writer.size() / 256, self.writer.size())
        {
            put(tile.entries_path(), self.bundle)?;
        }
        for (tile, hashes) in self
            .writer
            .partial()
            .filter(|(_, hashes)| !hashes.is_empty())
        {
            put(tile.path(), tile_bytes(hashes))?;
        }
        put(CHECKPOINT_PATH.to_owned(), checkpoint.to_string().into())
    }
}

fn tile_bytes(hashes: &[TreeHash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_LEN);
    for hash in hashes {
        bytes.extend_from_slice(hash.as_bytes());
    }
    bytes
}
