// SPDX-License-Identifier: Apache-2.0
//! Commands whose futures are polled by hand: where one stands in a queue is settled by that.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use femtoclaw_ledger::events::{AuditFamily, Outcome};
use femtoclaw_ledger::{AppendError, AuditEntry, Context, Grant, Receipt};

use crate::shared::{WAIT, World};

/// The whole allowance in commands; a component's part is 6 of it.
pub(crate) const WHOLE: usize = 8;
pub(crate) const PART: usize = WHOLE / 4 * 3;

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Receipt, AppendError>> + Send>>;

/// A ledger with room for [`WHOLE`] commands, each a frame of its own; when it is full, they wait or
/// they do not.
pub(crate) async fn narrow(wait: bool) -> World {
    World::new(|options| {
        options.wait_for_admission = wait;
        options.limits.commit_records_max = WHOLE;
        options.limits.pending_records_max = WHOLE;
        options.limits.frame_records_target = 1;
    })
    .await
}

/// One audit record with so many bytes of detail; not yet polled.
pub(crate) fn record(world: &World, grant: &Grant, context: Context, bytes: usize) -> Answer {
    let log = world.ledger.audit_log(grant).unwrap();
    let entry = entry(context, bytes);
    Box::pin(async move { log.record(entry).await })
}

pub(crate) fn entry(context: Context, bytes: usize) -> AuditEntry {
    AuditEntry {
        context,
        family: AuditFamily::Lifecycle,
        action: "checked".to_owned(),
        subject: String::new(),
        outcome: Outcome::Success,
        execution: None,
        detail: format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes(),
    }
}

/// As many small records as asked for, each polled once, none answered.
pub(crate) async fn begun(world: &World, grant: &Grant, count: usize) -> Vec<Answer> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut answer = record(world, grant, Context::new(), 2);
        assert_eq!(polled(&mut answer).await, None);
        all.push(answer);
    }
    all
}

/// Polls once; the refusal, if there was one at once.
pub(crate) async fn polled(answer: &mut Answer) -> Option<AppendError> {
    poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Pending => Poll::Ready(None),
        Poll::Ready(outcome) => Poll::Ready(Some(outcome.unwrap_err())),
    })
    .await
}

/// Awaits all of them, each in a task of its own; the receipts in the same order.
pub(crate) async fn answered(all: Vec<Answer>) -> Vec<Receipt> {
    let tasks: Vec<_> = all.into_iter().map(tokio::spawn).collect();
    let mut receipts = Vec::new();
    for task in tasks {
        let answered = tokio::time::timeout(WAIT, task).await;
        receipts.push(answered.expect("an answer").unwrap().unwrap());
    }
    receipts
}

/// Waits until it holds; in the end it must.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(WAIT, waiting).await;
    assert!(waited.is_ok(), "not in time: {what}");
}
