// SPDX-License-Identifier: Apache-2.0
//! A ledger that can be opened again and again: on a journal in memory or in a real directory.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use femtoclaw_ledger::clock::{Clock, CountingEntropy, ManualClock};
use femtoclaw_ledger::events::{ExecutionId, Store};
use femtoclaw_ledger::journal::{Journal, MemoryJournal};
use femtoclaw_ledger::{
    Grant, Ledger, Limits, Options, Quota, Rights, Root, configuration::Validator,
    execution_log::Permit,
};

use super::ops::By;
use super::reference::{
    AUTHORIZED_MAX, AWAITING_MAX, COMMIT_RECORDS_MAX, PAYLOAD_MAX, RUNNING_MAX,
};

/// Long enough for a debug build on a busy machine; nothing waits this long that works.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) type Outcome<T = ()> = Result<T, String>;

/// Where the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Medium {
    Memory,
    Directory,
}

struct NothingForbidden;

impl Validator for NothingForbidden {
    fn validate(&self, _: &str, content: &[u8]) -> Result<(), String> {
        match content {
            b"forbidden" => Err("it is forbidden".to_owned()),
            _ => Ok(()),
        }
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        payload_bytes_max: PAYLOAD_MAX,
        text_bytes_max: 1_024,
        commit_bytes_max: 1 << 20,
        commit_records_max: COMMIT_RECORDS_MAX as usize,
        running_max: RUNNING_MAX,
        authorized_max: AUTHORIZED_MAX,
        awaiting_max: AWAITING_MAX,
        ..Limits::default()
    }
}

/// One opening, and the grants it gave.
pub(crate) struct Opening {
    pub(crate) ledger: Ledger,
    pub(crate) root: Root,
    grants: [Grant; 4],
}

pub(crate) struct World {
    pub(crate) medium: Medium,
    directory: tempfile::TempDir,
    journal: MemoryJournal,
    /// Whoever still holds the journal of an opening can still write to it.
    held: Option<Weak<dyn Journal>>,
    pub(crate) clock: Arc<ManualClock>,
    entropy: Arc<CountingEntropy>,
    opening: Option<Opening>,
    earlier: Option<Grant>,
    /// With the opening that gave them; several of one execution where it was asked again.
    pub(crate) permits: HashMap<ExecutionId, Vec<(u64, Permit)>>,
}

/// Memory where there is a file system of it: views are never synced for their own sake, and the
/// many small ledgers would wait for the disk only.
pub(crate) fn scratch(medium: Medium) -> tempfile::TempDir {
    let shared_memory = PathBuf::from("/dev/shm");
    match medium {
        Medium::Memory if shared_memory.is_dir() => tempfile::tempdir_in(shared_memory).unwrap(),
        _ => tempfile::tempdir().unwrap(),
    }
}

impl World {
    pub(crate) async fn new(medium: Medium) -> Self {
        let mut world = Self {
            medium,
            directory: scratch(medium),
            journal: MemoryJournal::new(),
            held: None,
            clock: Arc::new(ManualClock::new(1_000_000_000)),
            entropy: Arc::default(),
            opening: None,
            earlier: None,
            permits: HashMap::new(),
        };
        world.open().await;
        world
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.opening.as_ref().expect("it is open").ledger
    }

    pub(crate) fn grant(&self, by: By) -> Option<&Grant> {
        let grants = &self.opening.as_ref()?.grants;
        match by {
            By::First => grants.first(),
            By::Second => grants.get(1),
            By::Limited => grants.get(2),
            By::Revoked => grants.get(3),
            By::Earlier => self.earlier.as_ref(),
        }
    }

    pub(crate) fn now_ns(&self) -> i64 {
        self.clock.now_ns()
    }

    pub(crate) fn permit(&mut self, execution: ExecutionId, opening: u64) -> Option<Permit> {
        let permits = self.permits.get_mut(&execution)?;
        let place = permits.iter().position(|(given, _)| *given == opening)?;
        Some(permits.remove(place).1)
    }

    pub(crate) fn keep(&mut self, opening: u64, permit: Permit) {
        let permits = self.permits.entry(permit.execution()).or_default();
        permits.push((opening, permit));
    }

    fn options(&self) -> Options {
        Options {
            clock: Arc::clone(&self.clock) as _,
            entropy: Arc::clone(&self.entropy) as _,
            limits: limits(),
            validators: vec![Arc::new(NothingForbidden)],
            memtable_bytes: Some(1 << 20),
            ..Options::default()
        }
    }

    async fn open(&mut self) {
        let (ledger, root) = match self.medium {
            Medium::Memory => {
                self.journal = self.journal.reopen();
                let journal: Arc<dyn Journal> = Arc::new(self.journal.clone());
                self.held = Some(Arc::downgrade(&journal));
                let opened = Ledger::open_on(journal, self.directory.path(), self.options());
                opened.await.unwrap()
            }
            Medium::Directory => self.open_directory().await,
        };
        let some = Rights::none()
            .append(Store::Telemetry)
            .append(Store::AuditLog);
        let some = Store::ALL.into_iter().fold(some, Rights::read);
        let grants = [
            grant(&root, "first", Rights::all()).await,
            grant(&root, "second", Rights::all()).await,
            grant(&root, "limited", some).await,
            grant(&root, "revoked", Rights::all()).await,
        ];
        root.revoke(&grants[3], "a test").await.unwrap();
        self.opening = Some(Opening {
            ledger,
            root,
            grants,
        });
    }

    /// The threads of an opening that was dropped let go of the lock in their own time.
    async fn open_directory(&self) -> (Ledger, Root) {
        let path = self.directory.path().join("ledger");
        for _ in 0..3_000 {
            match Ledger::open(&path, self.options()).await {
                Ok(opened) => return opened,
                Err(error) => assert_eq!(error.code(), "locked", "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the ledger stays locked");
    }

    /// Ends this opening and begins the next. Gives the number of running executions that a close
    /// reported.
    pub(crate) async fn restart(&mut self, close: bool, views: bool) -> Option<u64> {
        let Opening {
            ledger,
            root,
            grants,
        } = self.opening.take().expect("it is open");
        let running = match close {
            true => Some(root.close_at_once(LONG).await.unwrap().running),
            false => None,
        };
        self.earlier = grants.first().cloned();
        drop((ledger, root, grants));
        self.released().await;
        if !views {
            let path = match self.medium {
                Medium::Memory => self.directory.path().join("views"),
                Medium::Directory => self.directory.path().join("ledger/views"),
            };
            std::fs::remove_dir_all(path).unwrap();
        }
        self.open().await;
        running
    }

    /// Waits until nobody can write to the journal or the views of the last opening: the views are
    /// sealed after their database let go of its lock, and before the ledger's is given up.
    async fn released(&self) {
        let locks = match self.medium {
            Medium::Memory => vec!["views/lock"],
            Medium::Directory => vec!["ledger/views/lock", "ledger/LOCK"],
        };
        let is_free = |lock: &&str| {
            let lock = std::fs::File::open(self.directory.path().join(lock));
            lock.is_ok_and(|lock| lock.try_lock().is_ok())
        };
        for _ in 0..30_000 {
            let journal = self.held.as_ref().map_or(0, Weak::strong_count);
            if journal == 0 && locks.iter().all(is_free) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("something of a dropped ledger stays");
    }
}

async fn grant(root: &Root, name: &str, rights: Rights) -> Grant {
    root.grant(name, rights, Quota::default()).await.unwrap()
}
