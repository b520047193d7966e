// SPDX-License-Identifier: Apache-2.0
//! Files that the engine writes are read here: tied to the exact versions in `Cargo.lock`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use fjall::{Database, KeyspaceCreateOptions, PersistMode};

mod names;

use super::wal::Wal;
use super::{Damage, OpenLog, journal_keyspace, structure};

/// Of these the formats were read: the engine, its trees, its archives, its checksums.
const KNOWN: [(&str, &str); 4] = [
    ("fjall", "3.1.13"),
    ("lsm-tree", "3.1.10"),
    ("sfa", "1.0.0"),
    ("xxhash-rust", "0.8."),
];

#[test]
fn the_engine_is_the_one_whose_format_is_known() {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    for (name, known) in KNOWN {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let found: Vec<_> = lock.match_indices(&entry).collect();
        assert_eq!(found.len(), 1, "{name} must be in Cargo.lock once");
        let version = lock[found[0].0 + entry.len()..].split('"').next().unwrap();
        assert!(
            version.starts_with(known),
            "{name} is {version}, not {known}: read how it writes its log (src/database/batch.rs), \
             `current`, manifests and `version` (src/database/structure.rs) before changing this"
        );
    }
}

fn value(number: u32, length: usize) -> Vec<u8> {
    // The engine's own words within a value mislead nobody.
    let mut value = b"FJL\x03\x01\x01\x00\x00\x00".repeat(1 + length / 9);
    value.truncate(length);
    value.extend_from_slice(&number.to_le_bytes());
    value
}

fn close(database: Database) {
    database.persist(PersistMode::SyncAll).unwrap();
    drop(database);
}

/// Batches of every kind: of several items and keyspaces, empty values, removals, clears.
#[test]
fn all_that_the_engine_writes_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let database = Database::builder(&path).open().unwrap();
    let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default);
    let (one, two) = (keyspace("one").unwrap(), keyspace("two").unwrap());
    let mut batches = 0;
    for number in 0..50_u32 {
        let mut batch = database.batch();
        batch.insert(&one, number.to_be_bytes(), value(number, 0));
        batch.insert(&two, [7; 300], vec![]);
        batch.remove(&one, (number / 2).to_be_bytes());
        batch.remove_weak(&two, [number as u8]);
        batch.insert(&one, [9; 5], value(number, number as usize * 1_000));
        batch.commit().unwrap();
        batches += 1;
    }
    two.clear().unwrap();
    batches += 1;
    close(database);
    drop((one, two));
    let wal = Wal::scan(&path).unwrap();
    let found: Vec<_> = wal
        .files
        .iter()
        .map(|file| (file.id, file.batches))
        .collect();
    assert_eq!(found, [(0, batches)]);
    assert!(wal.torn().is_none() && wal.gap().is_none());
    assert_eq!(wal.last().unwrap().1.keyspace_max, 2);
    let all = structure::check(&path).unwrap();
    assert_eq!(all, BTreeSet::from([0, 1, 2]));
}

fn last_value(wal: &Wal) -> Vec<u8> {
    let (file, batch) = wal.last().unwrap();
    let mut value = vec![0; batch.last_value.1 as usize];
    let log = fs::File::open(&file.path).unwrap();
    log.read_exact_at(&mut value, batch.last_value.0).unwrap();
    value
}

fn fill(path: &Path, numbers: std::ops::Range<u32>) {
    let database = super::open(path, 1 << 20, 10).unwrap();
    let frames = database
        .keyspace("frames", || journal_keyspace(4 << 20))
        .unwrap();
    for number in numbers {
        let mut batch = database.batch();
        batch.insert(&frames, number.to_be_bytes(), value(number, 1 << 20));
        batch.commit().unwrap();
    }
    drop(frames);
    close(database);
}

/// The engine begins a new file at 64 MB, and removes the old one when all of it is in tables.
#[test]
fn a_log_of_several_files_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    super::create(&path, &[("frames", journal_keyspace(4 << 20))]).unwrap();
    let mut from = 0;
    while Wal::scan(&path).unwrap().files.last().unwrap().id == 0 {
        assert!(from < 400, "the log was never rotated");
        fill(&path, from..from + 40);
        from += 40;
        let wal = Wal::scan(&path).unwrap();
        let rotated = wal.files.last().unwrap().id > 0;
        match wal.last().is_some() {
            true => assert_eq!(last_value(&wal), value(from - 1, 1 << 20)),
            // All of it may be in tables already, and the new file as empty as it was made.
            false => assert!(rotated, "an empty log that was never rotated"),
        }
    }
    let wal = Wal::scan(&path).unwrap();
    assert!(wal.torn().is_none() && wal.gap().is_none());
    // And all is there for the engine too, tables included.
    assert_eq!(structure::check(&path).unwrap(), BTreeSet::from([0, 1]));
    let database = super::open(&path, 1 << 20, 10).unwrap();
    let frames = database
        .keyspace("frames", || journal_keyspace(4 << 20))
        .unwrap();
    assert_eq!(frames.len().unwrap(), from as usize);
    assert!(frames.table_count() > 0);
}

/// Data, index, filter, meta blocks and the trailer: the engine checks a block when it reads it, and
/// of a table that nobody asks it reads next to nothing.
#[test]
fn every_byte_of_a_table_is_covered_filters_included() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    super::create(&path, &[("views", KeyspaceCreateOptions::default())]).unwrap();
    let database = super::open(&path, 1 << 20, 10).unwrap();
    let views = database
        .keyspace("views", KeyspaceCreateOptions::default)
        .unwrap();
    for number in 0..600_u32 {
        let mut batch = database.batch();
        batch.insert(&views, number.to_be_bytes(), value(number, 20));
        batch.commit().unwrap();
    }
    views.rotate_memtable_and_wait().unwrap();
    drop(views);
    close(database);
    let inspection = super::look_through(&path, None);
    assert!(inspection.damages.is_empty(), "{:?}", inspection.damages);
    let mut own = inspection.tables.iter();
    let table = own.find(|table| table.path.starts_with(path.join("keyspaces/1")));
    let table = table.unwrap();
    assert!(table.check(&mut |_| true).unwrap());
    let whole = fs::read(&table.path).unwrap();
    // A filter block, by its header.
    let filter = whole.windows(5).any(|found| found == b"LSM\x03\x02");
    assert!(filter && whole.len() < 64 << 10, "{} bytes", whole.len());
    // Data blocks come first, without gaps: what is wrong within one is told by its beginning.
    let begins = whole.windows(4).enumerate();
    let begins: Vec<_> = begins
        .filter(|(_, four)| *four == b"LSM\x03")
        .map(|(at, _)| at)
        .take(3)
        .collect();
    let second = begins[1] + 33..begins[2];
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&table.path, bytes).unwrap();
        let damage = table.check(&mut |_| true).unwrap_err();
        let (named, offset) = damage.place();
        assert_eq!(named, table.path);
        assert!(offset.is_none_or(|offset| offset <= at as u64), "{damage}");
        if second.contains(&at) {
            assert_eq!(offset, Some(begins[1] as u64), "{damage}");
        }
    }
    for bytes in [
        &whole[..whole.len() - 1],
        &[whole.as_slice(), b"x"].concat(),
        b"",
    ] {
        fs::write(&table.path, bytes).unwrap();
        table.check(&mut |_| true).unwrap_err();
    }
    fs::write(&table.path, &whole).unwrap();
    assert!(table.check(&mut |_| true).unwrap());
    // A caller that wants to stop is heard.
    assert!(!table.check(&mut |_| false).unwrap());
}

#[test]
fn a_table_says_which_key_it_begins_with() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    super::create(&path, &[("frames", journal_keyspace(4 << 20))]).unwrap();
    let database = super::open(&path, 1 << 20, 10).unwrap();
    let frames = || database.keyspace("frames", || journal_keyspace(4 << 20));
    let begins = [300_u64, 7_000, u64::MAX - 1];
    for first in begins {
        for number in [first, first + 1] {
            let mut batch = database.batch();
            let value = value(number as u32, 30_000);
            batch.insert(&frames().unwrap(), number.to_be_bytes(), value);
            batch.commit().unwrap();
        }
        frames().unwrap().rotate_memtable_and_wait().unwrap();
    }
    close(database);
    let inspection = super::look_through(&path, None);
    let of_frames = path.join("keyspaces/1");
    let own = inspection.tables.iter();
    let own = own.filter(|table| table.path.starts_with(&of_frames));
    let keys: BTreeSet<_> = own
        .clone()
        .map(|table| table.first_key().unwrap())
        .collect();
    assert_eq!(keys, BTreeSet::from(begins.map(u64::to_be_bytes)));
    for table in own {
        let whole = fs::read(&table.path).unwrap();
        // A header that is not whole, a longer key, no room for one.
        for (at, length) in [
            (6, whole.len()),
            (33 + 2, whole.len()),
            (whole.len() - 1, 50),
        ] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            bytes.truncate(length);
            fs::write(&table.path, bytes).unwrap();
            assert_eq!(table.first_key(), None, "byte {at}, {length} bytes");
        }
        fs::remove_file(&table.path).unwrap();
        assert_eq!(table.first_key(), None);
    }
}

/// What follows the last whole batch of an open log was cut, unless a write is under way or has failed; and a
/// log that is to hold something has a batch.
#[test]
fn the_end_of_an_open_log_is_a_failed_writes_where_one_failed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    super::create(&path, &[("frames", KeyspaceCreateOptions::default())]).unwrap();
    let open = super::open(&path, 1 << 20, 10).unwrap();
    let frames = open
        .keyspace("frames", KeyspaceCreateOptions::default)
        .unwrap();
    let mut batch = open.batch().durability(Some(PersistMode::SyncData));
    batch.insert(&frames, [1], value(1, 500));
    batch.commit().unwrap();
    let wal = Wal::scan(&path).unwrap();
    let (file, last) = wal.last().unwrap();
    let (log, start, end) = (file.path.clone(), last.start, last.end);
    let look = |is_unfinished, holds| {
        let ask = || OpenLog {
            files_min: 1,
            holds,
            is_unfinished,
            is_making: false,
        };
        let found = super::look_through(&path, Some(&ask));
        let places = |found: &[Damage]| found.iter().map(Damage::place).collect::<Vec<_>>();
        (
            places(&found.damages),
            found.unfinished.map(|it| it.place()),
        )
    };
    assert_eq!(look(false, true), (vec![], None));
    let bytes = fs::OpenOptions::new().write(true).open(&log).unwrap();
    bytes.write_all_at(b"half of a batch", end).unwrap();
    let behind = (log.clone(), Some(end));
    assert_eq!(look(false, true), (vec![behind.clone()], None));
    assert_eq!(look(true, true), (vec![], Some(behind)));
    // The only batch.
    bytes.write_all_at(b"x", start).unwrap();
    let (damages, unfinished) = look(true, true);
    assert_eq!(damages, [(path.clone(), None)]);
    assert_eq!(unfinished, Some((log, Some(0))));
    assert_eq!(look(true, false).0, []);
}

/// A keyspace is there before what it holds, for as long as the medium takes to sync that.
#[test]
fn a_keyspace_that_is_being_made_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    super::create(&path, &[("views", KeyspaceCreateOptions::default())]).unwrap();
    let making = path.join("keyspaces/7");
    fs::create_dir_all(making.join("tables")).unwrap();
    let look = |is_making| {
        let ask = || OpenLog {
            is_making,
            ..OpenLog::default()
        };
        let damages = super::look_through(&path, Some(&ask)).damages;
        damages.iter().map(Damage::place).collect::<Vec<_>>()
    };
    assert_eq!(look(true), []);
    let missing = (making.join("current"), None);
    assert_eq!(look(false), [missing]);
    // A whole one in bytes that are no manifest's is damage at any time.
    fs::write(making.join("current"), b"?").unwrap();
    assert_eq!(look(true).len(), 1);
}
