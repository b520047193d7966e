//! Whatever happens to the files under `views/`: set aside and made again, or without effect.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::projections::{Executions, Indexes, Projection, Views, ViewsOptions};

use crate::support::{Digest, History, Journal, WAIT, digests};

/// Two of the views: what a fault costs is making them again.
fn open_two(directory: &Path, journal: &Arc<Journal>, options: ViewsOptions) -> Views {
    let two: Vec<Box<dyn Projection>> = vec![Box::new(Executions), Box::new(Indexes)];
    Views::open(directory, options, two, journal.clone()).unwrap()
}

/// Small, so that there are tables and not only a log.
fn options() -> ViewsOptions {
    ViewsOptions {
        memtable_bytes: 32 << 10,
        ..ViewsOptions::default()
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if fs::metadata(&path).unwrap().len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The log is preallocated: only its beginning is written.
fn used(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Flip(usize),
    Truncate(usize),
    Delete,
}

fn inflict(fault: Fault, file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    match fault {
        Fault::Flip(at) => bytes[at] ^= 0x10,
        Fault::Truncate(to) => bytes.truncate(to),
        Fault::Delete => return fs::remove_file(file).unwrap(),
    }
    fs::write(file, bytes).unwrap();
}

/// Digests, asked for again where damage was met and is being mended.
fn settled(views: &Views, head: u64) -> Vec<Digest> {
    'again: for _ in 0..2_000 {
        let mut found = Vec::new();
        for view in views.all() {
            let answer = view.at_least(head, WAIT).and_then(|_| view.digest());
            let Ok((at, hash)) = answer else {
                std::thread::sleep(Duration::from_millis(5));
                continue 'again;
            };
            found.push((view.name(), at, hash));
        }
        return found;
    }
    panic!(
        "views did not come back: {:?}",
        views.all().collect::<Vec<_>>()
    );
}

fn faults(file: &Path, samples: usize) -> Vec<Fault> {
    let bytes = fs::read(file).unwrap();
    let used = used(&bytes);
    let mut faults = vec![Fault::Truncate(used / 2), Fault::Delete];
    let step = (used / samples).max(1);
    let flips = (step / 2..used).step_by(step);
    faults.extend(flips.map(Fault::Flip));
    if file.extension().is_some_and(|extension| extension == "jnl") {
        // The numbers of batches, which the engine's checksums do not cover: after the trailer of
        // the batch before, a tag and a count.
        let trailers = bytes
            .windows(4)
            .enumerate()
            .filter(|(_, w)| *w == b"FJL\x03");
        let numbers = trailers
            .map(|(at, _)| at + 4 + 1 + 4)
            .filter(|at| *at < used);
        faults.extend(numbers.step_by(3).take(4).map(|at| Fault::Flip(at + 1)));
    }
    faults
}

fn made() -> (tempfile::TempDir, Arc<Journal>, Vec<Digest>) {
    let directory = tempfile::tempdir().unwrap();
    let history = History::mixed(1_200);
    let journal = Journal::new(&history.records, 500);
    let views = open_two(directory.path(), &journal, options());
    let good = digests(&views, history.head());
    views.close();
    (directory, journal, good)
}

/// Every kind of file, here and there; gives how many faults set views aside.
fn every_answer_stays_right(directory: &Path, journal: &Arc<Journal>, good: &[Digest]) -> usize {
    let samples = std::env::var("LEDGER_FAULTS").ok();
    let samples = samples
        .and_then(|samples| samples.parse().ok())
        .unwrap_or(1);
    let (mut set_aside, mut harmless, mut wrong) = (0, 0, Vec::new());
    for file in files(&directory.join("views")) {
        for fault in faults(&file, samples) {
            let relative = file.strip_prefix(directory).unwrap();
            let scratch = tempfile::tempdir().unwrap();
            copy(directory, scratch.path());
            inflict(fault, &scratch.path().join(relative));
            let views = open_two(scratch.path(), journal, options());
            let found = settled(&views, good[0].1);
            views.close();
            if found != good {
                wrong.push((relative.to_path_buf(), fault));
            }
            match scratch.path().join("quarantine/views-1").exists() {
                true => set_aside += 1,
                false => harmless += 1,
            }
        }
    }
    println!("{set_aside} faults set aside, {harmless} harmless, wrong: {wrong:?}");
    assert!(wrong.is_empty(), "wrong answers after {wrong:?}");
    set_aside
}

#[test]
fn damaged_files_are_set_aside_and_the_views_made_again() {
    let (directory, journal, good) = made();
    let all = files(&directory.path().join("views"));
    assert!(
        all.iter()
            .any(|file| file.to_string_lossy().contains("/tables/"))
    );
    let set_aside = every_answer_stays_right(directory.path(), &journal, &good);
    assert!(set_aside > all.len(), "a sealed store notices nearly all");
}

#[test]
fn views_that_were_never_closed_are_damaged_too() {
    let directory = tempfile::tempdir().unwrap();
    let history = History::mixed(1_200);
    let journal = Journal::new(&history.records, 500);
    let views = open_two(directory.path(), &journal, options());
    let good = digests(&views, history.head());
    let killed = tempfile::tempdir().unwrap();
    copy(directory.path(), killed.path());
    views.close();
    assert!(!killed.path().join("views/SEAL").exists());
    let set_aside = every_answer_stays_right(killed.path(), &journal, &good);
    assert!(set_aside > 0);
}

#[test]
fn what_is_set_aside_is_kept_as_it_was() {
    let (directory, journal, good) = made();
    let views_path = directory.path().join("views");
    let version = views_path.join("version");
    inflict(Fault::Flip(0), &version);
    let damaged = fs::read(&version).unwrap();
    for round in 1..=2 {
        if round == 2 {
            inflict(Fault::Truncate(1), &version);
        }
        let views = open_two(directory.path(), &journal, options());
        assert_eq!(settled(&views, good[0].1), good);
        views.close();
    }
    let kept = directory.path().join("quarantine");
    assert_eq!(fs::read(kept.join("views-1/version")).unwrap(), damaged);
    assert_eq!(fs::read(kept.join("views-2/version")).unwrap().len(), 1);
    assert_eq!(fs::read_dir(kept).unwrap().count(), 2);
}

#[test]
fn a_file_in_the_place_of_views_is_set_aside_too() {
    let (directory, journal, good) = made();
    let path = directory.path().join("views");
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, b"not a directory").unwrap();
    let views = open_two(directory.path(), &journal, options());
    assert_eq!(settled(&views, good[0].1), good);
    views.close();
    let kept = directory.path().join("quarantine/views-1");
    assert_eq!(fs::read(kept).unwrap(), b"not a directory");
}
