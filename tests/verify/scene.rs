// SPDX-License-Identifier: Apache-2.0
//! A ledger in a directory with a file of every kind, and what can be done to its bytes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::events::{Event, Record, RecordHeader};
use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::projections::{Projection, ProjectionError, ViewBatch};
use femtoclaw_ledger::{
    Context, Grant, Ledger, Options, Root,
    checkpoint::{CheckpointDirectory, CheckpointOptions},
    verify::{Verified, VerifyOptions},
};

use xxhash_rust::xxh3::xxh3_128;

use crate::shared::{WAIT, everything, observation};

/// Records of a filled scene, at least.
pub(crate) const RECORDS: u64 = 240;

/// A view so large that it does not fit into memory.
pub(crate) struct Bulky;

impl Projection for Bulky {
    fn name(&self) -> &'static str {
        "bulky"
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, _: &RecordHeader) -> bool {
        false
    }

    fn apply_header(
        &mut self,
        header: &RecordHeader,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let seq = header.seq.get();
        if seq <= 20 {
            batch.put(&seq.to_be_bytes(), vec![seq as u8; 1 << 20]);
        }
        Ok(())
    }

    fn apply(&mut self, _: &Record, _: &Event, _: &mut ViewBatch) -> Result<(), ProjectionError> {
        Ok(())
    }
}

pub(crate) struct Scene {
    pub(crate) ledger: Ledger,
    pub(crate) root: Root,
    pub(crate) grant: Grant,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) directory: tempfile::TempDir,
}

pub(crate) fn options(
    kept: &Path,
    clock: &Arc<ManualClock>,
    change: impl FnOnce(&mut Options),
) -> Options {
    let key = SigningKey::from_seed("ledger.example/v", Algorithm::Ed25519, &[1; 32]).unwrap();
    let kept = Arc::new(CheckpointDirectory::new(kept.to_owned()));
    let mut checkpoints = CheckpointOptions::new(Arc::new(key), vec![kept]);
    checkpoints.every_records = 0;
    checkpoints.every = Duration::ZERO;
    let mut options = Options {
        clock: Arc::clone(clock) as _,
        checkpoints: Some(checkpoints),
        memtable_bytes: Some(16 << 10),
        snapshot_records: 50,
        ..Options::default()
    };
    change(&mut options);
    options
}

impl Scene {
    pub(crate) async fn new(change: impl FnOnce(&mut Options)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(1_000_000_000));
        let options = options(&directory.path().join("kept"), &clock, change);
        let (ledger, root) = Ledger::open(directory.path().join("ledger"), options)
            .await
            .unwrap();
        let grant = everything(&root).await;
        Self {
            ledger,
            root,
            grant,
            clock,
            directory,
        }
    }

    /// With records, tables, saved states and checkpoints, and nothing under way any more.
    pub(crate) async fn filled(change: impl FnOnce(&mut Options)) -> Self {
        let scene = Self::new(change).await;
        while scene.ledger.head().count() < RECORDS {
            scene.record(40).await;
            scene.root.checkpoint().await.unwrap();
        }
        let ready = || {
            !scene.files("journal/keyspaces/1/tables").is_empty()
                && !scene.files("snapshots").is_empty()
        };
        until("there are tables and states", ready).await;
        scene.settled().await;
        scene
    }

    pub(crate) async fn record(&self, count: u32) {
        let telemetry = self.ledger.telemetry(&self.grant).unwrap();
        for _ in 0..count {
            let mut observed = observation(Context::new(), "beat");
            observed.attributes = format!("\"{}\"", "x".repeat(400)).into_bytes();
            telemetry.record(observed).await.unwrap();
        }
    }

    /// Until views have read everything and no file changes any more.
    pub(crate) async fn settled(&self) {
        self.ledger.at_least(self.ledger.head().seq).await.unwrap();
        let mut before = self.bytes();
        for _ in 0..600 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            let now = self.bytes();
            if now == before {
                return;
            }
            before = now;
        }
        panic!("the files do not come to rest");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("ledger").join(name)
    }

    /// Every file below, in order.
    pub(crate) fn files(&self, below: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut waiting = vec![self.path(below)];
        while let Some(path) = waiting.pop() {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => waiting.push(entry.path()),
                    false => found.push(entry.path()),
                }
            }
        }
        found.sort();
        found
    }

    /// Every file of the ledger, with what changes when a byte of it is written.
    pub(crate) fn bytes(&self) -> BTreeMap<PathBuf, [i64; 4]> {
        let look = |path: PathBuf| {
            let found = fs::metadata(&path).ok()?;
            let changed = [found.mtime(), found.mtime_nsec()];
            let which = [found.ino() as i64, found.len() as i64];
            Some((path, [changed[0], changed[1], which[0], which[1]]))
        };
        self.files("").into_iter().filter_map(look).collect()
    }

    pub(crate) async fn verify(&self) -> Verified {
        let verifying = self.ledger.verify(VerifyOptions::threads(2), |_| {});
        tokio::time::timeout(WAIT, verifying)
            .await
            .unwrap()
            .unwrap()
    }

    /// True for what the engine left behind and does not read: older manifests, and tables that no
    /// manifest names with their checksum.
    pub(crate) fn is_stale(&self, path: &Path) -> bool {
        let parent = path.parent().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let manifest = |keyspace: &Path| {
            let named: [u8; 8] = fs::read(keyspace.join("current")).unwrap()[..8]
                .try_into()
                .unwrap();
            keyspace.join(format!("v{}", u64::from_le_bytes(named)))
        };
        if parent.ends_with("tables") {
            let mut entry = name.parse::<u64>().unwrap().to_le_bytes().to_vec();
            entry.push(0);
            entry.extend(xxh3_128(&fs::read(path).unwrap()).to_le_bytes());
            let manifest = fs::read(manifest(parent.parent().unwrap())).unwrap();
            return !manifest.windows(entry.len()).any(|found| found == entry);
        }
        let is_manifest = name
            .strip_prefix('v')
            .is_some_and(|it| it.parse::<u64>().is_ok());
        is_manifest && manifest(parent) != path
    }

    /// A table of the journal.
    pub(crate) fn table(&self) -> PathBuf {
        let mut tables = self.files("journal/keyspaces/1/tables").into_iter();
        tables.find(|table| !self.is_stale(table)).unwrap()
    }
}

/// Flips one bit in place: the engine has the file open.
pub(crate) fn flip(path: &Path, at: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path);
    let file = file.unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << (at % 8))], at).unwrap();
}

/// Bytes up to the last that is not zero: the engine preallocates.
pub(crate) fn used(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0);
    last.map_or(0, |last| last as u64 + 1)
}

pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..30_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{what}: not within a minute");
}
