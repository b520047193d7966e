// SPDX-License-Identifier: Apache-2.0
//! A seal over closed views: what the engine's own checks leave open (manifests, the log's batch
//! numbers, which tables there are) is compared at the next opening with what was closed.
//!
//! The seal is broken by opening, so views that were not closed have none: they rest on the
//! engine's checks and on the preflight. Tables carry checksums that every read checks; of them
//! only names and lengths are sealed, and so opening costs nothing that grows with history.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::database::{files, structure};
use crate::events::Hash;
use crate::integrity::{FieldDigest, digest};

use super::boot::BOOT;
use super::error::Failure;

const SEAL: &str = "SEAL";
/// Lines for some 160,000 files.
const SEAL_BYTES_MAX: u64 = 16 << 20;
const TABLES: &str = "tables";
const STEP: usize = 64 << 10;

/// Seals a database that no one holds open. Failing to is no loss.
pub(super) fn write(views: &Path) {
    let sealed = describe(views, None)
        .and_then(|text| files::create(&views.join(SEAL))?.write_all(text.as_bytes()));
    if let Err(error) = sealed {
        tracing::warn!(%error, "views closed without a seal");
        let _ = fs::remove_file(views.join(SEAL));
    }
}

/// Compares with the seal. False where there is none.
pub(super) fn check(views: &Path) -> Result<bool, Failure> {
    let path = views.join(SEAL);
    let sealed = match files::read(&path, SEAL_BYTES_MAX) {
        Ok(sealed) => sealed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) if files::is_odd(&error) => {
            return Err(Failure::Damage(format!("{}: {error}", path.display())));
        }
        Err(error) => return Err(Failure::io(&path, &error)),
    };
    let sealed = String::from_utf8_lossy(&sealed).into_owned();
    let found = describe(views, Some(&sealed)).map_err(|error| Failure::io(views, &error))?;
    if found != sealed {
        let differing = found
            .lines()
            .find(|line| !sealed.contains(line))
            .unwrap_or(SEAL);
        let cause = format!("views are not as they were closed: {differing}");
        return Err(Failure::Damage(cause));
    }
    Ok(true)
}

/// Breaks the seal: the last step before the engine opens the database, so that an opening which is
/// refused before leaves the views closed as they were.
pub(super) fn break_it(views: &Path) -> Result<(), Failure> {
    let path = views.join(SEAL);
    fs::remove_file(&path).map_err(|error| Failure::io(&path, &error))
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
        push_hex(&mut text, &hash);
        let _ = writeln!(text, " {length} {used} {name}");
    }
    let whole = digest(text.as_bytes());
    push_hex(&mut text, &whole);
    text.push('\n');
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
        } else if path
            .file_name()
            .is_some_and(|name| name != SEAL && name != structure::LOCK && name != BOOT)
        {
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

fn push_hex(text: &mut String, hash: &Hash) {
    for byte in hash {
        let _ = write!(text, "{byte:02x}");
    }
}
