// SPDX-License-Identifier: Apache-2.0
//! What a redactor takes out is nowhere: not in a record, not in a file, not in a line of the log;
//! and what becomes of a command whose redactor or validator fails, hangs or calls back.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic and look at the clock, its helpers too"
)]

mod commands;
mod everywhere;
mod failing;
mod validators;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use femtoclaw_ledger::{
    Event, Grant, Ledger, Options, Quota, Record, Rights, Root, Seq,
    events::EventType,
    redaction::{Field, FieldShape, Redaction},
};

/// What must be nowhere.
pub(crate) const SECRET: &str = "hunter2-Zk9vQx";
/// What stands in its place.
pub(crate) const REMOVED: &str = "[removed]";
pub(crate) const WAIT: Duration = Duration::from_secs(20);

/// Takes the secret out, and notes what it was asked for.
#[derive(Default)]
pub(crate) struct Remover {
    pub(crate) asked: Mutex<BTreeSet<(&'static str, &'static str, &'static str)>>,
}

impl Redaction for Remover {
    fn redact(&self, field: Field, bytes: &mut Vec<u8>) -> Result<(), String> {
        let shape = match field.shape {
            FieldShape::Text => "text",
            FieldShape::Json => "json",
            FieldShape::Bytes => "bytes",
        };
        let mut asked = self.asked.lock().unwrap();
        asked.insert((field.command, field.name, shape));
        *bytes = String::from_utf8_lossy(bytes)
            .replace(SECRET, REMOVED)
            .into_bytes();
        Ok(())
    }

    fn name(&self) -> &'static str {
        "remover"
    }
}

pub(crate) struct Open {
    pub(crate) ledger: Ledger,
    pub(crate) root: Root,
    pub(crate) grant: Grant,
}

pub(crate) async fn open(path: &Path, options: Options) -> Open {
    let (ledger, root) = Ledger::open(path, options).await.unwrap();
    let grant = root.grant("test", Rights::all(), Quota::default());
    let grant = grant.await.unwrap();
    Open {
        ledger,
        root,
        grant,
    }
}

pub(crate) fn redacting(redaction: Arc<dyn Redaction>) -> Options {
    Options {
        redaction: Some(redaction),
        ..Options::default()
    }
}

impl Open {
    pub(crate) async fn records(&self) -> Vec<Record> {
        let reads = self.ledger.reader(&self.grant).unwrap();
        reads.range(Seq::FIRST, usize::MAX).await.unwrap()
    }

    pub(crate) async fn events(&self, kind: EventType) -> Vec<Event> {
        let records = self.records().await;
        let of_kind = records
            .iter()
            .filter(|record| record.header.event_type == kind);
        of_kind.map(|record| record.event().unwrap()).collect()
    }

    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let holding = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(WAIT, holding).await;
        assert!(waited.is_ok(), "{what}");
    }
}

pub(crate) fn contains(bytes: &[u8], part: &str) -> bool {
    bytes
        .windows(part.len())
        .any(|window| window == part.as_bytes())
}

pub(crate) fn place() -> (tempfile::TempDir, std::path::PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("ledger");
    (root, path)
}
