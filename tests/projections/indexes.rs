// SPDX-License-Identifier: Apache-2.0
//! Index queries give what a scan of every record gives (requirement A5).

use femtoclaw_ledger::events::{
    AuditRecordedV1, ComponentId, Decision, Event, EventType, Outcome, Record,
};
use femtoclaw_ledger::projections::{
    Filter, Indexes, IndexesView, RecordOrder, Views, ViewsOptions,
};
use proptest::prelude::*;

use crate::scan::{scan, seen};
use crate::support::{
    History, Journal, WAIT, approved, completed, decided, execution, given, open, requested,
    started, transitions, validated, view,
};

fn full_scan(records: &[Record], filter: &Filter, limit: usize) -> Vec<u64> {
    scan(&seen(records), filter, limit)
}

pub(crate) fn query(indexes: &IndexesView, filter: &Filter, limit: usize) -> Vec<u64> {
    let found = indexes.query(filter, limit).unwrap();
    found.into_iter().map(|seq| seq.get()).collect()
}

fn audit() -> Event {
    Event::from(AuditRecordedV1 {
        family: 7,
        action: "upgrade".into(),
        subject: "x".into(),
        detail: Vec::new(),
    })
}

/// One commit: component, execution (0: none), capability, shape, time that passes.
type Step = (u32, u64, u8, u8, i64);

fn history(steps: &[Step]) -> History {
    let mut history = History::default();
    for (component, number, capability, shape, passes) in steps {
        history.time_ns += passes;
        let capability = format!("c{capability}");
        let events = match shape {
            0 => vec![audit()],
            1 => vec![validated(false)],
            2 => vec![
                validated(true),
                decided(&capability, Decision::Authorized),
                started(&capability),
                transitions(1, &[3]),
            ],
            3 => vec![completed(), transitions(1, &[8])],
            4 => vec![
                audit(),
                validated(true),
                decided(&capability, Decision::Authorized),
            ],
            5 => vec![validated(true), requested(&capability, 5, 2)],
            6 => vec![given(1, 2), approved(&capability, Decision::Authorized)],
            7 => {
                let denied = decided(&capability, Decision::DeniedPolicyViolation);
                vec![validated(true), denied]
            }
            _ => vec![audit(); 100],
        };
        history.commit(*component, execution(*number), events);
    }
    history
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..4_u32, 0..12_u64, 0..3_u8, 0..9_u8, 0..3_i64);
    prop::collection::vec(step, 1..60)
}

fn filters() -> impl Strategy<Value = Vec<(Filter, usize)>> {
    let types = vec![
        EventType::AuditRecorded,
        EventType::ProtocolValidated,
        EventType::ExecutionStarted,
        EventType::LedgerClosed,
    ];
    let filter = (
        prop::option::of(1..13_u64),
        prop::option::of(prop::sample::select(types)),
        prop::option::of(0..4_u8),
        prop::option::of(0..5_u32),
        prop::option::of((-2..60_i64, 0..40_i64)),
        prop::option::of((0..2_000_u64, 0..1_500_u64)),
        (
            prop::option::of(prop::sample::select(Outcome::ALL.to_vec())),
            prop::option::of(prop::sample::select(vec![
                Decision::Authorized,
                Decision::DeniedPolicyViolation,
            ])),
            prop::option::of(0..2_u64),
            any::<bool>(),
        ),
        (
            any::<bool>(),
            prop::sample::select(vec![0_usize, 1, 7, 100_000]),
        ),
    );
    let filter = filter.prop_map(
        |(number, event_type, capability, component, time, seq, also, (newest, limit))| {
            let (outcome, decision, configuration_version, approval) = also;
            let filter = Filter {
                execution: number.map(execution),
                event_type,
                capability: capability.map(|number| format!("c{number}")),
                component: component.map(ComponentId),
                time_ns: time.map(|(from, len)| from..=from + len),
                seq: seq.map(|(from, len)| from..=from + len),
                outcome,
                decision,
                configuration_version,
                approval,
                order: match newest {
                    true => RecordOrder::Newest,
                    false => RecordOrder::Oldest,
                },
                // By these the conformance tests search.
                subject: None,
                party: None,
                parent: None,
            };
            (filter, limit)
        },
    );
    prop::collection::vec(filter, 20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_query_equals_a_full_scan(steps in steps(), filters in filters(), step in 1_usize..500) {
        let directory = tempfile::tempdir().unwrap();
        let history = history(&steps);
        let journal = Journal::new(&history.records, step);
        // One view: what a case costs is opening it.
        let views = Views::open(
            directory.path(), ViewsOptions::default(), vec![Box::new(Indexes::default())], journal.clone(),
        ).unwrap();
        let indexes = IndexesView::new(view(&views, Indexes::NAME), journal.clone());
        indexes.view().at_least(history.head(), WAIT).unwrap();
        for (filter, limit) in &filters {
            prop_assert_eq!(
                query(&indexes, filter, *limit),
                full_scan(&history.records, filter, *limit),
                "{:?} limit {}", filter, limit
            );
        }
        for record in &history.records {
            let header = &record.header;
            let answer = indexes.command(header.component, header.command).unwrap();
            let first = header.seq.get() - u64::from(header.commit_index);
            let place = answer.found.unwrap();
            prop_assert_eq!(place.first_seq, first);
            prop_assert_eq!(place.last_seq, first + u64::from(header.commit_len) - 1);
        }
        views.close();
    }
}

#[test]
fn an_unknown_command_is_nowhere_up_to_the_position() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::mixed(100);
    let journal = Journal::new(&history.records, 64);
    let views = open(directory.path(), &journal);
    let indexes = IndexesView::new(view(&views, Indexes::NAME), journal.clone());
    indexes.view().at_least(history.head(), WAIT).unwrap();
    let command = history.records[0].header.command;
    let answer = indexes.command(ComponentId(9), command).unwrap();
    assert_eq!(
        (answer.position, answer.found),
        (history.head(), None),
        "another component's command"
    );
    views.close();
}
