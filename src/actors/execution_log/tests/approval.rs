// SPDX-License-Identifier: Apache-2.0
//! Persons are asked, and answer: every step leaves the live state and the replayed one the same.

use super::*;
use crate::actors::snapshot::Snapshot;
use crate::error::ApprovalError;
use crate::events::{ApprovalNamedV1, Hash, Party};

pub(super) const UNTIL: i64 = 5_000;

pub(super) fn person(name: &str) -> Party {
    Party::new("https://id.example", name)
}

fn basis() -> Basis {
    request(1, Decision::Authorized).basis
}

pub(super) fn asks(execution: u8, needed: u32) -> ApprovalRequest {
    ApprovalRequest {
        execution: (execution > 0).then(|| id(execution)),
        ..ApprovalRequest::new("read_file", "four eyes", UNTIL, basis())
            .context(
                Context::new()
                    .parent(ParentId::from_bytes([7; 16]))
                    .trace(TraceId::from_bytes([8; 16])),
            )
            .arguments(b"{\"path\":\"/etc/hosts\"}")
            .shown("Read the hosts?")
            .ask(person("ann"))
            .ask(person("bob"))
            .ask_role("officer")
            .approvers_needed(needed)
    }
}

pub(super) fn ask(execution: u8, needed: u32) -> Command {
    Command::RequestApproval(asks(execution, needed))
}

fn shown() -> Hash {
    digest(b"Read the hosts?")
}

pub(super) fn answer(name: &str) -> Approval {
    Approval::new(person(name), "password", shown())
}

fn approval(execution: u8, approval: Approval) -> Command {
    Command::Approve(Approve {
        context: Context::new(),
        execution: id(execution),
        approval,
    })
}

pub(super) fn approve(execution: u8, name: &str) -> Command {
    approval(execution, answer(name))
}

pub(super) fn refuse(execution: u8, name: &str) -> Command {
    Command::RefuseApproval(RefuseApproval {
        context: Context::new(),
        execution: id(execution),
        refusal: ApprovalRefusal::new(person(name), "password", shown(), "no"),
    })
}

pub(super) fn confirm(execution: u8, basis: Basis) -> Command {
    Command::ConfirmApproval(ConfirmApproval {
        context: Context::new(),
        execution: id(execution),
        basis,
        reason: "still wanted".into(),
    })
}

pub(super) fn start_approved(execution: u8) -> Command {
    Command::StartApproved(StartApproved {
        context: Context::new(),
        execution: id(execution),
    })
}

/// The live state and the one that was replayed hold the same, and say so of their own copy.
pub(super) fn same(log: &Log) {
    let (live, replayed) = (log.live.saved(0), log.replayed.saved(0));
    assert_eq!(live, replayed);
    let again = ExecutionLogState::restored(&live, Seq::new(log.head + 1).unwrap()).unwrap();
    assert_eq!(again.state.saved(0), live);
    let counts = |it: &ExecutionLogState| {
        (
            (it.awaiting(), it.first_deadline_ns()),
            (it.running(), it.authorized(), it.unfinished()),
        )
    };
    assert_eq!(counts(&log.live), counts(&log.replayed));
    assert_eq!(counts(&log.live), counts(&again.state));
}

/// Decides it, and looks that both states are the same then.
pub(super) fn does(log: &mut Log, world: &World, command: Command) -> Decided {
    let decided = log.one(world, command).unwrap();
    same(log);
    decided
}

fn decision(decided: &Decided) -> crate::events::AuthorizationDecidedV2 {
    let mut events = decided.drafts.iter().map(|draft| &draft.event);
    events
        .find_map(|event| match event {
            Event::AuthorizationDecided(decided) => Some(decided.clone()),
            _ => None,
        })
        .expect("a decision")
}

#[test]
fn what_a_person_approves_is_decided_then_and_started_by_whoever_asked() {
    let (world, mut log) = (World::default(), Log::default());
    let mut asked = asks(1, 1).input(b"{}".to_vec());
    asked.reason = "a large sum".into();
    let requested = does(&mut log, &world, Command::RequestApproval(asked));
    assert_eq!(
        names(&requested),
        [
            "ProtocolValidated",
            "ApprovalRequested",
            "TransitionsRecorded"
        ]
    );
    assert_eq!(path(&requested), [IR, PV, AE]);
    let expected = Reply::Asked {
        execution: id(1),
        shown_digest: shown(),
        standing: Standing::AwaitingApproval,
    };
    assert_eq!(requested.reply, expected);
    assert_eq!(status(&log, 1), Some(Status::Awaiting));
    assert_eq!((log.live.awaiting(), log.live.unfinished()), (1, 0));
    // Not yet.
    assert_eq!(log.refusal(&world, start_approved(1)), "invalid_transition");

    let approved = does(&mut log, &world, approve(1, "ann"));
    assert_eq!(names(&approved), ["ApprovalGiven", "AuthorizationDecided"]);
    let expected = Reply::Given {
        execution: id(1),
        given: 1,
        needed: 1,
    };
    assert_eq!(approved.reply, expected);
    let decided = decision(&approved);
    assert_eq!(decided.decision, Decision::Authorized.code());
    // They are in the request.
    assert_eq!(decided.arguments, b"");
    assert_eq!(
        decided.arguments_digest,
        digest(b"{\"path\":\"/etc/hosts\"}")
    );
    let named = ApprovalNamedV1 {
        request_version: 2,
        rule: "four eyes".into(),
        needed: 1,
        approvers: vec![person("ann")],
        refused_by: None,
    };
    assert_eq!(decided.approval, Some(named));
    assert_eq!(status(&log, 1), Some(Status::Approved));
    assert_eq!(
        log.refusal(&world, approve(1, "bob")),
        "invalid_transition",
        "it waits no more"
    );

    let started = does(&mut log, &world, start_approved(1));
    assert_eq!(names(&started), ["ExecutionStarted", "TransitionsRecorded"]);
    assert_eq!(path(&started), [AE, CE]);
    assert_eq!(started.drafts[0].stream_version, 6);
    assert_eq!(started.drafts[0].parent, ParentId::from_bytes([7; 16]));
    assert_eq!(started.drafts[0].trace, TraceId::from_bytes([8; 16]));
    assert_eq!(status(&log, 1), Some(Status::Running));
    assert_eq!((log.live.awaiting(), log.live.running()), (0, 1));
    assert_eq!(log.refusal(&world, start_approved(1)), "invalid_transition");
    let done = does(&mut log, &world, complete(1));
    assert_eq!(path(&done), [CE, MC, CO]);
}

#[test]
fn a_person_who_refuses_ends_it_and_is_named() {
    let (world, mut log) = (World::default(), Log::default());
    does(&mut log, &world, ask(1, 2));
    does(&mut log, &world, approve(1, "ann"));
    let refused = does(&mut log, &world, refuse(1, "bob"));
    assert_eq!(
        names(&refused),
        [
            "ApprovalRefused",
            "AuthorizationDecided",
            "TransitionsRecorded"
        ]
    );
    assert_eq!(path(&refused), [AE, ER]);
    let decided = decision(&refused);
    assert_eq!(decided.decision, Decision::DeniedPolicyViolation.code());
    let named = decided.approval.expect("named");
    assert_eq!(named.approvers, [person("ann")]);
    assert_eq!(named.refused_by, Some(person("bob")));
    assert_eq!(status(&log, 1), Some(Status::Denied));
    for command in [
        approve(1, "ann"),
        refuse(1, "ann"),
        start_approved(1),
        confirm(1, basis()),
        cancel(1),
        ask(1, 1),
    ] {
        assert_eq!(log.refusal(&world, command), "invalid_transition");
    }
}

#[test]
fn two_persons_are_two_identities() {
    let (world, mut log) = (World::default(), Log::default());
    does(&mut log, &world, ask(1, 2));
    let first = does(&mut log, &world, approve(1, "ann"));
    assert_eq!(names(&first), ["ApprovalGiven"]);
    let expected = Reply::Given {
        execution: id(1),
        given: 1,
        needed: 2,
    };
    assert_eq!(first.reply, expected);
    assert_eq!(log.refusal(&world, approve(1, "ann")), "approved_already");
    let in_a_role = approval(1, answer("ann").role("officer"));
    assert_eq!(log.refusal(&world, in_a_role), "approved_already");
    assert_eq!(log.refusal(&world, start_approved(1)), "invalid_transition");
    // Of another issuer it is somebody else, and not asked.
    let mut stranger = answer("ann");
    stranger.approver.0.issuer = "https://other.example".into();
    assert_eq!(
        log.refusal(&world, approval(1, stranger.clone())),
        "approver_not_asked"
    );
    let second = does(&mut log, &world, approval(1, stranger.role("officer")));
    assert_eq!(
        decision(&second).approval.expect("named").approvers.len(),
        2
    );
    assert_eq!(status(&log, 1), Some(Status::Approved));
}

#[test]
fn only_those_asked_answer_and_only_of_what_they_are_shown() {
    let (world, mut log) = (World::default(), Log::default());
    does(&mut log, &world, ask(1, 1));
    for role in ["", "clerk"] {
        let stranger = approval(1, answer("eve").role(role));
        assert_eq!(log.refusal(&world, stranger), "approver_not_asked");
    }
    assert_eq!(log.refusal(&world, refuse(1, "eve")), "approver_not_asked");
    let mut other = answer("ann");
    other.shown_digest = digest(b"Read nothing?");
    let error = log.one(&world, approval(1, other)).unwrap_err();
    let expected = ApprovalError::ShownOther {
        execution: id(1),
        shown_digest: shown(),
    };
    assert_eq!(error, expected.into());
    let refusal = ApprovalRefusal::new(person("ann"), "password", [0; 32], "no");
    let refusal = Command::RefuseApproval(RefuseApproval {
        context: Context::new(),
        execution: id(1),
        refusal,
    });
    assert_eq!(log.refusal(&world, refusal), "shown_other");
    for command in [
        approve(9, "ann"),
        refuse(9, "ann"),
        start_approved(9),
        confirm(9, basis()),
    ] {
        assert_eq!(log.refusal(&world, command), "unknown_execution");
    }
    same(&log);
    does(&mut log, &world, approval(1, answer("eve").role("officer")));
    assert_eq!(status(&log, 1), Some(Status::Approved));
}

#[test]
fn what_is_not_asked_waits_for_nobody() {
    let (world, mut log) = (World::default(), Log::default());
    let permit = authorize(&mut log, &world, 1);
    log.one(&world, begin(2)).unwrap();
    for execution in [1, 2] {
        for command in [
            approve(execution, "ann"),
            refuse(execution, "ann"),
            confirm(execution, basis()),
            start_approved(execution),
        ] {
            assert_eq!(log.refusal(&world, command), "invalid_transition");
        }
    }
    does(&mut log, &world, start(permit));
    does(&mut log, &world, ask(3, 1));
    for command in [complete(3), fail(3), resolve(3, Resolution::Lost)] {
        assert_eq!(log.refusal(&world, command), "invalid_transition");
    }
}

#[test]
fn what_waits_is_cancelled_by_whoever_asked_alone() {
    let (mut world, mut log) = (World::default(), Log::default());
    for execution in 1..=3 {
        does(&mut log, &world, ask(execution, 1));
    }
    does(&mut log, &world, approve(2, "ann"));
    world.component = ComponentId(2);
    for command in [cancel(1), cancel(2), start_approved(2), confirm(1, basis())] {
        assert_eq!(log.refusal(&world, command), "foreign_execution");
    }
    world.finishes_others = true;
    assert_eq!(log.refusal(&world, start_approved(2)), "foreign_execution");
    let decided = does(&mut log, &world, cancel(3));
    assert_eq!(path(&decided), [AE, ER]);
    world.component = ComponentId(1);
    does(&mut log, &world, cancel(1));
    does(&mut log, &world, cancel(2));
    assert_eq!(log.live.awaiting(), 0);
    assert_eq!(log.refusal(&world, approve(1, "ann")), "invalid_transition");
    assert_eq!(log.refusal(&world, start_approved(2)), "invalid_transition");
}

#[test]
fn a_request_that_nobody_could_approve_is_none() {
    let (world, mut log) = (World::default(), Log::default());
    let spoils: [Spoil<ApprovalRequest>; 11] = [
        |it| it.approvers_needed = 0,
        |it| it.approvers_needed = 65,
        |it| {
            it.asked_roles.clear();
            it.approvers_needed = 3;
        },
        |it| {
            it.asked_roles.clear();
            it.asked.0.clear();
        },
        |it| it.asked.0.push(person("ann")),
        |it| it.asked.0 = (0..65).map(|it| person(&it.to_string())).collect(),
        |it| it.asked_roles = (0..65).map(|it| it.to_string()).collect(),
        |it| it.asked_roles.push(String::new()),
        |it| it.rule.clear(),
        |it| it.until_ns = 1_000,
        |it| it.asked.0.push(Party::new("", "x")),
    ];
    for (number, spoil) in spoils.into_iter().enumerate() {
        let mut spoilt = asks(1, 1);
        spoil(&mut spoilt);
        let refused = log.refusal(&world, Command::RequestApproval(spoilt));
        assert_eq!(refused, "invalid", "{number}");
    }
    let mut disabled = asks(1, 1);
    disabled.capability = "rm".into();
    let disabled = Command::RequestApproval(disabled);
    assert_eq!(log.refusal(&world, disabled), "capability_not_enabled");
    let mut moved = asks(1, 1);
    moved.basis.grounds.registry_version = 2;
    let moved = Command::RequestApproval(moved);
    assert_eq!(log.refusal(&world, moved), "permit_stale");
    same(&log);
    assert_eq!(log.live.awaiting(), 0);
}
