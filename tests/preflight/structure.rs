// SPDX-License-Identifier: Apache-2.0
//! The directories and small files of the database, which the engine does not check.

use std::fs;
use std::path::{Path, PathBuf};

use femtoclaw_ledger::OpenError;
use femtoclaw_ledger::journal::{FjallJournal, Journal, JournalOptions};

use crate::scene::{RECORDS, Scene, append};

fn damaged(error: &OpenError) -> &Path {
    match error {
        OpenError::Damaged { path, .. } => path,
        other => panic!("{other}"),
    }
}

/// With tables, too.
fn with_tables() -> Scene {
    let scene = Scene::new(1);
    let options = JournalOptions {
        memtable_bytes: 16 << 10,
        ..JournalOptions::default()
    };
    // The size counts from the creation on, so a journal of its own.
    fs::remove_dir_all(&scene.path).unwrap();
    let journal = FjallJournal::open(&scene.path, &options).unwrap();
    append(&journal, 40);
    // The engine makes them in the background, and a close does not wait for it.
    for _ in 0..3_000 {
        if !tables(&scene).is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    journal.close();
    assert!(!tables(&scene).is_empty());
    scene
}

fn tables(scene: &Scene) -> Vec<PathBuf> {
    let tables = fs::read_dir(scene.path.join("keyspaces/1/tables")).unwrap();
    tables.map(|entry| entry.unwrap().path()).collect()
}

/// Every byte of every small file that the engine rests on: `version`, `current`, the manifests.
#[test]
fn a_flip_in_a_small_file_is_refused_and_the_file_named() {
    let scene = with_tables();
    scene.opens_with(40 * RECORDS);
    let mut files = vec![scene.path.join("version")];
    for keyspace in ["keyspaces/0", "keyspaces/1"] {
        let current = scene.path.join(keyspace).join("current");
        let number: [u8; 8] = fs::read(&current).unwrap()[..8].try_into().unwrap();
        // An older manifest may lie beside it: nobody reads that.
        files.push(current.with_file_name(format!("v{}", u64::from_le_bytes(number))));
        files.push(current);
    }
    for file in files {
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&file, bytes).unwrap();
            let error = scene.refused(0);
            // A `current` that names another manifest: that one is missing or not the one.
            let named = damaged(&error);
            assert!(named.parent() == file.parent(), "{error}");
        }
        for bytes in [&[][..], &whole[..whole.len() / 2]] {
            fs::write(&file, bytes).unwrap();
            scene.refused(0);
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(damaged(&scene.refused(0)), file);
        fs::write(&file, &whole).unwrap();
    }
    scene.opens_with(40 * RECORDS);
}

/// Power cuts take directory entries that nobody synced: the engine would make them anew, empty.
#[test]
fn a_missing_directory_is_refused_and_named() {
    for missing in [
        "keyspaces",
        "keyspaces/0",
        "keyspaces/1",
        "keyspaces/1/tables",
    ] {
        let scene = with_tables();
        let missing = scene.path.join(missing);
        fs::remove_dir_all(&missing).unwrap();
        let error = scene.refused(0);
        assert_eq!(damaged(&error), missing, "{error}");
    }
}

#[test]
fn a_missing_or_empty_table_is_refused_and_named() {
    let scene = with_tables();
    let table = tables(&scene).pop().unwrap();
    let whole = fs::read(&table).unwrap();
    fs::remove_file(&table).unwrap();
    assert_eq!(damaged(&scene.refused(0)), table);
    fs::write(&table, b"").unwrap();
    assert_eq!(damaged(&scene.refused(0)), table);
    fs::write(&table, whole).unwrap();
    scene.opens_with(40 * RECORDS);
}

/// The engine removes an older file of the log when it opens: a table that holds the same frames must be
/// whole then.
#[test]
fn a_damaged_table_is_refused_as_long_as_an_older_log_holds_the_same() {
    let scene = with_tables();
    fs::write(scene.path.join("1.jnl"), []).unwrap();
    let number = |table: &PathBuf| -> u64 {
        let name = table.file_name().unwrap().to_str().unwrap();
        name.parse().unwrap()
    };
    let table = tables(&scene).into_iter().max_by_key(number).unwrap();
    let whole = fs::read(&table).unwrap();
    let mut bytes = whole.clone();
    bytes[100] ^= 1;
    fs::write(&table, bytes).unwrap();
    assert_eq!(damaged(&scene.refused(0)), table);
    fs::write(&table, whole).unwrap();
    scene.opens_with(40 * RECORDS);
}

#[test]
fn stray_entries_among_the_keyspaces_are_refused() {
    // The engine panics at a name that is no number, and removes what it has not recorded.
    for stray in ["x", "01", "1.tmp"] {
        let scene = Scene::new(1);
        fs::create_dir(scene.path.join("keyspaces").join(stray)).unwrap();
        scene.refused(0);
    }
}

/// Its number says that it was there: an older log in its place is a gap, not a history.
#[test]
fn a_journal_that_is_gone_is_not_begun_anew() {
    let scene = Scene::new(2);
    fs::remove_dir_all(&scene.path).unwrap();
    let error = scene.refused(2 * RECORDS);
    assert_eq!(error.code(), "acknowledged_records_missing", "{error}");
}
