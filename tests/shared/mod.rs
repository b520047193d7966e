// SPDX-License-Identifier: Apache-2.0
//! A ledger over a journal in memory, and the commands that the tests send it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::clock::{CountingEntropy, ManualClock};
use femtoclaw_ledger::events::{CommandId, Decision, Outcome, TelemetryKind};
use femtoclaw_ledger::journal::Journal;
use femtoclaw_ledger::{
    Change, Context, Grant, Ledger, Observation, Options, Quota, Request, Rights, Root,
};

pub(crate) mod held;
pub(crate) mod standing;

use held::HeldMemory;

/// Long enough for a debug build on a busy machine; nothing waits this long that works.
pub(crate) const WAIT: Duration = Duration::from_secs(60);
/// How long the tests look for something that must not happen.
pub(crate) const A_WHILE: Duration = Duration::from_millis(200);

/// An open ledger with one component that may do everything.
pub(crate) struct World {
    pub(crate) journal: HeldMemory,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ledger: Ledger,
    pub(crate) root: Root,
    pub(crate) grant: Grant,
    views: PathBuf,
    directory: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new(change: impl FnOnce(&mut Options)) -> Self {
        let journal = HeldMemory::in_memory();
        let clock = Arc::new(ManualClock::new(1_000_000_000));
        let directory = tempfile::tempdir().unwrap();
        let views = directory.path().join("views");
        let (ledger, root) = open(journal.clone(), &views, &clock, change).await;
        let grant = everything(&root).await;
        Self {
            journal,
            clock,
            ledger,
            root,
            grant,
            views,
            directory,
        }
    }

    /// Opens the same frames again, as after a crash; `views` says whether the views survive it.
    pub(crate) async fn reopened(self, views: bool) -> Self {
        self.reopened_with(views, |_| {}).await
    }

    pub(crate) async fn reopened_with(
        self,
        views: bool,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let Self {
            journal,
            clock,
            ledger,
            root,
            grant,
            views: path,
            directory,
        } = self;
        drop((ledger, root, grant));
        released(&path).await;
        let next = if views {
            path
        } else {
            directory.path().join("views.made.again")
        };
        let journal = journal.reopen();
        let (ledger, root) = open(journal.clone(), &next, &clock, change).await;
        let grant = everything(&root).await;
        Self {
            journal,
            clock,
            ledger,
            root,
            grant,
            views: next,
            directory,
        }
    }
}

/// Waits until the threads of a dropped ledger have let go of its views, and of its directory where it has one: in
/// their own time.
pub(crate) async fn released(root: &Path) {
    let is_held = |name: &str| {
        let lock = std::fs::File::open(root.join(name));
        lock.is_ok_and(|lock| lock.try_lock().is_err())
    };
    for _ in 0..30_000 {
        if !is_held("views/lock") && !is_held("LOCK") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("somebody still holds the views: is a handle alive?");
}

/// Waits until it holds; where it never does, the test fails with these words.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waits = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(WAIT, waits).await;
    assert!(waited.is_ok(), "not in time: {what}");
}

async fn open(
    journal: HeldMemory,
    views: &Path,
    clock: &Arc<ManualClock>,
    change: impl FnOnce(&mut Options),
) -> (Ledger, Root) {
    let mut options = Options {
        clock: Arc::clone(clock) as _,
        entropy: Arc::new(CountingEntropy::default()),
        ..Options::default()
    };
    change(&mut options);
    std::fs::create_dir_all(views).unwrap();
    let journal: Arc<dyn Journal> = Arc::new(journal);
    Ledger::open_on(journal, views, options).await.unwrap()
}

/// A grant of every right, without a quota.
pub(crate) async fn everything(root: &Root) -> Grant {
    let granted = root.grant("tester", Rights::all(), Quota::default()).await;
    granted.unwrap()
}

/// A context with a command id of its own.
pub(crate) fn command(number: u128) -> Context {
    Context::new().command(id(number))
}

pub(crate) fn id(number: u128) -> CommandId {
    CommandId::from_bytes((number | 0xC0 << 120).to_be_bytes())
}

pub(crate) fn request(ledger: &Ledger, context: Context) -> Request {
    Request {
        context,
        execution: None,
        input: None,
        capability: "message".to_owned(),
        arguments: br#"{"content":"hi"}"#.to_vec(),
        decision: Decision::Authorized,
        reason: String::new(),
        basis: ledger.in_force().basis(),
    }
}

pub(crate) fn change(context: Context, content: &str, expected_version: Option<u64>) -> Change {
    Change {
        context,
        document: "policy".to_owned(),
        content: content.as_bytes().to_vec(),
        author: "operator".to_owned(),
        reason: "a test".to_owned(),
        expected_version,
    }
}

pub(crate) fn observation(context: Context, name: &str) -> Observation {
    Observation {
        context,
        kind: TelemetryKind::Other,
        name: name.to_owned(),
        observed_ns: None,
        execution: None,
        outcome: Outcome::Neutral,
        attributes: Vec::new(),
    }
}
