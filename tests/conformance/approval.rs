// SPDX-License-Identifier: Apache-2.0
//! H1: persons are asked whether an execution may begin, and what they say decides.

use std::time::Duration;

use femtoclaw_ledger::error::ApprovalError;
use femtoclaw_ledger::events::LeftCause;
use femtoclaw_ledger::{
    AppendError, Context, Decision, Event,
    execution_log::{Approval, ApprovalOutcome, ExecutionStatus},
};

use crate::asking::{
    HOUR, METHOD, UNTIL, asks, code, comes_to_stand, decision, opened, person, records, says_no,
    says_yes, stands, waiting,
};
use crate::support::{clock, place};

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
