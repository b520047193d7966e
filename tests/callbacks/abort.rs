// SPDX-License-Identifier: Apache-2.0
//! Where a panic is no unwinding but the process's end: whatever callback it comes from, the next
//! opening has everything that was acknowledged.
//!
//! The judge is the parent: acknowledgements come through a pipe and survive the child.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Signal, getrlimit, setrlimit};

use femtoclaw_ledger::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use femtoclaw_ledger::events::{Event, Record};
use femtoclaw_ledger::integrity::key::{Algorithm, VerifierKey};
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::projections::{Projection, ProjectionError, ViewBatch};
use femtoclaw_ledger::{
    Context, Ledger, Options, Seq,
    checkpoint::{CheckpointDirectory, CheckpointOptions, Destination},
    configuration::Validator,
    operation::Space,
    redaction::{Field, Redaction},
};

use crate::child::{child_command, child_path};
use crate::scene::{Act, Cell, How, options};
use crate::shared::{WAIT, change};

const KINDS: [&str; 7] = [
    "projection",
    "space",
    "clock",
    "entropy",
    "validator",
    "redaction",
    "destination",
];

/// Every callback there is: does its work until it is told to end the process.
#[derive(Default)]
struct Callback {
    act: Arc<Act>,
    clock: SystemClock,
    entropy: SystemEntropy,
    kept: Option<CheckpointDirectory>,
}

impl Projection for Callback {
    fn name(&self) -> &'static str {
        "mine"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(
        &mut self,
        record: &Record,
        _: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        self.act.now();
        batch.put(&record.header.seq.get().to_be_bytes(), vec![1]);
        Ok(())
    }
}

impl Space for Callback {
    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        self.act.now();
        Ok(1 << 40)
    }
}

impl Clock for Callback {
    fn now_ns(&self) -> i64 {
        self.act.now();
        self.clock.now_ns()
    }

    fn monotonic_ns(&self) -> u64 {
        self.clock.monotonic_ns()
    }
}

impl Entropy for Callback {
    fn bytes16(&self) -> [u8; 16] {
        self.act.now();
        self.entropy.bytes16()
    }
}

impl Validator for Callback {
    fn validate(&self, _: &str, _: &[u8]) -> Result<(), String> {
        self.act.now();
        Ok(())
    }
}

impl Redaction for Callback {
    fn redact(&self, _: Field, _: &mut Vec<u8>) -> Result<(), String> {
        self.act.now();
        Ok(())
    }
}

impl Destination for Callback {
    fn name(&self) -> &'static str {
        "far"
    }

    fn put(&self, checkpoint: &Note) -> io::Result<()> {
        self.act.now();
        self.kept.as_ref().unwrap().put(checkpoint)
    }

    fn kept(&self, keys: &[VerifierKey]) -> io::Result<Vec<Note>> {
        self.kept.as_ref().unwrap().kept(keys)
    }
}

/// Of this kind, one callback obeys; the signing is on demand alone.
fn with(kind: &str, act: &Arc<Act>, path: &Path) -> Options {
    let callback = |kept| Callback {
        act: Arc::clone(act),
        kept,
        ..Callback::default()
    };
    let mut given = options();
    match kind {
        "projection" => given.projections = vec![Box::new(callback(None))],
        "space" => given.space = Arc::new(callback(None)),
        "clock" => given.clock = Arc::new(callback(None)),
        "entropy" => given.entropy = Arc::new(callback(None)),
        "validator" => given.validators = vec![Arc::new(callback(None))],
        "redaction" => given.redaction = Some(Arc::new(callback(None))),
        _ => {
            let key = SigningKey::from_seed("ledger.example/log", Algorithm::Ed25519, &[7; 32]);
            let kept = CheckpointDirectory::new(path.join("copies"));
            let far = Arc::new(callback(Some(kept)));
            let mut signing = CheckpointOptions::new(Arc::new(key.unwrap()), vec![far]);
            (signing.every_records, signing.every) = (0, Duration::ZERO);
            given.checkpoints = Some(signing);
        }
    }
    given
}

/// Says that this record was acknowledged, and what it was.
async fn say(cell: &Cell, last: u64) {
    let reader = cell.ledger.reader(&cell.grant).unwrap();
    let record = reader.get(Seq::new(last).unwrap()).await.unwrap();
    eprintln!("acknowledged {last} {:?}", record.unwrap().hash);
}

/// An execution, a new version of a document, and a checkpoint where there is a key.
async fn acknowledge(cell: &Cell) {
    say(cell, cell.append().await).await;
    let documents = cell.ledger.configuration(&cell.grant).unwrap();
    let changed = documents.change(change(Context::new(), "{}", None)).await;
    say(cell, changed.unwrap().receipt.last.get()).await;
    if !cell.ledger.checkpoint_copies().is_empty() {
        cell.root.checkpoint().await.unwrap();
    }
}

/// Acknowledges some, and goes on until the callback ends it; comes back where that never happens.
async fn child(path: &Path) {
    // No core is left behind.
    let mut limit = getrlimit(Resource::Core);
    limit.current = Some(0);
    setrlimit(Resource::Core, limit).unwrap();
    let kind = path.file_name().unwrap().to_str().unwrap();
    let act = Arc::new(Act::default());
    let cell = Cell::open(&path.join("ledger"), with(kind, &act, path)).await;
    for _ in 0..3 {
        acknowledge(&cell).await;
    }
    act.set(How::Abort);
    let start = tokio::time::Instant::now();
    while start.elapsed() < WAIT {
        acknowledge(&cell).await;
    }
}

/// The child was ended by its callback, and left a ledger that is sound.
async fn is_sound(kind: &str, path: &Path, ended: Output) {
    let said = String::from_utf8(ended.stderr).unwrap();
    let signal = ended.status.signal();
    assert_eq!(signal, Some(Signal::ABORT.as_raw()), "{kind}: {said}");
    let cell = Cell::open(&path.join("ledger"), with(kind, &Arc::default(), path)).await;
    let health = cell.ledger.health();
    assert!(health.healthy, "{kind}: {health:?}");
    let reader = cell.ledger.reader(&cell.grant).unwrap();
    let mut count = 0;
    for line in said.lines() {
        let Some(acknowledged) = line.strip_prefix("acknowledged ") else {
            continue;
        };
        let (seq, hash) = acknowledged.split_once(' ').unwrap();
        let found = reader.get(seq.parse::<u64>().map(Seq::new).unwrap().unwrap());
        let found = found.await.unwrap();
        let found = found.map(|record| format!("{:?}", record.hash));
        assert_eq!(found.as_deref(), Some(hash), "{kind}: {seq}");
        count += 1;
    }
    assert!(count >= 6, "{kind}: {said}");
    cell.writes().await;
    let head = cell.ledger.head().count();
    cell.ledger.at_least(Seq::new(head)).await.unwrap();
    cell.ledger.view_digests().await.unwrap();
    cell.nothing_set_aside();
    assert!(cell.ledger.health().healthy, "{kind}");
    cell.root.close(WAIT).await.unwrap();
    let again = Ledger::open(path.join("ledger"), Options::default()).await;
    drop(again.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_ends_the_process_loses_nothing_acknowledged() {
    if let Some(path) = child_path() {
        child(&path).await;
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let test = "abort::a_callback_that_ends_the_process_loses_nothing_acknowledged";
    let children = KINDS.map(|kind| {
        let path = directory.path().join(kind);
        std::fs::create_dir(&path).unwrap();
        let child = child_command(test, &path).spawn().unwrap();
        (kind, path, child)
    });
    for (kind, path, child) in children {
        let ended = tokio::task::spawn_blocking(|| child.wait_with_output());
        is_sound(kind, &path, ended.await.unwrap().unwrap()).await;
    }
}
