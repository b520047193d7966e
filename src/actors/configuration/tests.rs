// SPDX-License-Identifier: Apache-2.0
use super::super::prepared::Prepared;
use super::super::testing::{Spoil, Twins, World, records};
use super::*;
use crate::events::CommandId;

fn change(document: &str, content: &[u8], expected_version: Option<u64>) -> Command {
    Command::Change(Change {
        context: Context::new().command(CommandId::from_bytes([1; 16])),
        document: document.into(),
        content: content.to_vec(),
        author: "ops".into(),
        reason: "ticket 7".into(),
        expected_version,
    })
}

fn rollback(document: &str, to_version: u64, expected_version: Option<u64>) -> Command {
    Command::Rollback(Rollback {
        context: Context::new(),
        document: document.into(),
        to_version,
        author: "ops".into(),
        reason: "it broke".into(),
        expected_version,
    })
}

fn changed(decided: &Decided) -> &ConfigurationChangedV1 {
    match &decided.drafts[..] {
        [
            Draft {
                event: Event::ConfigurationChanged(event),
                ..
            },
        ] => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn versions_count_per_document_and_over_all() {
    let (world, mut twins) = (World::default(), Twins::<ConfigurationState>::default());
    for (document, content, version, all) in [
        ("policy", &b"a"[..], 1, 1),
        ("policy", b"b", 2, 2),
        ("limits", b"\xff\0", 1, 3),
        ("policy", b"b", 3, 4),
        ("policy", b"", 4, 5),
    ] {
        let decided = twins
            .one(&world, change(document, content, Some(version - 1)))
            .unwrap();
        let event = changed(&decided);
        assert_eq!((event.version, event.configuration_version), (version, all));
        assert_eq!(event.content, content);
        assert_eq!(event.content_digest, digest(content));
        assert_eq!(
            (event.author.as_str(), event.reason.as_str()),
            ("ops", "ticket 7")
        );
        assert_eq!(decided.reply, Reply::Changed { version });
        let draft = &decided.drafts[0];
        assert_eq!(draft.stream, document_stream(document));
        assert_eq!(draft.stream_version, version);
        assert!(draft.stores().contains(Store::AuditLog));
    }
    for state in [&twins.live, &twins.replayed] {
        assert_eq!(state.configuration_version(), 5);
        assert_eq!((state.version("policy"), state.version("none")), (4, 0));
    }
}

#[test]
fn a_wrong_expected_version_is_a_conflict() {
    let (world, mut twins) = (World::default(), Twins::<ConfigurationState>::default());
    let conflict = |expected, actual| AppendError::VersionConflict { expected, actual };
    let error = twins.one(&world, change("p", b"a", Some(1))).unwrap_err();
    assert_eq!(error, conflict(1, 0));
    twins.one(&world, change("p", b"a", Some(0))).unwrap();
    let error = twins.one(&world, change("p", b"a", Some(0))).unwrap_err();
    assert_eq!(error, conflict(0, 1));
    let error = twins.one(&world, rollback("p", 1, Some(2))).unwrap_err();
    assert_eq!(error, conflict(2, 1));
    assert_eq!(twins.live.version("p"), 1);
}

#[test]
fn a_rollback_is_a_new_version_with_old_content() {
    let (mut world, mut twins) = (World::default(), Twins::<ConfigurationState>::default());
    for content in [b"one", b"two"] {
        twins.one(&world, change("p", content, None)).unwrap();
    }
    let decided = twins.one(&world, rollback("p", 1, Some(2))).unwrap();
    let event = changed(&decided);
    assert_eq!((event.version, event.restored_version), (3, 1));
    assert_eq!(event.content, b"one");
    for to in [4, 99, u64::MAX] {
        assert_eq!(twins.refusal(&world, rollback("p", to, None)), "invalid");
    }
    assert_eq!(twins.refusal(&world, rollback("p", 0, None)), "invalid");
    assert_eq!(twins.refusal(&world, rollback("other", 1, None)), "invalid");

    for _ in 0..RECENT_MAX {
        twins.one(&world, change("noise", b"x", None)).unwrap();
    }
    assert_eq!(twins.refusal(&world, rollback("p", 2, None)), "view_lag");
    let read = |content: &[u8]| Ok(Arc::from(content));
    world.prepared.restore("p", 2, read(b"not two"));
    assert_eq!(
        twins.refusal(&world, rollback("p", 2, None)),
        "history_unreadable"
    );
    world.prepared = Prepared::default();
    world
        .prepared
        .restore("p", 2, Err(AppendError::History(ReadError::Closed)));
    assert_eq!(
        twins.refusal(&world, rollback("p", 2, None)),
        "history_unreadable"
    );
    world.prepared = Prepared::default();
    world.prepared.restore("p", 2, read(b"two"));
    let decided = twins.one(&world, rollback("p", 2, None)).unwrap();
    assert_eq!(changed(&decided).content, b"two");
}

#[test]
fn a_content_needs_a_verdict_whatever_it_comes_from() {
    let (mut world, mut twins) = (World::default(), Twins::<ConfigurationState>::default());
    twins.one(&world, change("p", b"copper", None)).unwrap();
    let rejected = AppendError::Rejected {
        document: "p".into(),
        validator: "no copper".into(),
        problem: "copper".into(),
    };
    world.prepared = Prepared::new(true);
    let refused = Err(rejected.clone());
    world.prepared.judge("p", digest(b"copper"), refused);
    world.prepared.judge("p", digest(b"gold"), Ok(()));
    twins.one(&world, change("p", b"gold", None)).unwrap();
    for command in [change("p", b"copper", None), rollback("p", 1, None)] {
        assert_eq!(twins.one(&world, command).unwrap_err(), rejected);
    }
    // Nobody was asked about these: of another document, or another content.
    for command in [change("q", b"gold", None), change("p", b"tin", None)] {
        assert_eq!(twins.refusal(&world, command), "view_lag");
    }
    assert_eq!(twins.live.version("p"), 2);
}

#[test]
fn damaged_or_disordered_history_is_an_error() {
    let world = World::default();
    let decided = ConfigurationState::default()
        .decide(&change("p", b"a", None), &world.around())
        .unwrap();
    let (header, event) = records(&decided, 7).remove(0);
    let Event::ConfigurationChanged(good) = event else {
        panic!("{event:?}")
    };
    let cases: [(Spoil<ConfigurationChangedV1>, bool); 4] = [
        (|it| it.content = b"b".to_vec(), true),
        (|it| it.content_digest = [0; 32], true),
        (|it| it.version = 2, false),
        (|it| it.configuration_version = 2, false),
    ];
    for (spoil, corrupt) in cases {
        let mut bad = good.clone();
        spoil(&mut bad);
        let mut state = ConfigurationState::default();
        let error = state.replay(&header, &bad.into()).unwrap_err();
        assert!(error.to_string().starts_with("record 7: "), "{error}");
        assert_eq!(
            matches!(error, ReplayError::Corrupt { .. }),
            corrupt,
            "{error}"
        );
        assert_eq!(state.version("p"), 0, "never a default");
    }
}

#[test]
fn groups_and_bounds() {
    let (mut world, mut twins) = (World::default(), Twins::<ConfigurationState>::default());
    let group = [
        change("a", b"1", None),
        change("a", b"2", Some(1)),
        rollback("a", 1, Some(2)),
    ];
    twins.execute(&world, &group).unwrap();
    assert_eq!(twins.live.version("a"), 3);
    let group = [change("b", b"1", None), change("a", b"2", Some(1))];
    let refused = twins.live.execute(&group, &world.around()).unwrap_err();
    assert_eq!(
        (refused.index, refused.error.code()),
        (1, "version_conflict")
    );
    assert_eq!(
        (twins.live.version("b"), twins.live.configuration_version()),
        (0, 3)
    );

    // A rollback's content is only known here.
    twins
        .one(&world, change("big", &vec![0; 1 << 20], None))
        .unwrap();
    let group: Vec<_> = (0..5).map(|_| rollback("big", 1, None)).collect();
    let refused = twins.live.execute(&group, &world.around()).unwrap_err();
    assert_eq!(refused.error.code(), "commit_too_large");
    assert_eq!(twins.live.version("big"), 1);

    world.limits.entries_max = 2;
    assert_eq!(twins.refusal(&world, change("third", b"", None)), "invalid");
    twins.one(&world, change("a", b"", None)).unwrap();
}

/// Not only what a look from outside shows: also what is on its way, what is remembered, and the streams.
#[test]
fn a_refused_group_puts_back_what_it_named() {
    let (world, mut twins) = (World::default(), Twins::<ConfigurationState>::default());
    for content in [b"1", b"2", b"3"] {
        twins.one(&world, change("there", content, None)).unwrap();
    }
    twins.one(&world, change("other", b"", None)).unwrap();
    let before = format!("{:?}", twins.live);
    let group = [
        change("new", b"1", None),
        change("there", b"4", None),
        change("new", b"2", Some(1)),
        rollback("there", 1, Some(4)),
        change("other", b"", Some(7)),
    ];
    let refused = twins.live.execute(&group, &world.around()).unwrap_err();
    assert_eq!(
        (refused.index, refused.error.code()),
        (4, "version_conflict")
    );
    assert_eq!(format!("{:?}", twins.live), before);
    twins.execute(&world, &group[..4]).unwrap();
    assert_eq!(
        (twins.live.version("new"), twins.live.version("there")),
        (2, 5)
    );
}

#[test]
fn bad_changes_are_refused() {
    let limits = World::default().limits;
    let cases: [(Spoil<Change>, &str); 6] = [
        (|it| it.document = String::new(), "invalid"),
        (|it| it.document = "a\tb".into(), "invalid"),
        (|it| it.author = String::new(), "invalid"),
        (|it| it.reason = " ".into(), "invalid"),
        (|it| it.content = vec![0; (1 << 20) + 1], "too_large"),
        (
            |it| it.context = Context::new().command(CommandId::NIL),
            "invalid",
        ),
    ];
    for (spoil, code) in cases {
        let Command::Change(mut bad) = change("p", b"", None) else {
            unreachable!()
        };
        spoil(&mut bad);
        assert_eq!(
            Command::Change(bad).validate(&limits).unwrap_err().code(),
            code
        );
    }
}

/// A change decided and applied, which has no place yet.
fn decide(state: &mut ConfigurationState, world: &World, document: &str) {
    let command = change(document, document.as_bytes(), None);
    state.execute(&[command], &world.around()).unwrap();
}

fn places(state: &ConfigurationState) -> Vec<(String, Option<u64>)> {
    let in_force = state.documents.iter();
    in_force
        .map(|(name, it)| (name.to_string(), it.seq.map(Seq::get)))
        .collect()
}

fn at(place: u64) -> Seq {
    Seq::new(place).unwrap()
}

#[test]
fn a_document_is_placed_when_its_last_change_is() {
    let (world, mut state) = (World::default(), ConfigurationState::default());
    let named = |a, b| vec![("a".to_owned(), a), ("b".to_owned(), b)];
    decide(&mut state, &world, "a");
    decide(&mut state, &world, "b");
    assert_eq!(places(&state), named(None, None));
    assert!(state.documents_in_force().any(|it| it.is_err()));
    // One commit of two changes.
    state.committed(2, at(11));
    assert_eq!(places(&state), named(Some(10), Some(11)));
    decide(&mut state, &world, "a");
    decide(&mut state, &world, "a");
    state.committed(3, at(20));
    assert_eq!(
        places(&state),
        named(None, Some(11)),
        "a later one is on its way"
    );
    state.committed(4, at(30));
    assert_eq!(places(&state), named(Some(30), Some(11)));
    let in_force: Vec<_> = state.documents_in_force().map(Result::unwrap).collect();
    assert_eq!(
        (in_force[0].1.version, in_force[0].1.digest),
        (3, digest(b"a"))
    );
}

#[test]
fn what_was_on_its_way_when_it_was_saved_finds_its_place_in_the_journal() {
    let (world, mut twins) = (World::default(), Twins::<ConfigurationState>::default());
    let mut all = Vec::new();
    for document in ["a", "b", "a"] {
        let decided = twins.one(&world, change(document, b"1", None)).unwrap();
        all.extend(records(&decided, twins.head));
        twins.live.behind(twins.head + 100);
    }
    assert_eq!(twins.replayed.portrait().unplaced_after(), None);
    twins.live.committed(1, at(1));
    let portrait = twins.live.portrait();
    // The second change is the first without a place: it was decided when the head stood there.
    assert_eq!(portrait.unplaced_after(), Some(102));
    let mut restored = ConfigurationState::from_portrait(portrait);
    for (header, event) in &all {
        restored.place(header, event);
    }
    assert_eq!(places(&restored), places(&twins.replayed));
    assert_eq!(
        places(&restored),
        [("a".to_owned(), Some(3)), ("b".to_owned(), Some(2))]
    );
}
