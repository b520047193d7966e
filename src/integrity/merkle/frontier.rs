// SPDX-License-Identifier: Apache-2.0
//! The right edge of a tree: all that is needed to append and to state the root.

use super::{SIZE_MAX, Subtree, TreeHash, fold_right, node_hash};

/// The tree has [`SIZE_MAX`] leaves.
///
/// Example: [`Frontier::append`](crate::integrity::merkle::Frontier::append).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tree is full: {SIZE_MAX} leaves")]
pub struct TreeFull;

/// The roots of the perfect subtrees that a tree of this size consists of, the largest first: one
/// for each bit set in its size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<TreeHash>,
}

impl Frontier {
    /// The edge of a tree of this size; `None` where the number of peaks is another than the size
    /// demands, or the size is above [`SIZE_MAX`].
    #[must_use]
    pub fn from_peaks(size: u64, peaks: Vec<TreeHash>) -> Option<Self> {
        let fits = size <= SIZE_MAX && size.count_ones() as usize == peaks.len();
        fits.then_some(Self { size, peaks })
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The perfect subtrees' roots, the largest first.
    #[must_use]
    pub fn peaks(&self) -> &[TreeHash] {
        &self.peaks
    }

    /// Adds a leaf: two hashes on average, at most 63.
    ///
    /// # Errors
    /// [`TreeFull`] at [`SIZE_MAX`] leaves; nothing has changed.
    pub fn append(&mut self, leaf: TreeHash) -> Result<(), TreeFull> {
        if self.size >= SIZE_MAX {
            return Err(TreeFull);
        }
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
        Ok(())
    }

    /// Adds a row of leaves, which must begin where this tree ends; false where it does not, and
    /// nothing has changed.
    #[must_use]
    pub fn extend(&mut self, run: &Subtree) -> bool {
        let fits = run.first() == self.size && SIZE_MAX - self.size >= run.size();
        if fits {
            for (height, hash) in run.peaks() {
                let (mut height, mut hash) = (*height, *hash);
                let leaves = 1_u64 << height;
                while (self.size >> height) & 1 == 1
                    && let Some(left) = self.peaks.pop()
                {
                    hash = node_hash(&left, &hash);
                    height += 1;
                }
                self.peaks.push(hash);
                self.size += leaves;
            }
        }
        fits
    }

    /// The root: at most 62 hashes.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        fold_right(&self.peaks)
    }
}
