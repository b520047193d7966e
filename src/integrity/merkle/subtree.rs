// SPDX-License-Identifier: Apache-2.0
//! Leaves in a row somewhere in a tree, folded as far as their place allows: so that several threads
//! can hash parts of one tree, and whoever puts the parts together has little left to do.

use super::TreeHash;
use super::sha256_batch::node_hashes;

/// The perfect subtrees that a row of leaves consists of, from left to right.
///
/// ```
/// use femtoclaw_ledger::integrity::merkle::{Frontier, Subtree, leaf_hash};
/// let leaves = [leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")];
/// let (mut at_once, mut one_by_one) = (Frontier::default(), Frontier::default());
/// assert!(at_once.extend(&Subtree::new(0, &leaves)));
/// for leaf in leaves {
///     one_by_one.append(leaf)?;
/// }
/// assert_eq!(at_once.root(), one_by_one.root());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subtree {
    first: u64,
    size: u64,
    peaks: Vec<(u32, TreeHash)>,
}

impl Subtree {
    /// These leaves, of which the first has this index.
    #[must_use]
    pub fn new(first: u64, leaves: &[TreeHash]) -> Self {
        let size = leaves.len() as u64;
        // Subtrees grow from the left up to the largest, and get smaller behind it.
        let (mut growing, mut shrinking) = (Vec::new(), Vec::new());
        let (mut row, mut index) = (leaves.to_vec(), first);
        for height in 0.. {
            // A right child, and its sibling is not in the row.
            if index % 2 == 1 && !row.is_empty() {
                growing.push((height, row.remove(0)));
                index += 1;
            }
            // A left child, likewise.
            if row.len() % 2 == 1 {
                shrinking.extend(row.pop().map(|hash| (height, hash)));
            }
            if row.is_empty() {
                break;
            }
            row = node_hashes(&row);
            index /= 2;
        }
        growing.extend(shrinking.into_iter().rev());
        let peaks = growing;
        Self { first, size, peaks }
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
}
