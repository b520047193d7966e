// SPDX-License-Identifier: Apache-2.0
//! What the ledger tells of itself: §20.

use std::io::Write;
use std::sync::{Arc, Mutex};

use femtoclaw_ledger::Options;
use femtoclaw_ledger::events::{Event, Store};
use femtoclaw_ledger::journal::MemoryJournal;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::held::{FailedSync, HeldJournal};
use crate::support::*;

/// Where the child's tracing goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn contains(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.0.lock().unwrap()).contains(text)
    }
}

/// The value of a series; 0 where there is none.
fn value(page: &PrometheusHandle, series: &str) -> f64 {
    let page = page.render();
    let line = |line: &&str| line.starts_with(series) && line[series.len()..].starts_with(' ');
    let found = page.lines().find(line);
    found.map_or(0.0, |line| {
        line.rsplit(' ').next().unwrap().parse().unwrap()
    })
}

#[test]
fn s20_1_write_commit_recovery_and_failure_tell_of_themselves() {
    // A process of its own: recorder and subscriber are the process's.
    let Some(path) = child_path() else {
        let (_root, path) = place();
        let test = "observability::s20_1_write_commit_recovery_and_failure_tell_of_themselves";
        let output = child_command(test, &path).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && told.contains("ack end"),
            "{told}"
        );
        return;
    };
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    metrics::set_global_recorder(recorder).unwrap();
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .init();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        write_commit_recovery(&path, &page, &log).await;
        failure(&page, &log).await;
    });
    acknowledge("end");
}

async fn write_commit_recovery(path: &std::path::Path, page: &PrometheusHandle, log: &Log) {
    let at = |name: &str| value(page, &format!("femtoclaw_ledger_{name}"));
    let first = open_with(path, Options::default()).await;
    assert_eq!(at("recoveries_total{outcome=\"new\"}"), 1.0);
    let (records, commits) = (at("appended_records_total"), at("commits_total"));
    let executions = "store_records_total{store=\"execution_log\"}";
    assert_eq!(at(executions), 0.0);
    first.execute().await;
    assert_eq!(at("appended_records_total"), records + 6.0);
    assert_eq!(at("commits_total"), commits + 2.0);
    assert_eq!(at("head_seq"), first.ledger.head().count() as f64);
    assert_eq!(at(executions), 3.0);
    assert!(at("frames_total") >= 2.0);
    let answered = "append_seconds_count{store=\"execution_log\",outcome=\"committed\"}";
    assert_eq!(at(answered), 2.0);
    assert!(log.contains("kind=\"begin\""), "a span per command");
    // Left without a close: the next opening is a recovery, and says so in a record.
    let running = first.begin().await.started().unwrap().detach();
    assert!(!running.is_nil());
    drop(first);
    let second = reopen(path).await;
    assert_eq!(at("recoveries_total{outcome=\"unclean\"}"), 1.0);
    assert_eq!(at("in_doubt_executions"), 1.0);
    assert!(at("recovered_records") > 6.0);
    assert!(log.contains("the ledger is open"));
    let records = second.records().await;
    let opened = records.iter().filter_map(|record| {
        assert!(record.header.seq.get() > 0);
        let Event::LedgerOpened(it) = record.event().unwrap() else {
            return None;
        };
        assert!(record.header.stores.contains(Store::Telemetry));
        Some((it.clean, it.in_doubt))
    });
    assert!(opened.eq([(true, 0), (false, 1)]));
    second.close().await;
}

/// A ledger that is dropped lets go of its directory a moment later.
async fn reopen(path: &std::path::Path) -> Open {
    for _ in 0..500 {
        match femtoclaw_ledger::Ledger::open(path, Options::default()).await {
            Ok(opened) => return granted(opened, None).await,
            Err(error) => assert!(error.to_string().contains("ocked"), "{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("still locked")
}

async fn failure(page: &PrometheusHandle, log: &Log) {
    let at = |name: &str| value(page, &format!("femtoclaw_ledger_{name}"));
    let memory = MemoryJournal::new();
    let journal = Arc::new(HeldJournal::new(memory.clone()));
    let open = open_on(journal.clone(), fixed(&clock())).await;
    let running = open.begin().await.started().unwrap().detach();
    let refused = "refusals_total{reason=\"unknown_execution\"}";
    assert_eq!(at(refused), 0.0);
    let unknown = open.complete(execution(404), b"1");
    assert!(unknown.await.is_err());
    assert_eq!(at(refused), 1.0);
    assert_eq!(at("sealed"), 0.0);
    journal.fail_next(FailedSync::NotPersisted);
    let failed = open.complete(running, b"1").await;
    assert!(failed.is_err());
    assert_eq!(at("write_failures_total{outcome=\"unknown\"}"), 1.0);
    assert_eq!(at("sealed"), 1.0);
    assert!(log.contains("the ledger is sealed"));
    // The record of it is the next opening's, with what was left in doubt.
    let again = open.again(Arc::new(memory.reopen())).await;
    let events = again.events().await;
    let opened =
        |event: &Event| matches!(event, Event::LedgerOpened(it) if !it.clean && it.in_doubt == 1);
    assert!(events.iter().any(opened));
    let failed = |event: &Event| {
        matches!(event, Event::StorageFailed(it) if it.failed_ns == START_NS
            && it.cause.contains("sync"))
    };
    assert!(events.iter().any(failed));
    let told = femtoclaw_ledger::events::EventType::StorageFailed.stores();
    assert!(told.contains(Store::Telemetry));
}
