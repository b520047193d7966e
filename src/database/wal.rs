// SPDX-License-Identifier: Apache-2.0
//! A look through the engine's write-ahead log before the engine opens it.
//!
//! Where the engine cannot read on it drops the rest of the file without a word, and its checksums
//! do not cover the numbers of batches, by which it decides what is newer. So every batch is read
//! here first. What a kill, a power cut or a failed write leaves behind is a *torn tail*: bytes
//! after the last whole batch, with no whole batch after them. All else is damage.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::batch::{Batch, LogSource, NoBatch, START_LEN};
use super::{damage::Damage, files, structure};
use crate::error::OpenError;

/// Times the bytes in question that are hashed at most to look for whole batches in them.
const HASHED_TIMES_MAX: u64 = 64;
/// Read at a time when looking for the last byte that is not zero.
const STEP: usize = 1 << 20;

/// A closed database's log: its files in order.
#[derive(Debug, Default)]
pub(crate) struct Wal {
    pub(crate) files: Vec<WalFile>,
}

/// One file of the log.
#[derive(Debug)]
pub(crate) struct WalFile {
    pub(crate) id: u64,
    pub(crate) path: PathBuf,
    pub(crate) batches: u64,
    /// The last whole batch.
    pub(crate) last: Option<Batch>,
    /// Where the last whole batch ends, 0 without one.
    pub(crate) end: u64,
    /// Bytes after `end` that no batch is made of, up to the last that is not zero.
    pub(crate) torn_bytes: u64,
}

impl Wal {
    /// Reads the whole log; changes nothing.
    pub(crate) fn scan(database: &Path) -> Result<Self, Damage> {
        let (wal, damages) = Self::survey(database);
        match damages.into_iter().next() {
            None => Ok(wal),
            Some(damage) => Err(damage),
        }
    }

    /// As [`Wal::scan`]: the files that are sound, and what is wrong with the others.
    pub(super) fn survey(database: &Path) -> (Self, Vec<Damage>) {
        let (mut wal, mut damages, mut number) = (Self::default(), Vec::new(), None);
        let files = match files(database) {
            Ok(files) => files,
            Err(damage) => return (wal, vec![damage]),
        };
        for (id, path) in files {
            match WalFile::scan(id, path, number) {
                Ok(file) => {
                    number = file.last.as_ref().map(|last| last.number).or(number);
                    wal.files.push(file);
                }
                Err(damage) => damages.push(damage),
            }
        }
        // Torn is only what nothing follows: a new file is begun when the old one is synced.
        let mut later = false;
        for file in wal.files.iter().rev() {
            if later && file.torn_bytes > 0 {
                let problem = "bytes that are no batch, and whole batches in a later file";
                damages.push(Damage::at(&file.path, file.end, problem));
            }
            later |= file.batches > 0 || file.torn_bytes > 0;
        }
        (wal, damages)
    }

    /// The value that the last whole batch ends in.
    pub(crate) fn last_value(&self) -> Result<Option<Vec<u8>>, Damage> {
        let Some((file, batch)) = self.last() else {
            return Ok(None);
        };
        let (at, length) = batch.last_value;
        let mut value = vec![0; length as usize];
        let read = files::open(&file.path).and_then(|log| log.read_exact_at(&mut value, at));
        read.map_err(|error| Damage::io(&file.path, error))?;
        Ok(Some(value))
    }

    /// Hands over the value that each whole batch of this keyspace ends in, in order, until `each` refuses one.
    pub(crate) fn values(
        &self,
        keyspace: u64,
        each: &mut dyn FnMut(Vec<u8>) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        for file in &self.files {
            let told = |error: io::Error| Damage::io(&file.path, error);
            let source = files::open(&file.path).and_then(LogSource::new);
            let mut source = source.map_err(told)?;
            let mut at = 0;
            while at < file.end {
                let batch = match Batch::read(&mut source, at) {
                    Ok(batch) => batch,
                    Err(NoBatch::Io(error)) => return Err(told(error).into()),
                    Err(NoBatch::Broken { what, .. }) => {
                        return Err(Damage::at(&file.path, at, what).into());
                    }
                };
                if batch.keyspace_max == keyspace {
                    let (start, length) = batch.last_value;
                    let mut value = vec![0; length as usize];
                    source.read_at(&mut value, start).map_err(told)?;
                    each(value)?;
                }
                at = batch.end;
            }
        }
        Ok(())
    }

    /// The file that is missing between others, if one is.
    pub(crate) fn gap(&self) -> Option<u64> {
        let mut ids = self.files.iter().map(|file| file.id);
        let first = ids.next()?;
        let gap = (first + 1..).zip(ids).find(|(expected, id)| expected != id);
        gap.map(|(expected, _)| expected)
    }

    /// The file with a torn tail, if there is one.
    pub(crate) fn torn(&self) -> Option<&WalFile> {
        self.files.iter().find(|file| file.torn_bytes > 0)
    }

    /// The last whole batch and its file.
    pub(crate) fn last(&self) -> Option<(&WalFile, &Batch)> {
        let last = |file| Option::zip(Some(file), WalFile::last(file));
        self.files.iter().rev().find_map(last)
    }
}

/// All files of a log, in order.
fn files(database: &Path) -> Result<Vec<(u64, PathBuf)>, Damage> {
    let files: Result<Vec<_>, _> = named(database)?.into_iter().collect();
    files.map(|mut files| {
        files.sort();
        files
    })
}

/// A log file by its number, or what is wrong with it.
pub(super) type Named = Result<(u64, PathBuf), Damage>;

/// What is named as a log's file is, and what is wrong with the name.
pub(super) fn named(database: &Path) -> Result<Vec<Named>, Damage> {
    let told = |error: io::Error| Damage::io(database, error);
    let mut files = Vec::new();
    for entry in fs::read_dir(database).map_err(told)? {
        let path = entry.map_err(told)?.path();
        // The engine takes a log file by any spelling of its extension.
        if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("jnl"))
        {
            let is_file = match structure::is_file(&path) {
                Ok(is_file) => is_file,
                Err(damage) => {
                    files.push(Err(damage));
                    continue;
                }
            };
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let id = stem.and_then(|stem| stem.parse().ok());
            let named = |id: &u64| path.file_name() == Some(format!("{id}.jnl").as_ref());
            let id = id.filter(named).filter(|_| is_file);
            let id = id.ok_or_else(|| Damage::of(&path, "is no log file"));
            files.push(id.map(|id| (id, path)));
        }
    }
    Ok(files)
}

impl WalFile {
    fn last(&self) -> Option<&Batch> {
        self.last.as_ref()
    }

    fn scan(id: u64, path: PathBuf, number: Option<u64>) -> Result<Self, Damage> {
        let told = |error: io::Error| Damage::io(&path, error);
        let mut source = files::open(&path).and_then(LogSource::new).map_err(told)?;
        let (mut last, mut batches, mut end) = (None::<Batch>, 0, 0);
        let stopped = loop {
            match Batch::read(&mut source, end) {
                Ok(batch) => {
                    let before = last.as_ref().map(|last| last.number).or(number);
                    if before.is_some_and(|before| batch.number <= before) {
                        let problem = "the batch's number does not follow the one before";
                        return Err(Damage::at(&path, end, problem));
                    }
                    end = batch.end;
                    batches += 1;
                    last = Some(batch);
                }
                Err(NoBatch::Io(error)) => return Err(told(error)),
                Err(NoBatch::Broken {
                    what,
                    stated_end,
                    sure,
                }) => break (what, stated_end.filter(|_| sure)),
            }
        };
        let (what, stated_end) = stopped;
        let used = used(&source, end).map_err(told)?;
        // An end that two equal lengths state, and after which there is nothing, is believed: what
        // looks like a batch before it is part of a value.
        let is_its_own = stated_end.is_some_and(|stated| used <= stated);
        if used > end && !is_its_own {
            let before = last.as_ref().map(|last| last.number).or(number);
            match later_batch(&mut source, end + 1, used, before) {
                Ok(None) => {}
                Ok(Some(later)) => {
                    let problem = format!("{what}, and a whole batch begins at byte {later}");
                    return Err(Damage::at(&path, end, problem));
                }
                Err(error) => return Err(told(error)),
            }
        }
        Ok(Self {
            id,
            path,
            batches,
            last,
            end,
            torn_bytes: used.saturating_sub(end),
        })
    }
}

/// Where a whole batch begins from `at` on, if one does.
pub(super) fn later_batch(
    source: &mut LogSource,
    mut at: u64,
    used: u64,
    before: Option<u64>,
) -> io::Result<Option<u64>> {
    let mut left = (used - at)
        .saturating_mul(HASHED_TIMES_MAX)
        .max(STEP as u64);
    while at + START_LEN < used {
        let want = usize::try_from(used - at).unwrap_or(STEP);
        let bytes = source.bytes(at, want)?;
        // The tag of a start.
        let Some(found) = bytes.iter().position(|byte| *byte == 1) else {
            at += bytes.len().max(1) as u64;
            continue;
        };
        at += found as u64;
        match Batch::read(source, at) {
            Ok(batch) if before.is_none_or(|before| batch.number > before) => return Ok(Some(at)),
            Ok(_) => {}
            Err(NoBatch::Io(error)) => return Err(error),
            Err(NoBatch::Broken { stated_end, .. }) => {
                let hashed = stated_end.map_or(0, |stated| stated.min(used).saturating_sub(at));
                left = left.saturating_sub(hashed);
                if left == 0 {
                    // Made to look like batches, over and over: not what a kill leaves behind.
                    return Ok(Some(at));
                }
            }
        }
        at += 1;
    }
    Ok(None)
}

/// The byte after the last that is not zero; `from` where none is.
pub(super) fn used(source: &LogSource, from: u64) -> io::Result<u64> {
    let mut end = source.length;
    let (mut buffer, zeros) = (vec![0; STEP], vec![0; STEP]);
    while end > from {
        let start = end.saturating_sub(STEP as u64).max(from);
        let part = buffer.get_mut(..usize::try_from(end - start).unwrap_or(STEP));
        let part = part.unwrap_or_default();
        source.read_at(part, start)?;
        end = start;
        // The engine preallocates tens of MiB: compared as a whole, since byte by byte an
        // unoptimized build would spend seconds here at each opening.
        if zeros.starts_with(part) {
            continue;
        }
        if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
    }
    Ok(from)
}
