// SPDX-License-Identifier: Apache-2.0
use super::*;

#[test]
fn a_new_opening_leaves_in_doubt_and_abandoned() {
    let (mut world, mut log) = (World::default(), Log::default());
    for execution in 1..=5 {
        log.one(&world, begin(execution)).unwrap();
    }
    let permit = authorize(&mut log, &world, 6);
    log.one(&world, complete(5)).unwrap();
    assert_eq!((log.live.unfinished(), log.live.authorized()), (4, 1));
    log.reopen();
    world.epoch += 1;
    assert_eq!(status(&log, 1), Some(Status::InDoubt));
    assert_eq!(status(&log, 5), Some(Status::Completed));
    assert_eq!(status(&log, 6), Some(Status::Abandoned));
    assert_eq!((log.live.unfinished(), log.live.running()), (4, 0));
    assert_eq!(log.refusal(&world, start(permit)), "permit_stale");
    assert_eq!(log.refusal(&world, cancel(6)), "invalid_transition");
    let listed = log.replayed.in_doubt();
    let ids: Vec<_> = listed.iter().map(|it| it.execution).collect();
    assert_eq!(ids, [id(1), id(2), id(3), id(4)]);
    assert_eq!((listed[1].started.get(), listed[1].started_ns), (7, 7));
    assert_eq!(listed[1].capability, "read_file");
    let error = log.one(&world, complete(1)).unwrap_err();
    let expected = AppendError::InvalidTransition {
        from: "IN_DOUBT",
        to: "COMPLETED",
        hint: "nobody will tell how it ended: resolve it",
    };
    assert_eq!(error, expected);
    assert_eq!(
        log.refusal(&world, resolve(7, Resolution::Lost)),
        "unknown_execution"
    );
}

#[test]
fn what_is_in_doubt_is_resolved_once() {
    let (mut world, mut log) = (World::default(), Log::default());
    for execution in 1..=4 {
        log.one(&world, begin(execution)).unwrap();
    }
    log.reopen();
    world.epoch += 1;
    for (execution, resolution, ended, expected, outcome) in [
        (
            1,
            Resolution::Completed,
            Status::Completed,
            vec![CE, MC, CO],
            Outcome::Success,
        ),
        (
            2,
            Resolution::Failed,
            Status::Failed,
            vec![CE, ER],
            Outcome::Failure,
        ),
        (
            3,
            Resolution::Cancelled,
            Status::Cancelled,
            vec![CE, ER],
            Outcome::Cancelled,
        ),
        (
            4,
            Resolution::Lost,
            Status::Lost,
            vec![CE, ER],
            Outcome::Unknown,
        ),
    ] {
        let decided = log.one(&world, resolve(execution, resolution)).unwrap();
        assert_eq!(path(&decided), expected);
        assert_eq!(decided.drafts[0].outcome, outcome);
        assert_eq!(status(&log, execution), Some(ended));
        let again = log.refusal(&world, resolve(execution, resolution));
        assert_eq!(again, "invalid_transition");
    }
    assert!(log.live.in_doubt().is_empty());
    log.one(&world, begin(7)).unwrap();
    assert_eq!(
        log.refusal(&world, resolve(7, Resolution::Lost)),
        "invalid_transition"
    );
}

#[test]
fn after_the_fact_is_one_flagged_commit_and_never_a_group() {
    let (world, mut log) = (World::default(), Log::default());
    let mut old = request(1, Decision::Authorized);
    old.basis.grounds.registry_version = 1;
    old.capability = "long gone".into();
    let ending = Ending::Completed(b"null".to_vec());
    let import = |request, ending| Command::Import(Imported { request, ending });
    let decided = log
        .one(&world, import(old.clone(), ending.clone()))
        .unwrap();
    assert_eq!(decided.drafts.len(), 5);
    assert_eq!(path(&decided), [IR, PV, AE, CE, MC, CO]);
    assert!(
        decided
            .drafts
            .iter()
            .all(|it| it.flags == flags::AFTER_THE_FACT)
    );
    assert_eq!(status(&log, 1), Some(Status::Completed));
    old.execution = Some(id(2));
    old.basis.grounds.registry_version = 99;
    assert_eq!(
        log.refusal(&world, import(old.clone(), ending.clone())),
        "invalid"
    );
    old.decision = Decision::DeniedPolicyViolation;
    assert_eq!(log.refusal(&world, import(old, ending)), "invalid");

    let error = log
        .execute(&world, &[begin(3), begin(4), complete(3)])
        .unwrap_err();
    assert_eq!(error.code(), "invalid", "{error}");
    assert_eq!((status(&log, 3), status(&log, 4)), (None, None));
}

#[test]
fn a_group_is_all_or_nothing() {
    let (world, mut log) = (World::default(), Log::default());
    log.one(&world, begin(1)).unwrap();
    log.one(&world, begin(2)).unwrap();
    let permit = authorize(&mut log, &world, 3);
    let before = log.live.mark();
    let group = [
        complete(1),
        start(permit),
        begin(0),
        begin(4),
        fail(2),
        complete(9),
    ];
    let refused = log.live.execute(&group, &world.around()).unwrap_err();
    assert_eq!(
        (refused.index, refused.error.code()),
        (5, "unknown_execution")
    );
    assert_eq!(log.live.mark(), before);
    assert_eq!(status(&log, 1), Some(Status::Running));
    assert_eq!(status(&log, 3), Some(Status::Authorized));
    assert_eq!(status(&log, 4), None);
    let all = log.execute(&world, &group[..5]).unwrap();
    assert_eq!(all.len(), 5);
    assert_eq!(status(&log, 1), Some(Status::Completed));
    assert_eq!(status(&log, 2), Some(Status::Failed));
    assert_eq!(status(&log, 4), Some(Status::Running));
}

#[test]
fn what_ended_leaves_memory_only_behind_the_view_and_history_answers_then() {
    let (mut world, mut log) = (World::default(), Log::default());
    for execution in 1..=3 {
        log.one(&world, begin(execution)).unwrap();
        log.one(&world, complete(execution)).unwrap();
        let seq = Seq::new(log.head).unwrap();
        log.live.committed(log.live.mark(), seq);
    }
    for (seq, left) in [(5, 2), (11, 1), (11, 1), (18, 0)] {
        log.replayed.forget_through(Seq::new(seq).unwrap());
        assert_eq!(log.replayed.remembered_finished(), left, "through {seq}");
    }
    log.live.forget_through(Seq::new(5).unwrap());
    assert_eq!(log.live.remembered_finished(), 3, "its receipt says 6");
    log.live.forget_through(Seq::new(17).unwrap());
    assert_eq!(log.live.remembered_finished(), 1);
    log.live.forget_through(Seq::new(18).unwrap());

    assert_eq!(log.refusal(&world, complete(1)), "unknown_execution");
    world.past.executions.insert(id(1), Status::Completed);
    assert_eq!(log.refusal(&world, complete(1)), "invalid_transition");
    assert_eq!(log.refusal(&world, begin(1)), "invalid_transition");
    world.past.failing = true;
    assert_eq!(log.refusal(&world, complete(2)), "history_unreadable");
}
