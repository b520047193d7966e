// SPDX-License-Identifier: Apache-2.0
//! Files and directories made so that a power cut leaves the old or the new, and nobody else may
//! read them.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use super::files;

pub(crate) const PRIVATE_DIRECTORY: u32 = 0o700;
pub(crate) const PRIVATE_FILE: u32 = 0o600;
/// Comes with a file system, in its topmost directory.
pub(crate) const LOST_AND_FOUND: &str = "lost+found";

/// Creates a directory that only its owner can enter, whatever the umask.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path)
}

/// As [`create_private`], and its name is durable; one that exists is left as it is, and must be
/// one: a link to a directory elsewhere is none.
pub(crate) fn ensure_private(path: &Path) -> io::Result<()> {
    match create_private(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => files::check_directory(path),
        Err(error) => Err(error),
    }
}

/// Takes every right from group and others, down from `path`. Files that vanish meanwhile (the
/// engine's threads remove what they have compacted) are no error. What is no file or directory, or has
/// a second name elsewhere, is left alone: its rights are not this directory's.
pub(crate) fn restrict(path: &Path) -> io::Result<()> {
    walk(path, &mut |entry, is_directory| {
        let found = entry.symlink_metadata()?;
        let has = found.permissions().mode() & 0o7777;
        let mode = match is_directory {
            true => PRIVATE_DIRECTORY,
            // What its owner has made read-only stays so.
            false if has & 0o600 == 0o400 => 0o400,
            false => PRIVATE_FILE,
        };
        let is_single = found.is_dir() || (found.is_file() && found.nlink() == 1);
        if !is_single || has == mode {
            return Ok(());
        }
        fs::set_permissions(entry, Permissions::from_mode(mode))
    })
}

/// Makes a whole tree durable, its own name excepted.
pub(crate) fn sync_tree(path: &Path) -> io::Result<()> {
    walk(path, &mut |entry, _| File::open(entry)?.sync_all())
}

/// Makes a name in its directory durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Visits files before their directory. Symbolic links are left alone.
fn walk(path: &Path, visit: &mut dyn FnMut(&Path, bool) -> io::Result<()>) -> io::Result<()> {
    let vanished = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    };
    let kind = match path.symlink_metadata() {
        Ok(metadata) => metadata.file_type(),
        Err(error) => return vanished(error),
    };
    // `lost+found` is the file system's, and only root may look into it.
    if kind.is_symlink() || path.file_name().is_some_and(|name| name == LOST_AND_FOUND) {
        return Ok(());
    }
    if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), visit)?;
        }
    }
    visit(path, kind.is_dir()).or_else(vanished)
}
