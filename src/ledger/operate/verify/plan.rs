// SPDX-License-Identifier: Apache-2.0
//! Which tables are read before which part of the walk: the one in which they begin. Then the walk
//! finds their frames in the system's cache.
//!
//! It is about time alone. Every table is read once, wherever it stands here, and what a part holds
//! is what the journal gives.

use std::fs;
use std::ops::Range;
use std::path::Path;

use crate::database::Table;

use super::files::FilesToVerify;
use super::progress::ProgressTracker;
use super::subject::OpenDirectory;

pub(super) struct Plan<'a> {
    tables: Option<(&'a OpenDirectory, &'a FilesToVerify)>,
    parts: Vec<Vec<&'a Table>>,
    /// Bytes of the tables of each part.
    bytes: Vec<u64>,
}

impl<'a> Plan<'a> {
    /// For so many parts (at least one) of `step` records each.
    pub(super) fn new(
        tables: Option<(&'a OpenDirectory, &'a FilesToVerify)>,
        parts: u64,
        step: u64,
    ) -> Self {
        let begins = |(place, files): (&OpenDirectory, &'a FilesToVerify)| {
            let journal = place.root.join("journal");
            let each = |table| (first_record(table, &journal), table);
            files.tables.iter().map(each).collect()
        };
        let begins = tables.map_or_else(Vec::new, begins);
        let parts = placed(begins, parts, step);
        let length = |table: &&Table| fs::metadata(&table.path).map_or(0, |file| file.len());
        let bytes = parts.iter().map(|tables| tables.iter().map(length).sum());
        Self {
            tables,
            bytes: bytes.collect(),
            parts,
        }
    }

    /// Bytes of the tables of these parts.
    pub(super) fn bytes(&self, parts: Range<usize>) -> u64 {
        self.bytes.get(parts).into_iter().flatten().sum()
    }

    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Reads the tables before this part; what is wrong with them is kept with the files. False
    /// where it was told to stop.
    pub(super) fn read(&self, part: usize, tracker: &ProgressTracker<'_>) -> bool {
        let Some((_, files)) = self.tables else {
            return true;
        };
        let mut tables = self.parts.get(part).into_iter().flatten();
        tables.all(|table| files.read_table(table, tracker))
    }
}

/// The record that a table of the journal begins with, as far as can be seen without reading it.
fn first_record(table: &Table, journal: &Path) -> Option<u64> {
    let key = table.path.starts_with(journal).then(|| table.first_key())?;
    key.map(u64::from_be_bytes)
}

/// Each table in the part in which it begins. Those of which that is not known are put between them evenly: they
/// are read and hashed, and leave the processors to the frames.
fn placed(begins: Vec<(Option<u64>, &Table)>, parts: u64, step: u64) -> Vec<Vec<&Table>> {
    let unknown = begins.iter().filter(|(seq, _)| seq.is_none()).count() as u64;
    let mut others = 0..unknown;
    let mut part_of: Vec<(u64, &Table)> = Vec::new();
    for (seq, table) in begins {
        let part = match seq {
            Some(seq) => seq.saturating_sub(1) / step.max(1),
            None => others.next().unwrap_or(0).saturating_mul(parts) / unknown.max(1),
        };
        part_of.push((part.min(parts.saturating_sub(1)), table));
    }
    let mut placed: Vec<Vec<&Table>> = (0..parts).map(|_| Vec::new()).collect();
    for (part, table) in part_of {
        let part = usize::try_from(part).ok();
        if let Some(part) = part.and_then(|part| placed.get_mut(part)) {
            part.push(table);
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For any statement of a table: none is left out, none is read twice.
    #[test]
    fn every_table_is_read_once_and_where_it_begins() {
        let tables: Vec<Table> = (0..23).map(|id| Table::named(id.to_string(), id)).collect();
        for (parts, step) in [(1, 1_024), (2, 1_024), (9, 100), (40, 7)] {
            let begins = |id: u64| match id {
                0 => Some(u64::MAX),
                1 => Some(0),
                2..12 => Some(1 + id * 70),
                _ => None,
            };
            let given = tables.iter().map(|table| (begins(table.id), table));
            let placed = placed(given.collect(), parts, step);
            assert_eq!(placed.len() as u64, parts);
            let mut seen: Vec<u64> = placed.iter().flatten().map(|table| table.id).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..23).collect::<Vec<_>>());
            for (part, tables) in (0..parts).zip(&placed) {
                for seq in tables.iter().filter_map(|table| begins(table.id)) {
                    let place = (seq.max(1) - 1) / step;
                    assert_eq!(part, place.min(parts - 1), "record {seq}");
                }
                let others = tables.iter().filter(|table| begins(table.id).is_none());
                assert!(others.count() as u64 <= 11_u64.div_ceil(parts));
            }
        }
    }
}
