//! The reader: what is committed, and nothing else.

use std::sync::Arc;

use femtoclaw_ledger::journal::*;
use tokio::sync::watch;

use crate::fixtures::{LEDGER, number, record, seq};

/// Frames with these record times; the reader's head is moved by hand.
fn scene(frames: &[&[i64]]) -> (Reader, watch::Sender<Head>, Vec<Head>) {
    let journal = MemoryJournal::new();
    let mut builder = FrameBuilder::new(LEDGER, 1, Head::default());
    let mut heads = vec![Head::default()];
    for times in frames {
        let head = builder.head();
        for time_ns in *times {
            let number = builder.head().seq + 1;
            builder.push(&record(number), *time_ns);
        }
        journal.append(&builder.take(), &head).unwrap();
        heads.push(builder.head());
    }
    let (sender, committed) = watch::channel(builder.head());
    (Reader::new(Arc::new(journal), committed), sender, heads)
}

fn numbers(reader: &Reader, from: u64) -> Vec<u64> {
    reader
        .range(seq(from))
        .map(|record| number(&record.unwrap()))
        .collect()
}

#[test]
fn reads_one_and_reads_on() {
    let (reader, _sender, _) = scene(&[&[1, 2], &[3], &[4, 5, 6]]);
    for wanted in 1..=6 {
        assert_eq!(number(&reader.get(seq(wanted)).unwrap().unwrap()), wanted);
        assert_eq!(numbers(&reader, wanted), (wanted..=6).collect::<Vec<_>>());
    }
    assert_eq!(reader.get(seq(7)).unwrap(), None);
    assert!(numbers(&reader, 7).is_empty());
}

#[test]
fn what_is_not_committed_is_not_shown() {
    let (reader, sender, heads) = scene(&[&[1, 2], &[3], &[4, 5, 6]]);
    for head in heads {
        sender.send_replace(head);
        assert_eq!(reader.head(), head);
        assert_eq!(numbers(&reader, 1), (1..=head.seq).collect::<Vec<_>>());
        assert_eq!(reader.get(seq(head.seq + 1)).unwrap(), None);
        assert_eq!(reader.first_since(i64::MAX).unwrap(), None);
        let first = reader.first_since(i64::MIN).unwrap();
        assert_eq!(first, (head.seq > 0).then(|| seq(1)));
    }
}

#[test]
fn finds_times_as_a_full_scan_does() {
    let (reader, _sender, _) = scene(&[&[10], &[10, 10, 20], &[20], &[20, 30], &[50, 50, 60, 70]]);
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
