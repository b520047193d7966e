// SPDX-License-Identifier: Apache-2.0
//! A journal with a few frames, closed, whose files can be changed.

use std::fs;
use std::path::{Path, PathBuf};

use femtoclaw_ledger::journal::{
    Claim, FjallJournal, FoundInJournal, Journal, JournalOptions, RecoveredJournal,
};
use femtoclaw_ledger::{OpenError, Seq};

use crate::fixtures::{LEDGER, frame, seq};

/// Records in each of the frames.
pub(crate) const RECORDS: u64 = 5;

pub(crate) struct Scene {
    directory: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

/// Everything under a directory, and what it holds.
pub(crate) type State = Vec<(PathBuf, Vec<u8>)>;

pub(crate) fn open(path: &Path, acknowledged: u64) -> Result<RecoveredJournal, OpenError> {
    let claim = Claim {
        ledger: LEDGER,
        generation: 1,
        seq: Seq::new(acknowledged),
        hash: [0; 32],
        frames: 1,
    };
    FjallJournal::recover(path, &JournalOptions::default(), Some(&claim))
}

pub(crate) fn append(journal: &FjallJournal, frames: u64) {
    for _ in 0..frames {
        let head = journal.head().unwrap();
        journal.append(&frame(head, RECORDS), &head).unwrap();
    }
}

fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.clone());
        if path.is_dir() {
            found.extend(files(&path));
        }
    }
    found.sort();
    found
}

impl Scene {
    /// A journal of so many frames, all of them in its log.
    pub(crate) fn new(frames: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let journal = open(&path, 0).unwrap().journal;
        append(&journal, frames);
        journal.close();
        Self { directory, path }
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("0.jnl")
    }

    /// The log up to its last byte that is not zero, as a process that was killed leaves it.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut bytes = fs::read(self.log()).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        bytes.truncate(used);
        bytes
    }

    /// Puts these bytes in the log's place, preallocated zeros after them or not.
    pub(crate) fn put(&self, bytes: &[u8], zeros: usize) {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len() + zeros, 0);
        fs::write(self.log(), bytes).unwrap();
    }

    /// Where each batch begins, and the end of the last.
    pub(crate) fn batches(&self) -> Vec<usize> {
        let bytes = self.written();
        let ends = bytes.windows(4).enumerate();
        let ends = ends.filter(|(_, four)| *four == b"FJL\x03");
        std::iter::once(0)
            .chain(ends.map(|(at, _)| at + 4))
            .collect()
    }

    pub(crate) fn state(&self) -> State {
        let files = files(self.directory.path()).into_iter();
        files
            .map(|file| {
                let bytes = fs::read(&file).unwrap_or_default();
                (file, bytes)
            })
            .collect()
    }

    pub(crate) fn quarantine(&self) -> Vec<PathBuf> {
        let path = self.directory.path().join("quarantine");
        if path.exists() {
            files(&path)
        } else {
            Vec::new()
        }
    }

    /// It is refused, and not a byte under the directory has changed.
    pub(crate) fn refused(&self, acknowledged: u64) -> OpenError {
        let before = self.state();
        let error = open(&self.path, acknowledged).unwrap_err();
        assert!(self.state() == before, "changed by a refusal: {error}");
        error
    }

    /// It opens with so many records, each of which verifies; gives what was found.
    pub(crate) fn opens_with(&self, records: u64) -> FoundInJournal {
        let RecoveredJournal { journal, found } = open(&self.path, 0).unwrap();
        assert_eq!(journal.head().unwrap().count(), records);
        for frame in journal.frames(seq(1)) {
            frame.unwrap().verify().unwrap();
        }
        journal.close();
        found
    }
}
