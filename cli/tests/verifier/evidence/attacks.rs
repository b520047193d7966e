// SPDX-License-Identifier: Apache-2.0
//! What somebody does to evidence who can write every byte of it, the checksum included.

use super::scene::{Scene, id_of, policy, signing};
use crate::shared::{World, command};
use crate::support::{ORIGIN, log_key};
use femtoclaw_ledger::events::Seq;
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::evidence::{Bundle, BundlePart};
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::merkle;
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::policy::Policy;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{ExecutionId, events::LedgerId, evidence::EvidenceOptions};
use sha2::{Digest, Sha256};

/// A bundle as its lines: what is before the records, the records, the note.
#[derive(Clone)]
pub(super) struct Forged {
    head: String,
    records: Vec<String>,
    note: String,
}

impl Forged {
    pub(super) fn of(file: &str) -> Self {
        let (lines, note) = file.split_once("\n\n").unwrap();
        let lines = lines.rsplit_once("checksum ").unwrap().0;
        let mut parts = lines.split("record ");
        Self {
            head: parts.next().unwrap().to_owned(),
            records: parts.map(|part| format!("record {part}")).collect(),
            note: note.to_owned(),
        }
    }

    /// The first such words in the head or in a record become others.
    pub(super) fn with(mut self, words: &str, others: &str) -> Self {
        let parts = std::iter::once(&mut self.head).chain(&mut self.records);
        let part = parts.into_iter().find(|part| part.contains(words)).unwrap();
        *part = part.replacen(words, others, 1);
        self
    }

    /// The file, with a checksum that fits.
    pub(super) fn file(&self) -> String {
        let lines = format!("{}{}", self.head, self.records.concat());
        let checksum = merkle::TreeHash::from_bytes(Sha256::digest(lines.as_bytes()).into());
        format!("{lines}checksum {checksum}\n\n{}", self.note)
    }

    fn says(mut self, stream: &str) -> Self {
        let line = self
            .head
            .lines()
            .find(|line| line.starts_with("stream "))
            .unwrap();
        self.head = self.head.replace(line, &format!("stream {stream}"));
        self
    }

    pub(super) fn refusal(&self) -> (BundlePart, String) {
        refusal(&self.file(), &policy())
    }
}

fn refusal(file: &str, policy: &Policy) -> (BundlePart, String) {
    let bundle = match Bundle::parse(file.as_bytes()) {
        Ok(bundle) => bundle,
        Err(error) => return (error.part().unwrap(), error.to_string()),
    };
    let error = bundle.verify(policy, None).unwrap_err();
    (error.part, format!("{error}: {}", error.problem))
}

#[tokio::test]
async fn the_forger_of_these_tests_makes_files_that_are_accepted_where_nothing_is_forged() {
    let scene = Scene::new().await;
    let file = scene.file("completed").await;
    assert_eq!(Forged::of(&file).file(), file);
}

#[tokio::test]
async fn a_record_left_out_anywhere_is_found() {
    let scene = Scene::new().await;
    let genuine = Forged::of(&scene.file("failed").await);
    for at in 0..5 {
        let mut forged = genuine.clone();
        forged.records.remove(at);
        let (part, text) = forged.clone().says("complete 5 failed").refusal();
        assert_eq!(part, BundlePart::Stream, "{at}: {text}");
        assert!(text.contains("of the stream"), "{at}: {text}");
    }
    // Without its end it is not complete, whatever is said.
    let mut forged = genuine.clone();
    forged.records.truncate(5);
    let (part, text) = forged.refusal();
    assert_eq!(part, BundlePart::Stream);
    assert!(text.contains("Open { records: 5 }"), "{text}");
    let (part, _) = forged.clone().says("complete 5 failed").refusal();
    assert_eq!(part, BundlePart::Stream);
    // Said honestly, it is a beginning, and shows no more than that.
    let honest = Bundle::parse(forged.says("open 5").file().as_bytes()).unwrap();
    assert_eq!(
        honest.verify(&policy(), None).unwrap().stream.to_string(),
        "open 5"
    );
}

#[tokio::test]
async fn records_swapped_repeated_or_of_another_execution_are_found() {
    let scene = Scene::new().await;
    let genuine = Forged::of(&scene.file("completed").await);
    let mut swapped = genuine.clone();
    swapped.records.swap(1, 2);
    let (part, text) = swapped.refusal();
    assert_eq!(part, BundlePart::Stream, "{text}");
    let mut repeated = genuine.clone();
    let second = repeated.records[1].clone();
    repeated.records.insert(2, second);
    assert_eq!(repeated.refusal().0, BundlePart::Stream);

    // A record of another execution, with its own good proof.
    let other = Forged::of(&scene.file("failed").await);
    let mut replayed = genuine.clone();
    replayed.records.push(other.records[5].clone());
    let (part, text) = replayed.refusal();
    assert!(matches!(part, BundlePart::Header(_)), "{text}");
    assert!(text.contains(&id_of("failed").to_string()), "{text}");

    // Its payload and salt under this one's header.
    let content = |record: &str| {
        let lines = record
            .lines()
            .filter(|it| it.starts_with("salt ") || it.starts_with("payload "));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let mut mixed = genuine.clone();
    let (own, strange) = (content(&mixed.records[1]), content(&other.records[0]));
    mixed.records[1] = mixed.records[1].replace(&own, &strange);
    assert!(matches!(mixed.refusal().0, BundlePart::Payload(_)));
}

#[tokio::test]
async fn another_checkpoint_is_found() {
    let scene = Scene::new().await;
    let file = scene.file("denied").await;
    scene.world.root.checkpoint().await.unwrap();
    let later = Forged::of(&scene.file("denied").await);
    let mut forged = Forged::of(&file);
    assert_ne!(forged.note, later.note);
    // Genuine, of the same ledger, and not the one that the proofs lead to.
    forged.note = later.note;
    assert!(matches!(forged.refusal().0, BundlePart::Proof(_)));
    // A made-up one over the same size.
    let size = 3;
    let made_up = Checkpoint::new(ORIGIN, size, merkle::leaf_hash(b"x")).unwrap();
    forged.note = made_up.sign(&log_key()).unwrap().to_string();
    assert!(matches!(forged.refusal().0, BundlePart::Proof(_)));
    // Signatures of the other one.
    let mut mixed = Forged::of(&file);
    let signature = forged.note.rsplit_once("\n\n").unwrap().1;
    let text = mixed.note.rsplit_once("\n\n").unwrap().0;
    mixed.note = format!("{text}\n\n{signature}");
    assert_eq!(mixed.refusal().0, BundlePart::Checkpoint);
    // One signature more, by a key that is not stated.
    let stranger = SigningKey::from_seed("stranger", Algorithm::Ed25519, &[5; 32]).unwrap();
    let mut note = Note::parse(Forged::of(&file).note.as_bytes()).unwrap();
    note.sign(&stranger).unwrap();
    let mut more = Forged::of(&file);
    more.note = note.to_string();
    assert_eq!(more.refusal().0, BundlePart::Key(2));
}

/// A whole ledger of the forger's own, with the origin's name and another key: everything in it fits, and nobody who
/// has the log's key from elsewhere accepts it.
#[tokio::test]
async fn a_forged_history_with_a_key_of_its_own_is_found() {
    let key = SigningKey::from_seed(ORIGIN, Algorithm::Ed25519, &[66; 32]).unwrap();
    let own = Policy::new(&[key.key().clone()], &[], 0).unwrap();
    let world = World::new(|options| {
        signing(options);
        options.checkpoints.as_mut().unwrap().signer = std::sync::Arc::new(key);
    })
    .await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let begun = log
        .begin(super::scene::asked(&world, "completed", 1))
        .await
        .unwrap();
    assert!(begun.is_started());
    let id = id_of("completed");
    log.complete(id, command(2), b"\"a lie\"".to_vec())
        .await
        .unwrap();
    let scene = Scene { world };
    scene.world.root.checkpoint().await.unwrap();
    let file = scene.file("completed").await;
    let bundle = Bundle::parse(file.as_bytes()).unwrap();
    assert!(bundle.verify(&own, None).is_ok(), "it is sound in itself");
    let (part, text) = refusal(&file, &policy());
    assert_eq!(part, BundlePart::Checkpoint, "{text}");
    // The forger names the true key as the signer's: then the signature is not by it.
    let stated = bundle.keys()[0].to_string();
    let file = file.replace(&stated, &log_key().key().to_string());
    let (part, text) = refusal(&Forged::of(&file).file(), &policy());
    assert_eq!(part, BundlePart::Checkpoint, "{text}");
}

#[tokio::test]
async fn another_execution_cannot_be_claimed() {
    let scene = Scene::new().await;
    let mut forged = Forged::of(&scene.file("denied").await);
    let other = ExecutionId::from_bytes([9; 16]).to_string();
    forged.head = forged.head.replace(&id_of("denied").to_string(), &other);
    assert_eq!(forged.refusal().0, BundlePart::Execution);
    // Withholding is open to everybody, and hides no record.
    let bundle = scene.evidence("denied", EvidenceOptions::default()).await;
    let bare = bundle.withhold(|_| true).to_string();
    assert!(
        Bundle::parse(bare.as_bytes())
            .unwrap()
            .verify(&policy(), None)
            .is_ok()
    );
}

/// The checksum fits, so what is left is the record that opened the ledger: it names whose it is.
#[tokio::test]
async fn another_ledger_cannot_be_claimed() {
    let scene = Scene::new().await;
    let genuine = Forged::of(&scene.file("denied").await);
    let (own, other) = ("1d".repeat(16), "1e".repeat(16));
    let forged = genuine.clone().with(&own, &other);
    let (part, text) = forged.refusal();
    assert_eq!(part, BundlePart::Ledger);
    assert!(text.contains(&own) && text.contains(&other), "{text}");

    // A ledger of that name, with the same key, and its opening: it is in another tree.
    let world = World::new(|options| {
        signing(options);
        options.ledger_id = Some(LedgerId::from_bytes([0x1e; 16]));
    })
    .await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let denied = super::scene::asked(&world, "running", 1);
    let _begun = log.begin(denied).await.unwrap();
    world.root.checkpoint().await.unwrap();
    let theirs = Forged::of(&Scene { world }.file("running").await);
    assert!(theirs.head.contains(&other));
    let (_, opening) = theirs.head.split_once("opened ").unwrap();
    let (opening, _) = opening.split_once("execution ").unwrap();
    let (_, replaced) = genuine.head.split_once("opened ").unwrap();
    let (replaced, _) = replaced.split_once("execution ").unwrap();
    let forged = forged.with(replaced, opening);
    let (part, text) = forged.refusal();
    assert_eq!(part, BundlePart::Proof(Seq::FIRST), "{text}");

    // A record of the same tree that opens nothing, with its own good proof.
    let (header, _) = genuine.records[0].split_once("salt ").unwrap();
    let (_, path) = genuine.records[0].split_once("\nhash ").unwrap();
    let record = header.replace("record ", "");
    let forged = genuine
        .clone()
        .with(replaced, &format!("{record}hash {path}"));
    let (part, text) = forged.refusal();
    assert_eq!(part, BundlePart::Opened, "{text}");
}
