// SPDX-License-Identifier: Apache-2.0
//! Everything that is measured, behind one seam: what a caller does again and again.

mod group;
pub(crate) mod ledger;
pub(crate) mod postgres;
pub(crate) mod redb;
pub(crate) mod sqlite;

#[path = "../../../throughput/raw.rs"]
mod raw;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use femtoclaw_ledger::Root;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use group::{Engine, GroupCommit};
use ledger::{Opened, Work};
use raw::Raw;

/// What is measured, by the name that tables and files have.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    Telemetry,
    Audit,
    Cycle,
    FileGrowing,
    FilePreallocated,
    Sqlite,
    SqliteIndexed,
    Redb,
    RedbIndexed,
    Postgres,
    PostgresIndexed,
}

impl System {
    pub(crate) const ALL: [Self; 11] = [
        Self::Telemetry,
        Self::Audit,
        Self::Cycle,
        Self::FileGrowing,
        Self::FilePreallocated,
        Self::Sqlite,
        Self::SqliteIndexed,
        Self::Redb,
        Self::RedbIndexed,
        Self::Postgres,
        Self::PostgresIndexed,
    ];

    /// As an argument and in file names.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Audit => "audit",
            Self::Cycle => "cycle",
            Self::FileGrowing => "file-growing",
            Self::FilePreallocated => "file-preallocated",
            Self::Sqlite => "sqlite",
            Self::SqliteIndexed => "sqlite-indexed",
            Self::Redb => "redb",
            Self::RedbIndexed => "redb-indexed",
            Self::Postgres => "postgres",
            Self::PostgresIndexed => "postgres-indexed",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Telemetry => "ledger: telemetry",
            Self::Audit => "ledger: audit",
            Self::Cycle => "ledger: cycle",
            Self::FileGrowing => "file, growing",
            Self::FilePreallocated => "file, preallocated",
            Self::Sqlite => "SQLite",
            Self::SqliteIndexed => "SQLite, 3 indexes",
            Self::Redb => "redb",
            Self::RedbIndexed => "redb, 3 indexes",
            Self::Postgres => "PostgreSQL",
            Self::PostgresIndexed => "PostgreSQL, 3 indexes",
        }
    }

    pub(crate) const fn is_ledger(self) -> bool {
        matches!(self, Self::Telemetry | Self::Audit | Self::Cycle)
    }

    pub(crate) const fn is_postgres(self) -> bool {
        matches!(self, Self::Postgres | Self::PostgresIndexed)
    }

    const fn work(self) -> Work {
        match self {
            Self::Telemetry => Work::Telemetry,
            Self::Cycle => Work::Cycle,
            _ => Work::Audit,
        }
    }
}

/// Answers of one step: at most two commands, with how long each took.
#[derive(Default)]
pub(crate) struct Outcomes {
    pub(crate) latencies: [u64; 2],
    pub(crate) answered: usize,
    pub(crate) refused: Option<String>,
}

impl Outcomes {
    fn add(&mut self, since: Instant, refused: Option<&str>) {
        if let Some(code) = refused {
            self.refused = Some(code.to_owned());
        } else if let Some(latency) = self.latencies.get_mut(self.answered) {
            *latency = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.answered += 1;
        }
    }
}

#[derive(Clone)]
enum Target {
    Ledger(Opened, Work),
    File(Arc<Raw>),
    Rows(Arc<GroupCommit>),
}

/// A system that is open. Clones of [`Store::caller`] are its callers.
pub(crate) struct Store {
    target: Option<Target>,
    root: Option<Root>,
    server: Option<postgres::Server>,
    pub(crate) path: PathBuf,
}

/// What a caller holds.
#[derive(Clone)]
pub(crate) struct Caller(Target);

impl Store {
    /// Makes a fresh one in `path`, or opens the ledger that is there. A server is started from this thread, and
    /// dies with it.
    pub(crate) fn open(system: System, path: &Path, runtime: &Runtime) -> Result<Self, String> {
        let text = |error: std::io::Error| format!("{}: {error}", path.display());
        let (mut root, mut server) = (None, None);
        let rows = |engines: Vec<Box<dyn Engine>>| {
            Ok::<_, String>(Target::Rows(Arc::new(GroupCommit::start(engines)?)))
        };
        let indexed = matches!(
            system,
            System::SqliteIndexed | System::RedbIndexed | System::PostgresIndexed
        );
        let target = match system {
            System::Telemetry | System::Audit | System::Cycle => {
                let opened = runtime.block_on(async {
                    let (ledger, theirs) = ledger::open(&path.join("ledger")).await?;
                    let grant = ledger::grant(&theirs, "benchmark").await?;
                    root = Some(theirs);
                    Opened::new(&ledger, &grant)
                })?;
                Target::Ledger(opened, system.work())
            }
            System::FileGrowing | System::FilePreallocated => {
                let preallocated = system == System::FilePreallocated;
                Target::File(Arc::new(
                    Raw::create(&path.join("file"), preallocated).map_err(text)?,
                ))
            }
            System::Sqlite | System::SqliteIndexed => {
                rows(vec![Box::new(sqlite::Sqlite::create(path, indexed)?)])?
            }
            System::Redb | System::RedbIndexed => {
                rows(vec![Box::new(redb::Redb::create(path, indexed)?)])?
            }
            System::Postgres | System::PostgresIndexed => {
                let started = postgres::Server::start(path)?;
                let engines = started.engines(indexed)?;
                server = Some(started);
                rows(engines)?
            }
        };
        Ok(Self {
            target: Some(target),
            root,
            server,
            path: path.to_owned(),
        })
    }

    pub(crate) fn caller(&self) -> Result<Caller, String> {
        self.target
            .clone()
            .map(Caller)
            .ok_or_else(|| "closed".to_owned())
    }

    /// A server's processes.
    pub(crate) fn servers(&self) -> Vec<u32> {
        self.server
            .as_ref()
            .map_or_else(Vec::new, postgres::Server::processes)
    }

    /// Closes it as it wants to be closed.
    pub(crate) fn close(mut self, runtime: &Runtime) -> Result<(), String> {
        // Writers end with their target, and connections with the writers.
        self.target = None;
        let closed = self
            .root
            .take()
            .map(|root| runtime.block_on(ledger::close(root)));
        closed.unwrap_or(Ok(()))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.target = None;
        self.server = None;
    }
}

impl Caller {
    /// One command, or the two of a cycle; latency counts from `since`.
    pub(crate) async fn step(&self, payload: Vec<u8>, since: Instant) -> Outcomes {
        let mut outcomes = Outcomes::default();
        match &self.0 {
            Target::Ledger(opened, work) => return opened.step(*work, payload, since).await,
            Target::File(raw) => {
                raw.append(payload).await;
                outcomes.add(since, None);
            }
            Target::Rows(commit) => {
                let done = commit.append(payload).await;
                outcomes.add(since, done.as_ref().err().map(String::as_str));
            }
        }
        outcomes
    }

    /// Connections or the like of which any number may be used.
    pub(crate) fn writers(&self) -> usize {
        match &self.0 {
            Target::Rows(commit) => commit.writers(),
            _ => 1,
        }
    }

    pub(crate) fn use_writers(&self, writers: usize) {
        if let Target::Rows(commit) = &self.0 {
            commit.set_active(writers);
        }
    }

    /// Records written so far; `None` where a command is a record.
    pub(crate) fn records(&self) -> Option<u64> {
        match &self.0 {
            Target::Ledger(opened, _) => Some(opened.ledger.head().count()),
            _ => None,
        }
    }

    /// Records that what is derived of them is behind.
    pub(crate) fn lag(&self) -> u64 {
        match &self.0 {
            Target::Ledger(opened, _) => opened.lag(),
            _ => 0,
        }
    }

    pub(crate) async fn catch_up(&self) -> Result<(), String> {
        match &self.0 {
            Target::Ledger(opened, _) => opened.catch_up().await,
            _ => Ok(()),
        }
    }
}

/// Rows whose fields are told apart by tests.
#[cfg(test)]
fn sample_rows(count: u8) -> Vec<group::Row> {
    let row = |number: u8| group::Row {
        seq: i64::from(number),
        time_ns: i64::from(number),
        execution: [number; 16],
        component: 3,
        kind: 2,
        payload: vec![b'x'; 300],
    };
    (0..count).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payloads;

    /// Every system that is here takes commands and answers them.
    #[test]
    fn each_system_takes_commands() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let payloads = Payloads::new(312);
        for system in System::ALL {
            let directory = crate::scratch::Scratch::new(&std::env::temp_dir()).unwrap();
            let opened = Store::open(system, directory.path(), &runtime);
            let store = match opened {
                Err(why) if system.is_postgres() => {
                    println!("SKIPPED: {}: {why}", system.title());
                    continue;
                }
                other => other.unwrap(),
            };
            let caller = store.caller().unwrap();
            let outcomes = runtime.block_on(caller.step(payloads.get(0), Instant::now()));
            assert_eq!(outcomes.refused, None, "{}", system.title());
            assert_eq!(
                outcomes.answered,
                if system == System::Cycle { 2 } else { 1 }
            );
            runtime.block_on(caller.catch_up()).unwrap();
            assert_eq!(caller.lag(), 0);
            drop(caller);
            store.close(&runtime).unwrap();
        }
    }
}
