// SPDX-License-Identifier: Apache-2.0
//! Records that are not what was written, though every file is what its checksum says.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::events::{LedgerId, Record};
use femtoclaw_ledger::integrity::Chain;
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::journal::{
    AppendFailure, Frame, FrameBuilder, FrameProblem, Frames, Head, Journal, MemoryJournal,
    NewRecord, ReadFailure,
};
use femtoclaw_ledger::{
    Context, Ledger, Options, Root, Seq,
    verify::{Verified, VerifyOptions, VerifyProgress},
};

use crate::scene::{options, until};
use crate::shared::{WAIT, everything, observation};

type Spoil = Box<dyn Fn(&Frame) -> Result<Frame, ReadFailure> + Send + Sync>;

/// Gives other frames than were appended, once told how.
#[derive(Default, Clone)]
pub(crate) struct Spoilt {
    pub(crate) inner: MemoryJournal,
    pub(crate) spoil: Arc<Mutex<Option<Spoil>>>,
    read: Arc<AtomicU64>,
}

impl Spoilt {
    fn spoilt(&self, frame: Frame) -> Result<Frame, ReadFailure> {
        self.read.fetch_add(1, Ordering::SeqCst);
        match &*self.spoil.lock().unwrap() {
            Some(spoil) => spoil(&frame),
            None => Ok(frame),
        }
    }
}

impl Journal for Spoilt {
    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        self.inner.append(frame, after)
    }

    fn head(&self) -> Result<Head, ReadFailure> {
        self.inner.head()
    }

    fn ledger(&self) -> Result<Option<LedgerId>, ReadFailure> {
        self.inner.ledger()
    }

    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        let frame = self.inner.frame_at(seq)?;
        frame.map(|frame| self.spoilt(frame)).transpose()
    }

    fn frames(&self, from: Seq) -> Frames {
        let (this, mut ended) = (self.clone(), false);
        // As a disk does: nothing behind the first failure.
        let frames = self.inner.frames(from).map_while(move |frame| {
            let frame = (!ended).then(|| frame.and_then(|frame| this.spoilt(frame)));
            ended = frame.as_ref().is_some_and(Result::is_err);
            frame
        });
        Box::new(frames)
    }

    fn close(&self) {
        self.inner.close();
    }

    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }
}

pub(crate) struct World {
    journal: Spoilt,
    ledger: Ledger,
    root: Root,
    _directory: tempfile::TempDir,
}

impl World {
    /// One record a frame, `records` of them at least.
    pub(crate) async fn new(records: u32) -> Self {
        let journal = Spoilt::default();
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            clock: Arc::new(ManualClock::new(1_000_000_000)),
            ..Options::default()
        };
        let given: Arc<dyn Journal> = Arc::new(journal.clone());
        let opened = Ledger::open_on(given, directory.path(), options).await;
        let (ledger, root) = opened.unwrap();
        let grant = everything(&root).await;
        let telemetry = ledger.telemetry(&grant).unwrap();
        for _ in 0..records {
            let observed = observation(Context::new(), "beat");
            telemetry.record(observed).await.unwrap();
        }
        ledger.at_least(ledger.head().seq).await.unwrap();
        Self {
            journal,
            ledger,
            root,
            _directory: directory,
        }
    }

    pub(crate) fn spoil(
        &self,
        spoil: impl Fn(&Frame) -> Result<Frame, ReadFailure> + Send + Sync + 'static,
    ) {
        *self.journal.spoil.lock().unwrap() = Some(Box::new(spoil));
    }

    pub(crate) async fn verify(&self) -> Verified {
        let verifying = self.ledger.verify(VerifyOptions::threads(3), |_| {});
        tokio::time::timeout(WAIT, verifying)
            .await
            .unwrap()
            .unwrap()
    }
}

/// The last byte of the frame with another value: of its last payload.
fn flipped(frame: &Frame) -> Frame {
    let mut bytes = frame.bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    Frame::decode(&bytes).unwrap()
}

pub(crate) fn seqs(verified: &Verified) -> Vec<u64> {
    let seqs = verified.damages.iter().filter_map(|damaged| damaged.seq);
    let mut seqs: Vec<_> = seqs.map(Seq::get).collect();
    seqs.sort_unstable();
    seqs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_damaged_record_is_named_and_the_first_one_is() {
    let world = World::new(3_000).await;
    let sound = world.verify().await;
    assert!(sound.is_sound(), "{:?}", sound.damages);
    assert_eq!((sound.head, sound.first_bad), (world.ledger.head(), None));
    assert!(sound.root.is_some() && sound.not_checked.is_empty());
    // In parts of their own, and two in a row; the last one and the first one.
    for bad in [
        vec![1_500],
        vec![7, 8, 1_024, 1_025, 2_900],
        vec![1, sound.head.count()],
    ] {
        let spoilt = bad.clone();
        world.spoil(
            move |frame| match spoilt.contains(&frame.last_seq().get()) {
                true => Ok(flipped(frame)),
                false => Ok(frame.clone()),
            },
        );
        let found = world.verify().await;
        assert_eq!(seqs(&found), bad);
        assert_eq!(found.first_bad.map(Seq::get), bad.first().copied());
        assert_eq!((found.root, found.frames), (None, sound.frames));
    }
}

/// Frames that cannot be read at all: everything around them is verified still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_named_and_what_lies_behind_it_is_verified() {
    let world = World::new(3_000).await;
    let head = world.ledger.head().count();
    let gone =
        move |seq: u64| (100..164).contains(&seq) || (1_020..1_030).contains(&seq) || seq == head;
    world.spoil(move |frame| match frame.last_seq().get() {
        seq if gone(seq) => Err(ReadFailure::Damaged {
            seq: frame.first,
            problem: FrameProblem::HeaderChecksum,
        }),
        2_000 => Ok(flipped(frame)),
        _ => Ok(frame.clone()),
    });
    let found = world.verify().await;
    // The second gap lies in two parts of the walk.
    assert_eq!(seqs(&found), [100, 1_020, 1_025, 2_000, head]);
    assert_eq!(found.first_bad.map(Seq::get), Some(100));
    let first = &found.damages[0];
    assert!(first.what.contains("up to record 163"), "{first}");
    assert_eq!(found.frames, head - 64 - 10 - 1);
}

/// What the medium does not answer is no damage, and is not passed over: it is named, with the medium's own words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_medium_does_not_answer_is_told_as_unread() {
    let world = World::new(200).await;
    world.spoil(move |frame| match frame.last_seq().get() {
        100 => Err(ReadFailure::Io {
            cause: "no answer, as the test wanted".into(),
        }),
        _ => Ok(frame.clone()),
    });
    let found = world.verify().await;
    assert!(found.damages.is_empty(), "{:?}", found.damages);
    assert!(!found.is_sound());
    let [unread] = found.unread.as_slice() else {
        panic!("{:?}", found.unread)
    };
    assert_eq!(unread.seq.map(Seq::get), Some(100));
    let told = unread.to_string();
    assert!(
        told.contains("record 100") && told.contains("no answer, as the test wanted"),
        "{told}"
    );
}

/// Another history under the same numbers, each frame of it flawless: the joints do not fit, the
/// tree is not the view's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_another_history_is_named() {
    let (world, other) = (World::new(2_100).await, World::new(2_100).await);
    let frames = other.journal.inner.clone();
    // Once within a part, once where one begins.
    for place in [500, 1_025] {
        let frames = frames.clone();
        world.spoil(move |frame| match frame.last_seq().get() == place {
            true => Ok(frames.frame_at(frame.first).unwrap().unwrap()),
            false => Ok(frame.clone()),
        });
        let found = world.verify().await;
        assert_eq!(
            found.first_bad.map(Seq::get),
            Some(place),
            "{:?}",
            found.damages
        );
        // And the one after it follows another.
        assert!(seqs(&found).contains(&(place + 1)), "{:?}", found.damages);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_answer_ends_the_work() {
    let world = World::new(3_000).await;
    let before = world.journal.read.load(Ordering::SeqCst);
    let (begun, dropped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let tell = {
        let (begun, dropped) = (Arc::clone(&begun), Arc::clone(&dropped));
        move |_: &VerifyProgress| {
            begun.fetch_add(1, Ordering::SeqCst);
            while dropped.load(Ordering::SeqCst) == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    };
    let ledger = world.ledger.clone();
    let verifying =
        tokio::spawn(async move { ledger.verify(VerifyOptions::threads(1), tell).await });
    until("it is at work", || begun.load(Ordering::SeqCst) > 0).await;
    verifying.abort();
    assert!(verifying.await.unwrap_err().is_cancelled());
    dropped.store(1, Ordering::SeqCst);
    // The work owns the callback: it has ended when nobody holds it any more.
    until("it has ended", || Arc::strong_count(&begun) == 1).await;
    let read = world.journal.read.load(Ordering::SeqCst) - before;
    assert!(read < 2_500, "{read} frames were read after all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_ledger_is_not_verified() {
    let world = World::new(1).await;
    world.root.close(WAIT).await.unwrap();
    let refused = world.ledger.verify(VerifyOptions::default(), |_| {}).await;
    assert_eq!(refused.unwrap_err().code(), "closed");
}

/// Everything is consistent, chain and commitments made anew: only what was signed before differs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewritten_history_contradicts_the_checkpoint_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(1_000_000_000));
    let journal = MemoryJournal::new();
    let given: Arc<dyn Journal> = Arc::new(journal.clone());
    let signing = options(&directory.path().join("kept"), &clock, |_| {});
    let place = directory.path().join("first");
    std::fs::create_dir(&place).unwrap();
    let (ledger, root) = Ledger::open_on(given, &place, signing).await.unwrap();
    let grant = everything(&root).await;
    let telemetry = ledger.telemetry(&grant).unwrap();
    let mut sizes = Vec::new();
    for round in 0..3 {
        for _ in 0..4 {
            let name = format!("beat {round}");
            telemetry
                .record(observation(Context::new(), &name))
                .await
                .unwrap();
        }
        let note = root.checkpoint().await.unwrap();
        sizes.push(Checkpoint::parse(note.text()).unwrap().size());
    }
    root.close(WAIT).await.unwrap();

    let (again, mut builder) = (MemoryJournal::new(), None);
    let (mut edited, mut after) = (0, Head::default());
    for frame in journal.reopen().frames(Seq::FIRST).map(Result::unwrap) {
        let ledger = frame.ledger;
        let new = || FrameBuilder::new(ledger, frame.epoch, Head::default());
        let builder: &mut FrameBuilder = builder.get_or_insert_with(new);
        for record in frame.records().map(Result::unwrap) {
            edited += u64::from(replace(&record, builder));
        }
        let frame = builder.take();
        again.append(&frame, &after).unwrap();
        after = frame.last;
    }
    assert_eq!(edited, 4);
    let given: Arc<dyn Journal> = Arc::new(again.reopen());
    let unsigned = Options {
        clock,
        ..Options::default()
    };
    let place = directory.path().join("again");
    std::fs::create_dir(&place).unwrap();
    let (ledger, _root) = Ledger::open_on(given, &place, unsigned).await.unwrap();
    ledger.at_least(ledger.head().seq).await.unwrap();
    let found = ledger
        .verify(VerifyOptions::threads(2), |_| {})
        .await
        .unwrap();
    // The first checkpoint holds; the edit lies behind it, before the second.
    assert_eq!(
        found.first_bad.map(Seq::get),
        Some(sizes[0] + 1),
        "{:?}",
        found.damages
    );
    assert!(found.checkpoints >= 3 && found.root.is_some());
    assert_eq!(seqs(&found).len(), found.damages.len());
}

/// Pushes the record as it is, or with another payload and all that follows from that.
fn replace(record: &Record, builder: &mut FrameBuilder) -> bool {
    let mut payload = record.content.as_ref().unwrap().payload.clone();
    let place = payload.windows(6).position(|found| found == b"beat 1");
    if let Some(at) = place {
        payload[at] = b'h';
    }
    builder.push(&with_payload(record, payload), record.header.time_ns);
    place.is_some()
}

/// The record with another payload, and what follows from that.
pub(crate) fn with_payload(record: &Record, payload: Vec<u8>) -> NewRecord {
    let (header, content) = (&record.header, record.content.as_ref().unwrap());
    let commitment = Chain::default().payload_commitment(&content.salt, &payload);
    NewRecord {
        event_type: header.event_type,
        revision: header.revision,
        flags: header.flags,
        outcome: header.outcome,
        stores: header.stores,
        component: header.component,
        stream: header.stream,
        stream_version: header.stream_version,
        execution: header.execution,
        parent: header.parent,
        trace: header.trace,
        subject: header.subject,
        observed_difference_ns: header.observed_difference_ns,
        command: header.command,
        command_digest: header.command_digest,
        commit_index: header.commit_index,
        commit_len: header.commit_len,
        salt: content.salt,
        commitment,
        payload,
    }
}
