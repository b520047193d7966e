//! BLAKE3 of many short inputs under one key, side by side. The blocks of one input depend on each
//! other; those of several do not, and a processor takes sixteen at once where it takes one.
//!
//! The crate offers that by [`blake3::platform`] alone, which is hidden and may change with a version: so
//! `Cargo.toml` holds the minor version, and `integrity/tests/abreast.rs` holds every length against the public functions.
//! It takes whole blocks: of each input all blocks but the last go side by side, and the last by itself.

use blake3::hazmat::hash_derive_key_context;
use blake3::platform::{Platform, words_from_le_bytes_32};
use blake3::{BLOCK_LEN, CHUNK_LEN, Hasher, IncrementCounter};

use crate::events::Hash;

/// Section 2.2 of the BLAKE3 paper.
const CHUNK_START: u8 = 1 << 0;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;
const DERIVE_KEY_MATERIAL: u8 = 1 << 6;

/// A derived key, and hashes under it.
#[derive(Clone)]
pub(super) struct Derived {
    hasher: Hasher,
    key: [u32; 8],
    platform: Platform,
}

impl Derived {
    pub(super) fn new(context: &str) -> Self {
        Self {
            hasher: Hasher::new_derive_key(context),
            key: words_from_le_bytes_32(&hash_derive_key_context(context)),
            platform: Platform::detect(),
        }
    }

    /// The hash of these parts, one behind the other.
    pub(super) fn hash(&self, parts: [&[u8]; 2]) -> Hash {
        let mut hasher = self.hasher.clone();
        for part in parts {
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }

    /// The hash of each input, in their order.
    pub(super) fn hashes(&self, inputs: &[&[u8]]) -> Vec<Hash> {
        let mut out = vec![[0; 32]; inputs.len()];
        // What has as many whole blocks goes together.
        let mut order: Vec<(usize, usize)> = (0..).zip(inputs).map(whole_blocks).collect();
        order.sort_unstable();
        for group in order.chunk_by(|one, other| one.0 == other.0) {
            let members = group.iter().filter_map(|(_, at)| inputs.get(*at).copied());
            let members: Vec<&[u8]> = members.collect();
            let blocks = group.first().map_or(0, |(blocks, _)| *blocks);
            for ((_, at), hash) in group.iter().zip(self.alike(blocks, &members)) {
                if let Some(place) = out.get_mut(*at) {
                    *place = hash;
                }
            }
        }
        out
    }

    /// The hashes of inputs with so many whole blocks before the last.
    fn alike(&self, blocks: usize, inputs: &[&[u8]]) -> Vec<Hash> {
        match blocks {
            1 => self.chained::<{ BLOCK_LEN }>(inputs),
            2 => self.chained::<{ 2 * BLOCK_LEN }>(inputs),
            3 => self.chained::<{ 3 * BLOCK_LEN }>(inputs),
            4 => self.chained::<{ 4 * BLOCK_LEN }>(inputs),
            5 => self.chained::<{ 5 * BLOCK_LEN }>(inputs),
            6 => self.chained::<{ 6 * BLOCK_LEN }>(inputs),
            7 => self.chained::<{ 7 * BLOCK_LEN }>(inputs),
            8 => self.chained::<{ 8 * BLOCK_LEN }>(inputs),
            9 => self.chained::<{ 9 * BLOCK_LEN }>(inputs),
            10 => self.chained::<{ 10 * BLOCK_LEN }>(inputs),
            11 => self.chained::<{ 11 * BLOCK_LEN }>(inputs),
            12 => self.chained::<{ 12 * BLOCK_LEN }>(inputs),
            13 => self.chained::<{ 13 * BLOCK_LEN }>(inputs),
            14 => self.chained::<{ 14 * BLOCK_LEN }>(inputs),
            15 => self.chained::<{ 15 * BLOCK_LEN }>(inputs),
            // One block, or more than a chunk, of which the crate takes several at once by itself.
            _ => inputs.iter().map(|input| self.hash([input, &[]])).collect(),
        }
    }

    fn chained<const N: usize>(&self, inputs: &[&[u8]]) -> Vec<Hash> {
        let split = inputs.iter().filter_map(|input| input.split_first_chunk());
        let (whole, last): (Vec<&[u8; N]>, Vec<&[u8]>) = split.unzip();
        let mut out = vec![[0; 32]; whole.len()];
        self.platform.hash_many(
            &whole,
            &self.key,
            0,
            IncrementCounter::No,
            DERIVE_KEY_MATERIAL,
            CHUNK_START,
            0,
            out.as_flattened_mut(),
        );
        for (hash, last) in out.iter_mut().zip(last) {
            self.end(hash, last);
        }
        out
    }

    /// From the value behind the whole blocks to the hash.
    fn end(&self, hash: &mut Hash, last: &[u8]) {
        let mut block = [0; BLOCK_LEN];
        if let Some(front) = block.get_mut(..last.len()) {
            front.copy_from_slice(last);
        }
        let mut value = words_from_le_bytes_32(hash);
        let length = last.len().min(BLOCK_LEN) as u8;
        let flags = DERIVE_KEY_MATERIAL | CHUNK_END | ROOT;
        self.platform
            .compress_in_place(&mut value, &block, length, 0, flags);
        *hash = blake3::platform::le_bytes_from_words_32(&value);
    }
}

/// How many blocks lie before the last one, and which input it is; 0 where they do not go together.
fn whole_blocks((at, input): (usize, &&[u8])) -> (usize, usize) {
    let blocks = input.len().saturating_sub(1) / BLOCK_LEN;
    (if input.len() > CHUNK_LEN { 0 } else { blocks }, at)
}
