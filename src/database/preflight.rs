// SPDX-License-Identifier: Apache-2.0
//! Before the engine opens the journal's database: what is there, and what may be done about it.
//!
//! * *clean*: nothing but whole batches.
//! * *torn tail*: bytes after the last whole batch, as a kill, a power cut or a failed write leaves
//!   them. They are kept in `quarantine/`, then cut off.
//! * *damage*: anything else. Refused, with file and place, and nothing is changed.
//!
//! Bytes that an earlier process could not sync may be in the system's cache and not on the medium,
//! and no later sync would write them: so the last batch is written once more and synced before
//! anything rests on it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::damage::{Damage, Meaning};
use super::durable;
use super::files;
use super::structure;
use super::wal::{Wal, WalFile};
use crate::error::OpenError;
use crate::integrity;

/// Written at a time.
const STEP: usize = 1 << 20;
/// Where the batch is written again, whole blocks are.
const BLOCK: u64 = 4096;

/// A database that may be opened, and was looked at.
#[derive(Debug)]
pub(crate) struct Inspected {
    path: PathBuf,
    pub(crate) wal: Wal,
    /// The engine's own lock: nobody else opens it meanwhile.
    _lock: File,
}

/// Bytes that no batch was made of.
///
/// Example: [`operation`](crate::operation).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TornTail {
    /// The log file that they were cut from.
    #[serde(serialize_with = "crate::events::readable::path")]
    pub file: PathBuf,
    /// Where they began in it.
    pub offset: u64,
    /// How many there were.
    pub bytes: u64,
    /// Where they are kept.
    #[serde(serialize_with = "crate::events::readable::path")]
    pub kept: PathBuf,
}

/// Looks at the closed database in `path`, which has these keyspaces. Changes nothing.
pub(crate) fn inspect(path: &Path, keyspaces: &[u64]) -> Result<Inspected, OpenError> {
    structure::check_recorded(path, keyspaces)?;
    let lock = lock(path)?;
    let wal = Wal::scan(path)?;
    check_copies(path, &wal)?;
    let unknown = wal.last().filter(|(_, batch)| {
        let known = keyspaces.iter().max();
        known.is_some_and(|known| batch.keyspace_max > *known)
    });
    if let Some((file, batch)) = unknown {
        let problem = format!(
            "a batch of keyspace {}, which there is not",
            batch.keyspace_max
        );
        return Err(Damage::at(&file.path, batch.start, problem).into());
    }
    Ok(Inspected {
        path: path.to_owned(),
        wal,
        _lock: lock,
    })
}

/// The engine removes an older file of its log once all of it is in tables, and trusts that it is: so
/// the tables that its batches went into are read first, the newest ones. A damaged one would lose its
/// whole copy.
fn check_copies(database: &Path, wal: &Wal) -> Result<(), Damage> {
    let Some((_, older)) = wal.files.split_last() else {
        return Ok(());
    };
    let mut copied: u64 = older.iter().map(|file| file.end).sum();
    if copied == 0 {
        return Ok(());
    }
    let mut tables = Vec::new();
    for keyspace in structure::keyspaces(database)? {
        tables.extend(structure::tables_of(&keyspace)?);
    }
    tables.sort_by_key(|table| std::cmp::Reverse(table.id));
    for table in tables {
        let mut read = 0;
        let checked = table.check(&mut |bytes| {
            read += bytes;
            true
        });
        match checked {
            // All of it is there, whatever the engine states.
            Err(damage) if damage.meaning() == Meaning::EngineFault => {
                tracing::warn!(%damage, "the engine's fault, and no damage");
            }
            checked => _ = checked?,
        }
        // A batch is larger in the log than in a table; what is cut off here is in no older file.
        if read > copied {
            break;
        }
        copied -= read;
    }
    Ok(())
}

fn lock(database: &Path) -> Result<File, OpenError> {
    let path = database.join(structure::LOCK);
    // One that was removed is made again: it holds nothing, and ours is the lock that counts.
    let file = files::open_or_create(&path).map_err(|error| Damage::io(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&path, error)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Database {
            path: database.to_owned(),
            cause: "it is open elsewhere".into(),
        }),
    }
}

impl Inspected {
    /// The value that the last whole batch of the log ends in.
    pub(crate) fn last_value(&self) -> Result<Option<Vec<u8>>, OpenError> {
        Ok(self.wal.last_value()?)
    }

    /// Cuts a torn tail off, after it is safe in `quarantine`, and makes durable what is left.
    /// May be cut short itself, any number of times.
    pub(crate) fn repair(&self, quarantine: &Path) -> Result<Option<TornTail>, OpenError> {
        let torn = match self.wal.torn() {
            Some(file) => Some(set_aside(file, quarantine)?),
            None => None,
        };
        if let Some((file, batch)) = self.wal.last() {
            let (start, end) = (batch.start / BLOCK * BLOCK, batch.end);
            rewrite(&file.path, start, end).map_err(|error| OpenError::io(&file.path, error))?;
        }
        for file in &self.wal.files {
            let synced = files::open(&file.path).and_then(|log| log.sync_all());
            synced.map_err(|error| OpenError::io(&file.path, error))?;
        }
        let names = files::open_directory(&self.path).and_then(|directory| directory.sync_all());
        names.map_err(|error| OpenError::io(&self.path, error))?;
        Ok(torn)
    }
}

fn set_aside(file: &WalFile, quarantine: &Path) -> Result<TornTail, OpenError> {
    let kept = keep(file, quarantine).map_err(|error| OpenError::io(quarantine, error))?;
    // Evidence first: from here on the bytes exist twice.
    let cut = || {
        let log = files::open_to_write(&file.path)?;
        log.set_len(file.end)?;
        log.sync_all()
    };
    cut().map_err(|error| OpenError::io(&file.path, error))?;
    let (bytes, offset) = (file.torn_bytes, file.end);
    tracing::warn!(file = %file.path.display(), offset, bytes, kept = %kept.display(), "a torn tail was cut off");
    Ok(TornTail {
        file: file.path.clone(),
        offset,
        bytes,
        kept,
    })
}

/// Copies the tail. Its name tells where it was and what it is, so that doing it again after a
/// crash gives the same file.
fn keep(file: &WalFile, quarantine: &Path) -> io::Result<PathBuf> {
    durable::ensure_private(quarantine)?;
    let log = files::open(&file.path)?;
    let mut digest = integrity::FieldDigest::new("femtoclaw-ledger torn tail");
    pieces(&log, file.end, file.torn_bytes, &mut |piece, _| {
        digest.add(piece);
        Ok(())
    })?;
    let [a, b, c, d, ..] = digest.finish();
    let short = base16ct::lower::encode_string(&[a, b, c, d]);
    let kept = quarantine.join(format!("wal-{}-{}-{short}.torn", file.id, file.end));
    let creating = files::creating(&kept);
    let copy = files::create(&creating)?;
    pieces(&log, file.end, file.torn_bytes, &mut |piece, at| {
        copy.write_all_at(piece, at - file.end)
    })?;
    copy.sync_all()?;
    fs::rename(&creating, &kept)?;
    durable::sync_parent(&kept)?;
    Ok(kept)
}

/// The same bytes once more: the pages are dirty again, and the sync that follows is an honest one.
fn rewrite(path: &Path, start: u64, end: u64) -> io::Result<()> {
    let log = files::open_to_write(path)?;
    pieces(&log, start, end - start, &mut |piece, at| {
        log.write_all_at(piece, at)
    })?;
    log.sync_all()
}

fn pieces(
    file: &File,
    from: u64,
    bytes: u64,
    each: &mut dyn FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut piece = vec![0; STEP.min(usize::try_from(bytes).unwrap_or(STEP))];
    let mut at = from;
    while at < from + bytes {
        let size = usize::try_from(from + bytes - at).unwrap_or(STEP).min(STEP);
        let piece = piece.get_mut(..size).unwrap_or_default();
        file.read_exact_at(piece, at)?;
        each(piece, at)?;
        at += size as u64;
    }
    Ok(())
}
