// SPDX-License-Identifier: Apache-2.0
//! Searches over more than two ranges of 65,536 records, by all there is to search by, equal a full scan; and the view is
//! the same however it came there.

use std::sync::OnceLock;

use femtoclaw_ledger::events::{
    AuditRecordedV1, ComponentId, Decision, Event, EventType, ExecutionId, Outcome, ParentId,
    SubjectId,
};
use femtoclaw_ledger::projections::{
    Filter, Indexes, IndexesView, RecordOrder, Views, ViewsOptions,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::indexes::query;
use crate::scan::{scan, seen};
use crate::support::{
    History, Journal, WAIT, approved, completed, decided, execution, given, party, requested,
    started, transitions, validated, view,
};

const RECORDS: u64 = 2 * 65_536 + 3_000;

fn subject(number: u64) -> SubjectId {
    SubjectId::from_bytes(u128::from(number + 1).to_be_bytes())
}

fn parent(number: u64) -> ParentId {
    ParentId::from_bytes(u128::from(number + 1).to_be_bytes())
}

fn resting_on(version: u64, mut event: Event) -> Event {
    match &mut event {
        Event::AuthorizationDecided(e) => e.configuration_version = version,
        Event::ApprovalRequested(e) => e.configuration_version = version,
        _ => {}
    }
    event
}

/// Some terms that many records have and some that few have; few lie in some ranges only. A commit goes on over the end of each range.
fn history() -> &'static History {
    static HISTORY: OnceLock<History> = OnceLock::new();
    HISTORY.get_or_init(|| {
        let audit = Event::from(AuditRecordedV1 {
            family: 7,
            action: "upgrade".into(),
            subject: "x".into(),
            detail: Vec::new(),
        });
        let mut history = History::default();
        let mut number = 0;
        while history.head() < RECORDS {
            number += 1;
            history.time_ns += (number % 3) as i64;
            (history.subject, history.parent) = (None, None);
            let half = history.head() / 65_536;
            if number % 50 == 0 {
                history.subject = Some(subject(number % 100 + half));
                history.parent = Some(parent(number % 150));
            }
            let version = number / 500;
            let capability = format!("c{}", number % 3);
            let decided = |decision| resting_on(version, decided(&capability, decision));
            let left = (65_536 - history.head() % 65_536) as usize;
            if left < 60 {
                // What it asks for is known only in the next range.
                let mut events = vec![audit.clone(); left];
                events.extend([validated(true), decided(Decision::Authorized)]);
                history.commit(1, execution(number), events);
                continue;
            }
            match number % 40 {
                0 => {
                    let asked = resting_on(version, requested(&capability, 5, 2));
                    history.commit(1, execution(number), vec![validated(true), asked]);
                }
                1 => {
                    let said = vec![given(1, 2), approved(&capability, Decision::Authorized)];
                    history.commit(3, execution(number - 1), said);
                }
                2 => {
                    let denied = decided(Decision::DeniedPolicyViolation);
                    history.commit(2, execution(number), vec![validated(true), denied]);
                }
                3 if half == 1 => {
                    let denied = decided(Decision::DeniedArgumentInvalid);
                    history.commit(2, execution(number), vec![validated(true), denied]);
                }
                3 | 4 => {
                    history.commit(4, execution(number % 400), vec![audit.clone(); 37]);
                }
                5..=9 => {
                    history.commit(5, ExecutionId::NIL, vec![audit.clone(); 11]);
                }
                _ => {
                    let authorized = decided(Decision::Authorized);
                    let begun = vec![validated(true), authorized, started(&capability)];
                    history.commit(1, execution(number), begun);
                    let done = vec![completed(), transitions(1, &[8])];
                    history.commit(1, execution(number), done);
                }
            }
        }
        history
    })
}

fn filters() -> impl Strategy<Value = (Filter, usize)> {
    let types = vec![
        EventType::AuditRecorded,
        EventType::ProtocolValidated,
        EventType::ExecutionCompleted,
        EventType::LedgerClosed,
    ];
    let decisions = vec![
        Decision::Authorized,
        Decision::DeniedPolicyViolation,
        Decision::DeniedArgumentInvalid,
    ];
    let some = |chance, strategy| prop::option::weighted(chance, strategy);
    let dense = (
        prop::option::weighted(0.4, prop::sample::select(types)),
        some(0.3, 0..4_u64),
        some(0.3, 0..6_u64),
        prop::option::weighted(0.2, prop::sample::select(Outcome::ALL.to_vec())),
        prop::option::weighted(0.2, prop::sample::select(decisions)),
    );
    let rare = (
        some(0.1, 0..800_u64),
        some(0.2, 0..110_u64),
        some(0.2, 0..150_u64),
        some(0.1, 0..60_u64),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.2, prop::sample::select(vec!["a", "b", "owner", "nobody"])),
    );
    let places = (
        prop::option::weighted(0.3, (0..RECORDS + 50, 0..RECORDS)),
        prop::option::weighted(0.2, (0..5_000_i64, 0..5_000_i64)),
    );
    let limits = prop::sample::select(vec![0_usize, 1, 7, 50, 1_000_000]);
    (dense, rare, places, any::<bool>(), limits).prop_map(|(dense, rare, places, newest, limit)| {
        let filter = Filter {
            event_type: dense.0,
            capability: dense.1.map(|number| format!("c{number}")),
            component: dense.2.map(|number| ComponentId(number as u32)),
            outcome: dense.3,
            decision: dense.4,
            execution: rare.0.map(execution),
            subject: rare.1.map(subject),
            parent: rare.2.map(parent),
            configuration_version: rare.3,
            approval: rare.4,
            party: rare.5.map(party),
            seq: places.0.map(|(from, length)| from..=from + length),
            time_ns: places.1.map(|(from, length)| from..=from + length),
            order: match newest {
                true => RecordOrder::Newest,
                false => RecordOrder::Oldest,
            },
        };
        (filter, limit)
    })
}

#[test]
fn a_search_over_ranges_equals_a_full_scan() {
    let history = history();
    let seen = seen(&history.records);
    let mut digest = None;
    // Whole ranges at once, and batches that end anywhere.
    for step in [200_000, 4_093] {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::new(&history.records, step);
        let indexes = vec![Box::new(Indexes::default()) as _];
        let options = ViewsOptions::default();
        let views = Views::open(directory.path(), options, indexes, journal.clone()).unwrap();
        let indexes = IndexesView::new(view(&views, Indexes::NAME), journal.clone());
        indexes.view().at_least(history.head(), WAIT).unwrap();
        let same = indexes.view().digest().unwrap();
        assert_eq!(*digest.get_or_insert(same), same, "{step}");
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 150,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let checked = runner.run(&filters(), |(filter, limit)| {
            prop_assert_eq!(query(&indexes, &filter, limit), scan(&seen, &filter, limit));
            Ok(())
        });
        checked.unwrap();
        views.close();
    }
}
