// SPDX-License-Identifier: Apache-2.0
use super::super::draft::EXECUTION_MACHINE;
use super::super::testing::{Spoil, Twins, World};
use super::*;
use crate::commands::{
    Approval, ApprovalRefusal, ApprovalRequest, Approve, Basis, ConfirmApproval, Ending, Failure,
    Finish, Grounds, Imported, RefuseApproval, Rejection, Request, Resolve, ResolveInDoubt, Start,
    StartApproved,
};
use crate::events::{ComponentId, Decision, ParentId, Resolution, Seq, StoreMask, TraceId, flags};
use crate::integrity::digest;

use Machine::{
    AuthorizationEvaluating as AE, CapabilityExecuting as CE, Completed as CO, Error as ER,
    InputReceived as IR, MemoryCommitting as MC, ProtocolValidating as PV,
};

mod approval;
mod counting;
mod late;
mod refusals;
mod reopening;

type Log = Twins<ExecutionLogState>;

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
            ledger: World::default().ledger,
            grounds: Grounds {
                configuration_version: 2,
                registry_version: 3,
                policy_version: "1.0".into(),
                policy_digest: [4; 32],
            },
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
    let counts = |it: &ExecutionLogState| (it.running(), it.authorized(), it.unfinished());
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
