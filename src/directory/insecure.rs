// SPDX-License-Identifier: Apache-2.0
//! Nobody but its owner may write to a ledger's directory.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::is_the_volumes;
use crate::error::OpenError;

/// Refuses what group or others may write to, in the directory `path` of the ledger too where they can
/// enter it.
pub(super) fn check(path: &Path, metadata: &Metadata) -> Result<(), OpenError> {
    check_mode(path, path, metadata)?;
    // Where others cannot enter, what lies inside is out of their reach.
    match metadata.permissions().mode() & 0o011 {
        0 => Ok(()),
        _ => check_entries(path, path),
    }
}

fn check_mode(ledger: &Path, path: &Path, metadata: &Metadata) -> Result<(), OpenError> {
    let mode = metadata.permissions().mode();
    match mode & 0o022 {
        0 => Ok(()),
        _ => Err(OpenError::Insecure {
            path: path.to_owned(),
            mode: mode & 0o7777,
            remedy: remedy(ledger),
        }),
    }
}

/// One command that is enough: what mounts a volume for a group changes everything in it. A user who
/// does not own the directory may not restrict it, and has one of its own below.
fn remedy(ledger: &Path) -> String {
    let owner = fs::metadata(ledger).map(|found| found.uid());
    let own = rustix::process::geteuid().as_raw();
    if owner.is_ok_and(|owner| owner == own) {
        return format!("chmod -R go-w {}", quoted(ledger));
    }
    let below = ledger.join("ledger");
    format!(
        "it has another owner: open {} in its place",
        below.display()
    )
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn check_entries(ledger: &Path, path: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(path).map_err(|source| OpenError::io(path, source))? {
        let entry = entry.map_err(|source| OpenError::io(path, source))?;
        if path == ledger && is_the_volumes(ledger, &entry.file_name()) {
            continue;
        }
        let entry = entry.path();
        let metadata = entry
            .symlink_metadata()
            .map_err(|source| OpenError::io(&entry, source))?;
        if metadata.is_symlink() {
            continue;
        }
        check_mode(ledger, &entry, &metadata)?;
        if metadata.is_dir() {
            check_entries(ledger, &entry)?;
        }
    }
    Ok(())
}
