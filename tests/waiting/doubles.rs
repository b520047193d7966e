// SPDX-License-Identifier: Apache-2.0
//! A journal in memory with something in the way of its reads.

use femtoclaw_ledger::events::{LedgerId, Seq};
use femtoclaw_ledger::journal::{
    AppendFailure, Frame, Frames, Head, Journal, MemoryJournal, ReadFailure, Unfinished,
};

/// What is in the way.
pub(crate) trait Hook: Send + Sync {
    /// Before frames are read, in the thread that reads them.
    fn look(&self) {}

    /// Why a frame that ends with this record cannot be read.
    fn failure(&self, _last: u64) -> Option<ReadFailure> {
        None
    }
}

/// Whether this is the scrub's thread.
pub(crate) fn is_scrub() -> bool {
    std::thread::current().name() == Some("ledger-scrub")
}

pub(crate) struct Hooked<H> {
    pub(crate) inner: MemoryJournal,
    pub(crate) hook: H,
}

impl<H: Hook + Clone + 'static> Journal for Hooked<H> {
    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        self.inner.append(frame, after)
    }

    fn head(&self) -> Result<Head, ReadFailure> {
        self.inner.head()
    }

    fn ledger(&self) -> Result<Option<LedgerId>, ReadFailure> {
        self.inner.ledger()
    }

    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        self.hook.look();
        match self.hook.failure(seq.get()) {
            Some(failure) => Err(failure),
            None => self.inner.frame_at(seq),
        }
    }

    fn frames(&self, from: Seq) -> Frames {
        self.hook.look();
        let hook = self.hook.clone();
        let read = move |frame: Result<Frame, ReadFailure>| {
            let frame = frame?;
            match hook.failure(frame.last_seq().get()) {
                Some(failure) => Err(failure),
                None => Ok(frame),
            }
        };
        Box::new(self.inner.frames(from).map(read))
    }

    fn close(&self) {
        self.inner.close();
    }

    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }

    fn wal_files(&self) -> usize {
        self.inner.wal_files()
    }

    fn wal_holds(&self) -> bool {
        self.inner.wal_holds()
    }

    fn unfinished(&self) -> Unfinished {
        self.inner.unfinished()
    }
}
