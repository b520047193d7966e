// SPDX-License-Identifier: Apache-2.0
//! The fault table: each step of a commit × {failed, torn, failed but persisted}, over the journal on
//! disk. Nobody is told a falsehood, the ledger takes nothing more, and the next opening has every
//! acknowledged record and what the failed step really left; then it goes on.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use femtoclaw_ledger::clock::{Entropy, SystemEntropy};
use femtoclaw_ledger::events::{AuditFamily, CommandId, Outcome, Seq};
use femtoclaw_ledger::journal::{Anchor, Anchored, FjallJournal, JournalOptions};
use femtoclaw_ledger::{
    AppendError, AuditEntry, Context, Grant, Ledger, Options, Quota, Receipt, Rights, Root,
    journal::Anchoring,
};

#[path = "shared/held.rs"]
mod held;

use held::{FailedClaim, FailedSync, FailingClaims, HeldJournal};

const WAIT: Duration = Duration::from_secs(60);
/// Commands: acknowledged before; in the frame before; the one whose commit fails; one after it.
const BEFORE: u8 = 5;
const EARLIER: u8 = 6;
const FAILING: u8 = 7;
const LATER: u8 = 8;

/// A step of a commit that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The frame's batch is written and synced: one step for whoever waits for it.
    Frame,
    /// The claim of the frame before, written while the frame is.
    ClaimOfTheFrameBefore,
    /// The claim of the frame, when nothing follows.
    ClaimWhenIdle,
    /// The claim of the frame, before its answer: `Anchoring::BeforeEveryAnswer`.
    ClaimBeforeTheAnswer,
}

const STEPS: [Step; 4] = [
    Step::Frame,
    Step::ClaimOfTheFrameBefore,
    Step::ClaimWhenIdle,
    Step::ClaimBeforeTheAnswer,
];
const HOWS: [FailedClaim; 3] = [
    FailedClaim::NotPersisted,
    FailedClaim::Torn,
    FailedClaim::Persisted,
];

fn id(command: u8) -> CommandId {
    CommandId::from_bytes([command; 16])
}

fn entry(command: u8) -> AuditEntry {
    AuditEntry {
        context: Context::new().command(id(command)),
        family: AuditFamily::OperatorAction,
        action: "test".into(),
        subject: String::new(),
        outcome: Outcome::Success,
        execution: None,
        detail: format!("\"command {command}\"").into_bytes(),
    }
}

async fn granted(root: &Root) -> Grant {
    let grant = root.grant("runtime", Rights::all(), Quota::default());
    grant.await.unwrap()
}

async fn record(ledger: &Ledger, grant: &Grant, command: u8) -> Result<Receipt, AppendError> {
    ledger
        .audit_log(grant)
        .unwrap()
        .record(entry(command))
        .await
}

/// Counts the salts: one is drawn when a record gets its place.
#[derive(Default)]
struct Salts {
    drawn: AtomicU64,
    inner: SystemEntropy,
}

impl Entropy for Salts {
    fn bytes16(&self) -> [u8; 16] {
        self.drawn.fetch_add(1, Ordering::SeqCst);
        self.inner.bytes16()
    }
}

impl Salts {
    fn drawn(&self) -> u64 {
        self.drawn.load(Ordering::SeqCst)
    }

    async fn until_another(&self, drawn: u64) {
        for _ in 0..60_000 {
            if self.drawn() > drawn {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("no record got its place");
    }
}

/// A ledger over the parts of `path`, with hooks between them.
struct Scene {
    salts: Arc<Salts>,
    hooks: Arc<HeldJournal<FjallJournal>>,
    claims: FailingClaims,
    ledger: Ledger,
    root: Root,
    grant: Grant,
    _views: tempfile::TempDir,
}

impl Scene {
    async fn over(path: &Path, step: Step) -> Self {
        let journal = FjallJournal::open(&path.join("journal"), &JournalOptions::default());
        let hooks = Arc::new(HeldJournal::new(journal.unwrap()));
        let (anchor, claims) = FailingClaims::anchor(&path.join("ANCHOR"));
        let anchoring = match step {
            Step::ClaimBeforeTheAnswer => Anchoring::BeforeEveryAnswer,
            _ => Anchoring::Pipelined,
        };
        let ledger_id = anchor.claim().ledger;
        let anchored = Anchored::open(Arc::clone(&hooks), anchor, anchoring).unwrap();
        let views = tempfile::tempdir().unwrap();
        let salts = Arc::new(Salts::default());
        let options = Options {
            ledger_id: Some(ledger_id),
            entropy: salts.clone(),
            ..Options::default()
        };
        let opened = Ledger::open_on(Arc::new(anchored), views.path(), options).await;
        let (ledger, root) = opened.unwrap();
        let grant = granted(&root).await;
        record(&ledger, &grant, BEFORE).await.unwrap();
        let head = ledger.head().count();
        for _ in 0..60_000 {
            if Anchor::open(&path.join("ANCHOR")).unwrap().claim().count() == head {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self {
            salts,
            hooks,
            claims,
            ledger,
            root,
            grant,
            _views: views,
        }
    }

    /// What those in whose way the fault was are told.
    async fn fail(&self, step: Step, how: FailedClaim) -> Vec<(u8, Result<Receipt, AppendError>)> {
        let send = |command| {
            let (ledger, grant) = (self.ledger.clone(), self.grant.clone());
            tokio::spawn(async move { record(&ledger, &grant, command).await })
        };
        let mut told = Vec::new();
        match step {
            Step::Frame => {
                self.hooks.fail_next(match how {
                    FailedClaim::NotPersisted => FailedSync::NotPersisted,
                    _ => FailedSync::Persisted,
                });
            }
            Step::ClaimBeforeTheAnswer => self.claims.fail_next(how),
            Step::ClaimWhenIdle => {
                self.claims.fail_next(how);
                // Acknowledged: its own claim fails only afterwards.
                told.push((EARLIER, send(EARLIER).await.unwrap()));
                while self.ledger.health().healthy && !self.takes_no_more().await {}
            }
            Step::ClaimOfTheFrameBefore => {
                // Two frames, one right after the other.
                self.hooks.hold();
                let earlier = send(EARLIER);
                let hooks = Arc::clone(&self.hooks);
                let held = tokio::task::spawn_blocking(move || hooks.wait_until_held(WAIT));
                assert!(held.await.unwrap());
                let drawn = self.salts.drawn();
                let failing = send(FAILING);
                // It has its place behind the frame that is held, and is in none before.
                self.salts.until_another(drawn).await;
                self.claims.fail_next(how);
                self.hooks.release();
                told.push((EARLIER, earlier.await.unwrap()));
                told.push((FAILING, failing.await.unwrap()));
                told.push((LATER, send(LATER).await.unwrap()));
                return told;
            }
        }
        told.push((FAILING, send(FAILING).await.unwrap()));
        told.push((LATER, send(LATER).await.unwrap()));
        told
    }

    /// Tries, with a command of its own, until the failed claim has shown.
    async fn takes_no_more(&self) -> bool {
        let log = self.ledger.audit_log(&self.grant).unwrap();
        let mut probe = entry(0);
        probe.context = Context::new();
        log.record(probe).await.is_err()
    }
}

/// The end of the log's last batch, gone: what a cut in the middle of its write leaves.
fn tear(journal: &Path) {
    let log = journal.join("0.jnl");
    let mut bytes = fs::read(&log).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes[end - 40..end].fill(0);
    fs::write(&log, bytes).unwrap();
}

/// Opened as always: everything acknowledged is there, once, and it goes on.
async fn judge(path: &Path, told: &[(u8, Result<Receipt, AppendError>)], case: &str) {
    let (ledger, root) = Ledger::open(path, Options::default()).await.expect(case);
    let grant = granted(&root).await;
    let reads = ledger.reader(&grant).unwrap();
    let records = reads.range(Seq::FIRST, 10_000).await.expect(case);
    assert_eq!(records.len() as u64, ledger.head().count(), "{case}");
    for (command, answer) in told {
        let found = ledger.lookup(&grant, id(*command)).await.unwrap();
        match answer {
            Ok(receipt) => {
                let place = found.map(|found| (found.first, found.last));
                assert_eq!(place, Some((receipt.first, receipt.last)), "{case}");
            }
            Err(AppendError::OutcomeUnknown { .. }) => {}
            Err(error) => assert!(found.is_none(), "{case}: {error}, and it was written"),
        }
        // Whoever does not know sends it again.
        let again = record(&ledger, &grant, *command).await.expect(case);
        if let Some(found) = found {
            assert_eq!(
                (again.first, again.duplicate),
                (found.first, true),
                "{case}"
            );
        }
    }
    let records = reads.range(Seq::FIRST, 10_000).await.expect(case);
    for (command, _) in told {
        let times = records
            .iter()
            .filter(|it| it.header.command == id(*command));
        assert_eq!(times.count(), 1, "{case}: command {command}");
    }
    root.close(WAIT).await.expect(case);
    let (_, root) = Ledger::open(path, Options::default()).await.expect(case);
    root.close(WAIT).await.expect(case);
}

async fn case(step: Step, how: FailedClaim) {
    let case = format!("{step:?}, {how:?}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (_, root) = Ledger::open(&path, Options::default()).await.unwrap();
    granted(&root).await;
    root.close(WAIT).await.unwrap();
    let scene = Scene::over(&path, step).await;
    let told = scene.fail(step, how).await;
    for (command, answer) in &told {
        let is_acknowledged = *command == EARLIER;
        assert_eq!(
            answer.is_ok(),
            is_acknowledged,
            "{case}: {command}: {answer:?}"
        );
    }
    let (_, last) = told.last().unwrap();
    let last = last.as_ref().unwrap_err().code();
    assert_eq!(last, "sealed", "{case}");
    assert!(!scene.ledger.health().healthy, "{case}");
    // A sealed ledger tells so when it is closed.
    let closed = scene.root.close(WAIT).await;
    assert_eq!(closed.unwrap_err().code(), "sealed", "{case}");
    drop(scene);
    if (step, how) == (Step::Frame, FailedClaim::Torn) {
        tear(&path.join("journal"));
    }
    judge(&path, &told, &case).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_of_a_commit_that_fails_tells_no_falsehood_and_loses_nothing() {
    for step in STEPS {
        for how in HOWS {
            case(step, how).await;
        }
    }
}
