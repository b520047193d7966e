// SPDX-License-Identifier: Apache-2.0
//! What waits for persons over time: restarts, other versions in force, its end, and how many may wait.

use std::sync::Arc;

use super::approval::{
    UNTIL, answer, approve, ask, asks, confirm, does, person, refuse, same, start_approved,
};
use super::*;
use crate::actors::capability_registry::Registry;
use crate::error::ApprovalError;

/// Something in the registry changed.
fn moves(world: &mut World) -> Basis {
    let registry = Registry {
        version: world.in_force.registry.version + 1,
        capabilities: world.in_force.registry.capabilities.clone(),
    };
    world.in_force.registry = Arc::new(registry);
    let mut basis = request(1, Decision::Authorized).basis;
    basis.grounds.registry_version = world.in_force.registry.version;
    basis
}

/// The ledger ends what is overdue, as its store does.
fn expires(log: &mut Log, world: &World, most: usize) -> Vec<(ExecutionId, Vec<&'static str>)> {
    let overdue = log.live.overdue(world.now_ns, most);
    let mut ended = Vec::new();
    for execution in overdue {
        let decided = Decided {
            drafts: log.live.expire(execution),
            reply: Reply::Receipt,
        };
        for draft in &decided.drafts {
            log.live.apply(draft, ComponentId::LEDGER).unwrap();
        }
        log.replay(&decided, ComponentId::LEDGER);
        same(log);
        ended.push((execution, names(&decided)));
    }
    ended
}

#[test]
fn what_waits_goes_on_over_restarts() {
    let (mut world, mut log) = (World::default(), Log::default());
    does(&mut log, &world, ask(1, 2));
    does(&mut log, &world, approve(1, "ann"));
    does(&mut log, &world, ask(2, 1));
    does(&mut log, &world, approve(2, "ann"));
    let _permit = authorize(&mut log, &world, 3);
    assert_eq!((log.live.awaiting(), log.live.authorized()), (2, 1));
    log.reopen();
    world.epoch += 1;
    same(&log);
    assert_eq!(status(&log, 1), Some(Status::Awaiting));
    assert_eq!(status(&log, 2), Some(Status::Approved));
    assert_eq!(status(&log, 3), Some(Status::Abandoned));
    assert_eq!((log.live.awaiting(), log.live.unfinished()), (2, 0));
    assert_eq!(log.refusal(&world, approve(1, "ann")), "approved_already");
    does(&mut log, &world, approve(1, "bob"));
    does(&mut log, &world, start_approved(1));
    does(&mut log, &world, start_approved(2));
    log.reopen();
    assert_eq!(status(&log, 1), Some(Status::InDoubt));
    same(&log);
}

#[test]
fn a_late_answer_is_none_also_before_its_end_is_on_the_record() {
    let (mut world, mut log) = (World::default(), Log::default());
    does(&mut log, &world, ask(1, 1));
    does(&mut log, &world, ask(2, 1));
    world.now_ns = UNTIL;
    assert_eq!(log.live.overdue(world.now_ns, 9), []);
    does(&mut log, &world, approve(2, "ann"));
    world.now_ns = UNTIL + 1;
    let error = log.one(&world, approve(1, "ann")).unwrap_err();
    let expected = ApprovalError::TooLate {
        execution: id(1),
        until_ns: UNTIL,
    };
    assert_eq!(error, expected.into());
    let basis = asks(1, 1).basis;
    for command in [refuse(1, "ann"), confirm(1, basis), start_approved(2)] {
        assert_eq!(log.refusal(&world, command), "approval_too_late");
    }
    // Its end is a denial; one that was approved has its decision, and was not started.
    let ended = expires(&mut log, &world, 9);
    let denied = vec![
        "ApprovalExpired",
        "AuthorizationDecided",
        "TransitionsRecorded",
    ];
    assert_eq!(
        ended,
        [(id(1), denied), (id(2), vec!["ExecutionAbandoned"])]
    );
    assert_eq!(status(&log, 1), Some(Status::Denied));
    assert_eq!(status(&log, 2), Some(Status::Abandoned));
    assert_eq!(log.live.awaiting(), 0);
    assert_eq!(log.live.expire(id(1)), [], "it has ended");
    for command in [approve(1, "ann"), start_approved(2)] {
        assert_eq!(log.refusal(&world, command), "invalid_transition");
    }
}

#[test]
fn the_earliest_end_first_and_no_more_at_once_than_asked() {
    let (mut world, mut log) = (World::default(), Log::default());
    for (execution, until_ns) in [(1, 9_000), (2, 7_000), (3, 8_000)] {
        let mut asked = asks(execution, 1);
        asked.until_ns = until_ns;
        does(&mut log, &world, Command::RequestApproval(asked));
    }
    assert_eq!(log.live.first_deadline_ns(), Some(7_000));
    world.now_ns = 8_001;
    assert_eq!(log.live.overdue(world.now_ns, 9), [id(2), id(3)]);
    assert_eq!(expires(&mut log, &world, 1).len(), 1);
    assert_eq!(log.live.first_deadline_ns(), Some(8_000));
    assert_eq!(status(&log, 2), Some(Status::Denied));
    assert_eq!(status(&log, 3), Some(Status::Awaiting));
    does(&mut log, &world, cancel(3));
    assert_eq!(log.live.overdue(world.now_ns, 9), []);
}

#[test]
fn what_moved_since_is_said_at_the_last_approval_and_confirmed_or_asked_anew() {
    let (mut world, mut log) = (World::default(), Log::default());
    does(&mut log, &world, ask(1, 2));
    let basis = moves(&mut world);
    // It counts, and decides nothing.
    does(&mut log, &world, approve(1, "ann"));
    let error = log.one(&world, approve(1, "bob")).unwrap_err();
    let AppendError::Approval(ApprovalError::BasisMoved {
        what,
        asked,
        in_force,
        ..
    }) = error
    else {
        panic!("{error}")
    };
    assert_eq!((what, asked, in_force), ("registry", 3, 4));
    let old = asks(1, 1).basis;
    assert_eq!(log.refusal(&world, confirm(1, old)), "permit_stale");
    let confirmed = does(&mut log, &world, confirm(1, basis));
    assert_eq!(names(&confirmed), ["ApprovalConfirmed"]);
    // Approvals of another basis are void: both are needed again.
    let again = does(&mut log, &world, approve(1, "ann"));
    assert_eq!(names(&again), ["ApprovalGiven"]);
    let decided = does(&mut log, &world, approve(1, "bob"));
    let Event::AuthorizationDecided(decided) = &decided.drafts[1].event else {
        panic!("{decided:?}")
    };
    assert_eq!(decided.registry_version, 4);
    // Moved again before the start: what was decided rests on what was.
    let basis = moves(&mut world);
    assert_eq!(log.refusal(&world, start_approved(1)), "basis_moved");
    assert_eq!(log.refusal(&world, confirm(1, basis)), "invalid_transition");
    does(&mut log, &world, cancel(1));
}

#[test]
fn a_capability_that_is_disabled_meanwhile_is_neither_approved_nor_started() {
    let (mut world, mut log) = (World::default(), Log::default());
    does(&mut log, &world, ask(1, 2));
    does(&mut log, &world, ask(2, 1));
    does(&mut log, &world, approve(2, "ann"));
    let mut registry = Registry {
        version: 4,
        capabilities: world.in_force.registry.capabilities.clone(),
    };
    registry.capabilities.get_mut("read_file").unwrap().enabled = false;
    world.in_force.registry = Arc::new(registry);
    let mut basis = asks(1, 1).basis;
    basis.grounds.registry_version = 4;
    for command in [approve(1, "ann"), confirm(1, basis), start_approved(2)] {
        assert_eq!(log.refusal(&world, command), "capability_not_enabled");
    }
    does(&mut log, &world, refuse(1, "ann"));
}

#[test]
fn as_many_wait_as_may() {
    let (mut world, mut log) = (World::default(), Log::default());
    world.limits.awaiting_max = 2;
    does(&mut log, &world, ask(1, 1));
    does(&mut log, &world, ask(2, 1));
    assert_eq!(log.refusal(&world, ask(3, 1)), "busy");
    // An approved one keeps its room until it is started.
    does(&mut log, &world, approve(1, "ann"));
    assert_eq!(log.refusal(&world, ask(3, 1)), "busy");
    does(&mut log, &world, start_approved(1));
    does(&mut log, &world, ask(3, 1));
    world.limits.running_max = 1;
    does(&mut log, &world, approve(3, "ann"));
    assert_eq!(log.refusal(&world, start_approved(3)), "busy");
    // Decisions in one step have room of their own.
    let _permit = authorize(&mut log, &world, 4);
}

#[test]
fn a_group_is_taken_back_with_what_waited() {
    let (world, mut log) = (World::default(), Log::default());
    does(&mut log, &world, ask(1, 2));
    does(&mut log, &world, ask(2, 1));
    let before = crate::actors::snapshot::Snapshot::saved(&log.live, 0);
    let group = [
        approve(1, "ann"),
        approve(2, "ann"),
        start_approved(2),
        ask(3, 1),
        refuse(1, "bob"),
        complete(9),
    ];
    let refused = log.live.execute(&group, &world.around()).unwrap_err();
    assert_eq!(
        (refused.index, refused.error.code()),
        (5, "unknown_execution")
    );
    assert_eq!(
        crate::actors::snapshot::Snapshot::saved(&log.live, 0),
        before
    );
    same(&log);
    log.execute(&world, &group[..5]).unwrap();
    same(&log);
    // A question must be durable before it is answered.
    for answered in [approve(4, "ann"), refuse(4, "ann")] {
        let group = [ask(4, 1), answered];
        let error = log.execute(&world, &group).unwrap_err();
        assert_eq!(error.code(), "invalid");
        assert_eq!(status(&log, 4), None);
    }
    assert_eq!(answer("ann").approver.0, person("ann"));
}
