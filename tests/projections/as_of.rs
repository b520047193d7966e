// SPDX-License-Identifier: Apache-2.0
//! Configuration and registry as of any moment equal what was current then.

use femtoclaw_ledger::events::{
    CapabilityChangedV1, CapabilityDisabledV1, CapabilityEnabledV1, CapabilityRegisteredV1,
    CapabilityUnregisteredV1, ConfigurationChangedV1, Event, ExecutionId, ModuleRemovedV1,
    ModuleVersionSetV1, PositionSavedV1, RuntimeId, RuntimeIdentifiedV1, State,
};
use femtoclaw_ledger::projections::{
    AsOf, ConfigurationProjection, ConfigurationView, DiffLine, RegistryState,
    RuntimeMetadataProjection, RuntimeMetadataView, ViewError,
};

use crate::support::{History, Journal, WAIT, open, transitions, view};

fn configured() -> History {
    let mut history = History::default();
    for version in 1..=40_u64 {
        history.time_ns += (version % 2) as i64;
        history.commit(0, ExecutionId::NIL, vec![transitions(0, &[1, 2])]);
        history.configure("a", version, format!("x\ny = {version}\n").as_bytes());
    }
    history
}

#[test]
fn configuration_by_number_by_seq_and_by_time() {
    let directory = tempfile::tempdir().unwrap();
    let history = configured();
    let journal = Journal::new(&history.records, 9);
    let views = open(directory.path(), &journal);
    let configuration = ConfigurationView::new(view(&views, ConfigurationProjection::NAME));
    configuration.view().at_least(history.head(), WAIT).unwrap();
    let version_at = |at| -> Option<u64> {
        let found = configuration.as_of("a", at).unwrap();
        found.map(|found| found.info.version)
    };
    for seq in 0..=history.head() {
        let expected = (seq / 2 > 0).then_some(seq / 2);
        assert_eq!(version_at(AsOf::Seq(seq)), expected, "seq {seq}");
    }
    for time in 0..=21_i64 {
        let of_then = |record: &&femtoclaw_ledger::events::Record| record.header.time_ns <= time;
        let records = history.records.iter().filter(of_then).count() as u64;
        let expected = (records / 2 > 0).then_some(records / 2);
        assert_eq!(version_at(AsOf::Time(time)), expected, "time {time}");
    }
    assert_eq!(
        configuration.current("a").unwrap().unwrap().info.version,
        40
    );
    assert_eq!(
        configuration.version("a", 7).unwrap().unwrap().content,
        b"x\ny = 7\n"
    );
    assert_eq!(configuration.version("a", 41).unwrap(), None);
    assert_eq!(configuration.history("a").unwrap().len(), 40);
    assert_eq!(configuration.current("b").unwrap(), None);
    assert_eq!(configuration.documents().unwrap(), ["a"]);
    assert_eq!(configuration.configuration_version().unwrap(), 40);
    let diff = configuration.diff("a", 1, 2).unwrap().unwrap();
    let expected = [
        DiffLine::Same(b"x\n".to_vec()),
        DiffLine::Removed(b"y = 1\n".to_vec()),
        DiffLine::Added(b"y = 2\n".to_vec()),
    ];
    assert_eq!(diff, expected);
    views.close();
}

#[test]
fn content_that_fails_its_digest_is_an_error_and_no_default() {
    let directory = tempfile::tempdir().unwrap();
    let mut history = configured();
    let event = ConfigurationChangedV1 {
        document: "a".into(),
        version: 41,
        configuration_version: 41,
        content: b"not that".to_vec(),
        content_digest: [7; 32],
        author: String::new(),
        reason: String::new(),
        restored_version: 0,
    };
    history.commit(0, ExecutionId::NIL, vec![event.into()]);
    let journal = Journal::new(&history.records, 9);
    let views = open(directory.path(), &journal);
    let configuration = ConfigurationView::new(view(&views, ConfigurationProjection::NAME));
    configuration.view().at_least(history.head(), WAIT).unwrap();
    let damaged = ViewError::ContentDamaged {
        document: "a".into(),
        version: 41,
    };
    assert_eq!(configuration.current("a"), Err(damaged.clone()));
    assert_eq!(
        configuration.as_of("a", AsOf::Seq(999)),
        Err(damaged.clone())
    );
    assert_eq!(configuration.diff("a", 40, 41), Err(damaged));
    assert_eq!(
        configuration
            .version("a", 40)
            .unwrap()
            .unwrap()
            .info
            .version,
        40
    );
    views.close();
}

fn registered(name: &str, version: u64) -> Event {
    Event::from(CapabilityRegisteredV1 {
        capability: name.into(),
        version: "1".into(),
        description: String::new(),
        parameters: Vec::new(),
        registry_version: version,
    })
}

fn enabled(name: &str, version: u64) -> Event {
    Event::from(CapabilityEnabledV1 {
        capability: name.into(),
        reason: String::new(),
        registry_version: version,
    })
}

fn registry_events() -> Vec<Event> {
    vec![
        registered("read", 1),
        enabled("read", 2),
        registered("run", 3),
        Event::from(CapabilityChangedV1 {
            capability: "read".into(),
            version: "2".into(),
            description: "reads".into(),
            parameters: b"{}".to_vec(),
            registry_version: 4,
        }),
        enabled("run", 5),
        Event::from(CapabilityDisabledV1 {
            capability: "read".into(),
            reason: String::new(),
            registry_version: 6,
        }),
        Event::from(CapabilityUnregisteredV1 {
            capability: "run".into(),
            reason: String::new(),
            registry_version: 7,
        }),
        registered("run", 8),
    ]
}

#[test]
fn the_registry_as_of_any_moment_is_what_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let mut history = History::default();
    let journal = Journal::new(&[], 100);
    let views = open(directory.path(), &journal);
    let metadata = RuntimeMetadataView::new(view(&views, RuntimeMetadataProjection::NAME));
    let mut states = vec![RegistryState::default()];
    for event in registry_events() {
        history.time_ns += 10;
        let known = history.records.len();
        history.commit(0, ExecutionId::NIL, vec![event]);
        journal.append(&history.records[known..]);
        metadata.view().at_least(history.head(), WAIT).unwrap();
        states.push(metadata.registry().unwrap());
    }
    for (seq, state) in states.iter().enumerate() {
        assert_eq!(state.registry_version, seq as u64);
        assert_eq!(
            metadata.registry_as_of(AsOf::Seq(seq as u64)).unwrap(),
            *state
        );
        let time = AsOf::Time(seq as i64 * 10 + 9);
        assert_eq!(metadata.registry_as_of(time).unwrap(), *state);
    }
    let on: Vec<bool> = ["read", "run"]
        .iter()
        .map(|name| states[5].capabilities[*name].enabled)
        .collect();
    assert_eq!(on, [true, true]);
    assert!(!states[6].capabilities["read"].enabled);
    assert_eq!(states[6].capabilities["read"].version, "2");
    assert!(!states[7].capabilities.contains_key("run"));
    assert!(
        !states[8].capabilities["run"].enabled,
        "disabled until enabled"
    );
    assert_eq!(metadata.registry_version().unwrap(), 8);
    views.close();
}

#[test]
fn runtime_modules_state_and_saved_positions() {
    let directory = tempfile::tempdir().unwrap();
    let mut history = History::default();
    let module = |name: &str, version: &str| {
        Event::from(ModuleVersionSetV1 {
            module: name.into(),
            version: version.into(),
        })
    };
    let runtime = RuntimeId::from_bytes([3; 16]);
    let events = vec![
        Event::from(RuntimeIdentifiedV1 {
            runtime,
            version: "0.9".into(),
        }),
        module("gate", "1"),
        module("memory", "1"),
        module("gate", "2"),
        Event::from(ModuleRemovedV1 {
            module: "memory".into(),
        }),
        transitions(0, &[1, 2, 10]),
        transitions(1, &[3, 4]),
        Event::from(PositionSavedV1 {
            name: "indexer".into(),
            seq: 5,
        }),
    ];
    history.commit(0, ExecutionId::NIL, events);
    let journal = Journal::new(&history.records, 100);
    let views = open(directory.path(), &journal);
    let metadata = RuntimeMetadataView::new(view(&views, RuntimeMetadataProjection::NAME));
    metadata.view().at_least(history.head(), WAIT).unwrap();
    let found = metadata.runtime().unwrap().unwrap();
    assert_eq!((found.runtime, found.version.as_str()), (runtime, "0.9"));
    let modules = metadata.modules().unwrap();
    assert_eq!(modules.len(), 1);
    assert_eq!(
        (modules[0].name.as_str(), modules[0].version.as_str()),
        ("gate", "2")
    );
    assert_eq!(metadata.state().unwrap().unwrap().state, State::Shutdown);
    assert_eq!(
        metadata
            .saved_position("indexer")
            .unwrap()
            .unwrap()
            .position,
        5
    );
    assert_eq!(metadata.saved_position("other").unwrap(), None);
    assert_eq!(metadata.saved_positions().unwrap().len(), 1);
    views.close();
}
