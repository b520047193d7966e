// SPDX-License-Identifier: Apache-2.0
//! Events of later software: whether a ledger with one is written to is theirs to say, and reading goes on whatever they say.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use femtoclaw_ledger::events::{Event, EventType};
use femtoclaw_ledger::journal::{FjallJournal, Head, Journal, JournalOptions, MemoryJournal};
use femtoclaw_ledger::projections::Filter;
use femtoclaw_ledger::{
    Context, Ledger, OpenError, Options, Quota, Rights, Seq, salvage::SalvageOptions,
};

use crate::scene::{LATER, Scene, WAIT, in_log, in_tables, request, state};

/// By its number, and by what rests on a known type.
const SKIPPED: [(EventType, u16); 2] = [(EventType(0xF777), 3), (EventType::TelemetryRecorded, 9)];
const NEEDED: [(EventType, u16); 4] = [
    (EventType(0x7777), 3),
    (EventType::ExecutionStarted, 9),
    (EventType::ConfigurationChanged, 2),
    (EventType::ComponentRevoked, 0),
];

/// Every file with its bytes.
fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let all = state(path).into_iter();
    all.map(|(path, _, bytes)| (path, bytes)).collect()
}

fn refused(error: &OpenError, event: (EventType, u16), at: Seq) {
    assert_eq!(error.code(), "unknown_event", "{error}");
    let OpenError::UnknownEvent {
        seq,
        event_type,
        revision,
        encrypted: false,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((*seq, (*event_type, *revision)), (at, event));
    let told = error.to_string();
    let number = format!("{:#06x}", event.0.0);
    for part in [
        &*at.to_string(),
        &*number,
        "nothing was written",
        "newer software",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

/// The records in memory, as on a journal of the embedder's own.
fn in_memory(scene: &Scene) -> MemoryJournal {
    let options = JournalOptions::default();
    let stored = FjallJournal::open(&scene.path.join("journal"), &options).unwrap();
    let (journal, mut head) = (MemoryJournal::new(), Head::default());
    for frame in stored.frames(Seq::FIRST) {
        let frame = frame.unwrap();
        journal.append(&frame, &head).unwrap();
        head = frame.last;
    }
    stored.close();
    journal.reopen()
}

/// Reading, on every path.
fn reads(scene: &Scene, event: (EventType, u16), at: Seq) {
    let opened = scene.opened();
    assert_eq!(opened.findings(), []);
    assert_eq!(
        (opened.head().seq, opened.verified().seq),
        (Some(at), Some(at))
    );
    let record = opened.get(at).unwrap().unwrap();
    assert_eq!((record.header.event_type, record.header.revision), event);
    assert_eq!(record.event().unwrap(), Event::Opaque);
    assert_eq!(record.payload(), Some(LATER));
    assert_eq!(
        opened.range(Seq::FIRST).map(Result::unwrap).count() as u64,
        at.get()
    );
    let summary = opened.summary().unwrap();
    assert_eq!(
        summary.unknown_event,
        record.header.bars_writing().then_some(at)
    );
    let execution = scene.made.executions[0];
    let trace = opened.reconstruct(execution).unwrap();
    let steps = trace.trace.unwrap().steps;
    assert_eq!(
        steps.last().map(|step| (step.seq, &step.event)),
        Some((at, &Event::Opaque))
    );
    let views = opened.views().unwrap();
    let found = views.indexes.query(
        &Filter {
            execution: Some(execution),
            ..Filter::default()
        },
        100,
    );
    assert_eq!(found.unwrap().last(), Some(&at));
    assert_eq!(
        views.executions.get(execution).unwrap().unwrap().last_seq,
        at.get()
    );
    drop(views);
    let told = opened.checkpoints().unwrap();
    let newest = told.last().unwrap();
    opened
        .export(&newest.note, scene.directory.path().join("export"))
        .unwrap();
}

#[tokio::test]
async fn what_may_be_skipped_stays_as_it_is_and_writing_goes_on() {
    for (scene, event) in [in_log(), in_tables()].into_iter().zip(SKIPPED) {
        let at = scene.later(event.0, event.1);
        reads(&scene, event, at);
        // Twice: what the first opening saved is what the second begins with.
        for number in 0..2 {
            let (ledger, root) = Ledger::open(&scene.path, Options::default()).await.unwrap();
            let grant = root.grant("tester", Rights::all(), Quota::default());
            let grant = grant.await.unwrap();
            let record = ledger
                .reader(&grant)
                .unwrap()
                .get(at)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(record.event().unwrap(), Event::Opaque);
            assert_eq!(record.payload(), Some(LATER));
            let log = ledger.execution_log(&grant).unwrap();
            let begun = log
                .begin(request(&ledger, 1_000 + number, 10))
                .await
                .unwrap();
            let done = log.complete(begun.execution(), Context::new(), b"1".to_vec());
            done.await.unwrap();
            drop(begun);
            root.close(WAIT).await.unwrap();
        }
        let done = Ledger::salvage(&scene.path, scene.to(), &SalvageOptions::default());
        assert!(done.unwrap().is_complete());
    }
}

#[tokio::test]
async fn what_may_not_be_skipped_keeps_this_software_from_writing_and_from_nothing_else() {
    for (number, event) in NEEDED.into_iter().enumerate() {
        let scene = if number % 2 == 0 {
            in_log()
        } else {
            in_tables()
        };
        let at = scene.later(event.0, event.1);
        // It is in nobody's way, and stays all the same.
        let unfinished = scene.path.join("never finished.creating");
        std::fs::write(&unfinished, b"half of").unwrap();
        let before = contents(&scene.path);
        let error = Ledger::open(&scene.path, Options::default()).await.err();
        refused(&error.expect("refused"), event, at);
        assert!(
            contents(&scene.path) == before,
            "{event:?}: a file was changed"
        );
        let salvaged = Ledger::salvage(&scene.path, scene.to(), &SalvageOptions::default());
        let error = salvaged.expect_err("refused");
        assert_eq!(error.code(), "unknown_event", "{error}");
        assert!(!scene.to().exists());
        std::fs::remove_file(unfinished).unwrap();
        reads(&scene, event, at);
        // The first one is named, also behind others and where the views know it all.
        scene.later(EventType(0x7778), 1);
        let error = Ledger::open(&scene.path, Options::default()).await.err();
        refused(&error.expect("refused"), event, at);
        // On a journal of the embedder's.
        let journal = in_memory(&scene);
        let (count, views) = (
            journal.head().unwrap(),
            scene.directory.path().join("views"),
        );
        std::fs::create_dir(&views).unwrap();
        let opened = Ledger::open_on(Arc::new(journal.clone()), &views, Options::default());
        refused(&opened.await.expect_err("refused"), event, at);
        assert_eq!(journal.head().unwrap(), count);
        assert_eq!(contents(&views).len(), 1, "{:?}", contents(&views));
    }
}

/// What a kill left behind is not repaired for software that will not go on.
#[tokio::test]
async fn a_torn_tail_stays_where_it_is() {
    let scene = in_log();
    let at = scene.later(EventType(0x7777), 1);
    scene.tear();
    let before = contents(&scene.path);
    let error = Ledger::open(&scene.path, Options::default()).await.err();
    refused(&error.expect("refused"), (EventType(0x7777), 1), at);
    assert!(contents(&scene.path) == before, "a file was changed");
}
