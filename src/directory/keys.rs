// SPDX-License-Identifier: Apache-2.0
//! Key files on disk: made from the operating system's randomness, readable by their owner only,
//! never overwritten.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::directory::keys::{self, KeyStoreError};
//! use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("signing.key");
//!
//! let made = keys::create(&path, "ledger.example/a", Algorithm::Ed25519, None)?;
//! println!("to be given to whoever verifies: {}", made.key());
//! let opened = keys::open(&path, None)?;
//! assert_eq!(opened.key(), made.key());
//!
//! let again = keys::create(&path, "ledger.example/b", Algorithm::Ed25519, None);
//! assert!(matches!(again, Err(KeyStoreError::Exists(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::clock::fill_secret;
use crate::database::{PRIVATE_FILE, files, sync_parent};
use crate::integrity::key::{Algorithm, KeyError};
use crate::integrity::secret::{KEY_FILE_MAX, KeyFileError, Passphrase, Salt, SigningKey};

/// A key file could not be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// A file is there already; it was not touched.
    #[error("{} exists; a key is never overwritten", .0.display())]
    Exists(PathBuf),
    /// Others than its owner may read the file, or change it.
    #[error("{} is open to others (mode {mode:o}); restrict it to its owner, and think whether the key is still secret", .path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Its content is no usable key.
    #[error("{} is not a usable key file", .path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: KeyFileError,
    },
    /// No key can have the name.
    #[error("no key can have this name")]
    Name(#[source] KeyError),
    /// The operating system failed.
    #[error("{} could not be read or written", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl KeyStoreError {
    fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io { path, source }
    }
}

/// Makes a new key with this name and writes it to the new file `path`, mode 0600, encrypted where
/// a passphrase is given. When this returns, the file survives a power cut.
///
/// # Errors
/// [`KeyStoreError`]; where it says so, or the file could not be completed, there is no new file.
pub fn create(
    path: &Path,
    name: &str,
    algorithm: Algorithm,
    passphrase: Option<&[u8]>,
) -> Result<SigningKey, KeyStoreError> {
    let io = |source| KeyStoreError::io(path, source);
    let mut seed = Zeroizing::new([0; 32]);
    fill_secret(&mut *seed).map_err(io)?;
    let key = SigningKey::from_seed(name, algorithm, &seed).map_err(KeyStoreError::Name)?;
    let mut salt = Salt {
        salt: [0; 16],
        iv: [0; 16],
    };
    fill_secret(&mut salt.salt).map_err(io)?;
    fill_secret(&mut salt.iv).map_err(io)?;
    let closed = passphrase.map(|passphrase| Passphrase { passphrase, salt });
    let text = key
        .to_file(closed)
        .map_err(|source| KeyStoreError::Content {
            path: path.to_owned(),
            source,
        })?;
    write(path, text.as_bytes())?;
    Ok(key)
}

/// A file gets its name when it is complete, and only if nothing has that name.
fn write(path: &Path, bytes: &[u8]) -> Result<(), KeyStoreError> {
    let mut creating = path.as_os_str().to_owned();
    creating.push(".creating");
    let creating = PathBuf::from(creating);
    match fs::remove_file(&creating) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(KeyStoreError::io(&creating, error));
        }
        _ => {}
    }
    let complete = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(PRIVATE_FILE);
        let mut file = options.open(&creating)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::hard_link(&creating, path)
    };
    let linked = complete();
    let removed = fs::remove_file(&creating);
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyStoreError::Exists(path.to_owned()));
        }
        other => other.map_err(|error| KeyStoreError::io(path, error))?,
    }
    removed
        .and_then(|()| sync_parent(path))
        .map_err(|error| KeyStoreError::io(path, error))
}

/// Reads a key file that nobody but its owner can read.
///
/// # Errors
/// [`KeyStoreError`] says what is wrong with it.
pub fn open(path: &Path, passphrase: Option<&[u8]>) -> Result<SigningKey, KeyStoreError> {
    let io = |source| KeyStoreError::io(path, source);
    let file = files::open_followed(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(KeyStoreError::Exposed { path, mode });
    }
    let content = |source| KeyStoreError::Content {
        path: path.to_owned(),
        source,
    };
    // Never grows, so no copy of it is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_FILE_MAX + 1));
    let mut limited = file.take(KEY_FILE_MAX as u64 + 1);
    let mut chunk = Zeroizing::new([0; 4096]);
    loop {
        match limited.read(&mut *chunk).map_err(io)? {
            0 => break,
            read => bytes.extend_from_slice(chunk.get(..read).unwrap_or_default()),
        }
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| content(KeyFileError::PrivateKey))?;
    SigningKey::from_file(text, passphrase).map_err(content)
}
