// SPDX-License-Identifier: Apache-2.0
//! What can be read of a whole ledger, and that nothing of it changes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use femtoclaw_ledger::journal::Journal;
use femtoclaw_ledger::{
    Ledger, Options, Record, Seq, Store, execution_log::ExecutionStatus,
    read_only::ReadOnlyOptions, reading::Filter,
};

use crate::child::{as_nobody, child_command, child_path};
use crate::scene::{EXECUTIONS, Scene, in_log, in_tables, state};

fn all(opened: &femtoclaw_ledger::read_only::ReadOnly) -> Vec<Record> {
    opened.range(Seq::FIRST).map(Result::unwrap).collect()
}

#[test]
fn every_record_is_read_and_no_time_of_any_file_changes() {
    for scene in [in_log(), in_tables()] {
        let opened = scene.opened();
        assert_eq!(opened.findings(), []);
        let records = all(&opened);
        // What was written at the close came after the records that the scene knows.
        assert_eq!(records[..scene.made.records.len()], scene.made.records);
        let head = opened.head();
        assert_eq!(head, opened.verified());
        assert_eq!(head.count(), records.len() as u64);
        assert_eq!(head.hash, records.last().unwrap().hash);
        assert_eq!(opened.anchored().unwrap().hash, head.hash);
        for record in &records {
            assert_eq!(
                opened.get(record.header.seq).unwrap().as_ref(),
                Some(record)
            );
        }
        assert_eq!(opened.get(head.next_seq()).unwrap(), None);
        let frames = opened.journal().frames(Seq::FIRST);
        let frames: u32 = frames.map(|frame| frame.unwrap().count).sum();
        assert_eq!(u64::from(frames), head.count());
        let failed = opened.journal().append(
            &opened.frames(Seq::FIRST).next().unwrap().unwrap(),
            &femtoclaw_ledger::Head::default(),
        );
        assert_eq!(failed.unwrap_err().code(), "unavailable");
    }
    assert!(!in_tables().tables().is_empty(), "the scene has tables");
}

#[test]
fn counts_executions_and_traces_come_from_the_records_alone() {
    let scene = in_log();
    let opened = scene.opened();
    let summary = opened.summary().unwrap();
    assert_eq!(
        (summary.records, summary.unreadable),
        (opened.head().count(), 0)
    );
    let started = femtoclaw_ledger::events::EventType::ExecutionStarted;
    assert_eq!(summary.events[&started], EXECUTIONS as u64);
    assert!(summary.stores[&Store::AuditLog] > summary.stores[&Store::ExecutionLog]);
    let running = *scene.made.executions.last().unwrap();
    assert_eq!(
        summary.unfinished.into_iter().collect::<Vec<_>>(),
        [running]
    );
    let traced = opened.reconstruct(scene.made.executions[5]).unwrap();
    assert!(traced.complete);
    assert_eq!(traced.trace.unwrap().steps.len(), 5);
    let checkpoints = opened.checkpoints().unwrap();
    assert!(checkpoints.len() >= 2);
    let export = scene.directory.path().join("export");
    let last = checkpoints.last().unwrap();
    opened.export(&last.note, &export).unwrap();
    assert!(export.join("checkpoint").exists());
    let again = opened.export(&last.note, &export).unwrap_err();
    assert!(again.to_string().contains("exists"), "{again}");
}

#[test]
fn views_are_made_in_a_scratch_directory_that_goes_with_them() {
    let scene = in_log();
    let scratch = scene.directory.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let options = |scratch: &std::path::Path| ReadOnlyOptions {
        scratch: Some(scratch.to_owned()),
        ..ReadOnlyOptions::default()
    };
    let before = state(&scene.path);
    let opened = Ledger::open_read_only(&scene.path, options(&scratch)).unwrap();
    let views = opened.views().unwrap();
    let made = fs::read_dir(&scratch).unwrap().next().unwrap().unwrap();
    assert_eq!(made.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let entry = views.executions.get(scene.made.executions[7]).unwrap();
    assert_eq!(entry.unwrap().status, ExecutionStatus::Completed);
    let filter = Filter {
        execution: Some(scene.made.executions[7]),
        ..Filter::default()
    };
    let found = views.indexes.query(&filter, 100).unwrap();
    let expected = scene.made.records.iter();
    let expected = expected.filter(|it| it.header.execution == scene.made.executions[7]);
    let expected: Vec<_> = expected.map(|record| record.header.seq).collect();
    assert_eq!(found, expected);
    assert_eq!(
        views.tree.read(|tree| Ok(tree.size())).unwrap(),
        opened.head().count()
    );
    drop(views);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
    drop(opened);
    assert!(state(&scene.path) == before, "changed by views");
    // Never in the ledger itself.
    let opened = Ledger::open_read_only(&scene.path, options(&scene.path)).unwrap();
    assert_eq!(opened.views().unwrap_err().code(), "views");
    assert!(state(&scene.path) == before);
}

#[tokio::test]
async fn a_writer_keeps_readers_out_and_readers_keep_a_writer_out() {
    let scene = in_log();
    let (ledger, root) = Ledger::open(&scene.path, Options::default()).await.unwrap();
    let refused = Ledger::open_read_only(&scene.path, ReadOnlyOptions::default());
    let error = refused.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the ledger is locked by process {}", std::process::id())
    );
    root.close(crate::scene::WAIT).await.unwrap();
    drop((ledger, root));
    let one = scene.opened();
    let two = scene.opened();
    let error = Ledger::open(&scene.path, Options::default()).await;
    let error = error.unwrap_err();
    // Who reads leaves no number, and the last writer's is not the answer.
    assert!(
        matches!(error, femtoclaw_ledger::OpenError::Locked { pid: 0 }),
        "{error}"
    );
    drop((one, two));
    let opened = Ledger::open(&scene.path, Options::default()).await;
    opened.unwrap().1.close(crate::scene::WAIT).await.unwrap();
}

/// As a user who may only read: the directory and all that is in it has no permission to write.
#[test]
fn permission_to_read_is_enough() {
    if let Some(path) = child_path() {
        let opened = Ledger::open_read_only(&path, ReadOnlyOptions::default());
        let opened = opened.unwrap_or_else(|error| panic!("{error}"));
        eprintln!(
            "read {}",
            opened.range(Seq::FIRST).filter(Result::is_ok).count()
        );
        let denied = fs::write(path.join("more"), b"x");
        eprintln!("write {}", denied.is_err());
        return;
    }
    let scene = in_tables();
    let root = scene.directory.path();
    if std::os::unix::fs::MetadataExt::uid(&fs::metadata(root).unwrap()) != 0 {
        eprintln!("SKIPPED: only root can become another user; run it as root");
        return;
    }
    let change = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).unwrap();
    };
    for (path, _, _) in state(&scene.path) {
        change(&path, if path.is_dir() { 0o500 } else { 0o400 });
    }
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
    let before = state(&scene.path);
    let original = child_command("reading::permission_to_read_is_enough", &scene.path);
    let output = as_nobody(&original, &root.join("program"));
    let told = String::from_utf8(output.stderr).unwrap();
    let records = scene.opened().head().count();
    assert!(told.contains(&format!("read {records}")), "{told}");
    assert!(told.contains("write true"), "{told}");
    assert!(state(&scene.path) == before);
    assert!(Scene::found(&scene.opened()).is_empty());
}
