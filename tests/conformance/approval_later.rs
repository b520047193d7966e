// SPDX-License-Identifier: Apache-2.0
//! H1: what became of a request to persons in the meantime, who may go on with it, what is sent again, and how many wait.

use std::time::Duration;

use femtoclaw_ledger::error::ApprovalError;
use femtoclaw_ledger::events::EventType;
use femtoclaw_ledger::group::Command;
use femtoclaw_ledger::{
    AppendError, Context, ExecutionId, Rights, Started, Store,
    execution_log::{
        Approval, ApprovalOutcome, ApprovalRefusal, ApprovalRequest, End, ExecutionStatus, Standing,
    },
};

use crate::asking::{
    HOUR, METHOD, asks, code, component, decision, opened, options, person, says_no, says_yes,
    stands, waiting,
};
use crate::support::{Open, WAIT, clock, command, open_with, place};

#[tokio::test]
async fn h1_what_moved_since_the_request_is_said_and_confirmed_or_asked_anew() {
    let ((_root, path), clock) = (place(), clock());
    let open = opened(&path, &clock).await;
    let asked = waiting(&open, 2).await;
    let log = open.log();
    says_yes(&log, asked, "ann").await.unwrap();
    open.change("limits", "max = 1\n").await;
    let moved = says_yes(&log, asked, "bob").await.unwrap_err();
    let AppendError::Approval(ApprovalError::BasisMoved {
        what: "configuration",
        asked: 0,
        in_force: 1,
        ..
    }) = moved
    else {
        panic!("{moved}")
    };
    let basis = open.ledger.in_force().basis();
    let confirmed = log.confirm_approval(asked.0, Context::new(), basis, "still wanted");
    confirmed.await.unwrap();
    // What was approved before is void: both must again.
    let first = says_yes(&log, asked, "bob").await.unwrap();
    assert!(
        matches!(first, ApprovalOutcome::Counted { given: 1, .. }),
        "{first:?}"
    );
    open.close().await;
    let open = opened(&path, &clock).await;
    let log = open.log();
    let second = says_yes(&log, asked, "ann").await.unwrap();
    assert!(
        matches!(second, ApprovalOutcome::Approved { .. }),
        "{second:?}"
    );
    assert_eq!(decision(&open, asked.0).await.configuration_version, 1);
    // It moved once more: the decision rests on what was, and starts nothing.
    open.change("limits", "max = 2\n").await;
    let started = log.start_approved(asked.0, Context::new()).await;
    assert_eq!(code(started), "basis_moved");
    log.cancel(asked.0, Context::new(), "asked anew")
        .await
        .unwrap();
    let anew = waiting(&open, 1).await;
    says_yes(&log, anew, "ann").await.unwrap();
    let started = log.start_approved(anew.0, Context::new()).await.unwrap();
    let Started::Running(running) = started else {
        panic!("{started:?}")
    };
    running
        .complete(Context::new(), b"1".to_vec())
        .await
        .unwrap();
    open.close().await;
}

#[tokio::test]
async fn h1_what_is_cancelled_or_disabled_meanwhile_is_neither_approved_nor_started() {
    let ((_root, path), clock) = (place(), clock());
    let open = opened(&path, &clock).await;
    let log = open.log();
    let cancelled = waiting(&open, 1).await;
    log.cancel(cancelled.0, Context::new(), "not wanted any more")
        .await
        .unwrap();
    assert_eq!(
        code(says_yes(&log, cancelled, "ann").await),
        "invalid_transition"
    );
    assert_eq!(stands(&open, cancelled.0).await, ExecutionStatus::Cancelled);
    open.register("read_file").await;
    open.switch("read_file", true).await;
    let mut asked = asks(&open, 1);
    asked.capability = "read_file".to_owned();
    let waits = log.request_approval(asked.clone()).await.unwrap();
    let approved = log.request_approval(asked).await.unwrap();
    says_yes(&log, (approved.execution, approved.shown_digest), "ann")
        .await
        .unwrap();
    open.switch("read_file", false).await;
    let refused = says_yes(&log, (waits.execution, waits.shown_digest), "ann").await;
    assert_eq!(code(refused), "capability_not_enabled");
    let started = log.start_approved(approved.execution, Context::new()).await;
    assert_eq!(code(started), "capability_not_enabled");
    open.close().await;
}

#[tokio::test]
async fn h1_only_whoever_asked_goes_on_and_only_who_may_speaks_for_persons() {
    let ((_root, path), clock) = (place(), clock());
    let open = opened(&path, &clock).await;
    let appends = Rights::none().append(Store::ExecutionLog);
    let (_, desk) = component(&open, "desk", appends.approve()).await;
    let (_, other) = component(&open, "other", appends.finish_others()).await;
    let asked = waiting(&open, 1).await;
    assert_eq!(code(says_yes(&other, asked, "ann").await), "not_granted");
    assert_eq!(code(says_no(&other, asked, "ann").await), "not_granted");
    let basis = open.ledger.in_force().basis();
    let confirmed = desk.confirm_approval(asked.0, Context::new(), basis, "");
    assert_eq!(code(confirmed.await), "foreign_execution");
    says_yes(&desk, asked, "ann").await.unwrap();
    for log in [&desk, &other] {
        let started = log.start_approved(asked.0, Context::new()).await;
        assert_eq!(code(started), "foreign_execution");
    }
    let cancelled = desk.cancel(asked.0, Context::new(), "no").await;
    assert_eq!(code(cancelled), "foreign_execution");
    let unknown = ExecutionId::from_bytes([1; 16]);
    assert_eq!(
        code(says_yes(&desk, (unknown, asked.1), "ann").await),
        "unknown_execution"
    );
    other
        .cancel(asked.0, Context::new(), "its own right")
        .await
        .unwrap();
    open.close().await;
}

/// Sends each again: the same content is the first answer, another is a conflict.
async fn again(open: &Open, asked: (ExecutionId, [u8; 32]), request: &ApprovalRequest) {
    let log = open.log();
    let (execution, shown) = asked;
    let context = |number| Context::new().command(command(number));
    let repeated = log.request_approval(request.clone()).await.unwrap();
    assert!(repeated.receipt.duplicate);
    assert_eq!((repeated.execution, repeated.shown_digest), asked);
    let ended = Standing::Ended(End::Completed);
    assert_eq!(repeated.standing, ended);
    let changed = request.clone().reason("another");
    let conflict = log.request_approval(changed).await;
    assert_eq!(code(conflict), "idempotency_conflict");
    for (number, name) in [(2, "ann"), (4, "bob")] {
        let approval = Approval::new(person(name), METHOD, shown);
        let repeated = log.approve(execution, context(number), approval.clone());
        let repeated = repeated.await.unwrap();
        let ApprovalOutcome::Duplicate {
            standing, receipt, ..
        } = repeated
        else {
            panic!("{repeated:?}")
        };
        assert!(receipt.duplicate && standing == ended);
        let changed = log.approve(execution, context(number), approval.reason("another"));
        assert_eq!(code(changed.await), "idempotency_conflict");
    }
    let basis = || open.ledger.in_force().basis();
    let repeated = log
        .confirm_approval(execution, context(3), basis(), "sure")
        .await;
    assert!(repeated.unwrap().duplicate);
    let changed = log.confirm_approval(execution, context(3), basis(), "not so");
    assert_eq!(code(changed.await), "idempotency_conflict");
    let repeated = log.start_approved(execution, context(5)).await.unwrap();
    let Started::Duplicate(earlier) = repeated else {
        panic!("{repeated:?}")
    };
    assert_eq!((earlier.standing, earlier.permit), (ended, None));
    let other = ExecutionId::from_bytes([9; 16]);
    let changed = log.start_approved(other, context(5)).await;
    assert_eq!(code(changed), "idempotency_conflict");
    let refusal = |why: &str| ApprovalRefusal::new(person("ann"), METHOD, shown, why);
    let refused = ExecutionId::from_bytes([7; 16]);
    let repeated = log
        .refuse_approval(refused, context(6), refusal("no"))
        .await;
    assert!(repeated.unwrap().duplicate);
    let changed = log
        .refuse_approval(refused, context(6), refusal("never"))
        .await;
    assert_eq!(code(changed), "idempotency_conflict");
}

#[tokio::test]
async fn h1_each_command_that_is_sent_again_is_answered_again_also_after_restarts() {
    let ((_root, path), clock) = (place(), clock());
    let open = opened(&path, &clock).await;
    let log = open.log();
    let context = |number| Context::new().command(command(number));
    let request = asks(&open, 2).context(context(1));
    let asked = log.request_approval(request.clone()).await.unwrap();
    let asked = (asked.execution, asked.shown_digest);
    let yes = |name| Approval::new(person(name), METHOD, asked.1);
    let basis = open.ledger.in_force().basis();
    let confirmed = log.confirm_approval(asked.0, context(3), basis, "sure");
    confirmed.await.unwrap();
    log.approve(asked.0, context(2), yes("ann")).await.unwrap();
    log.approve(asked.0, context(4), yes("bob")).await.unwrap();
    let started = log.start_approved(asked.0, context(5)).await.unwrap();
    let running = started.running().unwrap();
    running
        .complete(Context::new(), b"1".to_vec())
        .await
        .unwrap();
    let refused = asks(&open, 1).execution(ExecutionId::from_bytes([7; 16]));
    let refused = log.request_approval(refused).await.unwrap().execution;
    let no = ApprovalRefusal::new(person("ann"), METHOD, asked.1, "no");
    log.refuse_approval(refused, context(6), no).await.unwrap();
    again(&open, asked, &request).await;
    open.close().await;
    // From the indexes, the windows being empty.
    for _ in 0..2 {
        let open = opened(&path, &clock).await;
        again(&open, asked, &request).await;
        open.close().await;
    }
}

const MANY: usize = 10_000;

#[tokio::test]
async fn h1_ten_thousand_wait_and_one_more_does_not() {
    let ((_root, path), clock) = (place(), clock());
    let bounded = || {
        let mut options = options(&clock);
        options.limits.awaiting_max = MANY;
        options
    };
    let open = open_with(&path, bounded()).await;
    let group = || {
        (0..50)
            .map(|_| Command::RequestApproval(asks(&open, 1)))
            .collect()
    };
    for _ in 0..MANY / 50 {
        open.ledger.commit(&open.grant, group()).await.unwrap();
    }
    let refused = open.log().request_approval(asks(&open, 1)).await;
    assert_eq!(code(refused), "busy");
    open.close().await;

    let open = open_with(&path, bounded()).await;
    let refused = open.log().request_approval(asks(&open, 1)).await;
    assert_eq!(code(refused), "busy", "over a restart too");
    clock.advance(HOUR + Duration::from_nanos(1));
    // They end beside the commands, not before them.
    let expired = async || {
        let awaits = open.log().counts().await.unwrap().into_iter();
        let mut awaits = awaits.filter(|it| it.status == ExecutionStatus::AwaitingApproval);
        awaits.next().is_none_or(|it| it.executions == 0)
    };
    let ends = async {
        while !expired().await {
            let begun = open.begin().await.started().unwrap();
            begun.complete(Context::new(), b"1".to_vec()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = tokio::time::timeout(WAIT * 6, ends).await;
    assert!(ended.is_ok(), "they did not end");
    let records = open.records().await;
    let kinds = |kind| {
        records
            .iter()
            .filter(|it| it.header.event_type == kind)
            .count()
    };
    assert_eq!(kinds(EventType::ApprovalExpired), MANY);
    let frames = kinds(EventType::ExecutionCompleted);
    assert!(frames > 3, "commands were answered in between: {frames}");
    let mut asked = asks(&open, 1);
    asked.until_ns = i64::MAX;
    open.log().request_approval(asked).await.unwrap();
    open.close().await;
}
