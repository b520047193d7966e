// SPDX-License-Identifier: Apache-2.0
//! The ledger's directory: what it becomes, and what is refused without being touched (S17.1).

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use femtoclaw_ledger::OpenError;
use femtoclaw_ledger::clock::{CountingEntropy, ManualClock};
use femtoclaw_ledger::directory::{DIRECTORY_FORMAT, Directory};
use femtoclaw_ledger::events::LedgerId;

use crate::on_disk::modes;

fn open(path: &Path, ledger: Option<LedgerId>) -> Result<Directory, OpenError> {
    Directory::open(
        path,
        ledger,
        &ManualClock::new(1_700),
        &CountingEntropy::default(),
    )
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything under `path`: names, modes, contents.
fn state(path: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut all: Vec<_> = modes(path)
        .into_iter()
        .map(|(name, mode)| {
            let content = fs::read(&name).unwrap_or_default();
            (name, mode, content)
        })
        .collect();
    all.sort();
    all
}

/// Opening fails so, and nothing was touched.
fn refused(path: &Path, root: &Path) -> OpenError {
    let before = state(root);
    let error = open(path, None).unwrap_err();
    assert_eq!(state(root), before, "{error}");
    error
}

fn scene() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data");
    (root, path)
}

#[test]
fn a_new_directory_is_private_and_stays_the_same_ledger() {
    let (_root, path) = scene();
    let nested = path.join("below/that");
    let first = open(&nested, None).unwrap();
    assert!(first.is_new());
    let identity = first.identity().clone();
    assert_eq!(
        (identity.format, identity.created_ns),
        (DIRECTORY_FORMAT, 1_700)
    );
    for (name, mode) in modes(&nested) {
        assert_eq!(
            mode,
            if Path::new(&name).is_dir() {
                0o700
            } else {
                0o600
            },
            "{name}"
        );
    }
    drop(first);
    let again = open(&nested, None).unwrap();
    assert_eq!((again.is_new(), again.identity()), (false, &identity));
    assert_eq!(again.journal(), nested.join("journal"));
}

#[test]
fn the_id_asked_for_is_the_id_it_has() {
    let (_root, path) = scene();
    let expected = LedgerId::from_bytes([5; 16]);
    assert_eq!(
        open(&path, Some(expected)).unwrap().identity().ledger,
        expected
    );
    let other = LedgerId::from_bytes([6; 16]);
    let error = open(&path, Some(other)).unwrap_err();
    assert!(
        matches!(error, OpenError::OtherLedger { expected: e, found: f } if (e, f) == (other, expected))
    );
}

#[test]
fn a_second_opening_learns_who_holds_it() {
    let (_root, path) = scene();
    let first = open(&path, None).unwrap();
    for _ in 0..2 {
        let error = open(&path, None).unwrap_err();
        assert!(
            matches!(error, OpenError::Locked { pid } if pid == std::process::id()),
            "{error}"
        );
        // Removing the file does not remove the lock.
        fs::remove_file(path.join("LOCK")).ok();
        fs::write(path.join("LOCK"), format!("{}\n", std::process::id())).unwrap();
    }
    drop(first);
    open(&path, None).unwrap();
}

#[test]
fn a_directory_that_others_may_write_is_refused() {
    for mode in [0o777, 0o770, 0o702, 0o720] {
        let (root, path) = scene();
        fs::create_dir(&path).unwrap();
        chmod(&path, mode);
        let error = refused(&path, root.path());
        assert!(
            matches!(error, OpenError::Insecure { mode: m, .. } if m == mode),
            "{error}"
        );
    }
}

#[test]
fn a_file_in_it_that_others_may_write_is_refused_where_they_can_reach_it() {
    let (root, path) = scene();
    drop(open(&path, None).unwrap());
    fs::create_dir_all(path.join("journal/keyspaces")).unwrap();
    let file = path.join("journal/keyspaces/table");
    fs::write(&file, b"").unwrap();
    for directory in ["", "journal", "journal/keyspaces"] {
        chmod(&path.join(directory), 0o755);
    }
    chmod(&file, 0o666);
    let error = refused(&path, root.path());
    assert!(
        matches!(&error, OpenError::Insecure { path, .. } if *path == file),
        "{error}"
    );
    // Behind a closed door it is only put right.
    chmod(&path, 0o700);
    open(&path, None).unwrap().restrict().unwrap();
    assert!(modes(&path).iter().all(|(_, mode)| mode & 0o077 == 0));
}

#[test]
fn a_path_that_is_a_file_is_refused() {
    let (root, path) = scene();
    fs::write(&path, b"precious").unwrap();
    assert_eq!(refused(&path, root.path()).code(), "not_a_directory");
    assert_eq!(
        refused(&path.join("below"), root.path()).code(),
        "not_a_directory"
    );
}

#[test]
fn a_foreign_directory_is_refused_untouched() {
    let (root, path) = scene();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("thesis.txt"), b"precious").unwrap();
    assert_eq!(refused(&path, root.path()).code(), "not_a_ledger");
    fs::remove_file(path.join("thesis.txt")).unwrap();
    fs::write(path.join("LEDGER"), b"income and expenses\n").unwrap();
    assert_eq!(refused(&path, root.path()).code(), "not_a_ledger");
    fs::write(path.join("LEDGER"), vec![b'x'; 1 << 20]).unwrap();
    assert_eq!(refused(&path, root.path()).code(), "not_a_ledger");
}

#[test]
fn a_newer_format_is_refused_untouched() {
    let (root, path) = scene();
    drop(open(&path, None).unwrap());
    fs::write(
        path.join("LEDGER"),
        "femtoclaw-ledger\nformat 4\nsomething else\n",
    )
    .unwrap();
    chmod(&path, 0o755);
    chmod(&path.join("LEDGER"), 0o644);
    let error = refused(&path, root.path());
    assert!(
        matches!(
            error,
            OpenError::FormatTooNew {
                found: 4,
                supported: DIRECTORY_FORMAT
            }
        ),
        "{error}"
    );
}

#[test]
fn every_changed_byte_of_the_identity_is_noticed() {
    let (root, path) = scene();
    drop(open(&path, None).unwrap());
    let file = path.join("LEDGER");
    let good = fs::read(&file).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&file, &bad).unwrap();
        let error = refused(&path, root.path());
        let expected = [
            "not_a_ledger",
            "damaged",
            "format_too_new",
            "format_too_old",
        ];
        assert!(expected.contains(&error.code()), "byte {at}: {error}");
        fs::write(&file, &good[..at]).unwrap();
        refused(&path, root.path());
    }
    fs::write(&file, &good).unwrap();
    open(&path, None).unwrap();
}

#[test]
fn a_creation_that_was_cut_short_is_finished() {
    let (_root, path) = scene();
    fs::create_dir(&path).unwrap();
    chmod(&path, 0o700);
    fs::write(path.join("LOCK"), b"99\n").unwrap();
    fs::write(path.join("LEDGER.creating"), b"femtoclaw-le").unwrap();
    assert!(open(&path, None).unwrap().is_new());
    assert!(!open(&path, None).unwrap().is_new());
    assert!(!path.join("LEDGER.creating").exists());
}

#[test]
fn what_cannot_be_written_names_the_path() {
    let error = open(Path::new("/proc/self/nothing-here"), None).unwrap_err();
    assert!(
        matches!(&error, OpenError::Io { path, .. } if path.starts_with("/proc/self")),
        "{error}"
    );
}

/// Told is the first directory that could not be made, and not that the next one has no place.
#[test]
fn a_parent_that_cannot_be_made_says_why() {
    let system = Path::new("/sys/kernel");
    if !system.exists() {
        eprintln!("SKIPPED: there is no file system of the kernel's here");
        return;
    }
    let error = open(&system.join("nothing-here/ledger"), None).unwrap_err();
    let is_missing =
        matches!(&error, OpenError::Io { source, .. } if source.kind() == ErrorKind::NotFound);
    assert!(!is_missing, "{error}");
}
