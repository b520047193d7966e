// SPDX-License-Identifier: Apache-2.0
//! The database under `views/` when its engine stops.

use std::fs;
use std::path::Path;

use fjall::AbstractTree as _;

use super::super::views::ViewsOptions;
use super::{Generation, MemtableRoom, ViewsDatabase};

fn opened(path: &Path) -> ViewsDatabase {
    let options = ViewsOptions {
        memtable_bytes: 64 << 10,
        ..ViewsOptions::default()
    };
    ViewsDatabase::open(path, &options, 0, Box::new(|_| {})).unwrap()
}

/// Its commits would tell, but none is made while memtables wait: waiting has to find out.
#[test]
fn an_engine_that_has_stopped_is_noticed_while_memtables_wait() {
    // It stops at another moment each time, and not always while they wait.
    (0..20).for_each(|_| stops());
}

fn stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("views");
    let database = opened(&path);
    let generation = database.create("some", 1, 1).unwrap();
    let keyspaces = fs::read_dir(path.join("keyspaces")).unwrap();
    for keyspace in keyspaces {
        fs::remove_dir_all(keyspace.unwrap().path().join("tables")).unwrap();
    }
    let mut commit = 0_u32;
    loop {
        let mut batch = database.batch();
        let key = commit.to_be_bytes();
        batch.insert(&generation.keyspace, key, vec![0_u8; 128 << 10]);
        if batch.commit().is_err() {
            break;
        }
        commit += 1;
    }
    let waits = database.make_room(std::iter::once(&*generation));
    assert!(!matches!(waits, Ok(false)), "it waits for ever");
}

/// Those that wait count as well: without them, what is held would be twice the bound whenever one
/// becomes a table slowly.
#[test]
fn memtables_that_wait_count_towards_the_bound() {
    for (active, waiting, room) in [
        (0, None, MemtableRoom::Free),
        (699, None, MemtableRoom::Free),
        (700, None, MemtableRoom::FullSoon),
        (900, None, MemtableRoom::FullSoon),
        (499, Some((1, 300)), MemtableRoom::Free),
        (500, Some((1, 300)), MemtableRoom::Full),
        (0, Some((1, 900)), MemtableRoom::Full),
        (0, Some((2, 300)), MemtableRoom::Full),
    ] {
        assert_eq!(
            MemtableRoom::of(active, waiting, 800),
            room,
            "{active}, {waiting:?}"
        );
    }
}

/// The bound is that of all views together, not of each.
#[test]
fn memtables_of_all_views_are_counted_together() {
    let directory = tempfile::tempdir().unwrap();
    let database = opened(&directory.path().join("views"));
    let small = database.create("small", 1, 1).unwrap();
    let large = database.create("large", 1, 1).unwrap();
    let fill = |generation: &Generation, bytes: usize| {
        let mut batch = database.batch();
        batch.insert(&generation.keyspace, b"filled", vec![0_u8; bytes]);
        batch.commit().unwrap();
    };
    let held = |generation: &Generation| generation.keyspace.tree.active_memtable().size();
    let both = || [&*small, &*large].into_iter();

    fill(&small, 20 << 10);
    assert!(database.make_room(both()).unwrap());
    assert!(held(&small) > 0, "there is room");
    fill(&large, 40 << 10);
    assert!(database.make_room(both()).unwrap());
    assert_eq!(held(&large), 0, "the largest becomes a table");
    assert!(held(&small) > 0);

    // One waits in each; nobody was told to make tables of them.
    fill(&large, 1);
    for generation in both() {
        assert!(generation.keyspace.tree.rotate_memtable().is_some());
    }
    assert!(!database.make_room(both()).unwrap(), "more would pile up");
}
