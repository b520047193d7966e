// SPDX-License-Identifier: Apache-2.0
//! redb: one write transaction per group, `Durability::Immediate`.

use std::path::Path;

use redb::{Database, Durability, TableDefinition};

use super::group::{Engine, Row};

pub(crate) const SETUP: &str = "Durability::Immediate, one-phase commit (the default), default cache (1 GiB); one thread, one \
    write transaction per group of at most 1,024 rows or 512 KiB; keys appended in order; each index a table of its own";

const RECORDS: TableDefinition<'_, i64, &[u8]> = TableDefinition::new("records");
const BY_EXECUTION: TableDefinition<'_, ([u8; 16], i64), ()> = TableDefinition::new("by_execution");
const BY_COMPONENT: TableDefinition<'_, (i32, i64), ()> = TableDefinition::new("by_component");
const BY_KIND_AND_TIME: TableDefinition<'_, (i16, i64, i64), ()> =
    TableDefinition::new("by_kind_and_time");

/// As `Cargo.lock` pins it.
pub(crate) fn version() -> String {
    let locked = include_str!("../../Cargo.lock");
    let entry = locked
        .split("[[package]]")
        .find(|it| it.contains("name = \"redb\""));
    let version = entry.and_then(|it| it.lines().find_map(|line| line.strip_prefix("version = ")));
    version.unwrap_or("unknown").trim_matches('"').to_owned()
}

pub(crate) struct Redb {
    database: Database,
    indexes: bool,
    value: Vec<u8>,
}

impl Redb {
    pub(crate) fn create(path: &Path, indexes: bool) -> Result<Self, String> {
        let database =
            Database::create(path.join("records.redb")).map_err(|error| error.to_string())?;
        Ok(Self {
            database,
            indexes,
            value: Vec::new(),
        })
    }

    fn insert(&mut self, rows: &[Row]) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut records = transaction.open_table(RECORDS)?;
            for row in rows {
                self.value.clear();
                self.value.extend_from_slice(&row.time_ns.to_be_bytes());
                self.value.extend_from_slice(&row.execution);
                self.value.extend_from_slice(&row.component.to_be_bytes());
                self.value.extend_from_slice(&row.kind.to_be_bytes());
                self.value.extend_from_slice(&row.payload);
                records.insert(row.seq, self.value.as_slice())?;
            }
        }
        if self.indexes {
            let mut by_execution = transaction.open_table(BY_EXECUTION)?;
            let mut by_component = transaction.open_table(BY_COMPONENT)?;
            let mut by_kind_and_time = transaction.open_table(BY_KIND_AND_TIME)?;
            for row in rows {
                by_execution.insert((row.execution, row.seq), ())?;
                by_component.insert((row.component, row.seq), ())?;
                by_kind_and_time.insert((row.kind, row.time_ns, row.seq), ())?;
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Engine for Redb {
    fn commit(&mut self, rows: &[Row]) -> Result<(), String> {
        self.insert(rows).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use redb::ReadableTableMetadata;

    use super::*;

    #[test]
    fn each_index_has_each_row() {
        let directory = tempfile::tempdir().unwrap();
        let mut redb = Redb::create(directory.path(), true).unwrap();
        redb.commit(&super::super::sample_rows(100)).unwrap();
        let read = redb::ReadableDatabase::begin_read(&redb.database).unwrap();
        assert_eq!(read.open_table(RECORDS).unwrap().len().unwrap(), 100);
        assert_eq!(read.open_table(BY_EXECUTION).unwrap().len().unwrap(), 100);
        assert_eq!(read.open_table(BY_COMPONENT).unwrap().len().unwrap(), 100);
        assert_eq!(
            read.open_table(BY_KIND_AND_TIME).unwrap().len().unwrap(),
            100
        );
    }
}
