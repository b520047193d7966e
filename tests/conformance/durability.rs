// SPDX-License-Identifier: Apache-2.0
//! What is acknowledged is there: §2, §3, §4, §10, §11.

use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{ExecutionId, Store, TelemetryKind};
use femtoclaw_ledger::journal::{FjallJournal, Frame, Journal, JournalOptions, MemoryJournal};
use femtoclaw_ledger::{AppendError, Context, OpenError, group::Command};

use crate::held::{FailedSync, HeldJournal};
use crate::support::*;
use crate::tamper::{frames, tamper};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_1_no_acknowledged_record_is_lost_and_a_missing_one_is_named() {
    if let Some(path) = child_path() {
        let open = Arc::new(open(&path).await);
        let mut tasks = Vec::new();
        for _ in 0..16 {
            let open = Arc::clone(&open);
            tasks.push(tokio::spawn(async move {
                loop {
                    let begun = open.begin().await;
                    acknowledge(format!("{} {}", begun.receipt().last, begun.execution()));
                }
            }));
        }
        return tasks.pop().unwrap().await.unwrap();
    }
    let (_root, path) = place();
    let test = "durability::s2_1_no_acknowledged_record_is_lost_and_a_missing_one_is_named";
    let acknowledged = killed_after(test, &path, 200);
    let open = open(&path).await;
    let reads = open.reads();
    for line in &acknowledged {
        let (place, id) = line.split_once(' ').unwrap();
        let record = reads.get(seq(place.parse().unwrap())).await.unwrap();
        let id: ExecutionId = id.parse().unwrap();
        let record = record.unwrap_or_else(|| panic!("{line} is missing of {acknowledged:?}"));
        assert_eq!(record.header.execution, id, "{line}");
    }
    let in_doubt = open.log().in_doubt().await.unwrap();
    assert!(in_doubt.len() >= acknowledged.len());
    drop(reads);
    open.close().await;
    // A frame in the middle vanishes: opening names its first record.
    let missing = frames(&path)[1].first;
    tamper(&path, |stored| drop(stored.remove(1)));
    let error = open_error(&path).await;
    assert!(
        error.to_string().contains(&format!("record {missing} ")),
        "{error}"
    );
    assert!(matches!(error, OpenError::Journal(_)), "{error}");
}

/// The same commands against two ledgers that share nothing.
async fn run_fixed(journal: Arc<dyn Journal>) -> Vec<Vec<u8>> {
    let clock = clock();
    let open = open_on(journal, fixed(&clock)).await;
    open.sample().await;
    clock.advance(Duration::from_millis(3));
    let execution = open.execute().await;
    let again = open.complete(execution, b"1");
    assert!(again.await.is_err());
    clock.set_now(START_NS - 5);
    open.change("limits", "max = 2\n").await;
    let records = open.records().await.iter().map(bytes).collect();
    open.close().await;
    records
}

#[tokio::test]
async fn s2_2_the_same_commands_give_the_same_bytes_and_the_same_root() {
    let first = run_fixed(Arc::new(MemoryJournal::new())).await;
    let second = run_fixed(Arc::new(MemoryJournal::new())).await;
    assert!(first.len() > 30, "{}", first.len());
    for (index, (one, two)) in first.iter().zip(&second).enumerate() {
        assert_eq!(hex(one), hex(two), "record {}", index + 1);
    }
    assert_eq!(first.len(), second.len());
}

#[tokio::test]
async fn s3_1_one_of_each_kind_survives_a_kill_byte_for_byte() {
    if let Some(path) = child_path() {
        let open = open(&path).await;
        open.sample().await;
        for record in open.records().await {
            acknowledge(hex(&bytes(&record)));
        }
        acknowledge("end");
        return std::future::pending().await;
    }
    let (_root, path) = place();
    let test = "durability::s3_1_one_of_each_kind_survives_a_kill_byte_for_byte";
    let mut child = child_command(test, &path).spawn().unwrap();
    let mut told = read_until_end(&mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told.pop().as_deref(), Some("end"));
    let open = open(&path).await;
    let records = open.records().await;
    assert!(told.len() > 20);
    for (index, expected) in told.iter().enumerate() {
        assert_eq!(&hex(&bytes(&records[index])), expected, "{index}");
    }
    let kinds = [
        "ExecutionStarted",
        "ExecutionCompleted",
        "AuthorizationDecided",
        "TelemetryRecorded",
        "AuditRecorded",
        "ConfigurationChanged",
        "RuntimeIdentified",
        "CapabilityEnabled",
    ];
    let stored = &records[..told.len()];
    for kind in kinds {
        let has = |kind: &str| {
            let mut names = stored.iter().map(|it| it.header.event_type.name());
            names.any(|name| name == kind)
        };
        assert!(has(kind), "{kind}");
    }
    for store in Store::ALL {
        assert!(stored.iter().any(|it| it.header.stores.contains(store)));
    }
}

fn read_until_end(child: &mut std::process::Child) -> Vec<String> {
    use std::io::BufRead;
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let lines = stderr.lines().map(Result::unwrap);
    let acks = lines.filter_map(|line| line.strip_prefix("ack ").map(str::to_owned));
    let mut all = Vec::new();
    for line in acks {
        all.push(line);
        if all.last().is_some_and(|line| line == "end") {
            break;
        }
    }
    all
}

#[tokio::test]
async fn s4_1_the_guarantees_do_not_vary_with_the_backend() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let disk = FjallJournal::open(&path, &JournalOptions::default()).unwrap();
    let on_disk = run_fixed(Arc::new(disk)).await;
    let in_memory = run_fixed(Arc::new(MemoryJournal::new())).await;
    assert_eq!(on_disk, in_memory);
    // The suite that every journal passes is `tests/journal/conformance.rs`.
    let suite = include_str!("../journal/conformance.rs");
    for backend in ["FjallJournal", "MemoryJournal"] {
        assert!(suite.contains(backend), "{backend}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_1_committed_record_survives_kill() {
    if let Some(path) = child_path() {
        let options = femtoclaw_ledger::Options {
            // Small, so that memtables are flushed and log files rotated in between.
            memtable_bytes: Some(64 << 10),
            ..Default::default()
        };
        let open = open_with(&path, options).await;
        loop {
            let execution = open.execute().await;
            acknowledge(execution);
        }
    }
    let (_root, path) = place();
    let mut all: Vec<String> = Vec::new();
    for round in 0..6 {
        let acknowledged = killed_after(
            "durability::s10_1_committed_record_survives_kill",
            &path,
            10 + round * 17,
        );
        all.extend(acknowledged);
    }
    let open = open(&path).await;
    open.ledger.at_least(open.ledger.head().seq).await.unwrap();
    for id in &all {
        let entry = open.log().get(id.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(entry.status.name(), "completed", "{id}");
    }
    let records = open.records().await;
    let places = records.iter().map(|record| record.header.seq.get());
    assert!(places.eq(1..=open.ledger.head().count()));
    let finished = |id: &str| {
        let id: ExecutionId = id.parse().unwrap();
        let ends = records.iter().filter(|record| {
            record.header.execution == id && record.event().is_ok_and(|event| is_end(&event))
        });
        ends.count()
    };
    assert!(all.iter().all(|id| finished(id) == 1));
}

fn is_end(event: &femtoclaw_ledger::events::Event) -> bool {
    matches!(
        event,
        femtoclaw_ledger::events::Event::ExecutionCompleted(_)
    )
}

/// A ledger over a journal whose sync can be held.
async fn held() -> (Arc<HeldJournal<MemoryJournal>>, MemoryJournal, Open) {
    let memory = MemoryJournal::new();
    let journal = Arc::new(HeldJournal::new(memory.clone()));
    let open = open_on(journal.clone(), fixed(&clock())).await;
    (journal, memory, open)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_2_nothing_is_acknowledged_before_its_sync_nor_after_a_failed_one() {
    for how in [FailedSync::Persisted, FailedSync::NotPersisted] {
        let (journal, memory, open) = held().await;
        let before = open.ledger.head();
        journal.hold();
        journal.fail_next(how);
        let mut request = open.request("message");
        request.context = Context::new().command(command(77));
        let log = open.log();
        let first = tokio::spawn(async move { log.begin(request).await });
        assert!(journal.wait_until_held(WAIT));
        // While the sync is held: no answer to the commit, its duplicate, or a refusal.
        let (log, mut twin) = (open.log(), open.request("message"));
        twin.context = Context::new().command(command(77));
        let duplicate = tokio::spawn(async move { log.begin(twin).await });
        let log = open.log();
        let refusal = tokio::spawn(async move {
            log.complete(execution(404), Context::new(), b"1".to_vec())
                .await
        });
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert!(!first.is_finished() && !duplicate.is_finished() && !refusal.is_finished());
        assert_eq!(open.ledger.head(), before);
        journal.release();
        let unknown = AppendError::OutcomeUnknown {
            command: command(77),
        };
        assert_eq!(first.await.unwrap().unwrap_err(), unknown);
        assert_eq!(duplicate.await.unwrap().unwrap_err(), unknown);
        let refused = refusal.await.unwrap().unwrap_err();
        assert_eq!(refused.code(), "sealed", "{refused}");
        assert_eq!(open.ledger.head(), before, "shown although not durable");
        // The next opening tells what became of it.
        let again = open_on(Arc::new(memory.reopen()), later(&clock())).await;
        let found = again.ledger.lookup(&again.grant, command(77)).await;
        let is_there = how == FailedSync::Persisted;
        assert_eq!(found.unwrap().is_some(), is_there, "{how:?}");
    }
}

fn observations(count: u128) -> Vec<Command> {
    let numbered = |number| {
        let mut it = observation(TelemetryKind::Other, "grouped");
        it.context = Context::new().command(command(number));
        Command::Observe(it)
    };
    (0..count).map(|number| numbered(number + 1)).collect()
}

#[tokio::test]
async fn s11_1_a_commit_is_there_as_a_whole_or_not_at_all() {
    // A group of which one command is refused writes nothing.
    let journal = MemoryJournal::new();
    let open = open_on(Arc::new(journal.clone()), fixed(&clock())).await;
    let before = open.ledger.head();
    let mut group = observations(3);
    let Command::Observe(last) = &mut group[2] else {
        unreachable!()
    };
    last.attributes = b"{".to_vec();
    let refused = open.ledger.commit(&open.grant, group).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_json");
    assert_eq!(open.ledger.head(), before);
    // A sync that fails leaves all of a group or nothing of it.
    let all = open.ledger.commit(&open.grant, observations(5)).await;
    let receipt = all.unwrap().unwrap().receipt;
    assert_eq!(receipt.last.get() - receipt.first.get(), 4);
    for how in [FailedSync::Persisted, FailedSync::NotPersisted] {
        journal_fails(how).await;
    }
    // A frame that is cut anywhere is no frame: none of its records is read.
    let frame = journal.frame_at(receipt.first).unwrap().unwrap();
    assert!(frame.contains(receipt.last), "a commit never spans frames");
    for length in 0..frame.bytes().len() {
        let cut = Frame::decode(&frame.bytes()[..length]);
        assert!(cut.is_err(), "cut to {length}");
    }
}

async fn journal_fails(how: FailedSync) {
    let (journal, memory, open) = held().await;
    let group = observations(5);
    journal.fail_next(how);
    let failed = open.ledger.commit(&open.grant, group).await.unwrap_err();
    assert_eq!(failed.code(), "outcome_unknown");
    let again = open_on(Arc::new(memory.reopen()), later(&clock())).await;
    let mut found = 0;
    for number in 1..=5 {
        let found_one = again.ledger.lookup(&again.grant, command(number)).await;
        found += usize::from(found_one.unwrap().is_some());
    }
    let expected = if how == FailedSync::Persisted { 5 } else { 0 };
    assert_eq!(found, expected);
}

#[tokio::test]
async fn s14_1_order_is_gapless_and_a_completion_follows_its_start() {
    let open = Arc::new(open_on(Arc::new(MemoryJournal::new()), fixed(&clock())).await);
    let tasks = (0..32).map(|_| {
        let open = Arc::clone(&open);
        tokio::spawn(async move { open.execute().await })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut executions = Vec::new();
    for task in tasks {
        executions.push(task.await.unwrap());
    }
    let records = open.records().await;
    let places = records.iter().map(|record| record.header.seq.get());
    assert!(places.eq(1..=open.ledger.head().count()));
    let place = |execution: ExecutionId, name: &str| {
        let fits = |it: &&femtoclaw_ledger::events::Record| {
            it.header.execution == execution && it.header.event_type.name() == name
        };
        records.iter().find(fits).map(|it| it.header.seq)
    };
    for execution in executions {
        let started = place(execution, "ExecutionStarted").unwrap();
        assert!(place(execution, "AuthorizationDecided").unwrap() < started);
        assert!(started < place(execution, "ExecutionCompleted").unwrap());
    }
    // And what was never started cannot be completed.
    let authorized = open.log().authorize(open.request("message")).await.unwrap();
    let early = open
        .complete(authorized.execution(), b"1")
        .await
        .unwrap_err();
    assert_eq!(early.code(), "invalid_transition");
}
