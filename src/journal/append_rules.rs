// SPDX-License-Identifier: Apache-2.0
//! What every journal asks of a frame before it writes anything.

use super::error::{AppendFailure, FrameProblem, ReadFailure};
use super::layout::FRAME_BYTES_MAX;
use super::{Frame, Head};
use crate::events::{LedgerId, Seq};

/// Where a journal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct JournalStanding {
    pub(super) head: Head,
    pub(super) ledger: Option<LedgerId>,
}

impl JournalStanding {
    /// After this frame.
    pub(super) const fn after(frame: &Frame) -> Self {
        Self {
            head: frame.last,
            ledger: Some(frame.ledger),
        }
    }

    /// Whether the frame may be appended by a caller who believes in the head `after`.
    pub(super) fn admit(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        if frame.count == 0 {
            return Err(AppendFailure::Empty);
        }
        // No bytes: the parts did not even fit one buffer.
        if frame.bytes().is_empty() || frame.bytes().len() > FRAME_BYTES_MAX {
            return Err(AppendFailure::TooLarge {
                size: frame.bytes().len() as u64,
                limit: FRAME_BYTES_MAX as u64,
            });
        }
        if let Some(expected) = self.ledger.filter(|ledger| *ledger != frame.ledger) {
            return Err(AppendFailure::ForeignLedger {
                expected,
                found: frame.ledger,
            });
        }
        // Before the head: a writer that was taken over must learn that, not that it is behind.
        if frame.epoch < self.head.epoch {
            return Err(AppendFailure::Fenced {
                epoch: frame.epoch,
                current: self.head.epoch,
            });
        }
        let built_on = Head {
            seq: Seq::new(frame.first.get() - 1),
            hash: frame.previous,
            ..*after
        };
        for expected in [*after, built_on] {
            if (expected.seq, expected.hash) != (self.head.seq, self.head.hash) {
                return Err(AppendFailure::HeadMismatch {
                    expected,
                    actual: self.head,
                });
            }
        }
        Ok(())
    }

    /// Whether a stored frame belongs to this journal.
    pub(super) fn own(&self, frame: Frame) -> Result<Frame, ReadFailure> {
        if self.ledger.is_some_and(|ledger| ledger != frame.ledger) {
            let found = frame.ledger;
            return Err(ReadFailure::damaged(
                frame.first,
                FrameProblem::ForeignLedger { found },
            ));
        }
        Ok(frame)
    }
}
