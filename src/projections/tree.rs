// SPDX-License-Identifier: Apache-2.0
//! The Merkle tree over all record headers, kept as a view: tiles, in strips of 16 hashes, so that a
//! batch writes what it adds and little more.

use crate::error::Cause;
use crate::events::{Event, EventType, Record, RecordHeader, Seq};
use crate::integrity::merkle::{
    HASH_LEN, ProveError, TILE_WIDTH, Tile, TileSource, TreeHash, leaf_hash, perfect_root,
};

use super::keys::{fixed_key, name_key};
use super::{AtPosition, Projection, ProjectionError, View, ViewBatch, ViewError, ViewSnapshot};

const VERSION: u32 = 1;
/// level, strip → up to 16 hashes.
const STRIP: u8 = b't';
/// → the newest checkpoint's note.
const CHECKPOINT: u8 = b'c';
/// size → the note of that checkpoint, with the cosignatures that were added to it later.
const COSIGNED: u8 = b'k';
/// → the key that the newest change of keys put in force.
const KEY: u8 = b's';
/// origin of another log → the record of the newest checkpoint of it that was cosigned.
const WITNESSED: u8 = b'w';
const STRIP_WIDTH: u64 = 16;
const STRIP_BYTES: usize = STRIP_WIDTH as usize * HASH_LEN;

/// The Merkle tree. Its position is its size: the number of records in it.
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Debug, Clone, Copy, Default)]
pub struct Tree;

impl Tree {
    /// The view's name.
    pub const NAME: &'static str = super::names::TREE;
}

fn strip_key(level: u8, strip: u64) -> [u8; 10] {
    fixed_key(STRIP, &[&[level], &strip.to_be_bytes()])
}

fn cosigned_key(size: u64) -> [u8; 9] {
    fixed_key(COSIGNED, &[&size.to_be_bytes()])
}

fn witnessed_key(origin: &str) -> [u8; 17] {
    fixed_key(WITNESSED, &[&name_key(origin)])
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
        matches!(
            header.event_type,
            EventType::CheckpointSigned
                | EventType::CheckpointCosigned
                | EventType::CheckpointWitnessed
                | EventType::SigningKeyChanged
        )
    }

    fn apply_header(
        &mut self,
        header: &RecordHeader,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let (mut hash, mut index) = (leaf_hash(&header.encode()), header.seq.get() - 1);
        for level in 0_u8.. {
            let strip = index / STRIP_WIDTH;
            let before = (index % STRIP_WIDTH) as usize * HASH_LEN;
            let mut found = 0;
            batch.edit(&strip_key(level, strip), before > 0, |hashes| {
                found = hashes.len();
                if found == before {
                    // Once for all: a strip is never longer.
                    hashes.reserve_exact(STRIP_BYTES - before);
                    hashes.extend_from_slice(hash.as_bytes());
                }
            })?;
            if found != before {
                let problem = format!("a strip of the tree has {found} bytes");
                return Err(ProjectionError::Damaged(problem.into()));
            }
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
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        match event {
            Event::CheckpointSigned(signed) => batch.put(&[CHECKPOINT], signed.note.clone()),
            Event::CheckpointCosigned(cosigned) => {
                batch.put(&cosigned_key(cosigned.size), cosigned.note.clone());
            }
            Event::SigningKeyChanged(changed) => {
                batch.put(&[KEY], changed.new.clone().into_bytes());
            }
            Event::CheckpointWitnessed(witnessed) => {
                let seq = record.header.seq.get().to_be_bytes();
                batch.put(&witnessed_key(&witnessed.origin), seq.to_vec());
            }
            _ => {}
        }
        Ok(())
    }
}

fn hashes_of(bytes: &[u8]) -> Vec<TreeHash> {
    let (hashes, _) = bytes.as_chunks::<HASH_LEN>();
    hashes.iter().copied().map(TreeHash::from_bytes).collect()
}

/// Reads the tree, at the view's position: wait for a larger one with [`View::at_least`].
///
/// Example: [`Source`](crate::projections::Source).
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
    /// As [`View::read`]. A problem of a tile is damage of the view; a leaf that is not within the
    /// tree is [`ViewError::Behind`].
    pub fn read<R>(
        &self,
        read: impl FnOnce(&TreeAt<'_>) -> Result<R, ProveError<ViewError>>,
    ) -> Result<R, ViewError> {
        self.0.read_version(Some(VERSION), |snapshot| {
            read(&TreeAt(snapshot)).map_err(|error| match error {
                ProveError::Source(_, error) => error,
                ProveError::OutOfTree { asked, size } => ViewError::Behind {
                    position: size,
                    wanted: asked,
                },
                error => ViewError::Damaged(Cause::of(error)),
            })
        })
    }
}

impl TreeView {
    /// The note of the newest `CheckpointSigned` record.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn newest_checkpoint(&self) -> Result<AtPosition<Option<Vec<u8>>>, ViewError> {
        self.0.read_version(Some(VERSION), |snapshot| {
            let position = snapshot.position();
            let found = snapshot.get(&[CHECKPOINT])?;
            Ok(AtPosition { position, found })
        })
    }

    /// The note of the checkpoint of this size, where cosignatures were added to it after it was
    /// recorded.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn cosigned(&self, size: u64) -> Result<Option<Vec<u8>>, ViewError> {
        self.get(&cosigned_key(size))
    }

    /// The key that the newest `SigningKeyChanged` record put in force, as it is written there.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn signing_key(&self) -> Result<Option<String>, ViewError> {
        let text = self.get(&[KEY])?.map(String::from_utf8).transpose();
        text.map_err(|error| ViewError::Damaged(Cause::of(error)))
    }

    /// The newest `CheckpointWitnessed` record of the log with this origin: where it is, not what it
    /// says.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn witnessed(&self, origin: &str) -> Result<Option<Seq>, ViewError> {
        let Some(bytes) = self.get(&witnessed_key(origin))? else {
            return Ok(None);
        };
        let number = bytes.as_slice().try_into().ok().map(u64::from_be_bytes);
        let seq = number.and_then(Seq::new);
        seq.map(Some)
            .ok_or_else(|| ViewError::Damaged("a record's number is none".into()))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.0
            .read_version(Some(VERSION), |snapshot| snapshot.get(key))
    }
}

/// The tree of the first [`TreeAt::size`] records.
///
/// Example: [`Source`](crate::projections::Source).
pub struct TreeAt<'a>(&'a ViewSnapshot);

impl TreeAt<'_> {
    /// Number of records in it.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.position()
    }
}

impl TileSource for TreeAt<'_> {
    type Error = ViewError;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, ViewError> {
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
