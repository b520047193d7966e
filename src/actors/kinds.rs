// SPDX-License-Identifier: Apache-2.0
//! Which types of events a journal holds, in which revisions: whoever opens it without reading all of it must still
//! learn of one that it does not know.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::events::{EventType, Seq};
use crate::locks::whole;

/// Every type and revision of the records up to some place, and the first record of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    /// Nothing is missing up to this record, 0 for none.
    pub(crate) through: u64,
    first: BTreeMap<(u16, u16), u64>,
}

/// What is saved of it: the place, and type, revision and first record of each.
pub(crate) type KindsPortrait = (u64, Vec<(u16, u16, u64)>);

/// A record that this software does not know and may not skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownEvent {
    pub(crate) seq: Seq,
    pub(crate) event_type: EventType,
    pub(crate) revision: u16,
}

impl Kinds {
    /// The record at `seq` is of this type and revision; true for the first one.
    pub(crate) fn found(&mut self, event_type: EventType, revision: u16, seq: Seq) -> bool {
        let mut is_first = false;
        self.first
            .entry((event_type.0, revision))
            .or_insert_with(|| {
                is_first = true;
                seq.get()
            });
        is_first
    }

    /// The first record of all that keeps this software from writing.
    pub(crate) fn unknown(&self) -> Option<UnknownEvent> {
        let unknown = self.first.iter().filter_map(|((code, revision), seq)| {
            let event_type = EventType(*code);
            let unknown = UnknownEvent {
                seq: Seq::new(*seq)?,
                event_type,
                revision: *revision,
            };
            event_type.bars_writing(*revision).then_some(unknown)
        });
        unknown.min_by_key(|unknown| unknown.seq)
    }

    pub(super) fn portrait(&self) -> KindsPortrait {
        let first = self.first.iter();
        let first = first.map(|((code, revision), seq)| (*code, *revision, *seq));
        (self.through, first.collect())
    }

    pub(super) fn from_portrait((through, first): KindsPortrait) -> Self {
        let first = first.into_iter();
        Self {
            through,
            first: first
                .map(|(code, revision, seq)| ((code, revision), seq))
                .collect(),
        }
    }
}

/// The kinds of an open ledger's journal.
/// Lock: the sequencer, for one entry at the first record of a kind, and whoever saves the states, for a copy; nothing is
/// called under it.
#[derive(Debug, Default)]
pub(crate) struct JournalKinds(Mutex<Kinds>);

impl JournalKinds {
    pub(crate) fn new(found: Kinds) -> Self {
        Self(Mutex::new(found))
    }

    /// The sequencer gives a record its place. One that never becomes durable may be in it, none that does is missing.
    pub(crate) fn sequenced(&self, event_type: EventType, revision: u16, seq: Seq) {
        whole(self.0.lock()).found(event_type, revision, seq);
    }

    /// The kinds of all records up to the durable head `head`, which was asked for before.
    pub(crate) fn through(&self, head: u64) -> Kinds {
        let kinds = whole(self.0.lock()).clone();
        Kinds {
            through: head,
            ..kinds
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_that_may_not_be_skipped_is_named() {
        let mut kinds = Kinds::default();
        let seq = |seq| Seq::new(seq).unwrap_or(Seq::FIRST);
        assert!(kinds.found(EventType::LedgerOpened, 1, seq(1)));
        assert!(!kinds.found(EventType::LedgerOpened, 1, seq(2)));
        // By its number, and by what rests on it.
        kinds.found(EventType(0x8001), 1, seq(3));
        kinds.found(EventType::TelemetryRecorded, 9, seq(4));
        assert_eq!(kinds.unknown(), None);
        kinds.found(EventType(0x7001), 2, seq(9));
        kinds.found(EventType::ExecutionStarted, 9, seq(7));
        let unknown = kinds
            .unknown()
            .map(|it| (it.seq, it.event_type, it.revision));
        assert_eq!(unknown, Some((seq(7), EventType::ExecutionStarted, 9)));
        assert_eq!(Kinds::from_portrait(kinds.portrait()), kinds);
    }
}
