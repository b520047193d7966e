// SPDX-License-Identifier: Apache-2.0
//! What only the journal on disk does: create itself whole, notice damage, keep others out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use femtoclaw_ledger::OpenError;
use femtoclaw_ledger::journal::*;

use crate::fixtures::{frame, frame_in, seq};

fn open(path: &Path) -> Result<FjallJournal, OpenError> {
    FjallJournal::open(path, &JournalOptions::default())
}

/// Every file and directory under `path`, with its mode.
pub(crate) fn modes(path: &Path) -> Vec<(String, u32)> {
    let metadata = path.symlink_metadata().unwrap();
    let mut all = vec![(
        path.display().to_string(),
        metadata.permissions().mode() & 0o7777,
    )];
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            all.extend(modes(&entry.unwrap().path()));
        }
    }
    all
}

#[test]
fn a_creation_that_was_cut_short_is_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    // What a kill leaves in the middle of the engine's creation: unopenable for ever.
    let creating = directory.path().join("journal.creating");
    fs::create_dir_all(creating.join("keyspaces")).unwrap();
    fs::write(creating.join("0.jnl"), b"").unwrap();
    fs::write(creating.join("version"), b"FJ").unwrap();
    let journal = open(&path).unwrap();
    journal
        .append(&frame(Head::default(), 1), &Head::default())
        .unwrap();
    assert!(!creating.exists());
}

#[test]
fn a_journal_without_its_version_file_is_damaged_and_not_new() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let journal = open(&path).unwrap();
    journal
        .append(&frame(Head::default(), 1), &Head::default())
        .unwrap();
    journal.close();
    fs::remove_file(path.join("version")).unwrap();
    let before = modes(&path);
    let error = open(&path).unwrap_err();
    assert_eq!(error.code(), "damaged", "{error}");
    assert_eq!(modes(&path), before);
}

#[test]
fn files_are_private_after_creation_and_after_a_close() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let options = JournalOptions {
        memtable_bytes: 64 << 10,
        ..JournalOptions::default()
    };
    let journal = FjallJournal::open(&path, &options).unwrap();
    assert_private(&path);
    // Enough to make tables beside the write-ahead log.
    for _ in 0..40 {
        let head = journal.head().unwrap();
        journal.append(&frame(head, 64), &head).unwrap();
    }
    journal.close();
    assert_private(&path);
    // A process that was killed leaves what the engine's threads made: put right at opening. (What
    // they make from then on lies behind the directory's 0700, until the next close or opening.)
    let files: Vec<_> = modes(&path).into_iter().map(|(name, _)| name).collect();
    for file in files.iter().filter(|name| Path::new(name).is_file()) {
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let journal = open(&path).unwrap();
    for (name, mode) in modes(&path).iter().filter(|(name, _)| files.contains(name)) {
        assert_eq!(
            *mode,
            if Path::new(name).is_dir() {
                0o700
            } else {
                0o600
            },
            "{name}"
        );
    }
    assert_eq!(journal.head().unwrap().count(), 40 * 64);
    journal
        .frames(seq(1))
        .for_each(|frame| frame.unwrap().verify().unwrap());
}

fn assert_private(path: &Path) {
    for (name, mode) in modes(path) {
        let expected = if Path::new(&name).is_dir() {
            0o700
        } else {
            0o600
        };
        assert_eq!(mode, expected, "{name}");
    }
}

#[test]
fn a_second_opening_is_refused_while_the_first_lives() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let journal = open(&path).unwrap();
    assert_eq!(open(&path).unwrap_err().code(), "database");
    // A walk that is still alive does not keep the journal open.
    journal
        .append(&frame(Head::default(), 1), &Head::default())
        .unwrap();
    let walk = journal.frames(seq(1));
    journal.close();
    let again = open(&path).unwrap();
    assert_eq!(again.head().unwrap().count(), 1);
    drop(walk);
}

/// Frames put into the database past the journal, as only damage could.
fn put(path: &Path, frames: &[(u64, Vec<u8>)]) {
    let database = fjall::Database::builder(path).open().unwrap();
    let keyspace = database
        .keyspace("frames", || unreachable!("it exists"))
        .unwrap();
    let mut batch = database.batch();
    for (key, value) in frames {
        batch.insert(&keyspace, key.to_be_bytes(), value.clone());
    }
    batch.commit().unwrap();
    database.persist(fjall::PersistMode::SyncAll).unwrap();
}

#[test]
fn a_missing_or_exchanged_frame_is_named() {
    let one = frame(Head::default(), 2);
    let two = frame(one.last, 3);
    let three = frame(two.last, 1);
    let other_two = frame_in(
        1,
        Head {
            hash: [3; 32],
            ..one.last
        },
        3,
    );
    let bytes = |frame: &Frame| frame.bytes().to_vec();
    let cases = [
        (
            "missing",
            vec![(1, bytes(&one)), (6, bytes(&three))],
            3,
            FrameProblem::Missing,
        ),
        (
            "first missing",
            vec![(3, bytes(&two)), (6, bytes(&three))],
            1,
            FrameProblem::Missing,
        ),
        (
            "exchanged",
            vec![(1, bytes(&one)), (3, bytes(&other_two)), (6, bytes(&three))],
            3,
            FrameProblem::Chain,
        ),
        (
            "under another key",
            vec![(1, bytes(&one)), (4, bytes(&two)), (6, bytes(&three))],
            3,
            FrameProblem::Seq { found: 3 },
        ),
    ];
    for (name, frames, bad, problem) in cases {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        open(&path).unwrap().close();
        put(&path, &frames);
        let journal = open(&path).unwrap();
        let last = journal.frames(seq(1)).last().unwrap();
        assert_eq!(
            last,
            Err(ReadFailure::Damaged {
                seq: seq(bad),
                problem
            }),
            "{name}"
        );
        if name.contains("missing") {
            let found = journal.frame_at(seq(bad));
            let problem = FrameProblem::Missing;
            assert_eq!(
                found,
                Err(ReadFailure::Damaged {
                    seq: seq(bad),
                    problem
                }),
                "{name}"
            );
        }
    }
}

#[test]
fn nothing_is_appended_to_a_bad_tail() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    open(&path).unwrap().close();
    let mut bytes = frame(Head::default(), 2).bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    put(&path, &[(1, bytes)]);
    let error = open(&path).unwrap_err();
    assert_eq!(error.code(), "journal_damaged", "{error}");
}
