use super::super::testing::{Twins, World};
use super::*;
use crate::commands::{
    Basis, Ending, Failure, Finish, Imported, Rejection, Request, Resolve, ResolveInDoubt, Start,
};
use crate::events::{Decision, ParentId, Resolution, Seq, StoreMask, TraceId};
use crate::integrity::digest;

use Machine::{
    AuthorizationEvaluating as AE, CapabilityExecuting as CE, Completed as CO, Error as ER,
    InputReceived as IR, MemoryCommitting as MC, ProtocolValidating as PV,
};

type Log = Twins<State>;

fn id(byte: u8) -> ExecutionId {
    ExecutionId::from_bytes([byte; 16])
}

fn request(execution: u8, decision: Decision) -> Request {
    Request {
        context: Context::new()
            .parent(ParentId::from_bytes([7; 16]))
            .trace(TraceId::from_bytes([8; 16])),
        execution: (execution > 0).then(|| id(execution)),
        input: Some(b"{\"tool_call\":{}}".to_vec()),
        capability: "read_file".into(),
        arguments: b"{\"path\":\"/etc/hosts\"}".to_vec(),
        decision,
        reason: "rule 1".into(),
        basis: Basis {
            configuration_version: 2,
            registry_version: 3,
            policy_version: "1.0".into(),
            policy_digest: [4; 32],
        },
    }
}

fn begin(execution: u8) -> Command {
    Command::Begin(request(execution, Decision::Authorized))
}

fn finish(execution: u8, ending: Ending) -> Command {
    Command::Finish(Finish {
        context: Context::new(),
        execution: id(execution),
        ending,
    })
}

fn complete(execution: u8) -> Command {
    finish(execution, Ending::Completed(b"[1]".to_vec()))
}

fn fail(execution: u8) -> Command {
    let failure = Failure {
        code: "io".into(),
        message: "no such file".into(),
        result: Vec::new(),
    };
    finish(execution, Ending::Failed(failure))
}

fn cancel(execution: u8) -> Command {
    finish(execution, Ending::Cancelled("user".into()))
}

fn resolve(execution: u8, resolution: Resolution) -> Command {
    Command::Resolve(ResolveInDoubt {
        context: Context::new(),
        execution: id(execution),
        resolve: Resolve {
            resolution,
            reason: "looked".into(),
            result: Vec::new(),
        },
    })
}

fn start(permit: Permit) -> Command {
    let context = Context::new();
    Command::Start(Start { context, permit })
}

/// Authorizes and returns the permit.
fn authorize(log: &mut Log, world: &World, execution: u8) -> Permit {
    let request = request(execution, Decision::Authorized);
    let decided = log.one(world, Command::Authorize(request)).unwrap();
    match decided.reply {
        Reply::Decided {
            permit: Some(permit),
            started: false,
            ..
        } => permit,
        other => panic!("{other:?}"),
    }
}

fn names(decided: &Decided) -> Vec<&'static str> {
    let name = |draft: &Draft| draft.event.event_type().unwrap().name();
    decided.drafts.iter().map(name).collect()
}

fn path(decided: &Decided) -> Vec<Machine> {
    let Some(Event::TransitionsRecorded(last)) = decided.drafts.last().map(|it| &it.event) else {
        panic!("a commit ends with its path: {decided:?}")
    };
    assert_eq!(last.machine, EXECUTION_MACHINE);
    let path: Vec<_> = last
        .path
        .iter()
        .map(|code| Machine::from_code(*code).unwrap())
        .collect();
    assert!(
        path.windows(2).all(|step| step[0].permits(step[1])),
        "{path:?}"
    );
    path
}

fn status(log: &Log, execution: u8) -> Option<Status> {
    let (live, replayed) = (&log.live, &log.replayed);
    let known = live.remembered(id(execution));
    assert_eq!(
        known,
        replayed.remembered(id(execution)),
        "replayed differs"
    );
    let counts = |it: &State| (it.running(), it.authorized(), it.unfinished());
    assert_eq!(counts(live), counts(replayed));
    known.map(|known| known.status)
}

#[test]
fn a_cycle_is_two_commits_of_six_records_along_the_whole_path() {
    let (world, mut log) = (World::default(), Log::default());
    let begun = log.one(&world, begin(1)).unwrap();
    assert_eq!(
        names(&begun),
        [
            "ProtocolValidated",
            "AuthorizationDecided",
            "ExecutionStarted",
            "TransitionsRecorded"
        ]
    );
    assert_eq!(path(&begun), [IR, PV, AE, CE]);
    let expected = Reply::Decided {
        execution: id(1),
        decision: Decision::Authorized,
        permit: None,
        started: true,
    };
    assert_eq!(begun.reply, expected);
    let Event::AuthorizationDecided(decided) = &begun.drafts[1].event else {
        panic!("{begun:?}")
    };
    assert_eq!(decided.arguments, b"{\"path\":\"/etc/hosts\"}");
    assert_eq!(decided.arguments_digest, digest(&decided.arguments));
    assert_eq!(
        (decided.configuration_version, decided.registry_version),
        (2, 3)
    );

    let done = log.one(&world, complete(1)).unwrap();
    assert_eq!(names(&done), ["ExecutionCompleted", "TransitionsRecorded"]);
    assert_eq!(path(&done), [CE, MC, CO]);
    assert_eq!(status(&log, 1), Some(Status::Completed));
    let drafts: Vec<_> = begun.drafts.iter().chain(&done.drafts).collect();
    for (draft, version) in drafts.iter().zip(1..) {
        assert_eq!(draft.stream, execution_stream(id(1)));
        assert_eq!(draft.stream_version, version);
        assert_eq!(draft.execution, id(1));
        // The finish named neither: they are the decision's.
        assert_eq!(draft.parent, ParentId::from_bytes([7; 16]));
        assert_eq!(draft.trace, TraceId::from_bytes([8; 16]));
        assert!(draft.stores().contains(Store::AuditLog));
        assert!(
            draft
                .stores()
                .intersects(StoreMask::NONE.with(Store::Telemetry))
        );
    }
    let outcomes = drafts.iter().map(|draft| draft.outcome.name());
    assert!(outcomes.eq([
        "success", "success", "neutral", "neutral", "success", "neutral"
    ]));
}

#[test]
fn without_an_input_there_is_no_validation_record_and_the_same_path() {
    let (world, mut log) = (World::default(), Log::default());
    let mut without = request(1, Decision::Authorized);
    without.input = None;
    let begun = log.one(&world, Command::Begin(without)).unwrap();
    assert_eq!(
        names(&begun),
        [
            "AuthorizationDecided",
            "ExecutionStarted",
            "TransitionsRecorded"
        ]
    );
    assert_eq!(path(&begun), [IR, PV, AE, CE]);
}

#[test]
fn authorize_then_start_walks_on_where_it_stood() {
    let (world, mut log) = (World::default(), Log::default());
    let wanted = Command::Authorize(request(1, Decision::Authorized));
    let decided = log.one(&world, wanted).unwrap();
    assert_eq!(path(&decided), [IR, PV, AE]);
    assert_eq!(status(&log, 1), Some(Status::Authorized));
    let permit = log.live.reissue(id(1), &world.around()).unwrap();
    assert_eq!(
        permit.arguments_digest,
        digest(b"{\"path\":\"/etc/hosts\"}")
    );
    let started = log.one(&world, start(permit)).unwrap();
    assert_eq!(names(&started), ["ExecutionStarted", "TransitionsRecorded"]);
    assert_eq!(path(&started), [AE, CE]);
    assert_eq!(started.drafts[0].stream_version, 4);
    assert_eq!(status(&log, 1), Some(Status::Running));
    assert_eq!(log.live.reissue(id(1), &world.around()), None);
}

#[test]
fn every_denial_ends_in_error() {
    let world = World::default();
    for decision in Decision::ALL.into_iter().skip(1) {
        for started in [false, true] {
            let mut log = Log::default();
            let mut denied = request(1, decision);
            denied.capability = "unheard of".into();
            let command = if started {
                Command::Begin(denied)
            } else {
                Command::Authorize(denied)
            };
            let decided = log.one(&world, command).unwrap();
            assert_eq!(
                names(&decided),
                [
                    "ProtocolValidated",
                    "AuthorizationDecided",
                    "TransitionsRecorded"
                ]
            );
            assert_eq!(path(&decided), [IR, PV, AE, ER]);
            assert_eq!(decided.drafts[1].outcome, Outcome::Denied);
            let expected = Reply::Decided {
                execution: id(1),
                decision,
                permit: None,
                started: false,
            };
            assert_eq!(decided.reply, expected);
            assert_eq!(status(&log, 1), Some(Status::Denied));
            assert_eq!(log.refusal(&world, complete(1)), "invalid_transition");
        }
    }
}

#[test]
fn a_protocol_violation_keeps_the_raw_bytes() {
    let (world, mut log) = (World::default(), Log::default());
    for (execution, input, flag) in [
        (1, b"\xff\0{".to_vec(), 0),
        (2, Vec::new(), 0),
        (3, vec![b'x'; 100_000], flags::TRUNCATED),
    ] {
        let rejection = Rejection {
            context: Context::new(),
            execution: Some(id(execution)),
            input: input.clone(),
            problem: "not JSON".into(),
        };
        let decided = log.one(&world, Command::Reject(rejection)).unwrap();
        assert_eq!(path(&decided), [IR, PV, ER]);
        let Event::ProtocolValidated(event) = &decided.drafts[0].event else {
            panic!("{decided:?}")
        };
        assert!(!event.accepted);
        assert_eq!(event.input, input[..input.len().min(64 << 10)]);
        assert_eq!(event.input_digest, digest(&input));
        assert_eq!(decided.drafts[0].flags, flag);
        assert_eq!(status(&log, execution), Some(Status::Rejected));
    }
}

#[test]
fn endings_and_their_paths() {
    let world = World::default();
    for (ending, expected, ended, outcome) in [
        (
            complete(1),
            vec![CE, MC, CO],
            Status::Completed,
            Outcome::Success,
        ),
        (fail(1), vec![CE, ER], Status::Failed, Outcome::Failure),
        (
            cancel(1),
            vec![CE, ER],
            Status::Cancelled,
            Outcome::Cancelled,
        ),
    ] {
        let mut log = Log::default();
        log.one(&world, begin(1)).unwrap();
        let decided = log.one(&world, ending).unwrap();
        assert_eq!(path(&decided), expected);
        assert_eq!(decided.drafts[0].outcome, outcome);
        assert_eq!(status(&log, 1), Some(ended));
        for again in [
            complete(1),
            fail(1),
            cancel(1),
            resolve(1, Resolution::Lost),
            begin(1),
        ] {
            assert_eq!(log.refusal(&world, again), "invalid_transition");
        }
    }
    let mut log = Log::default();
    let permit = authorize(&mut log, &world, 1);
    let decided = log.one(&world, cancel(1)).unwrap();
    assert_eq!(path(&decided), [AE, ER]);
    assert_eq!(log.refusal(&world, start(permit)), "invalid_transition");
}

#[test]
fn what_is_unknown_or_not_started_does_not_finish() {
    let (world, mut log) = (World::default(), Log::default());
    for command in [
        complete(9),
        fail(9),
        cancel(9),
        resolve(9, Resolution::Lost),
    ] {
        assert_eq!(log.refusal(&world, command), "unknown_execution");
    }
    let _unused = authorize(&mut log, &world, 1);
    for (command, to) in [(complete(1), "COMPLETED"), (fail(1), "ERROR")] {
        let error = log.one(&world, command).unwrap_err();
        let expected = AppendError::InvalidTransition {
            from: "AUTHORIZATION_EVALUATING",
            to,
            hint: "start it with its permit, or cancel it",
        };
        assert_eq!(error, expected);
    }
    assert_eq!(
        log.refusal(&world, resolve(1, Resolution::Lost)),
        "invalid_transition"
    );
    assert_eq!(
        log.refusal(&world, finish(0, Ending::Cancelled(String::new()))),
        "invalid"
    );
}

#[test]
fn finishing_is_never_refused_for_size() {
    let (world, mut log) = (World::default(), Log::default());
    let result = [b"\"".to_vec(), vec![b'x'; 5 << 20], b"\"".to_vec()].concat();
    for (execution, ending) in [
        (1, Ending::Completed(result.clone())),
        (
            2,
            Ending::Failed(Failure {
                code: "c".repeat(1_000),
                message: "ä".repeat(100_000),
                result: result.clone(),
            }),
        ),
        (3, Ending::Cancelled("r".repeat(100_000))),
    ] {
        log.one(&world, begin(execution)).unwrap();
        let decided = log.one(&world, finish(execution, ending)).unwrap();
        let draft = &decided.drafts[0];
        assert_eq!(draft.flags, flags::TRUNCATED);
        match &draft.event {
            Event::ExecutionCompleted(event) => {
                assert_eq!(event.result, result[..64 << 10]);
                assert_eq!(event.result_len, result.len() as u64);
                assert_eq!(event.result_digest, digest(&result));
            }
            Event::ExecutionFailed(event) => {
                assert_eq!((event.code.len(), event.message.len()), (256, 64 << 10));
                assert_eq!(event.result.len(), 64 << 10);
            }
            Event::ExecutionCancelled(event) => assert_eq!(event.reason.len(), 64 << 10),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn only_what_is_enabled_and_in_force_starts() {
    let mut world = World::default();
    let cases: [(fn(&mut Request), Result<(), &str>); 6] = [
        (|it| it.capability = "message".into(), Ok(())),
        (
            |it| it.capability = "rm".into(),
            Err("capability_not_enabled"),
        ),
        (
            |it| it.capability = "unheard of".into(),
            Err("capability_not_enabled"),
        ),
        (|it| it.basis.configuration_version = 1, Err("permit_stale")),
        (|it| it.basis.registry_version = 4, Err("permit_stale")),
        (|it| it.execution = Some(ExecutionId::NIL), Err("invalid")),
    ];
    for (spoil, expected) in cases {
        for make in [Command::Authorize, Command::Begin] {
            let mut log = Log::default();
            let mut it = request(1, Decision::Authorized);
            spoil(&mut it);
            let outcome = log.one(&world, make(it)).map(|_| ());
            assert_eq!(outcome.map_err(|error| error.code()), expected);
            assert_eq!(status(&log, 1).is_some(), expected.is_ok());
        }
    }
    let mut log = Log::default();
    let changes: [(fn(&mut World), &str); 4] = [
        (|it| it.in_force.configuration_version += 1, "configuration"),
        (
            |it| std::sync::Arc::make_mut(&mut it.in_force.registry).version += 1,
            "registry",
        ),
        (|it| it.epoch += 1, "opening"),
        (
            |it| it.ledger = crate::events::LedgerId::from_bytes([3; 16]),
            "opening",
        ),
    ];
    for (execution, (change, what)) in (1..).zip(changes) {
        world = World::default();
        let permit = authorize(&mut log, &world, execution);
        change(&mut world);
        let error = log.one(&world, start(permit)).unwrap_err();
        assert_eq!(error, AppendError::PermitStale { what });
        assert_eq!(status(&log, execution), Some(Status::Authorized));
    }
}

#[test]
fn two_permits_start_one_execution_once() {
    let (world, mut log) = (World::default(), Log::default());
    let first = authorize(&mut log, &world, 1);
    let second = log.live.reissue(id(1), &world.around()).unwrap();
    assert_eq!(first, second);
    log.one(&world, start(first)).unwrap();
    assert_eq!(log.refusal(&world, start(second)), "invalid_transition");
}

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
        hint: "it was started under an earlier opening: resolve it",
    };
    assert_eq!(error, expected);
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
    old.basis.registry_version = 1;
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
    old.basis.registry_version = 99;
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

#[test]
fn bounds_on_running_and_authorized() {
    let (mut world, mut log) = (World::default(), Log::default());
    world.limits.running_max = 2;
    world.limits.authorized_max = 1;
    for _ in 0..2 {
        log.one(&world, begin(0)).unwrap();
    }
    assert_eq!(log.refusal(&world, begin(0)), "busy");
    let permit = authorize(&mut log, &world, 1);
    let another = Command::Authorize(request(2, Decision::Authorized));
    assert_eq!(log.refusal(&world, another), "busy");
    assert_eq!(log.refusal(&world, start(permit)), "busy");
    let denied = Command::Begin(request(3, Decision::DeniedPolicyViolation));
    log.one(&world, denied).unwrap();
}

#[test]
fn bad_requests_are_refused() {
    let limits = World::default().limits;
    let cases: [(fn(&mut Request), &str); 9] = [
        (|it| it.capability = String::new(), "invalid"),
        (|it| it.capability = "a\u{1b}[2J".into(), "invalid"),
        (|it| it.capability = "n".repeat(100_000), "invalid"),
        (|it| it.input = Some(Vec::new()), "invalid"),
        (|it| it.arguments = Vec::new(), "invalid_json"),
        (|it| it.arguments = b"\"\xc3\"".to_vec(), "invalid_json"),
        (|it| it.arguments = vec![b' '; (1 << 20) + 1], "too_large"),
        (|it| it.reason = "r".repeat(100_000), "too_large"),
        (
            |it| it.context = Context::new().parent(ParentId::NIL),
            "invalid",
        ),
    ];
    for (spoil, code) in cases {
        let mut bad = request(1, Decision::Authorized);
        spoil(&mut bad);
        let error = Command::Begin(bad).validate(&limits).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    for ending in [
        Ending::Completed(Vec::new()),
        Ending::Completed(b"{".to_vec()),
        Ending::Completed([b"\xff".to_vec(), vec![b'x'; 2 << 20]].concat()),
    ] {
        let error = finish(1, ending).validate(&limits).unwrap_err();
        assert_eq!(error.code(), "invalid_json");
    }
}
