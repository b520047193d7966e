// SPDX-License-Identifier: Apache-2.0
//! Public keys in C2SP's form, `<name>+<key id>+<base64 of algorithm and key>`, and who can sign.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
//! use femtoclaw_ledger::integrity::key::{Algorithm, Signer, VerifierKey};
//! use femtoclaw_ledger::integrity::merkle::leaf_hash;
//! use femtoclaw_ledger::integrity::secret::SigningKey;
//!
//! /// A key that a device holds.
//! struct Device(SigningKey);
//!
//! impl Signer for Device {
//!     fn key(&self) -> &VerifierKey {
//!         self.0.key()
//!     }
//!
//!     fn sign(&self, message: &[u8]) -> Result<[u8; 64], Box<dyn std::error::Error + Send + Sync>> {
//!         self.0.sign(message) // asks the device
//!     }
//! }
//!
//! let device = Device(SigningKey::from_seed("ledger.example/a", Algorithm::Ed25519, &[7; 32])?);
//! let published = device.key().to_string();
//! let note = Checkpoint::new("ledger.example/a", 1, leaf_hash(b"a header"))?.sign(&device)?;
//! assert!(note.signed_by(&VerifierKey::parse(&published)?)?.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::text::hex_u32;
use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;

/// The longest name of a key, in bytes.
///
/// Example: [`VerifierKey::parse`](crate::integrity::key::VerifierKey::parse).
pub const KEY_NAME_MAX: usize = 255;

/// What a key signs, and how: the algorithms of `signed-note` that are understood here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Algorithm {
    /// Ed25519 over the text of a note: how a log signs its checkpoints.
    Ed25519 = 0x01,
    /// Ed25519 over time and text of a checkpoint: how a witness cosigns it (`tlog-cosignature`).
    CosignatureV1 = 0x04,
}

/// The text is no public key that is understood here.
///
/// Example: [`VerifierKey::parse`](crate::integrity::key::VerifierKey::parse).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not of the form `<name>+<key id>+<base64>`, or not its one spelling.
    #[error("not a public key of the form name+id+base64")]
    Form,
    /// The name is empty, too long, or has a space, a plus sign or a character that deceives.
    #[error(
        "a key's name must have 1 to {KEY_NAME_MAX} bytes, no space, plus sign, control or invisible character"
    )]
    Name,
    /// The algorithm is not known; nothing is guessed about it.
    #[error("the key's algorithm {0:#04x} is not known")]
    UnknownAlgorithm(u8),
    /// The id is not the one that name, algorithm and key have.
    #[error("the key's id is {found:08x}, and its name and key have {expected:08x}")]
    Id {
        /// As computed.
        expected: u32,
        /// As written.
        found: u32,
    },
    /// The bytes are no point of the curve, or a weak one.
    #[error("the key is not a usable Ed25519 public key")]
    Point,
}

/// A signature could not be made.
///
/// Example: [`Checkpoint::sign`](crate::integrity::checkpoint::Checkpoint::sign).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The signer failed: a device that is away, a service that refuses.
    #[error("the signer {name} failed")]
    Signer {
        /// Name of its key.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What the signer gave does not verify with its public key.
    #[error("the signer {0} gave a signature that its own public key does not accept")]
    Wrong(String),
    /// The signer's key is for another kind of signature.
    #[error("the key {0} is not for this kind of signature")]
    Algorithm(String),
}

/// Somebody who can sign: a key in memory ([`super::secret::SigningKey`]), a hardware module, a
/// service. A signature is checked with its public key before it is used.
pub trait Signer: Send + Sync {
    /// Its public key.
    fn key(&self) -> &VerifierKey;

    /// The Ed25519 signature (RFC 8032) over exactly these bytes.
    ///
    /// # Errors
    /// The reason why it did not sign.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Box<dyn std::error::Error + Send + Sync>>;
}

/// Asks the signer, and believes it only if its public key does.
pub(super) fn signature(
    signer: &dyn Signer,
    algorithm: Algorithm,
    message: &[u8],
) -> Result<[u8; 64], SignError> {
    let key = signer.key();
    let name = || key.name.clone();
    if key.algorithm != algorithm {
        return Err(SignError::Algorithm(name()));
    }
    let bytes = signer.sign(message).map_err(|source| SignError::Signer {
        name: name(),
        source,
    })?;
    if !key.accepts(message, &bytes) {
        return Err(SignError::Wrong(name()));
    }
    Ok(bytes)
}

/// A public key: a name, an algorithm and an Ed25519 key.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    algorithm: Algorithm,
    public: VerifyingKey,
    id: u32,
}

impl VerifierKey {
    /// A key with this name.
    ///
    /// # Errors
    /// [`KeyError`] where the name or the key is not usable.
    pub fn new(name: &str, algorithm: Algorithm, public: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let public = VerifyingKey::from_bytes(public).map_err(|_| KeyError::Point)?;
        if public.is_weak() {
            return Err(KeyError::Point);
        }
        let hasher = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', algorithm as u8])
            .chain_update(public.as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
        Ok(Self {
            name: name.to_owned(),
            algorithm,
            public,
            id: u32::from_be_bytes([a, b, c, d]),
        })
    }

    /// Reads `<name>+<key id>+<base64>`.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        // Room for the longest key of any algorithm, so that an unknown one is called unknown.
        if text.len() > 8192 {
            return Err(KeyError::Form);
        }
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        let found = hex_u32(id).ok_or(KeyError::Form)?;
        let bytes = Base64::decode_vec(key).map_err(|_| KeyError::Form)?;
        let (algorithm, public) = bytes.split_first().ok_or(KeyError::Form)?;
        let algorithm = match algorithm {
            0x01 => Algorithm::Ed25519,
            0x04 => Algorithm::CosignatureV1,
            unknown => return Err(KeyError::UnknownAlgorithm(*unknown)),
        };
        let public = public.try_into().map_err(|_| KeyError::Form)?;
        let read = Self::new(name, algorithm, public)?;
        if read.id != found {
            let expected = read.id;
            return Err(KeyError::Id { expected, found });
        }
        Ok(read)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The Ed25519 key itself.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    /// Four bytes that tell keys of one name apart. Not a fingerprint: anybody can make another key
    /// with the same id.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// True where `signature` is this key's over `message`. Stricter than RFC 8032 demands: no
    /// signature has a second form.
    pub(crate) fn accepts(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        self.public.verify_strict(message, &signature).is_ok()
    }
}

/// `<name>+<key id>+<base64 of algorithm and key>`.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.algorithm as u8];
        bytes.extend_from_slice(self.public());
        let key = Base64::encode_string(&bytes);
        write!(f, "{}+{:08x}+{key}", self.name, self.id)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// What may name a key in a signature line.
pub(super) fn is_key_name(name: &str) -> bool {
    let allowed =
        |char: char| !char.is_whitespace() && !super::text::is_deceptive(char) && char != '+';
    !name.is_empty() && name.len() <= KEY_NAME_MAX && name.chars().all(allowed)
}

crate::events::readable::words::spoken!(VerifierKey);
