// SPDX-License-Identifier: Apache-2.0
//! Many at once, and too many: §19.

use std::sync::Arc;
use std::task::Poll;

use femtoclaw_ledger::events::{AuditFamily, TelemetryKind};
use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::projections::ExecutionStatus;
use femtoclaw_ledger::{AppendError, Context};
use tokio_test::task;

use crate::held::HeldJournal;
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s19_1_a_thousand_executions_at_once_and_busy_beyond_the_limit() {
    let (_root, path) = place();
    let mut options = femtoclaw_ledger::Options::default();
    options.limits.running_max = 1_000;
    let open = Arc::new(open_with(&path, options).await);
    let tasks = (0..1_000).map(|_| {
        let open = Arc::clone(&open);
        tokio::spawn(async move { open.begin().await.started().unwrap().detach() })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut running = Vec::new();
    for task in tasks {
        running.push(task.await.unwrap());
    }
    open.ledger.at_least(open.ledger.head().seq).await.unwrap();
    assert_eq!(counted(&open, ExecutionStatus::Running).await, 1_000);
    let one_more = open.log().begin(open.request("message")).await;
    let busy = AppendError::Busy {
        what: "running executions",
        limit: 1_000,
    };
    assert_eq!(one_more.unwrap_err(), busy);
    // Finishing makes room, and is never refused.
    for execution in running {
        let done = open.complete(execution, RESULT);
        done.await.unwrap();
    }
    assert!(open.begin().await.is_started());
    open.ledger.at_least(open.ledger.head().seq).await.unwrap();
    assert_eq!(counted(&open, ExecutionStatus::Completed).await, 1_000);
    overload().await;
}

async fn counted(open: &Open, status: ExecutionStatus) -> u64 {
    let counts = open.log().counts().await.unwrap();
    let of = counts.iter().find(|it| it.status == status);
    of.map_or(0, |it| it.executions)
}

/// While the disk does not answer: a bounded number waits, the rest is told so at once, and an
/// execution that runs still finishes.
async fn overload() {
    let journal = Arc::new(HeldJournal::new(MemoryJournal::new()));
    let mut options = fixed(&clock());
    options.wait_for_admission = false;
    options.limits.pending_records_max = 256;
    let open = Arc::new(open_on(journal.clone(), options).await);
    let running = open.begin().await.started().unwrap().detach();
    journal.hold();
    let mut waiting = Vec::new();
    let mut busy = 0;
    for _ in 0..600 {
        let open = Arc::clone(&open);
        let audit = open.ledger.audit_log(&open.grant).unwrap();
        let command = async move { audit.record(entry(AuditFamily::Lifecycle)).await };
        // Whether there is room is said by its first poll.
        let mut command = task::spawn(command);
        match command.poll() {
            Poll::Pending => waiting.push(command),
            Poll::Ready(told) => {
                assert_eq!(told.unwrap_err().code(), "busy");
                busy += 1;
            }
        }
    }
    let finishing = {
        let log = open.log();
        let complete = async move { log.complete(running, Context::new(), b"1".to_vec()).await };
        let mut complete = task::spawn(complete);
        assert!(complete.poll().is_pending());
        complete
    };
    journal.release();
    for command in waiting {
        command.await.unwrap();
    }
    finishing.await.unwrap();
    // A component's part is three quarters of the whole.
    assert_eq!(busy, 600 - 256 / 4 * 3);
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    let after = telemetry.record(observation(TelemetryKind::Other, "after"));
    after.await.unwrap();
}
