// SPDX-License-Identifier: Apache-2.0
//! What is found in a damaged ledger, and what can still be read of it.

use std::fs;

use femtoclaw_ledger::{Ledger, Options, Record, Seq, read_only::ReadOnly};

use crate::scene::{Scene, find, flip, in_log, in_tables, needle};

/// Every record that is shown is the one that was written; gives those that are not shown.
pub(crate) fn lost(scene: &Scene, opened: &ReadOnly) -> Vec<u64> {
    let mut lost = Vec::new();
    for record in &scene.made.records {
        match opened.get(record.header.seq) {
            Ok(Some(shown)) => assert_eq!(&shown, record),
            Ok(None) => lost.push(record.header.seq.get()),
            Err(error) => {
                assert_eq!(error.code(), "damaged", "{error}");
                lost.push(record.header.seq.get());
            }
        }
    }
    let shown: Vec<Record> = opened.range(Seq::FIRST).filter_map(Result::ok).collect();
    let shown = shown
        .iter()
        .filter(|it| it.header.seq.get() <= scene.made.head());
    assert_eq!(shown.count() + lost.len(), scene.made.records.len());
    lost
}

/// The normal opening says no, and with which word.
pub(crate) async fn refused(scene: &Scene) -> &'static str {
    let refused = Ledger::open(&scene.path, Options::default()).await;
    refused.map(|_| ()).unwrap_err().code()
}

#[test]
fn a_torn_tail_is_told_and_stays() {
    let scene = in_log();
    scene.tear();
    let opened = scene.opened();
    assert_eq!(Scene::found(&opened), ["torn_tail"]);
    assert!(!opened.is_damaged());
    assert_eq!(lost(&scene, &opened), [0_u64; 0]);
    let finding = &opened.findings()[0];
    let end = scene.written().len();
    assert!(
        finding.offset.is_some_and(|at| at as usize > end - 70),
        "{finding}"
    );
    assert_eq!(finding.path.as_ref(), Some(&scene.logs()[0]));
}

/// It is told as it is, and no log is missing before it.
#[test]
fn a_directory_that_is_named_as_a_log_is_no_log() {
    let scene = in_log();
    let odd = scene.path.join("journal/9.jnl");
    fs::create_dir(&odd).unwrap();
    let opened = scene.opened();
    let told: Vec<_> = opened.findings().iter().map(ToString::to_string).collect();
    let paths = opened.findings().iter().map(|it| it.path.clone().unwrap());
    assert_eq!(paths.collect::<Vec<_>>(), [odd], "{told:?}");
    assert_eq!(lost(&scene, &opened), [0_u64; 0]);
}

#[tokio::test]
async fn a_flip_in_a_payload_in_the_log_costs_that_record_and_no_other() {
    let scene = in_log();
    let bad = scene.decided(11).header.seq.get();
    let log = &scene.logs()[0];
    flip(log, find(log, &needle(11)).unwrap());
    let opened = scene.opened();
    assert_eq!(lost(&scene, &opened), [bad]);
    assert_eq!(Scene::found(&opened), ["frame_damaged", "log_damaged"]);
    assert!(opened.is_damaged());
    // The history stops before the frame with that record, and goes on to be shown behind it.
    assert!(opened.verified().count() < bad && opened.verified().count() + 5 > bad);
    assert!(opened.head().count() >= scene.made.head());
    // Without an anchor nobody vouches for what lies behind the damage; it is shown, and said.
    fs::rename(scene.path.join("ANCHOR"), scene.path.join("away")).unwrap();
    let unsure = scene.opened();
    assert!(Scene::found(&unsure).contains(&"unconfirmed"));
    assert_eq!(unsure.verified(), opened.verified());
    assert_eq!(lost(&scene, &unsure), [bad]);
    drop(unsure);
    fs::rename(scene.path.join("away"), scene.path.join("ANCHOR")).unwrap();
    let first = scene.made.executions[11];
    assert!(!opened.reconstruct(first).unwrap().complete);
    assert!(opened.reconstruct(first).unwrap().trace.is_some());
    drop(opened);
    assert_eq!(refused(&scene).await, "damaged");
}

/// What the engine puts around a frame can be damaged and the frame be whole: nothing is lost.
#[test]
fn a_flip_between_frames_in_the_log_loses_nothing() {
    let scene = in_log();
    let log = &scene.logs()[0];
    let bytes = fs::read(log).unwrap();
    let trailers = bytes.windows(4).enumerate();
    let trailers: Vec<_> = trailers.filter(|(_, four)| *four == b"FJL\x03").collect();
    let middle = trailers[trailers.len() / 2].0;
    // The trailer, the checksum before it, and the tag of the batch that follows.
    for at in [middle + 1, middle - 3, middle + 4] {
        flip(log, at);
        let opened = scene.opened();
        assert_eq!(Scene::found(&opened), ["log_damaged"], "{at}");
        assert_eq!(lost(&scene, &opened), [0_u64; 0]);
        assert_eq!(opened.verified(), opened.head());
        drop(opened);
        // Nor where nothing claims the end: every byte up to there is accounted for.
        fs::rename(scene.path.join("ANCHOR"), scene.path.join("away")).unwrap();
        let opened = scene.opened();
        assert_eq!(Scene::found(&opened), ["anchor", "log_damaged"], "{at}");
        assert_eq!(opened.verified(), opened.head());
        drop(opened);
        fs::rename(scene.path.join("away"), scene.path.join("ANCHOR")).unwrap();
        flip(log, at);
    }
}

/// The table in which an execution's arguments lie, and in no log.
fn table_with(scene: &Scene, number: usize) -> std::path::PathBuf {
    let text = needle(number);
    let holds = |path: &std::path::PathBuf| find(path, &text).is_some();
    assert!(!scene.logs().iter().any(holds), "it is in the log too");
    scene.tables().into_iter().find(holds).unwrap()
}

/// An execution whose arguments lie in a table alone.
pub(crate) fn in_a_table(scene: &Scene) -> (usize, std::path::PathBuf) {
    let number = 5;
    (number, table_with(scene, number))
}

#[test]
fn a_damaged_table_costs_what_is_damaged() {
    let scene = in_tables();
    let (number, table) = in_a_table(&scene);
    let bad = scene.decided(number).header.seq.get();
    let at = find(&table, &needle(number)).unwrap();
    flip(&table, at);
    let opened = scene.opened();
    assert_eq!(lost(&scene, &opened), [bad]);
    assert_eq!(Scene::found(&opened), ["frame_damaged", "table_damaged"]);
    let finding = &opened.findings()[0];
    assert_eq!(finding.path.as_ref(), Some(&table));
    assert!(
        finding.offset.is_some_and(|block| block as usize <= at),
        "{finding}"
    );
    drop(opened);
    // A block's header; and what is behind the blocks, which holds no frame.
    flip(&table, at);
    let length = fs::metadata(&table).unwrap().len() as usize;
    for at in [2, length - 3] {
        flip(&table, at);
        let opened = scene.opened();
        assert_eq!(Scene::found(&opened), ["table_damaged"], "{at}");
        assert_eq!(lost(&scene, &opened), [0_u64; 0]);
        assert_eq!(opened.verified(), opened.head());
        drop(opened);
        flip(&table, at);
    }
    assert!(Scene::found(&scene.opened()).is_empty());
}

/// The scene is what the engine would leave: it opens.
#[tokio::test]
async fn a_ledger_with_most_of_it_in_tables_opens() {
    let scene = in_tables();
    let (_, table) = in_a_table(&scene);
    assert!(table.exists());
    let opened = Ledger::open(&scene.path, Options::default()).await;
    assert!(opened.unwrap().0.head().count() > scene.made.head());
}

#[tokio::test]
async fn a_deleted_table_is_a_gap_that_is_named() {
    let scene = in_tables();
    let (number, table) = in_a_table(&scene);
    let bad = scene.decided(number).header.seq.get();
    fs::remove_file(&table).unwrap();
    let opened = scene.opened();
    assert_eq!(Scene::found(&opened), ["records_missing", "table_missing"]);
    let lost = lost(&scene, &opened);
    assert!(lost.contains(&bad));
    let gap = opened.findings().iter().find(|it| it.records.is_some());
    assert_eq!(gap.unwrap().records, Some(lost[0]..=*lost.last().unwrap()));
    assert_eq!(opened.verified().count() + 1, lost[0]);
    let errors = opened.range(Seq::FIRST).filter(Result::is_err).count();
    assert_eq!(errors, 1, "a gap is one error");
    drop(opened);
    assert_eq!(refused(&scene).await, "damaged");
}

#[tokio::test]
async fn an_anchor_that_is_missing_or_claims_more_is_told() {
    let scene = in_log();
    let bytes = scene.written();
    // The last whole batch is gone.
    fs::write(&scene.logs()[0], &bytes[..bytes.len() - 20]).unwrap();
    let opened = scene.opened();
    assert_eq!(Scene::found(&opened), ["acknowledged_missing", "torn_tail"]);
    assert!(opened.anchored().unwrap().seq > opened.head().seq);
    assert_eq!(opened.verified(), opened.head());
    drop(opened);
    assert_eq!(refused(&scene).await, "acknowledged_records_missing");
    let scene = in_log();
    fs::remove_file(scene.path.join("ANCHOR")).unwrap();
    let opened = scene.opened();
    assert_eq!(Scene::found(&opened), ["anchor"]);
    assert_eq!(lost(&scene, &opened), [0_u64; 0]);
    drop(opened);
    assert_eq!(refused(&scene).await, "anchor");
}

#[test]
fn small_files_of_the_engine_and_of_ours_can_be_gone() {
    for name in ["version", "keyspaces/1/current", "keyspaces/0/current"] {
        let scene = in_tables();
        fs::remove_file(scene.path.join("journal").join(name)).unwrap();
        let opened = scene.opened();
        assert_eq!(Scene::found(&opened), ["structure"], "{name}");
        assert_eq!(lost(&scene, &opened), [0_u64; 0], "{name}");
        assert_eq!(opened.verified(), opened.head(), "{name}");
    }
    for damaged in [false, true] {
        let scene = in_log();
        let id = scene.opened().id();
        match damaged {
            true => flip(&scene.path.join("LEDGER"), 40),
            false => fs::remove_file(scene.path.join("LEDGER")).unwrap(),
        }
        let opened = scene.opened();
        assert_eq!(Scene::found(&opened), ["identity"]);
        assert!(opened.identity().is_none() && opened.id() == id);
        assert_eq!(lost(&scene, &opened), [0_u64; 0]);
    }
}

/// Anything anywhere: what is shown was written, what is not shown is told, and nothing is changed.
#[test]
fn no_damage_gives_a_wrong_answer() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let (mut whole, mut some) = (0, 0);
    for round in 0..60 {
        let scene = in_tables();
        let mut files = scene.tables();
        files.extend(scene.logs());
        files.push(scene.path.join("ANCHOR"));
        files.push(scene.path.join("journal/keyspaces/1/current"));
        let file = &files[next(files.len())];
        let length = fs::metadata(file).unwrap().len() as usize;
        let at = next(length);
        match round % 4 {
            0 | 1 => flip(file, at),
            2 => fs::write(file, &fs::read(file).unwrap()[..at]).unwrap(),
            _ => {
                let mut bytes = fs::read(file).unwrap();
                let end = (at + 512).min(length);
                bytes[at..end].fill(0);
                fs::write(file, bytes).unwrap();
            }
        }
        let opened = scene.opened();
        let lost = lost(&scene, &opened);
        assert!(lost.is_empty() || !opened.findings().is_empty(), "{round}");
        match lost.is_empty() {
            true => whole += 1,
            false => some += 1,
        }
    }
    assert!(whole > 5 && some > 5, "{whole} {some}");
}
