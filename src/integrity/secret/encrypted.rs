// SPDX-License-Identifier: Apache-2.0
//! Private keys under a passphrase: PBES2 with scrypt and AES-256-CBC, as OpenSSL reads and writes them.

use pkcs8::der::pem::PemLabel;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::scrypt;
use pkcs8::{DecodePrivateKey, EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::key_file::{KeyFileError, Salt};

// 16 MiB and about a fifth of a second; OpenSSL refuses scrypt above 32 MiB.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 5;

/// What a file of somebody else's may cost to open.
const SCRYPT_BYTES_MAX: u64 = 256 << 20;
const SCRYPT_P_MAX: u16 = 16;
const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;

/// PEM of this PKCS#8 private key, encrypted.
pub(super) fn encrypt(
    der: &[u8],
    passphrase: &[u8],
    salt: Salt,
) -> Result<Zeroizing<String>, KeyFileError> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| KeyFileError::Encode)?;
    let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P);
    let cost = cost.map_err(|_| KeyFileError::Encode)?;
    let how = Parameters::generate_scrypt_aes256cbc(cost, &salt.salt, salt.iv);
    let how = how.map_err(|_| KeyFileError::Encode)?;
    let document = info.encrypt_with_params(how, passphrase);
    let document = document.map_err(|_| KeyFileError::Encode)?;
    let pem = document.to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF);
    pem.map_err(|_| KeyFileError::Encode)
}

/// The key in this encrypted PKCS#8 document.
pub(super) fn decrypt(
    der: &[u8],
    passphrase: &[u8],
) -> Result<Box<ed25519_dalek::SigningKey>, KeyFileError> {
    let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| KeyFileError::PrivateKey)?;
    let EncryptionScheme::Pbes2(how) = &info.encryption_algorithm else {
        return Err(KeyFileError::PrivateKey);
    };
    let allowed = match &how.kdf {
        Kdf::Scrypt(cost) => {
            let bytes = cost
                .cost_parameter
                .saturating_mul(128 * u64::from(cost.block_size));
            bytes <= SCRYPT_BYTES_MAX && cost.parallelization <= SCRYPT_P_MAX
        }
        Kdf::Pbkdf2(cost) => cost.iteration_count <= PBKDF2_ITERATIONS_MAX,
        _ => false,
    };
    if !allowed {
        return Err(KeyFileError::Cost);
    }
    // The cipher has no checksum of its own: a wrong passphrase gives garbage that is no key.
    let opened = info
        .decrypt(passphrase)
        .map_err(|_| KeyFileError::Passphrase)?;
    ed25519_dalek::SigningKey::from_pkcs8_der(opened.as_bytes())
        .map(Box::new)
        .map_err(|_| KeyFileError::Passphrase)
}
