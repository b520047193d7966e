// SPDX-License-Identifier: Apache-2.0
//! Where executions stand, also across a restart.

use femtoclaw_ledger::events::{
    Decision, Event, ExecutionCancelledV1, ExecutionFailedV1, ExecutionId, ExecutionResolvedV1,
};
use femtoclaw_ledger::projections::{
    ExecutionFilter, ExecutionOrder, ExecutionStatus as S, Executions, ExecutionsView, StatusCount,
};

use crate::support::{
    History, Journal, WAIT, decided, execution, open, opened, transitions, validated, view,
};

fn failed() -> Event {
    Event::from(ExecutionFailedV1 {
        code: "E".into(),
        message: String::new(),
        result: Vec::new(),
        result_len: 0,
        result_digest: [0; 32],
    })
}

fn cancelled() -> Event {
    Event::from(ExecutionCancelledV1 {
        reason: String::new(),
    })
}

fn resolved() -> Event {
    Event::from(ExecutionResolvedV1 {
        resolution: 4,
        reason: String::new(),
        result: Vec::new(),
        result_len: 0,
        result_digest: [0; 32],
    })
}

/// Nine executions, each left in another status; 8 and 9 are open when the ledger is.
fn history() -> History {
    let mut history = History::default();
    history.commit(0, ExecutionId::NIL, vec![opened()]);
    for number in [1, 2, 3, 8, 10] {
        history.begin(execution(number), "tool");
    }
    history.complete(execution(1));
    history.commit(1, execution(2), vec![failed()]);
    history.commit(1, execution(3), vec![cancelled()]);
    let denied = decided("tool", Decision::DeniedCapabilityDisabled);
    history.commit(1, execution(4), vec![validated(true), denied]);
    history.commit(
        1,
        execution(5),
        vec![validated(false), transitions(1, &[3, 4, 9])],
    );
    let authorized = || vec![validated(true), decided("tool", Decision::Authorized)];
    history.commit(1, execution(9), authorized());
    history
}

#[test]
fn every_status_and_what_an_opening_does_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut history = history();
    let journal = Journal::new(&history.records, 7);
    let views = open(directory.path(), &journal);
    let executions = ExecutionsView::new(view(&views, Executions::NAME));
    executions.view().at_least(history.head(), WAIT).unwrap();
    let before = [
        (S::Authorized, 1),
        (S::Running, 2),
        (S::Completed, 1),
        (S::Failed, 1),
        (S::Cancelled, 1),
        (S::Denied, 1),
        (S::Rejected, 1),
    ];
    let before = before.map(|(status, executions)| StatusCount { status, executions });
    assert_eq!(executions.counts().unwrap(), before);

    let known = history.records.len();
    history.commit(0, ExecutionId::NIL, vec![opened()]);
    history.commit(1, execution(10), vec![resolved()]);
    history.begin(execution(11), "tool");
    journal.append(&history.records[known..]);
    executions.view().at_least(history.head(), WAIT).unwrap();
    let ids = |status| -> Vec<ExecutionId> {
        let entries = executions
            .find(&of(status), ExecutionOrder::Oldest, 10)
            .unwrap();
        entries.into_iter().map(|entry| entry.execution).collect()
    };
    assert_eq!(ids(S::InDoubt), [execution(8)]);
    assert_eq!(ids(S::Abandoned), [execution(9)]);
    assert_eq!(ids(S::Resolved), [execution(10)]);
    assert_eq!(ids(S::Running), [execution(11)]);
    assert_eq!(ids(S::Authorized), []);
    let one = executions.get(execution(1)).unwrap().unwrap();
    assert_eq!(
        (one.status, one.capability.as_str()),
        (S::Completed, "tool")
    );
    assert_eq!((one.first_seq, one.started_seq, one.last_seq), (2, 4, 23));
    assert_eq!(executions.get(execution(77)).unwrap(), None);
    views.close();
}

fn of(status: S) -> ExecutionFilter {
    ExecutionFilter {
        statuses: vec![status],
        ..ExecutionFilter::default()
    }
}

#[test]
fn lists_go_on_where_they_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let mut history = History::default();
    for number in 1..=25 {
        history.begin(execution(number), "tool");
    }
    let journal = Journal::new(&history.records, 1_000);
    let views = open(directory.path(), &journal);
    let executions = ExecutionsView::new(view(&views, Executions::NAME));
    executions.view().at_least(history.head(), WAIT).unwrap();
    let mut all: Vec<_> = (1..=25).map(execution).collect();
    for order in [ExecutionOrder::Oldest, ExecutionOrder::Newest] {
        let (mut filter, mut seen) = (of(S::Running), Vec::new());
        loop {
            let page = executions.find(&filter, order, 10).unwrap();
            let Some(last) = page.last() else { break };
            match order {
                ExecutionOrder::Oldest => filter.after = last.first_seq,
                ExecutionOrder::Newest => filter.before = Some(last.first_seq),
            }
            seen.extend(page.into_iter().map(|entry| entry.execution));
        }
        assert_eq!(seen, all, "{order:?}");
        all.reverse();
    }
    // A range that holds nothing is no error.
    let filter = ExecutionFilter {
        after: 50,
        before: Some(20),
        ..of(S::Running)
    };
    for order in [ExecutionOrder::Oldest, ExecutionOrder::Newest] {
        assert_eq!(executions.find(&filter, order, 10).unwrap(), []);
    }
    views.close();
}
