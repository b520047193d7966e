// SPDX-License-Identifier: Apache-2.0
//! A journal whose sync can be held and failed: for tests of what is answered, and when.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::as_below::as_below;
use super::error::{AppendFailure, ReadFailure};
use super::{Frame, Frames, Head, Journal};
use crate::events::Seq;
use crate::locks::whole;

/// How a sync fails; the caller can't tell the two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedSync {
    /// The frame is there after the next opening.
    Persisted,
    /// The frame is not there after the next opening.
    NotPersisted,
}

/// How the writing of a claim fails; the caller can't tell these apart either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedClaim {
    /// The slot is as it was.
    NotPersisted,
    /// Only the first half of the slot is there.
    Torn,
    /// The claim is there.
    Persisted,
}

impl FailedClaim {
    /// What reached the medium of a slot's bytes, and the error.
    pub(super) fn of(self, slot: &[u8]) -> (&[u8], io::Error) {
        let (half, _) = slot.split_at(slot.len() / 2);
        let written = match self {
            Self::NotPersisted => &[],
            Self::Torn => half,
            Self::Persisted => slot,
        };
        (
            written,
            io::Error::other("the claim failed, as a test wanted"),
        )
    }
}

/// Fails the claims of an anchor: for tests.
#[derive(Debug, Clone, Default)]
pub struct ClaimHook(Arc<Mutex<Option<FailedClaim>>>);

impl ClaimHook {
    /// The next claim fails.
    pub fn fail_next(&self, how: FailedClaim) {
        *whole(self.0.lock()) = Some(how);
    }

    pub(super) fn take(&self) -> Option<FailedClaim> {
        let mut next = whole(self.0.lock());
        next.take()
    }
}

#[derive(Debug, Default)]
struct HeldState {
    held: bool,
    waiting: usize,
    fail_next: Option<FailedSync>,
}

/// The hooks: hold, release, fail.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    state: Mutex<HeldState>,
    changed: Condvar,
}

impl Hooks {
    fn lock(&self) -> MutexGuard<'_, HeldState> {
        whole(self.state.lock())
    }

    pub(super) fn hold(&self) {
        self.lock().held = true;
    }

    pub(super) fn release(&self) {
        self.lock().held = false;
        self.changed.notify_all();
    }

    pub(super) fn fail_next(&self, how: FailedSync) {
        self.lock().fail_next = Some(how);
    }

    pub(super) fn wait_until_held(&self, timeout: Duration) -> bool {
        let until = |state: &mut HeldState| state.waiting == 0;
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, until);
        whole(waited).0.waiting > 0
    }

    /// Stands for the sync: waits while held, then says how it is to fail, if it is.
    pub(super) fn sync(&self) -> Option<FailedSync> {
        let mut state = self.lock();
        state.waiting += 1;
        self.changed.notify_all();
        let released = self.changed.wait_while(state, |state| state.held);
        let mut state = whole(released);
        state.waiting -= 1;
        state.fail_next.take()
    }
}

pub(super) fn failed() -> AppendFailure {
    AppendFailure::OutcomeUnknown {
        cause: "the sync failed, as a test wanted".into(),
    }
}

pub(super) fn unavailable() -> AppendFailure {
    AppendFailure::Unavailable {
        cause: "an earlier append failed with an unknown outcome".into(),
    }
}

/// Any journal, with hooks over its sync.
#[derive(Debug)]
pub struct HeldJournal<J> {
    inner: J,
    hooks: Hooks,
    /// The head before the append that failed: nothing behind it is shown until the next opening.
    failed_at: Mutex<Option<Head>>,
}

impl<J: Journal> HeldJournal<J> {
    /// Wraps a journal.
    #[must_use]
    pub fn new(inner: J) -> Self {
        Self {
            inner,
            hooks: Hooks::default(),
            failed_at: Mutex::default(),
        }
    }

    /// From here on no sync comes back.
    pub fn hold(&self) {
        self.hooks.hold();
    }

    /// Syncs come back again.
    pub fn release(&self) {
        self.hooks.release();
    }

    /// The next sync fails.
    pub fn fail_next(&self, how: FailedSync) {
        self.hooks.fail_next(how);
    }

    /// Waits until an append stands at its sync; false where none came in time.
    #[must_use]
    pub fn wait_until_held(&self, timeout: Duration) -> bool {
        self.hooks.wait_until_held(timeout)
    }

    fn failed_at(&self) -> MutexGuard<'_, Option<Head>> {
        whole(self.failed_at.lock())
    }
}

impl<J: Journal> Journal for HeldJournal<J> {
    as_below!(|it| it.inner; ledger, size_bytes, wal_files, wal_holds, unfinished);

    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        if self.failed_at().is_some() {
            return Err(unavailable());
        }
        let Some(how) = self.hooks.sync() else {
            return self.inner.append(frame, after);
        };
        if how == FailedSync::Persisted {
            self.inner.append(frame, after)?;
        }
        *self.failed_at() = Some(*after);
        Err(failed())
    }

    fn head(&self) -> Result<Head, ReadFailure> {
        let failed_at = *self.failed_at();
        failed_at.map_or_else(|| self.inner.head(), Ok)
    }

    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        let shown = self.head()?.seq;
        if seq.get() > shown {
            return Ok(None);
        }
        self.inner.frame_at(seq)
    }

    fn frames(&self, from: Seq) -> Frames {
        let failed_at = *self.failed_at();
        let shown = failed_at.map_or(u64::MAX, |head| head.seq);
        let is_shown = move |frame: &Result<Frame, ReadFailure>| {
            frame.as_ref().map_or(true, |frame| frame.last.seq <= shown)
        };
        Box::new(self.inner.frames(from).take_while(is_shown))
    }

    fn close(&self) {
        self.hooks.release();
        self.inner.close();
    }
}
