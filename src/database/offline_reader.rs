// SPDX-License-Identifier: Apache-2.0
//! The engine's files read without the engine, which cannot open a database without writing to it,
//! nor one that is damaged: where values lie, and what is wrong.
//!
//! Invariant: nothing is opened but for reading. What lies in its place — in a whole batch, in a block
//! whose checksum matches — is told apart from what a damaged stretch may still hold.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::batch::{Batch, LogSource, NoBatch};
use super::damage::{Damage, Meaning};
use super::table::TablePart;
use super::{blocks, files, structure, table, wal};
use crate::error::{Fault, again};

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) kind: TroubleKind,
    pub(crate) path: PathBuf,
    pub(crate) offset: Option<u64>,
    pub(crate) what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// Directories, `version`, `current`, manifests.
    Structure,
    TableMissing,
    Table,
    Log,
    /// A log file is missing between others.
    LogGap,
    /// What a kill leaves behind the last whole batch.
    TornTail,
    /// A table whose bytes are right, and of which the engine states another checksum.
    Engine,
    /// It could not be read: nothing is known of it.
    Unread,
}

/// Where bytes were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BytesPlace {
    /// Behind the last whole batch of the log.
    Tail,
    /// By searching, in or behind a damaged stretch.
    Found,
    /// Where the engine put them.
    Right,
}

/// Bytes of a file that may hold values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileStretch {
    /// Which of the survey's files.
    pub(crate) file: u32,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) place: BytesPlace,
}

/// What was looked at.
#[derive(Debug, Default)]
pub(crate) struct OfflineReader {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) log_files: u64,
    pub(crate) log_batches: u64,
    pub(crate) troubles: Vec<Trouble>,
    /// The first refusal of the system: what was not read for it is not known to be wrong.
    pub(crate) refused: Option<(PathBuf, io::Error)>,
}

type Each<'a> = &'a mut dyn FnMut(&Path, FileStretch);

/// Looks at the closed database in `path`, at the values of one keyspace; the keyspaces below must
/// be there too.
pub(crate) fn survey(path: &Path, keyspace: u64, each: Each<'_>) -> OfflineReader {
    let mut survey = OfflineReader::default();
    survey.structure(path, keyspace);
    survey.tables(&path.join("keyspaces").join(keyspace.to_string()), each);
    survey.log(path, keyspace, each);
    survey
}

impl OfflineReader {
    fn trouble(&mut self, kind: TroubleKind, damage: Damage) {
        let kind = match damage.meaning() {
            Meaning::Damaged => kind,
            Meaning::EngineFault => TroubleKind::Engine,
            Meaning::Unread(_) => TroubleKind::Unread,
        };
        if damage.meaning() == Meaning::Unread(Fault::System)
            && let Some(error) = damage.unread()
        {
            let refused = || (damage.place().0, again(error));
            self.refused.get_or_insert_with(refused);
        }
        let (path, offset, what) = damage.parts();
        self.troubles.push(Trouble {
            kind,
            path,
            offset,
            what,
        });
    }

    fn file(&mut self, path: &Path) -> u32 {
        self.files.push(path.to_owned());
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    fn structure(&mut self, path: &Path, keyspace: u64) {
        let version = path.join(structure::VERSION_FILE);
        let known = structure::read(&version).and_then(|bytes| match bytes == structure::VERSION {
            true => Ok(()),
            false => Err(Damage::of(&version, "it is not the engine's version file")),
        });
        if let Err(damage) = known {
            self.trouble(TroubleKind::Structure, damage);
        }
        for below in 0..keyspace {
            let directory = path.join("keyspaces").join(below.to_string());
            if let Err(damage) = structure::manifest(&directory) {
                self.trouble(TroubleKind::Structure, damage);
            }
        }
    }

    /// Every table that is there, also where the manifest that should name them is unreadable.
    fn tables(&mut self, keyspace: &Path, each: Each<'_>) {
        let manifest = match structure::manifest(keyspace) {
            Ok(manifest) => Some(manifest),
            Err(damage) => {
                self.trouble(TroubleKind::Structure, damage);
                None
            }
        };
        let directory = keyspace.join(structure::TABLES);
        let listed = manifest.unwrap_or_default();
        let mut tables: BTreeMap<u64, Option<u128>> = listed
            .into_iter()
            .map(|table| (table.id, Some(table.checksum)))
            .collect();
        match std::fs::read_dir(&directory) {
            Ok(entries) => {
                let names = entries.flatten().map(|entry| entry.file_name());
                let ids = names.filter_map(|name| name.to_str()?.parse::<u64>().ok());
                ids.for_each(|id| _ = tables.entry(id).or_default());
            }
            Err(error) => self.trouble(TroubleKind::Structure, Damage::io(&directory, error)),
        }
        for (id, sum) in tables {
            let path = directory.join(id.to_string());
            match structure::is_filled(&path) {
                Ok(true) => {}
                Ok(false) => {
                    if sum.is_some() {
                        let damage = Damage::of(&path, "the table is missing or empty");
                        self.trouble(TroubleKind::TableMissing, damage);
                    }
                    continue;
                }
                Err(damage) => {
                    self.trouble(TroubleKind::Table, damage);
                    continue;
                }
            }
            if let Err(error) = self.table(&path, (id, sum), each) {
                self.trouble(TroubleKind::Table, Damage::io(&path, error));
            }
        }
    }

    fn table(
        &mut self,
        path: &Path,
        (number, sum): (u64, Option<u128>),
        each: Each<'_>,
    ) -> io::Result<()> {
        let file = files::open(path)?;
        let length = file.metadata()?.len();
        let id = self.file(path);
        let believed = match sum {
            Some(sum) => table::checksum(&file, 0, length)? == sum,
            None => false,
        };
        let mut broken = None;
        let mut tell = |part: TablePart| {
            if !part.intact {
                broken.get_or_insert(part.start);
            }
            let place = match part.intact {
                true => BytesPlace::Right,
                false => BytesPlace::Found,
            };
            each(
                path,
                FileStretch {
                    file: id,
                    start: part.start,
                    end: part.end,
                    place,
                },
            );
        };
        let walked = table::parts(&file, length, believed, &mut tell);
        if sum.is_some() && !believed {
            let what = "it is not the table that the manifest names: its checksum differs";
            let damage = match broken {
                Some(at) => Damage::at(path, at, what),
                None if walked.is_ok() && blocks::are_right(&file, number)? => Damage::engine(path),
                None => Damage::of(path, what),
            };
            self.trouble(TroubleKind::Table, damage);
        } else if let (None, Some(at)) = (sum, broken) {
            self.trouble(
                TroubleKind::Table,
                Damage::at(path, at, "a block is damaged"),
            );
        }
        walked
    }

    fn log(&mut self, database: &Path, keyspace: u64, each: Each<'_>) {
        let mut files = Vec::new();
        match wal::named(database) {
            Err(damage) => self.trouble(TroubleKind::Structure, damage),
            Ok(named) => named.into_iter().for_each(|named| match named {
                Ok(file) => files.push(file),
                Err(damage) => self.trouble(TroubleKind::Structure, damage),
            }),
        }
        files.sort();
        let ids = files.iter().map(|(id, _)| *id);
        let gap = (files.first().map_or(0, |(id, _)| *id)..).zip(ids);
        if let Some((missing, _)) = gap.into_iter().find(|(expected, id)| expected != id) {
            let path = database.join(format!("{missing}.jnl"));
            let damage = Damage::of(&path, "the log file is missing between others");
            self.trouble(TroubleKind::LogGap, damage);
        }
        let (mut number, mut tails) = (None, Vec::new());
        for (_, path) in &files {
            self.log_files += 1;
            let before = self.log_batches;
            let tail = match self.log_file(path, keyspace, &mut number, each) {
                Ok(tail) => tail,
                Err(error) => {
                    self.trouble(TroubleKind::Log, Damage::io(path, error));
                    None
                }
            };
            tails.push((path.clone(), tail, self.log_batches > before));
        }
        let mut later = false;
        for (path, tail, has_batches) in tails.into_iter().rev() {
            if let Some((at, bytes, what)) = tail {
                let (kind, what) = match later {
                    false => (
                        TroubleKind::TornTail,
                        format!("{bytes} bytes behind the last whole batch: {what}"),
                    ),
                    true => (
                        TroubleKind::Log,
                        format!("{what}, and there is a later log file"),
                    ),
                };
                self.trouble(kind, Damage::at(&path, at, what));
                later = true;
            }
            later |= has_batches;
        }
    }

    /// Tells every value; gives the bytes behind the last whole batch, where there are any.
    fn log_file(
        &mut self,
        path: &Path,
        keyspace: u64,
        number: &mut Option<u64>,
        each: Each<'_>,
    ) -> io::Result<Option<(u64, u64, String)>> {
        let mut source = files::open(path).and_then(LogSource::new)?;
        let file = self.file(path);
        let used = wal::used(&source, 0)?;
        let (mut at, mut place) = (0, BytesPlace::Right);
        let tell = |start, end, place, each: Each<'_>| {
            let stretch = FileStretch {
                file,
                start,
                end,
                place,
            };
            each(path, stretch);
        };
        while at < used {
            let (what, stated) = match Batch::read(&mut source, at) {
                Ok(batch) => {
                    if number.is_some_and(|before| batch.number <= before) {
                        let what = "the batch's number does not follow the one before";
                        self.trouble(TroubleKind::Log, Damage::at(path, at, what));
                    }
                    if batch.keyspace_max == keyspace {
                        let (start, length) = batch.last_value;
                        tell(start, start + u64::from(length), place, &mut *each);
                    }
                    *number = (*number).max(Some(batch.number));
                    self.log_batches += 1;
                    at = batch.end;
                    continue;
                }
                Err(NoBatch::Io(error)) => return Err(error),
                Err(NoBatch::Broken {
                    what,
                    stated_end,
                    sure,
                }) => (what, stated_end.filter(|_| sure)),
            };
            let next = match stated.is_some_and(|stated| used <= stated) {
                true => None,
                false => wal::later_batch(&mut source, at + 1, used, *number)?,
            };
            let Some(next) = next else {
                tell(at, used, BytesPlace::Tail, &mut *each);
                return Ok(Some((at, used - at, what.to_owned())));
            };
            let what = format!("{what}, and a whole batch begins at byte {next}");
            self.trouble(TroubleKind::Log, Damage::at(path, at, what));
            place = BytesPlace::Found;
            // What only looks like a batch ends the search: the rest is one damaged stretch.
            let goes_on = Batch::read(&mut source, next).is_ok();
            let next = if goes_on { next } else { used };
            tell(at, next, BytesPlace::Found, &mut *each);
            at = next;
        }
        Ok(None)
    }
}
