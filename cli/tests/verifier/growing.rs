// SPDX-License-Identifier: Apache-2.0
//! An export that grows with its ledger while a web server serves it: what is new is added, what
//! was served stays true, and whoever reads it meanwhile is answered.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::foreign::{go, said};
use crate::live::observation;
use crate::support::{log_key, run};
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::Signer;
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::{
    Grant, Ledger, Options, Quota, Rights, Root, Seq,
    checkpoint::{CheckpointError, CheckpointOptions},
};

/// Go's web server for static files, over one directory.
struct Server(Child, String);

impl Server {
    fn start(program: &Path, dir: &Path) -> Self {
        let mut command = Command::new(program);
        command.arg("serve").arg(dir).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut address = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut address).unwrap();
        Self(child, address.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

struct Live {
    ledger: Ledger,
    root: Root,
    grant: Grant,
}

impl Live {
    async fn open(path: &Path) -> Self {
        let mut signing = CheckpointOptions::new(Arc::new(log_key()), Vec::new());
        signing.every_records = 0;
        signing.every = Duration::ZERO;
        let options = Options {
            checkpoints: Some(signing),
            ..Options::default()
        };
        let (ledger, root) = Ledger::open(path, options).await.unwrap();
        let grant = root.grant("tester", Rights::all(), Quota::default());
        let grant = grant.await.unwrap();
        Self {
            ledger,
            root,
            grant,
        }
    }

    /// Goes on appending until it is told to stop.
    fn append(&self, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
        let telemetry = self.ledger.telemetry(&self.grant).unwrap();
        let stop = Arc::clone(stop);
        tokio::spawn(async move {
            while !stop.load(Ordering::Acquire) {
                telemetry.record(observation()).await.unwrap();
            }
        })
    }

    /// A checkpoint over at least so many records.
    async fn checkpoint(&self, records: u64) -> Note {
        let telemetry = self.ledger.telemetry(&self.grant).unwrap();
        while self.ledger.head().count() < records {
            telemetry.record(observation()).await.unwrap();
        }
        self.root.checkpoint().await.unwrap()
    }
}

fn size(note: &Note) -> u64 {
    Checkpoint::parse(note.text()).unwrap().size()
}

/// Every file below, with its bytes.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut waiting) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(path).unwrap();
            waiting.extend(entries.map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            found.insert(name.to_owned(), fs::read(&path).unwrap());
        }
    }
    found
}

fn verified(export: &Path) -> (Option<i32>, String) {
    let log = log_key().key().to_string();
    run(&["verify", "export", export.to_str().unwrap(), "--log", &log])
}

#[tokio::test]
async fn an_export_grows_by_what_is_new_and_equals_one_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let live = Live::open(&dir.path().join("ledger")).await;
    let export = dir.path().join("export");
    let mut before: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    // Within a tile, to its end, over the next ones, and nothing at all.
    for records in [10, 100, 256, 300, 1_000, 1_000] {
        let note = live.checkpoint(records).await;
        live.root.export(&note, &export).await.unwrap();
        let (code, text) = verified(&export);
        assert_eq!(code, Some(0), "{records}: {text}");
        let (grown, anew) = (files(&export), dir.path().join(size(&note).to_string()));
        live.root.export(&note, &anew).await.unwrap();
        for (name, bytes) in files(&anew) {
            assert_eq!(grown.get(&name), Some(&bytes), "{records}: {name}");
        }
        // What a reader of the last checkpoint may ask for is there, itself or in a full tile.
        for (name, bytes) in before {
            if name == "checkpoint" {
                continue;
            }
            let full = name.split(".p/").next().unwrap();
            let now = grown.get(&name).or_else(|| grown.get(full)).unwrap();
            assert!(now.starts_with(&bytes), "{records}: {name}");
        }
        before = grown;
    }
    let superseded = before.keys().filter(|name| name.contains("/000.p/"));
    let levels: Vec<_> = superseded.map(|name| name.split('/').nth(1)).collect();
    assert!(!levels.is_empty() && levels.iter().all(|it| *it == Some("1")));
    live.root.close(Duration::from_secs(30)).await.unwrap();
}

#[tokio::test]
async fn an_export_that_was_cut_short_is_what_it_was_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let live = Live::open(&dir.path().join("ledger")).await;
    let export = dir.path().join("export");
    // The first one never got to its checkpoint.
    fs::create_dir_all(export.join("tile/0")).unwrap();
    fs::write(export.join("tile/0/000.creating"), "half").unwrap();
    fs::write(export.join("checkpoint.creating"), "half").unwrap();
    let first = live.checkpoint(200).await;
    live.root.export(&first, &export).await.unwrap();
    assert_eq!(verified(&export).0, Some(0));
    // What is in its way stops the next one: between its tiles.
    let second = live.checkpoint(900).await;
    fs::create_dir_all(export.join("tile/0/002/taken")).unwrap();
    let failed = live.root.export(&second, &export).await;
    assert!(
        matches!(failed, Err(CheckpointError::Export(_))),
        "{failed:?}"
    );
    let there = fs::read(export.join("checkpoint")).unwrap();
    assert_eq!(there, first.to_string().into_bytes());
    let (code, text) = verified(&export);
    assert_eq!(code, Some(0), "{text}");
    fs::remove_dir_all(export.join("tile/0/002")).unwrap();
    live.root.export(&second, &export).await.unwrap();
    assert_eq!(verified(&export).0, Some(0));
    // An older checkpoint does not come back.
    let back = live.root.export(&first, &export).await;
    assert!(matches!(back, Err(CheckpointError::Export(_))), "{back:?}");
    // Another ledger's export is not written into.
    let other = Live::open(&dir.path().join("other")).await;
    let note = other.checkpoint(1_200).await;
    let refused = other.root.export(&note, &export).await;
    let size = size(&second);
    assert_eq!(refused, Err(CheckpointError::Rewritten(size)));
    other.root.close(Duration::from_secs(30)).await.unwrap();
    live.root.close(Duration::from_secs(30)).await.unwrap();
}

/// Go's `tlog` reads tiles through its `TileReader` from Go's file server, while records are
/// appended and the export grows under it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_ledgers_export_served_over_http_is_accepted_by_go() {
    let dir = tempfile::tempdir().unwrap();
    let Some(program) = go(dir.path()) else {
        return;
    };
    let live = Live::open(&dir.path().join("ledger")).await;
    let stop = Arc::new(AtomicBool::new(false));
    let appending = live.append(&stop);
    let export = dir.path().join("export");
    let mut note = live.checkpoint(20).await;
    live.root.export(&note, &export).await.unwrap();
    let server = Server::start(&program, &export);
    for round in 1..=5_u64 {
        let earlier = note;
        note = live.checkpoint(size(&earlier) + round * 70).await;
        let asked = dir.path().join(format!("round-{round}"));
        asking(&asked, &live, &earlier).await;
        // It reads while the export is replaced under it.
        let reading = verify(&program, &asked, &server.1);
        live.root.export(&note, &export).await.unwrap();
        let (accepted, told) = said(reading.wait_with_output().unwrap());
        assert!(accepted, "{round}: {told}");
        asking(&asked, &live, &note).await;
        fs::write(asked.join("earlier.checkpoint"), earlier.to_string()).unwrap();
        let path = live.ledger.prove_extension(&earlier, &note).await.unwrap();
        let path: String = path.iter().map(|hash| format!("{hash}\n")).collect();
        fs::create_dir(asked.join("consistency")).unwrap();
        fs::write(asked.join(format!("consistency/{}", size(&earlier))), path).unwrap();
        let reading = verify(&program, &asked, &server.1);
        let (accepted, told) = said(reading.wait_with_output().unwrap());
        assert!(accepted, "{round}: {told}");
        let expected = format!("ok: {} entries", size(&note));
        assert!(told.starts_with(&expected), "{told}");
        assert!(told.contains("3 inclusion proofs, 2 consistency"), "{told}");
        print!("{told}");
    }
    // It can say no: to a tile that was changed on the server.
    let tile = export.join("tile/0/000");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[33] ^= 1;
    fs::write(&tile, bytes).unwrap();
    let refused = verify(&program, &dir.path().join("round-5"), &server.1);
    assert!(!refused.wait_with_output().unwrap().status.success());
    stop.store(true, Ordering::Release);
    appending.await.unwrap();
    live.root.close(Duration::from_secs(30)).await.unwrap();
}

/// What the program is to check beside the export: proofs up to this checkpoint.
async fn asking(dir: &Path, live: &Live, note: &Note) {
    fs::create_dir_all(dir.join("proofs")).unwrap();
    fs::write(dir.join("log.vkey"), log_key().key().to_string()).unwrap();
    fs::write(dir.join("witnesses.vkey"), "").unwrap();
    for (number, seq) in [1, size(note) / 2, size(note)].into_iter().enumerate() {
        let proof = live.ledger.prove(Seq::new(seq).unwrap(), note).await;
        let path = dir.join(format!("proofs/{number}.tlog-proof"));
        fs::write(path, proof.unwrap().to_string()).unwrap();
    }
}

fn verify(program: &Path, dir: &Path, url: &str) -> Child {
    let mut command = Command::new(program);
    command.arg(dir).arg(url);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}
