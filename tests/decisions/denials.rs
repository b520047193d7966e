// SPDX-License-Identifier: Apache-2.0
//! A denial is on the record, whatever has moved since; a repeated command is the same in every
//! field.

use femtoclaw_ledger::events::{Decision, Event};
use femtoclaw_ledger::{Context, Retry};

use crate::register;
use crate::shared::{World, change, command, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_is_recorded_with_what_it_was_based_on() {
    let world = World::new(|_| {}).await;
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let metadata = world.ledger.runtime_metadata(&world.grant).unwrap();
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let before = world.ledger.in_force();
    let changed = configuration.change(change(Context::new(), "one", None));
    changed.await.unwrap();
    register(&metadata, "run").await;
    let reads = world.ledger.reader(&world.grant).unwrap();
    for capability in ["message", "run", "unheard of"] {
        let mut denied = request(&world.ledger, Context::new());
        denied.capability = capability.to_owned();
        denied.decision = Decision::DeniedPolicyViolation;
        denied.basis = before.basis().policy("7", [7; 32]);
        let begun = log.begin(denied.clone()).await.unwrap();
        let authorized = log.authorize(denied.clone()).await.unwrap();
        for receipt in [begun.receipt(), authorized.receipt()] {
            let record = reads.get(receipt.first).await.unwrap().unwrap();
            let Event::AuthorizationDecided(told) = record.event().unwrap() else {
                panic!("not a decision")
            };
            assert_eq!(told.decision, Decision::DeniedPolicyViolation.code());
            assert_eq!((told.configuration_version, told.registry_version), (0, 0));
            assert_eq!((&*told.policy_version, told.policy_digest), ("7", [7; 32]));
        }
        // The same as an authorization is held to what is in force.
        denied.decision = Decision::Authorized;
        let stale = log.begin(denied).await.unwrap_err();
        assert_eq!(
            (stale.code(), stale.retry()),
            ("permit_stale", Retry::Never)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_change_by_another_author_or_for_another_reason_is_no_duplicate() {
    let world = World::new(|_| {}).await;
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let first = change(command(1), "one", None);
    configuration.change(first.clone()).await.unwrap();
    let again = configuration.change(first.clone()).await.unwrap();
    assert!(again.receipt.duplicate);
    let mut by_another = first.clone();
    by_another.author = "somebody else".to_owned();
    let mut for_another = first;
    for_another.reason = "another".to_owned();
    for other in [by_another, for_another] {
        let refused = configuration.change(other).await.unwrap_err();
        assert_eq!(refused.code(), "idempotency_conflict");
    }
}
