// SPDX-License-Identifier: Apache-2.0
//! Catch-up and live, with nothing lost or given twice in between.

use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{Seq, Store, StoreMask};
use femtoclaw_ledger::projections::{Source, Subscription, SubscriptionError};

use crate::support::{History, Journal};

const TICK: Duration = Duration::from_millis(200);

#[test]
fn each_record_once_under_concurrent_appends() {
    let history = Arc::new(History::mixed(6_000));
    for start in [1, 17, 1_000, 1_001, 2_500] {
        let journal = Journal::new(&history.records[..1_000], 37);
        let appender = {
            let (journal, history) = (journal.clone(), history.clone());
            std::thread::spawn(move || {
                for (count, records) in history.records[1_000..].chunks(23).enumerate() {
                    journal.append(records);
                    if count % 16 == 0 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            })
        };
        let mut subscription =
            Subscription::new(journal.clone(), Seq::new(start).unwrap()).batch_max(64);
        let mut seen = Vec::new();
        while subscription.next_seq().get() <= history.head() {
            let batch = subscription.next_batch(TICK).unwrap();
            assert!(batch.len() <= 64);
            seen.extend(batch.into_iter().map(|record| record.header.seq.get()));
        }
        appender.join().unwrap();
        assert_eq!(seen, (start..=history.head()).collect::<Vec<_>>());
        assert!(subscription.next_batch(Duration::ZERO).unwrap().is_empty());
        assert!(subscription.is_live());
    }
}

#[test]
fn a_slow_live_subscriber_is_told_once_and_loses_nothing() {
    let history = History::mixed(500);
    let journal = Journal::new(&history.records[..100], 1_000);
    let mut subscription = Subscription::new(journal.clone(), Seq::FIRST)
        .batch_max(100)
        .lag_max(50);
    assert_eq!(subscription.next_batch(TICK).unwrap().len(), 100);
    assert!(subscription.is_live());
    journal.append(&history.records[100..400]);
    let lagged = SubscriptionError::Lagged {
        behind: 300,
        tolerated: 50,
        next: 101,
    };
    assert_eq!(subscription.next_batch(TICK), Err(lagged));
    assert!(!subscription.is_live());
    let next = subscription.next_batch(TICK).unwrap();
    assert_eq!(next[0].header.seq.get(), 101);
    assert_eq!(next.len(), 100);
}

#[test]
fn a_subscription_may_start_ahead_and_may_look_at_some_stores_only() {
    let history = History::mixed(300);
    let journal = Journal::new(&history.records[..100], 1_000);
    let wanted = StoreMask::NONE.with(Store::Configuration);
    let mut subscription =
        Subscription::new(journal.clone(), Seq::new(201).unwrap()).stores(wanted);
    assert!(subscription.next_batch(Duration::ZERO).unwrap().is_empty());
    journal.append(&history.records[100..]);
    let mut seen = Vec::new();
    while subscription.next_seq().get() <= journal.head() {
        seen.extend(subscription.next_batch(TICK).unwrap());
    }
    let of_configuration = |record: &&femtoclaw_ledger::events::Record| {
        record.header.stores.contains(Store::Configuration)
    };
    let expected: Vec<_> = history.records[200..]
        .iter()
        .filter(of_configuration)
        .cloned()
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(seen, expected);
}
