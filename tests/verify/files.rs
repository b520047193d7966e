// SPDX-License-Identifier: Apache-2.0
//! One byte in a file of every kind, while the ledger is open.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use femtoclaw_ledger::{
    Ledger, Seq,
    verify::{Verified, VerifyOptions, VerifyProgress},
};

use crate::scene::{Scene, flip, options, used};
use crate::shared::WAIT;

/// The files that are named. Records are named as well where the engine has to read what is damaged.
fn named(verified: &Verified) -> BTreeSet<PathBuf> {
    let damages = verified.damages.iter();
    let files = damages.filter(|damaged| damaged.seq.is_none());
    files.map(|damaged| damaged.path.clone()).collect()
}

/// Files that hold nothing to be verified.
fn is_beside(name: &str) -> bool {
    matches!(name, "LOCK" | "lock" | "SCRUB")
}

/// What kind of file it is: the directory of a keyspace has its number in its name.
fn kind(name: &str) -> String {
    let parts = name.split('/').map(|part| {
        let is_number = part.trim_start_matches('v').parse::<u64>().is_ok();
        if is_number { "n" } else { part }
    });
    let name = parts.collect::<Vec<_>>().join("/");
    match name.rsplit_once('.') {
        Some((_, "jnl")) => format!("{}.jnl", &name[..name.rfind('/').unwrap() + 1]),
        Some((_, "snapshot")) => "snapshots/.snapshot".to_owned(),
        _ => name,
    }
}

/// One bit of this byte is found, the file named, and nothing changed; it is flipped back.
async fn flipped(scene: &Scene, path: &Path, at: u64) {
    flip(path, at);
    let before = scene.bytes();
    let found = scene.verify().await;
    let text = format!("{}, byte {at}: {:?}", path.display(), found.damages);
    assert!(scene.bytes() == before, "{text}: verifying changed bytes");
    // A damaged `current` may name another manifest: the one that is missing is named too.
    let same = |found: &PathBuf| {
        found == path || (path.ends_with("current") && found.parent() == path.parent())
    };
    assert!(
        !found.is_sound() && named(&found).iter().all(same),
        "{text}"
    );
    // Where a place in the file is known, it is not behind the damage.
    let offsets = found.damages.iter().filter_map(|damaged| damaged.offset);
    assert!(offsets.max().is_none_or(|offset| offset <= at), "{text}");
    flip(path, at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_in_a_file_of_every_kind_is_found_and_the_file_named() {
    let scene = Scene::filled(|_| {}).await;
    let sound = scene.verify().await;
    assert!(sound.is_sound(), "{:?}", sound.damages);
    assert_eq!(sound.not_checked, [""; 0]);
    assert!(sound.checkpoints >= 5 && sound.root.is_some());

    let mut kinds = BTreeSet::new();
    for path in scene.files("") {
        let name = path.strip_prefix(scene.path("")).unwrap();
        let name = name.to_string_lossy().into_owned();
        let last = path.file_name().unwrap().to_string_lossy().into_owned();
        // Views are in `views.rs`: they set themselves aside.
        if is_beside(&last) || scene.is_stale(&path) || name.starts_with("views/") {
            continue;
        }
        kinds.insert(kind(&name));
        let used = used(&path);
        // Front, middle, end; of the anchor one in each slot; of tables the blocks at the end too.
        let mut places = BTreeSet::from([0, used / 2, used.saturating_sub(1)]);
        if last == "ANCHOR" {
            places = BTreeSet::from([16, 4_096 + 16, 8_191]);
        } else if path.parent().unwrap().ends_with("tables") {
            places.extend([used - used / 16, used.saturating_sub(400)]);
        }
        for at in places {
            flipped(&scene, &path, at).await;
        }
    }
    let expected = [
        "ANCHOR",
        "LEDGER",
        "SUBJECTS",
        "journal/.jnl",
        "journal/keyspaces/n/current",
        "journal/keyspaces/n/n",
        "journal/keyspaces/n/tables/n",
        "journal/version",
        "snapshots/.snapshot",
    ];
    let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
    assert_eq!(kinds, expected);
    assert!(scene.verify().await.is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_in_two_files_names_both_and_a_missing_file_is_named() {
    let scene = Scene::filled(|_| {}).await;
    let table = scene.table();
    let state = scene.files("snapshots").remove(0);
    flip(&table, 100);
    flip(&state, 40);
    let both = BTreeSet::from([table.clone(), state.clone()]);
    assert_eq!(named(&scene.verify().await), both);
    flip(&table, 100);
    flip(&state, 40);

    for file in [scene.path("LEDGER"), scene.path("ANCHOR"), table] {
        let bytes = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(named(&scene.verify().await), BTreeSet::from([file.clone()]));
        fs::write(&file, bytes).unwrap();
    }
    assert!(scene.verify().await.is_sound());
}

/// Where the blocks of a table begin: 33 bytes each, their length in the eight before the last four.
fn blocks(table: &[u8]) -> Vec<usize> {
    let (mut at, mut found) = (0, Vec::new());
    while table[at..].starts_with(b"LSM\x03") {
        found.push(at);
        at += 33 + u32::from_le_bytes(table[at + 21..at + 25].try_into().unwrap()) as usize;
    }
    found
}

/// Header and contents of a block of every kind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_byte_in_every_kind_of_block_is_found_and_its_block_named() {
    let scene = Scene::filled(|_| {}).await;
    let table = scene.table();
    let whole = fs::read(&table).unwrap();
    let blocks = blocks(&whole);
    let kinds: BTreeSet<u8> = blocks.iter().map(|at| whole[at + 4]).collect();
    assert!(kinds.len() > 1, "{kinds:?}");
    for kind in kinds {
        let at = blocks.iter().rfind(|at| whole[*at + 4] == kind).unwrap();
        for place in [at + 7, at + 33] {
            flip(&table, place as u64);
            let found = scene.verify().await;
            let file = found.damages.iter().find(|damaged| damaged.path == table);
            let offset = file.and_then(|damaged| damaged.offset);
            assert_eq!(offset, Some(*at as u64), "kind {kind}: {found:?}");
            flip(&table, place as u64);
        }
    }
    assert!(scene.verify().await.is_sound());
}

/// What the engine does not have in memory is named by record too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_damaged_in_its_middle_names_file_place_and_first_record() {
    let scene = Scene::filled(|_| {}).await;
    scene.root.close(WAIT).await.unwrap();
    let again = options(
        &scene.directory.path().join("kept"),
        &scene.clock,
        |options| {
            options.cache_bytes = Some(1 << 10);
        },
    );
    let (ledger, root) = Ledger::open(scene.path(""), again).await.unwrap();
    ledger.at_least(ledger.head().seq).await.unwrap();
    // The block with frames that lies furthest behind in its table, and the first record in it.
    let tables = scene.files("journal/keyspaces/1/tables").into_iter();
    let found = tables
        .filter(|table| !scene.is_stale(table))
        .filter_map(|table| {
            let whole = fs::read(&table).unwrap();
            let at = blocks(&whole).into_iter().rfind(|at| whole[at + 4] == 0)?;
            let magic = whole[at..].windows(8).position(|it| it == b"FCLFRAME")?;
            let first = whole[at + magic + 40..].first_chunk().unwrap();
            Some((table, at, magic, u64::from_le_bytes(*first)))
        });
    let (table, at, magic, first) = found.max_by_key(|(_, at, ..)| *at).unwrap();
    flip(&table, (at + magic + 300) as u64);
    let verified = ledger.verify(VerifyOptions::threads(2), |_| {}).await;
    let found = verified.unwrap();
    // The engine opens the next block before it gives what lies before: never behind the damage.
    let bad = found.first_bad.map(Seq::get);
    assert!(bad.is_some_and(|bad| bad <= first), "{first}: {found:?}");
    let file = found.damages.iter().find(|damaged| damaged.path == table);
    assert_eq!(file.and_then(|it| it.offset), Some(at as u64), "{found:?}");
    // A saved state that a record in this block vouches for, nobody vouches for now.
    let mut files = named(&found);
    files.retain(|file| !file.starts_with(scene.path("snapshots")));
    assert_eq!(files, BTreeSet::from([table.clone()]));
    flip(&table, (at + magic + 300) as u64);
    let verified = ledger.verify(VerifyOptions::threads(2), |_| {}).await;
    assert!(verified.unwrap().is_sound());
    root.close(WAIT).await.unwrap();
}

/// The engine has everything in memory that its log holds: what the log has lost shows in no read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lost_its_end_while_open_is_named() {
    let scene = Scene::new(|options| options.memtable_bytes = None).await;
    scene.record(20).await;
    scene.settled().await;
    assert!(scene.verify().await.is_sound());
    let log = scene.path("journal/0.jnl");
    let whole = fs::read(&log).unwrap();
    let used = used(&log) as usize;
    for lost in [10, 3_000] {
        let mut bytes = whole.clone();
        bytes[used - lost..].fill(0);
        fs::write(&log, bytes).unwrap();
        assert_eq!(named(&scene.verify().await), BTreeSet::from([log.clone()]));
    }
    fs::write(&log, whole).unwrap();
    assert!(scene.verify().await.is_sound());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_only_rises_and_ends_at_the_whole() {
    let scene = Scene::filled(|_| {}).await;
    let told: Arc<Mutex<Vec<VerifyProgress>>> = Arc::default();
    let tell = {
        let told = Arc::clone(&told);
        move |progress: &VerifyProgress| told.lock().unwrap().push(*progress)
    };
    let verifying = scene.ledger.verify(VerifyOptions::default(), tell);
    let verified = tokio::time::timeout(WAIT, verifying)
        .await
        .unwrap()
        .unwrap();
    let told = told.lock().unwrap();
    let figures = |it: &VerifyProgress| [it.records, it.bytes, it.files];
    for pair in told.windows(2) {
        let (before, after) = (figures(&pair[0]), figures(&pair[1]));
        assert!(
            before
                .iter()
                .zip(after)
                .all(|(before, after)| *before <= after)
        );
    }
    let last = told.last().unwrap();
    assert_eq!(
        (last.records, last.records_total),
        (verified.head.count(), verified.head.count())
    );
    assert_eq!(
        (last.files, last.files_total),
        (verified.files, verified.files)
    );
    assert_eq!(last.bytes, verified.bytes);
    let tables = scene.files("journal/keyspaces/1/tables").into_iter();
    let sizes: u64 = tables.map(|table| fs::metadata(table).unwrap().len()).sum();
    assert!(last.bytes > sizes && last.files > 10 && told.len() > 10);
}

/// The engine writes its log, replaces manifests and removes tables meanwhile; none of that is damage.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_is_written_to_is_sound() {
    let scene = Arc::new(Scene::filled(|_| {}).await);
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (scene, done) = (Arc::clone(&scene), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::Acquire) {
                    scene.record(10).await;
                }
            })
        })
        .collect();
    let mut tables = BTreeSet::new();
    for _ in 0..12 {
        tables.insert(scene.files("journal/keyspaces/1/tables"));
        let found = scene.verify().await;
        assert!(found.is_sound(), "{:?}", found.damages);
    }
    done.store(true, Ordering::Release);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(tables.len() > 1, "no table came or went");
}
