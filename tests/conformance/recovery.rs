// SPDX-License-Identifier: Apache-2.0
//! Recovery, failure, closing: §13, §21, R1.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{Event, Record, Store, TelemetryKind};
use femtoclaw_ledger::journal::{Journal, MemoryJournal};
use femtoclaw_ledger::projections::{Projection, ProjectionError, ViewBatch};

use crate::held::{FailedSync, HeldJournal};
use crate::support::*;

#[tokio::test]
async fn s13_1_everything_is_recovered_also_after_crashes_during_recovery() {
    if let Some(path) = child_path() {
        acknowledge("opening");
        let open = open(&path).await;
        if open.ledger.head().count() < 20 {
            open.sample().await;
            let _running = open.begin().await;
            for record in open.records().await {
                acknowledge(hex(&bytes(&record)));
            }
        }
        acknowledge("end");
        return std::future::pending().await;
    }
    let (_root, path) = place();
    let test = "recovery::s13_1_everything_is_recovered_also_after_crashes_during_recovery";
    let written = killed_at_end(test, &path);
    assert!(written.len() > 30);
    // Killed while it recovers, at ever later moments.
    for millis in [0, 2, 4, 8, 12, 16, 24, 32, 48] {
        let mut child = child_command(test, &path).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + millis));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let open = open(&path).await;
    let records = open.records().await;
    for (index, expected) in written.iter().enumerate() {
        assert_eq!(&hex(&bytes(&records[index])), expected, "{index}");
    }
    open.ledger.at_least(open.ledger.head().seq).await.unwrap();
    assert_eq!(open.log().in_doubt().await.unwrap().len(), 1);
    let configuration = open.ledger.configuration(&open.grant).unwrap();
    let current = configuration.current("limits").await.unwrap().unwrap();
    assert_eq!(current.content, b"max = 1\n");
    let metadata = open.ledger.runtime_metadata(&open.grant).unwrap();
    assert_eq!(metadata.registry().await.unwrap().registry_version, 2);
}

/// What the child told between "opening" and "end"; killed at the end.
fn killed_at_end(test: &str, path: &Path) -> Vec<String> {
    use std::io::BufRead;
    let mut child = child_command(test, path).spawn().unwrap();
    let lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let told = lines
        .map(Result::unwrap)
        .filter(|line| line.starts_with("ack "));
    let told: Vec<_> = told.take_while(|line| line != "ack end").collect();
    child.kill().unwrap();
    child.wait().unwrap();
    told[1..].iter().map(|line| line[4..].to_owned()).collect()
}

fn files(path: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

#[tokio::test]
async fn s13_2_recovery_deletes_nothing_and_sets_damaged_views_aside() {
    let (_root, path) = place();
    let open_first = open(&path).await;
    open_first.sample().await;
    let before: Vec<_> = open_first.records().await.iter().map(bytes).collect();
    let head = open_first.ledger.head().count();
    open_first.close().await;
    for file in files(&path.join("views")) {
        std::fs::write(&file, b"not a database").unwrap();
    }
    let again = open(&path).await;
    again.ledger.at_least(seq(head)).await.unwrap();
    let records = again.records().await;
    for (record, expected) in records.iter().zip(&before) {
        assert_eq!(&bytes(record), expected, "{}", record.header.seq);
    }
    assert!(records.len() > before.len());
    let quarantine = path.join("quarantine");
    let kept = files(&quarantine);
    let is_old = |file: &std::path::PathBuf| std::fs::read(file).unwrap() == b"not a database";
    assert!(kept.iter().any(is_old), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s21_1_a_storage_failure_preserves_data_and_acknowledges_nothing() {
    let memory = MemoryJournal::new();
    let journal = Arc::new(HeldJournal::new(memory.clone()));
    let open = open_on(journal.clone(), fixed(&clock())).await;
    open.sample().await;
    let before: Vec<_> = open.records().await.iter().map(bytes).collect();
    journal.fail_next(FailedSync::NotPersisted);
    let failed = open.log().begin(open.request("message")).await.unwrap_err();
    assert_eq!(failed.code(), "outcome_unknown");
    // Sealed: nothing more is accepted, in any store; what is durable is still served.
    for _ in 0..3 {
        let log = open.log();
        let refused = log.begin(open.request("message"));
        let refused = tokio::time::timeout(WAIT, refused).await.unwrap();
        assert_eq!(refused.unwrap_err().code(), "sealed");
    }
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    let record = telemetry.record(observation(TelemetryKind::Error, "disk"));
    assert_eq!(record.await.unwrap_err().code(), "sealed");
    let health = open.ledger.health();
    assert!(
        !health.healthy && health.cause.contains("sealed"),
        "{health:?}"
    );
    let after: Vec<_> = open.records().await.iter().map(bytes).collect();
    assert_eq!(after, before);
    let closed = open.root.close(Duration::from_millis(50));
    let closed = tokio::time::timeout(WAIT, closed).await.unwrap();
    assert_eq!(closed.unwrap_err().code(), "sealed");
    // The next opening verifies all of it, makes a record of the failure, and goes on.
    let again = open.again(Arc::new(memory.reopen())).await;
    let records = again.records().await;
    let kept: Vec<_> = records.iter().take(before.len()).map(bytes).collect();
    assert_eq!(kept, before);
    let told = records.iter().filter(|record| {
        let is_it = matches!(record.event().unwrap(), Event::StorageFailed(_));
        is_it && record.header.stores.contains(Store::Telemetry)
    });
    assert_eq!(told.count(), 1);
    again.execute().await;
}

/// A view that cannot take what it is told to refuse.
struct Picky;

impl Projection for Picky {
    fn name(&self) -> &'static str {
        "picky"
    }
    fn version(&self) -> u32 {
        1
    }
    fn apply(
        &mut self,
        _: &Record,
        event: &Event,
        _: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let refused = matches!(event, Event::TelemetryRecorded(it) if it.name == "poison");
        if refused {
            return Err(ProjectionError::Refused("poison".into()));
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_close_flushes_everything_and_changes_of_health_are_audited() {
    let memory = MemoryJournal::new();
    let mut options = fixed(&clock());
    options.projections = vec![Box::new(Picky)];
    let open = open_on(Arc::new(memory.clone()), options).await;
    for _ in 0..3 {
        assert!(open.ledger.health().healthy, "deterministic");
    }
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    let poison = observation(TelemetryKind::Other, "poison");
    telemetry.record(poison).await.unwrap();
    let changed = async || {
        let events = open.events().await;
        let is_it = |event: &Event| matches!(event, Event::HealthChanged(it) if !it.healthy);
        events.iter().any(is_it)
    };
    let until = std::time::Instant::now() + WAIT;
    while !changed().await {
        assert!(std::time::Instant::now() < until, "not audited");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let first = open.ledger.health();
    assert!(!first.healthy && first.cause.contains("picky"), "{first:?}");
    assert_eq!(open.ledger.health(), first);
    // Emitted and not waited for; the close makes it durable.
    for number in 0..200 {
        let name = format!("emitted {number}");
        let it = observation(TelemetryKind::Other, &name);
        telemetry.emit(it).unwrap();
    }
    let closed = open.root.close(WAIT).await.unwrap();
    let again = memory.reopen();
    assert_eq!(again.head().unwrap(), closed.head);
    let events = journal_events(&again);
    let emitted = events.iter().filter(
        |event| matches!(event, Event::TelemetryRecorded(it) if it.name.starts_with("emitted")),
    );
    assert_eq!(emitted.count(), 200);
    assert!(matches!(events.last(), Some(Event::LedgerClosed(_))));
    let refused = open.log().begin(open.request("message")).await.unwrap_err();
    assert_eq!(refused.code(), "shutting_down");
}

#[tokio::test]
async fn r1_a_close_says_how_many_executions_it_left_running() {
    let memory = MemoryJournal::new();
    let open = open_on(Arc::new(memory.clone()), fixed(&clock())).await;
    open.execute().await;
    for _ in 0..2 {
        let _running = open.begin().await.started().unwrap().detach();
    }
    let closed = open.root.close_at_once(WAIT).await.unwrap();
    assert_eq!(closed.running, 2);
    let events = journal_events(&memory.reopen());
    let Some(Event::LedgerClosed(it)) = events.last() else {
        panic!("not closed")
    };
    assert_eq!(it.running, 2);
}
