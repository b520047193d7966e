// SPDX-License-Identifier: Apache-2.0
//! A ledger that signs checkpoints of itself: what they cover, where they go, what others can check
//! with them, and what an opening refuses that contradicts one.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{Event, Record, Seq};
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer, VerifierKey};
use femtoclaw_ledger::integrity::merkle::verify_consistency;
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::policy::Policy;
use femtoclaw_ledger::integrity::proof::TlogProof;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{
    Context, Grant, Ledger, OpenError, Options, Root,
    checkpoint::{CheckpointCommand, CheckpointDirectory, CheckpointError, CheckpointOptions},
};

#[path = "shared/mod.rs"]
mod shared;

use shared::{everything, observation};

const NAME: &str = "ledger.example/checkpoints";

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(NAME, Algorithm::Ed25519, &[number; 32]).unwrap()
}

fn policy(keys: &[VerifierKey]) -> Policy {
    Policy::new(keys, &[], 0).unwrap()
}

/// A ledger's directory, and one beside it that takes checkpoints.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Signs on demand and at a close only.
    fn options(&self) -> CheckpointOptions {
        let kept = Arc::new(CheckpointDirectory::new(self.path("kept")));
        let mut options = CheckpointOptions::new(Arc::new(key(1)), vec![kept]);
        options.every_records = 0;
        options.every = Duration::ZERO;
        options
    }

    async fn open_with(&self, options: CheckpointOptions) -> Result<(Ledger, Root), OpenError> {
        let options = Options {
            checkpoints: Some(options),
            ..Options::default()
        };
        Ledger::open(self.path("ledger"), options).await
    }

    async fn open(&self) -> (Ledger, Root, Grant) {
        let (ledger, root) = self.open_with(self.options()).await.unwrap();
        let grant = everything(&root).await;
        (ledger, root, grant)
    }

    async fn refused(&self) -> OpenError {
        self.open_with(self.options()).await.err().unwrap()
    }

    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("kept")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    }
}

async fn record(ledger: &Ledger, grant: &Grant, count: u32) {
    let telemetry = ledger.telemetry(grant).unwrap();
    for _ in 0..count {
        let observed = observation(Context::new(), "beat");
        telemetry.record(observed).await.unwrap();
    }
}

async fn close(opened: (Ledger, Root, Grant)) -> u64 {
    let closed = opened.1.close(Duration::from_secs(30)).await.unwrap();
    closed.head.count()
}

fn size(note: &Note) -> u64 {
    Checkpoint::parse(note.text()).unwrap().size()
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
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_checkpoint_covers_every_record_before_it_and_others_can_check_that() {
    let place = Place::new();
    let (ledger, root, grant) = place.open().await;
    record(&ledger, &grant, 300).await;
    let before = ledger.head().count();
    let note = root.checkpoint().await.unwrap();
    assert_eq!(size(&note), before);
    let trusted = policy(&[key(1).key().clone()]).check(&note, None).unwrap();
    assert_eq!(trusted.checkpoint.size(), before);

    // It is a record, and a file where it was to be copied to.
    let reads = ledger.reader(&grant).unwrap();
    let stored = reads.get(Seq::new(before + 1).unwrap()).await.unwrap();
    let Event::CheckpointSigned(signed) = stored.unwrap().event().unwrap() else {
        panic!("the record after it tells of the checkpoint");
    };
    assert_eq!(signed.note, note.to_string().into_bytes());
    assert_eq!((signed.size, signed.copied, signed.failed), (before, 1, 0));
    assert_eq!(place.kept(), [format!("{before:020}.checkpoint")]);

    // A proof is verified with the header alone.
    for seq in [1, 2, 256, 257, before] {
        let proof = ledger.prove(Seq::new(seq).unwrap(), &note).await.unwrap();
        let found = reads.get(Seq::new(seq).unwrap()).await.unwrap().unwrap();
        assert!(proved(&proof, &found), "{seq}");
        let other = reads
            .get(Seq::new(before + 1).unwrap())
            .await
            .unwrap()
            .unwrap();
        assert!(!proved(&proof, &other), "{seq}");
    }
    let beyond = ledger.prove(Seq::new(before + 1).unwrap(), &note).await;
    assert!(
        matches!(beyond, Err(CheckpointError::Tree(_))),
        "{beyond:?}"
    );

    record(&ledger, &grant, 40).await;
    let later = root.checkpoint().await.unwrap();
    let path = ledger.prove_extension(&note, &later).await.unwrap();
    let [old, new] = [&note, &later].map(|note| Checkpoint::parse(note.text()).unwrap());
    let extends = verify_consistency(old.size(), old.root(), new.size(), new.root(), &path);
    assert_eq!(extends, Ok(()));
    let foreign = Checkpoint::new(NAME, 3, *old.root())
        .unwrap()
        .sign(&key(2))
        .unwrap();
    let refused = ledger.prove(Seq::FIRST, &foreign).await;
    assert_eq!(refused.err(), Some(CheckpointError::NotOurs));
    close((ledger, root, grant)).await;
}

/// Whether a proof that was written down shows that the log holds the record's header.
fn proved(proof: &TlogProof, record: &Record) -> bool {
    let proof = TlogProof::parse(proof.to_string().as_bytes()).unwrap();
    let policy = policy(&[key(1).key().clone()]);
    proof.verify(&record.header.encode(), &policy, None).is_ok()
}

#[tokio::test]
async fn a_close_signs_what_was_written_and_an_opening_finds_it_extended() {
    let place = Place::new();
    let opened = place.open().await;
    record(&opened.0, &opened.2, 20).await;
    let told = opened.0.head().count();
    let head = close(opened).await;
    // After the checkpoint come at most its own record, an activity record, and that of the close, which is
    // signed too and has no record.
    let kept = place.kept();
    let covered: u64 = kept[0].split('.').next().unwrap().parse().unwrap();
    assert!(covered >= told && covered >= head - 4, "{kept:?}");
    assert_eq!(kept[1..], [format!("{head:020}.checkpoint")]);
    // Also with views that must be made again.
    fs::remove_dir_all(place.path("ledger/views")).unwrap();
    let opened = place.open().await;
    record(&opened.0, &opened.2, 1).await;
    close(opened).await;
    assert_eq!(place.kept().len(), 4);
}

#[tokio::test]
async fn an_older_copy_put_back_is_refused_by_the_newer_checkpoint() {
    let place = Place::new();
    let opened = place.open().await;
    record(&opened.0, &opened.2, 5).await;
    let old_head = close(opened).await;
    copy(&place.path("ledger"), &place.path("older"));
    let opened = place.open().await;
    record(&opened.0, &opened.2, 5).await;
    close(opened).await;

    fs::rename(place.path("ledger"), place.path("newer")).unwrap();
    copy(&place.path("older"), &place.path("ledger"));
    match place.refused().await {
        OpenError::BehindCheckpoint { head, size, .. } => assert!(head == old_head && size > head),
        other => panic!("{other}"),
    }
    // Without the checkpoint it is a genuine older ledger.
    fs::rename(place.path("kept"), place.path("away")).unwrap();
    close(place.open().await).await;
}

/// The older copy goes on with other records until it is as long: a second history.
#[tokio::test]
async fn a_second_history_of_the_same_length_is_refused() {
    let place = Place::new();
    let opened = place.open().await;
    record(&opened.0, &opened.2, 5).await;
    close(opened).await;
    copy(&place.path("ledger"), &place.path("older"));
    let opened = place.open().await;
    record(&opened.0, &opened.2, 5).await;
    close(opened).await;
    fs::rename(place.path("kept"), place.path("away")).unwrap();
    fs::rename(place.path("ledger"), place.path("newer")).unwrap();
    copy(&place.path("older"), &place.path("ledger"));
    // Nobody told this opening of what was signed; it signs no copy of its own either.
    let (ledger, root) = Ledger::open(place.path("ledger"), Options::default())
        .await
        .unwrap();
    let grant = everything(&root).await;
    record(&ledger, &grant, 50).await;
    close((ledger, root, grant)).await;
    fs::rename(place.path("away"), place.path("kept")).unwrap();
    match place.refused().await {
        OpenError::OtherHistory { .. } => {}
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_others_put_into_a_destination_is_not_believed() {
    let place = Place::new();
    close(place.open().await).await;
    let root = femtoclaw_ledger::integrity::merkle::leaf_hash(b"made up");
    let made_up = Checkpoint::new(NAME, 9_000, root).unwrap();
    let forged = made_up.sign(&key(66)).unwrap().to_string();
    fs::write(
        place.path("kept").join(format!("{:020}.checkpoint", 9_000)),
        forged,
    )
    .unwrap();
    fs::write(place.path("kept").join("x.checkpoint"), [0xff; 100]).unwrap();
    close(place.open().await).await;
    // By the ledger's own key it would be.
    let genuine = made_up.sign(&key(1)).unwrap().to_string();
    fs::write(
        place.path("kept").join(format!("{:020}.checkpoint", 9_000)),
        genuine,
    )
    .unwrap();
    let refused = place.refused().await;
    assert!(
        matches!(refused, OpenError::BehindCheckpoint { size: 9_000, .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_changed_key_keeps_the_old_checkpoints() {
    let place = Place::new();
    let opened = place.open().await;
    let old = opened.1.checkpoint().await.unwrap();
    close(opened).await;
    let mut options = place.options();
    options.signer = Arc::new(key(2));
    options.earlier_keys = vec![key(1).key().clone()];
    let (ledger, root) = place.open_with(options).await.unwrap();
    let new = root.checkpoint().await.unwrap();
    let both = policy(&[key(1).key().clone(), key(2).key().clone()]);
    assert_eq!(&both.check(&old, None).unwrap().log, key(1).key());
    assert_eq!(&both.check(&new, None).unwrap().log, key(2).key());
    assert!(ledger.prove_extension(&old, &new).await.is_ok());
    let grant = everything(&root).await;
    close((ledger, root, grant)).await;
}

#[tokio::test]
async fn a_failed_copy_is_told_and_keeps_no_other_from_its_own() {
    let place = Place::new();
    fs::write(place.path("file"), "not a directory").unwrap();
    let mut options = place.options();
    let script = format!("cat > {}", place.text("taken"));
    options
        .destinations
        .insert(0, Arc::new(CheckpointDirectory::new(place.path("file"))));
    options.destinations.push(Arc::new(CheckpointCommand::new(
        "sh",
        vec!["-c".into(), script],
    )));
    options
        .destinations
        .push(Arc::new(CheckpointCommand::new("false", Vec::new())));
    let (ledger, root) = place.open_with(options).await.unwrap();
    let grant = everything(&root).await;
    let note = root.checkpoint().await.unwrap();
    assert_eq!(
        fs::read_to_string(place.path("taken")).unwrap(),
        note.to_string()
    );
    let reads = ledger.reader(&grant).unwrap();
    let stored = reads.get(Seq::new(size(&note) + 1).unwrap()).await.unwrap();
    let Event::CheckpointSigned(signed) = stored.unwrap().event().unwrap() else {
        panic!("the record after it tells of the checkpoint");
    };
    assert_eq!((signed.copied, signed.failed), (2, 2));
    assert!(signed.problem.contains("/file: "), "{}", signed.problem);
    close((ledger, root, grant)).await;
}

#[tokio::test]
async fn checkpoints_are_signed_by_number_and_an_idle_ledger_signs_none() {
    let place = Place::new();
    let mut options = place.options();
    options.every_records = 10;
    options.every = Duration::from_millis(1);
    let (ledger, root) = place.open_with(options).await.unwrap();
    let grant = everything(&root).await;
    let covered = |head: u64| {
        let last = place.kept().pop().unwrap_or_default();
        last.starts_with(&format!("{:020}", head - 1))
    };
    record(&ledger, &grant, 30).await;
    let (mut quiet, mut head) = (0, 0);
    // Until nothing was written for a second: the last record is the checkpoint's own.
    for _ in 0..6_000 {
        quiet = if ledger.head().count() == head {
            quiet + 1
        } else {
            0
        };
        head = ledger.head().count();
        if quiet == 100 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(quiet, 100, "it never came to rest");
    assert!(covered(head), "{head}: {:?}", place.kept());
    close((ledger, root, grant)).await;
}

#[tokio::test]
async fn without_a_signer_there_are_no_checkpoints() {
    let place = Place::new();
    let (_, root) = Ledger::open(place.path("ledger"), Options::default())
        .await
        .unwrap();
    assert_eq!(
        root.checkpoint().await.err(),
        Some(CheckpointError::NoSigner)
    );
    root.close(Duration::from_secs(30)).await.unwrap();
    drop(root);
    assert!(!place.path("kept").exists());
}
