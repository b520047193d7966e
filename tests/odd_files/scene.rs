// SPDX-License-Identifier: Apache-2.0
//! A ledger that used every feature that leaves a file, closed.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::{
    Context, Ledger, Options,
    checkpoint::{CheckpointDirectory, CheckpointOptions},
    directory::keys,
    integrity,
};

use crate::shared::{everything, observation, until};

/// What must be among the files, so that a scene that lost a feature is noticed.
pub(crate) const EXPECTED: &[&str] = &[
    "ANCHOR",
    "LEDGER",
    "LOCK",
    "SCRUB",
    "SUBJECTS",
    "failure.note",
    "journal",
    "journal/#.jnl",
    "journal/keyspaces/#/current",
    "journal/keyspaces/#/tables/#",
    "journal/keyspaces/#/v#",
    "journal/lock",
    "journal/version",
    "quarantine/ANCHOR-1",
    "snapshots/#.snapshot",
    "views/executions",
    "views/executions/manifest.json",
    "views/executions/v#.g#",
    "views/executions/v#.g#/#-#.segment",
];

pub(crate) struct Scene {
    directory: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) key: PathBuf,
}

/// A copy of it, in a directory of its own.
pub(crate) struct Copy {
    _directory: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

pub(crate) fn options(key: &Path) -> Options {
    let signer = keys::open(key, None).unwrap();
    let kept = CheckpointDirectory::new(key.with_file_name("checkpoints"));
    let mut checkpoints = CheckpointOptions::new(Arc::new(signer), vec![Arc::new(kept)]);
    // Copies of one scene are no one history.
    checkpoints.destinations.clear();
    checkpoints.every_records = 0;
    checkpoints.every = Duration::ZERO;
    Options {
        checkpoints: Some(checkpoints),
        snapshot_records: 40,
        // The journal's tables are made early.
        memtable_bytes: Some(16 << 10),
        ..Options::default()
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        let key = directory.path().join("key");
        keys::create(&key, "ledger.example/odd", Algorithm::Ed25519, None).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(fill(&path, &key));
        // One slot of the anchor is lost: the whole file goes to quarantine.
        let anchor = File::options()
            .write(true)
            .open(path.join("ANCHOR"))
            .unwrap();
        anchor.write_all_at(&[0], 0).unwrap();
        runtime.block_on(fill(&path, &key));
        let scene = Self {
            directory,
            path,
            key,
        };
        let note = format!("{}\n{}\n", 7, "the sync failed");
        let sum = integrity::digest(note.as_bytes());
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        let file = scene.path.join("failure.note");
        fs::write(&file, format!("{note}checksum {sum}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        scene
    }

    pub(crate) fn copy(&self) -> Copy {
        let directory = tempfile::tempdir_in(self.directory.path()).unwrap();
        let path = directory.path().join("ledger");
        copy(&self.path, &path);
        Copy {
            _directory: directory,
            path,
        }
    }
}

async fn fill(path: &Path, key: &Path) {
    let (ledger, root) = Ledger::open(path, options(key)).await.unwrap();
    let grant = everything(&root).await;
    let telemetry = ledger.telemetry(&grant).unwrap();
    for _ in 0..60 {
        let mut observed = observation(Context::new(), "beat");
        observed.attributes = format!("{{\"text\":{:?}}}", "x".repeat(900)).into_bytes();
        telemetry.record(observed).await.unwrap();
    }
    root.checkpoint().await.unwrap();
    // Where the scrub has looked at something, it keeps its position.
    let looked = || ledger.scrubbed().verified_through > 0 || ledger.scrubbed().passes > 0;
    until("the scrub has looked at something", async || looked()).await;
    root.close(Duration::from_secs(30)).await.unwrap();
}

/// Every file and directory below, by its relative name, sorted.
pub(crate) fn names(directory: &Path) -> Vec<PathBuf> {
    let mut names = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            names.push(entry.path().strip_prefix(directory).unwrap().to_owned());
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            copy_file(&entry.path(), &target);
        }
    }
}

/// With holes where there is nothing: logs are 64 MiB of mostly that.
fn copy_file(from: &Path, to: &Path) {
    const STEP: usize = 1 << 20;
    let (mut source, target) = (File::open(from).unwrap(), File::create_new(to).unwrap());
    let metadata = source.metadata().unwrap();
    target.set_len(metadata.len()).unwrap();
    target.set_permissions(metadata.permissions()).unwrap();
    let (zeros, mut piece, mut at) = (vec![0; STEP], vec![0; STEP], 0);
    loop {
        let read = source.read(&mut piece).unwrap();
        if read == 0 {
            return;
        }
        if piece[..read] != zeros[..read] {
            target.write_all_at(&piece[..read], at).unwrap();
        }
        at += read as u64;
    }
}
