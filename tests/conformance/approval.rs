// SPDX-License-Identifier: Apache-2.0
//! H1: persons are asked whether an execution may begin, and what they say decides.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::error::ApprovalError;
use femtoclaw_ledger::events::{EventType, LeftCause};
use femtoclaw_ledger::group::Command;
use femtoclaw_ledger::{
    AppendError, Context, Decision, Event, ExecutionId, ExecutionLog, Grant, Options, Party, Quota,
    Receipt, Rights, Started, Store,
    execution_log::{
        Approval, ApprovalOutcome, ApprovalRefusal, ApprovalRequest, End, ExecutionStatus, Standing,
    },
};

use crate::support::{Open, START_NS, WAIT, clock, command, later, open_with, place};

const HOUR: Duration = Duration::from_secs(3_600);
const UNTIL: i64 = START_NS + 3_600_000_000_000;
const METHOD: &str = "passkey";

fn person(name: &str) -> Party {
    Party::new("https://id.example", name)
}

fn options(clock: &Arc<ManualClock>) -> Options {
    Options {
        ledger_id: None,
        ..later(clock)
    }
}

async fn opened(path: &Path, clock: &Arc<ManualClock>) -> Open {
    open_with(path, options(clock)).await
}

/// Ann, Bob, or an officer.
fn asks(open: &Open, needed: u32) -> ApprovalRequest {
    let basis = open.ledger.in_force().basis().policy("policy 3", [3; 32]);
    ApprovalRequest::new("message", "payments above 100", UNTIL, basis)
        .input(b"{\"say\":\"hi\"}")
        .arguments(b"{\"say\":\"hi\"}")
        .reason("a large sum")
        .shown("Say hi?")
        .ask(person("ann"))
        .ask(person("bob"))
        .ask_role("officer")
        .approvers_needed(needed)
}

/// An execution that waits, and the digest of what is shown.
async fn waiting(open: &Open, needed: u32) -> (ExecutionId, [u8; 32]) {
    let asked = open.log().request_approval(asks(open, needed)).await;
    let asked = asked.unwrap();
    assert_eq!(asked.standing, Standing::AwaitingApproval);
    (asked.execution, asked.shown_digest)
}

async fn says_yes(
    log: &ExecutionLog,
    (execution, shown): (ExecutionId, [u8; 32]),
    name: &str,
) -> Result<ApprovalOutcome, AppendError> {
    let approval = Approval::new(person(name), METHOD, shown);
    log.approve(execution, Context::new(), approval).await
}

async fn says_no(
    log: &ExecutionLog,
    (execution, shown): (ExecutionId, [u8; 32]),
    name: &str,
) -> Result<Receipt, AppendError> {
    let refusal = ApprovalRefusal::new(person(name), METHOD, shown, "not today");
    log.refuse_approval(execution, Context::new(), refusal)
        .await
}

fn code<T: std::fmt::Debug>(answer: Result<T, AppendError>) -> &'static str {
    answer.unwrap_err().code()
}

async fn stands(open: &Open, execution: ExecutionId) -> ExecutionStatus {
    open.ledger
        .at_least(open.ledger.head().seq.unwrap())
        .await
        .unwrap();
    open.log().get(execution).await.unwrap().unwrap().status
}

async fn comes_to_stand(open: &Open, execution: ExecutionId, wanted: ExecutionStatus) {
    let comes = async {
        while stands(open, execution).await != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let came = tokio::time::timeout(WAIT, comes).await;
    assert!(came.is_ok(), "not {wanted:?}");
}

/// The names of its records, in order.
async fn records(open: &Open, execution: ExecutionId) -> Vec<&'static str> {
    let records = open.records().await.into_iter();
    let own = records.filter(|record| record.header.execution == execution);
    own.map(|record| record.header.event_type.name()).collect()
}

async fn decision(
    open: &Open,
    execution: ExecutionId,
) -> femtoclaw_ledger::events::AuthorizationDecidedV2 {
    let records = open.records().await.into_iter();
    let mut own = records.filter(|record| record.header.execution == execution);
    own.find_map(|record| match record.event().unwrap() {
        Event::AuthorizationDecided(decided) => Some(decided),
        _ => None,
    })
    .unwrap()
}

async fn component(open: &Open, name: &str, rights: Rights) -> (Grant, ExecutionLog) {
    let granted = open.root.grant(name, rights, Quota::default());
    let granted = granted.await.unwrap();
    let log = open.ledger.execution_log(&granted).unwrap();
    (granted, log)
}

#[tokio::test]
async fn h1_what_waits_for_persons_waits_over_restarts_and_is_started_once() {
    let ((_root, path), clock) = (place(), clock());
    let open = opened(&path, &clock).await;
    let asked = waiting(&open, 1).await;
    let execution = asked.0;
    assert_eq!(
        stands(&open, execution).await,
        ExecutionStatus::AwaitingApproval
    );
    let refused = open.log().start_approved(execution, Context::new()).await;
    assert_eq!(code(refused), "invalid_transition", "nobody approved it");
    open.close().await;

    let open = opened(&path, &clock).await;
    assert_eq!(open.ledger.health().cause, "");
    let answer = says_yes(&open.log(), asked, "ann").await.unwrap();
    assert!(
        matches!(answer, ApprovalOutcome::Approved { .. }),
        "{answer:?}"
    );
    assert_eq!(stands(&open, execution).await, ExecutionStatus::Approved);
    open.close().await;

    // It is nobody's to lose: a permit would have been abandoned.
    let open = opened(&path, &clock).await;
    assert_eq!(stands(&open, execution).await, ExecutionStatus::Approved);
    assert!(open.log().in_doubt().await.unwrap().is_empty());
    let started = open.log().start_approved(execution, Context::new()).await;
    let running = started.unwrap().running().unwrap();
    let again = open.log().start_approved(execution, Context::new()).await;
    assert_eq!(code(again), "invalid_transition");
    running
        .complete(Context::new(), b"1".to_vec())
        .await
        .unwrap();
    assert_eq!(
        records(&open, execution).await,
        [
            "ProtocolValidated",
            "ApprovalRequested",
            "TransitionsRecorded",
            "ApprovalGiven",
            "AuthorizationDecided",
            "ExecutionStarted",
            "TransitionsRecorded",
            "ExecutionCompleted",
            "TransitionsRecorded",
        ]
    );
    let decided = decision(&open, execution).await;
    assert_eq!(decided.decision, Decision::Authorized.code());
    let approval = decided.approval.unwrap();
    assert_eq!((approval.request_version, approval.needed), (2, 1));
    assert_eq!(approval.rule, "payments above 100");
    assert_eq!(approval.approvers, [person("ann")]);
    open.close().await;
}

#[tokio::test]
async fn h1_what_nobody_answers_in_time_is_denied_also_over_a_restart() {
    let ((_root, path), clock) = (place(), clock());
    let open = opened(&path, &clock).await;
    let (first, second) = (waiting(&open, 1).await, waiting(&open, 1).await);
    says_yes(&open.log(), second, "ann").await.unwrap();
    clock.advance(HOUR);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        stands(&open, first.0).await,
        ExecutionStatus::AwaitingApproval,
        "the last moment is in time"
    );
    clock.advance(Duration::from_nanos(1));
    // A late answer is none, whether its end is on the record yet or not.
    let late = code(says_yes(&open.log(), first, "ann").await);
    assert!(["approval_too_late", "invalid_transition"].contains(&late));
    let late = open.log().start_approved(second.0, Context::new()).await;
    let late = code(late);
    assert!(["approval_too_late", "invalid_transition"].contains(&late));
    comes_to_stand(&open, first.0, ExecutionStatus::Denied).await;
    comes_to_stand(&open, second.0, ExecutionStatus::Abandoned).await;
    assert_eq!(
        records(&open, first.0).await[3..],
        [
            "ApprovalExpired",
            "AuthorizationDecided",
            "TransitionsRecorded"
        ]
    );
    let decided = decision(&open, first.0).await;
    assert_eq!(decided.decision, Decision::DeniedPolicyViolation.code());
    assert_eq!(decided.approval.unwrap().refused_by, None);
    let abandoned = open.records().await.into_iter().find_map(|record| {
        match (record.header.execution == second.0, record.event().unwrap()) {
            (true, Event::ExecutionAbandoned(it)) => Some(it.cause),
            _ => None,
        }
    });
    assert_eq!(abandoned, Some(LeftCause::Expired.code()));
    assert_eq!(
        code(says_yes(&open.log(), first, "ann").await),
        "invalid_transition"
    );

    let mut asked = asks(&open, 1);
    asked.until_ns = UNTIL + 10;
    let third = open.log().request_approval(asked).await.unwrap().execution;
    open.close().await;
    clock.advance(Duration::from_nanos(100));
    let open = opened(&path, &clock).await;
    comes_to_stand(&open, third, ExecutionStatus::Denied).await;
    open.close().await;
}

#[tokio::test]
async fn h1_a_person_who_refuses_ends_it() {
    let ((_root, path), clock) = (place(), clock());
    let open = opened(&path, &clock).await;
    let asked = waiting(&open, 2).await;
    says_yes(&open.log(), asked, "ann").await.unwrap();
    says_no(&open.log(), asked, "bob").await.unwrap();
    assert_eq!(stands(&open, asked.0).await, ExecutionStatus::Denied);
    let named = decision(&open, asked.0).await.approval.unwrap();
    assert_eq!(named.approvers, [person("ann")]);
    assert_eq!(named.refused_by, Some(person("bob")));
    let log = open.log();
    assert_eq!(
        code(says_yes(&log, asked, "bob").await),
        "invalid_transition"
    );
    assert_eq!(
        code(says_no(&log, asked, "ann").await),
        "invalid_transition"
    );
    let started = log.start_approved(asked.0, Context::new()).await;
    assert_eq!(code(started), "invalid_transition");
    open.close().await;
}

#[tokio::test]
async fn h1_a_rule_of_two_persons_takes_two_identities_of_those_asked() {
    let ((_root, path), clock) = (place(), clock());
    let open = opened(&path, &clock).await;
    let asked = waiting(&open, 2).await;
    let (execution, shown) = asked;
    let log = open.log();
    let first = says_yes(&log, asked, "ann").await.unwrap();
    let ApprovalOutcome::Counted {
        given: 1,
        needed: 2,
        ..
    } = first
    else {
        panic!("{first:?}")
    };
    assert_eq!(code(says_yes(&log, asked, "ann").await), "approved_already");
    let twice = Approval::new(person("ann"), "another key", shown).role("officer");
    let twice = log.approve(execution, Context::new(), twice).await;
    assert_eq!(code(twice), "approved_already");
    assert_eq!(
        code(says_yes(&log, asked, "eve").await),
        "approver_not_asked"
    );
    assert_eq!(
        code(says_no(&log, asked, "eve").await),
        "approver_not_asked"
    );
    let other = says_yes(&log, (execution, [0; 32]), "bob").await;
    assert!(
        matches!(
            &other,
            Err(AppendError::Approval(ApprovalError::ShownOther { shown_digest, .. }))
                if *shown_digest == shown
        ),
        "{other:?}"
    );
    assert_eq!(
        stands(&open, execution).await,
        ExecutionStatus::AwaitingApproval
    );
    let officer = Approval::new(person("eve"), METHOD, shown).role("officer");
    let second = log.approve(execution, Context::new(), officer).await;
    assert!(
        matches!(second, Ok(ApprovalOutcome::Approved { .. })),
        "{second:?}"
    );
    let named = decision(&open, execution).await.approval.unwrap();
    assert_eq!(named.approvers, [person("ann"), person("eve")]);
    open.close().await;
}

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
