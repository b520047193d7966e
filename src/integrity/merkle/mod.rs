// SPDX-License-Identifier: Apache-2.0
//! The Merkle tree over all records in global order: RFC 6962, section 2.1, with SHA-256.
//!
//! Leaf `n` (from 0) is the canonical header of the record with sequence number `n + 1`, payload
//! commitment included and payload left out. A holder of a root can be shown, in a number of hashes
//! that grows with the logarithm of the history, that a record is in it ([`inclusion`],
//! [`verify_inclusion`]) and that a later root only adds to an earlier one ([`consistency`],
//! [`verify_consistency`]).
//!
//! Nothing here reads a file: hashes come from a [`TileSource`], which nobody has to trust. A wrong
//! tile gives a wrong hash, and a wrong hash does not verify against a signed root.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::integrity::merkle::{
//!     Frontier, Tile, TileSource, TileWriter, consistency, inclusion, leaf_hash, root,
//!     verify_consistency, verify_inclusion,
//! };
//! use std::{collections::HashMap, io};
//!
//! /// Tiles by path, as a web server has them.
//! #[derive(Default)]
//! struct Tiles(HashMap<String, Vec<u8>>);
//!
//! impl TileSource for Tiles {
//!     type Error = io::Error;
//!
//!     fn tile(&self, tile: Tile) -> Result<Vec<u8>, io::Error> {
//!         self.0.get(&tile.path()).cloned().ok_or(io::ErrorKind::NotFound.into())
//!     }
//! }
//!
//! let leaves: Vec<_> = (0..5_u8).map(|number| leaf_hash(&[number])).collect();
//! let (mut writer, mut tiles) = (TileWriter::default(), Tiles::default());
//! for leaf in &leaves {
//!     writer.append(*leaf, |_full, _hashes| {})?; // after 256 leaves
//! }
//! for (tile, hashes) in writer.partial() {
//!     let hashes = hashes.iter().flat_map(|hash| *hash.as_bytes());
//!     tiles.0.insert(tile.path(), hashes.collect());
//! }
//!
//! // Leaf 3 is in the tree with this root.
//! let root = root(&tiles, 5)?;
//! let proof = inclusion(&tiles, 5, 3)?;
//! verify_inclusion(&leaves[3], 3, 5, &proof, &root)?;
//!
//! // The tree over the first two leaves was not rewritten since.
//! let mut earlier = Frontier::default();
//! for leaf in &leaves[..2] {
//!     earlier.append(*leaf)?;
//! }
//! let proof = consistency(&tiles, 2, 5)?;
//! verify_consistency(2, &earlier.root(), 5, &root, &proof)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod frontier;
mod prove;
mod sha256_batch;
mod subtree;
mod tile;
mod writer;

#[cfg(test)]
mod tests;

pub use check::{ProofError, verify_consistency, verify_inclusion};
pub use frontier::{Frontier, TreeFull};
pub(super) use prove::read as read_tile;
pub use prove::{ProveError, TileSource, consistency, frontier, inclusion, root};
#[cfg(feature = "engine")]
pub(crate) use sha256_batch::leaf_hashes;
pub use subtree::Subtree;
pub use tile::{TILE_WIDTH, Tile, TileError, tiles};
pub use writer::TileWriter;

use base64ct::{Base64, Encoding};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

use crate::events::HEADER_LEN;

/// The largest tree: what other implementations count leaves with is signed.
pub const SIZE_MAX: u64 = i64::MAX as u64;

/// Length in bytes of a hash in the tree.
pub const HASH_LEN: usize = 32;

/// The state that SHA-256 begins with (FIPS 180-4, section 5.3.3).
const SHA256_BEGINS: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A tree: how many leaves it has, and the root over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct TreeHead {
    /// Its leaves.
    pub size: u64,
    /// Its root.
    pub root: TreeHash,
}

impl TreeHead {
    /// The tree without a leaf.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            size: 0,
            root: empty_root(),
        }
    }
}

/// A hash of the tree: of a leaf, of an inner node, or a root. Never a record hash of the chain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreeHash([u8; HASH_LEN]);

impl TreeHash {
    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; HASH_LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_LEN] {
        &self.0
    }

    /// From standard base64 with padding, as checkpoints and proofs write it; `None` for anything
    /// else, other spellings of the same bytes included.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        let mut bytes = [0; HASH_LEN];
        let decoded = Base64::decode(text, &mut bytes).ok()?;
        (decoded.len() == HASH_LEN).then_some(Self(bytes))
    }
}

/// Standard base64, 44 characters.
impl std::fmt::Display for TreeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&Base64::encode_string(&self.0))
    }
}

crate::events::readable::words::spoken!(TreeHash);

impl std::fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TreeHash({self})")
    }
}

/// The hash of a leaf with this entry: a record's canonical header.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> TreeHash {
    // A header: most leaves by far.
    if entry.len() == HEADER_LEN {
        return short::<4>(&[&[0], entry]);
    }
    let hasher = Sha256::new().chain_update([0]).chain_update(entry);
    TreeHash(hasher.finalize().into())
}

/// The hash of an inner node.
#[must_use]
pub fn node_hash(left: &TreeHash, right: &TreeHash) -> TreeHash {
    short::<2>(&[&[1], &left.0, &right.0])
}

/// SHA-256 of these parts, one behind the other, which fill `N` blocks with what ends them: laid out
/// at once, compressed at once.
fn short<const N: usize>(parts: &[&[u8]]) -> TreeHash {
    let mut blocks = [[0; 64]; N];
    let laid_out = blocks.as_flattened_mut();
    let mut at = 0;
    for part in parts.iter().chain([&[0x80].as_slice()]) {
        if let Some(place) = laid_out.get_mut(at..at + part.len()) {
            place.copy_from_slice(part);
        }
        at += part.len();
    }
    if let Some(end) = laid_out.last_chunk_mut() {
        *end = (8 * (at as u64 - 1)).to_be_bytes();
    }
    let mut state = SHA256_BEGINS;
    compress256(&mut state, &blocks);
    let mut hash = [0; HASH_LEN];
    for (place, word) in hash.as_chunks_mut().0.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    TreeHash(hash)
}

/// The root of the tree without leaves.
#[must_use]
pub fn empty_root() -> TreeHash {
    TreeHash(Sha256::digest([]).into())
}

/// The root over hashes of one height, a power of two of them; `None` where there are none.
pub(crate) fn perfect_root(hashes: &[TreeHash]) -> Option<TreeHash> {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                [one, ..] => *one,
                [] => empty_root(),
            })
            .collect();
    }
    row.pop()
}

/// The root over perfect subtrees, each at least as large as those right of it.
fn fold_right(peaks: &[TreeHash]) -> TreeHash {
    let folded = peaks
        .iter()
        .copied()
        .rev()
        .reduce(|right, left| node_hash(&left, &right));
    folded.unwrap_or_else(empty_root)
}
