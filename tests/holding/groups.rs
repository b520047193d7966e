// SPDX-License-Identifier: Apache-2.0
//! Groups, and ids that are taken.

use super::*;

#[tokio::test]
async fn a_group_is_a_duplicate_only_where_its_commands_stand_one_behind_the_other() {
    let world = World::new(|_| {}).await;
    let telemetry = world.ledger.telemetry(&world.grant).unwrap();
    let one = |number| observation(command(number), "x");
    let group = |numbers: &[u128]| -> Vec<Command> {
        numbers
            .iter()
            .map(|number| Command::Observe(one(*number)))
            .collect()
    };
    let commit = async |numbers: &[u128]| world.ledger.commit(&world.grant, group(numbers)).await;
    telemetry.record(one(1)).await.unwrap();
    telemetry.record(one(5)).await.unwrap();
    telemetry.record(one(2)).await.unwrap();
    for apart in [&[1, 2][..], &[2, 1], &[5, 1], &[1, 1]] {
        let refused = commit(apart).await.unwrap_err();
        assert_eq!(refused.code(), "group_conflict", "{apart:?}");
        assert_eq!(refused.commands.len(), apart.len());
    }
    let together = commit(&[11, 12, 13]).await.unwrap().unwrap().receipt;
    for (same, first) in [(&[11, 12, 13][..], 0), (&[12, 13], 1), (&[13], 2)] {
        let again = commit(same).await.unwrap().unwrap().receipt;
        assert!(again.duplicate);
        assert_eq!(again.first, together.first.plus(first));
        assert_eq!(again.last, together.last);
    }
    assert_eq!(
        commit(&[13, 12]).await.unwrap_err().code(),
        "group_conflict"
    );
    assert_eq!(
        commit(&[13, 14]).await.unwrap_err().code(),
        "partial_idempotency"
    );
    let head = world.ledger.head().count();
    let adjacent = commit(&[1, 5]).await.unwrap().unwrap();
    assert!(adjacent.receipt.duplicate);
    assert_eq!(world.ledger.head().count(), head, "nothing was written");
}

#[tokio::test]
async fn the_answers_of_a_group_hold_what_they_start() {
    let world = World::new(|_| {}).await;
    let group = || {
        vec![
            Command::Begin(request(&world.ledger, command(1))),
            Command::Authorize(request(&world.ledger, command(2))),
        ]
    };
    let mut answers = world
        .ledger
        .commit(&world.grant, group())
        .await
        .unwrap()
        .unwrap()
        .answers;
    let Some(Answer::Authorized { permit, .. }) = answers.pop() else {
        panic!("no permit");
    };
    let Some(Answer::Running(running)) = answers.pop() else {
        panic!("no running execution");
    };
    let again = world
        .ledger
        .commit(&world.grant, group())
        .await
        .unwrap()
        .unwrap()
        .answers;
    let standing = again.iter().map(|answer| match answer {
        Answer::Duplicate(it) => it.standing,
        other => panic!("no duplicate: {other:?}"),
    });
    assert!(standing.eq([Standing::Running, Standing::Authorized]));
    let execution = permit.execution();
    running
        .complete(Context::new(), b"1".to_vec())
        .await
        .unwrap();
    drop(again);
    // The second permit was dropped: the first one has nothing to start any more.
    written(&world, EventType::ExecutionAbandoned, 1).await;
    let refused = log(&world).start(permit, Context::new()).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_transition");
    assert_eq!(stands(&world, execution).await, ExecutionStatus::Abandoned);
}

/// An execution that has ended, or was recorded after the fact, is nobody's to end.
#[tokio::test]
async fn the_answers_of_a_group_hold_nothing_that_has_ended() {
    let world = World::new(|_| {}).await;
    let begun = log(&world).begin(request(&world.ledger, command(1))).await;
    let running = begun.unwrap().started().unwrap().detach();
    let completed = || femtoclaw_ledger::execution_log::Ending::Completed(b"1".to_vec());
    let group = vec![
        Command::Finish(femtoclaw_ledger::execution_log::Finish {
            context: command(2),
            execution: running,
            ending: completed(),
        }),
        Command::Import(femtoclaw_ledger::execution_log::Imported {
            request: request(&world.ledger, command(3)),
            ending: completed(),
        }),
    ];
    let committed = world.ledger.commit(&world.grant, group).await;
    let answers = committed.unwrap().unwrap().answers;
    assert_eq!(answers.len(), 2);
    for answer in answers {
        assert!(matches!(answer, Answer::Recorded(_)), "{answer:?}");
    }
}

#[tokio::test]
async fn an_execution_cannot_have_the_id_of_a_stream_of_the_ledgers_own() {
    let world = World::new(|_| {}).await;
    let it = log(&world);
    let ledger = *world.ledger.id().as_bytes();
    let documents = world.ledger.configuration(&world.grant).unwrap();
    let changed = documents.change(change(Context::new(), "{}", None)).await;
    changed.unwrap();
    let document = records(&world, EventType::ConfigurationChanged).await[0]
        .header
        .stream;
    let document = *document.as_bytes();
    for name in [*b"runtime/registry", *b"runtime/identity", ledger, document] {
        let execution = Some(ExecutionId::from_bytes(name));
        let mut asked = request(&world.ledger, Context::new());
        asked.execution = execution;
        assert_eq!(it.begin(asked.clone()).await.unwrap_err().code(), "invalid");
        assert_eq!(
            it.authorize(asked.clone()).await.unwrap_err().code(),
            "invalid"
        );
        let rejected = it.reject(femtoclaw_ledger::execution_log::Rejection {
            context: Context::new(),
            execution,
            input: b"x".to_vec(),
            problem: "none".to_owned(),
        });
        assert_eq!(rejected.await.unwrap_err().code(), "invalid");
        let imported = it.record(femtoclaw_ledger::execution_log::Imported {
            request: asked,
            ending: femtoclaw_ledger::execution_log::Ending::Completed(b"1".to_vec()),
        });
        assert_eq!(imported.await.unwrap_err().code(), "invalid");
    }
    no_two_records_at_one_place(&world.ledger, &world).await;
}

/// No two records have one stream and version.
async fn no_two_records_at_one_place(ledger: &Ledger, world: &World) {
    let move_on = Command::Transition(Transition {
        context: Context::new(),
        to: femtoclaw_ledger::events::State::Idle,
        expected: None,
    });
    let moved = ledger.commit(&world.grant, vec![move_on]).await.unwrap();
    assert!(moved.is_some());
    let reads = ledger.reader(&world.grant).unwrap();
    let mut places = std::collections::BTreeSet::new();
    for record in reads.range(Seq::FIRST, 10_000).await.unwrap() {
        let header = record.header;
        if header.stream_version > 0 {
            let place = (*header.stream.as_bytes(), header.stream_version);
            assert!(places.insert(place), "two records at {place:?}");
        }
    }
}
