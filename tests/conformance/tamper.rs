// SPDX-License-Identifier: Apache-2.0
//! What an attacker or a bad disk does to a journal: frames changed past the ledger.

use std::path::Path;
use std::sync::Arc;

use femtoclaw_ledger::events::{HEADER_LEN, Seq};
use femtoclaw_ledger::integrity;
use femtoclaw_ledger::journal::{
    FjallJournal, Frame, Head, Journal, JournalOptions, MemoryJournal,
};

/// Frame header and table entry, as `docs/FORMAT.md` draws them.
pub(crate) const TABLE: usize = 192;
pub(crate) const ENTRY: usize = 40;

/// Every frame with its key, as the database holds them.
pub(crate) type Stored = Vec<(Vec<u8>, Vec<u8>)>;

fn opened(path: &Path) -> (fjall::Database, fjall::Keyspace) {
    let database = fjall::Database::builder(path.join("journal"))
        .open()
        .unwrap();
    let keyspace = database
        .keyspace("frames", || unreachable!("it exists"))
        .unwrap();
    (database, keyspace)
}

fn all(keyspace: &fjall::Keyspace) -> Stored {
    let pair = |guard: fjall::Guard| {
        let (key, value) = guard.into_inner().unwrap();
        (key.to_vec(), value.to_vec())
    };
    keyspace.iter().map(pair).collect()
}

/// The frames of the closed ledger in `path` as they are stored, damaged ones too.
pub(crate) fn stored(path: &Path) -> Stored {
    all(&opened(path).1)
}

/// Hands all stored frames of the closed ledger in `path` to `edit`, and stores what it leaves.
pub(crate) fn tamper(path: &Path, edit: impl FnOnce(&mut Stored)) {
    let (database, keyspace) = opened(path);
    let before = all(&keyspace);
    let mut after = before.clone();
    edit(&mut after);
    assert_ne!(after, before, "nothing was changed");
    let mut batch = database.batch();
    for (key, _) in before {
        batch.remove(&keyspace, key);
    }
    for (key, value) in after {
        batch.insert(&keyspace, key, value);
    }
    batch.commit().unwrap();
    database.persist(fjall::PersistMode::SyncAll).unwrap();
}

/// Copies a directory with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let mode = std::fs::metadata(from).unwrap().permissions();
    std::fs::set_permissions(to, mode).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The frames of the closed ledger in `path`.
pub(crate) fn frames(path: &Path) -> Vec<Frame> {
    let options = JournalOptions::default();
    let journal = FjallJournal::open(&path.join("journal"), &options).unwrap();
    let frames = journal.frames(Seq::FIRST).map(Result::unwrap).collect();
    journal.close();
    frames
}

/// The same frames in memory, as on another machine.
pub(crate) fn exported(path: &Path) -> Arc<MemoryJournal> {
    let journal = MemoryJournal::new();
    let mut after = Head::default();
    for frame in frames(path) {
        journal.append(&frame, &after).unwrap();
        after = frame.last;
    }
    Arc::new(journal.reopen())
}

/// Where a frame's bytes hold the record with this index: from its header on.
pub(crate) fn record_at(frame: &[u8], index: usize) -> usize {
    let decoded = Frame::decode(frame).unwrap();
    let body = TABLE + decoded.count as usize * ENTRY;
    let entry = TABLE + index * ENTRY;
    let offset = u32::from_le_bytes(frame[entry..entry + 4].try_into().unwrap());
    body + offset as usize
}

/// Where the payload of that record begins.
pub(crate) fn payload_at(frame: &[u8], index: usize) -> usize {
    record_at(frame, index) + HEADER_LEN + 16
}

/// Sets the checksums of body, table and header to what the bytes ask for.
pub(crate) fn forge(bytes: &mut [u8], count: usize) {
    let body = TABLE + count * ENTRY;
    let sums = [(144, body..bytes.len()), (160, TABLE..body), (176, 0..176)];
    for (at, range) in sums {
        let sum = integrity::checksum(&bytes[range]);
        bytes[at..at + 16].copy_from_slice(&sum);
    }
}
