// SPDX-License-Identifier: Apache-2.0
//! Which types of events a journal holds, in which revisions, encrypted or not: whoever opens it without reading all of it
//! must still learn of one that it does not know.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::events::{EventType, RecordHeader, Seq};
use crate::locks::whole;

/// Every kind of the records up to some place, and the first record of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    /// Nothing is missing up to this record, 0 for none.
    pub(crate) through: u64,
    first: BTreeMap<Kind, u64>,
}

/// Type, revision, and whether the payload lies under a data key.
type Kind = (u16, u16, bool);

/// What is saved of it: the place, and the first record of each.
pub(crate) type KindsPortrait = (u64, Vec<(Kind, u64)>);

/// A record that this software does not know and may not skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownEvent {
    pub(crate) seq: Seq,
    pub(crate) event_type: EventType,
    pub(crate) revision: u16,
    pub(crate) encrypted: bool,
}

impl Kinds {
    /// The record at `seq` is of this kind; true for the first one.
    fn found(&mut self, kind: Kind, seq: Seq) -> bool {
        let mut is_first = false;
        self.first.entry(kind).or_insert_with(|| {
            is_first = true;
            seq.get()
        });
        is_first
    }

    /// A record of the journal; true for the first one of its kind.
    pub(crate) fn record(&mut self, header: &RecordHeader) -> bool {
        let kind = (header.event_type.0, header.revision, header.data_key != 0);
        self.found(kind, header.seq)
    }

    /// The first record of all that keeps this software from writing.
    pub(crate) fn unknown(&self) -> Option<UnknownEvent> {
        let unknown = self.first.iter().filter_map(|(kind, seq)| {
            let (code, revision, encrypted) = *kind;
            let event_type = EventType(code);
            let unknown = UnknownEvent {
                seq: Seq::new(*seq)?,
                event_type,
                revision,
                encrypted,
            };
            event_type
                .bars_writing(revision, encrypted)
                .then_some(unknown)
        });
        unknown.min_by_key(|unknown| unknown.seq)
    }

    pub(super) fn portrait(&self) -> KindsPortrait {
        let first = self.first.iter().map(|(kind, seq)| (*kind, *seq));
        (self.through, first.collect())
    }

    pub(super) fn from_portrait((through, first): KindsPortrait) -> Self {
        let first = first.into_iter().collect();
        Self { through, first }
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
        whole(self.0.lock()).found(written(event_type, revision), seq);
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

/// This software encrypts nothing.
const fn written(event_type: EventType, revision: u16) -> Kind {
    (event_type.0, revision, false)
}

/// The kinds that a sequencer has told of.
#[derive(Debug, Default)]
pub(super) struct ToldKinds(Kinds);

impl ToldKinds {
    /// Whether a record is the first of its kind.
    pub(super) fn is_first(&mut self, header: &RecordHeader) -> bool {
        let kind = written(header.event_type, header.revision);
        self.0.found(kind, header.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_that_may_not_be_skipped_is_named() {
        let mut kinds = Kinds::default();
        let seq = |seq| Seq::new(seq).unwrap_or(Seq::FIRST);
        let opened = EventType::LedgerOpened.0;
        assert!(kinds.found((opened, 1, false), seq(1)));
        assert!(!kinds.found((opened, 1, false), seq(2)));
        // By its number, and by what rests on it.
        kinds.found((0x8001, 1, false), seq(3));
        kinds.found((EventType::TelemetryRecorded.0, 9, true), seq(4));
        assert_eq!(kinds.unknown(), None);
        kinds.found((0x7001, 2, false), seq(9));
        kinds.found((EventType::ExecutionStarted.0, 9, false), seq(7));
        let named = |kinds: &Kinds| {
            let it = kinds.unknown()?;
            Some((it.seq, it.event_type, it.revision, it.encrypted))
        };
        let started = EventType::ExecutionStarted;
        assert_eq!(named(&kinds), Some((seq(7), started, 9, false)));
        // Known, and under a key that this software does not have.
        kinds.found((started.0, 1, false), seq(5));
        assert_eq!(named(&kinds), Some((seq(7), started, 9, false)));
        kinds.found((started.0, 1, true), seq(6));
        assert_eq!(named(&kinds), Some((seq(6), started, 1, true)));
        assert_eq!(Kinds::from_portrait(kinds.portrait()), kinds);
    }
}
