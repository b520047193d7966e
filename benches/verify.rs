// SPDX-License-Identifier: Apache-2.0
//! Verification beside reading and hashing the same bytes: a ledger of so many records, verified with
//! all checks, and two others with as many threads; in turn, with the files in the system's cache and without.
//!
//! * *raw* reads every file once and hashes it in bulk, with BLAKE3.
//! * *own hashes* reads every frame once, from a list of where they lie, and of each record computes what the format
//!   has of it, with the library's public functions: record hash, commitment, leaf of the tree; and of each frame
//!   the checksum of its body. It compares nothing, puts no tree together, and reads no other file.
//!
//! `cargo bench --bench verify -- [--quick] [--records 1000000] [--rounds 5] [--threads 0] [--keep DIR]`

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop at the first error"
)]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use femtoclaw_ledger::events::{
    CommandId, ComponentId, Event, EventType, ExecutionId, HEADER_LEN, LedgerId, Outcome, ParentId,
    SALT_LEN, StreamId, SubjectId, TelemetryKind, TelemetryRecordedV1, TraceId,
};
use femtoclaw_ledger::integrity::merkle::leaf_hash;
use femtoclaw_ledger::integrity::{Chain, RunningDigest, checksum};
use femtoclaw_ledger::journal::{
    Anchor, FRAME_HEADER_LEN, FjallJournal, Frame, FrameBuilder, Journal, NewRecord,
};
use femtoclaw_ledger::{Ledger, Options, verify::VerifyOptions};
use support::{flag, json, median, now, value};

const LEDGER: LedgerId = LedgerId::from_bytes([5; 16]);
const FRAME_RECORDS: u64 = 1_024;
const PIECE: usize = 1 << 20;
const CLOSE: Duration = Duration::from_secs(60);

fn options() -> Options {
    Options {
        ledger_id: Some(LEDGER),
        scrub_bytes_per_second: 0,

        ..Options::default()
    }
}

/// An observation as a component records it, 312 bytes of attributes.
fn record(number: u64, chain: &Chain) -> NewRecord {
    let event = Event::from(TelemetryRecordedV1 {
        kind: TelemetryKind::Other as u8,
        name: "bench.observed".to_owned(),
        observed_ns: 0,
        attributes: json(support::PAYLOAD_BYTES),
    });
    let mut payload = Vec::new();
    event.encode_into(&mut payload);
    let salt = u128::from(number).to_le_bytes();
    NewRecord {
        event_type: EventType::TelemetryRecorded,
        revision: 1,
        flags: 0,
        outcome: Outcome::Success,
        stores: EventType::TelemetryRecorded.stores(),
        component: ComponentId(1),
        stream: StreamId::NIL,
        stream_version: 0,
        execution: ExecutionId::NIL,
        parent: ParentId::NIL,
        trace: TraceId::NIL,
        subject: SubjectId::NIL,
        observed_difference_ns: 0,
        command: CommandId::from_bytes((u128::from(number) | 1 << 100).to_be_bytes()),
        command_digest: [9; 32],
        commit_index: 0,
        commit_len: 1,
        commitment: chain.payload_commitment(&salt, &payload),
        salt,
        payload,
    }
}

/// A ledger of so many records, most of them put straight into its journal: through callers it would
/// take hours.
async fn filled(path: &Path, records: u64) {
    let started = now();
    let (_, root) = Ledger::open(path, options()).await.unwrap();
    support::grant(&root).await;
    root.close(CLOSE).await.unwrap();
    let journal = FjallJournal::open(&path.join("journal"), &Default::default()).unwrap();
    let mut head = journal.head().unwrap();
    let (first, chain) = (head, Chain::default());
    // Another writer: behind its close an epoch takes nothing more.
    let mut builder = FrameBuilder::new(LEDGER, head.epoch + 1, head);
    let mut frames = 0;
    while head.count() < records {
        for number in 0..FRAME_RECORDS.min(records - head.count()) {
            builder.push(&record(head.count() + number, &chain), first.time_ns);
        }
        let frame = builder.take();
        journal.append(&frame, &head).unwrap();
        head = frame.last;
        frames += 1;
    }
    journal.close();
    let mut anchor = Anchor::open(&path.join("ANCHOR")).unwrap();
    let before = anchor.claim().frames;
    anchor.write(&head, before + frames).unwrap();
    let filled = started.elapsed();
    println!(
        "{records} records put into the journal in {:.1} s",
        filled.as_secs_f64()
    );
}

fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found
}

/// Out of the system's cache.
fn evict(path: &Path) {
    for file in files(path) {
        if let Ok(file) = File::open(file) {
            file.sync_all().unwrap();
            let advice = rustix::fs::Advice::DontNeed;
            rustix::fs::fadvise(&file, 0, None, advice).unwrap();
        }
    }
}

/// Into the system's cache.
fn warm(path: &Path) {
    let mut piece = vec![0; PIECE];
    for file in files(path) {
        let Ok(mut file) = File::open(file) else {
            continue;
        };
        while file.read(&mut piece).unwrap() > 0 {}
    }
}

/// Reads every file below and hashes it once, in bulk; gives the bytes.
fn raw(path: &Path, threads: usize) -> u64 {
    let files = files(path);
    let (next, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
    let work = || {
        let mut piece = vec![0; PIECE];
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (Ok(mut file), mut digest) = (File::open(file), RunningDigest::default()) else {
                continue;
            };
            loop {
                match file.read(&mut piece).unwrap() {
                    0 => break,
                    read => {
                        digest.add(piece.get(..read).unwrap_or_default());
                        bytes.fetch_add(read as u64, Ordering::Relaxed);
                    }
                }
            }
            std::hint::black_box(digest.finish());
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    bytes.into_inner()
}

/// Where a frame lies.
struct Spot {
    file: usize,
    offset: u64,
    length: usize,
}

/// Where the journal's frames lie in its files, each once.
struct Spots {
    files: Vec<File>,
    spots: Vec<Spot>,
}

impl Spots {
    fn found(path: &Path) -> Self {
        let journal = path.join("journal");
        let mut places = files(&journal);
        // What is in a log and in a table is taken from the table.
        places.sort_by_key(|place| place.extension().is_some());
        let (mut known, mut spots) = (BTreeSet::new(), Vec::new());
        for (file, place) in places.iter().enumerate() {
            let bytes = fs::read(place).unwrap();
            let mut at = 0;
            while let Some(found) = find(&bytes[at..]) {
                let front = &bytes[at + found..];
                let number = |at, length| {
                    let mut number = [0; 8];
                    number[..length].copy_from_slice(&front[at..at + length]);
                    u64::from_le_bytes(number) as usize
                };
                let length = FRAME_HEADER_LEN + number(52, 4) + number(56, 8);
                let frame = front.get(..length).map(Frame::decode);
                let Some(Ok(frame)) = frame else {
                    at += found + 1;
                    continue;
                };
                if known.insert(frame.first) {
                    let offset = (at + found) as u64;
                    spots.push((
                        frame.first,
                        Spot {
                            file,
                            offset,
                            length,
                        },
                    ));
                }
                at += found + length;
            }
        }
        spots.sort_by_key(|(first, _)| *first);
        Self {
            files: places
                .iter()
                .map(|place| File::open(place).unwrap())
                .collect(),
            spots: spots.into_iter().map(|(_, spot)| spot).collect(),
        }
    }

    /// Reads every frame and computes its hashes and its records'; gives bytes and records.
    fn hashed(&self, threads: usize) -> (u64, u64) {
        let (next, bytes, records) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let work = || {
            let (mut buffer, chain) = (Vec::new(), Chain::default());
            while let Some(spot) = self.spots.get(next.fetch_add(1, Ordering::Relaxed)) {
                buffer.resize(spot.length.max(buffer.len()), 0);
                let frame = &mut buffer[..spot.length];
                self.files[spot.file]
                    .read_exact_at(frame, spot.offset)
                    .unwrap();
                let hashed = hashes(frame, &chain);
                records.fetch_add(hashed, Ordering::Relaxed);
                bytes.fetch_add(spot.length as u64, Ordering::Relaxed);
            }
        };
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        (bytes.into_inner(), records.into_inner())
    }
}

fn find(bytes: &[u8]) -> Option<usize> {
    bytes.windows(8).position(|eight| eight == b"FCLFRAME")
}

/// The hashes of a frame's records and its body's checksum; gives the number of records.
fn hashes(frame: &[u8], chain: &Chain) -> u64 {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap()) as usize;
    let table_len = number(&frame[52..56]);
    let (table, body) = frame[FRAME_HEADER_LEN..].split_at(table_len);
    let mut previous = &frame[80..112];
    for entry in table.chunks(40) {
        let (offset, length) = (number(&entry[..4]), number(&entry[4..8]));
        let (header, salted) = body[offset..offset + length].split_at(HEADER_LEN);
        let (salt, payload) = salted.split_at(SALT_LEN);
        std::hint::black_box(chain.record_hash(previous.try_into().unwrap(), header));
        std::hint::black_box(chain.payload_commitment(salt.try_into().unwrap(), payload));
        std::hint::black_box(leaf_hash(header));
        previous = &entry[8..];
    }
    std::hint::black_box(checksum(body));
    (table_len / 40) as u64
}

/// Seconds on the clock, and of all threads' processor time, which holds still on a busy machine.
#[derive(Default)]
struct Figures {
    seconds: Vec<f64>,
    processor: Vec<f64>,
}

impl Figures {
    async fn take(&mut self, work: impl Future<Output = ()>) {
        let (started, processor) = (now(), support::processor_time());
        work.await;
        self.seconds.push(started.elapsed().as_secs_f64());
        let used = support::processor_time() - processor;
        self.processor.push(used.as_secs_f64());
    }

    fn medians(self) -> (f64, f64) {
        (median(self.seconds), median(self.processor))
    }
}

async fn measure(ledger: &Ledger, path: &Path, threads: usize, rounds: usize, cold: bool) {
    let spots = Spots::found(path);
    let [mut bulk, mut own, mut verify] = [(); 3].map(|()| Figures::default());
    let (mut read, mut hashed, mut verified_bytes) = (0, (0, 0), 0);
    let prepare = || if cold { evict(path) } else { warm(path) };
    for _ in 0..rounds {
        prepare();
        bulk.take(async { read = raw(path, threads) }).await;
        prepare();
        own.take(async { hashed = spots.hashed(threads) }).await;
        prepare();
        let work = async {
            let verified = ledger.verify(VerifyOptions::threads(threads), |_| {});
            let verified = verified.await.unwrap();
            assert!(verified.is_sound(), "{:?}", verified.damages);
            assert_eq!(verified.not_checked, [""; 0]);
            verified_bytes = verified.bytes;
        };
        verify.take(work).await;
    }
    let records = ledger.head().count();
    assert!(
        rounds == 0 || hashed.1 == records,
        "not every record was hashed"
    );
    let verify = verify.medians();
    println!(
        "{}",
        if cold {
            "not in the system's cache"
        } else {
            "in the system's cache"
        }
    );
    for (name, bytes, (seconds, processor)) in [
        ("raw", read, bulk.medians()),
        ("own hashes", hashed.0, own.medians()),
        ("verify", verified_bytes, verify),
    ] {
        println!(
            "  {name:<10} {seconds:>7.2} s, processor {processor:>6.2} s; {:>6} MiB, {:>9.0} records/s; verify has {:.2} of its speed, processor time {:.2}",
            bytes >> 20,
            records as f64 / seconds,
            seconds / verify.0,
            verify.1 / processor,
        );
    }
}

fn main() {
    let number = |name, default| value(name).map_or(default, |value| value.parse().unwrap());
    let quick = flag("--quick");
    let records = number("--records", if quick { 50_000 } else { 1_000_000 }) as u64;
    let rounds = number("--rounds", if quick { 1 } else { 5 });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = match number("--threads", 0) {
        0 => cores,
        threads => threads,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fresh = support::fresh_directory();
    // A ledger that is kept can be measured again without being filled.
    let path = value("--keep").map_or(fresh.path().join("ledger"), PathBuf::from);
    runtime.block_on(async {
        if !path.exists() {
            filled(&path, records).await;
        }
        let started = now();
        let (ledger, root) = Ledger::open(&path, options()).await.unwrap();
        let opened = started.elapsed();
        ledger.at_least(ledger.head().seq).await.unwrap();
        println!(
            "open in {:.1} s, views at the head after {:.1} s, {threads} threads, {rounds} rounds, medians",
            opened.as_secs_f64(),
            started.elapsed().as_secs_f64()
        );
        measure(&ledger, &path, threads, rounds, false).await;
        measure(&ledger, &path, threads, rounds, true).await;
        root.close(CLOSE).await.unwrap();
    });
}
