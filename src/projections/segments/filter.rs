// SPDX-License-Identifier: Apache-2.0
//! Whether a key may lie under an index node: a split block Bloom filter, as Apache Parquet has it.
//!
//! Each key sets eight bits of one block of 256: a look-up touches one line of the processor's cache. With some ten
//! bits a key, one of a hundred keys that are not there passes.

use crate::integrity::checksum;

const BITS_PER_KEY: usize = 10;
/// Bytes of one block: eight words.
const BLOCK: usize = 32;

/// One odd number for each word of a block (Apache Parquet, *Bloom filter*).
const SALTS: [u32; 8] = [
    0x47b6_137b,
    0x4497_4d91,
    0x8824_ad5b,
    0xa2b7_289d,
    0x7054_95c7,
    0x2df1_424b,
    0x9efc_4947,
    0x5c6b_fb31,
];

/// A key's hash, taken once for all segments that are asked: the lower half of XXH3-128.
#[inline]
pub(super) fn hash(key: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = checksum(key);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Which block of so many, and the bits in it.
#[inline]
fn place(hash: u64, blocks: usize) -> (usize, [u32; 8]) {
    let block = ((hash >> 32) * blocks as u64) >> 32;
    let bits = SALTS.map(|salt| 1 << ((hash as u32).wrapping_mul(salt) >> 27));
    (block as usize, bits)
}

/// The filter of these keys.
pub(super) fn filter_of(hashes: &[u64]) -> Vec<u8> {
    let blocks = (hashes.len() * BITS_PER_KEY).div_ceil(8 * BLOCK).max(1);
    let mut filter = vec![0; blocks * BLOCK];
    for hash in hashes {
        let (block, bits) = place(*hash, blocks);
        let words = filter.chunks_exact_mut(BLOCK).nth(block);
        let words = words
            .into_iter()
            .flat_map(|block| block.chunks_exact_mut(4));
        for (word, bit) in words.zip(bits) {
            for (byte, set) in word.iter_mut().zip(bit.to_le_bytes()) {
                *byte |= set;
            }
        }
    }
    filter
}

/// Whether the key may be one of those that the filter was made of; where it is one, the answer is yes.
#[inline]
pub(super) fn may_hold(filter: &[u8], hash: u64) -> bool {
    let (block, bits) = place(hash, filter.len() / BLOCK);
    let Some(block) = filter
        .get(block * BLOCK..)
        .and_then(|it| it.first_chunk::<BLOCK>())
    else {
        return true;
    };
    let mut missing = 0;
    for (word, bit) in block.chunks_exact(4).zip(bits) {
        let word = word.first_chunk().map_or(0, |it| u32::from_le_bytes(*it));
        missing |= bit & !word;
    }
    missing == 0
}
