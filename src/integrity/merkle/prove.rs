// SPDX-License-Identifier: Apache-2.0
//! Makes proofs from tiles: RFC 6962, sections 2.1.1 and 2.1.2.

use super::tile::Tile;
use super::{Frontier, HASH_LEN, SIZE_MAX, TreeHash, fold_right, perfect_root};

/// Where tiles come from. It need not be trusted: see the module.
pub trait TileSource {
    /// Why a tile could not be had.
    type Error: std::error::Error + 'static;

    /// The tile's hashes, one after the other: `32 × width` bytes.
    ///
    /// # Errors
    /// Where it is not there or cannot be read.
    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Self::Error>;
}

impl<S: TileSource> TileSource for &S {
    type Error = S::Error;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Self::Error> {
        (**self).tile(tile)
    }
}

/// A proof could not be made.
///
/// Example: [`inclusion`](crate::integrity::merkle::inclusion).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError<E: std::error::Error + 'static> {
    /// The source failed.
    #[error("{} could not be read", .0.path())]
    Source(Tile, #[source] E),
    /// A tile has another length than `32 × width` bytes.
    #[error("{} has {found} bytes instead of {}", .tile.path(), usize::from(.tile.width()) * HASH_LEN)]
    TileLength {
        /// Which tile.
        tile: Tile,
        /// Its length in bytes.
        found: usize,
    },
    /// The range asked for is not within the tree of this size.
    #[error("{asked} is not within a tree of {size} leaves")]
    OutOfTree {
        /// Leaf index, or size of the earlier tree.
        asked: u64,
        /// Leaves of the tree.
        size: u64,
    },
}

/// Reads a tile and checks its length.
pub(in crate::integrity) fn read<S: TileSource>(
    source: &S,
    tile: Tile,
) -> Result<Vec<TreeHash>, ProveError<S::Error>> {
    let bytes = source
        .tile(tile)
        .map_err(|error| ProveError::Source(tile, error))?;
    let (hashes, rest) = bytes.as_chunks::<HASH_LEN>();
    if !rest.is_empty() || hashes.len() != usize::from(tile.width()) {
        let found = bytes.len();
        return Err(ProveError::TileLength { tile, found });
    }
    Ok(hashes.iter().copied().map(TreeHash::from_bytes).collect())
}

/// One tree of one size, seen through its tiles; keeps the tile last read of each level.
struct TiledTree<'a, S> {
    source: &'a S,
    size: u64,
    last: Vec<(Tile, Vec<TreeHash>)>,
}

impl<'a, S: TileSource> TiledTree<'a, S> {
    fn new(source: &'a S, size: u64) -> Result<Self, ProveError<S::Error>> {
        if size > SIZE_MAX {
            let asked = size;
            return Err(ProveError::OutOfTree { asked, size });
        }
        let last = Vec::new();
        Ok(Self { source, size, last })
    }

    /// The root of the perfect subtree over leaves `index << height .. (index + 1) << height`.
    fn subtree(&mut self, height: u32, index: u64) -> Result<TreeHash, ProveError<S::Error>> {
        let outside = ProveError::OutOfTree {
            asked: index << height,
            size: self.size,
        };
        let first = index << (height % 8);
        let level = (height / 8) as u8; // below 8: a height is below 64
        let Some(tile) = Tile::in_tree(level, first / 256, self.size) else {
            return Err(outside);
        };
        if !self.last.iter().any(|(have, _)| *have == tile) {
            self.last.retain(|(have, _)| have.level() != level);
            self.last.push((tile, read(self.source, tile)?));
        }
        let from = (first % 256) as usize;
        let to = from + (1 << (height % 8));
        let found = self.last.iter().find(|(have, _)| *have == tile);
        let hashes = found.and_then(|(_, hashes)| hashes.get(from..to));
        hashes.and_then(perfect_root).ok_or(outside)
    }

    /// The roots of the perfect subtrees that make up leaves `from..to`, from left to right.
    fn peaks(&mut self, from: u64, to: u64) -> Result<Vec<TreeHash>, ProveError<S::Error>> {
        let mut peaks = Vec::new();
        let mut at = from;
        while at < to {
            let height = at.trailing_zeros().min((to - at).ilog2());
            peaks.push(self.subtree(height, at >> height)?);
            at += 1 << height;
        }
        Ok(peaks)
    }

    /// The root over leaves `from..to`, a range that the tree itself splits off.
    fn range(&mut self, from: u64, to: u64) -> Result<TreeHash, ProveError<S::Error>> {
        Ok(fold_right(&self.peaks(from, to)?))
    }
}

/// Where RFC 6962 splits a range of at least two leaves: the largest power of two below its length.
fn split(from: u64, to: u64) -> u64 {
    from + (1 << (to - from - 1).ilog2())
}

/// The root of the tree of the first `size` leaves.
///
/// # Errors
/// [`ProveError`] where a tile cannot be read or has another length than it must.
pub fn root<S: TileSource>(source: &S, size: u64) -> Result<TreeHash, ProveError<S::Error>> {
    TiledTree::new(source, size)?.range(0, size)
}

/// The right edge of the tree of the first `size` leaves: at most eight tiles are read.
///
/// Example: `tests/projections/tree.rs`.
///
/// # Errors
/// [`ProveError`] where a tile cannot be read or has another length than it must.
pub fn frontier<S: TileSource>(source: &S, size: u64) -> Result<Frontier, ProveError<S::Error>> {
    let peaks = TiledTree::new(source, size)?.peaks(0, size)?;
    let outside = ProveError::OutOfTree { asked: size, size };
    Frontier::from_peaks(size, peaks).ok_or(outside)
}

/// The inclusion proof of the leaf with this index (from 0) in the tree of the first `size` leaves:
/// from the leaf's sibling up to the root's child, at most 63 hashes.
///
/// # Errors
/// [`ProveError`] where the leaf is not in the tree, or a tile cannot be read or has another length.
pub fn inclusion<S: TileSource>(
    source: &S,
    size: u64,
    index: u64,
) -> Result<Vec<TreeHash>, ProveError<S::Error>> {
    let mut tree = TiledTree::new(source, size)?;
    if index >= size {
        return Err(ProveError::OutOfTree { asked: index, size });
    }
    let (mut from, mut to, mut proof) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = split(from, to);
        if index < middle {
            proof.push(tree.range(middle, to)?);
            to = middle;
        } else {
            proof.push(tree.range(from, middle)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The consistency proof that the tree of the first `size` leaves begins with the tree of the first
/// `old` leaves; empty where `old` is 0 or `size`.
///
/// # Errors
/// [`ProveError`] where `old` is above `size`, or a tile cannot be read or has another length.
pub fn consistency<S: TileSource>(
    source: &S,
    old: u64,
    size: u64,
) -> Result<Vec<TreeHash>, ProveError<S::Error>> {
    let mut tree = TiledTree::new(source, size)?;
    if old > size {
        return Err(ProveError::OutOfTree { asked: old, size });
    }
    let (mut from, mut to, mut proof) = (0, size, Vec::new());
    if old == 0 {
        return Ok(proof);
    }
    while old != to {
        let middle = split(from, to);
        if old <= middle {
            proof.push(tree.range(middle, to)?);
            to = middle;
        } else {
            proof.push(tree.range(from, middle)?);
            from = middle;
        }
    }
    // The verifier knows the old root itself; a subtree of it that is none has to be given.
    if from > 0 {
        proof.push(tree.range(from, to)?);
    }
    proof.reverse();
    Ok(proof)
}
