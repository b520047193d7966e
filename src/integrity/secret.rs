// SPDX-License-Identifier: Apache-2.0
//! A signing key in memory, and the text that a key file holds: the public key on its first line, then PKCS#8 (RFC 5958) in PEM,
//! encrypted with a passphrase on request (PBES2: scrypt and AES-256-CBC, as OpenSSL reads and writes them; feature `encrypted-keys`).
//! Secret bytes are wiped when they are dropped, and from the stack before a call that had them there returns.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
//! use femtoclaw_ledger::integrity::secret::{KeyFileError, Passphrase, Salt, SigningKey};
//!
//! // 32 random bytes; `directory::keys` makes a key and its file in one.
//! let key = SigningKey::from_seed("ledger.example/a", Algorithm::Ed25519, &[7; 32])?;
//! let file = key.to_file(None)?;
//! assert_eq!(SigningKey::from_file(&file, None)?.key(), key.key());
//!
//! # #[cfg(feature = "encrypted-keys")] {
//! let salt = Salt { salt: [1; 16], iv: [2; 16] }; // random too
//! let passphrase = Passphrase { passphrase: b"correct horse", salt };
//! let file = key.to_file(Some(passphrase))?;
//! assert!(matches!(SigningKey::from_file(&file, None), Err(KeyFileError::PassphraseNeeded)));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::key::{Algorithm, KeyError, Signer, VerifierKey};
use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::{EncodePrivateKey, KeypairBytes};
use pkcs8::{DecodePrivateKey, LineEnding, PrivateKeyInfoRef};
use pkcs8::{SecretDocument, der::pem::PemLabel};
use zeroize::{Zeroize, Zeroizing};

#[cfg(feature = "encrypted-keys")]
mod encrypted;
mod key_file;

pub use key_file::{KEY_FILE_MAX, KeyFileError, Passphrase, Salt};

/// A build without the feature `encrypted-keys` knows such files, and says so.
#[cfg(not(feature = "encrypted-keys"))]
mod encrypted {
    use super::{KeyFileError, Salt, Zeroizing};

    pub(super) fn encrypt(_: &[u8], _: &[u8], _: Salt) -> Result<Zeroizing<String>, KeyFileError> {
        Err(KeyFileError::NotBuilt)
    }

    pub(super) fn decrypt(
        _: &[u8],
        _: &[u8],
    ) -> Result<Box<ed25519_dalek::SigningKey>, KeyFileError> {
        Err(KeyFileError::NotBuilt)
    }
}

/// RFC 7468, section 11.
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// A private key in memory. Never shown by `Debug`, wiped when it is dropped.
pub struct SigningKey {
    /// Where it stays: each move of it would leave a copy behind.
    secret: Box<ed25519_dalek::SigningKey>,
    public: VerifierKey,
}

/// More of the stack than encoding, decoding or signing uses, in bytes.
const STACK: usize = 64 << 10;

/// What `work` gives; what it left on the stack is overwritten. Moves of a value leave copies there, of which
/// no destructor knows.
#[inline(never)]
fn wiped<T>(work: impl FnOnce() -> T) -> T {
    let done = below(work);
    wipe();
    done
}

/// All that it calls lies below the frame of whoever calls it, as [`wipe`] does.
#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn wipe() {
    let mut room = [0_u8; STACK];
    room.zeroize();
    std::hint::black_box(&mut room);
}

impl SigningKey {
    /// The key with this name that 32 random bytes make. The caller wipes his copy of them.
    ///
    /// # Errors
    /// [`KeyError`] where no key can have the name.
    pub fn from_seed(name: &str, algorithm: Algorithm, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = wiped(|| Box::new(ed25519_dalek::SigningKey::from_bytes(seed)));
        let public = VerifierKey::new(name, algorithm, secret.verifying_key().as_bytes())?;
        Ok(Self { secret, public })
    }

    /// The text of a key file; with a passphrase the private key in it is encrypted.
    ///
    /// # Errors
    /// [`KeyFileError::Encode`]; [`KeyFileError::NotBuilt`] with a passphrase, in a build without `encrypted-keys`.
    pub fn to_file(
        &self,
        passphrase: Option<Passphrase<'_>>,
    ) -> Result<Zeroizing<String>, KeyFileError> {
        wiped(|| self.encode(passphrase))
    }

    fn encode(
        &self,
        passphrase: Option<Passphrase<'_>>,
    ) -> Result<Zeroizing<String>, KeyFileError> {
        let pair = KeypairBytes {
            secret_key: self.secret.to_bytes(),
            public_key: None, // the form that every reader of PKCS#8 knows
        };
        let der = pair.to_pkcs8_der().map_err(|_| KeyFileError::Encode)?;
        let pem = match passphrase {
            None => {
                let pem = der.to_pem(PrivateKeyInfoRef::PEM_LABEL, LineEnding::LF);
                pem.map_err(|_| KeyFileError::Encode)?
            }
            Some(Passphrase { passphrase, salt }) => {
                encrypted::encrypt(der.as_bytes(), passphrase, salt)?
            }
        };
        let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_MAX));
        text.push_str(&self.public.to_string());
        text.push('\n');
        text.push_str(&pem);
        Ok(text)
    }

    /// Reads the text of a key file.
    ///
    /// # Errors
    /// [`KeyFileError`] says what is wrong with it.
    pub fn from_file(text: &str, passphrase: Option<&[u8]>) -> Result<Self, KeyFileError> {
        if text.len() > KEY_FILE_MAX {
            return Err(KeyFileError::TooLarge);
        }
        wiped(|| Self::decode(text, passphrase))
    }

    fn decode(text: &str, passphrase: Option<&[u8]>) -> Result<Self, KeyFileError> {
        let (first, pem) = text.split_once('\n').unwrap_or((text, ""));
        let public = VerifierKey::parse(first).map_err(KeyFileError::PublicKey)?;
        let (label, document) =
            SecretDocument::from_pem(pem).map_err(|_| KeyFileError::PrivateKey)?;
        let secret = match (label, passphrase) {
            (PrivateKeyInfoRef::PEM_LABEL, None) => {
                ed25519_dalek::SigningKey::from_pkcs8_der(document.as_bytes())
                    .map(Box::new)
                    .map_err(|_| KeyFileError::PrivateKey)?
            }
            (PrivateKeyInfoRef::PEM_LABEL, Some(_)) => return Err(KeyFileError::NotEncrypted),
            (ENCRYPTED, None) => return Err(KeyFileError::PassphraseNeeded),
            (ENCRYPTED, Some(passphrase)) => encrypted::decrypt(document.as_bytes(), passphrase)?,
            _ => return Err(KeyFileError::PrivateKey),
        };
        if secret.verifying_key().as_bytes() != public.public() {
            return Err(KeyFileError::OtherKey(public.to_string()));
        }
        Ok(Self { secret, public })
    }
}

impl Signer for SigningKey {
    fn key(&self) -> &VerifierKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Box<dyn std::error::Error + Send + Sync>> {
        Ok(wiped(|| self.secret.sign(message).to_bytes()))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}
