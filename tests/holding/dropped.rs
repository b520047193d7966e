// SPDX-License-Identifier: Apache-2.0
//! Handles, permits and calls that are dropped.

use super::*;

#[tokio::test]
async fn a_running_execution_whose_handle_is_dropped_is_in_doubt_now_and_resolved_late() {
    let world = World::new(|options| options.limits.running_max = 1).await;
    let log = log(&world);
    let running = log.begin(request(&world.ledger, command(1))).await.unwrap();
    let execution = running.execution();
    drop(running);
    let record = written(&world, EventType::ExecutionInDoubt, 1)
        .await
        .remove(0);
    assert_eq!(record.header.execution, execution);
    assert_eq!(record.header.component, world.grant.component());
    assert_eq!(record.header.outcome, Outcome::Unknown);
    let Event::ExecutionInDoubt(it) = record.event().unwrap() else {
        panic!("another event");
    };
    assert_eq!(LeftCause::from_code(it.cause), Some(LeftCause::Dropped));
    assert_eq!(stands(&world, execution).await, ExecutionStatus::InDoubt);
    assert_eq!(log.in_doubt().await.unwrap()[0].execution, execution);
    let late = log.complete(execution, Context::new(), b"1".to_vec()).await;
    assert_eq!(late.unwrap_err().code(), "invalid_transition");
    // The only slot is free.
    let next = log.begin(request(&world.ledger, command(2))).await.unwrap();
    log.resolve(execution, Context::new(), resolve())
        .await
        .unwrap();
    assert_eq!(stands(&world, execution).await, ExecutionStatus::Resolved);
    let next = next.started().unwrap().detach();
    drop(log);
    // What was let go of stays so when the journal is replayed.
    let world = world.reopened(false).await;
    assert_eq!(stands(&world, execution).await, ExecutionStatus::Resolved);
    assert_eq!(stands(&world, next).await, ExecutionStatus::InDoubt);
}

#[tokio::test]
async fn a_dropped_permit_abandons_its_execution() {
    let world = World::new(|options| options.limits.authorized_max = 1).await;
    let log = log(&world);
    let authorized = log
        .authorize(request(&world.ledger, command(1)))
        .await
        .unwrap();
    let execution = authorized.execution();
    drop(authorized);
    let record = written(&world, EventType::ExecutionAbandoned, 1)
        .await
        .remove(0);
    assert_eq!(record.header.execution, execution);
    assert_eq!(stands(&world, execution).await, ExecutionStatus::Abandoned);
    let Authorization::Duplicate(again) = log
        .authorize(request(&world.ledger, command(1)))
        .await
        .unwrap()
    else {
        panic!("no duplicate");
    };
    assert_eq!(again.standing, Standing::Ended(End::Abandoned));
    assert!(again.permit.is_none());
    // The only slot is free.
    let _next = log
        .authorize(request(&world.ledger, command(2)))
        .await
        .unwrap()
        .permit()
        .unwrap();
    drop(log);
    let world = world.reopened(false).await;
    assert_eq!(stands(&world, execution).await, ExecutionStatus::Abandoned);
}

/// Sends with the sync held, drops the call, releases.
async fn dropped_behind_a_held_sync<T: Send + 'static>(
    world: &World,
    call: impl Future<Output = T> + Send + 'static,
) {
    world.journal.hold();
    let call = tokio::spawn(call);
    let journal = world.journal.clone();
    let held = tokio::task::spawn_blocking(move || journal.wait_until_held(WAIT));
    assert!(held.await.unwrap(), "no append came to its sync");
    call.abort();
    assert!(call.await.is_err_and(|gone| gone.is_cancelled()));
    world.journal.release();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_dropped_after_they_were_sent_leave_no_slot_taken() {
    let world = World::new(|options| {
        options.limits.running_max = 1;
        options.limits.authorized_max = 1;
    })
    .await;
    for round in 1..=4 {
        let (it, to) = (log(&world), request(&world.ledger, command(round)));
        dropped_behind_a_held_sync(&world, async move { it.begin(to).await }).await;
        let count = usize::try_from(round).unwrap();
        written(&world, EventType::ExecutionInDoubt, count).await;
        let again = log(&world)
            .begin(request(&world.ledger, command(round)))
            .await;
        assert_eq!(duplicate(again.unwrap()).standing, Standing::InDoubt);
    }
    for round in 1..=4 {
        let number = command(10 + round);
        let (it, to) = (log(&world), request(&world.ledger, number));
        dropped_behind_a_held_sync(&world, async move { it.authorize(to).await }).await;
        written(
            &world,
            EventType::ExecutionAbandoned,
            usize::try_from(round).unwrap(),
        )
        .await;
    }
    // A start that is dropped once it was sent has started: in doubt, and not abandoned.
    let permit = log(&world)
        .authorize(request(&world.ledger, command(20)))
        .await;
    let permit = permit.unwrap().permit().unwrap();
    let execution = permit.execution();
    let it = log(&world);
    dropped_behind_a_held_sync(&world, async move { it.start(permit, command(21)).await }).await;
    written(&world, EventType::ExecutionInDoubt, 5).await;
    assert_eq!(stands(&world, execution).await, ExecutionStatus::InDoubt);
    // A group, too.
    let (ledger, grant) = (world.ledger.clone(), world.grant.clone());
    let group = vec![Command::Begin(request(&world.ledger, command(22)))];
    dropped_behind_a_held_sync(&world, async move { ledger.commit(&grant, group).await }).await;
    written(&world, EventType::ExecutionInDoubt, 6).await;
    assert_eq!(
        records(&world, EventType::ExecutionAbandoned).await.len(),
        4
    );
    let last = log(&world)
        .begin(request(&world.ledger, command(30)))
        .await
        .unwrap();
    last.started()
        .unwrap()
        .complete(Context::new(), b"1".to_vec())
        .await
        .unwrap();
    let closed = world.root.close(WAIT).await.unwrap();
    assert_eq!(closed.running, 0);
}

#[tokio::test]
async fn an_end_that_is_refused_gives_the_handle_back() {
    let world = World::new(|_| {}).await;
    let begun = log(&world)
        .begin(request(&world.ledger, command(1)))
        .await
        .unwrap();
    let running = begun.started().unwrap();
    let execution = running.execution();
    let refused = running
        .complete(Context::new(), b"{".to_vec())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "invalid_json");
    let running = refused.running.unwrap();
    running
        .complete(Context::new(), b"{}".to_vec())
        .await
        .unwrap();
    assert_eq!(stands(&world, execution).await, ExecutionStatus::Completed);
    assert!(
        records(&world, EventType::ExecutionInDoubt)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_detached_execution_runs_on_and_is_ended_by_its_id() {
    let world = World::new(|_| {}).await;
    let begun = log(&world)
        .begin(request(&world.ledger, command(1)))
        .await
        .unwrap();
    let execution = begun.started().unwrap().detach();
    assert_eq!(stands(&world, execution).await, ExecutionStatus::Running);
    let log = log(&world);
    let ended = log.complete(execution, Context::new(), b"1".to_vec());
    ended.await.unwrap();
    assert!(
        records(&world, EventType::ExecutionInDoubt)
            .await
            .is_empty()
    );
}
