// SPDX-License-Identifier: Apache-2.0
//! A directory of our own outside the ledger, gone when it is no longer needed.
//!
//! It is locked as long as its process lives, so that what a killed one left is told apart from what
//! is in use and is removed by the next.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::clock::Entropy;
use crate::database::{self, files};
use crate::events::LedgerId;

const PREFIX: &str = "femtoclaw-ledger-scratch-";
const TRIES: usize = 16;

/// Removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes one in `parent`, which only this user can enter, and removes those that nobody holds any
    /// more.
    pub(crate) fn create(parent: &Path, entropy: &dyn Entropy) -> io::Result<Self> {
        entropy.ready()?;
        for _ in 0..TRIES {
            // Any 16 bytes in hexadecimal.
            let name = format!("{PREFIX}{}", LedgerId::from_bytes(entropy.bytes16()));
            let path = parent.join(name);
            database::create_private(&path)?;
            // Before it is locked, another sweep may take it for a left-over.
            let Some(lock) = held(&path)? else { continue };
            if let Err(error) = sweep(parent, lock.metadata()?.uid()) {
                tracing::debug!(%error, "left-over scratch directories stay");
            }
            return Ok(Self { path, _lock: lock });
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Its lock; `None` where it is being removed, or was.
fn held(path: &Path) -> io::Result<Option<File>> {
    let lock = match files::open_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if lock.try_lock().is_err() {
        return Ok(None);
    }
    let own = lock.metadata()?.ino();
    let named = path
        .symlink_metadata()
        .is_ok_and(|named| named.ino() == own);
    Ok(named.then_some(lock))
}

/// Those of this user alone: a shared directory for temporary files holds what others put there.
fn sweep(parent: &Path, owner: u32) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let path = entry.path();
        let metadata = path.symlink_metadata();
        if !is_ours || !metadata.is_ok_and(|found| found.is_dir() && found.uid() == owner) {
            continue;
        }
        if let Ok(lock) = files::open_directory(&path)
            && lock.try_lock().is_ok()
        {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a scratch directory stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn what_nobody_holds_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let entropy = SystemEntropy::default();
        let held = Scratch::create(parent.path(), &entropy).unwrap();
        let left = parent.path().join(format!("{PREFIX}left"));
        let foreign = parent.path().join("other");
        for directory in [&left, &foreign] {
            fs::create_dir_all(directory.join("views")).unwrap();
        }
        let linked = parent.path().join(format!("{PREFIX}link"));
        std::os::unix::fs::symlink(&foreign, &linked).unwrap();
        let other = Scratch::create(parent.path(), &entropy).unwrap();
        assert!(!left.exists() && foreign.join("views").exists());
        assert!(held.path().exists() && other.path().exists() && linked.exists());
        assert_eq!(fs::metadata(other.path()).unwrap().mode() & 0o777, 0o700);
        let path = held.path().to_owned();
        drop((held, other));
        assert!(!path.exists());
    }
}
