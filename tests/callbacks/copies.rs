// SPDX-License-Identifier: Apache-2.0
//! Destinations, witnesses' transports and signers: counted, told, tried again; the others go on.

use femtoclaw_ledger::witness::TransportAnswer;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer, VerifierKey};
use femtoclaw_ledger::integrity::merkle::TreeHash;
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{
    Options,
    checkpoint::{CheckpointDirectory, CheckpointOptions, Destination},
    witness::{WitnessDestination, WitnessTransport},
};

use crate::scene::{Act, Cell, How, options};
use crate::shared::WAIT;

/// Of a call of signers and destinations; what a busy machine takes is far from it.
const BUDGET: Duration = Duration::from_secs(2);

fn key(name: &str, algorithm: Algorithm) -> SigningKey {
    SigningKey::from_seed(name, algorithm, &[7; 32]).unwrap()
}

/// A directory that misbehaves, with a cosignature of nobody's where it is to give nonsense.
struct Far {
    act: Arc<Act>,
    kept: CheckpointDirectory,
}

impl Destination for Far {
    fn name(&self) -> &'static str {
        "far"
    }

    fn put(&self, checkpoint: &Note) -> io::Result<()> {
        match self.act.now() {
            How::Error => Err(io::Error::other("the line\u{1b}[2J is down")),
            _ => self.kept.put(checkpoint),
        }
    }

    fn cosign(
        &self,
        _: &Note,
        _: &dyn Fn(u64) -> io::Result<Vec<TreeHash>>,
    ) -> Option<io::Result<Note>> {
        let nonsense = || Note::new("another\n1\nnote\n".to_owned()).unwrap();
        (self.act.now() == How::Nonsense).then(|| Ok(nonsense()))
    }

    fn kept(&self, keys: &[VerifierKey]) -> io::Result<Vec<Note>> {
        match self.act.now() {
            How::Error => Err(io::Error::other("the line\u{1b}[2J is down")),
            _ => self.kept.kept(keys),
        }
    }
}

struct Line(Arc<Act>);

impl WitnessTransport for Line {
    fn send(&self, _: &[u8]) -> io::Result<TransportAnswer> {
        match self.0.now() {
            How::Error => Err(io::Error::other("no route")),
            How::Nonsense => Ok(TransportAnswer {
                status: u16::MAX,
                body: vec![0xFF; 1 << 20],
            }),
            _ => Ok(TransportAnswer {
                status: 503,
                body: b"come again".to_vec(),
            }),
        }
    }
}

struct Module {
    act: Arc<Act>,
    inner: SigningKey,
}

impl Signer for Module {
    fn key(&self) -> &VerifierKey {
        self.inner.key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Box<dyn std::error::Error + Send + Sync>> {
        match self.act.now() {
            How::Error => Err("no token".into()),
            How::Nonsense => Ok([0; 64]),
            _ => self.inner.sign(message),
        }
    }
}

struct Scene {
    cell: Cell,
    clock: Arc<ManualClock>,
    kept: tempfile::TempDir,
}

impl Scene {
    /// Signs on demand alone; `far` goes first, and a directory that works comes behind it.
    async fn new(
        signer: Arc<dyn Signer>,
        far: impl FnOnce(CheckpointDirectory) -> Vec<Arc<dyn Destination>>,
    ) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let mut destinations = far(CheckpointDirectory::new(kept.path().join("far")));
        destinations.push(Arc::new(CheckpointDirectory::new(kept.path().join("near"))));
        let mut signing = CheckpointOptions::new(signer, destinations);
        (signing.every_records, signing.every) = (0, Duration::ZERO);
        signing.budget = BUDGET;
        let clock = Arc::new(ManualClock::new(1_767_225_600_000_000_000));
        let cell = Cell::new(Options {
            checkpoints: Some(signing),
            clock: clock.clone(),
            ..options()
        });
        Self {
            cell: cell.await,
            clock,
            kept,
        }
    }

    fn copies_in(&self, name: &str) -> usize {
        let entries = std::fs::read_dir(self.kept.path().join(name));
        entries.map_or(0, Iterator::count)
    }

    /// What was tried and failed is left alone for a while, by the clock: that passes.
    async fn until_tried_again(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = tokio::time::Instant::now();
        while !is_so() {
            assert!(
                start.elapsed() < WAIT,
                "{what}: {:?}",
                self.cell.ledger.health()
            );
            self.clock.advance(Duration::from_secs(400));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn module(act: &Arc<Act>) -> Arc<dyn Signer> {
    let (act, inner) = (
        Arc::clone(act),
        key("ledger.example/log", Algorithm::Ed25519),
    );
    Arc::new(Module { act, inner })
}

async fn is_told_and_tried_again(how: How, cause: &str) {
    let act = Arc::new(Act::default());
    let far = |kept| {
        let act = Arc::clone(&act);
        vec![Arc::new(Far { act, kept }) as Arc<dyn Destination>]
    };
    let scene = Scene::new(module(&Arc::default()), far).await;
    let cell = &scene.cell;
    act.give(cell);
    cell.append().await;
    act.set(how);
    cell.root.checkpoint().await.unwrap();
    assert_eq!(scene.copies_in("near"), 1, "the other goes on");
    if how == How::Reenter {
        assert!(act.has_reentered());
        act.set(How::Well);
        cell.is_well().await;
        cell.root.close(WAIT).await.unwrap();
        return;
    }
    cell.names(&format!("destination far: {cause}")).await;
    let [far, near] = &cell.ledger.checkpoint_copies()[..] else {
        panic!("two destinations");
    };
    assert!(far.problem.contains(cause), "{far:?}");
    assert!(!far.problem.contains('\u{1b}'), "{far:?}");
    assert_eq!((far.size, near.problem.as_str()), (0, ""));
    cell.works().await;
    // The next checkpoint goes to the other again, and this one is still told of.
    cell.root.checkpoint().await.unwrap();
    assert_eq!(scene.copies_in("near"), 2);
    cell.names("destination far").await;
    act.set(How::Well);
    let copied = || scene.copies_in("far") > 0;
    scene.until_tried_again("copied", copied).await;
    cell.is_well().await;
    scene.cell.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_is_told_of_and_tried_again_and_the_others_go_on() {
    tokio::join!(
        is_told_and_tried_again(How::Panic, "it panicked: as the test wanted"),
        is_told_and_tried_again(How::Error, "the line [2J is down"),
        is_told_and_tried_again(How::Nonsense, "it gave back another note"),
        is_told_and_tried_again(How::Hang, "it has not come back"),
        is_told_and_tried_again(How::Reenter, ""),
    );
}

/// Asked at the opening what it has: the ledger opens all the same, says so, and asks again.
async fn opens_all_the_same(how: How, cause: &str) {
    let act = Arc::new(Act::default());
    act.set(how);
    let far = |kept| {
        let act = Arc::clone(&act);
        vec![Arc::new(Far { act, kept }) as Arc<dyn Destination>]
    };
    let scene = Scene::new(module(&Arc::default()), far).await;
    scene.cell.names(&format!("destination far: {cause}")).await;
    scene.cell.works().await;
    act.set(How::Well);
    let healthy = || scene.cell.ledger.health().healthy;
    scene.until_tried_again("read", healthy).await;
    scene.cell.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_cannot_be_read_keeps_no_opening() {
    tokio::join!(
        opens_all_the_same(How::Panic, "it panicked"),
        opens_all_the_same(How::Error, "the line [2J is down"),
        opens_all_the_same(How::Hang, "it has not come back"),
    );
}

async fn transport(how: How, cause: &str) {
    let act = Arc::new(Act::default());
    let witness = key("witness.example", Algorithm::CosignatureV1);
    let far = |_| {
        let line = Arc::new(Line(Arc::clone(&act)));
        let witness = WitnessDestination::new(witness.key().clone(), line);
        vec![Arc::new(witness) as Arc<dyn Destination>]
    };
    let scene = Scene::new(module(&Arc::default()), far).await;
    let cell = &scene.cell;
    act.give(cell);
    act.set(how);
    cell.append().await;
    cell.root.checkpoint().await.unwrap();
    assert_eq!(scene.copies_in("near"), 1, "the other goes on");
    cell.names(&format!("destination witness.example: {cause}"))
        .await;
    assert_eq!(act.has_reentered(), how == How::Reenter);
    let told = cell.ledger.checkpoint_copies();
    assert!(told[0].problem.contains(cause), "{told:?}");
    cell.works().await;
    act.set(How::Well);
    let asked = || {
        cell.ledger.checkpoint_copies()[0]
            .problem
            .contains("come again")
    };
    scene.until_tried_again("asked again", asked).await;
    cell.nothing_set_aside();
    cell.root.close(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transport_is_told_of_and_tried_again_and_the_others_go_on() {
    tokio::join!(
        transport(How::Panic, "its transport: it panicked"),
        transport(How::Error, "no route"),
        transport(
            How::Nonsense,
            "its transport gave an answer of 1048576 bytes"
        ),
        transport(How::Hang, "it has not come back"),
        transport(How::Reenter, "the witness does not cosign"),
    );
}

async fn signer(how: How, cause: &str) {
    let act = Arc::new(Act::default());
    let scene = Scene::new(module(&act), |_| Vec::new()).await;
    let cell = &scene.cell;
    act.give(cell);
    cell.append().await;
    act.set(how);
    let signed = cell.root.checkpoint().await;
    if how == How::Reenter {
        signed.unwrap();
        assert!(act.has_reentered());
        act.set(How::Well);
        cell.is_well().await;
        cell.root.close(WAIT).await.unwrap();
        return;
    }
    signed.unwrap_err();
    cell.names(&format!("signer ledger.example/log: {cause}"))
        .await;
    cell.works().await;
    assert_eq!(scene.copies_in("near"), 0, "nothing unsigned goes out");
    act.set(How::Well);
    // One that hung comes back in its own time.
    let start = tokio::time::Instant::now();
    while cell.root.checkpoint().await.is_err() {
        assert!(start.elapsed() < WAIT);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cell.is_well().await;
    assert_eq!(scene.copies_in("near"), 1);
    scene.cell.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signer_is_told_of_and_nothing_unsigned_goes_out() {
    tokio::join!(
        signer(How::Panic, "it panicked: as the test wanted"),
        signer(How::Error, "no token"),
        signer(How::Nonsense, "its own public key does not accept"),
        signer(How::Hang, "it has not come back"),
        signer(How::Reenter, ""),
    );
}
