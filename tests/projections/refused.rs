// SPDX-License-Identifier: Apache-2.0
//! What the system refuses while views are opened is no damage: they are not set aside for it.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use femtoclaw_ledger::projections::{Notice, ViewError, Views, ViewsOptions, built_in};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::child::{child_command, child_path};
use crate::support::{History, Journal, digests, open_with, until};

const RECORDS: u64 = 500;

/// Every descriptor that is left, but for so many.
fn taken(spare: usize) -> Vec<File> {
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken.truncate(taken.len().saturating_sub(spare));
    taken
}

/// This very test again, in a process whose limits are its own.
fn in_a_process(test: &str, path: &Path) {
    let mut command: Command = child_command(test, path);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

fn few_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(120);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

/// What an opening tells, and how many views it makes again.
#[derive(Clone, Default)]
struct Heard {
    aside: Arc<Mutex<Vec<Notice>>>,
    again: Arc<AtomicUsize>,
}

impl Heard {
    fn options(&self) -> ViewsOptions {
        let heard = self.clone();
        ViewsOptions {
            listener: Some(Arc::new(move |notice: &Notice| match notice {
                Notice::Rebuilt { .. } => _ = heard.again.fetch_add(1, Ordering::Relaxed),
                Notice::SetAside { .. } => heard.aside.lock().unwrap().push(notice.clone()),
                _ => {}
            })),
            ..ViewsOptions::default()
        }
    }

    /// How many views were made again; none was set aside.
    fn made_again(&self, when: &str) -> usize {
        assert_eq!(*self.aside.lock().unwrap(), [], "{when}");
        self.again.load(Ordering::Relaxed)
    }
}

fn journal() -> Arc<Journal> {
    Journal::new(&History::mixed(RECORDS).records, 500)
}

/// Opens with so many descriptors left, and closes with all.
fn open_with_few(directory: &Path, journal: &Arc<Journal>, options: ViewsOptions, spare: usize) {
    let fds = taken(spare);
    let views = Views::open(directory, options, built_in(), journal.clone());
    drop(fds);
    if let Ok(views) = views {
        views.close();
    }
}

#[test]
fn views_opened_without_descriptors_stay_as_they_are() {
    let name = "refused::views_opened_without_descriptors_stay_as_they_are";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, directory.path());
    };
    let journal = journal();
    let heard = Heard::default();
    let open = || {
        let views = open_with(&path, &journal, heard.options());
        digests(&views, RECORDS);
        views.close();
    };
    open();
    let made = heard.made_again("at first");
    few_files();
    for spare in 0..24 {
        open_with_few(&path, &journal, heard.options(), spare);
        open();
        let again = heard.made_again(&format!("{spare} left")) - made;
        assert_eq!(again, 0, "{spare} left");
    }
}

/// A directory that leads to itself: the system says neither that it is damaged nor that it refuses.
#[test]
fn views_that_nobody_can_read_are_made_again_where_that_is_ordered_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, heard) = (journal(), Heard::default());
    let views = open_with(directory.path(), &journal, heard.options());
    let good = digests(&views, RECORDS);
    views.close();
    let made = heard.made_again("at first");
    let view = directory.path().join("views/executions");
    let entries = std::fs::read_dir(&view).unwrap().map(Result::unwrap);
    let generation = entries
        .map(|entry| entry.path())
        .find(|path| path.is_dir())
        .unwrap();
    std::fs::rename(&generation, directory.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(&generation, &generation).unwrap();
    let views = open_with(directory.path(), &journal, heard.options());
    let executions = views.view("executions").unwrap();
    let unread = executions.get(b"x");
    assert!(
        matches!(unread, Err(ViewError::Halted { .. })),
        "{unread:?}"
    );
    assert_eq!(heard.made_again("unread"), made);
    assert!(views.rebuild("executions"));
    until("it serves", || executions.get(b"x").is_ok());
    assert_eq!(digests(&views, RECORDS), good);
    views.close();
    assert_eq!(heard.again.load(Ordering::Relaxed), made + 1);
    assert_eq!(heard.aside.lock().unwrap().len(), 1);
    let kept = directory.path().join("quarantine/views-1/executions");
    assert!(kept.join("manifest.json").is_file());
}
