// SPDX-License-Identifier: Apache-2.0
//! What one execution cycle (begin and complete, 312 bytes of arguments and result) leaves behind:
//! records, header bytes, frame bytes and keys in the views. Fails where it is more than was promised.
//!
//! `cargo bench --bench footprint`

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may stop at the first error"
)]

#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::time::Duration;

use femtoclaw_ledger::Context;
use femtoclaw_ledger::events::{HEADER_LEN, Record, SALT_LEN, Seq};
use femtoclaw_ledger::journal::{FjallJournal, Journal, JournalOptions};
use support::{PAYLOAD_BYTES, json, request};

const RECORDS_MAX: usize = 10;
const BEYOND_PAYLOAD_BYTES_MAX: usize = 2 << 10;
const CYCLES: usize = 1_000;

/// One cycle after the other: every commit is a frame of its own, the dearest case.
async fn cycles(path: &Path, count: usize) -> (u64, u64, Vec<Record>) {
    let (ledger, root, _) = support::open(path).await;
    let grant = support::grant(&root).await;
    let log = ledger.execution_log(&grant).unwrap();
    let half = PAYLOAD_BYTES / 2;
    let first = ledger.head().count() + 1;
    for _ in 0..count {
        let begun = log.begin(request(&ledger, json(half))).await.unwrap();
        log.complete(begun.execution(), Context::new(), json(half))
            .await
            .unwrap();
    }
    let last = ledger.head().count();
    let reads = ledger.reader(&grant).unwrap();
    let records = reads.range(Seq::new(first).unwrap(), 64).await.unwrap();
    root.close(Duration::from_secs(10)).await.unwrap();
    (first, last, records)
}

/// Frames and their bytes between two records.
fn frames(path: &Path, first: u64, last: u64) -> (usize, usize) {
    let journal = FjallJournal::open(&path.join("journal"), &JournalOptions::default()).unwrap();
    let frames = journal.frames(Seq::new(first).unwrap()).map(Result::unwrap);
    let frames = frames.take_while(|frame| frame.last_seq().get() <= last);
    frames.fold((0, 0), |(count, bytes), frame| {
        (count + 1, bytes + frame.bytes().len())
    })
}

/// Keys of every view's generation that serves, by name of its keyspace.
fn view_keys(path: &Path) -> Vec<(String, usize)> {
    let database = fjall::Database::builder(path.join("views")).open().unwrap();
    let names = database.list_keyspace_names();
    let count = |name: &str| {
        let keyspace = database.keyspace(name, fjall::KeyspaceCreateOptions::default);
        (name.to_owned(), keyspace.unwrap().iter().count())
    };
    let mut keys: Vec<_> = names.iter().map(|name| count(name)).collect();
    keys.sort();
    keys
}

fn main() {
    let directory = support::fresh_directory();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (few, many) = (directory.path().join("few"), directory.path().join("many"));
    runtime.block_on(cycles(&few, 0));
    let (first, last, sample) = runtime.block_on(cycles(&many, CYCLES));
    drop(runtime);
    let per_cycle = |total: usize| total as f64 / CYCLES as f64;
    let records = (last - first + 1) as usize;
    let (frames, frame_bytes) = frames(&many, first, last);
    println!("\none execution cycle (begin, complete), each command in a frame of its own:");
    println!("{:>8.2} records", per_cycle(records));
    for record in sample.iter().take(records / CYCLES) {
        let payload = record.header.payload_len;
        println!(
            "         {:?}, payload {payload} bytes",
            record.event().unwrap().event_type()
        );
    }
    let headers = records * (HEADER_LEN + SALT_LEN);
    println!(
        "{:>8.0} bytes of record headers and salts",
        per_cycle(headers)
    );
    println!("{:>8.2} frames", per_cycle(frames));
    println!("{:>8.0} bytes of frames", per_cycle(frame_bytes));
    let beyond = per_cycle(frame_bytes) - PAYLOAD_BYTES as f64;
    println!("{beyond:>8.0} bytes beyond arguments and result");
    for ((name, many), (_, few)) in view_keys(&many).into_iter().zip(view_keys(&few)) {
        println!("{:>8.3} keys in {name}", per_cycle(many - few));
    }
    assert!(records <= RECORDS_MAX * CYCLES, "too many records");
    assert!(beyond <= BEYOND_PAYLOAD_BYTES_MAX as f64, "too many bytes");
}
