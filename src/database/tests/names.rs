// SPDX-License-Identifier: Apache-2.0
//! Directories and the names in them: what is no directory is not opened as one, and a refusal of the system is told
//! as that.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::database::{ensure_private, files, sync_parent};

#[test]
fn what_is_no_directory_is_not_opened_as_one() {
    let directory = tempfile::tempdir().unwrap();
    files::open_directory(directory.path()).unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let refused = files::open_directory(&file).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotADirectory);
}

#[test]
fn a_name_is_durable_where_its_directory_was_synced() {
    let directory = tempfile::tempdir().unwrap();
    sync_parent(&directory.path().join("name")).unwrap();
    let lost = sync_parent(&directory.path().join("gone/name"));
    assert_eq!(lost.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_is_in_the_place_of_a_directory_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own");
    for _ in 0..2 {
        ensure_private(&path).unwrap();
    }
    let (file, link) = (directory.path().join("file"), directory.path().join("link"));
    fs::write(&file, b"").unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    ensure_private(&file).unwrap_err();
    ensure_private(&link).unwrap_err();
    // The system's own answer, where it makes nothing: no right, or nothing can be written there.
    if Path::new("/sys/kernel").is_dir() {
        let refused = ensure_private(Path::new("/sys/kernel/femtoclaw-ledger")).unwrap_err();
        assert_ne!(refused.kind(), ErrorKind::NotFound, "{refused}");
    }
}
