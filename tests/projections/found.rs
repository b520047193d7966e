// SPDX-License-Identifier: Apache-2.0
//! Executions over more than two ranges of 65,536 records, many of which end in a later one than they began in, are found
//! by all there is to find them by as a look at all of them finds them; and the view is the same however it came there.

use std::collections::VecDeque;

use femtoclaw_ledger::events::{
    AuditRecordedV1, ComponentId, Decision, Event, ExecutionId, ParentId, SubjectId,
};
use femtoclaw_ledger::projections::{
    ExecutionEntry, ExecutionFilter, ExecutionOrder, ExecutionStatus, Executions, ExecutionsView,
    Views, ViewsOptions,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::{
    History, Journal, WAIT, approved, completed, decided, execution, given, opened, party,
    requested, started, transitions, validated, view,
};

const RECORDS: u64 = 2 * 65_536 + 2_000;

fn subject(number: u64) -> SubjectId {
    SubjectId::from_bytes(u128::from(number + 1).to_be_bytes())
}

fn parent(number: u64) -> ParentId {
    ParentId::from_bytes(u128::from(number + 1).to_be_bytes())
}

fn on_behalf_of(who: u64, version: u64, mut event: Event) -> Event {
    if let Event::AuthorizationDecided(e) = &mut event {
        e.configuration_version = version;
        e.on_behalf_of = (0..who % 3).map(|it| party(&format!("p{it}"))).collect();
    }
    event
}

fn history() -> History {
    let audit = Event::from(AuditRecordedV1 {
        family: 7,
        action: "upgrade".into(),
        subject: "x".into(),
        detail: Vec::new(),
    });
    let mut history = History::default();
    let (mut number, mut running) = (0, VecDeque::new());
    while history.head() < RECORDS {
        number += 1;
        history.time_ns += 1;
        history.subject = (number % 5 == 0).then(|| subject(number % 35));
        history.parent = (number % 7 == 0).then(|| parent(number / 70));
        let component = (number % 4) as u32;
        let capability = format!("c{}", number % 3);
        let decided = |decision| on_behalf_of(number, number / 900, decided(&capability, decision));
        let id = execution(number);
        match number % 20 {
            0 => {
                let asked = vec![validated(true), requested(&capability, 5, 2)];
                history.commit(component, id, asked);
            }
            1 => {
                let said = match number % 40 {
                    1 => vec![given(1, 2), approved(&capability, Decision::Authorized)],
                    _ => vec![approved(&capability, Decision::DeniedPolicyViolation)],
                };
                history.commit(3, execution(number - 1), said);
            }
            2 => {
                let denied = decided(Decision::DeniedCapabilityDisabled);
                history.commit(component, id, vec![validated(true), denied]);
            }
            3 => {
                history.commit(component, id, vec![validated(false)]);
            }
            4 => {
                let decided = decided(Decision::Authorized);
                history.commit(component, id, vec![validated(true), decided]);
            }
            5..=8 => {
                history.commit(5, ExecutionId::NIL, vec![audit.clone(); 40]);
            }
            _ => {
                let decided = decided(Decision::Authorized);
                let begun = vec![validated(true), decided, started(&capability)];
                history.commit(component, id, begun);
                running.push_back(id);
            }
        }
        // Some 40,000 records later.
        while running.len() > 2_200 {
            let ended = vec![completed(), transitions(1, &[8])];
            history.commit(component, running.pop_front().unwrap(), ended);
        }
        if number % 2_500 == 0 {
            history.commit(0, ExecutionId::NIL, vec![opened()]);
        }
    }
    history
}

fn filters() -> impl Strategy<Value = (ExecutionFilter, ExecutionOrder, usize)> {
    let decisions = vec![
        Decision::Authorized,
        Decision::DeniedPolicyViolation,
        Decision::DeniedCapabilityDisabled,
    ];
    let statuses = prop::sample::select(ExecutionStatus::ALL.to_vec());
    let some = |chance, strategy| prop::option::weighted(chance, strategy);
    let what = (
        prop_oneof![
            Just(Vec::new()),
            prop::collection::vec(statuses.clone(), 1),
            prop::collection::vec(statuses, 0..4),
        ],
        prop::option::weighted(0.2, prop::sample::select(decisions)),
        some(0.3, 0..4_u64),
        some(0.3, 0..5_u64),
    );
    let whom = (
        some(0.2, 0..36_u64),
        some(0.2, 0..150_u64),
        some(0.2, 0..3_u64),
        some(0.2, 0..12_u64),
        prop::bool::weighted(0.1),
    );
    let places = (some(0.3, 0..RECORDS), some(0.3, 0..RECORDS + 50));
    let orders = prop::sample::select(vec![ExecutionOrder::Oldest, ExecutionOrder::Newest]);
    let limits = prop::sample::select(vec![0_usize, 1, 7, 50, usize::MAX]);
    let all = (what, whom, places, orders, limits);
    all.prop_map(|(what, whom, places, order, limit)| {
        let filter = ExecutionFilter {
            statuses: what.0,
            decision: what.1,
            capability: what.2.map(|number| format!("c{number}")),
            component: what.3.map(|number| ComponentId(number as u32)),
            subject: whom.0.map(subject),
            parent: whom.1.map(parent),
            on_behalf_of: whom.2.map(|number| party(&format!("p{number}"))),
            configuration_version: whom.3,
            approval: whom.4,
            after: places.0.unwrap_or(0),
            before: places.1,
        };
        (filter, order, limit)
    })
}

fn fits(entry: &ExecutionEntry, filter: &ExecutionFilter) -> bool {
    let version = filter.configuration_version;
    let parties = entry.on_behalf_of.clone().unwrap();
    (filter.statuses.is_empty() || filter.statuses.contains(&entry.status))
        && filter
            .decision
            .is_none_or(|it| entry.decision() == Some(it))
        && filter
            .capability
            .as_ref()
            .is_none_or(|it| *it == entry.capability)
        && filter.component.is_none_or(|it| it == entry.component)
        && filter.subject.is_none_or(|it| it == entry.subject)
        && filter.parent.is_none_or(|it| it == entry.parent)
        && filter
            .on_behalf_of
            .as_ref()
            .is_none_or(|it| parties.contains(it))
        && version.is_none_or(|it| it == entry.configuration_version)
        && (!filter.approval || entry.requested_seq > 0)
        && entry.first_seq > filter.after
        && filter.before.is_none_or(|it| entry.first_seq < it)
}

#[test]
fn what_is_found_is_what_fits_of_all() {
    let history = history();
    let mut digest = None;
    for step in [200_000, 3_001] {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::new(&history.records, step);
        let projections = vec![Box::new(Executions::default()) as _];
        let options = ViewsOptions::default();
        let views = Views::open(directory.path(), options, projections, journal).unwrap();
        let executions = ExecutionsView::new(view(&views, Executions::NAME));
        executions.view().at_least(history.head(), WAIT).unwrap();
        let same = executions.view().digest().unwrap();
        assert_eq!(*digest.get_or_insert(same), same, "{step}");
        let find = |filter: &_, order, limit| executions.find(filter, order, limit).unwrap();
        let oldest = ExecutionOrder::Oldest;
        let all = find(&ExecutionFilter::default(), oldest, usize::MAX);
        assert!(all.is_sorted_by(|one, other| one.first_seq < other.first_seq));
        let counts = executions.counts().unwrap();
        let counted: u64 = counts.iter().map(|it| it.executions).sum();
        assert_eq!(counted, all.len() as u64);
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 120,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let checked = runner.run(&filters(), |(filter, order, limit)| {
            let fit = all.iter().filter(|it| fits(it, &filter));
            let expected: Vec<_> = match order {
                ExecutionOrder::Oldest => fit.take(limit).collect(),
                ExecutionOrder::Newest => fit.rev().take(limit).collect(),
            };
            let found = find(&filter, order, limit);
            prop_assert_eq!(expected, found.iter().collect::<Vec<_>>());
            Ok(())
        });
        checked.unwrap();
        views.close();
    }
}
