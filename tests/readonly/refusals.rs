// SPDX-License-Identifier: Apache-2.0
//! What is not opened for reading, and with which word.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use femtoclaw_ledger::{Ledger, read_only::ReadOnlyOptions};

use crate::scene::{in_log, state};

fn code(path: &std::path::Path) -> &'static str {
    let opened = Ledger::open_read_only(path, ReadOnlyOptions::default());
    opened.unwrap_err().code()
}

#[test]
fn what_is_no_ledger_or_not_to_be_trusted_is_refused_untouched() {
    let scene = in_log();
    let root = scene.directory.path();
    assert_eq!(code(&root.join("nothing")), "not_a_ledger");
    assert_eq!(code(root), "not_a_ledger");
    let file = root.join("file");
    fs::write(&file, b"x").unwrap();
    assert_eq!(code(&file), "not_a_directory");
    let text = fs::read_to_string(scene.path.join("LEDGER")).unwrap();
    for (other, expected) in [
        ("format 4", "format_too_new"),
        ("format 2", "format_too_old"),
    ] {
        let other = text.replace("format 3", other);
        fs::write(scene.path.join("LEDGER"), other).unwrap();
        let before = state(&scene.path);
        assert_eq!(code(&scene.path), expected);
        assert!(state(&scene.path) == before);
    }
    fs::write(scene.path.join("LEDGER"), text).unwrap();
    fs::set_permissions(&scene.path, fs::Permissions::from_mode(0o770)).unwrap();
    let before = state(&scene.path);
    assert_eq!(code(&scene.path), "insecure");
    assert!(state(&scene.path) == before);
    fs::set_permissions(&scene.path, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(scene.opened().findings(), []);
}
