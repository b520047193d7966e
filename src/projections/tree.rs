//! The Merkle tree over all record headers, kept as a view: tiles, in strips of 16 hashes, so that a
//! batch writes what it adds and little more.

use crate::events::{Event, EventType, HEADER_LEN, Record, RecordHeader};
use crate::integrity::merkle::{
    HASH_LEN, ProveError, TILE_WIDTH, Tile, TileSource, TreeHash, leaf_hash, perfect_root,
};

use super::keys::fixed_key;
use super::{Projection, ProjectionError, ReadError, View, ViewBatch, ViewSnapshot};

const VERSION: u32 = 1;
/// level, strip → up to 16 hashes.
const STRIP: u8 = b't';
/// → the newest checkpoint's note.
const CHECKPOINT: u8 = b'c';
const STRIP_WIDTH: u64 = 16;
const STRIP_BYTES: usize = STRIP_WIDTH as usize * HASH_LEN;

/// The Merkle tree. Its position is its size: the number of records in it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tree;

impl Tree {
    /// The view's name.
    pub const NAME: &'static str = "tree";
}

fn strip_key(level: u8, strip: u64) -> [u8; 10] {
    fixed_key(STRIP, &[&[level], &strip.to_be_bytes()])
}

fn strip_of(batch: &ViewBatch, level: u8, strip: u64) -> Result<Vec<u8>, ProjectionError> {
    let found = batch.get(&strip_key(level, strip))?;
    found.ok_or_else(|| ProjectionError::Damaged("a strip of the tree is missing".into()))
}

impl Projection for Tree {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn wants(&self, header: &RecordHeader) -> bool {
        header.event_type == EventType::CheckpointSigned
    }

    fn apply_header(
        &mut self,
        header: &RecordHeader,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let mut entry = Vec::with_capacity(HEADER_LEN);
        header.encode_into(&mut entry);
        let (mut hash, mut index) = (leaf_hash(&entry), header.seq.get() - 1);
        for level in 0_u8.. {
            let strip = index / STRIP_WIDTH;
            let before = (index % STRIP_WIDTH) as usize * HASH_LEN;
            let mut hashes = match before {
                0 => Vec::with_capacity(STRIP_BYTES),
                _ => strip_of(batch, level, strip)?,
            };
            if hashes.len() != before {
                let problem = format!("a strip of the tree has {} bytes", hashes.len());
                return Err(ProjectionError::Damaged(problem));
            }
            hashes.extend_from_slice(hash.as_bytes());
            batch.put(&strip_key(level, strip), hashes);
            if index % u64::from(TILE_WIDTH) != u64::from(TILE_WIDTH) - 1 {
                break;
            }
            // The tile is full: its root is a hash of the level above.
            let mut tile = Vec::with_capacity(usize::from(TILE_WIDTH) * HASH_LEN);
            for strip in strip + 1 - u64::from(TILE_WIDTH) / STRIP_WIDTH..=strip {
                tile.extend(strip_of(batch, level, strip)?);
            }
            let hashes = hashes_of(&tile);
            let root = perfect_root(&hashes).filter(|_| hashes.len() == usize::from(TILE_WIDTH));
            hash = root.ok_or_else(|| ProjectionError::Damaged("a tile is cut short".into()))?;
            index /= u64::from(TILE_WIDTH);
        }
        Ok(())
    }

    fn apply(
        &mut self,
        _: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        if let Event::CheckpointSigned(signed) = event {
            batch.put(&[CHECKPOINT], signed.note.clone());
        }
        Ok(())
    }
}

fn hashes_of(bytes: &[u8]) -> Vec<TreeHash> {
    let (hashes, _) = bytes.as_chunks::<HASH_LEN>();
    hashes.iter().copied().map(TreeHash::from_bytes).collect()
}

/// Reads the tree, at the view's position: wait for a larger one with [`View::at_least`].
#[derive(Debug, Clone)]
pub struct TreeView(View);

impl TreeView {
    /// Reads `view`, the one named [`Tree::NAME`].
    #[must_use]
    pub const fn new(view: View) -> Self {
        Self(view)
    }

    /// The view itself.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.0
    }

    /// Reads the tree as it was at one position.
    ///
    /// # Errors
    /// As [`View::read`]. What is wrong with a tile is damage of the view; what is not within the
    /// tree is [`ReadError::Behind`].
    pub fn read<R>(
        &self,
        read: impl FnOnce(&TreeAt<'_>) -> Result<R, ProveError<ReadError>>,
    ) -> Result<R, ReadError> {
        self.0.read_version(Some(VERSION), |snapshot| {
            read(&TreeAt(snapshot)).map_err(|error| match error {
                ProveError::Source(_, error) => error,
                ProveError::OutOfTree { asked, size } => ReadError::Behind {
                    position: size,
                    wanted: asked,
                },
                error => ReadError::Damaged(error.to_string()),
            })
        })
    }
}

impl TreeView {
    /// The view's position, and the note of the newest `CheckpointSigned` record up to there.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn newest_checkpoint(&self) -> Result<(u64, Option<Vec<u8>>), ReadError> {
        self.0.read_version(Some(VERSION), |snapshot| {
            Ok((snapshot.position(), snapshot.get(&[CHECKPOINT])?))
        })
    }
}

/// The tree of the first [`TreeAt::size`] records.
pub struct TreeAt<'a>(&'a ViewSnapshot);

impl TreeAt<'_> {
    /// Number of records in it.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.0.position()
    }
}

impl TileSource for TreeAt<'_> {
    type Error = ReadError;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, ReadError> {
        let length = usize::from(tile.width()) * HASH_LEN;
        let mut bytes = Vec::with_capacity(length + STRIP_BYTES);
        let mut strip = tile.index() * (u64::from(TILE_WIDTH) / STRIP_WIDTH);
        while bytes.len() < length {
            let Some(hashes) = self.0.get(&strip_key(tile.level(), strip))? else {
                break; // too short: whoever asked says so
            };
            bytes.extend_from_slice(&hashes);
            strip += 1;
        }
        bytes.truncate(length);
        Ok(bytes)
    }
}
