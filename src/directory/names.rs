// SPDX-License-Identifier: Apache-2.0
//! Names in a ledger's directory.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crate::database;

pub(super) const LOCK: &str = "LOCK";

pub(super) const IDENTITY: &str = "LEDGER";

pub(super) const ANCHOR: &str = "ANCHOR";

pub(crate) const SUBJECTS: &str = "SUBJECTS";

/// What is opened in it, by us or by the engine. Files in `quarantine/` are never opened, and
/// `*.creating` only removed.
pub(super) const OPENED: [&str; 9] = [
    LOCK,
    IDENTITY,
    ANCHOR,
    SUBJECTS,
    "SCRUB",
    "failure.note",
    "snapshots",
    "journal",
    "views",
];

/// `lost+found` comes with a file system: it is nobody's, and only root may look into it.
pub(super) fn is_the_volumes(ledger: &Path, name: &OsStr) -> bool {
    let is_directory = |found: fs::Metadata| found.is_dir();
    let path = ledger.join(name);
    name == database::LOST_AND_FOUND && path.symlink_metadata().is_ok_and(is_directory)
}
