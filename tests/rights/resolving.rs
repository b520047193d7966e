// SPDX-License-Identifier: Apache-2.0
//! After a restart, whose is what is in doubt is told by the component's name.

use femtoclaw_ledger::{Context, Quota, Rights, Store};

use crate::executions::resolve;
use crate::shared::{World, request};

#[tokio::test]
async fn after_a_restart_a_component_resolves_its_own_by_its_name() {
    let world = World::new(|_| {}).await;
    let appends = Rights::none().append(Store::ExecutionLog);
    let worker = world.root.grant("worker", appends, Quota::default());
    let worker = worker.await.unwrap();
    let log = world.ledger.execution_log(&worker).unwrap();
    let mut left = Vec::new();
    for _ in 0..2 {
        let begun = log.begin(request(&world.ledger, Context::new())).await;
        left.push(begun.unwrap().started().unwrap().detach());
    }
    drop((log, worker));
    let world = world.reopened(true).await;
    let log = |name: &'static str, rights| {
        let (ledger, root) = (&world.ledger, &world.root);
        async move {
            let granted = root.grant(name, rights, Quota::default()).await.unwrap();
            ledger.execution_log(&granted).unwrap()
        }
    };
    // Finishing for others is another right.
    let other = log("other", appends.finish_others()).await;
    let refused = other.resolve(left[0], Context::new(), resolve()).await;
    assert_eq!(refused.unwrap_err().code(), "foreign_execution");
    let worker = log("worker", appends).await;
    let resolved = worker.resolve(left[0], Context::new(), resolve()).await;
    resolved.unwrap();
    let janitor = log("janitor", appends.resolve_others()).await;
    let resolved = janitor.resolve(left[1], Context::new(), resolve()).await;
    resolved.unwrap();
}
