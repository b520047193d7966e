// SPDX-License-Identifier: Apache-2.0
//! One walk through the front door: open, record, close, open again.

#![cfg(feature = "engine")]

use std::time::Duration;

use femtoclaw_ledger::events::{Decision, Seq};
use femtoclaw_ledger::{
    Context, ExecutionLog, Ledger, Options, Quota, Request, Rights, Root, verify::VerifyOptions,
};

fn request(ledger: &Ledger, capability: &str) -> Request {
    Request {
        context: Context::new(),
        execution: None,
        input: Some(br#"{"message":{"content":"hi"}}"#.to_vec()),
        capability: capability.to_owned(),
        arguments: br#"{"content":"hi"}"#.to_vec(),
        decision: Decision::Authorized,
        reason: String::new(),
        basis: ledger.in_force().basis(),
    }
}

#[tokio::test]
async fn what_was_recorded_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
    let grant = root
        .grant("test", Rights::all(), Quota::default())
        .await
        .unwrap();
    let log = ledger.execution_log(&grant).unwrap();
    let begun = log.begin(request(&ledger, "message")).await.unwrap();
    assert!(begun.is_started());
    let receipt = log
        .complete(begun.execution(), Context::new(), b"\"ok\"".to_vec())
        .await
        .unwrap();
    let left = log.begin(request(&ledger, "message")).await.unwrap();
    let reads = ledger.reader(&grant).unwrap();
    let trace = reads.reconstruct(begun.execution()).await.unwrap().unwrap();
    assert_eq!(trace.steps.len(), 6);
    let closed = root.close_at_once(Duration::from_secs(60)).await.unwrap();
    assert_eq!(closed.running, 1);
    drop((ledger, root, log, reads));

    let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
    let grant = root
        .grant("test", Rights::all(), Quota::default())
        .await
        .unwrap();
    assert!(ledger.head().count() > closed.head.count());
    let reads = ledger.reader(&grant).unwrap();
    let record = reads
        .get(Seq::new(receipt.first.get()).unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.header.execution, begun.execution());
    let log = ledger.execution_log(&grant).unwrap();
    let in_doubt = log.in_doubt().await.unwrap();
    assert_eq!(in_doubt.len(), 1);
    assert_eq!(in_doubt[0].execution, left.execution());
    assert_eq!(
        ledger
            .lookup(&grant, receipt.command)
            .await
            .unwrap()
            .unwrap()
            .first,
        receipt.first
    );
    root.close(Duration::from_secs(60)).await.unwrap();
}

#[tokio::test]
async fn a_ledger_that_is_dropped_can_be_opened_again_in_the_same_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
    let grant = root
        .grant("test", Rights::all(), Quota::default())
        .await
        .unwrap();
    let log = ledger.execution_log(&grant).unwrap();
    let begun = log.begin(request(&ledger, "message")).await.unwrap();
    let receipt = begun.receipt();
    // A handle keeps its ledger open.
    let _left = begun.started().unwrap().detach();
    drop((ledger, root, log, grant));
    let mut tries = 0;
    let (ledger, root) = loop {
        match Ledger::open(&path, Options::default()).await {
            Ok(opened) => break opened,
            // Threads let go of the lock in their own time.
            Err(error) if tries < 100 => {
                assert_eq!(error.code(), "locked", "{error}");
                tries += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    let grant = root
        .grant("test", Rights::all(), Quota::default())
        .await
        .unwrap();
    let found = ledger.lookup(&grant, receipt.command).await.unwrap();
    assert_eq!(found.map(|receipt| receipt.first), Some(receipt.first));
    root.close(Duration::from_secs(60)).await.unwrap();
}

fn send<F: Future + Send>(_: F) {}

/// Compiled and never called.
#[allow(dead_code)]
fn futures_can_be_spawned(ledger: &Ledger, root: &Root, log: &ExecutionLog, request: Request) {
    send(Ledger::open("somewhere", Options::default()));
    send(root.reopen(Options::default(), Duration::ZERO));
    send(root.close(Duration::ZERO));
    send(ledger.verify(VerifyOptions::default(), |_| {}));
    send(root.grant("somebody", Rights::all(), Quota::default()));
    send(log.begin(request));
}
