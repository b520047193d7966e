// SPDX-License-Identifier: Apache-2.0
//! A look through a database's files that does not stop at the first thing that is wrong, and may
//! be taken while the engine has them open: it writes its log, makes and removes tables meanwhile.
//! So what looks wrong is looked at again, and believed where it stays.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::damage::Damage;
use super::structure;
use super::tables::Table;
use super::wal::Wal;

/// How often something is looked at that may only be under way.
const LOOKS_MAX: usize = 8;
/// Between two looks: longer than one write of the engine takes.
const PAUSE: Duration = Duration::from_millis(25);
/// Of bytes that no batch is made of yet.
const UNFINISHED: &str =
    "these bytes are of a write that failed or is under way, and nothing of it was acknowledged";

/// What is known of a database that the engine has open, most of it of its log.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OpenLog {
    /// Files that there are at least.
    pub(crate) files_min: usize,
    /// Whether there is something in it that no table has yet.
    pub(crate) holds: bool,
    /// Whether a write to it is under way or has failed: the bytes behind its last whole batch are
    /// that one's.
    pub(crate) is_unfinished: bool,
    /// Whether a keyspace is being made: one without its `current` is that one.
    pub(crate) is_making: bool,
}

/// Asks, at each look, for what is known of an open log.
pub(crate) type AskLog<'a> = &'a (dyn Fn() -> OpenLog + Sync);

/// What was found in a database's files, its tables not read.
#[derive(Debug, Default)]
pub(crate) struct Inspection {
    /// Those that the manifests name.
    pub(crate) tables: Vec<Table>,
    pub(crate) damages: Vec<Damage>,
    /// The bytes behind the last whole batch of an open log, where a write has failed or is under way.
    pub(crate) unfinished: Option<Damage>,
    pub(crate) wal: Wal,
    /// Files looked at.
    pub(crate) files: u64,
}

impl Inspection {
    /// Bytes of the log that were read.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.wal.files.iter().map(|file| file.end).sum()
    }
}

/// Looks at the database in `path`, which the engine has `open`, or nobody.
pub(crate) fn look_through(path: &Path, open: Option<AskLog<'_>>) -> Inspection {
    let mut inspection = Inspection::default();
    // The file `version`.
    inspection.files += 1;
    inspection
        .damages
        .extend(structure::check_version(path).err());
    match structure::keyspaces(path) {
        Ok(keyspaces) => {
            for keyspace in keyspaces {
                inspection.keyspace(&keyspace, open);
            }
        }
        Err(damage) => inspection.damages.push(damage),
    }
    inspection.log(path, open);
    inspection
}

/// Whether the table is still one that counts: the engine removes what it has compacted.
pub(crate) fn is_named(table: &Table) -> bool {
    let keyspace = table.path.parent().and_then(Path::parent);
    // What cannot be read does not excuse.
    keyspace.is_none_or(|keyspace| {
        keyspace.exists()
            && tables_of(keyspace, true).is_none_or(|(tables, _)| tables.contains(table))
    })
}

/// The tables of one keyspace and what is wrong with its small files; `None` where it was removed
/// meanwhile.
pub(super) fn tables_of(keyspace: &Path, live: bool) -> Option<(Vec<Table>, Vec<Damage>)> {
    let mut looks = 1;
    loop {
        let damage = match structure::tables_of(keyspace) {
            Ok(tables) => return Some((tables, Vec::new())),
            Err(damage) => damage,
        };
        if live && !keyspace.exists() {
            return None;
        }
        if !live || looks == LOOKS_MAX {
            return Some((Vec::new(), vec![damage]));
        }
        looks += 1;
        std::thread::sleep(PAUSE);
    }
}

impl Inspection {
    fn keyspace(&mut self, keyspace: &Path, open: Option<AskLog<'_>>) {
        // `current` and the manifest that it names.
        self.files += 2;
        if let Some((tables, damages)) = tables_of(keyspace, open.is_some()) {
            // It may take as long as the medium does.
            let is_making = open.is_some_and(|ask| ask().is_making);
            if !damages.is_empty() && is_making && !keyspace.join("current").exists() {
                return;
            }
            self.tables.extend(tables);
            self.damages.extend(damages);
        }
    }

    fn log(&mut self, path: &Path, open: Option<AskLog<'_>>) {
        let (mut look, mut looks) = (LogLook::at(path, open), 1);
        while open.is_some() && !look.wrong.is_empty() && looks < LOOKS_MAX {
            std::thread::sleep(PAUSE);
            let before: BTreeSet<(PathBuf, Option<u64>)> = places(&look.wrong).collect();
            look = LogLook::at(path, open);
            // A write under way has moved on by then.
            look.wrong.retain(|damage| before.contains(&damage.place()));
            looks += 1;
        }
        self.files += look.wal.files.len() as u64 + look.wrong.len() as u64;
        self.wal = look.wal;
        self.damages.extend(look.wrong);
        self.unfinished = look.unfinished;
    }
}

/// One look at a log.
struct LogLook {
    wal: Wal,
    wrong: Vec<Damage>,
    unfinished: Option<Damage>,
}

impl LogLook {
    fn at(path: &Path, open: Option<AskLog<'_>>) -> Self {
        let (wal, wrong) = Wal::survey(path);
        let mut look = Self {
            wal,
            wrong,
            unfinished: None,
        };
        // Of a closed database a torn tail is what a crash leaves.
        if let Some(ask) = open {
            look.hold_against(path, &ask());
        }
        look
    }

    fn hold_against(&mut self, path: &Path, log: &OpenLog) {
        if let Some(torn) = self.wal.torn() {
            let behind = |what| Damage::at(&torn.path, torn.end, what);
            match log.is_unfinished {
                true => self.unfinished = Some(behind(UNFINISHED)),
                // It was cut.
                false => self.wrong.push(behind("no whole batch begins here")),
            }
        }
        if !self.wrong.is_empty() {
            return;
        }
        let (found, expected) = (self.wal.files.len(), log.files_min);
        if found < expected {
            let problem = format!("the log has {found} files, and the engine {expected}");
            self.wrong.push(Damage::of(path, problem));
        } else if log.holds && self.wal.last().is_none() {
            let problem = "the log has no whole batch, and what it held is in no table";
            self.wrong.push(Damage::of(path, problem));
        }
    }
}

fn places(wrong: &[Damage]) -> impl Iterator<Item = (PathBuf, Option<u64>)> {
    wrong.iter().map(Damage::place)
}
