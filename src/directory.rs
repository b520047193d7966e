// SPDX-License-Identifier: Apache-2.0
//! The ledger's directory: who may open it, which ledger it is, where things lie.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::clock::{SystemClock, SystemEntropy};
//! use femtoclaw_ledger::directory::Directory;
//! use femtoclaw_ledger::error::OpenError;
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("ledger");
//!
//! let (clock, entropy) = (SystemClock::default(), SystemEntropy::default());
//! let directory = Directory::open(&path, None, &clock, &entropy)?;
//! println!("ledger {}, its journal in {}", directory.identity().ledger, directory.journal().display());
//!
//! // As long as it is held, nobody else opens the ledger.
//! let second = Directory::open(&path, None, &clock, &entropy);
//! assert!(matches!(second, Err(OpenError::Locked { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

mod file_system_check;
mod identity;
mod insecure;
pub mod keys;
mod lock;
mod names;
pub(crate) mod scratch;
pub(crate) mod shared;
mod subject_key;

pub use identity::{DIRECTORY_FORMAT, Identity};

use crate::clock::{Clock, Entropy};
use crate::database::{self, PRIVATE_DIRECTORY, PRIVATE_FILE, files};
use crate::error::OpenError;
use crate::events::LedgerId;
use crate::journal::{Anchor, Head};

use lock::{Locks, lock};
pub(crate) use names::SUBJECTS;
use names::{ANCHOR, IDENTITY, LOCK, OPENED, is_the_volumes};
pub(crate) use subject_key::SubjectKey;

/// The directory of one ledger, locked as long as this value lives.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    identity: Identity,
    is_new: bool,
    locks: Locks,
}

impl Directory {
    /// Opens the directory `path` for the only writer; makes it a ledger where it does not exist
    /// or is empty. `ledger` is the id that a new ledger gets and an old one must have.
    ///
    /// # Errors
    /// [`OpenError`]; what is not ours or of another format is left untouched.
    pub fn open(
        path: &Path,
        ledger: Option<LedgerId>,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Self, OpenError> {
        let path = &*database::absolute(path)?;
        prepare(path)?;
        check_own(path)?;
        // Before anything is touched: is it ours, and can we read it?
        let found = Identity::read(&path.join(IDENTITY))?;
        if found.is_none() {
            check_empty(path)?;
        }
        let locks = lock(path)?;
        // Again under the lock: another process may have been creating it.
        let (identity, is_new) = match Identity::read(&path.join(IDENTITY))? {
            Some(identity) => (identity, false),
            None => (create_identity(path, ledger, clock, entropy)?, true),
        };
        if let Some(expected) = ledger.filter(|expected| *expected != identity.ledger) {
            let found = identity.ledger;
            return Err(OpenError::OtherLedger { expected, found });
        }
        if let Some((file_system, doubt)) = file_system_check::doubt(path) {
            tracing::warn!(path = %path.display(), file_system, doubt, "a doubtful file system");
        }
        restrict_top(path).map_err(|source| OpenError::io(path, source))?;
        sync_names(path).map_err(|source| OpenError::io(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            identity,
            is_new,
            locks,
        })
    }

    /// Which ledger it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// True where this opening created the ledger.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which directory it is, whatever its path leads to by now; `None` where the system does not say.
    pub(crate) fn inode(&self) -> Option<(u64, u64)> {
        let metadata = self.locks.directory.metadata().ok()?;
        Some((metadata.dev(), metadata.ino()))
    }

    /// Where the journal lies.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Where the anchor lies.
    #[must_use]
    pub fn anchor(&self) -> PathBuf {
        self.path.join(ANCHOR)
    }

    /// Where the key of subjects lies.
    #[must_use]
    pub fn subjects(&self) -> PathBuf {
        self.path.join(SUBJECTS)
    }

    /// Where the views lie.
    #[must_use]
    pub fn views(&self) -> PathBuf {
        self.path.join("views")
    }

    /// Where what is set aside goes.
    #[must_use]
    pub fn quarantine(&self) -> PathBuf {
        self.path.join("quarantine")
    }

    /// Removes what never counted: everything that was being made under a name of its own when an
    /// earlier process ended. Gives what there was.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub fn sweep(&self) -> Result<Vec<PathBuf>, OpenError> {
        let mut swept = Vec::new();
        for name in ["", "quarantine", "snapshots"] {
            let directory = self.path.join(name);
            if !name.is_empty() && files::check_directory(&directory).is_err() {
                continue;
            }
            for entry in fs::read_dir(&directory).map_err(|e| OpenError::io(&directory, e))? {
                let path = entry.map_err(|e| OpenError::io(&directory, e))?.path();
                if path
                    .extension()
                    .is_some_and(|extension| extension == "creating")
                {
                    let removed = match path.is_dir() && !path.is_symlink() {
                        true => fs::remove_dir_all(&path),
                        false => fs::remove_file(&path),
                    };
                    removed.map_err(|error| OpenError::io(&path, error))?;
                    swept.push(path);
                }
            }
        }
        Ok(swept)
    }

    /// Takes every right from group and others, over the whole directory. The database's threads
    /// make files with the umask's rights; the directory at 0700 is the barrier until then.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub fn restrict(&self) -> Result<(), OpenError> {
        database::restrict(&self.path).map_err(|source| OpenError::io(&self.path, source))
    }
}

/// Which directory this path leads to.
pub(crate) fn inode(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Nothing in the directory that is opened later is something else than a file of ours.
///
/// # Errors
/// [`OpenError::OddFile`], and those of the operating system.
pub(crate) fn check_own(path: &Path) -> Result<(), OpenError> {
    match files::check_tree(path, &OPENED) {
        Err((missing, error))
            if missing == path && error.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(())
        }
        checked => checked.map_err(|(path, odd)| OpenError::io(&path, odd)),
    }
}

/// The directory exists afterwards, and nobody else may write to it.
fn prepare(path: &Path) -> Result<(), OpenError> {
    let io = |source| OpenError::io(path, source);
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            create_durably(path).map_err(io)?;
            fs::metadata(path).map_err(io)?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(OpenError::NotADirectory {
                path: path.to_owned(),
            });
        }
        Err(error) => return Err(io(error)),
    };
    if !metadata.is_dir() {
        return Err(OpenError::NotADirectory {
            path: path.to_owned(),
        });
    }
    insecure::check(path, &metadata)
}

/// Every directory that is made on the way has its name synced too.
fn create_durably(path: &Path) -> std::io::Result<()> {
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty() && !parent.exists())
    {
        create_parents(parent)?;
    }
    database::create_private(path)?;
    database::sync_parent(path)
}

fn create_parents(path: &Path) -> std::io::Result<()> {
    if path.as_os_str().is_empty() || path.exists() {
        return Ok(());
    }
    path.parent().map_or(Ok(()), create_parents)?;
    match fs::create_dir(path) {
        Ok(()) => database::sync_parent(path),
        // Another process was faster.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A directory without identity may hold only what an opening that was cut short leaves.
fn check_empty(path: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(path).map_err(|source| OpenError::io(path, source))? {
        let name = entry
            .map_err(|source| OpenError::io(path, source))?
            .file_name();
        let ours = [LOCK, IDENTITY, ANCHOR, SUBJECTS];
        let name_text = name.to_string_lossy();
        let finished = name_text.strip_suffix(".creating").unwrap_or(&name_text);
        if !ours.contains(&finished) && !is_the_volumes(path, &name) {
            return Err(OpenError::NotALedger {
                path: path.to_owned(),
                problem: format!("it has no {IDENTITY} file and holds {}", name.display()),
            });
        }
    }
    Ok(())
}

fn create_identity(
    path: &Path,
    ledger: Option<LedgerId>,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Identity, OpenError> {
    let identity = Identity {
        format: DIRECTORY_FORMAT,
        ledger: ledger.unwrap_or_else(|| LedgerId::from_bytes(entropy.bytes16())),
        created_ns: clock.now_ns(),
    };
    // Before the identity: a ledger that has its identity has its anchor, or has lost it.
    Anchor::create(&path.join(ANCHOR), identity.ledger, &Head::default(), 0)?;
    // So with the key of its subjects.
    let subjects = path.join(SUBJECTS);
    SubjectKey::create(&subjects, identity.ledger, entropy)
        .map_err(|source| OpenError::io(&subjects, source))?;
    let target = path.join(IDENTITY);
    let written = database::replace(&target, identity.encode().as_bytes());
    written.map_err(|source| OpenError::io(&target, source))?;
    Ok(identity)
}

/// An earlier opening may have made names and died, or failed, before they were durable: nothing is
/// acknowledged on top of a name that a power cut could still take away.
fn sync_names(path: &Path) -> std::io::Result<()> {
    files::open(&path.join(IDENTITY))?.sync_all()?;
    files::open_directory(path)?.sync_all()?;
    database::sync_parent(path)
}

/// The directory and our own files; the databases restrict themselves.
fn restrict_top(path: &Path) -> std::io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(PRIVATE_DIRECTORY))?;
    for file in [LOCK, IDENTITY, ANCHOR] {
        match files::open_to_write(&path.join(file)) {
            // A missing file is reported by the reader that misses it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            file => file?.set_permissions(Permissions::from_mode(PRIVATE_FILE))?,
        }
    }
    Ok(())
}
