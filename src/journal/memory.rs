// SPDX-License-Identifier: Apache-2.0
//! A journal in memory, for what needs no disk: a model, an embedder's own tests. What was appended
//! outlives the handle, as a disk outlives a process: [`MemoryJournal::reopen`].

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::append_rules::JournalStanding;
use super::chained_frames::{self, ChainedFrames};
use super::error::{AppendFailure, FrameProblem, ReadFailure};
use super::{Frame, Frames, Head, Journal};
use crate::events::{LedgerId, Seq};
use crate::locks::whole;

/// Lock: the append for one frame put in, readers for a copy of one; nothing is called under it.
type Disk = Arc<Mutex<Vec<Frame>>>;

#[derive(Debug, Default)]
struct MemoryOpening {
    disk: Disk,
    /// Frames that this opening shows: what another one appended since is not among them.
    shown: AtomicUsize,
    closed: AtomicBool,
}

/// A journal in memory. A clone is the same opening.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal(Arc<MemoryOpening>);

fn lock(disk: &Disk) -> MutexGuard<'_, Vec<Frame>> {
    whole(disk.lock())
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another opening of the same frames, also where this one was closed.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let disk = Arc::clone(&self.0.disk);
        let shown = AtomicUsize::new(lock(&disk).len());
        Self(Arc::new(MemoryOpening {
            disk,
            shown,
            ..MemoryOpening::default()
        }))
    }

    fn standing(frames: &[Frame]) -> JournalStanding {
        frames
            .last()
            .map_or_else(JournalStanding::default, JournalStanding::after)
    }

    /// Looks at the frames that are shown.
    fn look<T>(&self, look: impl FnOnce(&[Frame]) -> T) -> Result<T, ReadFailure> {
        if self.0.closed.load(Ordering::SeqCst) {
            return Err(ReadFailure::Closed);
        }
        let disk = lock(&self.0.disk);
        let shown = self.0.shown.load(Ordering::SeqCst);
        Ok(look(disk.get(..shown).unwrap_or_default()))
    }

    /// Which of these frames is the first that may contain `from`.
    fn start(frames: &[Frame], from: Seq) -> usize {
        frames.partition_point(|frame| frame.last_seq().get() < from.get())
    }
}

impl Journal for MemoryJournal {
    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        let opening = &*self.0;
        if opening.closed.load(Ordering::SeqCst) {
            return Err(AppendFailure::Unavailable {
                cause: "the journal is closed".into(),
            });
        }
        let mut disk = lock(&opening.disk);
        Self::standing(&disk).admit(frame, after)?;
        disk.push(frame.clone());
        opening.shown.store(disk.len(), Ordering::SeqCst);
        Ok(())
    }

    fn head(&self) -> Result<Head, ReadFailure> {
        self.look(|frames| Self::standing(frames).head)
    }

    fn ledger(&self) -> Result<Option<LedgerId>, ReadFailure> {
        self.look(|frames| Self::standing(frames).ledger)
    }

    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        match self.look(|frames| frames.get(Self::start(frames, seq)).cloned())? {
            Some(frame) if !frame.contains(seq) => {
                Err(ReadFailure::damaged(seq, FrameProblem::Missing))
            }
            frame => Ok(frame),
        }
    }

    fn frames(&self, from: Seq) -> Frames {
        let found = self.look(|frames| {
            let later = frames.get(Self::start(frames, from)..).unwrap_or_default();
            (later.to_vec(), Self::standing(frames))
        });
        match found {
            Ok((frames, standing)) => {
                ChainedFrames::boxed(frames.into_iter().map(Ok), from, standing)
            }
            Err(failure) => chained_frames::failed(failure),
        }
    }

    fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
    }

    fn size_bytes(&self) -> u64 {
        lock(&self.0.disk)
            .iter()
            .map(|frame| frame.bytes().len() as u64)
            .sum()
    }
}
