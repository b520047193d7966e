// SPDX-License-Identifier: Apache-2.0
//! What the engine does not check itself when it opens: a keyspace whose directory is gone is
//! taken for none, one whose `current` file is missing is emptied, one that names an older
//! manifest rolled back, one whose manifest changed read otherwise than it was written; all
//! without a word.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;

use super::damage::Damage;
use super::files;
use super::tables::Table;
use crate::parse::take;

/// The whole of the file `version`.
pub(super) const VERSION: [u8; 4] = *b"FJL\x03";
pub(super) const TABLES: &str = "tables";
/// Of the engine's own lock, which holds nothing.
pub(crate) const LOCK: &str = "lock";
pub(super) const VERSION_FILE: &str = "version";
/// `current`: manifest number u64, XXH3-128 of the manifest, checksum type (0); little endian.
const CURRENT_LEN: usize = 25;
/// No manifest is larger: some 16,000,000 tables.
const MANIFEST_BYTES_MAX: u64 = 512 << 20;

/// The keyspaces of a closed database, each checked: by number.
pub(crate) fn check(database: &Path) -> Result<BTreeSet<u64>, Damage> {
    check_version(database)?;
    let mut found = BTreeSet::new();
    for path in keyspaces(database)? {
        check_keyspace(&path)?;
        found.extend(number(&path));
    }
    Ok(found)
}

pub(super) fn check_version(database: &Path) -> Result<(), Damage> {
    let version = database.join(VERSION_FILE);
    match read(&version)? == VERSION {
        true => Ok(()),
        false => Err(Damage::of(&version, "it is not the engine's version file")),
    }
}

/// The directories of all keyspaces.
pub(super) fn keyspaces(database: &Path) -> Result<Vec<PathBuf>, Damage> {
    let keyspaces = database.join("keyspaces");
    let io = |error| Damage::io(&keyspaces, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(&keyspaces).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if number(&path).is_none() || !is_directory(&path)? {
            return Err(Damage::of(&path, "a stray entry among the keyspaces"));
        }
        found.push(path);
    }
    found.sort_by_key(|path| number(path));
    Ok(found)
}

/// A keyspace's number, by which its directory is named.
fn number(keyspace: &Path) -> Option<u64> {
    let name = keyspace.file_name()?.to_str()?;
    let number = name.parse::<u64>().ok()?;
    (number.to_string() == name).then_some(number)
}

/// Further, that each of these keyspaces is there.
pub(super) fn check_recorded(database: &Path, recorded: &[u64]) -> Result<(), Damage> {
    let found = check(database)?;
    match recorded.iter().find(|number| !found.contains(number)) {
        None => Ok(()),
        Some(missing) => {
            let path = database.join("keyspaces").join(missing.to_string());
            Err(Damage::of(&path, "the directory of a keyspace is missing"))
        }
    }
}

fn check_keyspace(keyspace: &Path) -> Result<(), Damage> {
    for table in tables_of(keyspace)? {
        if !is_filled(&table.path)? {
            return Err(Damage::of(&table.path, "the table is missing or empty"));
        }
    }
    Ok(())
}

/// The tables that the keyspace's manifest names, and that there is a directory for them.
pub(super) fn tables_of(keyspace: &Path) -> Result<Vec<Table>, Damage> {
    let tables = manifest(keyspace)?;
    let directory = keyspace.join(TABLES);
    if !is_directory(&directory)? {
        return Err(Damage::of(&directory, "the directory of tables is missing"));
    }
    Ok(tables)
}

/// The tables that the keyspace's manifest names, which `current` names.
pub(super) fn manifest(keyspace: &Path) -> Result<Vec<Table>, Damage> {
    let path = keyspace.join("current");
    let current = read(&path)?;
    let parts = current.split_first_chunk::<8>().and_then(|(number, rest)| {
        let (checksum, kind) = rest.split_first_chunk::<16>()?;
        (kind == [0]).then(|| (u64::from_le_bytes(*number), u128::from_le_bytes(*checksum)))
    });
    let Some((number, checksum)) = parts.filter(|_| current.len() == CURRENT_LEN) else {
        return Err(Damage::of(&path, "it is not what the engine writes"));
    };
    let manifest = keyspace.join(format!("v{number}"));
    let bytes = read(&manifest)?;
    if xxh3_128(&bytes) != checksum {
        let problem = format!("it is not the manifest that {} names", path.display());
        return Err(Damage::of(&manifest, problem));
    }
    let tables = tables(&bytes, &keyspace.join(TABLES));
    tables.ok_or_else(|| Damage::of(&manifest, "it does not list tables"))
}

/// What is there; `None` where nothing is. That the system does not say so is not taken for nothing.
fn found(path: &Path) -> Result<Option<fs::Metadata>, Damage> {
    // A link is nothing that the engine makes.
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Damage::io(path, error)),
    }
}

pub(super) fn is_filled(table: &Path) -> Result<bool, Damage> {
    Ok(found(table)?.is_some_and(|table| table.is_file() && table.len() > 0))
}

pub(super) fn is_directory(path: &Path) -> Result<bool, Damage> {
    Ok(found(path)?.is_some_and(|found| found.is_dir()))
}

pub(super) fn is_file(path: &Path) -> Result<bool, Damage> {
    Ok(found(path)?.is_some_and(|found| found.is_file()))
}

/// A manifest is an archive of sections: their bytes, `TOC!`, count u32, per section position u64,
/// length u64, name length u16 and name; at the end `SFA!`, 1, 0, checksum u128, position u64 and
/// length u64 of the table of contents.
fn section<'a>(archive: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let (_, places) = archive.split_last_chunk::<16>()?;
    let (place, _) = places.split_first_chunk::<8>()?;
    let toc = archive.get(usize::try_from(u64::from_le_bytes(*place)).ok()?..)?;
    let mut rest = toc.strip_prefix(b"TOC!")?;
    let count = u32::from_le_bytes(take(&mut rest)?);
    for _ in 0..count {
        let start = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
        let length = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
        let name = u16::from_le_bytes(take(&mut rest)?);
        let (name, after) = rest.split_at_checked(usize::from(name))?;
        rest = after;
        if name == wanted {
            return archive.get(start..start.checked_add(length)?);
        }
    }
    None
}

/// The tables that a manifest names: levels u8, per level runs u8, per run tables u32, per table
/// id u64, checksum type u8, checksum u128 (XXH3 of the whole file), number u64.
fn tables(manifest: &[u8], directory: &Path) -> Option<Vec<Table>> {
    let mut rest = section(manifest, b"tables")?;
    let mut tables = Vec::new();
    let [levels] = take(&mut rest)?;
    for _ in 0..levels {
        let [runs] = take(&mut rest)?;
        for _ in 0..runs {
            for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
                let id = u64::from_le_bytes(take(&mut rest)?);
                let [0] = take(&mut rest)? else { return None };
                tables.push(Table {
                    path: directory.join(id.to_string()),
                    id,
                    checksum: u128::from_le_bytes(take(&mut rest)?),
                });
                take::<8>(&mut rest)?;
            }
        }
    }
    rest.is_empty().then_some(tables)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Damage> {
    files::read(path, MANIFEST_BYTES_MAX).map_err(|error| match files::is_odd(&error) {
        true => Damage::of(path, format!("it is not what the engine writes: {error}")),
        false => Damage::io(path, error),
    })
}
