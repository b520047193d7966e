//! Why history can be trusted: digests and the record chain. Pure; the only place that names BLAKE3.

use crate::events::{Hash, SALT_LEN};

const CHAIN_CONTEXT: &str = "femtoclaw-ledger 2026 v1 record chain";
const PAYLOAD_CONTEXT: &str = "femtoclaw-ledger 2026 v1 payload commitment";

/// The hash that the first record's chain starts from.
pub const GENESIS: Hash = [0; 32];

/// Plain BLAKE3, for contents that others may want to check with `b3sum`.
#[must_use]
pub fn digest(bytes: &[u8]) -> Hash {
    *blake3::hash(bytes).as_bytes()
}

/// Record hash: the previous record's hash and the canonical header, under a key of its own.
#[derive(Clone)]
pub struct Chain(blake3::Hasher, blake3::Hasher);

impl Default for Chain {
    fn default() -> Self {
        Self(
            blake3::Hasher::new_derive_key(CHAIN_CONTEXT),
            blake3::Hasher::new_derive_key(PAYLOAD_CONTEXT),
        )
    }
}

impl Chain {
    /// The hash of the record with this canonical header after the record with hash `previous`.
    #[must_use]
    pub fn record_hash(&self, previous: &Hash, header: &[u8]) -> Hash {
        let mut hasher = self.0.clone();
        hasher.update(previous).update(header);
        *hasher.finalize().as_bytes()
    }

    /// The commitment to a stored payload and its salt.
    #[must_use]
    pub fn payload_commitment(&self, salt: &[u8; SALT_LEN], payload: &[u8]) -> Hash {
        let mut hasher = self.1.clone();
        hasher.update(salt).update(payload);
        *hasher.finalize().as_bytes()
    }
}

/// Collects fields into one digest; each field is preceded by its length, so no two lists of
/// fields collide.
pub struct FieldDigest(blake3::Hasher);

impl FieldDigest {
    /// A digest for one purpose; `domain` keeps purposes apart.
    #[must_use]
    pub fn new(domain: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&(domain.len() as u64).to_le_bytes())
            .update(domain.as_bytes());
        Self(hasher)
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        self.add(bytes);
        self
    }

    /// Adds a field in place.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0
            .update(&(bytes.len() as u64).to_le_bytes())
            .update(bytes);
    }

    /// The digest.
    #[must_use]
    pub fn finish(&self) -> Hash {
        *self.0.finalize().as_bytes()
    }
}
