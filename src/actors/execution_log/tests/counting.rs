// SPDX-License-Identifier: Apache-2.0
//! Counts of running executions, the mark of cut parts, and the context that an ending bears.
use super::*;

/// Running, and authorized.
fn counts(state: &ExecutionLogState) -> (usize, usize) {
    (state.running(), state.authorized())
}

/// A state that was saved and read again counts the same.
fn counted(log: &Log, expected: (usize, usize)) {
    assert_eq!(counts(&log.live), expected);
    let saved = ExecutionLogState::from_portrait(log.live.portrait(), Seq::new(1_000).unwrap());
    assert_eq!(counts(&saved), expected, "saved and read again");
}

#[test]
fn what_runs_and_what_is_authorized_is_counted_to_the_end() {
    let (world, mut log) = (World::default(), Log::default());
    for execution in 1..=4 {
        log.one(&world, begin(execution)).unwrap();
    }
    let _unused: Vec<_> = (5..=7).map(|it| authorize(&mut log, &world, it)).collect();
    counted(&log, (4, 3));
    for (ending, expected) in [
        (complete(1), (3, 3)),
        (fail(2), (2, 3)),
        (cancel(5), (2, 2)),
    ] {
        log.one(&world, ending).unwrap();
        counted(&log, expected);
    }
    // Let go of: what ran is in doubt, and what was to be started is given up.
    let component = world.component;
    for (execution, held, ended, expected) in [
        (3, Held::Running, Status::InDoubt, (1, 2)),
        (6, Held::Permit, Status::Abandoned, (1, 1)),
    ] {
        let other = match held {
            Held::Running => Held::Permit,
            Held::Permit => Held::Running,
        };
        assert!(log.live.let_go(id(execution), other).is_none());
        let version = log.live.remembered(id(execution)).unwrap().version;
        let draft = log.live.let_go(id(execution), held).unwrap();
        assert_eq!(draft.stream, execution_stream(id(execution)));
        assert_eq!(draft.stream_version, version + 1);
        assert_eq!(draft.parent, ParentId::from_bytes([7; 16]));
        log.live.apply(&draft, component).unwrap();
        let known = log.live.remembered(id(execution)).unwrap();
        assert_eq!((known.status, known.version), (ended, version + 1));
        counted(&log, expected);
        // It has moved on: nothing more is written.
        assert!(log.live.let_go(id(execution), held).is_none());
        let again = log.live.apply(&draft, component);
        assert!(again.is_err(), "{execution} twice");
        counted(&log, expected);
    }
}

/// A journal that says so contradicts itself: what it made must not go on.
#[test]
fn an_execution_starts_once_also_where_it_is_replayed() {
    let (world, mut log) = (World::default(), Log::default());
    let permit = authorize(&mut log, &world, 1);
    let started = log.one(&world, start(permit)).unwrap();
    let first = &started.drafts[0];
    assert!(matches!(first.event, Event::ExecutionStarted(_)));
    assert!(log.live.apply(first, world.component).is_err());
    counted(&log, (1, 0));
}

/// Each of them alone, and any two together.
#[test]
fn a_part_that_is_cut_marks_its_record() {
    let world = World::default();
    let limits = &world.limits;
    let long = |cut: bool, len: usize| "x".repeat(if cut { len + 1 } else { 1 });
    for bits in 0..8_u8 {
        let [code, message, result] = [1, 2, 4].map(|bit| bits & bit != 0);
        let failure = Failure {
            code: long(code, limits.name_bytes_max),
            message: long(message, limits.text_bytes_max),
            result: match result {
                true => vec![b'1'; limits.payload_bytes_max + 1],
                false => b"1".to_vec(),
            },
        };
        let resolve = Resolve {
            resolution: Resolution::Lost,
            reason: failure.message.clone(),
            result: failure.result.clone(),
        };
        let mut log = Log::default();
        log.one(&world, begin(1)).unwrap();
        log.one(&world, begin(2)).unwrap();
        let failed = log.one(&world, finish(1, Ending::Failed(failure)));
        let flag = |cut: bool| if cut { flags::TRUNCATED } else { 0 };
        assert_eq!(failed.unwrap().drafts[0].flags, flag(bits > 0), "{bits}");
        log.reopen();
        let resolved = Command::Resolve(ResolveInDoubt {
            context: Context::new(),
            execution: id(2),
            resolve,
        });
        let resolved = log.one(&world, resolved).unwrap();
        let expected = flag(message || result);
        assert_eq!(resolved.drafts[0].flags, expected, "{bits}");
    }
}

#[test]
fn an_ending_bears_its_own_context_where_it_names_one() {
    let (world, mut log) = (World::default(), Log::default());
    let (parent, trace) = (
        ParentId::from_bytes([17; 16]),
        TraceId::from_bytes([18; 16]),
    );
    let named = Context::new().parent(parent).trace(trace);
    let mut unnamed = request(2, Decision::Authorized);
    unnamed.context = Context::new();
    log.one(&world, begin(1)).unwrap();
    log.one(&world, Command::Begin(unnamed)).unwrap();
    for (execution, context, parent, trace) in [
        (1, named, parent, trace),
        (2, Context::new(), ParentId::NIL, TraceId::NIL),
    ] {
        let ending = Command::Finish(Finish {
            context,
            execution: id(execution),
            ending: Ending::Completed(b"1".to_vec()),
        });
        let ended = log.one(&world, ending).unwrap();
        for draft in ended.drafts {
            assert_eq!((draft.parent, draft.trace), (parent, trace), "{execution}");
        }
    }
}

/// A permit is of one decision: another capability, other arguments or other grounds are another's.
#[test]
fn a_permit_that_differs_in_one_part_starts_nothing() {
    let (world, mut log) = (World::default(), Log::default());
    let permit = authorize(&mut log, &world, 1);
    let changes: [Spoil<Permit>; 3] = [
        |it| it.capability = "message".into(),
        |it| it.arguments_digest[0] ^= 1,
        |it| it.basis.grounds.policy_digest[0] ^= 1,
    ];
    for change in changes {
        let mut changed = log.live.reissue(id(1), &world.around()).unwrap();
        change(&mut changed);
        assert_eq!(log.refusal(&world, start(changed)), "invalid");
    }
    log.one(&world, start(permit)).unwrap();
}

/// An execution that ended is known by its last record, also after a group that is undone.
#[test]
fn an_ending_is_remembered_with_its_version_whatever_is_undone_behind_it() {
    let (world, mut log) = (World::default(), Log::default());
    log.one(&world, begin(1)).unwrap();
    let ended = log.one(&world, complete(1)).unwrap();
    let last = ended.drafts.last().unwrap().stream_version;
    for _ in 0..2 {
        let known = log.live.remembered(id(1)).unwrap();
        assert_eq!((known.status, known.version), (Status::Completed, last));
        let undone = log.execute(&world, &[begin(2), begin(1)]);
        assert_eq!(undone.unwrap_err().code(), "invalid_transition");
    }
}
