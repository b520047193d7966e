// SPDX-License-Identifier: Apache-2.0
//! Bytes in a payload that look like a frame.

use std::fs;
use std::path::Path;

use femtoclaw_ledger::journal::{
    Claim, FjallJournal, Frame, FrameBuilder, Head, Journal, JournalOptions, ReadOnlyJournal,
};

use crate::fixtures::{LEDGER, frame, record, sealed, time};
use crate::scene::{find, flip};

/// A record that says something else, in a frame that follows `after`.
fn forged(after: Head) -> Frame {
    let mut other = record(after.count() + 1);
    other.payload = b"FORGED".to_vec();
    let mut builder = FrameBuilder::new(LEDGER, 1, after);
    builder.push(&sealed(other), time(after.count() + 1));
    builder.finish()
}

/// Three frames; the second carries in its payload a frame that would fit in its own place.
fn journal(path: &Path) -> Head {
    let journal = FjallJournal::open(path, &JournalOptions::default()).unwrap();
    let first = frame(Head::default(), 3);
    journal.append(&first, &Head::default()).unwrap();
    let mut carrier = record(4);
    carrier.payload = [b"CARRIER".as_slice(), forged(first.last).bytes()].concat();
    let mut builder = FrameBuilder::new(LEDGER, 1, first.last);
    builder.push(&sealed(carrier), time(4));
    let second = builder.finish();
    journal.append(&second, &first.last).unwrap();
    let third = frame(second.last, 2);
    journal.append(&third, &second.last).unwrap();
    journal.close();
    third.last
}

fn shows_the_forgery(journal: &ReadOnlyJournal) -> bool {
    let frames = journal.frames(femtoclaw_ledger::Seq::FIRST);
    let mut frames = frames.filter_map(Result::ok);
    frames.any(|frame| {
        frame
            .records()
            .flatten()
            .any(|it| it.payload() == Some(b"FORGED"))
    })
}

#[test]
fn what_looks_like_a_frame_in_a_damaged_one_is_not_the_history() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let head = journal(&path);
    let claim = Claim {
        ledger: LEDGER,
        generation: 1,
        seq: head.seq,
        hash: head.hash,
        frames: 3,
    };
    let whole = ReadOnlyJournal::open(&path, Some(LEDGER), Some(&claim)).unwrap();
    assert_eq!((whole.verified(), whole.findings().len()), (head, 0));
    assert!(!shows_the_forgery(&whole));
    // The frame that carries it: in its header, so that the search finds what it carries.
    let log = path.join("0.jnl");
    let bytes = fs::read(&log).unwrap();
    let frames = bytes.windows(8).enumerate();
    let frames: Vec<_> = frames.filter(|(_, it)| *it == b"FCLFRAME").collect();
    assert_eq!(frames.len(), 4);
    assert!(frames[1].0 < find(&log, "CARRIER").unwrap());
    flip(&log, frames[1].0 + 40);
    for claim in [None, Some(&claim)] {
        let damaged = ReadOnlyJournal::open(&path, Some(LEDGER), claim).unwrap();
        assert_eq!(damaged.verified().count(), 3, "{:?}", damaged.findings());
        let codes = damaged.findings().iter().map(|finding| finding.kind.code());
        let codes: Vec<_> = codes.collect();
        assert!(
            codes.contains(&"log_damaged") && codes.contains(&"unconfirmed"),
            "{codes:?}"
        );
        assert_eq!(damaged.head().unwrap(), head);
    }
}
