// SPDX-License-Identifier: Apache-2.0
//! Checks proofs: RFC 9162, sections 2.1.3.2 and 2.1.4.2 (the trees are those of RFC 6962). Shares
//! no code with what makes them.

use super::{SIZE_MAX, TreeHash, empty_root, node_hash};

/// A proof shows nothing.
///
/// Example: [`verify_inclusion`](crate::integrity::merkle::verify_inclusion).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The leaf would be outside the tree.
    #[error("leaf {index} is not within a tree of {size} leaves")]
    OutOfTree {
        /// The leaf's index, from 0.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// The later tree would be the smaller one, or a tree is larger than any.
    #[error("a tree of {new} leaves cannot extend one of {old}")]
    Sizes {
        /// Leaves of the earlier tree.
        old: u64,
        /// Leaves of the later tree.
        new: u64,
    },
    /// The proof has more or fewer hashes than these sizes need.
    #[error("the proof has the wrong number of hashes ({0})")]
    Length(usize),
    /// The proof leads to another root: the leaf, the proof or the root is not genuine.
    #[error("the proof leads to another root")]
    Root,
    /// The proof leads to another root of the earlier tree: the later one does not extend it.
    #[error("the proof leads to another root of the earlier tree")]
    OldRoot,
}

/// Checks that the leaf with this hash is at `index` (from 0) in the tree of `size` leaves with this
/// root.
///
/// # Errors
/// [`ProofError`] says what does not fit.
pub fn verify_inclusion(
    leaf: &TreeHash,
    index: u64,
    size: u64,
    proof: &[TreeHash],
    root: &TreeHash,
) -> Result<(), ProofError> {
    if index >= size || size > SIZE_MAX {
        return Err(ProofError::OutOfTree { index, size });
    }
    let mut hash = *leaf;
    let reaches = climb(index, size - 1, proof, |sibling, is_left| {
        hash = match is_left {
            true => node_hash(sibling, &hash),
            false => node_hash(&hash, sibling),
        };
    });
    if !reaches {
        return Err(ProofError::Length(proof.len()));
    }
    if hash != *root {
        return Err(ProofError::Root);
    }
    Ok(())
}

/// Goes up from a node, of a level whose last one is `last`; `join` takes each sibling on the way, and whether it is the
/// left one. True where the siblings lead to the root, and none is left.
fn climb(
    mut node: u64,
    mut last: u64,
    siblings: &[TreeHash],
    mut join: impl FnMut(&TreeHash, bool),
) -> bool {
    for sibling in siblings {
        if last == 0 {
            return false;
        }
        let is_left = node & 1 == 1 || node == last;
        join(sibling, is_left);
        // A node without a right sibling moves up until it is one itself.
        while is_left && node & 1 == 0 && node != 0 {
            node >>= 1;
            last >>= 1;
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0
}

/// Checks that the tree of `new` leaves with root `new_root` begins with the tree of `old` leaves
/// with root `old_root`. Every tree extends the empty one; that proof is empty, as is that between
/// equal sizes.
///
/// # Errors
/// [`ProofError`] says what does not fit.
pub fn verify_consistency(
    old: u64,
    old_root: &TreeHash,
    new: u64,
    new_root: &TreeHash,
    proof: &[TreeHash],
) -> Result<(), ProofError> {
    if old > new || new > SIZE_MAX {
        return Err(ProofError::Sizes { old, new });
    }
    if old == 0 || old == new {
        return trivial(old, old_root, new, new_root, proof);
    }
    let wrong_length = ProofError::Length(proof.len());
    // A perfect earlier tree is a node of the later one, and the proof leaves it out.
    let (start, rest) = match proof.split_first() {
        Some(_) if old.is_power_of_two() => (*old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => return Err(wrong_length),
    };
    let shift = (old - 1).trailing_ones();
    let (node, last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut old_hash, mut new_hash) = (start, start);
    let reaches = climb(node, last, rest, |sibling, is_left| {
        if is_left {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
    });
    if !reaches {
        return Err(wrong_length);
    }
    if old_hash != *old_root {
        return Err(ProofError::OldRoot);
    }
    if new_hash != *new_root {
        return Err(ProofError::Root);
    }
    Ok(())
}

fn trivial(
    old: u64,
    old_root: &TreeHash,
    new: u64,
    new_root: &TreeHash,
    proof: &[TreeHash],
) -> Result<(), ProofError> {
    if !proof.is_empty() {
        return Err(ProofError::Length(proof.len()));
    }
    if old == 0 && *old_root != empty_root() {
        return Err(ProofError::OldRoot);
    }
    if new == 0 && *new_root != empty_root() || old == new && old_root != new_root {
        return Err(ProofError::Root);
    }
    Ok(())
}
