// SPDX-License-Identifier: Apache-2.0
//! SQLite: write-ahead log, `synchronous=FULL`, one writer.

use std::path::Path;

use rusqlite::{Connection, params};

use super::group::{Engine, Row};

pub(crate) const SETUP: &str = "bundled library; journal_mode=WAL, synchronous=FULL, locking_mode=EXCLUSIVE (no shared \
    memory file), wal_autocheckpoint=8192 pages, cache_size=64 MiB; one connection, one thread, prepared statement, one \
    transaction per group of at most 1,024 rows or 512 KiB; INTEGER PRIMARY KEY appended in order";

const TABLE: &str = "CREATE TABLE records (seq INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, execution BLOB NOT NULL, \
    component INTEGER NOT NULL, kind INTEGER NOT NULL, payload BLOB NOT NULL);";
const INDEXES: &str = "CREATE INDEX by_execution ON records (execution); \
    CREATE INDEX by_component ON records (component); CREATE INDEX by_kind_and_time ON records (kind, time_ns);";

pub(crate) struct Sqlite(Connection);

pub(crate) fn version() -> String {
    rusqlite::version().to_owned()
}

impl Sqlite {
    pub(crate) fn create(path: &Path, indexes: bool) -> Result<Self, String> {
        let create = || {
            let connection = Connection::open(path.join("records.sqlite"))?;
            connection.execute_batch(
                "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; \
                 PRAGMA wal_autocheckpoint=8192; PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY;",
            )?;
            let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
            let synchronous: i64 =
                connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
            assert_eq!(
                (mode.as_str(), synchronous),
                ("wal", 2),
                "SQLite is set up otherwise"
            );
            connection.execute_batch(TABLE)?;
            if indexes {
                connection.execute_batch(INDEXES)?;
            }
            Ok(Self(connection))
        };
        create().map_err(|error: rusqlite::Error| error.to_string())
    }

    fn insert(&mut self, rows: &[Row]) -> rusqlite::Result<()> {
        let transaction = self.0.transaction()?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            for row in rows {
                let (id, payload) = (row.execution.as_slice(), row.payload.as_slice());
                insert.execute(params![
                    row.seq,
                    row.time_ns,
                    id,
                    row.component,
                    row.kind,
                    payload
                ])?;
            }
        }
        transaction.commit()
    }
}

impl Engine for Sqlite {
    fn commit(&mut self, rows: &[Row]) -> Result<(), String> {
        self.insert(rows).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_each_index() {
        let directory = tempfile::tempdir().unwrap();
        let mut sqlite = Sqlite::create(directory.path(), true).unwrap();
        sqlite.commit(&super::super::sample_rows(100)).unwrap();
        let count = |condition: &str| {
            let sql = format!("SELECT count(*) FROM records WHERE {condition}");
            sqlite
                .0
                .query_row(&sql, [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(count("component = 3"), 100);
        assert_eq!(count("kind = 2 AND time_ns BETWEEN 10 AND 19"), 10);
        assert_eq!(count(&format!("execution = x'{}'", "07".repeat(16))), 1);
    }
}
