// SPDX-License-Identifier: Apache-2.0
//! Test vectors of RFC 6962 and C2SP, and the edges.

mod random;

use super::*;
use random::naive_root;
use std::collections::HashMap;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such tile")]
struct NoTile;

#[derive(Default)]
struct Tiles(HashMap<String, Vec<u8>>);

impl Tiles {
    fn put(&mut self, tile: Tile, hashes: &[TreeHash]) {
        let bytes = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        assert_eq!(self.0.insert(tile.path(), bytes), None, "{tile:?} twice");
    }

    fn of(leaves: &[TreeHash]) -> (Self, TileWriter) {
        let (mut tiles, mut writer) = (Self::default(), TileWriter::default());
        for leaf in leaves {
            let append = writer.append(*leaf, |tile, hashes| tiles.put(tile, hashes));
            append.unwrap();
        }
        for (tile, hashes) in writer.partial().filter(|(_, hashes)| !hashes.is_empty()) {
            tiles.put(tile, hashes);
        }
        (tiles, writer)
    }
}

impl TileSource for Tiles {
    type Error = NoTile;

    /// As a server does: a partial tile may be cut from one that has more hashes by now.
    fn tile(&self, tile: Tile) -> Result<Vec<u8>, NoTile> {
        let length = usize::from(tile.width()) * HASH_LEN;
        let wider = (tile.width()..=TILE_WIDTH)
            .filter_map(|width| Tile::new(tile.level(), tile.index(), width).ok())
            .find_map(|wider| self.0.get(&wider.path()));
        wider.map(|bytes| bytes[..length].to_vec()).ok_or(NoTile)
    }
}

fn leaves(count: u64) -> Vec<TreeHash> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn hex(text: &str) -> TreeHash {
    let mut bytes = [0; HASH_LEN];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap();
    }
    TreeHash::from_bytes(bytes)
}

/// The eight entries and their roots that implementations of RFC 6962 share.
const ENTRIES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const LEAF_1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const LEAF_4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const NODE_2_4: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const NODE_4_6: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
const NODE_4_8: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
const NODE_6_8: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";

#[test]
fn roots_and_proofs_are_those_of_the_rfc() {
    let leaves = ENTRIES.map(leaf_hash);
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root(), hex(ROOTS[0]));
    for (leaf, root) in leaves.iter().zip(&ROOTS[1..]) {
        frontier.append(*leaf).unwrap();
        assert_eq!(frontier.root(), hex(root), "{} leaves", frontier.size());
    }
    let (tiles, _) = Tiles::of(&leaves);
    let given: [(u64, u64, &[&str]); 4] = [
        (0, 8, &[LEAF_1, NODE_2_4, NODE_4_8]),
        (5, 8, &[LEAF_4, NODE_6_8, ROOTS[4]]),
        (2, 3, &[ROOTS[2]]),
        (1, 5, &[ROOTS[1], NODE_2_4, LEAF_4]),
    ];
    for (index, size, path) in given {
        let path: Vec<_> = path.iter().map(|text| hex(text)).collect();
        assert_eq!(inclusion(&tiles, size, index), Ok(path), "{index} {size}");
    }
    let given: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (1, 8, &[LEAF_1, NODE_2_4, NODE_4_8]),
        (6, 8, &[NODE_4_6, NODE_6_8, ROOTS[4]]),
        (2, 5, &[NODE_2_4, LEAF_4]),
    ];
    for (old, size, path) in given {
        let path: Vec<_> = path.iter().map(|text| hex(text)).collect();
        assert_eq!(consistency(&tiles, old, size), Ok(path), "{old} {size}");
    }
}

#[test]
fn paths_and_tiles_are_those_of_c2sp() {
    let tile = Tile::new(0, 1_234_067, TILE_WIDTH).unwrap();
    assert_eq!(tile.path(), "tile/0/x001/x234/067");
    assert_eq!(tile.entries_path(), "tile/entries/x001/x234/067");
    let tile = Tile::new(2, 0, 1).unwrap();
    assert_eq!(tile.path(), "tile/2/000.p/1");
    // "a tree of size 70,000 will be represented by …"
    let of = |level| move |tile: &Tile| tile.level() == level;
    let all: Vec<_> = tiles(70_000).collect();
    assert_eq!(all.iter().filter(|tile| of(0)(tile)).count(), 274);
    let widths = |level| -> Vec<_> {
        let last = all.iter().filter(|tile| of(level)(tile)).rev();
        last.map(|tile| tile.width()).take(2).collect()
    };
    assert_eq!(widths(0), [112, 256]);
    assert_eq!(widths(1), [17, 256]);
    assert_eq!(widths(2), [1]);
    assert_eq!(all.len(), 274 + 2 + 1);
    let paths: Vec<_> = tiles(256).map(Tile::path).collect();
    assert_eq!(paths, ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(tiles(0).count(), 0);
}

#[test]
fn a_path_has_one_spelling() {
    for path in [
        "tile/0/000",
        "tile/7/000.p/127",
        "tile/1/x001/000.p/255",
        "tile/0/x036/x028/x797/x018/x963/966",
    ] {
        let tile = Tile::from_path(path);
        assert_eq!(tile.map(Tile::path), Ok(path.to_owned()));
    }
    for path in [
        "",
        "tile",
        "tile//000",
        "tile/0/",
        "tile/0/0",
        "tile/00/000",
        "tile/+0/000",
        "tile/0/1234",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1.p/1",
        "tile/8/000.p/1",
        "tile/7/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/000 ",
        "tile/0/x1\u{661}/000",
        "tile/entries/000",
    ] {
        assert!(Tile::from_path(path).is_err(), "{path}");
    }
}

#[test]
fn a_tree_across_tiles_is_the_naive_one() {
    // Below, at and above the width of a tile, and a second level with more than one tile.
    for size in [255, 256, 257, 511, 512, 513, 65_535, 65_536, 66_000] {
        let leaves = leaves(size);
        let (tiles, writer) = Tiles::of(&leaves);
        let expected = naive_root(&leaves);
        assert_eq!(root(&tiles, size), Ok(expected), "{size}");
        assert_eq!(writer.frontier().root(), expected, "{size}");
        assert_eq!(frontier(&tiles, size), Ok(writer.frontier()), "{size}");
        assert_eq!(TileWriter::resume(&tiles, size), Ok(writer), "{size}");
        let all: std::collections::BTreeSet<_> = super::tiles(size).map(Tile::path).collect();
        assert_eq!(all, tiles.0.keys().cloned().collect(), "{size}");
    }
}

#[test]
fn what_is_not_in_the_tree_has_no_proof() {
    let (tiles, _) = Tiles::of(&leaves(300));
    let outside = |asked, size| Err(ProveError::OutOfTree { asked, size });
    assert_eq!(inclusion(&tiles, 300, 300), outside(300, 300));
    assert_eq!(consistency(&tiles, 301, 300), outside(301, 300));
    assert_eq!(inclusion(&tiles, u64::MAX, 0), outside(u64::MAX, u64::MAX));
    let larger = inclusion(&tiles, 1000, 0);
    assert!(matches!(larger, Err(ProveError::Source(_, NoTile))));
    let mut cut = Tiles::of(&leaves(300)).0;
    cut.0.insert("tile/0/001.p/44".into(), vec![0; 44 * 32 - 1]);
    struct AsIs(Tiles);
    impl TileSource for AsIs {
        type Error = NoTile;
        fn tile(&self, tile: Tile) -> Result<Vec<u8>, NoTile> {
            self.0.0.get(&tile.path()).cloned().ok_or(NoTile)
        }
    }
    let tile = Tile::new(0, 1, 44).unwrap();
    let found = 44 * 32 - 1;
    assert_eq!(
        root(&AsIs(cut), 300),
        Err(ProveError::TileLength { tile, found })
    );
}

/// A tree is appended to from its edge alone, and the largest one takes no more.
#[test]
fn the_largest_tree_is_full() {
    let peaks = leaves(63);
    let mut full = Frontier::from_peaks(SIZE_MAX, peaks.clone()).unwrap();
    let before = full.clone();
    assert_eq!(full.append(peaks[0]), Err(TreeFull));
    assert_eq!(full, before);
    assert_eq!(Frontier::from_peaks(SIZE_MAX + 1, peaks[..1].into()), None);
    assert_eq!(Frontier::from_peaks(SIZE_MAX - 1, peaks.clone()), None);
    let mut last = Frontier::from_peaks(SIZE_MAX - 1, peaks[..62].into()).unwrap();
    assert_eq!(last.append(peaks[62]), Ok(()));
    assert_eq!(last.size(), SIZE_MAX);
}

#[test]
fn the_empty_tree_is_extended_by_all() {
    let one = leaf_hash(b"");
    assert_eq!(
        verify_consistency(0, &empty_root(), 0, &empty_root(), &[]),
        Ok(())
    );
    assert_eq!(verify_consistency(0, &empty_root(), 1, &one, &[]), Ok(()));
    assert_eq!(
        verify_consistency(0, &one, 1, &one, &[]),
        Err(ProofError::OldRoot)
    );
    assert_eq!(
        verify_consistency(0, &empty_root(), 0, &one, &[]),
        Err(ProofError::Root)
    );
    assert_eq!(
        verify_consistency(0, &empty_root(), 1, &one, &[one]),
        Err(ProofError::Length(1))
    );
    assert_eq!(
        verify_consistency(2, &one, 1, &one, &[]),
        Err(ProofError::Sizes { old: 2, new: 1 })
    );
    assert_eq!(
        verify_inclusion(&one, 0, 0, &[], &empty_root()),
        Err(ProofError::OutOfTree { index: 0, size: 0 })
    );
}

/// Leaves as long as a header, and nodes, are laid out by hand.
#[test]
fn leaves_and_nodes_are_hashed_as_the_rfc_says() {
    for length in (0..300_usize).chain([1_000]) {
        let entry: Vec<u8> = (0..length).map(|at| (at * 7) as u8).collect();
        let whole = Sha256::digest([&[0], entry.as_slice()].concat());
        assert_eq!(leaf_hash(&entry).as_bytes()[..], whole[..], "{length}");
        let (left, right) = (leaf_hash(&entry), leaf_hash(&whole));
        let whole = Sha256::digest([&[1], &left.0[..], &right.0].concat());
        assert_eq!(node_hash(&left, &right).0[..], whole[..]);
    }
}
