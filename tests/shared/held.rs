// SPDX-License-Identifier: Apache-2.0
//! Faults below the writer, through the library's own seams: a journal whose sync can be held and failed,
//! and an anchor's file whose claims can be failed. The tests inside the library include this file too.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic"
)]
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use femtoclaw_ledger::events::{LedgerId, Seq};
use femtoclaw_ledger::journal::{
    Anchor, AnchorFile, AppendFailure, Frame, Frames, Head, Journal, MemoryJournal, ReadFailure,
    Unfinished,
};

/// How a sync fails; the caller can't tell the two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailedSync {
    /// The frame is there after the next opening.
    Persisted,
    /// The frame is not there after the next opening.
    NotPersisted,
}

#[derive(Debug, Default)]
struct SyncState {
    held: bool,
    waiting: usize,
    fail_next: Option<FailedSync>,
}

/// A journal over another one, whose sync can be held and failed. A clone is the same opening.
pub(crate) struct HeldJournal<J>(Arc<Held<J>>);

/// One in memory.
pub(crate) type HeldMemory = HeldJournal<MemoryJournal>;

struct Held<J> {
    below: J,
    sync: Mutex<SyncState>,
    changed: Condvar,
    /// The head before the append that failed: nothing behind it is shown until the next opening.
    failed_at: Mutex<Option<Head>>,
}

impl<J> Clone for HeldJournal<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl HeldMemory {
    /// An empty journal.
    pub(crate) fn in_memory() -> Self {
        Self::new(MemoryJournal::new())
    }

    /// Another opening of the same frames, which is not held and has not failed.
    pub(crate) fn reopen(&self) -> Self {
        Self::new(self.0.below.reopen())
    }
}

impl<J: Journal> HeldJournal<J> {
    /// Wraps a journal.
    pub(crate) fn new(below: J) -> Self {
        Self(Arc::new(Held {
            below,
            sync: Mutex::default(),
            changed: Condvar::new(),
            failed_at: Mutex::default(),
        }))
    }

    /// The journal that it is over.
    pub(crate) fn below(&self) -> &J {
        &self.0.below
    }

    fn lock(&self) -> MutexGuard<'_, SyncState> {
        self.0.sync.lock().unwrap()
    }

    /// From here on no sync comes back.
    pub(crate) fn hold(&self) {
        self.lock().held = true;
    }

    /// Syncs come back again.
    pub(crate) fn release(&self) {
        self.lock().held = false;
        self.0.changed.notify_all();
    }

    /// The next sync fails.
    pub(crate) fn fail_next(&self, how: FailedSync) {
        self.lock().fail_next = Some(how);
    }

    /// Waits until an append stands at its sync; false where none came in time.
    #[must_use]
    pub(crate) fn wait_until_held(&self, timeout: Duration) -> bool {
        let until = |sync: &mut SyncState| sync.waiting == 0;
        let changed = &self.0.changed;
        let waited = changed.wait_timeout_while(self.lock(), timeout, until);
        waited.unwrap().0.waiting > 0
    }

    /// Stands for the sync: waits while held, then says how it is to fail, if it is.
    fn sync(&self) -> Option<FailedSync> {
        let mut sync = self.lock();
        sync.waiting += 1;
        self.0.changed.notify_all();
        let released = self.0.changed.wait_while(sync, |sync| sync.held);
        let mut sync = released.unwrap();
        sync.waiting -= 1;
        sync.fail_next.take()
    }

    fn failed_at(&self) -> MutexGuard<'_, Option<Head>> {
        self.0.failed_at.lock().unwrap()
    }
}

impl<J: Journal> Journal for HeldJournal<J> {
    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        if self.failed_at().is_some() {
            return Err(AppendFailure::Unavailable {
                cause: "an earlier append failed, as a test wanted".into(),
            });
        }
        let Some(how) = self.sync() else {
            return self.0.below.append(frame, after);
        };
        if how == FailedSync::Persisted {
            self.0.below.append(frame, after)?;
        }
        *self.failed_at() = Some(*after);
        Err(AppendFailure::OutcomeUnknown {
            cause: "the sync failed, as a test wanted".into(),
        })
    }

    fn head(&self) -> Result<Head, ReadFailure> {
        let failed_at = *self.failed_at();
        failed_at.map_or_else(|| self.0.below.head(), Ok)
    }

    fn ledger(&self) -> Result<Option<LedgerId>, ReadFailure> {
        self.0.below.ledger()
    }

    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        let shown = self.head()?.count();
        if seq.get() > shown {
            return Ok(None);
        }
        self.0.below.frame_at(seq)
    }

    fn frames(&self, from: Seq) -> Frames {
        let failed_at = *self.failed_at();
        let shown = failed_at.map_or(u64::MAX, |head| head.count());
        let is_shown = move |frame: &Result<Frame, ReadFailure>| {
            frame
                .as_ref()
                .map_or(true, |frame| frame.last_seq().get() <= shown)
        };
        Box::new(self.0.below.frames(from).take_while(is_shown))
    }

    fn close(&self) {
        self.release();
        self.0.below.close();
    }

    fn size_bytes(&self) -> u64 {
        self.0.below.size_bytes()
    }

    fn wal_files(&self) -> usize {
        self.0.below.wal_files()
    }

    fn wal_holds(&self) -> bool {
        self.0.below.wal_holds()
    }

    fn unfinished(&self) -> Unfinished {
        self.0.below.unfinished()
    }
}

/// How the writing of a claim fails; the caller can't tell these apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailedClaim {
    /// The slot is as it was.
    NotPersisted,
    /// Only the first half of the slot is there.
    Torn,
    /// The claim is there.
    Persisted,
}

/// An anchor's file whose claims can be failed. A clone is the same file.
#[derive(Clone)]
pub(crate) struct FailingClaims {
    file: Arc<File>,
    fail_next: Arc<Mutex<Option<FailedClaim>>>,
}

impl FailingClaims {
    /// The anchor in `path`, over such a file.
    pub(crate) fn anchor(path: &Path) -> (Anchor, Self) {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let claims = Self {
            file: Arc::new(file),
            fail_next: Arc::default(),
        };
        (Anchor::open_on(path, claims.clone()).unwrap(), claims)
    }

    /// The next claim fails.
    pub(crate) fn fail_next(&self, how: FailedClaim) {
        *self.fail_next.lock().unwrap() = Some(how);
    }
}

impl AnchorFile for FailingClaims {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        AnchorFile::read_exact_at(&*self.file, bytes, offset)
    }

    fn write_durably_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let failed = self.fail_next.lock().unwrap().take();
        let (half, _) = bytes.split_at(bytes.len() / 2);
        let written = match failed {
            None | Some(FailedClaim::Persisted) => bytes,
            Some(FailedClaim::Torn) => half,
            Some(FailedClaim::NotPersisted) => &[],
        };
        self.file.write_durably_at(written, offset)?;
        match failed {
            None => Ok(()),
            Some(_) => Err(io::Error::other("the claim failed, as a test wanted")),
        }
    }
}
