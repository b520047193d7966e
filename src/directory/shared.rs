// SPDX-License-Identifier: Apache-2.0
//! The directory of a ledger, opened for reading: nothing in it changes, no byte and no time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::identity::Identity;
use super::lock::holder;
use super::{ANCHOR, IDENTITY, LOCK, insecure};
use crate::database::files;
use crate::error::OpenError;

const JOURNAL: &str = "journal";

/// Keeps writers out, and other readers not, as long as this value lives.
#[derive(Debug)]
pub(crate) struct SharedDirectory {
    path: PathBuf,
    /// Which ledger it is, or why the file does not say so.
    identity: Result<Identity, String>,
    /// What could not be locked.
    unlocked: Vec<String>,
    locks: Vec<File>,
}

impl Drop for SharedDirectory {
    fn drop(&mut self) {
        // Said aloud: a process that is being started at this moment holds copies of the handles.
        for lock in &self.locks {
            if let Err(error) = lock.unlock() {
                tracing::debug!(%error, "a lock goes with its handle");
            }
        }
    }
}

impl SharedDirectory {
    /// Opens the directory `path`. A ledger whose identity file is missing or damaged is opened where
    /// there is a journal.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::io(path, source);
        let not_a_ledger = |problem: &str| OpenError::NotALedger {
            path: path.to_owned(),
            problem: problem.to_owned(),
        };
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(not_a_ledger("no such directory"));
            }
            found => found.map_err(io)?,
        };
        if !metadata.is_dir() {
            let path = path.to_owned();
            return Err(OpenError::NotADirectory { path });
        }
        insecure::check(path, &metadata)?;
        // Before the locks, so that what is of another format is told to be so.
        drop(identity(path)?);
        let mut shared = Self {
            path: path.to_owned(),
            identity: Err(String::new()),
            unlocked: Vec::new(),
            locks: Vec::new(),
        };
        for name in [LOCK, "", "journal/lock"] {
            shared.lock(&path.join(name))?;
        }
        shared.identity = identity(path)?;
        Ok(shared)
    }

    fn lock(&mut self, path: &Path) -> Result<(), OpenError> {
        // The directory's own path ends in a separator.
        let opened = match path.file_name() == self.path.file_name() {
            true => files::open_directory(path),
            false => files::open(path),
        };
        let file = match opened {
            Ok(file) => file,
            // The holder of the other locks is kept out all the same.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(OpenError::io(path, error)),
        };
        match file.try_lock_shared() {
            Ok(()) => self.locks.push(file),
            Err(TryLockError::WouldBlock) => {
                let holds = files::open(&self.path.join(LOCK));
                let pid = holds.map_or(0, |file| holder(&file));
                return Err(OpenError::Locked { pid });
            }
            Err(TryLockError::Error(error)) => {
                self.unlocked.push(format!("{}: {error}", path.display()));
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn identity(&self) -> Result<&Identity, &str> {
        self.identity.as_ref().map_err(String::as_str)
    }

    pub(crate) fn unlocked(&self) -> &[String] {
        &self.unlocked
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    pub(crate) fn anchor(&self) -> PathBuf {
        self.path.join(ANCHOR)
    }

    /// Where the identity lies.
    pub(crate) fn identity_file(&self) -> PathBuf {
        self.path.join(IDENTITY)
    }
}

/// The inner error is told of a ledger; the outer says that there is none to be opened.
fn identity(path: &Path) -> Result<Result<Identity, String>, OpenError> {
    let file = path.join(IDENTITY);
    let has_journal = path.join(JOURNAL).is_dir();
    match Identity::read(&file) {
        Ok(Some(identity)) => Ok(Ok(identity)),
        Ok(None) if has_journal => Ok(Err("it is missing".to_owned())),
        Ok(None) => Err(OpenError::NotALedger {
            path: path.to_owned(),
            problem: format!("it has no {IDENTITY} file and no journal"),
        }),
        Err(OpenError::Damaged { problem, .. } | OpenError::NotALedger { problem, .. })
            if has_journal =>
        {
            Ok(Err(problem))
        }
        Err(error) => Err(error),
    }
}
