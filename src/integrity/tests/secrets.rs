// SPDX-License-Identifier: Apache-2.0
//! Key files.

use super::*;
use crate::integrity::key::Signer;
use crate::integrity::secret::{KeyFileError, Passphrase, Salt};

const SALT: Salt = Salt {
    salt: [3; 16],
    iv: [4; 16],
};
const CLOSED: Passphrase<'_> = Passphrase {
    passphrase: b"correct horse",
    salt: SALT,
};

#[cfg(feature = "encrypted-keys")]
#[test]
fn a_key_file_reads_back() {
    let key = log();
    let plain = key.to_file(None).unwrap();
    let read = SigningKey::from_file(&plain, None).unwrap();
    assert_eq!(read.key(), key.key());
    assert_eq!(read.sign(b"text").unwrap(), key.sign(b"text").unwrap());

    let closed = key.to_file(Some(CLOSED)).unwrap();
    assert!(closed.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    let read = SigningKey::from_file(&closed, Some(b"correct horse")).unwrap();
    assert_eq!(read.sign(b"text").unwrap(), key.sign(b"text").unwrap());

    let open = |text: &str, passphrase: Option<&[u8]>| {
        SigningKey::from_file(text, passphrase).map(|key| key.key().to_string())
    };
    assert_eq!(open(&closed, None), Err(KeyFileError::PassphraseNeeded));
    assert_eq!(open(&closed, Some(b"wrong")), Err(KeyFileError::Passphrase));
    assert_eq!(open(&plain, Some(b"any")), Err(KeyFileError::NotEncrypted));
    assert!(!format!("{key:?}").contains("secret:"));
}

/// A file with a passphrase is known as one, and nothing is written without the passphrase that was asked for.
#[cfg(not(feature = "encrypted-keys"))]
#[test]
fn a_build_without_encryption_says_so() {
    let key = log();
    let plain = key.to_file(None).unwrap();
    let read = SigningKey::from_file(&plain, None).unwrap();
    assert_eq!(read.key(), key.key());
    let told = |file: Result<_, KeyFileError>| file.err();
    let asked = key.to_file(Some(CLOSED));
    assert_eq!(told(asked.map(|_| ())), Some(KeyFileError::NotBuilt));
    let closed = plain.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let open = |passphrase| told(SigningKey::from_file(&closed, passphrase).map(|_| ()));
    assert_eq!(open(None), Some(KeyFileError::PassphraseNeeded));
    assert_eq!(open(Some(b"any")), Some(KeyFileError::NotBuilt));
}

#[test]
fn what_is_no_key_file_is_refused() {
    let (mine, other) = (log(), witness(3));
    let open = |text: &str| SigningKey::from_file(text, None).map(|key| key.key().to_string());
    let plain = mine.to_file(None).unwrap();
    let (public, pem) = plain.split_once('\n').unwrap();
    let swapped = format!("{}\n{pem}", other.key());
    let named = other.key().to_string();
    assert_eq!(open(&swapped), Err(KeyFileError::OtherKey(named)));
    assert!(matches!(open(pem), Err(KeyFileError::PublicKey(_))));
    assert_eq!(open(public), Err(KeyFileError::PrivateKey));
    let label = plain.replace("PRIVATE KEY", "RSA PRIVATE KEY");
    assert_eq!(open(&label), Err(KeyFileError::PrivateKey));
    let cut = plain.replace("-----END", "AA==\n-----END");
    assert_eq!(open(&cut), Err(KeyFileError::PrivateKey));
    let large = format!("{}{}", *plain, " ".repeat(16_384));
    assert_eq!(open(&large), Err(KeyFileError::TooLarge));
}

/// A file that asks for a terabyte is refused before it gets it.
#[cfg(feature = "encrypted-keys")]
#[test]
fn a_key_file_cannot_ask_for_any_work() {
    use pkcs8::pkcs5::pbes2::{
        EncryptionScheme, Kdf, Parameters, Pbkdf2Params, Pbkdf2Prf, ScryptParams,
    };
    use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, SecretDocument, der::Encode};
    let asking = |kdf| {
        let how = Parameters {
            kdf,
            encryption: EncryptionScheme::Aes256Cbc { iv: [0; 16] },
        };
        let bytes = pkcs8::der::asn1::OctetStringRef::new(&[7; 48]).unwrap();
        let info = EncryptedPrivateKeyInfoRef {
            encryption_algorithm: how.into(),
            encrypted_data: bytes,
        };
        let der = SecretDocument::try_from(info.to_der().unwrap()).unwrap();
        let pem = der.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).unwrap();
        let text = format!("{}\n{}", log().key(), *pem);
        SigningKey::from_file(&text, Some(b"p"))
            .map(|_| ())
            .unwrap_err()
    };
    let cost = |cost_parameter, block_size, parallelization| {
        asking(Kdf::Scrypt(ScryptParams {
            salt: [1_u8; 16].as_slice().try_into().unwrap(),
            cost_parameter,
            block_size,
            parallelization,
            key_length: None,
        }))
    };
    let iterations = |iteration_count| {
        asking(Kdf::Pbkdf2(Pbkdf2Params {
            salt: [1_u8; 16].as_slice().try_into().unwrap(),
            iteration_count,
            key_length: None,
            prf: Pbkdf2Prf::HmacWithSha256,
        }))
    };
    assert_eq!(iterations(10_000_001), KeyFileError::Cost);
    assert_eq!(iterations(1), KeyFileError::Passphrase);
    assert_eq!(cost(1 << 33, 8, 1), KeyFileError::Cost);
    assert_eq!(cost(1 << 63, u16::MAX, 1), KeyFileError::Cost);
    assert_eq!(cost(1 << 14, 8, u16::MAX), KeyFileError::Cost);
    assert_eq!(cost(1 << 10, 8, 1), KeyFileError::Passphrase);
}

/// The private key of a file, as OpenSSL sees it, has the public key that the file names.
#[cfg(feature = "encrypted-keys")]
#[test]
fn openssl_opens_a_key_file() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let key = log();
    for passphrase in [None, Some(CLOSED)] {
        let text = key.to_file(passphrase).unwrap();
        let openssl = Command::new("openssl")
            .args([
                "pkey",
                "-passin",
                "pass:correct horse",
                "-pubout",
                "-outform",
                "DER",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn();
        let Ok(mut openssl) = openssl else {
            println!("SKIPPED: there is no program openssl here");
            return;
        };
        let mut input = openssl.stdin.take().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        drop(input);
        let output = openssl.wait_with_output().unwrap();
        assert!(output.status.success());
        assert!(
            output.stdout.ends_with(key.key().public()),
            "{passphrase:?}"
        );
    }
}
