// SPDX-License-Identifier: Apache-2.0
//! Views that lie: they are those of another history.

use std::sync::Arc;

use crate::access::{Grant, Quota, Rights};
use crate::actors::{History, Past};
use crate::commands::{Context, Request};
use crate::error::ReadError;
use crate::events::{CommandId, Decision, ExecutionId, Seq};
use crate::journal::MemoryJournal;
use crate::ledger::{Ledger, Options, Root};

use super::ViewPast;

struct World {
    ledger: Ledger,
    _root: Root,
    _views: tempfile::TempDir,
    grant: Grant,
}

impl World {
    async fn new() -> Self {
        let views = tempfile::tempdir().unwrap();
        let journal = Arc::new(MemoryJournal::new());
        let opened = Ledger::open_on(journal, views.path(), Options::default()).await;
        let (ledger, root) = opened.unwrap();
        let grant = root.grant("tester", Rights::all(), Quota::default()).await;
        Self {
            ledger,
            _root: root,
            _views: views,
            grant: grant.unwrap(),
        }
    }

    async fn begin(&self, number: u8) {
        let request = Request {
            context: Context::new().command(CommandId::from_bytes([number; 16])),
            execution: Some(ExecutionId::from_bytes([number; 16])),
            input: None,
            capability: "message".to_owned(),
            arguments: b"{}".to_vec(),
            decision: Decision::Authorized,
            reason: String::new(),
            basis: self.ledger.in_force().basis(),
        };
        let log = self.ledger.execution_log(&self.grant).unwrap();
        let begun = log.begin(request).await.unwrap();
        let _running = begun.started().unwrap().detach();
        let head = self.ledger.head().count();
        self.ledger.at_least(Seq::new(head)).await.unwrap();
    }

    /// The views of this ledger beside the journal of another.
    fn past(&self, other: &Self) -> ViewPast {
        let reader = other.ledger.0.core.reader.clone();
        ViewPast::new(reader, &self.ledger.0.set, self.ledger.head().count())
    }
}

/// What a view says of a record that is another's is no answer: neither *known* nor *unknown*.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_view_names_must_be_what_the_journal_holds_there() {
    let (one, other) = (World::new().await, World::new().await);
    one.begin(1).await;
    other.begin(2).await;
    assert_eq!(one.ledger.head().count(), other.ledger.head().count());
    let execution = ExecutionId::from_bytes([1; 16]);
    let command = (one.grant.component(), CommandId::from_bytes([1; 16]));
    let genuine = one.past(&one);
    assert!(genuine.execution(execution).unwrap().is_some());
    assert!(genuine.command(command).unwrap().is_some());
    let lying = one.past(&other);
    let found = lying.execution(execution).err();
    assert!(
        matches!(found, Some(ReadError::Damaged { .. })),
        "{found:?}"
    );
    let found = lying.command(command).err();
    assert!(
        matches!(found, Some(ReadError::Damaged { .. })),
        "{found:?}"
    );
}
