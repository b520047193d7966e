// SPDX-License-Identifier: Apache-2.0
//! The audit log: §6, A1, A5, T1.

use std::sync::Arc;

use femtoclaw_ledger::events::{AuditFamily, ComponentId, Event, EventType, Record, State, Store};
use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::projections::Filter;
use femtoclaw_ledger::{Context, Quota, Rights};

use crate::standing::Standing;
use crate::support::*;

async fn in_memory() -> Open {
    open_on(Arc::new(MemoryJournal::new()), fixed(&clock())).await
}

#[tokio::test]
async fn s6_1_what_must_be_audited_is_by_construction_in_the_same_commit() {
    let open = in_memory().await;
    open.sample().await;
    let metadata = open.ledger.runtime_metadata(&open.grant).unwrap();
    let moved = metadata.transition(State::Idle, None, Context::new());
    moved.await.unwrap();
    let must = [
        "ProtocolValidated",
        "AuthorizationDecided",
        "ExecutionStarted",
        "ExecutionCompleted",
        "TransitionsRecorded",
        "ConfigurationChanged",
        "CapabilityRegistered",
        "LedgerOpened",
    ];
    let records = open.records().await;
    for name in must {
        let of_type = records
            .iter()
            .filter(|it| it.header.event_type.name() == name);
        let all: Vec<_> = of_type.collect();
        assert!(!all.is_empty(), "{name}");
        for record in all {
            let is_audited = record.header.stores.contains(Store::AuditLog);
            assert!(is_audited, "{name} at {}", record.header.seq);
        }
    }
    // An execution event and its transitions are of one commit: no record of one without the other.
    let with_execution = records.iter().filter(|it| !it.header.execution.is_nil());
    let started = with_execution
        .clone()
        .find(|it| it.header.event_type == EventType::ExecutionStarted)
        .unwrap();
    let commit: Vec<&Record> = with_execution
        .filter(|it| it.header.command == started.header.command)
        .collect();
    assert_eq!(commit.len(), 4);
    for (index, record) in commit.iter().enumerate() {
        let place = (record.header.commit_index, record.header.commit_len);
        assert_eq!(place, (index as u16, 4));
    }
    let last = commit[3].header.event_type;
    assert_eq!(last, EventType::TransitionsRecorded);
}

#[tokio::test]
async fn a1_nine_families_each_with_all_that_an_audit_event_holds() {
    let open = in_memory().await;
    let audit = open.ledger.audit_log(&open.grant).unwrap();
    assert_eq!(AuditFamily::ALL.len(), 9);
    for (number, family) in AuditFamily::ALL.into_iter().enumerate() {
        let mut it = entry(family);
        let id = command(number as u128 + 1);
        it.context = Context::new().command(id);
        let receipt = audit.record(it.clone()).await.unwrap();
        let record = open.reads().get(receipt.first).await.unwrap().unwrap();
        let header = &record.header;
        assert_eq!(header.command, id, "event id");
        assert_eq!(header.event_type.name(), "AuditRecorded", "type");
        assert_eq!(header.execution, execution(5), "execution id");
        assert_eq!(header.component, open.grant.component(), "component");
        assert_eq!(header.time_ns, START_NS, "timestamp");
        assert_eq!(header.outcome, it.outcome, "outcome");
        assert_ne!(record.hash, [0; 32], "integrity hash");
        assert!(header.stores.contains(Store::AuditLog));
        let Event::AuditRecorded(event) = record.event().unwrap() else {
            panic!("{record:?}")
        };
        assert_eq!(AuditFamily::from_code(event.family), Some(family));
        assert_eq!((event.action, event.subject), (it.action, it.subject));
        assert_eq!(event.detail, it.detail);
    }
}

/// The capability that a record's payload names.
fn named(record: &Record) -> Option<String> {
    match record.event().unwrap() {
        Event::AuthorizationDecided(it) => Some(it.capability),
        Event::ExecutionStarted(it) => Some(it.capability),
        Event::CapabilityRegistered(it) => Some(it.capability),
        Event::CapabilityEnabled(it) => Some(it.capability),
        _ => None,
    }
}

/// Whether a record belongs to a capability, told from nothing but all records: its payload names
/// it, or its execution was asked to run it, in this record's commit or before.
fn belongs(records: &[Record], record: &Record, capability: &str) -> bool {
    if named(record).as_deref() == Some(capability) {
        return true;
    }
    let execution = record.header.execution;
    let asked = records
        .iter()
        .filter(|it| it.header.execution == execution && !execution.is_nil())
        .find_map(|it| named(it).map(|name| (name, &it.header)));
    asked.is_some_and(|(name, header)| {
        let commit = header.seq.get() - u64::from(header.commit_index);
        name == capability && record.header.seq.get() >= commit
    })
}

#[tokio::test]
async fn a5_a_search_equals_a_full_scan() {
    let clock = clock();
    let open = open_on(Arc::new(MemoryJournal::new()), fixed(&clock)).await;
    let other = open
        .root
        .grant("other", Rights::all(), Quota::default())
        .await
        .unwrap();
    open.sample().await;
    let mut executions = Vec::new();
    for _ in 0..40 {
        clock.advance(std::time::Duration::from_millis(7));
        executions.push(open.execute().await);
        let audit = open.ledger.audit_log(&other).unwrap();
        audit.record(entry(AuditFamily::Upgrade)).await.unwrap();
    }
    let records = open.records().await;
    let middle = records[records.len() / 2].header.time_ns;
    let types = ["ExecutionStarted", "AuditRecorded", "LedgerOpened"];
    let types = types.map(|name| EventType::from_name(name).unwrap());
    let mut filters = vec![Filter::default()];
    for base in filters.clone() {
        let execution = |it| Filter {
            execution: Some(it),
            ..base.clone()
        };
        filters.extend(executions.iter().step_by(9).map(|it| execution(*it)));
        filters.extend(types.map(|it| Filter {
            event_type: Some(it),
            ..base.clone()
        }));
        filters.extend([ComponentId::LEDGER, other.component()].map(|it| Filter {
            component: Some(it),
            ..base.clone()
        }));
    }
    for base in filters.clone() {
        let range = |time_ns| Filter {
            time_ns: Some(time_ns),
            ..base.clone()
        };
        filters.push(range(middle..=middle + 20_000_000));
        filters.push(range(i64::MIN..=middle));
        filters.push(range(middle + 1..=i64::MAX));
    }
    for filter in filters {
        let fits = |it: &&Record| {
            let header = &it.header;
            filter.execution.is_none_or(|id| id == header.execution)
                && filter.event_type.is_none_or(|id| id == header.event_type)
                && filter.component.is_none_or(|id| id == header.component)
                && (filter.time_ns.as_ref()).is_none_or(|range| range.contains(&header.time_ns))
        };
        let scanned: Vec<_> = records.iter().filter(fits).cloned().collect();
        let found = open.reads().query(filter.clone(), usize::MAX).await;
        assert_eq!(found.unwrap(), scanned, "{filter:?}");
    }
    by_capability(&open, &records).await;
}

async fn by_capability(open: &Open, records: &[Record]) {
    let mut sizes = Vec::new();
    for name in ["message", "read_file", "no such"] {
        let filter = Filter {
            capability: Some(name.to_owned()),
            ..Filter::default()
        };
        let found = open.reads().query(filter, usize::MAX).await.unwrap();
        let of_it = records.iter().filter(|it| belongs(records, it, name));
        let scanned: Vec<_> = of_it.cloned().collect();
        assert_eq!(found, scanned, "{name}");
        sizes.push(found.len());
    }
    assert!(
        sizes[0] > 200 && sizes[1] >= 5 && sizes[2] == 0,
        "{sizes:?}"
    );
}

#[tokio::test]
async fn t1_a_replayed_command_is_idempotent_and_another_content_is_a_conflict() {
    let memory = MemoryJournal::new();
    let open = open_on(Arc::new(memory.clone()), fixed(&clock())).await;
    let audit = open.ledger.audit_log(&open.grant).unwrap();
    let mut it = entry(AuditFamily::OperatorAction);
    it.context = Context::new().command(command(42));
    let first = audit.record(it.clone()).await.unwrap();
    let head = open.ledger.head();
    let again = audit.record(it.clone()).await.unwrap();
    assert!(again.duplicate && !first.duplicate);
    assert_eq!((again.first, again.last), (first.first, first.last));
    assert_eq!(open.ledger.head(), head, "nothing was written");
    let mut other = it.clone();
    other.subject.push('!');
    let conflict = audit.record(other.clone()).await.unwrap_err();
    assert_eq!(conflict.code(), "idempotency_conflict");
    let events = open.events().await;
    let told = events.iter().find_map(|event| match event {
        Event::RefusalsRecorded(told) if told.reason == "idempotency_conflict" => Some(told),
        _ => None,
    });
    assert_eq!(told.unwrap().component, "test");
    // Another component's ids are its own.
    let rights = Rights::all();
    let neighbour = open.root.grant("other", rights, Quota::default());
    let neighbour = neighbour.await.unwrap();
    let theirs = open.ledger.audit_log(&neighbour).unwrap();
    assert!(!theirs.record(other.clone()).await.unwrap().duplicate);
    open.close().await;
    // Across a restart too, also while no view has read anything yet.
    let holding = Standing::new();
    let mut options = later(&clock());
    holding.hold(&mut options);
    let open = open_on(Arc::new(memory.reopen()), options).await;
    let audit = open.ledger.audit_log(&open.grant).unwrap();
    let again = audit.record(it.clone()).await.unwrap();
    assert_eq!((again.duplicate, again.first), (true, first.first));
    let conflict = audit.record(other).await.unwrap_err();
    assert_eq!(conflict.code(), "idempotency_conflict");
    let found = open.ledger.lookup(&open.grant, command(42)).await;
    assert_eq!(found.unwrap().unwrap().first, first.first);
    drop(holding);
    // And from the views, once these have caught up.
    open.ledger.at_least(open.ledger.head().seq).await.unwrap();
    let again = audit.record(it).await.unwrap();
    assert_eq!((again.duplicate, again.first), (true, first.first));
}

/// The first refusal of a kind is written at once, and after an interval without one it is a first again.
#[tokio::test]
async fn a_kind_of_refusal_that_stayed_away_is_told_at_once_again() {
    let clock = clock();
    let options = fixed(&clock);
    let interval = options.activity_interval;
    let open = open_on(Arc::new(MemoryJournal::new()), options).await;
    let refusals = async || {
        let events = open.events().await;
        let mut told = Vec::new();
        for event in events {
            if let Event::RefusalsRecorded(it) = event {
                told.push(it.count);
            }
        }
        told
    };
    let summaries = async || {
        let events = open.events().await;
        let is_it = |event: &&Event| matches!(event, Event::ActivityRecorded(_));
        events.iter().filter(is_it).count()
    };
    let narrow = open.root.grant("narrow", Rights::none(), Quota::default());
    let narrow = narrow.await.unwrap();
    for round in 1..=3 {
        assert!(open.ledger.audit_log(&narrow).is_err());
        // What is written behind it is durable, and so is it.
        open.execute().await;
        assert_eq!(refusals().await, vec![1; round]);
        clock.advance(interval);
        let until = std::time::Instant::now() + WAIT;
        while summaries().await < round {
            assert!(std::time::Instant::now() < until, "no summary");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

/// One flooding component must not hide that another is refused, too: each is told at once and by its name, and what is
/// counted afterwards is counted for each.
#[tokio::test]
async fn components_that_are_refused_alike_are_each_named() {
    let clock = clock();
    let options = fixed(&clock);
    let interval = options.activity_interval;
    let open = open_on(Arc::new(MemoryJournal::new()), options).await;
    let refusals = async || {
        let events = open.events().await.into_iter();
        let told = events.filter_map(|event| match event {
            Event::RefusalsRecorded(it) => Some((it.component, it.count)),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    for name in ["first", "second"] {
        let grant = open.root.grant(name, Rights::none(), Quota::default());
        let grant = grant.await.unwrap();
        for _ in 0..3 {
            assert!(open.ledger.audit_log(&grant).is_err());
        }
    }
    // What is written behind them is durable, and so are they.
    open.execute().await;
    let at_once = [("first".to_owned(), 1), ("second".to_owned(), 1)];
    assert_eq!(refusals().await, at_once);
    clock.advance(interval);
    let until = std::time::Instant::now() + WAIT;
    let mut told = refusals().await;
    while told.len() < 4 {
        assert!(std::time::Instant::now() < until, "{told:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        told = refusals().await;
    }
    let mut counted = told.split_off(2);
    counted.sort();
    assert_eq!(counted, [("first".to_owned(), 2), ("second".to_owned(), 2)]);
}
