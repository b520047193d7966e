// SPDX-License-Identifier: Apache-2.0
//! Refusals that the embedder's own code or runtime causes, and one that needs a group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::{
    Change, Context, Options, Retry,
    configuration::Validator,
    group::Command,
    redaction::{Field, Redaction},
};

use super::scenarios::{observation, open, record, told};
use super::world::{LONG, Medium, scratch};

pub(crate) async fn all() {
    redactor().await;
    validator().await;
    group().await;
    runtime_ended().await;
}

/// The runtime that the ledger was opened on has ended.
async fn runtime_ended() {
    let opened = std::thread::spawn(|| {
        let directory = scratch(Medium::Memory);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let journal = MemoryJournal::new();
        let opened = open(&journal, directory.path(), Options::default());
        let opened = runtime.block_on(opened);
        drop(runtime);
        (opened, directory)
    });
    let ((ledger, root, grant), directory) = opened.join().unwrap();
    let refused = record(&ledger, &grant, 1).await.unwrap_err();
    told(refused, "stopped", Retry::AfterReopen);
    drop((ledger, root, grant, directory));
}

/// Redacts nothing, and says so.
struct Refuses;

impl Redaction for Refuses {
    fn redact(&self, _: Field, _: &mut Vec<u8>) -> Result<(), String> {
        Err("not today".to_owned())
    }
}

async fn redactor() {
    let directory = scratch(Medium::Memory);
    let options = Options {
        redaction: Some(Arc::new(Refuses)),
        ..Options::default()
    };
    let (ledger, root, grant) = open(&MemoryJournal::new(), directory.path(), options).await;
    let mut it = observation(1);
    it.attributes = b"{}".to_vec();
    let refused = ledger.telemetry(&grant).unwrap().record(it).await;
    told(refused.unwrap_err(), "callback_failed", Retry::Never);
    root.close(LONG).await.unwrap();
}

/// Accepts, once it is told to.
struct Waits(AtomicBool);

impl Validator for Waits {
    fn validate(&self, _: &str, _: &[u8]) -> Result<(), String> {
        for _ in 0..60_000 {
            if self.0.load(Ordering::SeqCst) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err("never told to accept".to_owned())
    }
}

async fn validator() {
    let directory = scratch(Medium::Memory);
    let waits = Arc::new(Waits(AtomicBool::new(false)));
    let options = Options {
        validators: vec![waits.clone()],
        callback_budget: Duration::from_millis(20),
        ..Options::default()
    };
    let (ledger, root, grant) = open(&MemoryJournal::new(), directory.path(), options).await;
    let change = Change {
        context: Context::new(),
        document: "policy".to_owned(),
        content: b"x".to_vec(),
        author: "somebody".to_owned(),
        reason: "a test".to_owned(),
        expected_version: None,
    };
    let refused = ledger.configuration(&grant).unwrap().change(change).await;
    told(refused.unwrap_err(), "callback_timeout", Retry::Safe);
    waits.0.store(true, Ordering::SeqCst);
    root.close(LONG).await.unwrap();
}

async fn group() {
    let directory = scratch(Medium::Memory);
    let journal = MemoryJournal::new();
    let (ledger, root, grant) = open(&journal, directory.path(), Options::default()).await;
    for number in [1, 2, 3] {
        record(&ledger, &grant, number).await.unwrap();
    }
    let again = [1, 3].map(|number| Command::Observe(observation(number)));
    let refused = ledger.commit(&grant, again.into()).await.unwrap_err();
    assert_eq!(refused.commands.len(), 2);
    told(refused.error, "group_conflict", Retry::Never);
    root.close(LONG).await.unwrap();
}
