// SPDX-License-Identifier: Apache-2.0
//! What waits for persons and what they approved, in the executions view.

use femtoclaw_ledger::events::{
    ApprovalExpiredV1, ApprovalRefusedV1, Decision, Event, ExecutionAbandonedV1,
    ExecutionCancelledV1, ExecutionId,
};
use femtoclaw_ledger::integrity::digest;
use femtoclaw_ledger::projections::{
    ExecutionEntry, ExecutionFilter, ExecutionOrder, ExecutionStatus as S, Executions,
    ExecutionsView, StatusCount, Views,
};

use crate::support::{
    History, Journal, WAIT, approved, confirmed, digests, execution, given, open, opened, party,
    started, transitions, view,
};

fn refused() -> Event {
    Event::from(ApprovalRefusedV1 {
        approver: party("b"),
        role: String::new(),
        authenticated: "passkey".into(),
        reason: "no".into(),
        shown_digest: digest(b"pay 5"),
    })
}

/// Ten payments that persons were asked about, the later ones for less long; each but the first two ends another way.
fn history() -> History {
    let mut history = History::default();
    history.commit(0, ExecutionId::NIL, vec![opened()]);
    for number in 1..=10 {
        history.time_ns = number as i64;
        history.ask(execution(number), "pay", 1_000 - number as i64, 2);
    }
    let mut say = |number, events| history.commit(3, execution(number), events);
    let authorized = || approved("pay", Decision::Authorized);
    let denied = || approved("pay", Decision::DeniedPolicyViolation);
    say(2, vec![given(1, 2)]);
    say(3, vec![given(1, 2)]);
    say(3, vec![given(2, 2), authorized()]);
    say(4, vec![given(1, 2)]);
    say(4, vec![given(2, 2), authorized()]);
    say(4, vec![started("pay"), transitions(1, &[5, 6])]);
    say(5, vec![refused(), denied(), transitions(1, &[5, 9])]);
    let expired = ApprovalExpiredV1 {
        given: 0,
        needed: 2,
    };
    say(6, vec![expired.into(), denied(), transitions(1, &[5, 9])]);
    let cancelled = ExecutionCancelledV1 {
        reason: String::new(),
    };
    say(7, vec![cancelled.into(), transitions(1, &[5, 9])]);
    say(8, vec![given(1, 2)]);
    say(8, vec![confirmed()]);
    say(9, vec![given(1, 2)]);
    say(9, vec![given(2, 2), authorized()]);
    say(9, vec![ExecutionAbandonedV1 { cause: 2 }.into()]);
    history
}

fn shown(history: &History, directory: &tempfile::TempDir) -> (Views, ExecutionsView) {
    let journal = Journal::new(&history.records, 5);
    let views = open(directory.path(), &journal);
    let executions = ExecutionsView::new(view(&views, Executions::NAME));
    executions.view().at_least(history.head(), WAIT).unwrap();
    (views, executions)
}

fn of(statuses: &[S]) -> ExecutionFilter {
    ExecutionFilter {
        statuses: statuses.to_vec(),
        ..ExecutionFilter::default()
    }
}

fn ids(entries: Vec<ExecutionEntry>) -> Vec<ExecutionId> {
    entries.into_iter().map(|entry| entry.execution).collect()
}

#[test]
fn what_waits_and_what_was_approved_goes_on_after_an_opening() {
    let directory = tempfile::tempdir().unwrap();
    let mut history = history();
    history.commit(0, ExecutionId::NIL, vec![opened()]);
    let (views, executions) = shown(&history, &directory);
    let counts = [
        (S::InDoubt, 1),
        (S::Abandoned, 1),
        (S::Cancelled, 1),
        (S::Denied, 2),
        (S::AwaitingApproval, 4),
        (S::Approved, 1),
    ];
    let counts = counts.map(|(status, executions)| StatusCount { status, executions });
    assert_eq!(executions.counts().unwrap(), counts);

    let entry = |number| executions.get(execution(number)).unwrap().unwrap();
    let (waiting, ready) = (entry(2), entry(3));
    assert_eq!(
        (waiting.status, waiting.capability.as_str()),
        (S::AwaitingApproval, "pay")
    );
    assert_eq!((waiting.decision, waiting.until_ns), (0, 998));
    let given = |it: &ExecutionEntry| (it.approvals_given, it.approvals_needed);
    assert_eq!((given(&waiting), given(&ready)), ((1, 2), (2, 2)));
    assert_eq!(
        given(&entry(8)),
        (0, 2),
        "confirmed: they do not count any more"
    );
    assert_eq!(waiting.first_ns, 2);
    assert_eq!(
        (waiting.first_seq + 1, waiting.on_behalf_of),
        (waiting.requested_seq, Some(vec![party("owner")]))
    );
    assert_eq!((ready.status, ready.decision), (S::Approved, 1));
    views.close();
}

#[test]
fn it_is_listed_by_how_long_it_may_wait_and_by_age() {
    let directory = tempfile::tempdir().unwrap();
    let history = history();
    let (views, executions) = shown(&history, &directory);
    let waiting = of(&[S::AwaitingApproval]);
    let soonest = |filter: &ExecutionFilter, limit| ids(executions.soonest(filter, limit).unwrap());
    let expected = [10, 8, 2, 1].map(execution);
    assert_eq!(soonest(&waiting, 10), expected);
    assert_eq!(soonest(&waiting, 2), expected[..2]);
    let oldest = executions
        .find(&waiting, ExecutionOrder::Oldest, 10)
        .unwrap();
    assert_eq!(ids(oldest), [1, 2, 8, 10].map(execution));
    // Both kinds; without a status the same: no other has an end.
    let both = [10, 8, 3, 2, 1].map(execution);
    assert_eq!(soonest(&of(&[S::AwaitingApproval, S::Approved]), 10), both);
    assert_eq!(soonest(&of(&[]), 10), both);
    assert_eq!(soonest(&of(&[S::Running]), 10), []);
    let none = ExecutionFilter {
        capability: Some("other".into()),
        ..waiting.clone()
    };
    assert_eq!(soonest(&none, 10), []);
    let later = ExecutionFilter {
        after: executions.get(execution(2)).unwrap().unwrap().first_seq,
        ..waiting
    };
    assert_eq!(soonest(&later, 10), [10, 8].map(execution));
    views.close();
}

/// However the records are cut into batches, and read again from the beginning.
#[test]
fn it_is_the_same_however_it_was_read() {
    let mut history = history();
    history.commit(0, ExecutionId::NIL, vec![opened()]);
    let mut expected = None;
    for step in [1, 2, 3, 7, 1_000] {
        let directory = tempfile::tempdir().unwrap();
        let views = open(directory.path(), &Journal::new(&history.records, step));
        let found = digests(&views, history.head());
        views.close();
        assert_eq!(
            &found,
            expected.get_or_insert_with(|| found.clone()),
            "{step}"
        );
    }
}
