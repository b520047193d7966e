// SPDX-License-Identifier: Apache-2.0
//! The tree against one that is written as the RFC defines it, and against whatever is given to it.

use super::*;
use proptest::prelude::*;

/// RFC 6962, section 2.1, word for word.
pub(super) fn naive_root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(naive_split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn naive_split(leaves: usize) -> usize {
    let mut half = 1;
    while half * 2 < leaves {
        half *= 2;
    }
    half
}

/// Section 2.1.1.
fn naive_inclusion(index: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    let (mut path, sibling) = if index < left.len() {
        (naive_inclusion(index, left), right)
    } else {
        (naive_inclusion(index - left.len(), right), left)
    };
    path.push(naive_root(sibling));
    path
}

/// Section 2.1.2.
fn naive_consistency(old: usize, leaves: &[TreeHash], whole: bool) -> Vec<TreeHash> {
    if old == leaves.len() {
        let given = (!whole).then(|| naive_root(leaves));
        return given.into_iter().collect();
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    let (mut path, sibling) = if old <= left.len() {
        (naive_consistency(old, left, whole), right)
    } else {
        (naive_consistency(old - left.len(), right, false), left)
    };
    path.push(naive_root(sibling));
    path
}

fn any_hash() -> impl Strategy<Value = TreeHash> {
    any::<[u8; HASH_LEN]>().prop_map(TreeHash::from_bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a row of leaves is cut, its parts make the same tree.
    #[test]
    fn runs_put_together_are_the_tree(
        count in 0_usize..300,
        cuts in proptest::collection::vec(0_usize..300, 0..6),
    ) {
        let all: Vec<_> = (0..count as u64).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut ends: Vec<_> = cuts.into_iter().map(|cut| cut.min(count)).collect();
        ends.push(count);
        ends.sort_unstable();
        let (mut tree, mut from) = (Frontier::default(), 0);
        for end in ends {
            let run = Subtree::new(from as u64, &all[from..end]);
            prop_assert_eq!(run.size(), (end - from) as u64);
            prop_assert!(tree.extend(&run));
            prop_assert_eq!(tree.root(), naive_root(&all[..end]));
            // One that begins elsewhere is refused.
            prop_assert!(!tree.extend(&Subtree::new(end as u64 + 1, &[])));
            from = end;
        }
        let mut singly = Frontier::default();
        for leaf in &all {
            singly.append(*leaf).unwrap();
        }
        prop_assert_eq!(tree, singly);
    }

    #[test]
    fn tree_and_proofs_are_those_of_the_naive_tree(
        size in 1_u64..1200,
        index in any::<prop::sample::Index>(),
        old in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(size);
        let (tiles, writer) = Tiles::of(&leaves);
        let expected = naive_root(&leaves);
        prop_assert_eq!(writer.frontier().root(), expected);

        let index = index.index(leaves.len());
        let path = inclusion(&tiles, size, index as u64).unwrap();
        prop_assert_eq!(&path, &naive_inclusion(index, &leaves));
        prop_assert_eq!(
            verify_inclusion(&leaves[index], index as u64, size, &path, &expected),
            Ok(())
        );
        let old = 1 + old.index(leaves.len());
        let path = consistency(&tiles, old as u64, size).unwrap();
        prop_assert_eq!(&path, &naive_consistency(old, &leaves, true));
        let old_root = naive_root(&leaves[..old]);
        prop_assert_eq!(root(&tiles, old as u64), Ok(old_root));
        prop_assert_eq!(
            verify_consistency(old as u64, &old_root, size, &expected, &path),
            Ok(())
        );
    }

    /// One wrong thing, whichever, and the proof shows nothing.
    #[test]
    fn a_changed_proof_does_not_verify(
        size in 2_u64..600,
        index in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bit in 0_usize..256,
        longer in any_hash(),
    ) {
        let leaves = leaves(size);
        let (tiles, writer) = Tiles::of(&leaves);
        let root = writer.frontier().root();
        let index = index.index(leaves.len());
        let flip = |hash: TreeHash| {
            let mut bytes = *hash.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            TreeHash::from_bytes(bytes)
        };
        let path = inclusion(&tiles, size, index as u64).unwrap();
        let check = |leaf: TreeHash, index: u64, size: u64, path: &[TreeHash], root: TreeHash| {
            verify_inclusion(&leaf, index, size, path, &root)
        };
        let (leaf, n) = (leaves[index], index as u64);
        prop_assert!(check(flip(leaf), n, size, &path, root).is_err());
        prop_assert!(check(leaf, n, size, &path, flip(root)).is_err());
        prop_assert!(check(leaf, n ^ 1, size, &path, root).is_err());
        let mut changed = path.clone();
        let place = at.index(path.len());
        changed[place] = flip(changed[place]);
        prop_assert!(check(leaf, n, size, &changed, root).is_err());
        prop_assert!(check(leaf, n, size, &path[..path.len() - 1], root).is_err());
        let longer: Vec<_> = path.iter().copied().chain([longer]).collect();
        prop_assert!(check(leaf, n, size, &longer, root).is_err());

        let old = index + 1;
        let old_root = naive_root(&leaves[..old]);
        let path = consistency(&tiles, old as u64, size).unwrap();
        let check = |old_root: TreeHash, path: &[TreeHash], root: TreeHash| {
            verify_consistency(old as u64, &old_root, size, &root, path)
        };
        prop_assert!(check(flip(old_root), &path, root).is_err());
        prop_assert!(check(old_root, &path, flip(root)).is_err());
        for place in 0..path.len() {
            let mut changed = path.clone();
            changed[place] = flip(changed[place]);
            prop_assert!(check(old_root, &changed, root).is_err());
        }
    }

    /// Nothing that is given to the checks makes them panic or run long.
    #[test]
    fn any_input_is_answered(
        leaf in any_hash(),
        root in any_hash(),
        sizes in any::<(u64, u64)>(),
        path in prop::collection::vec(any_hash(), 0..70),
        text in "[tile/0-9x.p]{0,40}",
    ) {
        prop_assert!(verify_inclusion(&leaf, sizes.0, sizes.1, &path, &root).is_err());
        prop_assert!(
            sizes.0 == sizes.1 || verify_consistency(sizes.0, &leaf, sizes.1, &root, &path).is_err()
        );
        if let Ok(tile) = Tile::from_path(&text) {
            prop_assert_eq!(tile.path(), text);
        }
    }
}
