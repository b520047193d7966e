// SPDX-License-Identifier: Apache-2.0
//! One suite over every journal (S4.1): what a journal promises, whatever it is made of.

use femtoclaw_ledger::events::LedgerId;
use femtoclaw_ledger::journal::*;
use tempfile::TempDir;

use crate::fixtures::{LEDGER, frame, frame_in, number, seq};
use crate::held::HeldJournal;

/// A medium that outlives the journals opened over it.
trait Medium {
    fn open(&self) -> Box<dyn Journal>;
}

impl Medium for MemoryJournal {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(self.reopen())
    }
}

/// A journal on disk; with hooks that nobody uses where `held`.
struct Disk {
    directory: TempDir,
    held: bool,
}

impl Medium for Disk {
    fn open(&self) -> Box<dyn Journal> {
        let path = self.directory.path().join("journal");
        let journal = FjallJournal::open(&path, &JournalOptions::default()).unwrap();
        match self.held {
            true => Box::new(HeldJournal::new(journal)),
            false => Box::new(journal),
        }
    }
}

fn suite<M: Medium>(new: impl Fn() -> M) {
    for check in [
        empty_journal_is_empty,
        appended_frames_are_read_back,
        every_record_is_found_in_its_frame,
        frames_start_where_asked,
        another_head_is_refused,
        an_ended_epoch_is_refused,
        a_foreign_ledger_is_refused,
        empty_and_huge_frames_are_refused,
        everything_is_there_after_reopening,
        a_closed_journal_says_so,
    ] {
        check(&new());
    }
}

#[test]
fn memory() {
    suite(MemoryJournal::new);
}

#[test]
fn on_disk() {
    suite(|| Disk {
        directory: tempfile::tempdir().unwrap(),
        held: false,
    });
}

#[test]
fn held_on_disk() {
    suite(|| Disk {
        directory: tempfile::tempdir().unwrap(),
        held: true,
    });
}

/// Appends frames with these numbers of records.
fn fill(journal: &dyn Journal, counts: &[u64]) -> Vec<Frame> {
    let append = |count: &u64| {
        let head = journal.head().unwrap();
        let frame = frame(head, *count);
        journal.append(&frame, &head).unwrap();
        assert_eq!(journal.head().unwrap(), frame.last);
        frame
    };
    counts.iter().map(append).collect()
}

fn read(journal: &dyn Journal, from: u64) -> Vec<Frame> {
    journal.frames(seq(from)).collect::<Result<_, _>>().unwrap()
}

fn empty_journal_is_empty(medium: &dyn Medium) {
    let journal = medium.open();
    assert_eq!(journal.head().unwrap(), Head::default());
    assert_eq!(journal.ledger().unwrap(), None);
    assert_eq!(journal.frame_at(seq(1)).unwrap(), None);
    assert!(read(&*journal, 1).is_empty());
}

fn appended_frames_are_read_back(medium: &dyn Medium) {
    let journal = medium.open();
    let written = fill(&*journal, &[1, 5, 2]);
    assert_eq!(read(&*journal, 1), written);
    assert_eq!(journal.ledger().unwrap(), Some(LEDGER));
    assert!(journal.size_bytes() > 0);
    let numbers: Vec<u64> = written
        .iter()
        .inspect(|frame| frame.verify().unwrap())
        .flat_map(|frame| frame.records().map(|record| number(&record.unwrap())))
        .collect();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
}

fn every_record_is_found_in_its_frame(medium: &dyn Medium) {
    let journal = medium.open();
    fill(&*journal, &[1, 5, 2]);
    for wanted in 1..=8 {
        let frame = journal.frame_at(seq(wanted)).unwrap().unwrap();
        let record = frame.record(seq(wanted)).unwrap();
        assert_eq!((record.header.seq, number(&record)), (seq(wanted), wanted));
    }
    assert_eq!(journal.frame_at(seq(9)).unwrap(), None);
    assert_eq!(journal.frame_at(seq(u64::MAX)).unwrap(), None);
}

fn frames_start_where_asked(medium: &dyn Medium) {
    let journal = medium.open();
    let written = fill(&*journal, &[1, 5, 2]);
    for (from, skipped) in [
        (1, 0),
        (2, 1),
        (4, 1),
        (6, 1),
        (7, 2),
        (8, 2),
        (9, 3),
        (u64::MAX, 3),
    ] {
        assert_eq!(read(&*journal, from), written[skipped..], "from {from}");
    }
    // The walk shows the head of the moment it was asked for, whatever comes later.
    let walk = journal.frames(seq(1));
    fill(&*journal, &[1]);
    assert_eq!(walk.map(Result::unwrap).collect::<Vec<_>>(), written);
}

fn another_head_is_refused(medium: &dyn Medium) {
    let journal = medium.open();
    let written = fill(&*journal, &[2, 2]);
    let head = journal.head().unwrap();
    let other_hash = Head {
        hash: [1; 32],
        ..head
    };
    for other in [Head::default(), written[0].last, other_hash] {
        // Either the frame, or the head that the caller names, or both are another's.
        for (built_on, named) in [(other, other), (other, head), (head, other)] {
            let failure = journal.append(&frame(built_on, 1), &named).unwrap_err();
            let AppendFailure::HeadMismatch { actual, expected } = failure else {
                panic!("{failure:?}");
            };
            assert_eq!((expected.seq, expected.hash), (other.seq, other.hash));
            assert_eq!(actual, head);
        }
    }
    assert_eq!(read(&*journal, 1), written);
}

fn an_ended_epoch_is_refused(medium: &dyn Medium) {
    let journal = medium.open();
    fill(&*journal, &[1]);
    let head = journal.head().unwrap();
    let takeover = frame_in(2, head, 1);
    journal.append(&takeover, &head).unwrap();
    // To the old writer nothing happened: it goes on from the head that it knows.
    let failure = journal.append(&frame_in(1, head, 1), &head).unwrap_err();
    assert_eq!(
        failure,
        AppendFailure::Fenced {
            epoch: 1,
            current: 2
        }
    );
    assert_eq!(journal.head().unwrap(), takeover.last);
}

fn a_foreign_ledger_is_refused(medium: &dyn Medium) {
    let journal = medium.open();
    fill(&*journal, &[1]);
    let head = journal.head().unwrap();
    let found = LedgerId::from_bytes([8; 16]);
    let mut builder = FrameBuilder::new(found, 1, head);
    builder.push(&crate::fixtures::record(2), head.time_ns);
    let failure = journal.append(&builder.finish(), &head).unwrap_err();
    assert_eq!(
        failure,
        AppendFailure::ForeignLedger {
            expected: LEDGER,
            found
        }
    );
}

fn empty_and_huge_frames_are_refused(medium: &dyn Medium) {
    let journal = medium.open();
    let head = Head::default();
    let empty = FrameBuilder::new(LEDGER, 1, head).finish();
    assert_eq!(journal.append(&empty, &head), Err(AppendFailure::Empty));
    let mut record = crate::fixtures::record(1);
    record.payload = vec![0; FRAME_BYTES_MAX];
    let mut builder = FrameBuilder::new(LEDGER, 1, head);
    builder.push(&record, 1);
    let failure = journal.append(&builder.finish(), &head).unwrap_err();
    assert!(matches!(failure, AppendFailure::TooLarge { size, limit } if size > limit));
    assert_eq!(journal.head().unwrap(), Head::default());
}

fn everything_is_there_after_reopening(medium: &dyn Medium) {
    let journal = medium.open();
    let mut written = fill(&*journal, &[3, 1]);
    // With and without a close.
    journal.close();
    let journal = medium.open();
    assert_eq!(read(&*journal, 1), written);
    written.extend(fill(&*journal, &[2]));
    drop(journal);
    let journal = medium.open();
    assert_eq!(journal.head().unwrap(), written[2].last);
    assert_eq!(journal.ledger().unwrap(), Some(LEDGER));
    assert_eq!(read(&*journal, 1), written);
}

fn a_closed_journal_says_so(medium: &dyn Medium) {
    let journal = medium.open();
    fill(&*journal, &[1]);
    let head = journal.head().unwrap();
    journal.close();
    journal.close();
    assert_eq!(journal.head(), Err(ReadFailure::Closed));
    assert_eq!(journal.frame_at(seq(1)), Err(ReadFailure::Closed));
    assert_eq!(
        journal.frames(seq(1)).collect::<Vec<_>>(),
        [Err(ReadFailure::Closed)]
    );
    let failure = journal.append(&frame(head, 1), &head).unwrap_err();
    assert_eq!(failure.code(), "unavailable");
}
