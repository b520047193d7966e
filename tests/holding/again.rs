// SPDX-License-Identifier: Apache-2.0
//! Sent again, a decision or a start gives no leave to act.

use super::*;

#[tokio::test]
async fn begin_sent_again_never_starts_and_says_where_the_execution_stands_now() {
    let world = World::new(|_| {}).await;
    let send = async |world: &World| {
        let begun = log(world).begin(request(&world.ledger, command(1))).await;
        begun.unwrap()
    };
    let running = send(&world).await.started().unwrap();
    let (execution, receipt) = (running.execution(), running.receipt());
    let again = duplicate(send(&world).await);
    assert_eq!(again.standing, Standing::Running);
    assert_eq!(
        (again.execution, again.decision),
        (execution, Decision::Authorized)
    );
    assert!(again.receipt.duplicate && again.permit.is_none());
    assert_eq!(
        (again.receipt.first, again.receipt.last),
        (receipt.first, receipt.last)
    );
    assert_eq!(
        stands(&world, execution).await,
        ExecutionStatus::Running,
        "the first one holds it"
    );
    // As a crash leaves it.
    let running = running.detach();
    let world = world.reopened(true).await;
    assert_eq!(duplicate(send(&world).await).standing, Standing::InDoubt);
    log(&world)
        .resolve(running, Context::new(), resolve())
        .await
        .unwrap();
    let ended = duplicate(send(&world).await);
    assert_eq!(ended.standing, Standing::Ended(End::Completed));
    // From the views' memory of it, too.
    let world = world.reopened(false).await;
    world
        .ledger
        .at_least(world.ledger.head().seq)
        .await
        .unwrap();
    let ended = duplicate(send(&world).await);
    assert_eq!(ended.standing, Standing::Ended(End::Completed));
}

#[tokio::test]
async fn every_end_is_told_to_a_command_that_is_sent_again() {
    let world = World::new(|_| {}).await;
    let log = log(&world);
    let mut number = 0;
    let mut begin = async |decision| {
        number += 1;
        let mut it = request(&world.ledger, command(number));
        it.decision = decision;
        (log.begin(it.clone()).await.unwrap(), it)
    };
    let failure = femtoclaw_ledger::Failure {
        code: "E".to_owned(),
        message: String::new(),
        result: Vec::new(),
    };
    let mut sent = Vec::new();
    let (begun, it) = begin(Decision::Authorized).await;
    begun
        .started()
        .unwrap()
        .complete(Context::new(), b"1".to_vec())
        .await
        .unwrap();
    sent.push((it, End::Completed));
    let (begun, it) = begin(Decision::Authorized).await;
    begun
        .started()
        .unwrap()
        .fail(Context::new(), failure)
        .await
        .unwrap();
    sent.push((it, End::Failed));
    let (begun, it) = begin(Decision::Authorized).await;
    begun
        .started()
        .unwrap()
        .cancel(Context::new(), "why".to_owned())
        .await
        .unwrap();
    sent.push((it, End::Cancelled));
    let (begun, it) = begin(Decision::DeniedPolicyViolation).await;
    assert!(matches!(begun, Begun::Denied(denied) if denied.decision == it.decision));
    sent.push((it, End::Denied));
    for (it, end) in sent {
        let again = duplicate(log.begin(it.clone()).await.unwrap());
        assert_eq!(again.standing, Standing::Ended(end));
        assert_eq!(again.decision, it.decision);
    }
    assert_eq!(world.ledger.health().cause, "");
}

#[tokio::test]
async fn authorize_sent_again_gives_the_permit_once_more_and_a_start_sent_again_starts_nothing() {
    let world = World::new(|_| {}).await;
    let log = log(&world);
    let ask = || request(&world.ledger, command(1));
    let first = log.authorize(ask()).await.unwrap().permit().unwrap();
    let Authorization::Duplicate(again) = log.authorize(ask()).await.unwrap() else {
        panic!("no duplicate");
    };
    assert_eq!(again.standing, Standing::Authorized);
    let second = again.permit.unwrap();
    assert_eq!(first, second);
    let execution = second.execution();
    // Both give the same right: the second start has nothing to start.
    let running = log
        .start(first, command(2))
        .await
        .unwrap()
        .running()
        .unwrap();
    let refused = log.start(second, command(3)).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_transition");
    assert!(refused.permit.is_some());
    let Ok(Started::Duplicate(again)) = log.start(refused.permit.unwrap(), command(2)).await else {
        panic!("no duplicate");
    };
    assert_eq!(again.standing, Standing::Running);
    assert_eq!(stands(&world, execution).await, ExecutionStatus::Running);
    running
        .complete(Context::new(), b"1".to_vec())
        .await
        .unwrap();
    let Authorization::Duplicate(again) = log.authorize(ask()).await.unwrap() else {
        panic!("no duplicate");
    };
    assert_eq!(again.standing, Standing::Ended(End::Completed));
    assert!(again.permit.is_none());
    assert!(
        records(&world, EventType::ExecutionInDoubt)
            .await
            .is_empty()
    );
    assert!(
        records(&world, EventType::ExecutionAbandoned)
            .await
            .is_empty()
    );
}
