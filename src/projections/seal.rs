// SPDX-License-Identifier: Apache-2.0
//! A seal over closed views: what the engine's own checks leave open (manifests, the log's batch
//! numbers, which tables there are) is compared at the next opening with what was closed.
//!
//! The seal is broken by opening, so views that were not closed have none: they rest on the
//! engine's checks and on the preflight. Tables carry checksums that every read checks; of them
//! only names and lengths are sealed, and so opening costs nothing that grows with history.
//!
//! A power cut must not bring a broken seal back, over files that were written on since, nor leave a whole one
//! over files that are not as it says. So the files' names are durable before the seal is, and the
//! seal's removal before the engine opens the database.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use base16ct::HexDisplay;

use crate::database::{files, structure};
use crate::events::Hash;
use crate::integrity::{FieldDigest, digest};

use super::boot_mark::BOOT;
use super::error::HaltReason;

const SEAL: &str = "SEAL";
/// Left behind where a close was cut short.
const SEAL_CREATING: &str = "SEAL.creating";
/// Lines for some 160,000 files.
const SEAL_BYTES_MAX: u64 = 16 << 20;
const TABLES: &str = "tables";
const STEP: usize = 64 << 10;

/// Makes the names in a directory durable.
fn sync(directory: &Path) -> io::Result<()> {
    files::open_directory(directory)?.sync_all()
}

/// Seals a database that was closed and synced. Holds its lock meanwhile: whoever has opened it again since is
/// writing on it. Failing to is no loss.
pub(super) fn write(views: &Path) {
    let lock = files::open_or_create(&views.join(structure::LOCK));
    if !lock.as_ref().is_ok_and(|lock| lock.try_lock().is_ok()) {
        tracing::warn!("views closed without a seal: somebody holds them");
        return;
    }
    let sealed = describe(views, None).and_then(|text| {
        // What the engine has removed stays removed.
        sync_directories(views, &sync)?;
        files::replace(&views.join(SEAL), text.as_bytes())
    });
    if let Err(error) = sealed {
        tracing::warn!(%error, "views closed without a seal");
        let _ = fs::remove_file(views.join(SEAL));
    }
}

/// Compares with the seal. False where there is none.
pub(super) fn check(views: &Path) -> Result<bool, HaltReason> {
    let path = views.join(SEAL);
    let sealed = match files::read(&path, SEAL_BYTES_MAX) {
        Ok(sealed) => sealed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) if files::is_odd(&error) => {
            return Err(HaltReason::Damage(format!("{}: {error}", path.display())));
        }
        Err(error) => return Err(HaltReason::io(&path, &error)),
    };
    let sealed = String::from_utf8_lossy(&sealed).into_owned();
    let found = describe(views, Some(&sealed)).map_err(|error| HaltReason::io(views, &error))?;
    if found != sealed {
        let differing = found
            .lines()
            .find(|line| !sealed.contains(line))
            .unwrap_or(SEAL);
        let cause = format!("views are not as they were closed: {differing}");
        return Err(HaltReason::Damage(cause));
    }
    Ok(true)
}

/// Breaks the seal: the last step before the engine opens the database, so that an opening which is
/// refused before leaves the views closed as they were. Where there is none, its removal by an earlier
/// opening may not be durable yet.
pub(super) fn break_it(views: &Path) -> Result<(), HaltReason> {
    break_with(views, &sync)
}

fn break_with(views: &Path, sync: Sync<'_>) -> Result<(), HaltReason> {
    let path = views.join(SEAL);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(HaltReason::io(&path, &error)),
        _ => sync(views).map_err(|error| HaltReason::io(views, &error)),
    }
}

/// Makes the names in a directory durable.
type Sync<'a> = &'a dyn Fn(&Path) -> io::Result<()>;

fn sync_directories(directory: &Path, sync: Sync<'_>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_directories(&entry.path(), sync)?;
        }
    }
    sync(directory)
}

/// A line for each file: digest, length, bytes digested, path; and a digest of the lines.
/// Preallocated logs end in zeros that need not be read again: `sealed` says where they begin.
fn describe(views: &Path, sealed: Option<&str>) -> io::Result<String> {
    let mut files = Vec::new();
    list(views, &mut files)?;
    files.sort();
    let mut text = String::new();
    for file in files {
        let name = file.strip_prefix(views).unwrap_or(&file);
        let name = name.to_string_lossy();
        let length = fs::symlink_metadata(&file)?.len();
        let used = match sealed {
            _ if is_table(&file) => 0,
            Some(sealed) => used_then(sealed, &name).unwrap_or(length),
            None => used_now(&file, length)?,
        };
        let hash = digest_of(&file, used)?;
        let _ = writeln!(text, "{:x} {length} {used} {name}", HexDisplay(&hash));
    }
    let whole = digest(text.as_bytes());
    let _ = writeln!(text, "{:x}", HexDisplay(&whole));
    Ok(text)
}

fn is_table(file: &Path) -> bool {
    file.parent()
        .and_then(Path::file_name)
        .is_some_and(|parent| parent == TABLES)
}

fn list(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            list(&path, files)?;
        // The lock holds nothing, and the start of the machine is noted before the seal is broken.
        } else if path.file_name().is_some_and(|name| {
            ![SEAL, SEAL_CREATING, structure::LOCK, BOOT]
                .iter()
                .any(|it| name == *it)
        }) {
            files.push(path);
        }
    }
    Ok(())
}

fn used_then(sealed: &str, name: &str) -> Option<u64> {
    sealed.lines().find_map(|line| {
        let mut parts = line.splitn(4, ' ').skip(2);
        let used = parts.next()?;
        (parts.next()? == name).then(|| used.parse().ok())?
    })
}

/// Bytes up to the last that is not zero. Preallocated bytes are compared in whole blocks: they are
/// most of the file.
fn used_now(file: &Path, length: u64) -> io::Result<u64> {
    let mut source = files::open(file)?;
    let mut end = length;
    let zeros = vec![0; STEP];
    let mut buffer = vec![0; STEP];
    while end > 0 {
        let start = end.saturating_sub(STEP as u64);
        source.seek(SeekFrom::Start(start))?;
        let size = usize::try_from(end - start).unwrap_or(STEP);
        let part = buffer.get_mut(..size).unwrap_or_default();
        source.read_exact(part)?;
        if !zeros.starts_with(part)
            && let Some(last) = part.iter().rposition(|byte| *byte != 0)
        {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn digest_of(file: &Path, used: u64) -> io::Result<Hash> {
    let mut whole = FieldDigest::new("femtoclaw-ledger views seal");
    if used == 0 {
        return Ok(whole.finish());
    }
    let mut source = files::open(file)?.take(used);
    let mut buffer = Vec::with_capacity(STEP.min(usize::try_from(used).unwrap_or(STEP)));
    loop {
        buffer.clear();
        source.by_ref().take(STEP as u64).read_to_end(&mut buffer)?;
        if buffer.is_empty() {
            return Ok(whole.finish());
        }
        whole.add(&buffer);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::fs::File;
    use std::sync::Mutex;

    use super::*;

    /// Files of a database, closed and sealed.
    fn sealed() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("keyspaces/1/tables")).unwrap();
        fs::write(directory.path().join("0.jnl"), b"batches").unwrap();
        write(directory.path());
        assert!(check(directory.path()).unwrap());
        directory
    }

    /// A power cut in between would bring the seal back, over views that were written on: they would be taken
    /// for damaged.
    #[test]
    fn the_removal_of_a_seal_is_durable_before_the_engine_opens_views() {
        let directory = sealed();
        let (views, synced) = (directory.path(), Mutex::new(Vec::new()));
        let record = |path: &Path| {
            let there = views.join(SEAL).exists();
            synced.lock().unwrap().push((path.to_owned(), there));
            Ok(())
        };
        break_with(views, &record).unwrap();
        let expected = || (views.to_owned(), false);
        assert_eq!(*synced.lock().unwrap(), [expected()]);
        // An earlier opening removed it, and could not make that durable.
        break_with(views, &record).unwrap();
        assert_eq!(*synced.lock().unwrap(), [expected(), expected()]);
        let refused = |_: &Path| Err(io::Error::from_raw_os_error(5));
        assert!(matches!(
            break_with(views, &refused),
            Err(HaltReason::Unknown(_))
        ));
    }

    #[test]
    fn views_that_are_open_again_get_no_seal() {
        let directory = sealed();
        let views = directory.path();
        break_it(views).unwrap();
        let held = File::open(views.join(structure::LOCK)).unwrap();
        held.lock().unwrap();
        write(views);
        assert!(!views.join(SEAL).exists());
        drop(held);
        write(views);
        assert!(check(views).unwrap());
    }

    /// Of a table the engine checks every byte it reads; of everything else the seal does.
    #[test]
    fn every_byte_is_sealed_but_those_of_tables() {
        let directory = sealed();
        let keyspace = directory.path().join("keyspaces/1");
        let (small, table) = (keyspace.join("current"), keyspace.join("tables/1"));
        for file in [&small, &table] {
            fs::write(file, b"as it was closed").unwrap();
        }
        write(directory.path());
        fs::write(&table, b"as it is not now").unwrap();
        assert!(check(directory.path()).unwrap());
        fs::write(&small, b"as it is not now").unwrap();
        let changed = check(directory.path());
        assert!(matches!(changed, Err(HaltReason::Damage(_))), "{changed:?}");
    }

    #[test]
    fn every_name_is_durable_before_its_seal() {
        let directory = sealed();
        let (views, synced) = (directory.path(), Mutex::new(Vec::new()));
        let record = |path: &Path| {
            let below = path.strip_prefix(views).unwrap();
            synced.lock().unwrap().push(below.to_owned());
            Ok(())
        };
        sync_directories(views, &record).unwrap();
        let names = ["keyspaces/1/tables", "keyspaces/1", "keyspaces", ""];
        assert_eq!(*synced.lock().unwrap(), names.map(PathBuf::from));
    }

    #[test]
    fn a_seal_that_was_never_finished_is_no_part_of_what_is_sealed() {
        let directory = sealed();
        fs::write(directory.path().join(SEAL_CREATING), b"half").unwrap();
        assert!(check(directory.path()).unwrap());
        write(directory.path());
        assert!(check(directory.path()).unwrap());
        assert!(!directory.path().join(SEAL_CREATING).exists());
    }
}
