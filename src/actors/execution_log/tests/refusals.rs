// SPDX-License-Identifier: Apache-2.0
use super::*;

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
fn only_who_started_it_finishes_it_or_who_has_the_right_to_do_so_for_others() {
    let (mut world, mut log) = (World::default(), Log::default());
    let _unused = authorize(&mut log, &world, 1);
    for execution in 2..=6 {
        log.one(&world, begin(execution)).unwrap();
    }
    world.component = ComponentId(2);
    for command in [complete(2), fail(2), cancel(2), cancel(1)] {
        assert_eq!(log.refusal(&world, command), "foreign_execution");
    }
    world.finishes_others = true;
    for command in [complete(2), fail(3), cancel(4), cancel(1)] {
        log.one(&world, command).unwrap();
    }
    // In doubt it is still its starter's, which a number names over openings.
    log.reopen();
    let refused = log.refusal(&world, resolve(5, Resolution::Lost));
    assert_eq!(refused, "foreign_execution", "finishing is another right");
    world.finishes_others = false;
    world.resolves_others = true;
    log.one(&world, resolve(5, Resolution::Lost)).unwrap();
    world.resolves_others = false;
    world.component = ComponentId(1);
    log.one(&world, resolve(6, Resolution::Lost)).unwrap();
    world.component = ComponentId(2);
    // A permit that was handed on makes its holder the one who finishes.
    let permit = authorize(&mut log, &world, 7);
    world.component = ComponentId(3);
    log.one(&world, start(permit)).unwrap();
    world.component = ComponentId(2);
    assert_eq!(log.refusal(&world, complete(7)), "foreign_execution");
    world.component = ComponentId(3);
    log.one(&world, complete(7)).unwrap();
}

#[test]
fn only_what_is_enabled_and_in_force_starts() {
    let mut world = World::default();
    let cases: [(Spoil<Request>, Result<(), &str>); 9] = [
        (|it| it.capability = "message".into(), Ok(())),
        (
            |it| it.capability = "rm".into(),
            Err("capability_not_enabled"),
        ),
        (
            |it| it.capability = "unheard of".into(),
            Err("capability_not_enabled"),
        ),
        (
            |it| it.basis.grounds.configuration_version = 1,
            Err("permit_stale"),
        ),
        (
            |it| it.basis.grounds.registry_version = 2,
            Err("permit_stale"),
        ),
        (
            |it| it.basis.grounds.configuration_version = 3,
            Err("invalid"),
        ),
        (|it| it.basis.grounds.registry_version = 4, Err("invalid")),
        (
            |it| it.basis.ledger = crate::events::LedgerId::from_bytes([3; 16]),
            Err("invalid"),
        ),
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
    let changes: [(Spoil<World>, &str); 4] = [
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

/// A start does not rest on the version alone: what is not enabled is not started, whatever its permit says.
#[test]
fn what_is_not_enabled_any_more_does_not_start() {
    let (mut world, mut log) = (World::default(), Log::default());
    let permit = authorize(&mut log, &world, 1);
    let registry = std::sync::Arc::make_mut(&mut world.in_force.registry);
    let names: Vec<String> = registry.capabilities.keys().cloned().collect();
    for name in names {
        registry.capabilities.get_mut(&name).unwrap().enabled = false;
    }
    assert_eq!(log.refusal(&world, start(permit)), "capability_not_enabled");
    assert_eq!(status(&log, 1), Some(Status::Authorized));
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
    let cases: [(Spoil<Request>, &str); 9] = [
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

#[test]
fn a_denial_is_recorded_whatever_has_moved() {
    let world = World::default();
    let cases: [(Spoil<Request>, Result<(), &str>); 7] = [
        (|_| {}, Ok(())),
        (|it| it.basis.grounds.configuration_version = 1, Ok(())),
        (|it| it.basis.grounds.registry_version = 0, Ok(())),
        (|it| it.capability = "unheard of".into(), Ok(())),
        (
            |it| it.basis.grounds.configuration_version = 3,
            Err("invalid"),
        ),
        (|it| it.basis.grounds.registry_version = 4, Err("invalid")),
        (
            |it| it.basis.ledger = crate::events::LedgerId::from_bytes([3; 16]),
            Err("invalid"),
        ),
    ];
    let denials = Decision::ALL
        .into_iter()
        .filter(|it| *it != Decision::Authorized);
    for decision in denials {
        for (spoil, expected) in cases {
            for make in [Command::Authorize, Command::Begin] {
                let mut log = Log::default();
                let mut it = request(1, decision);
                spoil(&mut it);
                let grounds = it.basis.grounds.clone();
                let outcome = log.one(&world, make(it));
                let decided = outcome.as_ref().map(|it| &it.drafts);
                let recorded = decided.map(|drafts| {
                    let found = drafts.iter().find_map(|draft| match &draft.event {
                        Event::AuthorizationDecided(it) => Some(it.clone()),
                        _ => None,
                    });
                    let found = found.unwrap();
                    assert_eq!(found.decision, decision.code());
                    // On the record stands what it was based on, not what is in force.
                    assert_eq!(found.configuration_version, grounds.configuration_version);
                    assert_eq!(found.registry_version, grounds.registry_version);
                });
                assert_eq!(recorded.map_err(|error| error.code()), expected);
                let denied = expected.is_ok().then_some(Status::Denied);
                assert_eq!(status(&log, 1), denied);
            }
        }
    }
}
