// SPDX-License-Identifier: Apache-2.0
//! The Merkle tree as a view: the same tree that is made of the headers directly.

use femtoclaw_ledger::integrity::merkle::{
    Frontier, TreeHash, consistency, frontier, inclusion, leaf_hash, root, verify_consistency,
    verify_inclusion,
};
use femtoclaw_ledger::projections::{Tree, TreeView, ViewError};

use crate::support::{History, Journal, WAIT, open, view};

/// Roots of the trees of all sizes, by appending one leaf after the other.
fn expected(history: &History) -> (Vec<TreeHash>, Vec<TreeHash>) {
    let mut tree = Frontier::default();
    let (mut leaves, mut roots) = (Vec::new(), vec![tree.root()]);
    for record in &history.records {
        let mut header = Vec::new();
        record.header.encode_into(&mut header);
        leaves.push(leaf_hash(&header));
        tree.append(leaf_hash(&header)).unwrap();
        roots.push(tree.root());
    }
    (leaves, roots)
}

#[test]
fn the_view_is_the_tree_of_all_headers() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::mixed(700);
    let (leaves, roots) = expected(&history);
    let size = history.head();
    assert!(size > 600, "more than two tiles: {size}");
    let journal = Journal::new(&history.records, 100);
    let views = open(directory.path(), &journal);
    let tree = TreeView::new(view(&views, Tree::NAME));
    tree.view().at_least(size, WAIT).unwrap();
    tree.read(|tree| {
        assert_eq!(tree.size(), size);
        assert_eq!(frontier(tree, size)?.root(), roots[size as usize]);
        for at in [
            1,
            2,
            15,
            16,
            17,
            255,
            256,
            257,
            511,
            512,
            513,
            size - 1,
            size,
        ] {
            let seen = root(tree, at)?;
            assert_eq!(seen, roots[at as usize], "{at}");
            let path = inclusion(tree, size, at - 1)?;
            let leaf = &leaves[at as usize - 1];
            assert_eq!(
                verify_inclusion(leaf, at - 1, size, &path, &roots[size as usize]),
                Ok(())
            );
            let path = consistency(tree, at, size)?;
            assert_eq!(
                verify_consistency(at, &seen, size, &roots[size as usize], &path),
                Ok(())
            );
        }
        Ok(())
    })
    .unwrap();
    let beyond = tree.read(|tree| inclusion(tree, size, size));
    let (position, wanted) = (size, size);
    assert_eq!(beyond, Err(ViewError::Behind { position, wanted }));
}
