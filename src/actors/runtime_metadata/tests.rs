// SPDX-License-Identifier: Apache-2.0
use super::super::draft::REGISTRY_STREAM;
use super::super::testing::{Twins, World, records};
use super::registry::{DISABLED, ENABLED, UNREGISTERED};
use super::*;
use crate::commands::{
    CapabilityDefinition, ChangeCapability, Identify, RegisterCapability, RemoveModule,
    SavePosition, SetModule, SwitchCapability, UnregisterCapability,
};

use Machine::{
    CapabilityExecuting, Error, Idle, Initializing, InputReceived, Shutdown, Terminated,
};

type Metadata = Twins<RuntimeMetadataState>;

fn definition(version: &str) -> CapabilityDefinition {
    CapabilityDefinition {
        version: version.into(),
        description: "reads\na file".into(),
        parameters: b"{\"path\": \"string\"}".to_vec(),
    }
}

fn register(capability: &str) -> Command {
    Command::RegisterCapability(RegisterCapability {
        context: Context::new(),
        capability: capability.into(),
        definition: definition("1"),
        expected_version: None,
    })
}

fn redefine(capability: &str) -> Command {
    Command::ChangeCapability(ChangeCapability {
        context: Context::new(),
        capability: capability.into(),
        definition: definition("2"),
        expected_version: None,
    })
}

fn switch(capability: &str, enabled: bool, expected_version: Option<u64>) -> Command {
    Command::SwitchCapability(SwitchCapability {
        context: Context::new(),
        capability: capability.into(),
        enabled,
        reason: String::new(),
        expected_version,
    })
}

fn unregister(capability: &str) -> Command {
    Command::UnregisterCapability(UnregisterCapability {
        context: Context::new(),
        capability: capability.into(),
        reason: String::new(),
        expected_version: None,
    })
}

fn transition(to: Machine, expected: Option<Machine>) -> Command {
    Command::Transition(Transition {
        context: Context::new(),
        to,
        expected,
    })
}

fn capability(metadata: &Metadata) -> Option<(String, bool)> {
    assert_eq!(metadata.live.registry, metadata.replayed.registry);
    let registry = metadata.live.registry();
    let found = registry.capabilities.get("read");
    assert_eq!(
        registry.is_enabled("read"),
        found.is_some_and(|it| it.enabled)
    );
    found.map(|it| (it.definition.version.clone(), it.enabled))
}

#[test]
fn a_capability_lives_disabled_enabled_changed_unregistered() {
    let (world, mut metadata) = (World::default(), Metadata::default());
    let of = |version: &str, enabled| Some((version.to_owned(), enabled));
    let steps = [
        (switch("read", true, None), Err(UNREGISTERED), None),
        (redefine("read"), Err(UNREGISTERED), None),
        (unregister("read"), Err(UNREGISTERED), None),
        (register("read"), Ok(1), of("1", false)),
        (register("read"), Err(DISABLED), of("1", false)),
        (switch("read", false, None), Err(DISABLED), of("1", false)),
        (switch("read", true, Some(1)), Ok(2), of("1", true)),
        (switch("read", true, None), Err(ENABLED), of("1", true)),
        (redefine("read"), Ok(3), of("2", true)),
        (switch("read", false, None), Ok(4), of("2", false)),
        (switch("read", true, None), Ok(5), of("2", true)),
        (unregister("read"), Ok(6), None),
        (register("read"), Ok(7), of("1", false)),
    ];
    for (command, expected, after) in steps {
        let shown = format!("{command:?}");
        match (metadata.one(&world, command), expected) {
            (Ok(decided), Ok(version)) => {
                let draft = &decided.drafts[0];
                let place = (draft.stream, draft.stream_version);
                assert_eq!(place, (REGISTRY_STREAM, version), "{shown}");
            }
            (Err(AppendError::InvalidTransition { from, .. }), Err(stands)) => {
                assert_eq!(from, stands, "{shown}");
            }
            (outcome, _) => panic!("{shown}: {outcome:?}"),
        }
        assert_eq!(capability(&metadata), after, "{shown}");
    }
    assert_eq!(metadata.live.registry().version, 7);
    let error = metadata
        .one(&world, switch("read", true, Some(6)))
        .unwrap_err();
    let (expected, actual) = (6, 7);
    assert_eq!(error, AppendError::VersionConflict { expected, actual });
    for command in [register("message"), switch("message", false, None)] {
        assert_eq!(metadata.refusal(&world, command), "invalid");
    }
}

#[test]
fn the_runtime_walks_its_own_five_states_only() {
    let world = World::default();
    let reach: [(Machine, &[Machine]); 5] = [
        (Initializing, &[]),
        (Idle, &[Idle]),
        (Error, &[Error]),
        (Shutdown, &[Idle, Shutdown]),
        (Terminated, &[Idle, Shutdown, Terminated]),
    ];
    let allowed = [
        (Initializing, Idle),
        (Initializing, Error),
        (Idle, Shutdown),
        (Error, Idle),
        (Error, Shutdown),
        (Shutdown, Terminated),
    ];
    for (from, steps) in reach {
        for to in Machine::ALL {
            let mut metadata = Metadata::default();
            for step in steps {
                metadata.one(&world, transition(*step, None)).unwrap();
            }
            assert_eq!(metadata.live.machine(), from);
            let outcome = metadata.one(&world, transition(to, Some(from)));
            let after = if allowed.contains(&(from, to)) {
                let draft = &outcome.unwrap().drafts[0];
                let Event::TransitionsRecorded(event) = &draft.event else {
                    panic!("{draft:?}")
                };
                assert_eq!(event.machine, RUNTIME_MACHINE);
                assert_eq!(event.path, [from.code(), to.code()]);
                assert!(draft.stores().contains(Store::RuntimeMetadata));
                assert_eq!(draft.stream_version, steps.len() as u64 + 1);
                to
            } else {
                assert_eq!(outcome.unwrap_err().code(), "invalid_transition");
                from
            };
            assert_eq!(metadata.live.machine(), after);
            assert_eq!(metadata.replayed.machine(), after);
        }
    }
    assert!(
        Idle.permits(InputReceived),
        "an execution's step, refused above"
    );
    let mut metadata = Metadata::default();
    let wrong = transition(Idle, Some(CapabilityExecuting));
    assert_eq!(metadata.refusal(&world, wrong), "invalid_transition");
}

#[test]
fn closing_walks_to_terminated_and_opening_starts_again() {
    let world = World::default();
    for steps in [&[][..], &[Idle], &[Error], &[Idle, Shutdown]] {
        let mut metadata = Metadata::default();
        for step in steps {
            metadata.one(&world, transition(*step, None)).unwrap();
        }
        let closing = metadata.live.closing().unwrap();
        let Event::TransitionsRecorded(event) = &closing.event else {
            panic!("{closing:?}")
        };
        assert_eq!(event.path[0], metadata.live.machine().code());
        metadata
            .live
            .apply(&closing, crate::events::ComponentId::LEDGER)
            .unwrap();
        assert_eq!(metadata.live.machine(), Terminated);
        assert_eq!(metadata.live.closing(), None);
        metadata.reopen();
        assert_eq!(metadata.live.machine(), Initializing);
    }
}

fn module(module: &str, version: &str) -> Command {
    let (module, version) = (module.into(), version.into());
    Command::SetModule(SetModule {
        context: Context::new(),
        module,
        version,
    })
}

fn remove(module: &str) -> Command {
    Command::RemoveModule(RemoveModule {
        context: Context::new(),
        module: module.into(),
    })
}

fn save_where(name: &str, seq: u64, expected: Option<u64>) -> Command {
    Command::SavePosition(SavePosition {
        context: Context::new(),
        name: name.into(),
        seq,
        expected,
    })
}

fn save(name: &str, seq: u64) -> Command {
    save_where(name, seq, None)
}

fn identify(byte: u8, version: &str) -> Command {
    let (runtime, version) = (RuntimeId::from_bytes([byte; 16]), version.into());
    Command::Identify(Identify {
        context: Context::new(),
        runtime,
        version,
    })
}

#[test]
fn identity_modules_positions() {
    let (mut world, mut metadata) = (World::default(), Metadata::default());
    world.past.head = 7;
    let good = [
        identify(1, "0.9"),
        identify(1, "1.0"),
        module("gate", "1"),
        module("shell", "3"),
        module("gate", "2"),
        remove("shell"),
        save("exporter", 7),
        save_where("exporter", 3, Some(7)),
    ];
    for command in good {
        metadata.one(&world, command).unwrap();
    }
    for state in [&metadata.live, &metadata.replayed] {
        let identity = (RuntimeId::from_bytes([1; 16]), "1.0".to_owned());
        assert_eq!(state.identity(), Some(&identity));
        assert!(
            state
                .modules()
                .iter()
                .eq([(&"gate".to_owned(), &"2".to_owned())])
        );
        assert_eq!(
            (state.position("exporter"), state.position("x")),
            (Some(3), None)
        );
        assert_eq!(state.version, 6);
    }
}

#[test]
fn a_position_goes_back_only_where_that_is_expected_and_never_beyond_the_head() {
    let (mut world, mut metadata) = (World::default(), Metadata::default());
    world.past.head = 9;
    let conflict = |seq, expected, actual| {
        Err(AppendError::PositionConflict {
            seq,
            expected,
            actual,
        })
    };
    let beyond = |seq| Err(AppendError::PositionBeyondHead { seq, head: 9 });
    for (seq, expected, outcome) in [
        (0, Some(1), conflict(0, Some(1), 0)),
        (10, Some(0), beyond(10)),
        (5, Some(0), Ok(5)),
        (3, None, conflict(3, None, 5)),
        (9, Some(4), conflict(9, Some(4), 5)),
        (3, Some(6), conflict(3, Some(6), 5)),
        (u64::MAX, None, beyond(u64::MAX)),
        (u64::MAX, Some(5), beyond(u64::MAX)),
        (5, None, Ok(5)),
        (9, None, Ok(9)),
        (3, Some(9), Ok(3)),
        (0, Some(3), Ok(0)),
    ] {
        let before = metadata.live.position("billing");
        let saved = metadata.one(&world, save_where("billing", seq, expected));
        let shown = format!("{seq}, {expected:?}");
        assert_eq!(saved.map(|_| seq), outcome, "{shown}");
        let after = outcome.ok().or(before);
        assert_eq!(metadata.live.position("billing"), after, "{shown}");
        assert_eq!(metadata.replayed.position("billing"), after, "{shown}");
    }
}

#[test]
fn bad_identities_modules_and_positions_are_refused() {
    let (mut world, mut metadata) = (World::default(), Metadata::default());
    world.past.head = 3;
    for command in [module("gate", "2"), save("exporter", 3)] {
        metadata.one(&world, command).unwrap();
    }
    world.limits.entries_max = 1;
    for bad in [
        identify(0, "1"),
        identify(1, ""),
        module("", "1"),
        module("a\r", "1"),
        module("another", "1"),
        remove("shell"),
        save("another", 1),
        save("", 1),
    ] {
        assert_eq!(metadata.refusal(&world, bad), "invalid");
    }
    metadata.one(&world, module("gate", "3")).unwrap();
}

#[test]
fn a_group_is_all_or_nothing_and_disorder_is_an_error() {
    let (world, mut metadata) = (World::default(), Metadata::default());
    let group = [
        register("read"),
        switch("read", true, None),
        register("read"),
    ];
    let refused = metadata.live.execute(&group, &world.around()).unwrap_err();
    assert_eq!(refused.index, 2);
    assert_eq!(capability(&metadata), None);
    metadata.execute(&world, &group[..2]).unwrap();
    assert_eq!(capability(&metadata), Some(("1".into(), true)));

    let decided = metadata
        .live
        .decide(&unregister("read"), &world.around())
        .unwrap();
    let (header, event) = records(&decided, 4).remove(0);
    let error = RuntimeMetadataState::default()
        .replay(&header, &event)
        .unwrap_err();
    assert!(error.to_string().contains("registry version 3"), "{error}");
}

#[test]
fn the_registry_is_placed_when_its_last_change_is() {
    let (world, mut twins) = (World::default(), Metadata::default());
    let seq = |place: u64| Seq::new(place).unwrap();
    let all: Vec<_> = [
        register("a"),
        identify(1, "1"),
        register("b"),
        identify(1, "1"),
    ]
    .into_iter()
    .flat_map(|command| {
        let decided = twins.one(&world, command).unwrap();
        records(&decided, twins.head)
    })
    .collect();
    let Twins {
        mut live, replayed, ..
    } = twins;
    assert_eq!(replayed.registry_seq(), Some(seq(3)));
    live.behind(50);
    live.committed(1, seq(1));
    assert_eq!(live.registry_seq(), None, "a later one is on its way");
    let portrait = live.portrait();
    assert_eq!(portrait.unplaced_after(), Some(50));
    assert_eq!(replayed.portrait().unplaced_after(), None);
    let mut restored = RuntimeMetadataState::from_portrait(portrait);
    for (header, event) in &all {
        restored.place(header, event);
    }
    assert_eq!(restored.registry_seq(), Some(seq(3)));
    // The last three in one commit.
    live.committed(4, seq(4));
    assert_eq!(live.registry_seq(), Some(seq(3)));
}
