// SPDX-License-Identifier: Apache-2.0
//! The journal together with the directory's lock: the lock goes when the journal has gone, and
//! not before, whoever holds the last reader.

use std::path::PathBuf;
use std::sync::Mutex;

use crate::directory::Directory;
use crate::error::OpenError;
use crate::journal::{Anchored, AppendFailure, FjallJournal, Frame, Head, Journal, as_below};
use crate::locks::whole;

pub(in crate::ledger) struct LockedJournal {
    /// First: dropped before the lock.
    journal: Anchored<FjallJournal>,
    /// Lock: the close to take it out, others for its path or to take rights from its files; nothing waits for a
    /// sync under it.
    directory: Mutex<Option<Directory>>,
}

impl LockedJournal {
    pub(in crate::ledger) fn new(journal: Anchored<FjallJournal>, directory: Directory) -> Self {
        Self {
            journal,
            directory: Mutex::new(Some(directory)),
        }
    }
}

impl LockedJournal {
    /// Closes the journal and gives the directory, still locked; `None` the second time.
    pub(in crate::ledger) fn release(&self) -> Option<Directory> {
        self.journal.close();
        let directory = whole(self.directory.lock()).take();
        // Files that the engine made meanwhile have the umask's rights; the directory is 0700.
        if let Some(Err(error)) = directory.as_ref().map(Directory::restrict) {
            tracing::warn!(%error, "some files keep wider rights than 0600");
        }
        directory
    }

    /// The ledger's directory, and which one it is, as long as it is held.
    pub(in crate::ledger) fn place(&self) -> Option<(PathBuf, Option<(u64, u64)>)> {
        let directory = self.directory.lock();
        let directory = whole(directory);
        let place = |it: &Directory| (it.path().to_owned(), it.inode());
        directory.as_ref().map(place)
    }

    /// Takes every right from group and others.
    pub(in crate::ledger) fn restrict(&self) -> Result<(), OpenError> {
        let directory = whole(self.directory.lock());
        directory.as_ref().map_or(Ok(()), Directory::restrict)
    }
}

impl Journal for LockedJournal {
    as_below!(|it| it.journal; head, ledger, frame_at, frames, size_bytes, wal_files, wal_holds, unfinished);

    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        self.journal.append(frame, after)
    }

    fn close(&self) {
        drop(self.release());
    }
}
