// SPDX-License-Identifier: Apache-2.0
//! A ledger in memory, and what a refused command must leave behind: nothing.

use std::sync::Arc;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::events::{AuditFamily, Decision, ExecutionId, Outcome};
use femtoclaw_ledger::journal::{Journal, MemoryJournal};
use femtoclaw_ledger::{
    AppendError, AuditEntry, AuditLog, Change, Context, ExecutionLog, Grant, Ledger, Options,
    Quota, Request, Rights, Root,
};

pub(crate) struct Scene {
    pub(crate) ledger: Ledger,
    pub(crate) root: Root,
    pub(crate) grant: Grant,
    pub(crate) log: ExecutionLog,
    pub(crate) audit: AuditLog,
    _views: tempfile::TempDir,
}

pub(crate) fn options() -> Options {
    Options {
        clock: Arc::new(ManualClock::new(1_700_000_000_000_000_000)),
        ..Options::default()
    }
}

pub(crate) async fn scene_on(journal: Arc<dyn Journal>) -> Scene {
    let views = tempfile::tempdir().unwrap();
    let opened = Ledger::open_on(journal, views.path(), options()).await;
    let (ledger, root) = opened.unwrap();
    let grant = root.grant("test", Rights::all(), Quota::default());
    let grant = grant.await.unwrap();
    Scene {
        log: ledger.execution_log(&grant).unwrap(),
        audit: ledger.audit_log(&grant).unwrap(),
        ledger,
        root,
        grant,
        _views: views,
    }
}

pub(crate) async fn scene() -> Scene {
    scene_on(Arc::new(MemoryJournal::new())).await
}

impl Scene {
    pub(crate) fn request(&self) -> Request {
        Request {
            context: Context::new(),
            execution: None,
            input: None,
            capability: "message".to_owned(),
            arguments: b"{}".to_vec(),
            decision: Decision::Authorized,
            reason: String::new(),
            basis: self.ledger.in_force().basis(),
        }
    }

    pub(crate) async fn running(&self) -> ExecutionId {
        self.log
            .begin(self.request())
            .await
            .unwrap()
            .started()
            .unwrap()
            .detach()
    }

    pub(crate) async fn complete(
        &self,
        execution: ExecutionId,
        result: &[u8],
    ) -> Result<(), AppendError> {
        let done = self
            .log
            .complete(execution, Context::new(), result.to_vec());
        done.await.map(drop)
    }

    /// Refused so; after it the ledger holds nothing but, where it must be audited, one record
    /// of its own that tells of the refusal.
    pub(crate) async fn refused<T, E: Into<AppendError>>(
        &self,
        what: &str,
        code: &str,
        command: impl Future<Output = Result<T, E>>,
    ) {
        let before = self.settled().await;
        let error = match command.await {
            Ok(_) => panic!("{what} was accepted"),
            Err(error) => error.into(),
        };
        assert_eq!(error.code(), code, "{what}: {error}");
        assert!(
            error.to_string().starts_with("nothing was written"),
            "{what}: {error}"
        );
        let after = self.settled().await;
        let reads = self.ledger.reader(&self.grant).unwrap();
        let from = femtoclaw_ledger::events::Seq::new(before + 1).unwrap();
        for record in reads.range(from, usize::MAX).await.unwrap() {
            let name = record.header.event_type.name();
            assert!(
                ["RefusalsRecorded", "PositionSaved"].contains(&name),
                "{what}: {name}"
            );
        }
        assert!(after <= before + 2, "{what}: {before} to {after}");
    }

    /// The head, once all that is on its way has arrived: a command of the same path, behind it.
    pub(crate) async fn settled(&self) -> u64 {
        let metadata = self.ledger.runtime_metadata(&self.grant).unwrap();
        let saved = metadata.save_position("settled", 0, None, Context::new());
        saved.await.unwrap().last.get()
    }

    pub(crate) fn entry(&self) -> AuditEntry {
        AuditEntry {
            context: Context::new(),
            family: AuditFamily::OperatorAction,
            action: "looked".to_owned(),
            subject: String::new(),
            outcome: Outcome::Success,
            execution: None,
            detail: Vec::new(),
        }
    }

    pub(crate) fn change(&self) -> Change {
        Change {
            context: Context::new(),
            document: "limits".to_owned(),
            content: b"1".to_vec(),
            author: "ada".to_owned(),
            reason: "because".to_owned(),
            expected_version: None,
        }
    }
}
