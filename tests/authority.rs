// SPDX-License-Identifier: Apache-2.0
//! Who may end a ledger, have it sign and have it write: its root, and a grant with the right. A reader can
//! do none of it.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use femtoclaw_ledger::events::{Event, EventType, Seq, Store};
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer, VerifierKey};
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::projections::Filter;
use femtoclaw_ledger::{
    AccessError, Context, ExecutionId, Grant, Ledger, OpenError, Options, Quota, ReadError, Reads,
    Retry, Rights, Root,
    checkpoint::CheckpointOptions,
    evidence::{EvidenceError, EvidenceOptions},
    verify::VerifyOptions,
};

use tokio_test::task;

#[path = "shared/mod.rs"]
mod shared;

use shared::{WAIT, World, change, command, everything, id, request, until};

/// Counts what it signs.
struct Counting {
    key: SigningKey,
    signed: AtomicU64,
}

impl Signer for Counting {
    fn key(&self) -> &VerifierKey {
        self.key.key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Box<dyn std::error::Error + Send + Sync>> {
        self.signed.fetch_add(1, Ordering::SeqCst);
        self.key.sign(message)
    }
}

/// A ledger that signs where it is asked to, with one execution that ended.
struct Scene {
    world: World,
    signer: Arc<Counting>,
    execution: ExecutionId,
}

fn reads_all() -> Rights {
    let stores = Store::ALL.into_iter();
    stores.fold(Rights::none(), Rights::read_payloads)
}

impl Scene {
    async fn new() -> Self {
        let key = SigningKey::from_seed("ledger.example/a", Algorithm::Ed25519, &[1; 32]);
        let signer = Arc::new(Counting {
            key: key.unwrap(),
            signed: AtomicU64::new(0),
        });
        let given: Arc<dyn Signer> = signer.clone();
        let world = World::new(|options| {
            let mut checkpoints = CheckpointOptions::new(given, Vec::new());
            checkpoints.every_records = 0;
            checkpoints.every = Duration::ZERO;
            options.checkpoints = Some(checkpoints);
            // Of its own accord it writes nothing.
            options.activity_interval = Duration::from_secs(3_600);
        })
        .await;
        let log = world.ledger.execution_log(&world.grant).unwrap();
        let begun = log.begin(request(&world.ledger, command(1))).await.unwrap();
        let running = begun.started().unwrap();
        let execution = running.execution();
        let completed = running.complete(Context::new(), b"1".to_vec());
        completed.await.unwrap();
        Self {
            world,
            signer,
            execution,
        }
    }

    async fn granted(&self, name: &str, rights: Rights) -> Grant {
        let granted = self.world.root.grant(name, rights, Quota::default());
        granted.await.unwrap()
    }

    async fn sign(&self, reads: &Reads) -> Result<(), EvidenceError> {
        let options = EvidenceOptions {
            sign: true,
            ..EvidenceOptions::default()
        };
        reads.evidence(self.execution, options).await.map(drop)
    }

    fn signed(&self) -> u64 {
        self.signer.signed.load(Ordering::SeqCst)
    }

    /// Every record from `from` on.
    async fn since(&self, from: u64) -> Vec<Event> {
        let reads = self.world.ledger.reader(&self.world.grant).unwrap();
        let from = Seq::new(from).unwrap();
        let records = reads.range(from, 10_000).await.unwrap();
        records.iter().map(|it| it.event().unwrap()).collect()
    }
}

fn may_not_sign(refused: Result<(), EvidenceError>, name: &str) {
    let refused = refused.unwrap_err();
    let told = (refused.code(), refused.retry());
    assert_eq!(told, ("not_granted", Retry::Never), "{refused}");
    let EvidenceError::Read(ReadError::Access(AccessError::MayNotSign { component })) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(component, name);
}

/// Who may read everything has nothing signed and nothing recorded, but that it was refused.
#[tokio::test]
async fn a_reader_has_nothing_signed() {
    let scene = Scene::new().await;
    let auditor = scene.granted("auditor", reads_all()).await;
    let reads = scene.world.ledger.reader(&auditor).unwrap();
    let (head, signed) = (scene.world.ledger.head().count(), scene.signed());
    for _ in 0..100 {
        may_not_sign(scene.sign(&reads).await, "auditor");
    }
    assert_eq!(scene.signed(), signed);
    let newest = scene.world.ledger.newest_checkpoint().await.unwrap();
    assert!(newest.is_none());
    // A record that comes after what a hundred refusals left.
    scene.granted("last", Rights::none()).await;
    let left = scene.since(head + 1).await;
    let [Event::RefusalsRecorded(refused), Event::ComponentGranted(_)] = &left[..] else {
        panic!("{left:?}");
    };
    assert_eq!(refused.component, "auditor");
    assert!(refused.detail.starts_with("sign: "), "{}", refused.detail);
    // With the right it is signed, once; and not by whoever lost it.
    let notary = scene.granted("notary", reads_all().sign_checkpoints());
    let notary = notary.await;
    let reads = scene.world.ledger.reader(&notary).unwrap();
    scene.sign(&reads).await.unwrap();
    assert!(scene.signed() > signed);
    let signed = scene.signed();
    scene.sign(&reads).await.unwrap();
    assert_eq!(scene.signed(), signed, "it is covered");
    scene.world.root.revoke(&notary, "done").await.unwrap();
    let refused = scene.sign(&reads).await.unwrap_err();
    assert_eq!(refused.code(), "grant_revoked");
    assert_eq!(scene.signed(), signed);
}

/// Evidence under way while its execution ends and a checkpoint covers that: it tells of the end, or rests on the
/// checkpoint of before.
#[tokio::test]
async fn evidence_holds_every_record_that_its_checkpoint_covers() {
    let scene = Scene::new().await;
    let ledger = &scene.world.ledger;
    let log = ledger.execution_log(&scene.world.grant).unwrap();
    let reads = ledger.reader(&scene.world.grant).unwrap();
    let (mut stood, mut polls) = (false, 0);
    // The threads that read may be so quick that a poll passes by the place: it is come to again.
    for number in 0..10_000 {
        let context = command(100 + number);
        let begun = log.begin(request(ledger, context)).await.unwrap();
        let running = begun.started().unwrap();
        scene.world.root.checkpoint().await.unwrap();
        let made = reads.evidence(running.execution(), EvidenceOptions::default());
        let mut made = task::spawn(made);
        let mut early = None;
        for _ in 0..=polls {
            match made.poll() {
                Poll::Ready(told) => early = Some(told),
                Poll::Pending => {
                    until("the evidence is woken", async || made.is_woken()).await;
                    continue;
                }
            }
            break;
        }
        let ended = running.complete(Context::new(), b"1".to_vec()).await;
        let end = ended.unwrap().last.get();
        scene.world.root.checkpoint().await.unwrap();
        let is_early = early.is_some();
        let told = match early {
            Some(told) => told,
            None => made.await,
        };
        match told {
            Ok(bundle) => {
                let note = Checkpoint::parse(bundle.checkpoint().text()).unwrap();
                let complete = bundle.stream().to_string().starts_with("complete");
                assert_eq!(complete, note.size() >= end, "after {polls} polls");
            }
            // The end came between the checkpoint and the records.
            Err(error) => {
                assert_eq!(error.code(), "not_covered", "{error}");
                stood = true;
            }
        }
        if is_early && stood {
            break;
        }
        polls = if is_early { 0 } else { polls + 1 };
    }
    assert!(stood, "it was never seen between the two");
}

/// Everything that can be asked with a ledger and the right to read, and that is not refused.
async fn ask(scene: &Scene, grant: &Grant) {
    let ledger = &scene.world.ledger;
    let reads = ledger.reader(grant).unwrap();
    let head = ledger.head().count();
    reads.get(Seq::FIRST).await.unwrap();
    reads.range(Seq::FIRST, 100).await.unwrap();
    reads.query(Filter::default(), 100).await.unwrap();
    reads.reconstruct(scene.execution).await.unwrap();
    let evidence = reads.evidence(scene.execution, EvidenceOptions::default());
    evidence.await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let written = reads.write_evidence(
        scene.execution,
        EvidenceOptions::default(),
        place.path().join("evidence"),
    );
    written.await.unwrap();
    let mut follow = reads.follow(Seq::FIRST).unwrap();
    follow.next_batch(WAIT).await.unwrap();
    let log = ledger.execution_log(grant).unwrap();
    log.in_doubt().await.unwrap();
    log.counts().await.unwrap();
    log.get(scene.execution).await.unwrap();
    let configuration = ledger.configuration(grant).unwrap();
    configuration.documents().await.unwrap();
    configuration.history("policy").await.unwrap();
    let mut watch = configuration.watch("policy");
    watch.next().await.unwrap();
    let metadata = ledger.runtime_metadata(grant).unwrap();
    metadata.registry().await.unwrap();
    metadata.runtime().await.unwrap();
    ledger.lookup(grant, id(1)).await.unwrap();
    let note = ledger.newest_checkpoint().await.unwrap().unwrap();
    ledger.prove(Seq::FIRST, &note).await.unwrap();
    ledger.prove_extension(&note, &note).await.unwrap();
    ledger.view_digests().await.unwrap();
    ledger.at_least(Seq::new(head)).await.unwrap();
    let verified = ledger.verify(VerifyOptions::threads(1), |_| {}).await;
    assert!(verified.unwrap().is_sound());
    let told = (ledger.checkpoint_copies(), ledger.scrubbed());
    drop((told, ledger.health(), ledger.in_force(), ledger.recovery()));
}

#[tokio::test]
async fn what_a_reader_asks_is_neither_recorded_nor_signed() {
    let scene = Scene::new().await;
    let configuration = scene.world.ledger.configuration(&scene.world.grant);
    let configuration = configuration.unwrap();
    let changed = configuration.change(change(command(2), "one", None));
    changed.await.unwrap();
    scene.world.root.checkpoint().await.unwrap();
    let auditor = scene.granted("auditor", reads_all()).await;
    let (head, signed) = (scene.world.ledger.head().count(), scene.signed());
    for _ in 0..3 {
        ask(&scene, &auditor).await;
    }
    assert_eq!(scene.signed(), signed);
    // A record that comes after whatever the ledger would have said.
    scene.granted("last", Rights::none()).await;
    let left = scene.since(head + 1).await;
    let kinds: BTreeSet<_> = left.iter().map(|it| it.event_type().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from([EventType::ComponentGranted]));
    assert_eq!(left.len(), 1);
}

/// The record of a grant says whether it may have checkpoints signed.
#[tokio::test]
async fn the_right_to_have_checkpoints_signed_is_on_the_record() {
    let scene = Scene::new().await;
    let head = scene.world.ledger.head().count();
    scene.granted("auditor", reads_all()).await;
    let notary = reads_all().sign_checkpoints();
    scene.granted("notary", notary).await;
    let granted = |event: &Event| match event {
        Event::ComponentGranted(it) => Some((it.name.clone(), it.sign_checkpoints)),
        _ => None,
    };
    let granted: Vec<_> = scene
        .since(head + 1)
        .await
        .iter()
        .filter_map(granted)
        .collect();
    let expected = [("auditor".to_owned(), false), ("notary".to_owned(), true)];
    assert_eq!(granted, expected);
    assert!(Rights::all().may_sign_checkpoints());
}

async fn is_locked(path: &Path) -> bool {
    let opened = Ledger::open(path, Options::default()).await;
    matches!(opened.map(drop), Err(OpenError::Locked { .. }))
}

/// As soon as what was dropped has let go of the directory.
async fn opened(path: &Path) -> (Ledger, Root) {
    let opened = async {
        loop {
            match Ledger::open(path, Options::default()).await {
                Err(OpenError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
                opened => break opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(WAIT, opened).await.unwrap()
}

#[tokio::test]
async fn a_ledger_is_open_as_long_as_it_or_its_root_lives() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    // The root alone: it grants, and closes.
    let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
    let head = ledger.head().count();
    drop(ledger);
    everything(&root).await;
    assert!(is_locked(&path).await);
    let closed = root.clone().close(WAIT).await.unwrap();
    assert!(closed.head.count() > head);
    // The ledger alone: it reads and writes with what was granted.
    let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
    let grant = everything(&root).await;
    drop(root);
    assert!(is_locked(&path).await);
    let log = ledger.execution_log(&grant).unwrap();
    let begun = log.begin(request(&ledger, command(3))).await.unwrap();
    drop(begun);
    drop((ledger, log));
    // Nobody holds it any more.
    let (ledger, _root) = opened(&path).await;
    assert!(ledger.head().count() > closed.head.count());
}

/// Whoever opens again holds the new root; what was granted before opens nothing, in neither.
#[tokio::test]
async fn a_grant_of_before_opens_nothing_after_the_root_has_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (old, old_root) = Ledger::open(&path, Options::default()).await.unwrap();
    let grant = everything(&old_root).await;
    let (ledger, root) = old_root.reopen(Options::default(), WAIT).await.unwrap();
    assert_eq!(ledger.id(), old.id());
    let refused = ledger.execution_log(&grant).map(drop).unwrap_err();
    assert_eq!(refused, AccessError::ForeignGrant);
    let granted = old_root.grant("late", Rights::all(), Quota::default());
    let refused = granted.await.map(drop).unwrap_err();
    assert_eq!(refused.code(), "shutting_down");
    assert!(!old_root.rebuild_view("indexes"));
    let grant = everything(&root).await;
    ledger.execution_log(&grant).unwrap();
    assert!(root.rebuild_view("indexes"));
    root.close(WAIT).await.unwrap();
}
