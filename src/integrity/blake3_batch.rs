// SPDX-License-Identifier: Apache-2.0
//! BLAKE3 of many short inputs under one key, side by side. The blocks of one input depend on each
//! other; those of several do not, and a processor takes sixteen at once where it takes one.
//!
//! The crate offers that by [`blake3::platform`] alone, which is hidden and may change with a version: so
//! `Cargo.toml` holds the minor version, and `integrity/tests/blake3_batch.rs` holds every length against the public functions.
//! It takes whole blocks: an input that consists of them goes side by side to its end, and of another
//! the last block by itself.

use blake3::hazmat::hash_derive_key_context;
use blake3::platform::{Platform, words_from_le_bytes_32};
use blake3::{BLOCK_LEN, CHUNK_LEN, Hasher, IncrementCounter};

use crate::events::Hash;

/// Inputs that are looked at together: many of one length among them, and still in the processor's cache.
pub(crate) const ABREAST: usize = 128;

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
    pub(super) fn hash(&self, parts: &[&[u8]]) -> Hash {
        let mut hasher = self.hasher.clone();
        for part in parts {
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }

    /// The hash of each input, in their order, into `out`: as many as both have. Most have one length
    /// where time matters, so [`ABREAST`] at a time are grouped by it; nothing is allocated.
    pub(super) fn hashes(&self, inputs: &[&[u8]], out: &mut [Hash]) {
        for (inputs, out) in inputs.chunks(ABREAST).zip(out.chunks_mut(ABREAST)) {
            let mut order = [(Blocks::default(), 0); ABREAST];
            let count = inputs.len().min(out.len());
            let order = order.get_mut(..count).unwrap_or_default();
            for ((at, input), place) in inputs.iter().enumerate().zip(order.iter_mut()) {
                *place = (Blocks::of(input), at);
            }
            order.sort_unstable();
            for group in order.chunk_by(|one, other| one.0 == other.0) {
                self.alike(group, inputs, out);
            }
        }
    }

    /// The hashes of the inputs in these places, all with the same blocks.
    fn alike(&self, group: &[(Blocks, usize)], inputs: &[&[u8]], out: &mut [Hash]) {
        let blocks = group
            .first()
            .map_or_else(Blocks::default, |(blocks, _)| *blocks);
        match blocks.whole {
            1 => self.chained::<{ BLOCK_LEN }>(blocks, group, inputs, out),
            2 => self.chained::<{ 2 * BLOCK_LEN }>(blocks, group, inputs, out),
            3 => self.chained::<{ 3 * BLOCK_LEN }>(blocks, group, inputs, out),
            4 => self.chained::<{ 4 * BLOCK_LEN }>(blocks, group, inputs, out),
            5 => self.chained::<{ 5 * BLOCK_LEN }>(blocks, group, inputs, out),
            6 => self.chained::<{ 6 * BLOCK_LEN }>(blocks, group, inputs, out),
            7 => self.chained::<{ 7 * BLOCK_LEN }>(blocks, group, inputs, out),
            8 => self.chained::<{ 8 * BLOCK_LEN }>(blocks, group, inputs, out),
            9 => self.chained::<{ 9 * BLOCK_LEN }>(blocks, group, inputs, out),
            10 => self.chained::<{ 10 * BLOCK_LEN }>(blocks, group, inputs, out),
            11 => self.chained::<{ 11 * BLOCK_LEN }>(blocks, group, inputs, out),
            12 => self.chained::<{ 12 * BLOCK_LEN }>(blocks, group, inputs, out),
            13 => self.chained::<{ 13 * BLOCK_LEN }>(blocks, group, inputs, out),
            14 => self.chained::<{ 14 * BLOCK_LEN }>(blocks, group, inputs, out),
            15 => self.chained::<{ 15 * BLOCK_LEN }>(blocks, group, inputs, out),
            16 => self.chained::<{ 16 * BLOCK_LEN }>(blocks, group, inputs, out),
            // Less than a block, or more than a chunk, of which the crate takes several at once by itself.
            _ => {
                for (_, at) in group {
                    if let (Some(input), Some(hash)) = (inputs.get(*at), out.get_mut(*at)) {
                        *hash = self.hash(&[input]);
                    }
                }
            }
        }
    }

    fn chained<const N: usize>(
        &self,
        blocks: Blocks,
        group: &[(Blocks, usize)],
        inputs: &[&[u8]],
        out: &mut [Hash],
    ) {
        let mut whole: [&[u8; N]; ABREAST] = [&[0; N]; ABREAST];
        let mut values = [[0; 32]; ABREAST];
        let split = |at: &usize| inputs.get(*at)?.split_first_chunk();
        for ((_, at), place) in group.iter().zip(&mut whole) {
            *place = split(at).map_or(*place, |(front, _)| front);
        }
        let count = group.len().min(ABREAST);
        self.platform.hash_many(
            whole.get(..count).unwrap_or_default(),
            &self.key,
            0,
            IncrementCounter::No,
            DERIVE_KEY_MATERIAL,
            CHUNK_START,
            if blocks.rest { 0 } else { CHUNK_END | ROOT },
            values.as_flattened_mut(),
        );
        for ((_, at), value) in group.iter().zip(&mut values) {
            if let (Some((_, last)), Some(hash)) = (split(at), out.get_mut(*at)) {
                if blocks.rest {
                    self.end(value, last);
                }
                *hash = *value;
            }
        }
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

/// What an input consists of. Those alike go together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Blocks {
    /// Whole blocks; 0 where it goes by itself.
    whole: usize,
    /// Whether a shorter one comes after them.
    rest: bool,
}

impl Blocks {
    const fn of(input: &[u8]) -> Self {
        let whole = input.len() / BLOCK_LEN;
        Self {
            whole: if input.len() > CHUNK_LEN { 0 } else { whole },
            rest: !input.len().is_multiple_of(BLOCK_LEN),
        }
    }
}
