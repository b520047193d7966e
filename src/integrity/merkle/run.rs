//! Leaves in a row somewhere in a tree, folded as far as their place allows: so that several threads
//! can hash parts of one tree, and whoever puts the parts together has little left to do.

use super::{TreeHash, node_hash};

/// The perfect subtrees that a row of leaves consists of, from left to right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    first: u64,
    size: u64,
    peaks: Vec<(u32, TreeHash)>,
}

impl Run {
    /// A row that begins at the leaf with this index, with nothing in it.
    #[must_use]
    pub const fn from(first: u64) -> Self {
        Self {
            first,
            size: 0,
            peaks: Vec::new(),
        }
    }

    /// Index of its first leaf.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Heights and roots of the subtrees, from left to right.
    pub(super) fn peaks(&self) -> &[(u32, TreeHash)] {
        &self.peaks
    }

    /// Adds the next leaf.
    pub fn append(&mut self, leaf: TreeHash) {
        let index = self.first.saturating_add(self.size);
        let (mut height, mut hash) = (0, leaf);
        // The subtree is a right child, and its sibling is here: one that began before is not.
        while height < 63
            && (index >> height) & 1 == 1
            && let Some((_, left)) = self.peaks.pop_if(|(left, _)| *left == height)
        {
            hash = node_hash(&left, &hash);
            height += 1;
        }
        self.peaks.push((height, hash));
        self.size += 1;
    }
}
