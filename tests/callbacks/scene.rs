// SPDX-License-Identifier: Apache-2.0
//! A ledger in a directory, callbacks that misbehave on demand, and what must work meanwhile.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use femtoclaw_ledger::projections::Filter;
use femtoclaw_ledger::{Begun, Context, Grant, Ledger, OpenError, Options, Root, Seq};

use crate::shared::{WAIT, everything, observation, request};

/// How a callback misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Well = 0,
    Panic,
    Error,
    Nonsense,
    Hang,
    Reenter,
    Abort,
}

const ALL: [How; 7] = [
    How::Well,
    How::Panic,
    How::Error,
    How::Nonsense,
    How::Hang,
    How::Reenter,
    How::Abort,
];

/// Tells a callback what to do; the test holds it too.
#[derive(Default)]
pub(crate) struct Act {
    how: AtomicU8,
    ledger: OnceLock<(Ledger, Grant)>,
    reentered: AtomicBool,
    reached: AtomicBool,
}

impl Act {
    pub(crate) fn set(&self, how: How) {
        self.reached.store(false, Ordering::SeqCst);
        self.how.store(how as u8, Ordering::SeqCst);
    }

    /// What it is to reenter.
    pub(crate) fn give(&self, cell: &Cell) {
        assert!(
            self.ledger
                .set((cell.ledger.clone(), cell.grant.clone()))
                .is_ok()
        );
    }

    fn how(&self) -> How {
        ALL[usize::from(self.how.load(Ordering::SeqCst))]
    }

    /// Whether the callback has done what it was told since.
    pub(crate) fn has_acted(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    pub(crate) fn has_reentered(&self) -> bool {
        self.reentered.load(Ordering::SeqCst)
    }

    /// What every callback does first: panics, waits until it is let go, or calls the ledger. Error
    /// and nonsense are for each callback to make: it is told to.
    pub(crate) fn now(&self) -> How {
        let how = self.how();
        if how != How::Well {
            self.reached.store(true, Ordering::SeqCst);
        }
        match how {
            How::Panic => panic!("as the test wanted"),
            How::Hang => {
                while self.how() == How::Hang {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            How::Reenter => self.reenter(),
            How::Abort => std::process::abort(),
            How::Well | How::Error | How::Nonsense => {}
        }
        how
    }

    fn reenter(&self) {
        thread_local!(static INSIDE: AtomicBool = const { AtomicBool::new(false) });
        let Some((ledger, grant)) = self.ledger.get() else {
            return;
        };
        INSIDE.with(|inside| {
            if inside.swap(true, Ordering::SeqCst) {
                return;
            }
            assert!(ledger.head().count() > 0);
            drop((ledger.health(), ledger.in_force(), ledger.view_positions()));
            let observed = observation(Context::new(), "from a callback");
            let emitted = ledger.telemetry(grant).unwrap().emit(observed);
            // A call that is still under way may come when the ledger closes already.
            if let Err(error) = emitted {
                assert_eq!(error.code(), "shutting_down", "{error}");
            }
            self.reentered.store(true, Ordering::SeqCst);
            inside.store(false, Ordering::SeqCst);
        });
    }
}

/// A ledger under test.
pub(crate) struct Cell {
    pub(crate) ledger: Ledger,
    pub(crate) root: Root,
    pub(crate) grant: Grant,
    path: PathBuf,
    _directory: Option<tempfile::TempDir>,
}

/// Budgets so short that a hang is told of soon.
pub(crate) fn options() -> Options {
    Options {
        callback_budget: Duration::from_millis(300),
        ..Options::default()
    }
}

impl Cell {
    pub(crate) async fn new(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let mut cell = Self::open(&path, options).await;
        cell._directory = Some(directory);
        cell
    }

    pub(crate) async fn open(path: &Path, options: Options) -> Self {
        let opened = Ledger::open(path, options).await.unwrap();
        Self::given(path, opened).await
    }

    async fn given(path: &Path, (ledger, root): (Ledger, Root)) -> Self {
        let grant = everything(&root).await;
        Self {
            ledger,
            root,
            grant,
            path: path.to_owned(),
            _directory: None,
        }
    }

    /// One execution from its beginning to its end.
    pub(crate) async fn append(&self) -> u64 {
        let log = self.ledger.execution_log(&self.grant).unwrap();
        let begun = log.begin(request(&self.ledger, Context::new())).await;
        let Begun::Started(running) = begun.unwrap() else {
            panic!("not started");
        };
        let done = running.complete(Context::new(), b"{}".to_vec());
        done.await.unwrap().last.get()
    }

    /// Appends and reads of the journal work.
    pub(crate) async fn writes(&self) {
        let last = Seq::new(self.append().await).unwrap();
        let reader = self.ledger.reader(&self.grant).unwrap();
        assert!(reader.get(last).await.unwrap().is_some());
    }

    /// Appends, reads and every built-in view work.
    pub(crate) async fn works(&self) {
        self.writes().await;
        let head = self.ledger.head().count();
        self.ledger.at_least(Seq::new(head)).await.unwrap();
        let reader = self.ledger.reader(&self.grant).unwrap();
        let found = reader.query(Filter::default(), usize::MAX).await.unwrap();
        assert!(found.len() as u64 >= head);
        let log = self.ledger.execution_log(&self.grant).unwrap();
        assert!(log.in_doubt().await.unwrap().is_empty());
        self.ledger.view_digests().await.unwrap();
    }

    /// Waits until health names this.
    pub(crate) async fn names(&self, what: &str) {
        let named = || {
            let health = self.ledger.health();
            !health.healthy && health.cause.contains(what)
        };
        self.until(&format!("health names {what:?}"), named).await;
    }

    pub(crate) async fn is_well(&self) {
        self.until("healthy again", || self.ledger.health().healthy)
            .await;
    }

    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < WAIT, "{what}: {:?}", self.ledger.health());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Nothing was taken for damage.
    pub(crate) fn nothing_set_aside(&self) {
        let entries = std::fs::read_dir(self.path.join("quarantine"));
        let names: Vec<_> = entries.map_or_else(
            |_| Vec::new(),
            |entries| entries.map(|entry| entry.unwrap().file_name()).collect(),
        );
        assert!(names.is_empty(), "{names:?}");
    }

    /// Closed in order, and a next opening with callbacks that work finds everything.
    pub(crate) async fn ends(self) {
        self.nothing_set_aside();
        let head = self.root.close(WAIT).await.unwrap().head;
        self.opens_again(head.count()).await;
    }

    /// The next opening finds at least so many records, and nothing was set aside.
    pub(crate) async fn opens_again(self, head: u64) {
        let Self {
            ledger,
            root,
            grant,
            path,
            _directory,
        } = self;
        drop((ledger, root, grant));
        // What did not come back in time lets go in its own.
        let start = Instant::now();
        let again = loop {
            match Ledger::open(&path, Options::default()).await {
                Err(OpenError::Locked { .. }) if start.elapsed() < WAIT => {}
                opened => break opened.unwrap(),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let again = Self::given(&path, again).await;
        assert!(again.ledger.head().count() > head);
        assert!(again.ledger.health().healthy, "{:?}", again.ledger.health());
        again.works().await;
        again.nothing_set_aside();
    }
}
