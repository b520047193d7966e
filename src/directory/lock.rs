// SPDX-License-Identifier: Apache-2.0
//! Who holds a ledger's directory.

use std::fs::{File, TryLockError};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use super::LOCK;
use crate::database::files;
use crate::error::OpenError;

/// A process id, and a line feed.
const HOLDER_BYTES_MAX: usize = 32;

/// The file holds the holder's process id; the directory's own lock is the one that nobody can
/// remove by removing a file.
#[derive(Debug)]
pub(super) struct Locks {
    file: File,
    pub(super) directory: File,
    /// Who took them.
    pid: u32,
}

impl Drop for Locks {
    fn drop(&mut self) {
        // Said aloud: a child that was forked holds copies of the handles, and with them the lock. Its
        // own copy of this value must not let go of the parent's.
        if std::process::id() != self.pid {
            return;
        }
        for lock in [&self.file, &self.directory] {
            if let Err(error) = lock.unlock() {
                tracing::debug!(%error, "a lock goes with its handle");
            }
        }
    }
}

pub(super) fn lock(directory: &Path) -> Result<Locks, OpenError> {
    let path = directory.join(LOCK);
    let io = |source| OpenError::io(&path, source);
    let file = files::open_or_create(&path).map_err(io)?;
    let whole = files::open_directory(directory).map_err(io)?;
    for (handle, is_needed) in [(&file, true), (&whole, false)] {
        match handle.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // The number in the file is the last writer's, and not that of who only reads.
                let is_read = handle.try_lock_shared().is_ok();
                let pid = if is_read { 0 } else { holder(&file) };
                return Err(OpenError::Locked { pid });
            }
            Err(TryLockError::Error(error)) if is_needed => return Err(io(error)),
            // Some file systems lock no directories; the file does then.
            Err(TryLockError::Error(_)) => {}
        }
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.write_all_at(pid.as_bytes(), 0))
        .map_err(io)?;
    Ok(Locks {
        file,
        directory: whole,
        pid: std::process::id(),
    })
}

/// Who holds the lock; 0 where it does not say so.
pub(super) fn holder(file: &File) -> u32 {
    // The holder writes its number right after it has the lock: give it that moment.
    for _ in 0..20 {
        let mut bytes = [0; HOLDER_BYTES_MAX];
        let read = file.read_at(&mut bytes, 0).unwrap_or(0);
        let text = bytes.get(..read).map(String::from_utf8_lossy);
        if let Some(Ok(pid)) = text.map(|text| text.trim().parse()) {
            return pid;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    0
}
