// SPDX-License-Identifier: Apache-2.0
//! Why history can be trusted. Pure: no file, no clock, no thread, so an auditor can take it
//! is; the only place that names BLAKE3.
//!
//! * Digests and the record chain (here) find damage and name the first bad record. A chain shows
//!   that a file agrees with itself, and no more.
//! * The [Merkle tree](merkle) over all record headers, whose root a log states in a
//!   [`checkpoint`], a [`note`] that its [`key`] signed. With a checkpoint kept elsewhere,
//!   rewriting, reordering and cutting off what it covers can be shown.
//! * A [`proof`] shows that one record is covered by a checkpoint; a [`policy`] says whose
//!   checkpoints count, and which witnesses must have seen them.
//! * An [`evidence`] bundle is all of that for one execution, in one file.
//! * An [`export`] is the whole tree as static files, to be checked with public keys alone.
//! * A [`witness`] cosigns a checkpoint only where it extends what the witness cosigned before.
//! * [`secret`] holds a signing key and its file format.
//!
//! The formats are those of [C2SP](https://c2sp.org), so that others can check them.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::integrity::{Chain, GENESIS, digest};
//!
//! let chain = Chain::default();
//! let commitment = chain.payload_commitment(&[7; 16], b"what was said");
//! let first = chain.record_hash(&GENESIS, &commitment); // in a journal: a whole header
//! let second = chain.record_hash(&first, b"the next header");
//!
//! // Whoever has headers and hashes can do the same: a changed byte leads elsewhere.
//! let changed = chain.payload_commitment(&[7; 16], b"what was sais");
//! assert_ne!(chain.record_hash(&GENESIS, &changed), first);
//! assert_ne!(digest(b"policy 1"), digest(b"policy 2"));
//! # assert_ne!(first, second);
//! ```

#[cfg_attr(
    not(feature = "engine"),
    expect(dead_code, reason = "only the walk over a ledger has many at once")
)]
mod blake3_batch;
pub mod checkpoint;
pub mod evidence;
pub mod export;
pub mod key;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod proof;
pub mod secret;
pub mod text;
pub mod witness;

#[cfg(test)]
mod tests;

use std::cell::Cell;

use crate::events::{Hash, SALT_LEN};
use blake3_batch::Derived;

#[cfg(feature = "engine")]
pub(crate) use blake3_batch::ABREAST;

const CHAIN_CONTEXT: &str = "femtoclaw-ledger 2026 v3 record chain";
const PAYLOAD_CONTEXT: &str = "femtoclaw-ledger 2026 v1 payload commitment";

/// See [`checksum`].
pub type Checksum = [u8; 16];

/// The hash that the first record's chain starts from.
pub const GENESIS: Hash = [0; 32];

/// XXH3-128, little endian: finds accidents, at a fifth of BLAKE3's price and less, and nobody's intent.
/// An attacker who edits bytes can make any plain digest anew.
#[must_use]
pub fn checksum(bytes: &[u8]) -> Checksum {
    xxhash_rust::xxh3::xxh3_128(bytes).to_le_bytes()
}

/// Plain BLAKE3, for contents that others may want to check with `b3sum`.
#[must_use]
pub fn digest(bytes: &[u8]) -> Hash {
    *blake3::hash(bytes).as_bytes()
}

/// BLAKE3 under a key: without it nobody can tell whose digest one is.
#[cfg(feature = "engine")]
pub(crate) fn keyed_digest(key: &[u8; 32], bytes: &[u8]) -> Hash {
    *blake3::keyed_hash(key, bytes).as_bytes()
}

/// As [`digest`], of bytes that come in pieces.
#[derive(Clone, Default)]
pub struct RunningDigest(blake3::Hasher);

impl RunningDigest {
    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all of them.
    #[must_use]
    pub fn finish(&self) -> Hash {
        *self.0.finalize().as_bytes()
    }
}

/// Record hash: the previous record's hash and the canonical header, under a key of its own.
#[derive(Clone)]
pub struct Chain(Derived, Derived);

impl Default for Chain {
    fn default() -> Self {
        Self(Derived::new(CHAIN_CONTEXT), Derived::new(PAYLOAD_CONTEXT))
    }
}

impl Chain {
    /// The hash of the record with this canonical header after the record with hash `previous`.
    #[must_use]
    pub fn record_hash(&self, previous: &Hash, header: &[u8]) -> Hash {
        self.0.hash(&[previous, header])
    }

    /// As [`Chain::record_hash`], of many: each input is the previous record's hash and the header. With a header of 224
    /// bytes that is whole blocks of 64, and BLAKE3 takes many such inputs side by side.
    #[cfg(feature = "engine")]
    pub(crate) fn record_hashes(&self, inputs: &[&[u8]], out: &mut [Hash]) {
        self.0.hashes(inputs, out);
    }

    /// The commitment to a stored payload and its salt.
    #[must_use]
    pub fn payload_commitment(&self, salt: &[u8; SALT_LEN], payload: &[u8]) -> Hash {
        self.1.hash(&[salt, payload])
    }

    /// As [`Chain::payload_commitment`], of many: each input is a salt and the payload behind it.
    #[cfg(feature = "engine")]
    pub(crate) fn payload_commitments(&self, inputs: &[&[u8]], out: &mut [Hash]) {
        self.1.hashes(inputs, out);
    }
}

/// Collects fields into one digest; each field is preceded by its length, so no two lists of
/// fields collide.
pub struct FieldDigest {
    /// Not hashed yet: hashing a run of bytes costs less than hashing its pieces.
    gathered: Vec<u8>,
    /// What was hashed already, where that was too much to gather.
    hasher: Option<Box<blake3::Hasher>>,
}

/// Bytes of fields that are gathered before they are hashed.
const GATHERED_BYTES: usize = 2_048;

thread_local! {
    /// The buffer of the digest before, to gather in again: a command has a digest, and a buffer for each would be the
    /// better part of its price.
    static GATHERED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Drop for FieldDigest {
    fn drop(&mut self) {
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.clear();
        // A thread that ends keeps none.
        let _ended = GATHERED.try_with(|kept| kept.set(gathered)).is_err();
    }
}

impl FieldDigest {
    /// A digest for one purpose; `domain` keeps purposes apart.
    #[must_use]
    pub fn new(domain: &str) -> Self {
        let digest = Self {
            gathered: GATHERED.try_with(Cell::take).unwrap_or_default(),
            hasher: None,
        };
        digest.field(domain.as_bytes())
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        self.add(bytes);
        self
    }

    /// Adds a field in place.
    pub fn add(&mut self, bytes: &[u8]) {
        self.gather(&(bytes.len() as u64).to_le_bytes());
        self.gather(bytes);
    }

    fn gather(&mut self, bytes: &[u8]) {
        if self.gathered.len() + bytes.len() <= GATHERED_BYTES {
            return self.gathered.extend_from_slice(bytes);
        }
        let hasher = self.hasher.get_or_insert_default();
        hasher.update(&self.gathered).update(bytes);
        self.gathered.clear();
    }

    /// The digest.
    #[must_use]
    pub fn finish(&self) -> Hash {
        match self.hasher.clone() {
            None => digest(&self.gathered),
            Some(mut hasher) => *hasher.update(&self.gathered).finalize().as_bytes(),
        }
    }
}
