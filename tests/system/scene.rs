// SPDX-License-Identifier: Apache-2.0
//! A ledger with tables, views and saved states, and where its files are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use femtoclaw_ledger::{AppendError, Context, Grant, Ledger, Options, Quota, Rights, Root};

use crate::child::child_command;
use crate::shared::{WAIT, everything, observation};

/// Small, so that there are tables and not only a log; nothing in the background.
pub(crate) fn options() -> Options {
    Options {
        memtable_bytes: Some(16 << 10),
        snapshot_records: 50,
        scrub_bytes_per_second: 0,
        descriptors_max: 20,
        ..Options::default()
    }
}

pub(crate) async fn record(ledger: &Ledger, grant: &Grant, count: u32, bytes: usize) {
    let telemetry = ledger.telemetry(grant).unwrap();
    for _ in 0..count {
        let mut observed = observation(Context::new(), "beat");
        observed.attributes = format!("\"{}\"", "x".repeat(bytes)).into_bytes();
        telemetry.record(observed).await.unwrap();
    }
}

pub(crate) async fn filled(path: &Path, options: Options, count: u32) -> (Ledger, Root, Grant) {
    let (ledger, root) = Ledger::open(path, options).await.unwrap();
    let grant = everything(&root).await;
    record(&ledger, &grant, count, 400).await;
    ledger.at_least(ledger.head().seq).await.unwrap();
    (ledger, root, grant)
}

/// The ledger goes on once there are descriptors again. Where its engine was at work in the background without any, it
/// has stopped: then the ledger says so, and is opened again in place.
pub(crate) async fn goes_on(
    (ledger, root): (Ledger, Root),
    options: Options,
) -> (Ledger, Root, Grant) {
    match root.grant("tester", Rights::all(), Quota::default()).await {
        Ok(grant) => (ledger, root, grant),
        Err(AppendError::Sealed { .. } | AppendError::OutcomeUnknown { .. }) => {
            let (ledger, root) = root.reopen(options, WAIT).await.unwrap();
            let grant = everything(&root).await;
            (ledger, root, grant)
        }
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn closed((ledger, root, grant): (Ledger, Root, Grant)) {
    root.close(Duration::from_secs(30)).await.unwrap();
    drop((ledger, root, grant));
}

pub(crate) fn entries(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u64>().ok();
    paths.sort_by_key(|path| (number(path), path.clone()));
    paths
}

/// What was set aside.
pub(crate) fn quarantined(ledger: &Path) -> Vec<PathBuf> {
    entries(&ledger.join("quarantine"))
}

/// This very test again, in a process whose directory and limits are its own.
pub(crate) fn in_a_process(test: &str, path: &Path) {
    let output = run(child_command(test, path));
    assert!(output.0, "{}", output.1);
}

fn run(mut command: Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), text)
}

pub(crate) fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(work);
}
