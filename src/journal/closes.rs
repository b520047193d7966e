// SPDX-License-Identifier: Apache-2.0
//! A close is the last record of its writer, and each opening writes in an epoch of its own: what lies
//! behind a close in the same epoch was put there by somebody else. Every reader of a journal in order
//! asks here, also one that ignores the answer.

use std::fmt;

use super::frame::Frame;
use crate::events::{EventType, RecordHeader, Seq};

/// Records of one epoch, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochStretch {
    pub(crate) epoch: u64,
    pub(crate) first: Seq,
    pub(crate) last: Seq,
    /// The first of them that closed the ledger.
    pub(crate) close: Option<Seq>,
}

/// Records that their writer cannot have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AfterClose {
    /// The record of the close.
    pub(crate) closed: Seq,
    /// The first one behind it.
    pub(crate) found: Seq,
}

impl fmt::Display for AfterClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { closed, found } = self;
        write!(
            f,
            "record {found} lies behind record {closed}, with which its writer closed the ledger"
        )
    }
}

/// Follows a journal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Closes {
    /// The epoch, its close, and whether what lies behind was told.
    closed: Option<(u64, Seq, bool)>,
}

impl Closes {
    /// The next records; says of each close once that something lies behind it.
    pub(crate) fn next(&mut self, stretch: &EpochStretch) -> Option<AfterClose> {
        match &mut self.closed {
            Some((epoch, closed, told)) if *epoch == stretch.epoch => {
                let (closed, found) = (*closed, stretch.first);
                let first = !std::mem::replace(told, true);
                first.then_some(AfterClose { closed, found })
            }
            _ => {
                let closed = stretch.close?;
                let behind = closed < stretch.last;
                self.closed = Some((stretch.epoch, closed, behind));
                let found = closed.plus(1);
                behind.then_some(AfterClose { closed, found })
            }
        }
    }
}

impl EpochStretch {
    /// One record.
    pub(crate) const fn record(epoch: u64, seq: Seq, kind: EventType) -> Self {
        let close = match kind.0 == EventType::LedgerClosed.0 {
            true => Some(seq),
            false => None,
        };
        Self {
            epoch,
            first: seq,
            last: seq,
            close,
        }
    }

    /// All records of a frame, which must be whole: nothing of it is checked here.
    pub(crate) fn of(frame: &Frame) -> Self {
        let closes = |index: &usize| {
            let header = frame
                .parts(*index)
                .map(|parts| RecordHeader::decode(parts.header));
            matches!(header, Some(Ok(header)) if header.event_type == EventType::LedgerClosed)
        };
        let close = (0..frame.count as usize).find(closes);
        Self {
            epoch: frame.epoch,
            first: frame.first,
            last: frame.last_seq(),
            close: close.map(|index| frame.first.plus(index as u64)),
        }
    }

    /// Adds one to others of a journal in order: as few as say the same.
    pub(crate) fn join(self, all: &mut Vec<Self>) {
        match all.last_mut().filter(|last| last.epoch == self.epoch) {
            Some(last) if last.close.is_none() => {
                last.last = self.last;
                last.close = self.close;
            }
            // Behind a close one more says all.
            Some(last) => last.last = self.last,
            None => all.push(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(epoch: u64, first: u64, last: u64, close: Option<u64>) -> EpochStretch {
        let seq = |seq| Seq::FIRST.plus(seq - 1);
        EpochStretch {
            epoch,
            first: seq(first),
            last: seq(last),
            close: close.map(seq),
        }
    }

    fn told(all: &[EpochStretch]) -> Vec<(u64, u64)> {
        let mut closes = Closes::default();
        let told = all.iter().filter_map(|stretch| closes.next(stretch));
        told.map(|it| (it.closed.get(), it.found.get())).collect()
    }

    #[test]
    fn what_lies_behind_a_close_in_its_epoch_is_told_once() {
        let sound = [
            stretch(1, 1, 5, None),
            stretch(1, 6, 9, Some(9)),
            stretch(2, 10, 10, Some(10)),
            stretch(3, 11, 20, None),
        ];
        assert_eq!(told(&sound), []);
        let within = [stretch(1, 1, 9, Some(4)), stretch(1, 10, 12, Some(12))];
        assert_eq!(told(&within), [(4, 5)]);
        let behind = [
            stretch(1, 1, 4, Some(4)),
            stretch(1, 5, 5, None),
            stretch(1, 6, 6, None),
            stretch(2, 7, 9, Some(8)),
        ];
        assert_eq!(told(&behind), [(4, 5), (8, 9)]);
        // Joined, they say the same.
        for all in [&sound[..], &within, &behind] {
            let mut joined = Vec::new();
            all.iter().for_each(|it| it.join(&mut joined));
            assert_eq!(told(&joined), told(all), "{joined:?}");
        }
    }
}
