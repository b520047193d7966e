// SPDX-License-Identifier: Apache-2.0
//! A journal whose acknowledged end is claimed by an anchor.
//!
//! Frame k + 1 is acknowledged when it is durable *and* the claim of frame k is: so whatever is
//! lost of an acknowledged history, at most its last frame is lost unnoticed. The claim is written
//! while the frame is, and adds no second sync to its latency.

use std::sync::Mutex;

use super::anchor::Anchor;
use super::anchorer::Anchorer;
use super::as_below::as_below;
use super::error::{AppendFailure, ReadFailure};
use super::{Frame, Head, Journal, Unfinished};
use crate::error::{Cause, OpenError};
use crate::events::Seq;
use crate::locks::whole;

/// When the anchor is written.
///
/// Example: `tests/anchor.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Anchoring {
    /// With the frame after, and soon after the last one. An acknowledged frame is covered a few
    /// milliseconds after its acknowledgement at the latest.
    #[default]
    Pipelined,
    /// Before every answer: a second sync in each commit's latency, and nothing acknowledged is
    /// ever uncovered.
    BeforeEveryAnswer,
}

/// A journal and its anchor.
///
/// Example: `tests/anchor.rs`.
pub struct Anchored<J> {
    journal: J,
    anchoring: Anchoring,
    anchorer: Anchorer,
    /// Frames up to the head.
    /// Lock: the writer's thread, for one append with its claim: as long as the medium takes. The close waits for
    /// it.
    frames: Mutex<u64>,
}

impl<J: Journal> Anchored<J> {
    /// Puts an anchor over a journal that was recovered. What it claims must be there: see
    /// [`Anchor::check`].
    ///
    /// # Errors
    /// As [`Anchor::check`], and where the frames behind the claim do not verify.
    pub fn open(journal: J, anchor: Anchor, anchoring: Anchoring) -> Result<Self, OpenError> {
        let unreadable = |failure: ReadFailure| OpenError::journal(failure);
        let head = journal.head().map_err(unreadable)?;
        let claim = *anchor.claim();
        anchor.check(&journal)?;
        let after = Seq::FIRST.plus(claim.count());
        let mut frames = claim.frames;
        for frame in journal.frames(after) {
            frame.map_err(unreadable)?;
            frames += 1;
        }
        let path = anchor.path().to_owned();
        let anchorer = Anchorer::start(anchor).map_err(|error| OpenError::io(&path, error))?;
        // The recovery synced it.
        anchorer.soon(head, frames);
        Ok(Self {
            journal,
            anchoring,
            anchorer,
            frames: Mutex::new(frames),
        })
    }
}

impl<J: Journal> Journal for Anchored<J> {
    as_below!(|it| it.journal; head, ledger, frame_at, frames, size_bytes, wal_files, wal_holds);

    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        // Poisoned: an append panicked, and nobody knows how far it and its claim came.
        let mut frames = self
            .frames
            .lock()
            .map_err(|_| AppendFailure::after_unknown_outcome())?;
        if let Some(cause) = self.anchorer.failed() {
            return Err(AppendFailure::Unavailable { cause });
        }
        let before = self.journal.head();
        let before = before.map_err(|failure| AppendFailure::Unavailable {
            cause: Cause::of(failure),
        })?;
        self.anchorer.now(before, *frames);
        self.journal.append(frame, after)?;
        *frames += 1;
        // Durable, and not acknowledged before the anchor has come up to the frame before.
        let mut covered = before.count();
        if self.anchoring == Anchoring::BeforeEveryAnswer {
            self.anchorer.now(frame.last, *frames);
            covered = frame.last_seq().get();
        }
        let waited = self.anchorer.wait(covered);
        waited.map_err(|cause| AppendFailure::OutcomeUnknown { cause })?;
        self.anchorer.soon(frame.last, *frames);
        Ok(())
    }

    fn close(&self) {
        // Waits for an append under way.
        drop(whole(self.frames.lock()));
        self.anchorer.stop();
        self.journal.close();
    }

    fn unfinished(&self) -> Unfinished {
        Unfinished {
            claim: self.anchorer.writing(),
            ..self.journal.unfinished()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::events::{EventType, LedgerId};
    use crate::journal::{FrameBuilder, MemoryJournal, NewRecord};

    fn frame(after: Head) -> Frame {
        let mut builder = FrameBuilder::new(LedgerId::from_bytes([7; 16]), 1, after);
        let record = NewRecord::new(EventType::ModuleRemoved, 1, Vec::new());
        builder.push(&record, 1);
        builder.finish()
    }

    #[test]
    fn what_the_anchor_cannot_claim_is_not_acknowledged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ANCHOR");
        let ledger = LedgerId::from_bytes([7; 16]);
        Anchor::create(&path, ledger, &Head::default(), 0).unwrap();
        // Opened to be read alone: what is written to it fails.
        let anchor = Anchor::open_on(&path, File::open(&path).unwrap()).unwrap();
        let journal = Anchored::open(MemoryJournal::new(), anchor, Anchoring::Pipelined).unwrap();
        // Nothing was durable before the first frame: there is nothing to claim.
        let first = frame(Head::default());
        journal.append(&first, &Head::default()).unwrap();
        // The claim of the first fails with the second, or before it.
        let second = journal.append(&frame(first.last), &first.last).unwrap_err();
        let known = ["outcome_unknown", "unavailable"].contains(&second.code());
        assert!(known && second.to_string().contains("ANCHOR"), "{second}");
        let head = journal.head().unwrap();
        let third = journal.append(&frame(head), &head).unwrap_err();
        assert_eq!(third.code(), "unavailable");
        assert_eq!(Anchor::open(&path).unwrap().claim().seq, None);
        journal.close();
    }

    /// Nobody knows how far an append came that panicked: the next one would be a second try.
    #[test]
    fn nothing_is_appended_behind_an_append_that_panicked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ANCHOR");
        Anchor::create(&path, LedgerId::from_bytes([7; 16]), &Head::default(), 0).unwrap();
        let anchor = Anchor::open(&path).unwrap();
        let journal = Anchored::open(MemoryJournal::new(), anchor, Anchoring::Pipelined).unwrap();
        std::thread::scope(|scope| {
            let panicked = scope.spawn(|| {
                let _appending = journal.frames.lock();
                panic!("as a test wants");
            });
            panicked.join().unwrap_err();
        });
        let first = frame(Head::default());
        let refused = journal.append(&first, &Head::default()).unwrap_err();
        assert_eq!(refused.code(), "unavailable");
        assert_eq!(journal.head().unwrap().count(), 0);
        journal.close();
    }
}
