// SPDX-License-Identifier: Apache-2.0
//! Makes the tiles of a growing tree.

use super::prove::{ProveError, TileSource, read};
use super::tile::{TILE_WIDTH, Tile};
use super::{Frontier, SIZE_MAX, TreeFull, TreeHash, perfect_root};

/// The last, unfinished tile of each level: at most 8 × 255 hashes (64 KiB), however large the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TileWriter {
    size: u64,
    levels: Vec<Vec<TreeHash>>,
}

impl TileWriter {
    /// Goes on where a tree of this size ended, from its at most eight unfinished tiles.
    ///
    /// # Errors
    /// [`ProveError`] where a tile cannot be read or has another length than it must, or where no
    /// tree has this size.
    pub fn resume<S: TileSource>(source: &S, size: u64) -> Result<Self, ProveError<S::Error>> {
        if size > SIZE_MAX {
            let asked = size;
            return Err(ProveError::OutOfTree { asked, size });
        }
        let mut levels = Vec::new();
        for level in 0_u8.. {
            let hashes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
            if hashes == 0 {
                break;
            }
            let last = Tile::in_tree(level, hashes / u64::from(TILE_WIDTH), size);
            levels.push(match last {
                Some(tile) => read(source, tile)?,
                None => Vec::new(),
            });
        }
        Ok(Self { size, levels })
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; `full` is called for each tile that it completes, from level 0 up.
    ///
    /// # Errors
    /// [`TreeFull`] at [`SIZE_MAX`] leaves; nothing has changed.
    pub fn append(
        &mut self,
        leaf: TreeHash,
        mut full: impl FnMut(Tile, &[TreeHash]),
    ) -> Result<(), TreeFull> {
        if self.size >= SIZE_MAX {
            return Err(TreeFull);
        }
        self.size += 1;
        let mut next = Some(leaf);
        for level in 0_u8.. {
            let Some(hash) = next else { break };
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(usize::from(level)) else {
                break;
            };
            row.push(hash);
            if row.len() < usize::from(TILE_WIDTH) {
                break;
            }
            let index = (self.size >> (8 * u32::from(level))) / u64::from(TILE_WIDTH) - 1;
            if let Ok(tile) = Tile::new(level, index, TILE_WIDTH) {
                full(tile, row);
            }
            next = perfect_root(row);
            row.clear();
        }
        Ok(())
    }

    /// The unfinished tiles, from level 0 up.
    pub fn partial(&self) -> impl Iterator<Item = (Tile, &[TreeHash])> {
        (0_u8..).zip(&self.levels).filter_map(|(level, row)| {
            let index = (self.size >> (8 * u32::from(level))) / u64::from(TILE_WIDTH);
            let tile = Tile::new(level, index, u16::try_from(row.len()).ok()?).ok()?;
            Some((tile, row.as_slice()))
        })
    }

    /// The right edge of the tree: its root, and what appends without tiles.
    #[must_use]
    pub fn frontier(&self) -> Frontier {
        let mut peaks = Vec::new();
        for row in self.levels.iter().rev() {
            let mut rest = row.as_slice();
            for height in (0..8).rev() {
                if rest.len() & (1 << height) != 0 {
                    let (peak, right) = rest.split_at(1 << height);
                    peaks.extend(perfect_root(peak));
                    rest = right;
                }
            }
        }
        Frontier::from_peaks(self.size, peaks).unwrap_or_default()
    }
}
