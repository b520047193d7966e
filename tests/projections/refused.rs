// SPDX-License-Identifier: Apache-2.0
//! What the system refuses while views are opened, and what a power cut took of them, is no damage: they are
//! not set aside for it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use femtoclaw_ledger::projections::{Boot, Notice, ViewError, Views, ViewsOptions, built_in};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::child::{child_command, child_path};
use crate::support::{History, Journal, WAIT, digests, open_with};

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
    fn options(&self, boot: &str) -> ViewsOptions {
        let heard = self.clone();
        ViewsOptions {
            boot: Boot::Named(boot.to_owned()),
            ..heard.listening(ViewsOptions::default())
        }
    }

    fn listening(self, options: ViewsOptions) -> ViewsOptions {
        ViewsOptions {
            listener: Some(Arc::new(move |notice: &Notice| match notice {
                Notice::Rebuilt { .. } => _ = self.again.fetch_add(1, Ordering::Relaxed),
                Notice::SetAside { .. } => self.aside.lock().unwrap().push(notice.clone()),
                _ => {}
            })),
            ..options
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

/// As after a kill.
fn unseal(directory: &Path) {
    let _ = std::fs::remove_file(directory.join("views/SEAL"));
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
        let views = open_with(&path, &journal, heard.options("monday"));
        digests(&views, RECORDS);
        views.close();
    };
    open();
    let made = heard.made_again("at first");
    few_files();
    for spare in 0..24 {
        unseal(&path);
        open_with_few(&path, &journal, heard.options("monday"), spare);
        open();
        let again = heard.made_again(&format!("{spare} left")) - made;
        assert_eq!(again, 0, "{spare} left");
    }
}

/// The machine's start is asked for when views are opened, and where that is refused it is no other one.
#[test]
fn options_made_without_descriptors_take_no_start_of_the_machine_for_another() {
    let name = "refused::options_made_without_descriptors_take_no_start_of_the_machine_for_another";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, directory.path());
    };
    let journal = journal();
    let heard = Heard::default();
    few_files();
    let mut made = 0;
    for round in 0..2 {
        let fds = taken(0);
        let options = heard.clone().listening(ViewsOptions::default());
        drop(fds);
        unseal(&path);
        let views = open_with(&path, &journal, options);
        digests(&views, RECORDS);
        views.close();
        match round {
            0 => made = heard.made_again("at first"),
            _ => assert_eq!(heard.made_again("again"), made),
        }
    }
}

/// After another start of the machine they are made again. That is begun as a whole or not at all: a part
/// that is left is no damage.
#[test]
fn views_that_are_removed_without_descriptors_are_not_taken_for_damaged_ones() {
    let name = "refused::views_that_are_removed_without_descriptors_are_not_taken_for_damaged_ones";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, directory.path());
    };
    let journal = journal();
    let heard = Heard::default();
    let open = |boot: &str| {
        let views = open_with(&path, &journal, heard.options(boot));
        digests(&views, RECORDS);
        views.close();
    };
    open("start 0");
    few_files();
    for spare in 2..12 {
        let boot = format!("start {spare}");
        unseal(&path);
        open_with_few(&path, &journal, heard.options(&boot), spare);
        let left = path.join("views");
        let is_whole = !left.exists() || left.join("version").exists();
        assert!(is_whole, "{spare} left: a part has the name of the whole");
        open(&boot);
        heard.made_again(&boot);
    }
}

/// A close under an earlier start of the machine stands, also where the next opening gets no further.
#[test]
fn a_seal_outlives_an_opening_that_is_refused() {
    let name = "refused::a_seal_outlives_an_opening_that_is_refused";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, directory.path());
    };
    let journal = journal();
    let heard = Heard::default();
    let open = |boot: &str| {
        let views = open_with(&path, &journal, heard.options(boot));
        digests(&views, RECORDS);
        views.close();
    };
    open("start 0");
    let made = heard.made_again("at first");
    few_files();
    for spare in 0..24 {
        let boot = format!("start {}", spare + 1);
        open_with_few(&path, &journal, heard.options(&boot), spare);
        open(&boot);
        assert_eq!(heard.made_again(&boot), made, "{spare} left");
    }
}

/// It holds nothing, and whoever removes stale locks removes it.
#[test]
fn views_whose_lock_file_was_removed_are_opened() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, heard) = (journal(), Heard::default());
    for _ in 0..2 {
        let views = open_with(directory.path(), &journal, heard.options("monday"));
        let made = digests(&views, RECORDS);
        views.close();
        assert_eq!(made.len(), heard.made_again("without a lock"));
        std::fs::remove_file(directory.path().join("views/lock")).unwrap();
    }
}

/// Closed views, and where something stands that is neither damage nor a refusal: nobody can tell.
fn blocked(directory: &Path, journal: &Arc<Journal>) -> PathBuf {
    let views = open_with(directory, journal, Heard::default().options("monday"));
    digests(&views, RECORDS);
    views.close();
    let boot = directory.join("views/BOOT");
    std::fs::remove_file(&boot).unwrap();
    std::fs::create_dir(&boot).unwrap();
    boot
}

/// A view that is halted says so at once: it is asked again until it is not.
fn until_they_serve(views: &Views) {
    const PAUSE: Duration = Duration::from_millis(20);
    for _ in 0..WAIT.as_millis() / PAUSE.as_millis() {
        if views.all().all(|view| view.at_least(RECORDS, WAIT).is_ok()) {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("they stay halted");
}

#[test]
fn views_that_could_not_be_read_come_back_once_they_can() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, heard) = (journal(), Heard::default());
    let boot = blocked(directory.path(), &journal);
    let options = heard.options("monday");
    let views = Views::open(directory.path(), options, built_in(), journal.clone()).unwrap();
    let halted = views.all().map(|view| view.get(b"x"));
    assert!(
        halted
            .into_iter()
            .all(|it| matches!(it, Err(ViewError::Halted { .. })))
    );
    std::fs::remove_dir(boot).unwrap();
    until_they_serve(&views);
    views.close();
    assert_eq!(heard.made_again("once they can be read"), 0);
}

/// A seal says that a close has synced them.
#[test]
fn views_that_were_not_opened_get_no_seal() {
    let name = "refused::views_that_were_not_opened_get_no_seal";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, directory.path());
    };
    let (journal, heard) = (journal(), Heard::default());
    let open = || open_with(&path, &journal, heard.options("monday"));
    let views = open();
    digests(&views, RECORDS);
    views.close();
    few_files();
    let mut refused = 0;
    // The last ones are enough to write a seal, and not to open a database.
    for spare in 0..24 {
        unseal(&path);
        let fds = taken(spare);
        let views = open();
        let halted = views.all().next().unwrap().get(b"x");
        views.close();
        drop(fds);
        if !matches!(halted, Err(ViewError::Halted { .. })) {
            break;
        }
        assert!(!path.join("views/SEAL").exists(), "{spare} left");
        refused += 1;
    }
    assert!(refused > 4, "{refused}");
}

#[test]
fn views_that_nobody_can_read_are_made_again_where_that_is_ordered_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, heard) = (journal(), Heard::default());
    blocked(directory.path(), &journal);
    let options = heard.options("monday");
    let views = Views::open(directory.path(), options, built_in(), journal.clone()).unwrap();
    let name = views.all().next().unwrap().name();
    assert!(matches!(
        views.view(name).unwrap().get(b"x"),
        Err(ViewError::Halted { .. })
    ));
    assert!(views.rebuild(name));
    until_they_serve(&views);
    let made = digests(&views, RECORDS);
    views.close();
    assert_eq!(heard.again.load(Ordering::Relaxed), made.len());
    assert_eq!(heard.aside.lock().unwrap().len(), 1);
    let kept = directory.path().join("quarantine/views-1");
    assert!(kept.join("BOOT").is_dir() && kept.join("keyspaces").is_dir());
}

/// A power cut may take any part of what was not synced: nobody looks for damage in it.
#[test]
fn views_that_a_power_cut_tore_are_made_again_and_not_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, heard) = (journal(), Heard::default());
    for (boot, times) in [("monday", 1), ("tuesday", 2)] {
        let views = open_with(directory.path(), &journal, heard.options(boot));
        let made = digests(&views, RECORDS);
        views.close();
        assert_eq!(heard.made_again(boot), times * made.len());
        for file in ["SEAL", "version"] {
            std::fs::remove_file(directory.path().join("views").join(file)).unwrap();
        }
    }
}
