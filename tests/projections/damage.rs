// SPDX-License-Identifier: Apache-2.0
//! Whatever happens to the files under `views/`: set aside and made again, or without effect.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use femtoclaw_ledger::projections::{
    Executions, Indexes, Notice, Projection, ViewDigest, ViewError, Views, ViewsOptions,
};

use crate::support::{History, Journal, WAIT, digests};

/// Two of the views: what a fault costs is making them again.
fn open_two(directory: &Path, journal: &Arc<Journal>, options: ViewsOptions) -> Views {
    let two: Vec<Box<dyn Projection>> = vec![
        Box::new(Executions::default()),
        Box::new(Indexes::default()),
    ];
    Views::open(directory, options, two, journal.clone()).unwrap()
}

/// In memory where there is a file system of it: each keyspace that the engine makes costs some
/// twenty syncs, which say nothing about damage.
fn scratch() -> tempfile::TempDir {
    let shared_memory = Path::new("/dev/shm");
    match shared_memory.is_dir() {
        true => tempfile::tempdir_in(shared_memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// Small, so that there are tables and not only a log.
fn options() -> ViewsOptions {
    ViewsOptions {
        memtable_bytes: 32 << 10,
        ..ViewsOptions::default()
    }
}

/// All below this directory, each directory before what is in it.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.clone());
        if path.is_dir() {
            found.extend(entries(&path));
        }
    }
    found.sort();
    found
}

/// A file without the zeros at its end: the log is preallocated, only its beginning is written.
#[derive(Clone)]
struct Contents {
    used: Vec<u8>,
    length: u64,
}

impl Contents {
    fn read(file: &Path) -> Self {
        let mut used = fs::read(file).unwrap();
        let length = used.len() as u64;
        let zeros = [0; 4 << 10];
        while used.ends_with(&zeros) {
            used.truncate(used.len() - zeros.len());
        }
        let last = used.iter().rposition(|byte| *byte != 0);
        used.truncate(last.map_or(0, |last| last + 1));
        used.shrink_to_fit();
        Self { used, length }
    }

    fn write(&self, file: &Path) {
        fs::write(file, &self.used).unwrap();
        let file = fs::OpenOptions::new().write(true).open(file).unwrap();
        file.set_len(self.length).unwrap();
    }
}

/// A closed or killed store; directories have no contents.
struct Whole(Vec<(PathBuf, Option<Contents>)>);

impl Whole {
    fn of(directory: &Path) -> Self {
        let copied = entries(directory).into_iter().map(|path| {
            let contents = (!path.is_dir()).then(|| Contents::read(&path));
            (path.strip_prefix(directory).unwrap().to_owned(), contents)
        });
        Self(copied.collect())
    }

    fn write(&self, to: &Path) {
        for (path, contents) in &self.0 {
            match contents {
                Some(contents) => contents.write(&to.join(path)),
                None => fs::create_dir(to.join(path)).unwrap(),
            }
        }
    }

    /// The views' files that hold something.
    fn of_views(&self) -> impl Iterator<Item = (&PathBuf, &Contents)> {
        let files = self.0.iter().filter(|(path, _)| path.starts_with("views"));
        let files = files.filter_map(|(path, contents)| Some((path, contents.as_ref()?)));
        files.filter(|(_, contents)| contents.length > 0)
    }
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Flip(usize),
    Truncate(usize),
    Delete,
}

fn inflict(fault: Fault, contents: &Contents, file: &Path) {
    let mut contents = contents.clone();
    match fault {
        Fault::Flip(at) => contents.used[at] ^= 0x10,
        Fault::Truncate(to) => {
            contents.used.truncate(to);
            contents.length = to as u64;
        }
        Fault::Delete => return fs::remove_file(file).unwrap(),
    }
    contents.write(file);
}

/// Digests, asked for again where damage was met and is being mended.
fn settled(views: &Views, head: u64) -> Vec<ViewDigest> {
    'again: for _ in 0..2_000 {
        let mut found = Vec::new();
        for view in views.all() {
            let answer = view.at_least(head, WAIT).and_then(|_| view.digest());
            let Ok(digest) = answer else {
                std::thread::sleep(Duration::from_millis(5));
                continue 'again;
            };
            found.push(digest);
        }
        return found;
    }
    panic!(
        "views did not come back: {:?}",
        views.all().collect::<Vec<_>>()
    );
}

fn faults(bytes: &[u8], samples: usize) -> Vec<Fault> {
    let used = bytes.len();
    let mut faults = vec![Fault::Truncate(used / 2), Fault::Delete];
    let step = (used / samples).max(1);
    let flips = (step / 2..used).step_by(step);
    faults.extend(flips.map(Fault::Flip));
    faults
}

fn made() -> (tempfile::TempDir, Arc<Journal>, Vec<ViewDigest>) {
    let directory = scratch();
    let history = History::mixed(1_200);
    let journal = Journal::new(&history.records, 500);
    let views = open_two(directory.path(), &journal, options());
    let good = digests(&views, history.head());
    views.close();
    (directory, journal, good)
}

/// Every kind of file, here and there; gives how many faults set views aside.
fn every_answer_stays_right(whole: &Whole, journal: &Arc<Journal>, good: &[ViewDigest]) -> usize {
    let samples = std::env::var("LEDGER_FAULTS").ok();
    let samples = samples
        .and_then(|samples| samples.parse().ok())
        .unwrap_or(1);
    let (mut set_aside, mut harmless, mut wrong) = (0, 0, Vec::new());
    for (file, contents) in whole.of_views() {
        for fault in faults(&contents.used, samples) {
            let scratch = scratch();
            whole.write(scratch.path());
            inflict(fault, contents, &scratch.path().join(file));
            let views = open_two(scratch.path(), journal, options());
            let found = settled(&views, good[0].position);
            views.close();
            if found != good {
                wrong.push((file.clone(), fault));
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
    let whole = Whole::of(directory.path());
    let mut files = whole.of_views();
    assert!(files.any(|(file, _)| file.to_string_lossy().ends_with(".segment")));
    let set_aside = every_answer_stays_right(&whole, &journal, &good);
    let all = whole.of_views().count();
    assert!(set_aside > all, "a sealed store notices nearly all");
}

#[test]
fn what_is_set_aside_is_kept_as_it_was() {
    let (directory, journal, good) = made();
    let manifest = directory.path().join("views/indexes/manifest.json");
    inflict(Fault::Flip(0), &Contents::read(&manifest), &manifest);
    let damaged = fs::read(&manifest).unwrap();
    for round in 1..=2 {
        if round == 2 {
            inflict(Fault::Truncate(1), &Contents::read(&manifest), &manifest);
        }
        let views = open_two(directory.path(), &journal, options());
        assert_eq!(settled(&views, good[0].position), good);
        views.close();
    }
    let kept = directory.path().join("quarantine");
    let read = |name| fs::read(kept.join(name).join("indexes/manifest.json")).unwrap();
    assert_eq!(read("views-1"), damaged);
    assert_eq!(read("views-2").len(), 1);
    assert_eq!(fs::read_dir(kept).unwrap().count(), 2);
}

#[test]
fn a_file_in_the_place_of_views_is_set_aside_too() {
    let (directory, journal, good) = made();
    let path = directory.path().join("views");
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, b"not a directory").unwrap();
    let views = open_two(directory.path(), &journal, options());
    assert_eq!(settled(&views, good[0].position), good);
    views.close();
    let kept = directory.path().join("quarantine/views-1");
    assert_eq!(fs::read(kept).unwrap(), b"not a directory");
}

/// Readers that met damage in views which were set aside since say nothing of those that took their place. And views
/// that were whole in between are not the third in a row.
#[test]
fn what_is_said_of_views_that_are_gone_is_void_and_a_whole_view_begins_anew() {
    let (directory, journal, good) = made();
    let aside = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&aside);
    let options = ViewsOptions {
        listener: Some(Arc::new(move |notice: &Notice| {
            if matches!(notice, Notice::SetAside { .. }) {
                told.fetch_add(1, Ordering::SeqCst);
            }
        })),
        ..options()
    };
    let views = open_two(directory.path(), &journal, options);
    let damaged = || Err::<(), _>(ViewError::Damaged("as the test wanted".into()));
    for round in 1..=4 {
        assert_eq!(settled(&views, good[0].position), good);
        let view = views.all().next().unwrap();
        // Two readers of one opening: the views are withdrawn for the first, and wait for the second.
        let second = view.read(|_| {
            view.read(|_| damaged()).unwrap_err();
            while view.status().serving_version.is_some() {
                std::thread::sleep(Duration::from_millis(1));
            }
            damaged()
        });
        second.unwrap_err();
        assert_eq!(settled(&views, good[0].position), good);
        assert_eq!(aside.load(Ordering::SeqCst), round);
    }
    views.close();
    assert_eq!(aside.load(Ordering::SeqCst), 4);
}
