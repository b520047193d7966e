// SPDX-License-Identifier: Apache-2.0
//! Ledgers that witness each other: a checkpoint of one is cosigned by others only where it extends
//! what they cosigned before, and they remember that over restarts.

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

use femtoclaw_ledger::events::{Event, EventType, Seq};
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer, VerifierKey};
use femtoclaw_ledger::integrity::merkle::leaf_hash;
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::policy::Policy;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::integrity::witness::AddCheckpoint;
use femtoclaw_ledger::projections::Filter;
use femtoclaw_ledger::{
    Context, Grant, Ledger, Options, Root,
    checkpoint::{CheckpointDirectory, CheckpointError, CheckpointOptions, Destination},
    witness::{Witness, WitnessDestination, WitnessError},
};

mod keys;
mod late;
#[path = "../shared/mod.rs"]
mod shared;

use shared::{everything, observation};

const NAME: &str = "ledger.example/witnessed";

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(NAME, Algorithm::Ed25519, &[number; 32]).unwrap()
}

fn witness_key(number: u8) -> SigningKey {
    let name = format!("witness.example/{number}");
    SigningKey::from_seed(&name, Algorithm::CosignatureV1, &[100 + number; 32]).unwrap()
}

fn policy(threshold: usize) -> Policy {
    let witnesses = [1, 2].map(|number| witness_key(number).key().clone());
    Policy::new(&[key(1).key().clone()], &witnesses, threshold).unwrap()
}

fn size(note: &Note) -> u64 {
    Checkpoint::parse(note.text()).unwrap().size()
}

struct Opened {
    ledger: Ledger,
    root: Root,
    grant: Grant,
}

impl Opened {
    async fn new(path: &Path, checkpoints: Option<CheckpointOptions>) -> Self {
        let options = Options {
            checkpoints,
            ..Options::default()
        };
        let (ledger, root) = Ledger::open(path, options).await.unwrap();
        let grant = everything(&root).await;
        Self {
            ledger,
            root,
            grant,
        }
    }

    async fn record(&self, count: u32) {
        let telemetry = self.ledger.telemetry(&self.grant).unwrap();
        for _ in 0..count {
            let observed = observation(Context::new(), "beat");
            telemetry.record(observed).await.unwrap();
        }
    }

    /// This ledger as a witness of the log.
    async fn witness(&self, number: u8) -> Witness {
        let logs = vec![key(1).key().clone()];
        let signer = Arc::new(witness_key(number));
        self.root.witness(signer, logs).await.unwrap()
    }

    async fn events(&self, event_type: EventType) -> Vec<Event> {
        let filter = Filter {
            event_type: Some(event_type),
            ..Filter::default()
        };
        let reads = self.ledger.reader(&self.grant).unwrap();
        self.ledger.at_least(self.ledger.head().seq).await.unwrap();
        let found = reads.query(filter, 100).await.unwrap();
        found.iter().map(|it| it.event().unwrap()).collect()
    }

    async fn close(self) {
        self.root.close(Duration::from_secs(30)).await.unwrap();
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The log, which asks these witnesses; signs on demand alone.
    async fn log(&self, name: &str, witnesses: &[&Witness]) -> Opened {
        let mut destinations: Vec<Arc<dyn Destination>> = Vec::new();
        for witness in witnesses {
            let transport = Arc::new((*witness).clone());
            let key = witness.key().clone();
            destinations.push(Arc::new(WitnessDestination::new(key, transport)));
        }
        let mut options = CheckpointOptions::new(Arc::new(key(1)), destinations);
        options.every_records = 0;
        options.every = Duration::ZERO;
        Opened::new(&self.path(name), Some(options)).await
    }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ledgers_cosign_what_a_third_signs_also_after_restarts() {
    let place = Place::new();
    let first = Opened::new(&place.path("w1"), None).await;
    let second = Opened::new(&place.path("w2"), None).await;
    let (one, two) = (first.witness(1).await, second.witness(2).await);
    let log = place.log("log", &[&one, &two]).await;
    log.record(20).await;
    let note = log.root.checkpoint().await.unwrap();
    let trusted = policy(2).check(&note, None).unwrap();
    assert_eq!(trusted.witnesses.len(), 2);
    // The cosignatures are in the record, and the receipts say who has it.
    let reads = log.ledger.reader(&log.grant).unwrap();
    let stored = reads.get(Seq::new(size(&note) + 1).unwrap()).await.unwrap();
    let Event::CheckpointSigned(signed) = stored.unwrap().event().unwrap() else {
        panic!("the record after it tells of the checkpoint");
    };
    assert_eq!((signed.copied, signed.failed), (2, 0));
    assert_eq!(signed.note, note.to_string().into_bytes());
    let copies = log.ledger.checkpoint_copies();
    assert!(
        copies.iter().all(|copy| copy.size == size(&note)),
        "{copies:?}"
    );
    assert_eq!(copies[1].destination, "witness.example/2");
    log.close().await;

    // Witnesses and log start anew: the log does not know what was cosigned, the witnesses do.
    let seen = one.cosigned(NAME).await.unwrap().size;
    first.close().await;
    fs::remove_dir_all(place.path("w1/views")).unwrap();
    let first = Opened::new(&place.path("w1"), None).await;
    let one = first.witness(1).await;
    assert_eq!(one.cosigned(NAME).await.unwrap().size, seen);
    let log = place.log("log", &[&one, &two]).await;
    log.record(300).await;
    let later = log.root.checkpoint().await.unwrap();
    assert!(policy(2).check(&later, None).is_ok());
    let told = first.events(EventType::CheckpointWitnessed).await;
    assert!(told.len() >= 2, "{told:?}");
    let Some(Event::CheckpointWitnessed(newest)) = told.last() else {
        panic!("{told:?}");
    };
    assert_eq!((newest.size, newest.origin.as_str()), (size(&later), NAME));
    let kept = Note::parse(&newest.note).unwrap();
    assert!(matches!(
        kept.signed_by(witness_key(1).key()),
        Ok(Some(1..))
    ));
    log.close().await;
    first.close().await;
    second.close().await;
}

/// The log's directory is put back to an older copy, and goes on with other records and its own key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_refuses_a_rolled_back_and_a_forked_log() {
    let place = Place::new();
    let witnessing = Opened::new(&place.path("w1"), None).await;
    let one = witnessing.witness(1).await;
    let log = place.log("log", &[&one]).await;
    log.record(10).await;
    log.close().await;
    copy(&place.path("log"), &place.path("older"));
    let log = place.log("log", &[&one]).await;
    log.record(40).await;
    let note = log.root.checkpoint().await.unwrap();
    assert!(policy(1).check(&note, None).is_ok());
    log.close().await;
    let newest = one.cosigned(NAME).await.unwrap();
    // The witness itself is restarted in between: it remembers by its records.
    witnessing.close().await;
    let witnessing = Opened::new(&place.path("w1"), None).await;
    let one = witnessing.witness(1).await;

    let older = place.log("older", &[&one]).await;
    older.record(5).await;
    let behind = older.root.checkpoint().await.unwrap();
    assert!(policy(1).check(&behind, None).is_err());
    let told = older.ledger.checkpoint_copies().remove(0);
    assert!(told.problem.contains("an older copy"), "{told:?}");
    while older.ledger.head().count() < newest.size {
        older.record(1).await;
    }
    let same = older.root.checkpoint().await.unwrap();
    assert_eq!(size(&same), newest.size);
    assert!(policy(1).check(&same, None).is_err());
    older.record(50).await;
    let beyond = older.root.checkpoint().await.unwrap();
    assert!(policy(1).check(&beyond, None).is_err());
    assert_eq!(one.cosigned(NAME).await, Some(newest));

    // Each kind is in the witness's audit log, with what the log signed.
    let last = |event: &Event| matches!(event, Event::RefusalsRecorded(it) if it.reason == "witness_inconsistent");
    let refused = witnessing
        .events_until(EventType::RefusalsRecorded, |all| all.iter().any(last))
        .await;
    for (reason, note) in [
        ("witness_rollback", &behind),
        ("witness_other_history", &same),
        ("witness_inconsistent", &beyond),
    ] {
        let found = refused.iter().any(|event| match event {
            Event::RefusalsRecorded(it) => {
                it.reason == reason
                    && it.component == "witness"
                    && it.detail.contains(&note.to_string())
            }
            _ => false,
        });
        assert!(found, "{reason}: {refused:?}");
    }
    older.close().await;
    witnessing.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_and_goes_away_changes_nothing() {
    let place = Place::new();
    let witnessing = Opened::new(&place.path("w1"), None).await;
    let one = witnessing.witness(1).await;
    let ask = |old_size, size, number| {
        let checkpoint = Checkpoint::new(NAME, size, leaf_hash(&[number])).unwrap();
        let checkpoint = checkpoint.sign(&key(1)).unwrap();
        let proof = Vec::new();
        AddCheckpoint {
            old_size,
            proof,
            checkpoint,
        }
    };
    let gone = tokio::time::timeout(Duration::ZERO, one.add_checkpoint(ask(0, 1, 1)));
    drop(gone.await);
    // Whichever came first: from now on it is what the records say.
    let answer = one.answer(ask(0, 9, 2).to_string().as_bytes()).await;
    assert_eq!((answer.status, answer.body), (409, b"1\n".to_vec()));
    let told = witnessing.events(EventType::CheckpointWitnessed).await;
    assert_eq!(told.len(), 1);
    // Asked again it cosigns again, and writes nothing.
    let head = witnessing.ledger.head().count();
    let answer = one.answer(ask(1, 1, 1).to_string().as_bytes()).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("— witness.example/1 ".as_bytes()));
    assert_eq!(witnessing.ledger.head().count(), head);
    // Keys of the wrong kind, and the witness's own.
    let logs = vec![witness_key(2).key().clone()];
    let refused = witnessing
        .root
        .witness(Arc::new(witness_key(1)), logs)
        .await;
    assert!(matches!(refused, Err(WitnessError::Log(_))), "{refused:?}");
    let refused = witnessing.root.witness(Arc::new(key(1)), Vec::new()).await;
    assert!(matches!(refused, Err(WitnessError::Key(_))), "{refused:?}");
    witnessing.close().await;
    // A ledger that is shut cannot record, and so gives no cosignature out.
    let sibling = leaf_hash(b"2");
    let two = femtoclaw_ledger::integrity::merkle::node_hash(&leaf_hash(&[1]), &sibling);
    let mut more = ask(1, 2, 0);
    more.checkpoint = Checkpoint::new(NAME, 2, two)
        .unwrap()
        .sign(&key(1))
        .unwrap();
    more.proof = vec![sibling];
    let refused = one.add_checkpoint(more).await;
    assert!(
        matches!(refused, Err(WitnessError::NotRecorded(_))),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cosignatures_that_come_later_are_stored_and_exported() {
    let place = Place::new();
    let kept: Arc<dyn Destination> = Arc::new(CheckpointDirectory::new(place.path("kept")));
    let mut options = CheckpointOptions::new(Arc::new(key(1)), vec![kept]);
    options.every_records = 0;
    options.every = Duration::ZERO;
    let log = Opened::new(&place.path("log"), Some(options.clone())).await;
    log.record(20).await;
    let note = log.root.checkpoint().await.unwrap();
    let keys: Vec<VerifierKey> = policy_keys();
    let by = |number| {
        let mut cosigned = note.clone();
        cosigned
            .cosign(&witness_key(number), 1_767_225_600)
            .unwrap();
        cosigned
    };
    log.root.add_cosignatures(&by(1), &keys).await.unwrap();
    let head = log.ledger.head().count();
    // Again, and one that nobody named: nothing is new, nothing is written.
    log.root.add_cosignatures(&by(1), &keys).await.unwrap();
    log.root.add_cosignatures(&by(3), &keys).await.unwrap();
    assert_eq!(log.ledger.head().count(), head);
    let both = log.root.add_cosignatures(&by(2), &keys).await.unwrap();
    assert!(policy(2).check(&both, None).is_ok());
    // A false one is refused, and a note of somebody else.
    let text = by(1).to_string();
    let at = text.len() - 6;
    let other = if text.as_bytes()[at] == b'A' {
        'B'
    } else {
        'A'
    };
    let forged = format!("{}{other}{}", &text[..at], &text[at + 1..]);
    let forged = Note::parse(forged.as_bytes()).unwrap();
    let refused = log.root.add_cosignatures(&forged, &keys).await;
    assert!(
        matches!(refused, Err(CheckpointError::Cosignature(_))),
        "{refused:?}"
    );
    let foreign = Checkpoint::new(NAME, 3, leaf_hash(b"x")).unwrap();
    let foreign = foreign.sign(&key(66)).unwrap();
    let refused = log.root.add_cosignatures(&foreign, &keys).await;
    assert_eq!(refused.err(), Some(CheckpointError::NotOurs));
    // The destination's copy and an export of the note as it was signed have them.
    let copy = place
        .path("kept")
        .join(format!("{:020}.checkpoint", size(&note)));
    let copied = Note::parse(&fs::read(copy).unwrap()).unwrap();
    assert!(policy(2).check(&copied, None).is_ok());
    log.close().await;

    fs::remove_dir_all(place.path("log/views")).unwrap();
    let log = Opened::new(&place.path("log"), Some(options)).await;
    let export = place.path("export");
    log.root.export(&note, &export).await.unwrap();
    let exported = Note::parse(&fs::read(export.join("checkpoint")).unwrap()).unwrap();
    assert!(policy(2).check(&exported, None).is_ok());
    log.close().await;
}

fn policy_keys() -> Vec<VerifierKey> {
    [1, 2]
        .map(|number| witness_key(number).key().clone())
        .to_vec()
}
