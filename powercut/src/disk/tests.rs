// SPDX-License-Identifier: Apache-2.0
//! A tiny oracle: what was synced is there after any cut, what was not is one of the things that may
//! be.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use super::{Disk, Ino, Kind, Mode, ROOT, SyncEnd};
use crate::random::Random;

const SEEDS: u64 = 300;
const MODES: [Mode; 2] = [Mode::Strict, Mode::Ordered];

impl Disk {
    /// A digest of all that programs see: names, modes, bytes.
    fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let mut waiting = vec![ROOT];
        while let Some(inode) = waiting.pop().and_then(|ino| self.inodes.get(&ino)) {
            hasher.update(&inode.mode.to_be_bytes());
            match &inode.kind {
                Kind::File(file) => {
                    hasher.update(&file.shown.len().to_be_bytes());
                    for at in (0..file.shown.len()).step_by(1 << 20) {
                        hasher.update(&file.shown.read(at, 1 << 20));
                    }
                }
                Kind::Directory(directory) => {
                    for (name, ino) in &directory.shown {
                        hasher.update(name.as_encoded_bytes()).update(&[0]);
                        waiting.push(*ino);
                    }
                }
            }
        }
        *hasher.finalize().as_bytes()
    }
}

fn disk(mode: Mode, seed: u64) -> Disk {
    Disk::new(mode, seed, 1 << 30)
}

fn name(text: &str) -> &OsStr {
    OsStr::new(text)
}

fn file(disk: &mut Disk, path: &str) -> Ino {
    disk.create(ROOT, name(path), 0o600).unwrap()
}

fn whole(disk: &Disk, path: &str) -> Option<Vec<u8>> {
    let ino = disk.lookup(ROOT, name(path)).ok()?;
    Some(disk.read(ino, 0, u64::MAX).unwrap())
}

fn sync(disk: &mut Disk, ino: Ino) {
    disk.sync(ino, false, SyncEnd::Done).unwrap();
}

fn sync_root(disk: &mut Disk) {
    disk.sync_directory(ROOT, SyncEnd::Done).unwrap();
}

#[test]
fn what_was_synced_with_its_directory_is_there_whole() {
    for (mode, seed) in MODES
        .into_iter()
        .flat_map(|mode| (0..SEEDS).map(move |it| (mode, it)))
    {
        let mut disk = disk(mode, seed);
        let ino = file(&mut disk, "a");
        disk.write(ino, 0, &[7; 10_000]).unwrap();
        disk.set_mode(ino, 0o640).unwrap();
        sync(&mut disk, ino);
        sync_root(&mut disk);
        disk.write(ino, 10_000, &[8; 5_000]).unwrap();
        disk.cut();
        let found = whole(&disk, "a").unwrap();
        assert_eq!(found[..10_000], [7; 10_000]);
        assert!(found[10_000..].iter().all(|byte| *byte == 0 || *byte == 8));
        assert_eq!(
            disk.attributes(disk.lookup(ROOT, name("a")).unwrap())
                .unwrap()
                .mode,
            0o640
        );
    }
}

#[test]
fn a_name_without_its_directorys_sync_is_lost_strictly_and_kept_in_order() {
    let mut outcomes = BTreeSet::new();
    for (mode, seed) in MODES
        .into_iter()
        .flat_map(|mode| (0..SEEDS).map(move |it| (mode, it)))
    {
        let mut disk = disk(mode, seed);
        let ino = file(&mut disk, "a");
        disk.write(ino, 0, b"synced").unwrap();
        sync(&mut disk, ino);
        disk.cut();
        outcomes.insert((mode == Mode::Strict, whole(&disk, "a")));
    }
    let there = Some(b"synced".to_vec());
    let expected = [(true, None), (true, there.clone()), (false, there)];
    assert_eq!(outcomes, BTreeSet::from(expected));
}

#[test]
fn the_last_write_of_a_preallocated_file_tears_at_sectors() {
    for mode in MODES {
        let mut torn = 0;
        for seed in 0..SEEDS {
            let mut disk = disk(mode, seed);
            let ino = file(&mut disk, "a");
            disk.set_len(ino, 1 << 20).unwrap();
            sync(&mut disk, ino);
            sync_root(&mut disk);
            disk.write(ino, 100, &[9; 4_000]).unwrap();
            disk.cut();
            let found = whole(&disk, "a").unwrap();
            assert_eq!(found.len(), 1 << 20);
            let written = found.iter().filter(|byte| **byte == 9).count();
            for sector in found.chunks(512).skip(1).take(7) {
                let first = sector[0];
                assert!(
                    sector.iter().all(|byte| *byte == first),
                    "a sector was torn"
                );
            }
            torn += usize::from(written > 0 && written < 4_000);
        }
        assert!(torn > 50, "{mode:?}: only {torn} of {SEEDS} tore");
    }
}

#[test]
fn a_rename_is_one_step_and_shows_the_old_or_the_new() {
    for (mode, seed) in MODES
        .into_iter()
        .flat_map(|mode| (0..SEEDS).map(move |it| (mode, it)))
    {
        let mut disk = disk(mode, seed);
        let old = file(&mut disk, "current");
        disk.write(old, 0, b"old").unwrap();
        sync(&mut disk, old);
        sync_root(&mut disk);
        let new = file(&mut disk, "current.new");
        disk.write(new, 0, b"new").unwrap();
        sync(&mut disk, new);
        disk.rename((ROOT, name("current.new")), (ROOT, name("current")), true)
            .unwrap();
        let done = seed % 2 == 0;
        if done {
            sync_root(&mut disk);
        }
        disk.cut();
        match whole(&disk, "current").as_deref() {
            Some(b"new") => assert!(whole(&disk, "current.new").is_none()),
            Some(b"old") => assert!(!done),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn ordered_keeps_the_order_of_names_and_grows_with_the_bytes_only() {
    let mut lengths = BTreeSet::new();
    for seed in 0..SEEDS {
        let mut disk = disk(Mode::Ordered, seed);
        let first = file(&mut disk, "1");
        for at in 0..4 {
            disk.write(first, at * 512, &[5; 512]).unwrap();
        }
        for next in ["2", "3", "4"] {
            file(&mut disk, next);
        }
        disk.cut();
        let there = ["1", "2", "3", "4"].map(|path| whole(&disk, path).is_some());
        assert!(there.is_sorted_by(|a, b| a >= b), "{there:?}");
        if let Some(found) = whole(&disk, "1") {
            assert!(
                found.iter().all(|byte| *byte == 5),
                "it grew without its bytes"
            );
            lengths.insert(found.len());
        }
    }
    assert!(lengths.len() > 2, "{lengths:?}");
}

#[test]
fn the_sync_of_anything_commits_names_in_order_but_not_others_bytes() {
    for seed in 0..SEEDS {
        let mut disk = disk(Mode::Ordered, seed);
        let lazy = file(&mut disk, "lazy");
        disk.write(lazy, 0, &[1; 600]).unwrap();
        let ino = file(&mut disk, "eager");
        sync(&mut disk, ino);
        disk.cut();
        assert!(whole(&disk, "eager").is_some());
        let found = whole(&disk, "lazy").expect("created before the sync");
        assert!(found.iter().all(|byte| *byte == 1));
    }
}

#[test]
fn a_failed_sync_loses_what_memory_still_shows_or_keeps_it() {
    for end in [SyncEnd::FailedAndLost, SyncEnd::FailedButPersisted] {
        let mut disk = disk(Mode::Strict, 1);
        let ino = file(&mut disk, "a");
        sync_root(&mut disk);
        disk.write(ino, 0, b"gone?").unwrap();
        assert_eq!(disk.sync(ino, false, end), Err(libc::EIO));
        assert_eq!(whole(&disk, "a").unwrap(), b"gone?");
        // As after the failure on Linux: the next sync has nothing to do and succeeds.
        sync(&mut disk, ino);
        disk.cut();
        let kept: &[u8] = if end == SyncEnd::FailedAndLost {
            b""
        } else {
            b"gone?"
        };
        assert_eq!(whole(&disk, "a").unwrap(), kept);
    }
}

#[test]
fn a_full_disk_writes_what_fits_and_gives_room_back() {
    let mut disk = Disk::new(Mode::Ordered, 1, 4 * 4096);
    let ino = file(&mut disk, "a");
    assert_eq!(disk.write(ino, 0, &[1; 5 * 4096]), Ok(4 * 4096));
    assert_eq!(disk.write(ino, 4 * 4096, &[1; 10]), Err(libc::ENOSPC));
    assert_eq!(disk.free_pages(), 0);
    disk.unlink(ROOT, name("a")).unwrap();
    assert_eq!(disk.free_pages(), 4);
}

/// Random operations, and beside them what must be there: the bytes of each file's last sync.
#[test]
fn random_work_never_loses_what_the_oracle_saw_synced() {
    for (mode, seed) in MODES
        .into_iter()
        .flat_map(|mode| (0..SEEDS).map(move |it| (mode, it)))
    {
        let (mut disk, mut random) = (disk(mode, seed), Random::new(seed));
        let paths = ["a", "b", "c"];
        let inos = paths.map(|path| file(&mut disk, path));
        inos.iter().for_each(|ino| sync(&mut disk, *ino));
        sync_root(&mut disk);
        let mut synced = [0_usize; 3];
        let mut written = [0_usize; 3];
        for _ in 0..40 {
            let at = random.below(3) as usize;
            if random.chance(70) {
                let len = 1 + random.below(3_000) as usize;
                let bytes = vec![at as u8 + 1; len];
                disk.write(inos[at], written[at] as u64, &bytes).unwrap();
                written[at] += len;
            } else {
                disk.sync(inos[at], random.chance(50), SyncEnd::Done)
                    .unwrap();
                synced[at] = written[at];
            }
        }
        let cut = disk.cut();
        let unsynced: usize = (0..3).map(|at| written[at] - synced[at]).sum();
        assert_eq!(cut.unsynced_bytes as usize, unsynced);
        for (at, path) in paths.iter().enumerate() {
            let found = whole(&disk, path).unwrap();
            assert!(found.len() >= synced[at] && found.len() <= written[at]);
            assert!(found[..synced[at]].iter().all(|byte| *byte == at as u8 + 1));
        }
    }
}

#[test]
fn a_seed_repeats_a_cut() {
    let run = |seed| {
        let mut disk = disk(Mode::Strict, seed);
        for index in 0..20 {
            let ino = file(&mut disk, &index.to_string());
            disk.write(ino, 0, &[index; 3_000]).unwrap();
        }
        disk.cut();
        disk.digest()
    };
    assert_eq!(run(5), run(5));
    let different: BTreeSet<_> = (0..20).map(run).collect();
    assert!(different.len() > 10);
}
