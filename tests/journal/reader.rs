// SPDX-License-Identifier: Apache-2.0
//! The reader: what is committed, and nothing else.

use std::sync::Arc;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::journal::*;

use crate::fixtures::{LEDGER, number, record, seq};

/// Frames with these record times, of which the writer has published the first `committed`: the
/// rest lie in the journal as they do in the moment between sync and publishing.
fn scene(frames: &[&[i64]], committed: usize) -> (Reader, Writer) {
    let journal = MemoryJournal::new();
    let mut builder = FrameBuilder::new(LEDGER, 1, Head::default());
    let start = || {
        let clock = Arc::new(ManualClock::new(0));
        Writer::start(Arc::new(journal.clone()), clock, None).unwrap()
    };
    let mut writer = start();
    for (index, times) in frames.iter().enumerate() {
        let head = builder.head();
        for time_ns in *times {
            let number = builder.head().count() + 1;
            builder.push(&record(number), *time_ns);
        }
        journal.append(&builder.take(), &head).unwrap();
        if index < committed {
            writer = start();
        }
    }
    (Reader::new(Arc::new(journal), &writer.handle()), writer)
}

fn numbers(reader: &Reader, from: u64) -> Vec<u64> {
    reader
        .range(seq(from))
        .map(|record| number(&record.unwrap()))
        .collect()
}

#[test]
fn reads_one_and_reads_on() {
    let (reader, _writer) = scene(&[&[1, 2], &[3], &[4, 5, 6]], 3);
    for wanted in 1..=6 {
        assert_eq!(number(&reader.get(seq(wanted)).unwrap().unwrap()), wanted);
        assert_eq!(numbers(&reader, wanted), (wanted..=6).collect::<Vec<_>>());
    }
    assert_eq!(reader.get(seq(7)).unwrap(), None);
    assert!(numbers(&reader, 7).is_empty());
}

#[test]
fn what_is_not_committed_is_not_shown() {
    for (committed, head) in [0, 2, 3, 6].into_iter().enumerate() {
        let (reader, _writer) = scene(&[&[1, 2], &[3], &[4, 5, 6]], committed);
        assert_eq!(reader.head().count(), head);
        assert_eq!(numbers(&reader, 1), (1..=head).collect::<Vec<_>>());
        assert_eq!(reader.get(seq(head + 1)).unwrap(), None);
        assert_eq!(reader.first_since(i64::MAX).unwrap(), None);
        let first = reader.first_since(i64::MIN).unwrap();
        assert_eq!(first, (head > 0).then(|| seq(1)));
    }
}

#[test]
fn finds_times_as_a_full_scan_does() {
    let frames: [&[i64]; 5] = [&[10], &[10, 10, 20], &[20], &[20, 30], &[50, 50, 60, 70]];
    let (reader, _writer) = scene(&frames, 5);
    let times: Vec<i64> = reader
        .range(seq(1))
        .map(|record| record.unwrap().header.time_ns)
        .collect();
    for time in 0..80 {
        let scanned = times
            .iter()
            .position(|at| *at >= time)
            .map(|at| seq(at as u64 + 1));
        assert_eq!(reader.first_since(time).unwrap(), scanned, "time {time}");
    }
}
