// SPDX-License-Identifier: Apache-2.0
//! What others put where a ledger keeps its checkpoints, and two copies of one ledger that share it.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{Event, Seq};
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer, VerifierKey};
use femtoclaw_ledger::integrity::merkle::leaf_hash;
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{
    Context, Grant, Ledger, OpenError, Options, Root,
    checkpoint::{CheckpointDirectory, CheckpointError, CheckpointOptions, Destination},
};
use rustix::fs::{CWD, FileType, Mode, mknodat};

#[path = "shared/mod.rs"]
mod shared;

use shared::{everything, observation};

const NAME: &str = "ledger.example/destinations";

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(NAME, Algorithm::Ed25519, &[number; 32]).unwrap()
}

/// Ledgers beside each other, and one directory that takes the checkpoints of all.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn kept(&self, size: u64) -> PathBuf {
        self.path("kept").join(format!("{size:020}.checkpoint"))
    }

    async fn open(&self, name: &str) -> Result<(Ledger, Root, Grant), OpenError> {
        let kept = Arc::new(CheckpointDirectory::new(self.path("kept")));
        self.open_with(name, kept).await
    }

    async fn open_with(
        &self,
        name: &str,
        kept: Arc<dyn Destination>,
    ) -> Result<(Ledger, Root, Grant), OpenError> {
        let mut checkpoints = CheckpointOptions::new(Arc::new(key(1)), vec![kept]);
        checkpoints.every_records = 0;
        checkpoints.every = Duration::ZERO;
        let options = Options {
            checkpoints: Some(checkpoints),
            ..Options::default()
        };
        let (ledger, root) = Ledger::open(self.path(name), options).await?;
        let grant = everything(&root).await;
        Ok((ledger, root, grant))
    }

    /// Opens, records something, closes.
    async fn run(&self, name: &str) -> u64 {
        let (ledger, root, grant) = self.open(name).await.unwrap();
        record(&ledger, &grant, 3).await;
        let closed = root.close(Duration::from_secs(30)).await.unwrap();
        closed.head.count()
    }

    /// An older copy in the place of a ledger whose checkpoints are kept: where it ends, and the newest one.
    async fn rolled_back(&self) -> (u64, u64) {
        let older = self.run("ledger").await;
        copy(&self.path("ledger"), &self.path("older"));
        let newest = self.run("ledger").await;
        fs::rename(self.path("ledger"), self.path("newer")).unwrap();
        fs::rename(self.path("older"), self.path("ledger")).unwrap();
        (older, newest)
    }
}

async fn record(ledger: &Ledger, grant: &Grant, count: u32) {
    let telemetry = ledger.telemetry(grant).unwrap();
    for _ in 0..count {
        let observed = observation(Context::new(), "beat");
        telemetry.record(observed).await.unwrap();
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

fn signed(size: u64, by: &SigningKey) -> Note {
    let root = leaf_hash(&size.to_be_bytes());
    Checkpoint::new(NAME, size, root).unwrap().sign(by).unwrap()
}

/// Something that claims to be newer than everything, another thing each time.
fn put_junk(place: &Place, number: u64, genuine: &Path) {
    let size = 1_000_000 + number;
    let path = place.kept(size);
    match number % 10 {
        0 => fs::write(&path, signed(size, &key(66)).to_string()).unwrap(),
        1 => fs::write(&path, [0xff; 100]).unwrap(),
        // Genuine, older than what is put back, and of another size than its name says.
        2 => drop(fs::copy(genuine, &path).unwrap()),
        3 => symlink(genuine, &path).unwrap(),
        4 => mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
        5 => fs::create_dir(&path).unwrap(),
        6 => File::create(&path).unwrap().set_len(4 << 30).unwrap(),
        7 => {
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
        }
        8 => fs::write(place.path("kept").join(format!("{size}.checkpoint")), "x").unwrap(),
        _ => {
            let name = format!("{size:020}-{number:08x}.disputed");
            fs::write(place.path("kept").join(name), "x").unwrap();
        }
    }
}

#[tokio::test]
async fn junk_names_do_not_hide_the_newest_checkpoint() {
    for count in [40, 4_000] {
        let place = Place::new();
        let (older, newest) = place.rolled_back().await;
        let genuine = place.kept(older);
        assert!(genuine.exists(), "the close is signed");
        for number in 0..count {
            put_junk(&place, number, &genuine);
        }
        match place.open("ledger").await.err().unwrap() {
            OpenError::BehindCheckpoint { size, .. } => assert_eq!(size, newest, "{count}"),
            other => panic!("{count}: {other}"),
        }
        // Nothing is wrong with the one that was not put back.
        fs::rename(place.path("ledger"), place.path("older")).unwrap();
        fs::rename(place.path("newer"), place.path("ledger")).unwrap();
        place.run("ledger").await;
    }
}

/// What lies behind the bound is not taken for nothing.
#[tokio::test]
async fn more_junk_than_is_read_is_refused_until_it_is_taken_away() {
    let place = Place::new();
    let (_, newest) = place.rolled_back().await;
    let large = |place: &Place| {
        for number in 0..70 {
            let file = File::create(place.kept(1_000_000 + number)).unwrap();
            file.set_len(1_000_000).unwrap();
        }
    };
    let many = |place: &Place| {
        for number in 0..17_000 {
            File::create(place.kept(1_000_000 + number)).unwrap();
        }
    };
    for put in [&large as &dyn Fn(&Place), &many] {
        put(&place);
        let refused = place.open("ledger").await.err().unwrap();
        assert_eq!(refused.code(), "destination", "{refused}");
        for entry in fs::read_dir(place.path("kept")).unwrap() {
            let path = entry.unwrap().path();
            if fs::metadata(&path).unwrap().len() % 1_000_000 == 0 {
                fs::remove_file(path).unwrap();
            }
        }
    }
    match place.open("ledger").await.err().unwrap() {
        OpenError::BehindCheckpoint { size, .. } => assert_eq!(size, newest),
        other => panic!("{other}"),
    }
}

fn is_told(ledger: &Ledger) -> bool {
    let health = ledger.health();
    !health.healthy && health.cause.contains("a copy of this ledger signs too")
}

async fn recorded(ledger: &Ledger, grant: &Grant) -> bool {
    let reads = ledger.reader(grant).unwrap();
    for seq in 1..=ledger.head().count() {
        let found = reads.get(Seq::new(seq).unwrap()).await.unwrap().unwrap();
        if let Event::HealthChanged(changed) = found.event().unwrap()
            && changed.cause.contains("another history")
        {
            return true;
        }
    }
    false
}

/// The second one has signed far less than the first, whose newest checkpoints hide its own.
#[tokio::test]
async fn two_copies_that_sign_into_one_destination_are_both_told() {
    let place = Place::new();
    place.run("one").await;
    copy(&place.path("one"), &place.path("two"));
    let one = place.open("one").await.unwrap();
    let two = place.open("two").await.unwrap();
    for _ in 0..70 {
        record(&one.0, &one.2, 1).await;
        one.1.checkpoint().await.unwrap();
    }
    assert!(one.0.health().healthy);
    record(&two.0, &two.2, 1).await;
    for (ledger, root, grant) in [&two, &one] {
        let told = root.checkpoint().await;
        assert!(
            matches!(told, Err(CheckpointError::OtherHistory { .. })),
            "{told:?}"
        );
        // Nothing more is signed, and it is known why.
        let head = ledger.head().count();
        let again = root.checkpoint().await;
        assert_eq!(again.err(), told.err());
        assert!(is_told(ledger), "{:?}", ledger.health());
        record(ledger, grant, 1).await;
        assert!(recorded(ledger, grant).await && ledger.head().count() > head);
    }
    for (_, root, _) in [one, two] {
        root.close(Duration::from_secs(30)).await.unwrap();
    }
    for name in ["one", "two"] {
        let refused = place.open(name).await.err().unwrap();
        let codes = ["other_history", "behind_checkpoint"];
        assert!(codes.contains(&refused.code()), "{name}: {refused}");
    }
}

/// Gives back one note, whoever signed it.
struct Anybodys(Note);

impl Destination for Anybodys {
    fn name(&self) -> &str {
        "anybody's"
    }

    fn put(&self, _: &Note) -> std::io::Result<()> {
        Ok(())
    }

    fn kept(&self, _: &[VerifierKey]) -> std::io::Result<Vec<Note>> {
        Ok(vec![self.0.clone()])
    }
}

#[tokio::test]
async fn what_a_destination_gives_back_is_believed_by_its_signature_alone() {
    let place = Place::new();
    place.run("ledger").await;
    let strangers = Arc::new(Anybodys(signed(9_000, &key(66))));
    let (_, root, _) = place.open_with("ledger", strangers).await.unwrap();
    root.close(Duration::from_secs(30)).await.unwrap();
    let own = Arc::new(Anybodys(signed(9_000, &key(1))));
    let refused = place.open_with("ledger", own).await.err().unwrap();
    assert!(
        matches!(refused, OpenError::BehindCheckpoint { size: 9_000, .. }),
        "{refused}"
    );
}

/// One that is not there yet holds nothing; of one that cannot be read nobody knows what it holds.
#[test]
fn a_destination_that_cannot_be_read_is_an_error_and_not_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let keys = [key(1).key().clone()];
    let missing = CheckpointDirectory::new(directory.path().join("missing"));
    assert_eq!(missing.kept(&keys).unwrap(), []);
    let file = directory.path().join("file");
    fs::write(&file, "no directory").unwrap();
    let unreadable = CheckpointDirectory::new(&file).kept(&keys);
    assert_eq!(
        unreadable.unwrap_err().kind(),
        std::io::ErrorKind::NotADirectory
    );
}

#[test]
fn a_destination_gives_back_the_newest_and_what_is_disputed() {
    let place = Place::new();
    let kept = CheckpointDirectory::new(place.path("kept"));
    for size in 1..=70 {
        kept.put(&signed(size, &key(1))).unwrap();
    }
    kept.dispute(&signed(2, &key(1))).unwrap();
    kept.dispute(&signed(3, &key(66))).unwrap();
    let keys = [key(1).key().clone()];
    let found = kept.kept(&keys).unwrap();
    let size = |note: &Note| Checkpoint::parse(note.text()).unwrap().size();
    let mut sizes: Vec<_> = found.iter().map(size).collect();
    sizes.sort_unstable();
    let expected: Vec<_> = [2].into_iter().chain(7..=70).collect();
    assert_eq!(sizes, expected);
}
