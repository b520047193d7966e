// SPDX-License-Identifier: Apache-2.0
//! Segments of views are stated by records of the ledger's own: when, in which order, and by whom.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::clock::CountingEntropy;
use femtoclaw_ledger::events::{
    ComponentId, Event, EventType, Record, Seq, ViewsSealedV1, VouchedSegment,
};
use femtoclaw_ledger::journal::Journal;
use femtoclaw_ledger::{Ledger, Options};

use crate::held::HeldMemory;
use crate::support::*;

fn records(journal: &HeldMemory) -> Vec<Record> {
    let frames = journal.reopen().frames(Seq::FIRST).map(Result::unwrap);
    let records = frames.flat_map(|frame| frame.records().collect::<Vec<_>>());
    records.map(Result::unwrap).collect()
}

fn sealed(record: &Record) -> Option<ViewsSealedV1> {
    match record.event().unwrap() {
        Event::ViewsSealed(sealed) => Some(sealed),
        _ => None,
    }
}

fn stated(records: &[Record]) -> Vec<VouchedSegment> {
    let sealed = records.iter().filter_map(sealed);
    sealed.flat_map(|it| it.segments).collect()
}

async fn opened(journal: &HeldMemory, views: &Path, options: Options) -> Open {
    let journal = Arc::new(journal.reopen());
    let ledger = Ledger::open_on(journal, views, options).await.unwrap();
    granted(ledger, None).await
}

/// Two openings beside the same views, with the same commands in each run.
async fn run() -> Vec<Record> {
    let views = tempfile::tempdir().unwrap();
    let (journal, clock) = (HeldMemory::in_memory(), clock());
    let entropy = Arc::new(CountingEntropy::default());
    for turn in 0..2 {
        let options = Options {
            entropy: entropy.clone(),
            ..fixed(&clock)
        };
        let open = opened(&journal, views.path(), options).await;
        match turn {
            0 => open.sample().await,
            _ => drop(open.execute().await),
        }
        open.close().await;
    }
    records(&journal)
}

/// The records of each opening.
fn epochs(records: &[Record]) -> Vec<&[Record]> {
    let closes = |record: &Record| record.header.event_type == EventType::LedgerClosed;
    records.split_inclusive(closes).collect()
}

/// When a segment ends at a close is a matter of time, and lies outside. What it states of the same records does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_2_segments_of_the_same_records_have_the_same_digest() {
    let (one, other) = (run().await, run().await);
    let first = |records: &[Record]| stated(epochs(records)[0]);
    let (one, other) = (first(&one), first(&other));
    assert!(one.len() >= 5 && other.len() >= 5, "{one:?} {other:?}");
    for segment in &one {
        let range = |it: &VouchedSegment| (it.view.clone(), it.first_seq, it.last_seq);
        let same = other.iter().find(|it| range(it) == range(segment));
        assert!(same.is_none_or(|it| it == segment), "{segment:?} {same:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_1_a_close_has_views_in_segments_before_its_last_records() {
    let records = run().await;
    let epochs = epochs(&records);
    assert_eq!(epochs.len(), 2);
    for epoch in epochs {
        let of = |record: &Record| record.header.event_type;
        let last = epoch.iter().rposition(|it| sealed(it).is_some()).unwrap();
        let behind: Vec<_> = epoch[last + 1..].iter().map(of).collect();
        let words = [EventType::TransitionsRecorded, EventType::LedgerClosed];
        assert!(behind.iter().all(|it| words.contains(it)), "{behind:?}");
        // What is left to be read again is of the ledger's own.
        let mut through = std::collections::BTreeMap::new();
        for segment in stated(epoch) {
            through.insert(segment.view, segment.last_seq);
        }
        assert_eq!(through.len(), 5, "{through:?}");
        let least = *through.values().min().unwrap();
        let left = epoch.iter().filter(|it| it.header.seq.get() > least);
        for record in left {
            assert_eq!(record.header.component, ComponentId::LEDGER, "{record:?}");
        }
        for record in epoch {
            let Some(sealed) = sealed(record) else {
                continue;
            };
            assert_eq!(record.header.component, ComponentId::LEDGER);
            let seq = record.header.seq.get();
            assert!(sealed.segments.iter().all(|it| it.last_seq < seq));
        }
    }
}

/// Nothing but commits leads to such a record, and one leads to no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_2_an_idle_ledger_states_no_segments() {
    let views = tempfile::tempdir().unwrap();
    let journal = HeldMemory::in_memory();
    for _ in 0..2 {
        let options = Options {
            activity_interval: Duration::from_millis(10),
            ..Options::default()
        };
        let open = opened(&journal, views.path(), options).await;
        let before = stated(&records(&journal));
        open.execute().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(stated(&records(&journal)), before);
        open.close().await;
        assert!(stated(&records(&journal)).len() > before.len());
    }
}
