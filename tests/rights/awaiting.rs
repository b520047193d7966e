// SPDX-License-Identifier: Apache-2.0
//! Names of persons in lists: who may read payloads of the execution log is given them, and nobody else.

use femtoclaw_ledger::events::Party;
use femtoclaw_ledger::execution_log::{ApprovalRequest, Awaiting};
use femtoclaw_ledger::{Context, ExecutionLog, Quota, Rights, Store};

use crate::shared::World;

fn party(id: &str) -> Party {
    Party {
        issuer: "https://id.example".to_owned(),
        id: id.to_owned(),
    }
}

async fn handle(world: &World, name: &str, rights: Rights) -> ExecutionLog {
    let granted = world.root.grant(name, rights, Quota::default()).await;
    world.ledger.execution_log(&granted.unwrap()).unwrap()
}

/// Three requests: ann and ben, ben alone, whoever is a treasurer.
async fn asked() -> World {
    let world = World::new(|_| {}).await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    for (hours, names, role) in [
        (3, &["ann", "ben"][..], None),
        (2, &["ben"], None),
        (1, &[], Some("treasurer")),
    ] {
        let until_ns = 1_000_000_000 + hours * 3_600_000_000_000;
        let basis = world.ledger.in_force().basis();
        let mut request = ApprovalRequest::new("message", "always", until_ns, basis);
        for name in names {
            request = request.ask(party(name));
        }
        if let Some(role) = role {
            request = request.ask_role(role);
        }
        let context = Context::new().on_behalf_of([party("maria")]);
        let request = request.context(context).shown("Send it?");
        log.request_approval(request).await.unwrap();
    }
    world
}

fn until(found: &[Awaiting]) -> Vec<i64> {
    let hours = |it: &Awaiting| (it.entry.until_ns - 1_000_000_000) / 3_600_000_000_000;
    found.iter().map(hours).collect()
}

#[tokio::test]
async fn lists_name_persons_to_those_who_may_read_payloads() {
    let world = asked().await;
    let reader = Rights::none().read_payloads(Store::ExecutionLog);
    let log = handle(&world, "desk", reader).await;
    let all = log.executions().awaiting().soonest(10).await.unwrap();
    assert_eq!(until(&all), [1, 2, 3]);
    for waiting in &all {
        assert_eq!(waiting.entry.on_behalf_of, Some(vec![party("maria")]));
        let request = waiting.request.as_ref().unwrap();
        assert_eq!(
            (request.rule.as_str(), &request.shown[..]),
            ("always", &b"Send it?"[..])
        );
    }
    let oldest = log.executions().awaiting().oldest(2).await.unwrap();
    assert_eq!(until(&oldest), [3, 2]);
    let on = log.executions().awaiting().after(oldest[1].entry.first_seq);
    assert_eq!(until(&on.oldest(2).await.unwrap()), [1]);
    let of = |who: &str| log.executions().awaiting().asked(party(who));
    assert_eq!(until(&of("ben").soonest(10).await.unwrap()), [2, 3]);
    assert_eq!(until(&of("ben").soonest(1).await.unwrap()), [2]);
    assert_eq!(until(&of("ann").oldest(1).await.unwrap()), [3]);
    assert!(of("carla").soonest(10).await.unwrap().is_empty());
    let or_role = of("ann").asked_role("treasurer").soonest(10).await.unwrap();
    assert_eq!(until(&or_role), [1, 3]);
    let other = log.executions().awaiting().capability("other").soonest(10);
    assert!(other.await.unwrap().is_empty());
}

#[tokio::test]
async fn lists_name_nobody_to_others() {
    let world = asked().await;
    let log = handle(&world, "screen", Rights::none().read(Store::ExecutionLog)).await;
    let all = log.executions().awaiting().soonest(10).await.unwrap();
    assert_eq!(until(&all), [1, 2, 3]);
    for waiting in &all {
        assert_eq!(
            (&waiting.entry.on_behalf_of, &waiting.request),
            (&None, &None)
        );
        let alone = log.get(waiting.entry.execution).await.unwrap().unwrap();
        assert_eq!(alone, waiting.entry);
    }
    let found = log.executions().first(10).await.unwrap();
    assert!(found.iter().all(|entry| entry.on_behalf_of.is_none()));
    // Neither is it told which of them ask somebody.
    let asked = log.executions().awaiting().asked(party("ann"));
    assert_eq!(asked.soonest(10).await.unwrap_err().code(), "not_granted");
    let asked = log.executions().awaiting().asked_role("treasurer");
    assert_eq!(asked.oldest(10).await.unwrap_err().code(), "not_granted");
}
