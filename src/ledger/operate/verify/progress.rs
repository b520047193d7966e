// SPDX-License-Identifier: Apache-2.0
//! How far a verification is, and whether it goes on: shared by its threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::journal::ReadFailure;
use crate::locks::whole;

/// How far a verification is. Every figure only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct VerifyProgress {
    /// Records checked.
    pub records: u64,
    /// Records there are to check.
    pub records_total: u64,
    /// Bytes read: of tables, and of frames.
    pub bytes: u64,
    /// Files checked.
    pub files: u64,
    /// Files there are to check; 0 until they have been counted.
    pub files_total: u64,
}

pub(super) struct ProgressTracker<'a> {
    /// Held while it is told, so that what is told only rises.
    /// Lock: the threads of one verification, for one sum; the embedder's callback is called under it.
    progress: Mutex<VerifyProgress>,
    tell: &'a (dyn Fn(&VerifyProgress) + Send + Sync),
    cancelled: &'a AtomicBool,
}

impl<'a> ProgressTracker<'a> {
    pub(super) fn new(
        records_total: u64,
        tell: &'a (dyn Fn(&VerifyProgress) + Send + Sync),
        cancelled: &'a AtomicBool,
    ) -> Self {
        Self {
            progress: Mutex::new(VerifyProgress {
                records_total,
                ..VerifyProgress::default()
            }),
            tell,
            cancelled,
        }
    }

    fn lock(&self) -> MutexGuard<'_, VerifyProgress> {
        whole(self.progress.lock())
    }

    pub(super) fn goes_on(&self) -> bool {
        !self.cancelled.load(Ordering::Acquire)
    }

    pub(super) fn check(&self) -> Result<(), ReadFailure> {
        match self.goes_on() {
            true => Ok(()),
            false => Err(stopped("the verification was cancelled")),
        }
    }

    /// So many files were looked at, and so many will be read.
    pub(super) fn files(&self, looked_at: u64, to_read: u64) {
        self.step(|progress| {
            progress.files = looked_at;
            progress.files_total = looked_at + to_read;
        });
    }

    /// A piece of a file was read, and perhaps the file ended with it.
    pub(super) fn read(&self, bytes: u64, files: u64) {
        self.step(|progress| {
            progress.bytes += bytes;
            progress.files += files;
        });
    }

    pub(super) fn walked(&self, records: u64, bytes: u64) {
        self.step(|progress| {
            let records = progress.records + records;
            progress.records = records.min(progress.records_total);
            progress.bytes += bytes;
        });
    }

    pub(super) fn done(&self) {
        self.step(|progress| progress.records = progress.records_total);
    }

    pub(super) fn progress(&self) -> VerifyProgress {
        *self.lock()
    }

    fn step(&self, step: impl FnOnce(&mut VerifyProgress)) {
        let mut progress = self.lock();
        step(&mut progress);
        (self.tell)(&progress);
    }
}

/// There is no answer, and nothing is said about the journal.
pub(super) fn stopped(cause: &str) -> ReadFailure {
    ReadFailure::Io {
        cause: cause.into(),
    }
}
