//! Verification beside reading and hashing the same bytes: a ledger of so many records, verified with
//! all checks, and every file of its journal read and hashed once with as many threads; in turn, with
//! the files in the system's cache and without.
//!
//! `cargo bench --bench verify -- [--quick] [--records 1000000] [--rounds 5] [--threads 0] [--keep DIR]`

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may stop at the first error"
)]

mod support;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use femtoclaw_ledger::events::{
    CommandId, ComponentId, Event, EventType, ExecutionId, LedgerId, Outcome, ParentId, StreamId,
    TelemetryKind, TelemetryRecordedV1, TraceId,
};
use femtoclaw_ledger::integrity::{Chain, RunningDigest};
use femtoclaw_ledger::journal::{Anchor, FjallJournal, FrameBuilder, Journal, NewRecord};
use femtoclaw_ledger::{Ledger, Options, VerifyOptions};
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
    let (ledger, root) = Ledger::open(path, options()).await.unwrap();
    support::grant(&root).await;
    ledger.close(CLOSE).await.unwrap();
    let journal = FjallJournal::open(&path.join("journal"), &Default::default()).unwrap();
    let mut head = journal.head().unwrap();
    let (first, chain) = (head, Chain::default());
    let mut builder = FrameBuilder::new(LEDGER, head.epoch, head);
    let mut frames = 0;
    while head.seq < records {
        for number in 0..FRAME_RECORDS.min(records - head.seq) {
            builder.push(&record(head.seq + number, &chain), first.time_ns);
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

/// Reads every file below and hashes it once, in bulk; gives the bytes.
fn raw(path: &Path, threads: usize) -> u64 {
    let files = files(path);
    let (next, bytes) = (AtomicUsize::new(0), std::sync::atomic::AtomicU64::new(0));
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

#[derive(Default)]
struct Figures {
    raw: Vec<f64>,
    verify: Vec<f64>,
    /// Processor time of all threads: holds still on a busy machine.
    raw_processor: Vec<f64>,
    verify_processor: Vec<f64>,
}

async fn measure(ledger: &Ledger, path: &Path, threads: usize, rounds: usize, cold: bool) {
    let mut figures = Figures::default();
    let mut read = (0, 0);
    for _ in 0..rounds {
        if cold {
            evict(path);
        }
        let (started, processor) = (now(), support::processor_time());
        read.0 = raw(path, threads);
        figures.raw.push(started.elapsed().as_secs_f64());
        let used = support::processor_time() - processor;
        figures.raw_processor.push(used.as_secs_f64());
        if cold {
            evict(path);
        }
        let (started, processor) = (now(), support::processor_time());
        let verified = ledger.verify(VerifyOptions::threads(threads), |_| {});
        let verified = verified.await.unwrap();
        figures.verify.push(started.elapsed().as_secs_f64());
        let used = support::processor_time() - processor;
        figures.verify_processor.push(used.as_secs_f64());
        assert!(verified.is_sound(), "{:?}", verified.damages);
        assert_eq!(verified.not_checked, [""; 0]);
        read.1 = verified.bytes;
    }
    let (raw, verify) = (median(figures.raw), median(figures.verify));
    let raw_processor = median(figures.raw_processor);
    let verify_processor = median(figures.verify_processor);
    let records = ledger.head().seq as f64;
    let mib = |bytes: u64, seconds: f64| bytes as f64 / seconds / f64::from(1 << 20);
    println!(
        "{:<5} raw {raw:>7.2} s ({:>5.0} MiB/s of {} MiB)   verify {verify:>7.2} s ({:>9.0} records/s, {} MiB read)   ratio {:.2}; processor {raw_processor:.2} s and {verify_processor:.2} s, ratio {:.2}",
        if cold { "cold" } else { "warm" },
        mib(read.0, raw),
        read.0 >> 20,
        records / verify,
        read.1 >> 20,
        raw / verify,
        raw_processor / verify_processor,
    );
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
        let (ledger, _root) = Ledger::open(&path, options()).await.unwrap();
        let opened = started.elapsed();
        ledger.at_least(ledger.head().seq).await.unwrap();
        println!(
            "open in {:.1} s, views at the head after {:.1} s, {threads} threads, {rounds} rounds, medians",
            opened.as_secs_f64(),
            started.elapsed().as_secs_f64()
        );
        measure(&ledger, &path, threads, rounds, false).await;
        measure(&ledger, &path, threads, rounds, true).await;
        ledger.close(CLOSE).await.unwrap();
    });
}
