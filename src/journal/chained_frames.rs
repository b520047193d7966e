// SPDX-License-Identifier: Apache-2.0
//! Frames in a row: each follows the one before, none is missing.

use super::append_rules::JournalStanding;
use super::error::{FrameProblem, ReadFailure};
use super::{Frame, Frames};
use crate::events::{Hash, Seq};
use crate::integrity::GENESIS;

/// Checks what an implementation reads, and ends at the head of the moment it was asked.
pub(super) struct ChainedFrames<I> {
    frames: I,
    standing: JournalStanding,
    next: u64,
    previous: Option<Hash>,
    ended: bool,
}

impl<I> ChainedFrames<I>
where
    I: Iterator<Item = Result<Frame, ReadFailure>> + Send + 'static,
{
    /// `frames` start with the one that contains `from`.
    pub(super) fn boxed(frames: I, from: Seq, standing: JournalStanding) -> Frames {
        Box::new(Self {
            frames,
            standing,
            next: from.get(),
            previous: None,
            ended: !standing.head.contains(from),
        })
    }

    fn check(&mut self, frame: Frame) -> Result<Frame, ReadFailure> {
        let wanted = Seq::new(self.next).unwrap_or(Seq::FIRST);
        let follows = match self.previous {
            None => frame.contains(wanted),
            Some(_) => frame.first == wanted,
        };
        if !follows {
            return Err(ReadFailure::damaged(wanted, FrameProblem::Missing));
        }
        let begins = (frame.first == Seq::FIRST).then_some(GENESIS);
        if self
            .previous
            .or(begins)
            .is_some_and(|hash| hash != frame.previous)
        {
            return Err(ReadFailure::damaged(frame.first, FrameProblem::Chain));
        }
        self.standing.own(frame)
    }
}

impl<I> Iterator for ChainedFrames<I>
where
    I: Iterator<Item = Result<Frame, ReadFailure>> + Send + 'static,
{
    type Item = Result<Frame, ReadFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let checked = match self.frames.next() {
            Some(frame) => frame.and_then(|frame| self.check(frame)),
            None => {
                let missing = Seq::new(self.next).unwrap_or(Seq::FIRST);
                Err(ReadFailure::damaged(missing, FrameProblem::Missing))
            }
        };
        match &checked {
            Ok(frame) => {
                self.next = frame.last.next_seq().get();
                self.previous = Some(frame.last.hash);
                self.ended = frame.last_seq().get() >= self.standing.head.count();
            }
            Err(_) => self.ended = true,
        }
        Some(checked)
    }
}

/// An iterator that says once why there is nothing to read.
pub(super) fn failed(failure: ReadFailure) -> Frames {
    Box::new(std::iter::once(Err(failure)))
}
