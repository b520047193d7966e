// SPDX-License-Identifier: Apache-2.0
//! Telemetry: §7, P2.

use std::sync::Arc;
use std::time::{Duration, Instant};

use femtoclaw_ledger::events::{Event, Store, TelemetryKind};
use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::{Quota, Rights};

use crate::held::HeldJournal;
use crate::support::*;

#[tokio::test]
async fn s7_1_every_kind_of_telemetry_survives_a_kill() {
    if let Some(path) = child_path() {
        let open = open(&path).await;
        let telemetry = open.ledger.telemetry(&open.grant).unwrap();
        for kind in TelemetryKind::ALL {
            let name = format!("kind {}", kind.code());
            let receipt = telemetry.record(observation(kind, &name)).await.unwrap();
            acknowledge(receipt.first);
        }
        return std::future::pending().await;
    }
    let (_root, path) = place();
    let test = "telemetry::s7_1_every_kind_of_telemetry_survives_a_kill";
    let places = killed_after(test, &path, 5);
    let open = open(&path).await;
    for (place, kind) in places.iter().zip(TelemetryKind::ALL) {
        let record = open.reads().get(seq(place.parse().unwrap())).await;
        let record = record.unwrap().unwrap();
        let Event::TelemetryRecorded(it) = record.event().unwrap() else {
            panic!("{record:?}")
        };
        assert_eq!(TelemetryKind::from_code(it.kind), Some(kind));
        assert_eq!(it.name, format!("kind {}", kind.code()));
        assert_eq!(
            (it.observed_ns, &*it.attributes),
            (START_NS, &br#"{"ms": 4}"#[..])
        );
    }
    assert_eq!(places.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_2_telemetry_alone_tells_an_execution_as_the_audit_log_does() {
    let memory = MemoryJournal::new();
    let journal = Arc::new(HeldJournal::new(memory.clone()));
    let mut options = fixed(&clock());
    options.limits.emit_records_max = 10;
    let open = open_on(journal.clone(), options).await;
    let id = open.execute().await;
    let mut timelines = Vec::new();
    let alone = |store| Rights::none().read(store);
    // With what the execution log says of it, of which payloads are.
    let telling = |store| alone(store).read_payloads(Store::ExecutionLog);
    for (store, rights) in [
        (Store::Telemetry, alone(Store::Telemetry)),
        (Store::AuditLog, alone(Store::AuditLog)),
        (Store::Telemetry, telling(Store::Telemetry)),
        (Store::AuditLog, telling(Store::AuditLog)),
    ] {
        let grant = open.root.grant(store.name(), rights, Quota::default());
        let grant = grant.await.unwrap();
        let trace = open.ledger.reader(&grant).unwrap().reconstruct(id).await;
        timelines.push(trace.unwrap().unwrap());
    }
    assert_eq!(timelines[0], timelines[1]);
    assert_eq!(timelines[2], timelines[3]);
    assert_eq!(timelines[0].path, timelines[2].path);
    assert_eq!(timelines[0].steps.len(), 6);
    // What the bounded buffer could not hold is a gap that is recorded, and counted right.
    journal.hold();
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    let log = open.log();
    let request = open.request("message");
    let waiting = tokio::spawn(async move { log.begin(request).await });
    assert!(journal.wait_until_held(WAIT));
    for _ in 0..500 {
        let it = observation(TelemetryKind::Other, "flood");
        telemetry.emit(it).unwrap();
    }
    journal.release();
    let begun = waiting.await.unwrap().unwrap();
    // A close would wait for it.
    let done = open.complete(begun.execution(), b"1");
    done.await.unwrap();
    open.root.close(WAIT).await.unwrap();
    let (mut stored, mut lost) = (0, 0);
    for event in journal_events(&memory.reopen()) {
        match event {
            Event::TelemetryRecorded(it) if it.name == "flood" => stored += 1,
            Event::TelemetryLost(it) => lost += it.count,
            _ => {}
        }
    }
    assert_eq!(stored + lost, 500);
    // Its part of ten.
    assert!(lost > 0 && stored >= 6, "{stored} stored, {lost} lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_emit_returns_at_once_while_the_writer_is_held() {
    let journal = Arc::new(HeldJournal::new(MemoryJournal::new()));
    let open = open_on(journal.clone(), fixed(&clock())).await;
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    journal.hold();
    let log = open.log();
    let request = open.request("message");
    let waiting = tokio::spawn(async move { log.begin(request).await });
    assert!(journal.wait_until_held(WAIT));
    let mut took: Vec<Duration> = Vec::new();
    // More than the buffer holds: the overflow must not wait either.
    for _ in 0..10_000 {
        let it = observation(TelemetryKind::Execution, "step");
        let started = Instant::now();
        telemetry.emit(it).unwrap();
        took.push(started.elapsed());
    }
    took.sort_unstable();
    let (median, most) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    assert!(median < Duration::from_micros(500), "median {median:?}");
    assert!(most < Duration::from_millis(5), "99 % {most:?}");
    assert!(!waiting.is_finished(), "the writer was held all the while");
    journal.release();
    let begun = waiting.await.unwrap().unwrap();
    let done = open.complete(begun.execution(), b"1");
    done.await.unwrap();
}

/// Whoever floods the buffer loses its own, and leaves room to the others: in records and in bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_2_a_component_that_floods_the_buffer_leaves_room_to_others() {
    for (records, bytes) in [(8, 4 << 20), (4_096, 64 << 10)] {
        let memory = MemoryJournal::new();
        let journal = Arc::new(HeldJournal::new(memory.clone()));
        let mut options = fixed(&clock());
        options.limits.payload_bytes_max = 64 << 10;
        options.limits.emit_records_max = records;
        options.limits.emit_bytes_max = bytes;
        let open = open_on(journal.clone(), options).await;
        let quiet = open.root.grant("quiet", Rights::all(), Quota::default());
        let quiet = open.ledger.telemetry(&quiet.await.unwrap()).unwrap();
        let loud = open.ledger.telemetry(&open.grant).unwrap();
        journal.hold();
        for _ in 0..200 {
            let mut it = observation(TelemetryKind::Other, "flood");
            it.attributes = format!("\"{}\"", "x".repeat(6_000)).into_bytes();
            loud.emit(it).unwrap();
        }
        for _ in 0..2 {
            quiet
                .emit(observation(TelemetryKind::Other, "quiet"))
                .unwrap();
        }
        journal.release();
        open.root.close(WAIT).await.unwrap();
        let (mut flood, mut stored, mut lost) = (0, 0, 0);
        for event in journal_events(&memory.reopen()) {
            match event {
                Event::TelemetryRecorded(it) if it.name == "flood" => flood += 1,
                Event::TelemetryRecorded(it) if it.name == "quiet" => stored += 1,
                Event::TelemetryLost(it) => lost += it.count,
                _ => {}
            }
        }
        assert_eq!(flood + lost, 200);
        assert!(lost > 0, "it was no flood");
        assert_eq!(stored, 2, "{records} records, {bytes} bytes");
    }
}

/// The buffer is bounded in bytes as it is in records, and a gap reaches to the last that was lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_2_what_is_emitted_is_bounded_in_bytes_and_a_gap_has_both_its_ends() {
    const FLOOD: i64 = 200;
    let memory = MemoryJournal::new();
    let journal = Arc::new(HeldJournal::new(memory.clone()));
    let mut options = fixed(&clock());
    options.limits.payload_bytes_max = 64 << 10;
    options.limits.emit_bytes_max = 64 << 10;
    let open = open_on(journal.clone(), options).await;
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    journal.hold();
    let log = open.log();
    let request = open.request("message");
    let waiting = tokio::spawn(async move { log.begin(request).await });
    assert!(journal.wait_until_held(WAIT));
    for number in 0..FLOOD {
        let mut it = observation(TelemetryKind::Other, "flood");
        it.attributes = format!("\"{}\"", "x".repeat(6_000)).into_bytes();
        it.observed_ns = Some(START_NS + number);
        telemetry.emit(it).unwrap();
    }
    journal.release();
    let begun = waiting.await.unwrap().unwrap();
    // A close would wait for it.
    let done = open.complete(begun.execution(), b"1");
    done.await.unwrap();
    open.root.close(WAIT).await.unwrap();
    let (mut stored, mut lost, mut gaps) = (0, 0, Vec::new());
    for event in journal_events(&memory.reopen()) {
        match event {
            Event::TelemetryRecorded(it) if it.name == "flood" => stored += 1,
            Event::TelemetryLost(it) => {
                lost += it.count;
                gaps.push((it.first_ns, it.last_ns));
            }
            _ => {}
        }
    }
    assert_eq!(stored + lost, FLOOD.unsigned_abs());
    // What the store had taken from the buffer, and as much again in it.
    assert!((1..=20).contains(&stored), "{stored} stored");
    let last = gaps.last().unwrap();
    assert!(last.0 < last.1, "{gaps:?}");
    assert_eq!(last.1, START_NS + FLOOD - 1, "nothing was taken any more");
}
