// SPDX-License-Identifier: Apache-2.0
//! Files of ours, opened as what they are to be and as nothing else.
//!
//! An attacker who prepared a directory may have put a symbolic link, a pipe or another user's file
//! where one of ours is expected. So a file is opened by a descriptor of its directory, without
//! following a link and without waiting for the other end of a pipe, and its descriptor is asked
//! what it is before a byte is read or written. The engine opens its files by path: [`check_tree`]
//! looks at them before.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    self, AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, renameat, statat,
    unlinkat,
};
use rustix::io::Errno;

use crate::error::OddFile;

/// What a directory is opened with to find names in it, which needs no right to list it.
#[cfg(target_os = "linux")]
const SEARCH: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const SEARCH: OFlags = OFlags::RDONLY;
/// Of a file that is read its time of access stays, where the system permits it.
#[cfg(target_os = "linux")]
const QUIETLY: OFlags = OFlags::NOATIME;
#[cfg(not(target_os = "linux"))]
const QUIETLY: OFlags = OFlags::empty();
const ALWAYS: OFlags = OFlags::CLOEXEC
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);
const DIRECTORY: OFlags = OFlags::CLOEXEC.union(OFlags::DIRECTORY);

/// Nothing of ours lies deeper: `journal/keyspaces/1/tables/2`.
const DEPTH_MAX: u32 = 8;

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, OddFile(what.to_owned()))
}

/// Whether this is the word about a file that is not what it is to be.
pub(crate) fn is_odd(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<OddFile>())
}

/// A name in a directory that is held by its descriptor: all that is done with it is done in that
/// directory, whatever its path names meanwhile.
pub(crate) struct HeldName<'a> {
    directory: OwnedFd,
    name: &'a OsStr,
}

impl<'a> HeldName<'a> {
    /// The last part of `path` is the name; links in the other parts are followed.
    ///
    /// # Errors
    /// As the operating system says.
    pub(crate) fn of(path: &'a Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let directory = openat(CWD, parent, SEARCH | DIRECTORY, Mode::empty())?;
        Ok(Self { directory, name })
    }

    fn open(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        open_in(self.directory.as_fd(), name, flags | OFlags::NOFOLLOW)
    }

    /// A new file under this name, its owner's alone. What lies there under the name goes first:
    /// the name, and nothing that it may link to.
    ///
    /// # Errors
    /// As the operating system says; also where a directory has the name.
    fn create(&self, name: &OsStr) -> io::Result<File> {
        match unlinkat(&self.directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let new = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let file = openat(&self.directory, name, new | ALWAYS, Mode::RUSR | Mode::WUSR)?;
        Ok(File::from(file))
    }
}

/// Makes a directory's names durable.
fn sync_directory(directory: BorrowedFd<'_>) -> io::Result<()> {
    let names = openat(directory, ".", DIRECTORY, Mode::empty())?;
    File::from(names).sync_all()
}

fn open_in(directory: BorrowedFd<'_>, name: &OsStr, flags: OFlags) -> io::Result<File> {
    let open = |flags| openat(directory, name, flags | ALWAYS, Mode::empty());
    let opened = match open(flags) {
        Err(Errno::PERM) if flags.intersects(QUIETLY) => open(flags.difference(QUIETLY)),
        opened => opened,
    };
    let file = File::from(opened.map_err(|error| match error {
        Errno::LOOP | Errno::MLINK => odd("it is a symbolic link"),
        Errno::NXIO => odd("it is a socket or a device"),
        Errno::ISDIR => odd("it is a directory"),
        error => error.into(),
    })?);
    is_regular(&fstat(&file)?)?;
    Ok(file)
}

fn is_regular(found: &Stat) -> io::Result<()> {
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(odd("it is a directory")),
        FileType::Symlink => Err(odd("it is a symbolic link")),
        FileType::Fifo => Err(odd("it is a pipe")),
        _ => Err(odd("it is a socket or a device")),
    }
}

/// Root may do everything, so what is root's is as good as our own.
fn is_ours(found: &Stat) -> io::Result<()> {
    let (owner, user) = (found.st_uid, rustix::process::geteuid().as_raw());
    if owner != user && owner != 0 {
        let what = format!("it belongs to user {owner}, and this process is user {user}");
        return Err(odd(&what));
    }
    Ok(())
}

/// The file has no second name: bytes written to it appear in no other place.
fn is_single(found: &Stat) -> io::Result<()> {
    match found.st_nlink {
        0 | 1 => Ok(()),
        names => Err(odd(&format!("it has {names} names (hard links)"))),
    }
}

/// Opens a file for reading; nothing of it changes.
///
/// # Errors
/// As the operating system says; [`is_odd`] where it is no regular file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let place = HeldName::of(path)?;
    place.open(place.name, OFlags::RDONLY | QUIETLY)
}

/// As [`open`]; a symbolic link is followed, as where secrets are mounted.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_followed(path: &Path) -> io::Result<File> {
    let place = HeldName::of(path)?;
    let file = open_in(place.directory.as_fd(), place.name, OFlags::RDONLY)?;
    is_ours(&fstat(&file)?)?;
    Ok(file)
}

/// Opens a file for reading and writing, which is there, is ours, and has no other name.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    let place = HeldName::of(path)?;
    let file = place.open(place.name, OFlags::RDWR)?;
    let found = fstat(&file)?;
    is_ours(&found)?;
    is_single(&found)?;
    Ok(file)
}

/// As [`open_to_write`]; makes the file where there is none.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    match open_to_write(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let place = HeldName::of(path)?;
    let new = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let made = openat(
        &place.directory,
        place.name,
        new | ALWAYS,
        Mode::RUSR | Mode::WUSR,
    );
    match made {
        // Another process was faster.
        Err(Errno::EXIST) => open_to_write(path),
        made => Ok(File::from(made?)),
    }
}

/// Opens a directory for reading.
///
/// # Errors
/// As the operating system says.
pub(crate) fn open_directory(path: &Path) -> io::Result<File> {
    let open = |flags| openat(CWD, path, flags | DIRECTORY, Mode::empty());
    let opened = match open(QUIETLY) {
        Err(Errno::PERM) => open(OFlags::empty()),
        opened => opened,
    };
    Ok(File::from(opened?))
}

/// All bytes of a file; one of more than `max` bytes is odd, and is not read.
///
/// # Errors
/// As [`open`].
pub(crate) fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    if file.metadata()?.len() <= max {
        file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= max {
            return Ok(bytes);
        }
    }
    Err(odd(&format!("it has more than {max} bytes")))
}

/// A new file that only its owner may open, in the place of whatever has the name.
///
/// # Errors
/// As the operating system says.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let place = HeldName::of(path)?;
    place.create(place.name)
}

/// The name under which something is made before it counts.
pub(crate) fn creating(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".creating");
    path.with_file_name(name)
}

/// A file that is written under another name and takes its own once it is whole.
pub(crate) struct Replacement {
    directory: OwnedFd,
    creating: OsString,
    name: OsString,
    /// To write to.
    pub(crate) file: File,
}

impl Replacement {
    /// Begins one. What lies there under the name stays until [`Self::finish`].
    ///
    /// # Errors
    /// As the operating system says.
    pub(crate) fn begin(path: &Path) -> io::Result<Self> {
        let place = HeldName::of(path)?;
        let creating = creating(path);
        let creating = creating.file_name().unwrap_or_default().to_owned();
        let file = place.create(&creating)?;
        let HeldName { directory, name } = place;
        let name = name.to_owned();
        Ok(Self {
            directory,
            creating,
            name,
            file,
        })
    }

    /// Makes the file durable, and then its name.
    ///
    /// # Errors
    /// As the operating system says.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        let (creating, name) = (&self.creating, &self.name);
        renameat(&self.directory, creating, &self.directory, name)?;
        sync_directory(self.directory.as_fd())
    }
}

/// Makes `path` hold these bytes: all of them or, after a power cut, what it held before.
///
/// # Errors
/// As the operating system says.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut replacement = Replacement::begin(path)?;
    replacement.file.write_all(bytes)?;
    replacement.finish()
}

/// A directory that is one, and no link to one.
///
/// # Errors
/// [`is_odd`] where it is none.
pub(crate) fn check_directory(path: &Path) -> io::Result<()> {
    let found = fs::lstat(path)?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => is_ours(&found),
        FileType::Symlink => Err(odd("it is a symbolic link")),
        _ => Err(odd("it is no directory")),
    }
}

/// Looks at everything below these names in `root`: regular files and directories, ours, each file
/// with one name. Names that are missing, and what is removed meanwhile, are no matter.
///
/// # Errors
/// The first thing that is something else, and what it is.
pub(crate) fn check_tree(root: &Path, names: &[&str]) -> Result<(), (PathBuf, io::Error)> {
    let told = |error: io::Error| (root.to_owned(), error);
    let directory = open_directory(root).map_err(told)?;
    is_ours(&fstat(&directory).map_err(|error| told(error.into()))?).map_err(told)?;
    for name in names {
        let path = root.join(name);
        check_entry(directory.as_fd(), OsStr::new(name), &path, DEPTH_MAX)?;
    }
    Ok(())
}

fn check_entry(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    path: &Path,
    depth: u32,
) -> Result<(), (PathBuf, io::Error)> {
    let told = |error: io::Error| (path.to_owned(), error);
    let found = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        found => found.map_err(|error| told(error.into()))?,
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
        let checked = is_regular(&found).and_then(|()| is_ours(&found));
        return checked.and_then(|()| is_single(&found)).map_err(told);
    }
    is_ours(&found).map_err(told)?;
    let deeper = depth.checked_sub(1);
    let deeper = deeper.ok_or_else(|| told(odd("it lies too deep")))?;
    let flags = QUIETLY | DIRECTORY | OFlags::NOFOLLOW;
    let inner = match openat(directory, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::PERM) => openat(directory, name, flags.difference(QUIETLY), Mode::empty()),
        opened => opened,
    };
    let inner = inner.map_err(|error| told(error.into()))?;
    let entries = Dir::read_from(&inner).map_err(|error| told(error.into()))?;
    for entry in entries {
        let entry = entry.map_err(|error| told(error.into()))?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            let name = std::os::unix::ffi::OsStrExt::from_bytes(name);
            check_entry(inner.as_fd(), name, &path.join(name), deeper)?;
        }
    }
    Ok(())
}
