// SPDX-License-Identifier: Apache-2.0
//! What a key file may be, and why one cannot be used.

use crate::integrity::key::KeyError;

/// The largest key file that is read, in bytes.
///
/// Example: [`SigningKey::from_file`](crate::integrity::secret::SigningKey::from_file).
pub const KEY_FILE_MAX: usize = 16_384;

/// The text is no key file that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Larger than any key file.
    #[error("the key file has more than {KEY_FILE_MAX} bytes")]
    TooLarge,
    /// No public key on the first line.
    #[error("the first line of the key file is not a public key")]
    PublicKey(#[source] KeyError),
    /// No PKCS#8 private key of Ed25519 in PEM follows.
    #[error("the key file holds no Ed25519 private key in PKCS#8 PEM")]
    PrivateKey,
    /// The key is encrypted, and no passphrase was given.
    #[error("the key is encrypted: a passphrase is needed")]
    PassphraseNeeded,
    /// The key is not encrypted, and a passphrase was given: somebody may have replaced it.
    #[error("the key is not encrypted, but a passphrase was given")]
    NotEncrypted,
    /// The passphrase is another, or the encrypted key was changed.
    #[error("the passphrase does not open the key")]
    Passphrase,
    /// Opening it would take more memory or time than a key file may ask for.
    #[error("the key file asks for more work than is allowed")]
    Cost,
    /// The private key is not the one of the public key on the first line.
    #[error("the private key does not belong to the public key {0}")]
    OtherKey(String),
    /// A passphrase opens it, and this build of the library has no feature `encrypted-keys`.
    #[error("the key is encrypted: this build lacks the feature `encrypted-keys`")]
    NotBuilt,
    /// It could not be written as PKCS#8.
    #[error("the key could not be encoded")]
    Encode,
}

/// What a passphrase is stretched with, fresh for every file.
#[derive(Clone, Copy)]
pub struct Salt {
    /// For the key derivation.
    pub salt: [u8; 16],
    /// For the cipher.
    pub iv: [u8; 16],
}

/// The passphrase that encrypts a key file.
#[derive(Clone, Copy)]
pub struct Passphrase<'a> {
    /// The passphrase.
    pub passphrase: &'a [u8],
    /// The salts of key derivation and cipher.
    pub salt: Salt,
}

/// Says nothing of what is in it.
impl std::fmt::Debug for Passphrase<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Says nothing of what is in it.
impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(…)")
    }
}
