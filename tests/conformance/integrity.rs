// SPDX-License-Identifier: Apache-2.0
//! What was changed offline is detected and named: §5, §6, §12, §16, A2, A3.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use femtoclaw_ledger::events::{Event, HEADER_LEN, LedgerId, Seq};
use femtoclaw_ledger::integrity::{Chain, GENESIS};
use femtoclaw_ledger::journal::{
    AppendFailure, Frame, FrameProblem, Frames, Head, Journal, MemoryJournal, ReadFailure,
};
use femtoclaw_ledger::{OpenError, Options, ReadError};

use crate::support::*;
use crate::tamper::{ENTRY, Stored, TABLE, copy, forge, frames, payload_at, record_at, tamper};

/// A closed ledger with frames of one commit each.
async fn closed() -> (tempfile::TempDir, std::path::PathBuf) {
    let (root, path) = place();
    let open = open(&path).await;
    open.sample().await;
    open.close().await;
    (root, path)
}

/// The first bad record that opening names, on a copy of `path` after `edit`.
async fn named(path: &Path, edit: impl FnOnce(&mut Stored)) -> u64 {
    let copied = path.with_file_name("copy");
    drop(std::fs::remove_dir_all(&copied));
    copy(path, &copied);
    tamper(&copied, edit);
    match open_error(&copied).await {
        OpenError::Journal(ReadError::Damaged { seq, .. }) => seq.get(),
        other => panic!("{other}"),
    }
}

/// The frame and place in it of the first record of this type.
fn find(path: &Path, name: &str) -> (usize, usize, u64) {
    for (at, frame) in frames(path).iter().enumerate() {
        for (index, record) in frame.records().enumerate() {
            let header = record.unwrap().header;
            if header.event_type.name() == name {
                return (at, index, header.seq.get());
            }
        }
    }
    panic!("no {name}")
}

#[tokio::test]
async fn s5_2_execution_records_cannot_be_changed_and_an_edit_is_named() {
    // What a journal can do, all of it: nothing changes or removes.
    let source = include_str!("../../src/journal/mod.rs");
    let (_, seam) = source.split_once("\npub trait Journal").unwrap();
    let (seam, _) = seam.split_once("\n}\n").unwrap();
    let functions: Vec<_> = seam
        .match_indices(concat!("\n    f", "n "))
        .map(|(at, _)| seam[at + 8..].split('(').next().unwrap())
        .collect();
    let known = [
        "append",
        "head",
        "ledger",
        "frame_at",
        "frames",
        "close",
        "size_bytes",
        "wal_files",
        "wal_holds",
        "unfinished",
    ];
    assert_eq!(functions, known);
    let (_root, path) = closed().await;
    for name in ["AuthorizationDecided", "ExecutionCompleted"] {
        let (frame, index, bad) = find(&path, name);
        let edit = |stored: &mut Stored| {
            let bytes = &mut stored[frame].1;
            let at = payload_at(bytes, index);
            bytes[at + 2] ^= 1;
        };
        assert_eq!(named(&path, edit).await, bad, "{name}");
    }
}

#[tokio::test]
async fn s6_2_audit_records_cannot_be_changed_and_an_edit_is_named() {
    let (_root, path) = closed().await;
    for name in ["AuditRecorded", "TransitionsRecorded", "LedgerOpened"] {
        let (frame, index, bad) = find(&path, name);
        let edit = |stored: &mut Stored| {
            let bytes = &mut stored[frame].1;
            let at = record_at(bytes, index);
            // Its outcome, in the header.
            bytes[at + 10] ^= 3;
        };
        assert_eq!(named(&path, edit).await, bad, "{name}");
    }
}

#[tokio::test]
async fn s6_3_edit_delete_reorder_insert_are_detected_and_the_first_bad_record_is_named() {
    let (_root, path) = closed().await;
    let all = frames(&path);
    assert!(all.len() > 8);
    let (second, third) = (all[2].first.get(), all[3].first.get());
    let flip = |stored: &mut Stored| {
        let at = payload_at(&stored[2].1, 0);
        stored[2].1[at] ^= 1;
    };
    assert_eq!(named(&path, flip).await, second, "edit");
    // An editor who sets the checksums right again is betrayed by the chain.
    let count = all[2].count as usize;
    let forged = |stored: &mut Stored| {
        flip(stored);
        forge(&mut stored[2].1, count);
    };
    assert_eq!(named(&path, forged).await, second, "forged edit");
    let delete = |stored: &mut Stored| drop(stored.remove(2));
    assert_eq!(named(&path, delete).await, second, "delete");
    let reorder = |stored: &mut Stored| {
        let value = stored[2].1.clone();
        stored[2].1 = std::mem::replace(&mut stored[3].1, value);
    };
    assert_eq!(named(&path, reorder).await, second, "reorder");
    let insert = |stored: &mut Stored| {
        let twin = stored[1].1.clone();
        let key = (second - 1).max(1) + 1_000_000;
        stored.insert(3, (key.to_be_bytes().to_vec(), twin));
    };
    named(&path, insert).await;
    let exchange = |stored: &mut Stored| {
        let one = stored[2].1.clone();
        stored[3].1 = one;
    };
    assert_eq!(named(&path, exchange).await, third, "one frame twice");
    let truncate = |stored: &mut Stored| {
        let bytes = &mut stored[2].1;
        bytes.truncate(bytes.len() - 1);
    };
    assert_eq!(named(&path, truncate).await, second, "truncate");
}

#[tokio::test]
async fn s6_4_nothing_is_evicted_at_any_capacity() {
    let (_root, path) = place();
    let mut options = Options {
        memtable_bytes: Some(64 << 10),
        ..Options::default()
    };
    options.limits.frame_records_target = 8;
    options.limits.running_max = 4;
    options.limits.emit_records_max = 4;
    let open = open_with(&path, options).await;
    let mut executions = Vec::new();
    for _ in 0..150 {
        executions.push(open.execute().await);
    }
    let head = open.ledger.head().count();
    open.close().await;
    let open = open_with(&path, Options::default()).await;
    let records = open.records().await;
    let places = records.iter().map(|record| record.header.seq.get());
    assert!(places.take(head as usize).eq(1..=head));
    for execution in executions {
        let trace = open.reads().reconstruct(execution).await.unwrap();
        assert_eq!(trace.unwrap().steps.len(), 6);
    }
}

/// A generator of bytes that are the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.0 >> 33
    }
    fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }
}

#[tokio::test]
async fn s12_1_no_partial_corrupt_or_invalid_record_is_served() {
    let memory = MemoryJournal::new();
    let open = open_on(Arc::new(memory.clone()), fixed(&clock())).await;
    open.sample().await;
    let records = open.records().await;
    let mut noise = Noise(1);
    let mut refused = 0;
    for round in 0..20_000 {
        let record = &records[round % records.len()];
        let (header, mut payload) = (&record.header, record.payload().unwrap().to_vec());
        match noise.below(3) {
            0 => payload.truncate(noise.below(payload.len() + 1)),
            1 => payload.push(noise.next() as u8),
            _ => {
                let at = noise.below(payload.len());
                payload[at] ^= 1 << noise.below(8);
            }
        }
        // Never a panic; what decodes is a whole event.
        let decoded = Event::decode(header.event_type, header.revision, header.codec, &payload);
        refused += usize::from(decoded.is_err());
        if payload.len() != record.payload().unwrap().len() {
            assert!(decoded.is_err(), "{} cut or longer", header.event_type);
        }
    }
    assert!(refused > 10_000, "{refused}");
    for _ in 0..2_000 {
        let junk: Vec<u8> = (0..noise.below(600)).map(|_| noise.next() as u8).collect();
        assert!(Frame::decode(&junk).is_err());
    }
    // Every read checks its record: the damaged one alone is refused.
    let frame = memory.frame_at(seq(records.len() as u64)).unwrap().unwrap();
    let mut bytes = frame.bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 0x40;
    let damaged = Frame::decode(&bytes).unwrap();
    let last = damaged.record(frame.last_seq());
    let expected = ReadFailure::Damaged {
        seq: frame.last_seq(),
        problem: FrameProblem::Commitment,
    };
    assert_eq!(last, Err(expected));
    served_by_a_ledger().await;
}

/// A journal one of whose frames rots under a running ledger.
#[derive(Debug, Default)]
struct Rotting {
    inner: MemoryJournal,
    rotten: Mutex<Option<Frame>>,
}

impl Journal for Rotting {
    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        self.inner.append(frame, after)
    }
    fn head(&self) -> Result<Head, ReadFailure> {
        self.inner.head()
    }
    fn ledger(&self) -> Result<Option<LedgerId>, ReadFailure> {
        self.inner.ledger()
    }
    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        let rotten = self.rotten.lock().unwrap().clone();
        match rotten.filter(|frame| frame.contains(seq)) {
            Some(frame) => Ok(Some(frame)),
            None => self.inner.frame_at(seq),
        }
    }
    fn frames(&self, from: Seq) -> Frames {
        let rotten = self.rotten.lock().unwrap().clone();
        let frames = self.inner.frames(from);
        Box::new(frames.map(move |frame| {
            let rots = |frame: &Frame| rotten.clone().filter(|it| it.first == frame.first);
            frame.map(|frame| rots(&frame).unwrap_or(frame))
        }))
    }
    fn close(&self) {
        self.inner.close();
    }
    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }
}

async fn served_by_a_ledger() {
    let journal = Arc::new(Rotting::default());
    let open = open_on(journal.clone(), fixed(&clock())).await;
    let begun = open.begin().await;
    open.ledger.at_least(open.ledger.head().seq).await.unwrap();
    let frame = journal
        .inner
        .frame_at(begun.receipt().first)
        .unwrap()
        .unwrap();
    let mut bytes = frame.bytes().to_vec();
    let at = payload_at(&bytes, 1);
    bytes[at + 2] ^= 1;
    *journal.rotten.lock().unwrap() = Some(Frame::decode(&bytes).unwrap());
    let bad = begun.receipt().first.plus(1);
    let is_named = |error: ReadError| matches!(error, ReadError::Damaged { seq, .. } if seq == bad);
    assert!(is_named(open.reads().get(bad).await.unwrap_err()));
    let range = open.reads().range(Seq::FIRST, usize::MAX).await;
    assert!(is_named(range.unwrap_err()));
    let trace = open.reads().reconstruct(begun.execution()).await;
    assert!(is_named(trace.unwrap_err()));
    for intact in [begun.receipt().first, bad.plus(1)] {
        assert!(open.reads().get(intact).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn s16_1_every_changed_byte_of_a_frame_is_detected() {
    let memory = MemoryJournal::new();
    let open = open_on(Arc::new(memory.clone()), fixed(&clock())).await;
    let begun = open.begin().await;
    let frame = memory.frame_at(begun.receipt().first).unwrap().unwrap();
    assert_eq!(frame.count, 4);
    // By the check of everything, and by a walk, which believes the offset table.
    let verified = |bytes: &[u8]| Frame::decode(bytes).is_ok_and(|it| it.verify().is_ok());
    let walked = |bytes: &[u8]| {
        let frame = Frame::decode(bytes);
        frame.is_ok_and(|it| it.records().all(|record| record.is_ok()))
    };
    let mut bytes = frame.bytes().to_vec();
    assert!(verified(&bytes) && walked(&bytes));
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert!(!verified(&bytes), "bit {bit} of byte {at}");
            assert!(!walked(&bytes), "bit {bit} of byte {at}");
            bytes[at] ^= 1 << bit;
        }
    }
    assert!(bytes.len() > TABLE + 4 * (ENTRY + HEADER_LEN));
    // On disk: one byte in every frame, found at opening.
    let (_root, path) = closed().await;
    for (index, frame) in frames(&path).iter().enumerate().step_by(5) {
        let middle = frame.bytes().len() / 2;
        let bad = named(&path, |stored| stored[index].1[middle] ^= 0x10).await;
        assert!(frame.contains(seq(bad)), "{bad} in frame {index}");
    }
}

#[tokio::test]
async fn a2_every_record_hash_covers_its_record_and_the_one_before() {
    let open = open_on(Arc::new(MemoryJournal::new()), fixed(&clock())).await;
    open.sample().await;
    let records = open.records().await;
    let chain = Chain::default();
    let mut previous = GENESIS;
    for record in &records {
        let mut header = Vec::new();
        record.header.encode_into(&mut header);
        // Written out here as the format states it, beside the library's own way.
        let context = "femtoclaw-ledger 2026 v3 record chain";
        let covered = [previous.as_slice(), header.as_slice()].concat();
        let expected = blake3::derive_key(context, &covered);
        assert_eq!(record.hash, expected, "{}", record.header.seq);
        assert_eq!(chain.record_hash(&previous, &header), expected);
        let context = "femtoclaw-ledger 2026 v1 payload commitment";
        let content = record.content.as_ref().unwrap();
        let covered = [content.salt.as_slice(), &content.payload].concat();
        let commitment = blake3::derive_key(context, &covered);
        assert_eq!(record.header.payload_commitment, commitment);
        header[20] ^= 1;
        assert_ne!(chain.record_hash(&previous, &header), expected);
        previous = record.hash;
    }
    assert_eq!(open.ledger.head().hash, previous);
}

#[tokio::test]
async fn a3_time_never_goes_back_and_a_clock_set_back_is_recorded_as_skew() {
    let clock = clock();
    let memory = MemoryJournal::new();
    let open = open_on(Arc::new(memory.clone()), fixed(&clock)).await;
    open.execute().await;
    clock.advance(Duration::from_secs(5));
    open.execute().await;
    clock.set_now(START_NS - 3_600_000_000_000);
    open.execute().await;
    open.execute().await;
    clock.set_now(START_NS + 6_000_000_000);
    open.execute().await;
    clock.set_now(START_NS);
    open.execute().await;
    let records = open.records().await;
    assert!(records.is_sorted_by_key(|record| record.header.time_ns));
    let skews = |events: Vec<Event>| {
        let skew = |event| match event {
            Event::ClockSkewed(it) => Some((it.observed_ns - START_NS, it.direction)),
            _ => None,
        };
        events.into_iter().filter_map(skew).collect::<Vec<_>>()
    };
    let expected = [(-3_600_000_000_000, 0), (0, 0)];
    assert_eq!(skews(open.events().await), expected, "one per excursion");
    // And forward, beyond the limit against the monotonic clock.
    clock.set_now(START_NS + 100_000_000_000);
    open.execute().await;
    let last = skews(open.events().await).pop();
    assert_eq!(last, Some((100_000_000_000, 1)));
    open.close().await;
    // Opened with a clock behind the head: served, with a record of it.
    clock.set_now(START_NS);
    let again = open_on(Arc::new(memory.reopen()), later(&clock)).await;
    again.execute().await;
    let records = again.records().await;
    assert!(records.is_sorted_by_key(|record| record.header.time_ns));
    assert_eq!(skews(again.events().await).len(), 4);
}
