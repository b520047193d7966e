// SPDX-License-Identifier: Apache-2.0
//! Many hashes of the tree side by side. The blocks of one input depend on each other; those of several do
//! not, and a processor takes several at once in less time than one after the other.
//!
//! [`leaf_hash`] and [`node_hash`] say what they are. The crate that takes many picks its code by the
//! processor that it finds, so tests elsewhere say little of this one: it is asked here, once,
//! for hashes that are known, and is left alone where it gives others.

use std::sync::LazyLock;

use tape_sha256::{hash_many_prefixed, hash_pairs};

use super::{HASH_LEN, TreeHash, leaf_hash, node_hash};
use crate::events::HEADER_LEN;

static AGREES: LazyLock<bool> = LazyLock::new(|| agrees(leaves_abreast, nodes_abreast));

/// The hash of each entry's leaf, in their order.
#[cfg(any(feature = "engine", test))]
#[must_use]
pub(crate) fn leaf_hashes(entries: &[&[u8]]) -> Vec<TreeHash> {
    match *AGREES {
        true => leaves_abreast(entries),
        false => entries.iter().map(|entry| leaf_hash(entry)).collect(),
    }
}

/// The hash of the node above each pair of hashes; one without a pair has none.
pub(super) fn node_hashes(children: &[TreeHash]) -> Vec<TreeHash> {
    let (pairs, _) = children.as_chunks();
    match *AGREES {
        true => nodes_abreast(pairs),
        false => pairs
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect(),
    }
}

fn leaves_abreast(entries: &[&[u8]]) -> Vec<TreeHash> {
    let mut out = vec![[0; HASH_LEN]; entries.len()];
    hash_many_prefixed(&[0], entries, &mut out);
    out.into_iter().map(TreeHash).collect()
}

fn nodes_abreast(pairs: &[[TreeHash; 2]]) -> Vec<TreeHash> {
    let sides = pairs
        .iter()
        .map(|[left, right]| (&left.0[..], &right.0[..]));
    let (left, right): (Vec<_>, Vec<_>) = sides.unzip();
    let mut out = vec![[0; HASH_LEN]; pairs.len()];
    hash_pairs(&[1], &left, &right, &mut out);
    out.into_iter().map(TreeHash).collect()
}

/// Headers, and every length around the ends of the first blocks; in crowds of every size up to more than
/// any processor takes at once.
fn agrees(
    leaves_abreast: impl Fn(&[&[u8]]) -> Vec<TreeHash>,
    nodes_abreast: impl Fn(&[[TreeHash; 2]]) -> Vec<TreeHash>,
) -> bool {
    let noise: Vec<u8> = (0..4_096_u32)
        .map(|at| (at.wrapping_mul(at) >> 4) as u8)
        .collect();
    let lengths = (0..=260).chain(std::iter::repeat_n(HEADER_LEN, 80));
    let entries: Vec<&[u8]> = lengths
        .enumerate()
        .filter_map(|(at, length)| noise.get(at * 7..)?.get(..length))
        .collect();
    let expected: Vec<TreeHash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let (pairs, _) = expected.as_chunks();
    let nodes: Vec<TreeHash> = pairs
        .iter()
        .map(|[left, right]| node_hash(left, right))
        .collect();
    let agree = |count: usize| {
        let (some, from) = (entries.iter().rev().take(count), expected.iter().rev());
        let some: Vec<&[u8]> = some.copied().collect();
        leaves_abreast(&some).iter().eq(from.take(count))
    };
    (0..=70).all(agree) && leaves_abreast(&entries) == expected && nodes_abreast(pairs) == nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise all else here would pass without a single hash made side by side.
    #[test]
    fn the_hashes_side_by_side_are_the_same_here() {
        assert!(*AGREES);
    }

    /// Of a length, in a crowd, of nodes: one wrong hash is enough.
    #[test]
    fn what_gives_another_hash_is_left_alone() {
        let wrong = TreeHash([0; HASH_LEN]);
        assert!(agrees(leaves_abreast, nodes_abreast));
        let of_a_length = |entries: &[&[u8]]| {
            let mut hashes = leaves_abreast(entries);
            let of_it = hashes
                .iter_mut()
                .zip(entries)
                .filter(|(_, e)| e.len() == 119);
            of_it.for_each(|(hash, _)| *hash = wrong);
            hashes
        };
        assert!(!agrees(of_a_length, nodes_abreast));
        let in_a_crowd = |entries: &[&[u8]]| {
            let mut hashes = leaves_abreast(entries);
            if let (17, Some(last)) = (entries.len(), hashes.last_mut()) {
                *last = wrong;
            }
            hashes
        };
        assert!(!agrees(in_a_crowd, nodes_abreast));
        let of_nodes = |pairs: &[[TreeHash; 2]]| {
            let mut hashes = nodes_abreast(pairs);
            hashes[100] = wrong;
            hashes
        };
        assert!(!agrees(leaves_abreast, of_nodes));
    }

    #[test]
    fn many_leaves_and_nodes_are_those_made_one_by_one() {
        let noise: Vec<u8> = (0..9_000_u32)
            .map(|at| (at.wrapping_mul(at) >> 5) as u8)
            .collect();
        let lengths = (0..700).chain([1_024, 4_000]).chain([HEADER_LEN; 300]);
        let entries = lengths
            .enumerate()
            .map(|(at, length)| &noise[at * 3..][..length]);
        let entries: Vec<&[u8]> = entries.collect();
        let singly: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        assert_eq!(leaf_hashes(&entries), singly);
        for count in [0, 1, 2, 3, 65, 256, singly.len()] {
            let nodes = singly[..count].as_chunks().0;
            let nodes: Vec<_> = nodes
                .iter()
                .map(|[left, right]| node_hash(left, right))
                .collect();
            assert_eq!(node_hashes(&singly[..count]), nodes);
        }
    }
}
