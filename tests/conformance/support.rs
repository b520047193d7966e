// SPDX-License-Identifier: Apache-2.0
//! An open ledger with one component that may do everything, and children that are killed.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::clock::{CountingEntropy, ManualClock, SystemEntropy};
use femtoclaw_ledger::events::{
    AuditFamily, CommandId, Decision, Event, ExecutionId, LedgerId, Outcome, Record, Seq,
    TelemetryKind,
};
use femtoclaw_ledger::journal::Journal;
use femtoclaw_ledger::{
    AppendError, AuditEntry, Begun, CapabilityDefinition, Change, Context, ExecutionLog, Grant,
    Ledger, Observation, OpenError, Options, Quota, Reads, Receipt, Request, Rights, Root,
    configuration::Changed, execution_log::Rejection, runtime_metadata::SwitchCapability,
};

#[path = "../shared/child.rs"]
mod child;
pub(crate) use child::{as_nobody, child_command, child_path};

pub(crate) const LEDGER: LedgerId = LedgerId::from_bytes([7; 16]);
pub(crate) const START_NS: i64 = 1_700_000_000_000_000_000;
pub(crate) const WAIT: Duration = Duration::from_secs(20);
pub(crate) const INPUT: &[u8] = br#"{"tool_call":{"tool":"read_file","args":{"path": "/a"}}}"#;
pub(crate) const ARGUMENTS: &[u8] = br#"{"path": "/a",  "n": 1e2, "n": 12345678901234567890123}"#;
pub(crate) const RESULT: &[u8] = br#"{"b": 1, "a": [2, 2.50]}"#;

/// A ledger whose bytes depend on nothing but its commands.
pub(crate) fn fixed(clock: &Arc<ManualClock>) -> Options {
    Options {
        clock: clock.clone(),
        entropy: Arc::new(CountingEntropy::default()),
        ledger_id: Some(LEDGER),
        ..Options::default()
    }
}

/// As [`fixed`], with ids that no earlier opening has used.
pub(crate) fn later(clock: &Arc<ManualClock>) -> Options {
    Options {
        entropy: Arc::new(SystemEntropy::default()),
        ..fixed(clock)
    }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(START_NS))
}

pub(crate) fn command(number: u128) -> CommandId {
    CommandId::from_bytes(number.to_be_bytes())
}

pub(crate) fn execution(number: u128) -> ExecutionId {
    ExecutionId::from_bytes(number.to_be_bytes())
}

pub(crate) fn seq(value: u64) -> Seq {
    Seq::new(value).unwrap()
}

/// A ledger, its root authority, and a component that may do everything.
pub(crate) struct Open {
    pub(crate) ledger: Ledger,
    pub(crate) root: Root,
    pub(crate) grant: Grant,
    /// Of a ledger over a given journal: where its views lie.
    views: Option<tempfile::TempDir>,
}

pub(crate) async fn granted(
    (ledger, root): (Ledger, Root),
    views: Option<tempfile::TempDir>,
) -> Open {
    let grant = root.grant("test", Rights::all(), Quota::default());
    let grant = grant.await.unwrap();
    Open {
        ledger,
        root,
        grant,
        views,
    }
}

pub(crate) async fn open(path: &Path) -> Open {
    open_with(path, Options::default()).await
}

pub(crate) async fn open_with(path: &Path, options: Options) -> Open {
    granted(Ledger::open(path, options).await.unwrap(), None).await
}

pub(crate) async fn open_error(path: &Path) -> OpenError {
    Ledger::open(path, Options::default()).await.unwrap_err()
}

pub(crate) async fn open_on(journal: Arc<dyn Journal>, options: Options) -> Open {
    let views = tempfile::tempdir().unwrap();
    let opened = Ledger::open_on(journal, views.path(), options).await;
    granted(opened.unwrap(), Some(views)).await
}

pub(crate) fn place() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("ledger");
    (root, path)
}

impl Open {
    pub(crate) fn log(&self) -> ExecutionLog {
        self.ledger.execution_log(&self.grant).unwrap()
    }

    pub(crate) fn reads(&self) -> Reads {
        self.ledger.reader(&self.grant).unwrap()
    }

    pub(crate) fn request(&self, capability: &str) -> Request {
        Request {
            context: Context::new(),
            execution: None,
            input: Some(INPUT.to_vec()),
            capability: capability.to_owned(),
            arguments: ARGUMENTS.to_vec(),
            decision: Decision::Authorized,
            reason: "allowed by rule 7".to_owned(),
            basis: self.ledger.in_force().basis().policy("policy 3", [3; 32]),
        }
    }

    pub(crate) async fn begin(&self) -> Begun {
        self.log().begin(self.request("message")).await.unwrap()
    }

    pub(crate) async fn complete(
        &self,
        execution: ExecutionId,
        result: &[u8],
    ) -> Result<Receipt, AppendError> {
        let log = self.log();
        log.complete(execution, Context::new(), result.to_vec())
            .await
    }

    /// One execution from its input to its result.
    pub(crate) async fn execute(&self) -> ExecutionId {
        let begun = self.begin().await;
        let done = self.complete(begun.execution(), RESULT);
        done.await.unwrap();
        begun.execution()
    }

    pub(crate) async fn change(&self, document: &str, content: &str) -> Changed {
        let configuration = self.ledger.configuration(&self.grant).unwrap();
        configuration
            .change(change(document, content))
            .await
            .unwrap()
    }

    pub(crate) async fn register(&self, capability: &str) -> Receipt {
        let metadata = self.ledger.runtime_metadata(&self.grant).unwrap();
        let definition = CapabilityDefinition {
            version: "1".to_owned(),
            description: "a capability".to_owned(),
            parameters: b"{}".to_vec(),
        };
        let registered = metadata.register(capability, definition, Context::new());
        registered.await.unwrap()
    }

    pub(crate) async fn switch(&self, capability: &str, enabled: bool) -> Receipt {
        let metadata = self.ledger.runtime_metadata(&self.grant).unwrap();
        let command = SwitchCapability {
            context: Context::new(),
            capability: capability.to_owned(),
            enabled,
            reason: "reviewed".to_owned(),
            expected_version: None,
        };
        metadata.switch(command).await.unwrap()
    }

    /// All records up to the head.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let reads = self.reads();
        reads.range(Seq::FIRST, usize::MAX).await.unwrap()
    }

    pub(crate) async fn events(&self) -> Vec<Event> {
        let records = self.records().await;
        records
            .iter()
            .map(|record| record.event().unwrap())
            .collect()
    }

    /// Of each of the five stores something, and of the execution log every ending.
    pub(crate) async fn sample(&self) {
        self.register("read_file").await;
        self.switch("read_file", true).await;
        let metadata = self.ledger.runtime_metadata(&self.grant).unwrap();
        let runtime = femtoclaw_ledger::events::RuntimeId::from_bytes([9; 16]);
        let identified = metadata.identify(runtime, "2.1".to_owned(), Context::new());
        identified.await.unwrap();
        self.change("limits", "max = 1\n").await;
        self.execute().await;
        let mut denied = self.request("read_file");
        denied.decision = Decision::DeniedPolicyViolation;
        assert!(!self.log().begin(denied).await.unwrap().is_started());
        let rejection = Rejection {
            context: Context::new(),
            execution: None,
            input: b"\xff{".to_vec(),
            problem: "not JSON".to_owned(),
        };
        self.log().reject(rejection).await.unwrap();
        let telemetry = self.ledger.telemetry(&self.grant).unwrap();
        for kind in TelemetryKind::ALL {
            telemetry.record(observation(kind, "seen")).await.unwrap();
        }
        let audit = self.ledger.audit_log(&self.grant).unwrap();
        for family in AuditFamily::ALL {
            audit.record(entry(family)).await.unwrap();
        }
    }

    /// Executions that end, that are denied, and that are left running.
    pub(crate) async fn sample_more(&self) {
        for _ in 0..5 {
            self.execute().await;
            let _running = self.begin().await.started().unwrap().detach();
            self.change("limits", "max = 7\n").await;
        }
    }

    /// Closes, as far as that goes, and opens `journal` beside the same views.
    pub(crate) async fn again(mut self, journal: Arc<dyn Journal>) -> Self {
        let views = self.views.take().unwrap();
        drop(self.root.close_at_once(WAIT).await);
        drop(self);
        let opened = Ledger::open_on(journal, views.path(), later(&clock())).await;
        granted(opened.unwrap(), Some(views)).await
    }

    pub(crate) async fn close(self) {
        self.root.close_at_once(WAIT).await.unwrap();
    }
}

/// All events of a journal that no ledger has open any more.
pub(crate) fn journal_events(journal: &dyn Journal) -> Vec<Event> {
    let frames = journal.frames(Seq::FIRST).map(Result::unwrap);
    let events = frames.flat_map(|frame| {
        let records = frame.records().map(Result::unwrap);
        let events = records.map(|record| record.event().unwrap());
        events.collect::<Vec<_>>()
    });
    events.collect()
}

pub(crate) fn change(document: &str, content: &str) -> Change {
    Change {
        context: Context::new(),
        document: document.to_owned(),
        content: content.as_bytes().to_vec(),
        author: "ada".to_owned(),
        reason: "tuning".to_owned(),
        expected_version: None,
    }
}

pub(crate) fn observation(kind: TelemetryKind, name: &str) -> Observation {
    Observation {
        context: Context::new(),
        kind,
        name: name.to_owned(),
        observed_ns: Some(START_NS),
        execution: None,
        outcome: Outcome::Success,
        attributes: br#"{"ms": 4}"#.to_vec(),
    }
}

pub(crate) fn entry(family: AuditFamily) -> AuditEntry {
    AuditEntry {
        context: Context::new(),
        family,
        action: "checked".to_owned(),
        subject: "a subject".to_owned(),
        outcome: Outcome::Success,
        execution: Some(execution(5)),
        detail: br#"{"why": "because"}"#.to_vec(),
    }
}

/// What of a record must never change.
pub(crate) fn bytes(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.header.encode_into(&mut bytes);
    bytes.extend_from_slice(&record.hash);
    let content = record.content.as_ref().unwrap();
    bytes.extend_from_slice(&content.salt);
    bytes.extend_from_slice(&content.payload);
    bytes
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A child tells what was acknowledged, in one write: a kill must not leave half a line.
pub(crate) fn acknowledge(text: impl std::fmt::Display) {
    let line = format!("ack {text}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

fn acknowledged(child: &mut Child, enough: impl Fn(usize) -> bool) -> Vec<String> {
    let stderr = child.stderr.take().unwrap();
    let mut all = Vec::new();
    let mut killed = false;
    for line in BufReader::new(stderr).lines() {
        let line = line.unwrap();
        match line.strip_prefix("ack ") {
            Some(text) => all.push(text.to_owned()),
            None => assert!(!line.contains("panicked"), "{line}"),
        }
        // What is in the pipe already was acknowledged too: read on to its end.
        if enough(all.len()) && !std::mem::replace(&mut killed, true) {
            child.kill().unwrap();
        }
    }
    assert!(killed, "the child ended by itself after {}", all.len());
    child.wait().unwrap();
    all
}

/// Runs `test` as a child and kills it with SIGKILL after `count` acknowledgements; gives all.
pub(crate) fn killed_after(test: &str, path: &Path, count: usize) -> Vec<String> {
    let mut child = child_command(test, path).spawn().unwrap();
    acknowledged(&mut child, |seen| seen >= count)
}
