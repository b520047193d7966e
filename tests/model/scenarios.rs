// SPDX-License-Identifier: Apache-2.0
//! Refusals that need more than a command: a quota, a slow or unreadable view, a failed sync, a
//! ledger that closes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use femtoclaw_ledger::clock::{Entropy, ManualClock, SystemEntropy};
use femtoclaw_ledger::events::{CommandId, Decision, Outcome, Store, TelemetryKind};
use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::{
    AppendError, Context, Grant, Ledger, Observation, Options, Quota, Request, Retry, Rights, Root,
    execution_log::{Approval, ApprovalRequest},
    operation::Space,
};

use crate::held::{FailedSync, HeldMemory};
use crate::standing::Standing;

use super::drive::refused;
use super::world::{LONG, Medium, scratch};

pub(crate) async fn all() {
    quota().await;
    many_components().await;
    failed_sync().await;
    closed().await;
    views_behind().await;
    views_unreadable().await;
    disk_nearly_full().await;
    without_randomness().await;
    of_another_component().await;
    too_late().await;
    of_somebody_else().await;
}

pub(crate) fn told(error: AppendError, code: &str, retry: Retry) {
    assert_eq!((error.code(), error.retry()), (code, retry), "{error}");
    refused(&error);
}

pub(crate) fn observation(number: u8) -> Observation {
    Observation {
        context: Context::new().command(CommandId::from_bytes([number; 16])),
        kind: TelemetryKind::Other,
        name: "tick".to_owned(),
        observed_ns: None,
        execution: None,
        outcome: Outcome::Neutral,
        attributes: Vec::new(),
    }
}

async fn granted(root: &Root, quota: Quota) -> Grant {
    root.grant("tester", Rights::all(), quota).await.unwrap()
}

pub(crate) async fn open(
    journal: &MemoryJournal,
    path: &std::path::Path,
    options: Options,
) -> (Ledger, Root, Grant) {
    let journal = std::sync::Arc::new(journal.reopen());
    let (ledger, root) = Ledger::open_on(journal, path, options).await.unwrap();
    let grant = granted(&root, Quota::default()).await;
    (ledger, root, grant)
}

pub(crate) async fn record(ledger: &Ledger, grant: &Grant, number: u8) -> Result<(), AppendError> {
    let telemetry = ledger.telemetry(grant).unwrap();
    telemetry.record(observation(number)).await.map(drop)
}

async fn quota() {
    let directory = scratch(Medium::Memory);
    let options = Options {
        clock: std::sync::Arc::new(ManualClock::new(0)),
        ..Options::default()
    };
    let journal = std::sync::Arc::new(MemoryJournal::new());
    let opened = Ledger::open_on(journal, directory.path(), options).await;
    let (ledger, root) = opened.unwrap();
    let quota = Quota {
        records_per_second: Some(2),
        bytes_per_second: None,
    };
    let grant = granted(&root, quota).await;
    for number in [1, 2] {
        record(&ledger, &grant, number).await.unwrap();
    }
    let error = record(&ledger, &grant, 3).await.unwrap_err();
    told(error, "quota_exceeded", Retry::Safe);
    root.close(LONG).await.unwrap();
}

/// The ledger ends what is overdue by itself, within a moment: an answer that comes between.
async fn too_late() {
    let directory = scratch(Medium::Memory);
    let clock = std::sync::Arc::new(ManualClock::new(0));
    let options = Options {
        clock: clock.clone(),
        ..Options::default()
    };
    let (ledger, root, grant) = open(&MemoryJournal::new(), directory.path(), options).await;
    let log = ledger.execution_log(&grant).unwrap();
    let person = || femtoclaw_ledger::Party::new("id.example", "ann");
    let second = Duration::from_secs(1);
    for until_s in 1.. {
        let basis = ledger.in_force().basis();
        let asked = ApprovalRequest::new("message", "a rule", until_s * 1_000_000_000, basis);
        let asked = log.request_approval(asked.ask(person())).await.unwrap();
        clock.advance(second + Duration::from_nanos(u64::from(until_s == 1)));
        let approval = Approval::new(person(), "passkey", asked.shown_digest);
        let late = log.approve(asked.execution, Context::new(), approval).await;
        match late.unwrap_err() {
            ended if ended.code() == "invalid_transition" => {}
            late => {
                told(late, "approval_too_late", Retry::Never);
                break;
            }
        }
    }
    root.close(LONG).await.unwrap();
}

/// About somebody else than its execution; and where the key of subjects is not with the views.
async fn of_somebody_else() {
    let directory = scratch(Medium::Memory);
    let (journal, options) = (MemoryJournal::new(), Options::default());
    let (ledger, root, grant) = open(&journal, directory.path(), options).await;
    let log = ledger.execution_log(&grant).unwrap();
    let basis = ledger.in_force().basis();
    let about = |id: &str| Context::new().subject(id);
    let request = Request::new("message", Decision::Authorized, basis).context(about("ann"));
    let begun = log.begin(request).await.unwrap();
    let other = log.complete(begun.execution(), about("bob"), b"1".to_vec());
    told(other.await.unwrap_err(), "other_subject", Retry::Never);
    root.close_at_once(LONG).await.unwrap();

    let elsewhere = scratch(Medium::Memory);
    let (ledger, root, grant) = open(&journal, elsewhere.path(), Options::default()).await;
    let mut unnamed = observation(1);
    unnamed.context = about("ann");
    let telemetry = ledger.telemetry(&grant).unwrap();
    let error = telemetry.record(unnamed).await.unwrap_err();
    let retry = error.retry();
    told(error, "no_subject_key", retry);
    root.close(LONG).await.unwrap();
}

async fn many_components() {
    let directory = scratch(Medium::Memory);
    let mut options = Options::default();
    options.limits.components_max = 1;
    let journal = std::sync::Arc::new(MemoryJournal::new());
    let opened = Ledger::open_on(journal, directory.path(), options).await;
    let (_, root) = opened.unwrap();
    granted(&root, Quota::default()).await;
    let other = root.grant("other", Rights::all(), Quota::default());
    told(
        other.await.unwrap_err(),
        "too_many_components",
        Retry::Never,
    );
    granted(&root, Quota::default()).await;
    root.close(LONG).await.unwrap();
}

async fn failed_sync() {
    let directory = scratch(Medium::Memory);
    let journal = HeldMemory::in_memory();
    let shared = std::sync::Arc::new(journal.clone());
    let opened = Ledger::open_on(shared, directory.path(), Options::default()).await;
    let (ledger, root) = opened.unwrap();
    let grant = granted(&root, Quota::default()).await;
    journal.fail_next(FailedSync::NotPersisted);
    let error = record(&ledger, &grant, 1).await.unwrap_err();
    told(error, "outcome_unknown", Retry::LookUpFirst);
    let error = record(&ledger, &grant, 2).await.unwrap_err();
    told(error, "sealed", Retry::AfterReopen);
}

async fn closed() {
    let directory = scratch(Medium::Memory);
    let (ledger, root, grant) =
        open(&MemoryJournal::new(), directory.path(), Options::default()).await;
    root.close(LONG).await.unwrap();
    let error = record(&ledger, &grant, 1).await.unwrap_err();
    told(error, "shutting_down", Retry::AfterReopen);
}

/// Views that read nothing until the first value is dropped.
fn slow() -> (Standing, Options) {
    let standing = Standing::new();
    let mut options = Options::default();
    options.limits.view_lag_max = 4;
    options.wait_for_admission = false;
    standing.hold(&mut options);
    (standing, options)
}

async fn until_refused(ledger: &Ledger, grant: &Grant) -> AppendError {
    for number in 10..30 {
        if let Err(error) = record(ledger, grant, number).await {
            return error;
        }
    }
    panic!("views lag without end");
}

async fn views_behind() {
    let directory = scratch(Medium::Memory);
    let journal = MemoryJournal::new();
    let (standing, options) = slow();
    let shared = std::sync::Arc::new(journal.clone());
    let (ledger, root) = Ledger::open_on(shared, directory.path(), options)
        .await
        .unwrap();
    let grant = granted(&root, Quota::default()).await;
    let error = until_refused(&ledger, &grant).await;
    assert!(
        matches!(error, AppendError::ViewLag { lag } if lag > 4),
        "{error}"
    );
    told(error, "view_lag", Retry::Safe);
    drop(standing);
    ledger.at_least(ledger.head().seq).await.unwrap();
    record(&ledger, &grant, 40).await.unwrap();
    root.close(LONG).await.unwrap();

    // Without its views, the same history is more than the windows hold.
    std::fs::remove_dir_all(directory.path().join("views")).unwrap();
    let (standing, options) = slow();
    let (ledger, root, grant) = open(&journal, directory.path(), options).await;
    let error = record(&ledger, &grant, 41).await.unwrap_err();
    let AppendError::Recovering { done, total } = error else {
        panic!("{error}");
    };
    assert!(done < total && total > 4);
    told(error, "recovering", Retry::Safe);
    drop(standing);
    ledger.at_least(ledger.head().seq).await.unwrap();
    record(&ledger, &grant, 41).await.unwrap();
    root.close(LONG).await.unwrap();
}

/// Somebody else holds the views' lock: history cannot be asked, so nothing is decided that rests
/// on it.
async fn views_unreadable() {
    let directory = scratch(Medium::Memory);
    let journal = MemoryJournal::new();
    let (ledger, root, grant) = open(&journal, directory.path(), Options::default()).await;
    record(&ledger, &grant, 1).await.unwrap();
    ledger.at_least(ledger.head().seq).await.unwrap();
    root.close(LONG).await.unwrap();
    let lock = std::fs::File::open(directory.path().join("views/lock")).unwrap();
    lock.try_lock().unwrap();
    let (ledger, _root, grant) = open(&journal, directory.path(), Options::default()).await;
    let error = record(&ledger, &grant, 2).await.unwrap_err();
    told(error, "history_unreadable", Retry::Safe);
    assert!(!ledger.health().healthy);
}

struct Disk(AtomicU64);

impl Space for Disk {
    fn free_bytes(&self, _: &std::path::Path) -> std::io::Result<u64> {
        Ok(self.0.load(Ordering::SeqCst))
    }
}

async fn disk_nearly_full() {
    let directory = scratch(Medium::Directory);
    let disk = std::sync::Arc::new(Disk(AtomicU64::new(1 << 40)));
    let options = Options {
        space: disk.clone(),
        ..Options::default()
    };
    let opened = Ledger::open(directory.path().join("ledger"), options).await;
    let (ledger, root) = opened.unwrap();
    let grant = granted(&root, Quota::default()).await;
    record(&ledger, &grant, 1).await.unwrap();
    disk.0.store(0, Ordering::SeqCst);
    let seen = async {
        while ledger.health().healthy {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let seen = tokio::time::timeout(LONG, seen).await;
    assert!(seen.is_ok(), "nobody sees that the disk is full");
    let error = record(&ledger, &grant, 2).await.unwrap_err();
    told(error, "disk_reserve", Retry::Safe);
    disk.0.store(1 << 40, Ordering::SeqCst);
    root.close(LONG).await.unwrap();
}

#[derive(Default)]
struct Source {
    is_dry: AtomicBool,
    inner: SystemEntropy,
}

impl Entropy for Source {
    fn bytes16(&self) -> [u8; 16] {
        self.inner.bytes16()
    }

    fn ready(&self) -> std::io::Result<()> {
        match self.is_dry.load(Ordering::SeqCst) {
            true => Err(std::io::Error::other("none")),
            false => Ok(()),
        }
    }
}

async fn without_randomness() {
    let directory = scratch(Medium::Memory);
    let entropy = std::sync::Arc::new(Source::default());
    let options = Options {
        entropy: entropy.clone(),
        ..Options::default()
    };
    let journal = MemoryJournal::new();
    let (ledger, _root, grant) = open(&journal, directory.path(), options).await;
    entropy.is_dry.store(true, Ordering::SeqCst);
    let error = record(&ledger, &grant, 1).await.unwrap_err();
    told(error, "no_randomness", Retry::Safe);
    entropy.is_dry.store(false, Ordering::SeqCst);
    record(&ledger, &grant, 1).await.unwrap();
}

async fn of_another_component() {
    let directory = scratch(Medium::Memory);
    let (ledger, root) = {
        let journal = std::sync::Arc::new(MemoryJournal::new());
        let opened = Ledger::open_on(journal, directory.path(), Options::default()).await;
        opened.unwrap()
    };
    let mine = granted(&root, Quota::default()).await;
    let request = Request {
        context: Context::new(),
        execution: None,
        input: None,
        capability: "message".to_owned(),
        arguments: b"{}".to_vec(),
        decision: Decision::Authorized,
        reason: String::new(),
        basis: ledger.in_force().basis(),
    };
    let log = ledger.execution_log(&mine).unwrap();
    let begun = log.begin(request).await.unwrap();
    let rights = Rights::none().append(Store::ExecutionLog);
    let other = root.grant("other", rights, Quota::default()).await.unwrap();
    let other = ledger.execution_log(&other).unwrap();
    let complete = other.complete(begun.execution(), Context::new(), b"1".to_vec());
    let error = complete.await.unwrap_err();
    let retry = error.retry();
    told(error, "foreign_execution", retry);
    assert_eq!(retry, Retry::Never);
    root.close_at_once(LONG).await.unwrap();
}
