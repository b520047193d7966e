// SPDX-License-Identifier: Apache-2.0
//! Quotas and revocation are a component's, not a grant's, and the journal's order is the order of
//! what was done: §18, T2.

use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{AuditFamily, Event};
use femtoclaw_ledger::{AppendError, Grant, Quota, Rights};
use tokio_test::assert_pending;
use tokio_test::task::spawn;

use crate::held::HeldMemory;
use crate::support::*;

async fn in_memory() -> (HeldMemory, Open) {
    let memory = HeldMemory::in_memory();
    let open = open_on(Arc::new(memory.clone()), fixed(&clock())).await;
    (memory, open)
}

async fn granted(open: &Open, name: &str, quota: Quota) -> Grant {
    let granted = open.root.grant(name, Rights::all(), quota).await;
    granted.unwrap()
}

async fn record(open: &Open, grant: &Grant) -> Result<u64, AppendError> {
    let audit = open.ledger.audit_log(grant)?;
    let recorded = audit.record(entry(AuditFamily::Lifecycle)).await;
    recorded.map(|receipt| receipt.first.get())
}

/// Where the component is said to be revoked.
async fn revocations(open: &Open, grant: &Grant) -> Vec<u64> {
    let records = open.records().await;
    let of = |record: &femtoclaw_ledger::Record| match record.event().unwrap() {
        Event::ComponentRevoked(it) if it.component == grant.component().0 => {
            Some(record.header.seq.get())
        }
        _ => None,
    };
    records.iter().filter_map(of).collect()
}

fn code<T>(outcome: Result<T, AppendError>) -> &'static str {
    outcome.err().map_or("accepted", |error| error.code())
}

#[tokio::test]
async fn t2_revoked_while_it_waits_in_the_mailbox_nothing_is_decided() {
    let (_, open) = in_memory().await;
    let grant = granted(&open, "gone", Quota::default()).await;
    let audit = open.ledger.audit_log(&grant).unwrap();
    let configuration = open.ledger.configuration(&grant).unwrap();
    let log = open.ledger.execution_log(&grant).unwrap();
    // All on one thread: what is sent waits until this task waits, and no actor runs before.
    let mut entered = spawn(audit.record(entry(AuditFamily::Lifecycle)));
    let mut changed = spawn(configuration.change(change("policy", "theirs")));
    let mut begun = spawn(log.begin(open.request("message")));
    assert_pending!(entered.poll());
    assert_pending!(changed.poll());
    assert_pending!(begun.poll());
    let mut revoked = spawn(open.root.revoke(&grant, "left the building"));
    assert_pending!(revoked.poll());
    assert_eq!(code(entered.await), "grant_revoked");
    assert_eq!(code(changed.await), "grant_revoked");
    assert_eq!(code(begun.await), "grant_revoked");
    revoked.await.unwrap();
    let theirs = open.records().await.into_iter();
    let theirs = theirs.filter(|it| it.header.component == grant.component());
    assert_eq!(theirs.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t2_what_was_decided_before_the_revocation_stands_before_its_record_and_the_rest_is_refused()
 {
    let (memory, open) = in_memory().await;
    let open = Arc::new(open);
    let grant = granted(&open, "gone", Quota::default()).await;
    // Decided, ordered and not durable yet when the component is revoked.
    memory.hold();
    let decided = tokio::spawn({
        let (open, grant) = (Arc::clone(&open), grant.clone());
        async move { record(&open, &grant).await }
    });
    let held = memory.clone();
    let held = tokio::task::spawn_blocking(move || held.wait_until_held(WAIT));
    assert!(held.await.unwrap());
    let revoked = tokio::spawn({
        let (open, grant) = (Arc::clone(&open), grant.clone());
        async move { open.root.revoke(&grant, "left the building").await }
    });
    let refused = async {
        while open.ledger.audit_log(&grant).is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT, refused).await.unwrap();
    assert!(!revoked.is_finished(), "told before it is durable");
    memory.release();
    let first = decided.await.unwrap().unwrap();
    revoked.await.unwrap().unwrap();
    let [at] = revocations(&open, &grant).await[..] else {
        panic!("one revocation")
    };
    assert!(first < at, "{first}, revoked at {at}");
}

/// Whoever is answered stands before the record, whoever is refused does not stand at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t2_in_a_crowd_no_command_of_a_revoked_component_stands_behind_its_revocation() {
    let (_, open) = in_memory().await;
    let open = Arc::new(open);
    for _ in 0..20 {
        let grant = granted(&open, "crowd", Quota::default()).await;
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let (open, grant) = (Arc::clone(&open), grant.clone());
                tokio::spawn(async move {
                    let mut last = 0;
                    loop {
                        match record(&open, &grant).await {
                            Ok(seq) => last = seq,
                            Err(error) => return (last, error.code()),
                        }
                    }
                })
            })
            .collect();
        record(&open, &grant).await.unwrap();
        open.root.revoke(&grant, "a crowd").await.unwrap();
        let at = *revocations(&open, &grant).await.last().unwrap();
        for writer in writers {
            let (last, code) = tokio::time::timeout(WAIT, writer).await.unwrap().unwrap();
            assert_eq!(code, "grant_revoked");
            assert!(last < at, "{last}, revoked at {at}");
        }
        let records = open.records().await;
        let behind = records
            .iter()
            .filter(|it| it.header.seq.get() > at && it.header.component == grant.component());
        assert_eq!(behind.count(), 0);
    }
}

#[tokio::test]
async fn t2_all_grants_of_one_name_are_revoked_together_and_a_later_one_works() {
    let (_, open) = in_memory().await;
    let first = granted(&open, "twice", Quota::default()).await;
    let second = granted(&open, "twice", Quota::default()).await;
    let bystander = granted(&open, "another", Quota::default()).await;
    assert_eq!(first.component(), second.component());
    let mut follow = {
        let reads = open.ledger.reader(&second).unwrap();
        reads.follow(open.ledger.head().next_seq()).unwrap()
    };
    open.root.revoke(&first, "one of two").await.unwrap();
    let lookup = open.ledger.lookup(&second, command(1)).await;
    assert_eq!(lookup.unwrap_err().code(), "grant_revoked");
    for grant in [&first, &second] {
        assert_eq!(code(record(&open, grant).await), "grant_revoked");
        assert_eq!(
            open.ledger.reader(grant).err().unwrap().code(),
            "grant_revoked"
        );
    }
    let told = follow.next_batch(WAIT).await.unwrap_err();
    assert_eq!(told.code(), "grant_revoked", "and not what came meanwhile");
    record(&open, &bystander).await.unwrap();
    let later = granted(&open, "twice", Quota::default()).await;
    record(&open, &later).await.unwrap();
    assert_eq!(code(record(&open, &second).await), "grant_revoked");
    // What is over cannot be revoked again: that would be the new grant's end.
    let again = open.root.revoke(&second, "again").await;
    assert_eq!(code(again), "grant_revoked");
    record(&open, &later).await.unwrap();
    assert_eq!(revocations(&open, &later).await.len(), 1);
}

#[tokio::test]
async fn t2_a_quota_is_the_components_and_a_new_grant_has_no_fresh_one() {
    let clock = clock();
    let open = open_on(Arc::new(HeldMemory::in_memory()), fixed(&clock)).await;
    let three = Quota {
        records_per_second: Some(3),
        bytes_per_second: None,
    };
    let first = granted(&open, "limited", three).await;
    let second = granted(&open, "limited", three).await;
    record(&open, &first).await.unwrap();
    record(&open, &second).await.unwrap();
    record(&open, &first).await.unwrap();
    assert_eq!(code(record(&open, &second).await), "quota_exceeded");
    let third = granted(&open, "limited", three).await;
    open.root.revoke(&first, "over").await.unwrap();
    assert_eq!(code(record(&open, &third).await), "grant_revoked");
    let fourth = granted(&open, "limited", three).await;
    assert_eq!(code(record(&open, &fourth).await), "quota_exceeded");
    // Another rate holds for the future.
    let fast = Quota {
        records_per_second: Some(1_000),
        ..three
    };
    let fifth = granted(&open, "limited", fast).await;
    assert_eq!(code(record(&open, &fifth).await), "quota_exceeded");
    clock.advance(Duration::from_millis(1));
    record(&open, &fourth).await.unwrap();
    assert_eq!(code(record(&open, &fifth).await), "quota_exceeded");
}

#[tokio::test]
async fn t2_components_and_reasons_have_limits() {
    let mut options = fixed(&clock());
    options.limits.components_max = 3;
    let memory = HeldMemory::in_memory();
    let open = open_on(Arc::new(memory.clone()), options).await;
    let mut grants = vec![open.grant.clone()];
    for name in ["second", "third"] {
        grants.push(granted(&open, name, Quota::default()).await);
    }
    let head = open.ledger.head();
    let fourth = open.root.grant("fourth", Rights::none(), Quota::default());
    assert_eq!(code(fourth.await), "too_many_components");
    assert_eq!(open.ledger.head(), head, "nothing was written");
    granted(&open, "third", Quota::default()).await;
    let mut numbers: Vec<_> = grants.iter().map(Grant::component).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 3);
    // A reason is a text like any other.
    let reason = "r".repeat((64 << 10) + 1);
    let refused = open.root.revoke(&grants[1], &reason).await;
    assert_eq!(code(refused), "too_large");
    assert!(open.ledger.health().healthy);
    record(&open, &grants[1]).await.unwrap();
    open.root.revoke(&grants[1], &reason[1..]).await.unwrap();
    open.close().await;
    // Names stay for ever: the limit counts those of earlier openings.
    let mut options = later(&clock());
    options.limits.components_max = 3;
    let open = open_on(Arc::new(memory.reopen()), options).await;
    let second = granted(&open, "second", Quota::default()).await;
    assert_eq!(second.component(), grants[1].component());
    let fourth = open.root.grant("fourth", Rights::none(), Quota::default());
    assert_eq!(code(fourth.await), "too_many_components");
}
