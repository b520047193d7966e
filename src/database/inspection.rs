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

/// What was found in a database's files, its tables not read.
#[derive(Debug, Default)]
pub(crate) struct Inspection {
    /// Those that the manifests name.
    pub(crate) tables: Vec<Table>,
    pub(crate) damages: Vec<Damage>,
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

/// Looks at the database in `path`, which the engine has open (`live`) or nobody. `least` holds what
/// is known of the log: files that there must be.
pub(crate) fn look_through(
    path: &Path,
    live: bool,
    log_files_min: &dyn Fn() -> usize,
) -> Inspection {
    let mut inspection = Inspection::default();
    // The file `version`.
    inspection.files += 1;
    inspection
        .damages
        .extend(structure::check_version(path).err());
    match structure::keyspaces(path) {
        Ok(keyspaces) => {
            for keyspace in keyspaces {
                inspection.keyspace(&keyspace, live);
            }
        }
        Err(damage) => inspection.damages.push(damage),
    }
    inspection.log(path, live, log_files_min);
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
    fn keyspace(&mut self, keyspace: &Path, live: bool) {
        // `current` and the manifest that it names.
        self.files += 2;
        if let Some((tables, damages)) = tables_of(keyspace, live) {
            self.tables.extend(tables);
            self.damages.extend(damages);
        }
    }

    fn log(&mut self, path: &Path, live: bool, log_files_min: &dyn Fn() -> usize) {
        let look = || {
            let (wal, mut wrong) = Wal::survey(path);
            // Of a closed database a torn tail is what a crash leaves; an open one was cut.
            if live && let Some(torn) = wal.torn() {
                wrong.push(Damage::at(
                    &torn.path,
                    torn.end,
                    "no whole batch begins here",
                ));
            }
            let (found, expected) = (wal.files.len(), log_files_min());
            if found < expected && wrong.is_empty() {
                let problem = format!("the log has {found} files, and the engine {expected}");
                wrong.push(Damage::of(path, problem));
            }
            (wal, wrong)
        };
        let (mut wal, mut wrong) = look();
        let mut looks = 1;
        while live && !wrong.is_empty() && looks < LOOKS_MAX {
            std::thread::sleep(PAUSE);
            let before: BTreeSet<(PathBuf, Option<u64>)> = places(&wrong).collect();
            (wal, wrong) = look();
            // A write under way has moved on by then.
            wrong.retain(|damage| before.contains(&damage.place()));
            looks += 1;
        }
        self.files += wal.files.len() as u64 + wrong.len() as u64;
        self.wal = wal;
        self.damages.extend(wrong);
    }
}

fn places(wrong: &[Damage]) -> impl Iterator<Item = (PathBuf, Option<u64>)> {
    wrong.iter().map(Damage::place)
}
