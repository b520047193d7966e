// SPDX-License-Identifier: Apache-2.0
//! Records that somebody else than the writer put behind its last ones, cut off, or numbered anew:
//! whoever has the disk can make every digest anew, and has no key.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{ClockSkewedV1, Event, EventType, Record, Seq};
use femtoclaw_ledger::integrity::Chain;
use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::journal::{
    FjallJournal, FrameBuilder, Head, Journal, JournalOptions, MemoryJournal, NewRecord,
};
use femtoclaw_ledger::{
    Context, Ledger, OpenError, Options, Root,
    checkpoint::{CheckpointDirectory, CheckpointOptions},
    read_only::ReadOnlyOptions,
    salvage::SalvageOptions,
};

#[path = "shared/mod.rs"]
mod shared;

use shared::{everything, observation, released};

/// Of an opening's error and of a finding.
const CODE: &str = "records_after_close";

fn options(kept: Option<&Path>) -> Options {
    let checkpoints = kept.map(|kept| {
        let key = SigningKey::from_seed("ledger.example/appended", Algorithm::Ed25519, &[1; 32]);
        let kept = Arc::new(CheckpointDirectory::new(kept));
        let mut checkpoints = CheckpointOptions::new(Arc::new(key.unwrap()), vec![kept]);
        checkpoints.every_records = 0;
        checkpoints.every = Duration::ZERO;
        checkpoints
    });
    Options {
        checkpoints,
        ..Options::default()
    }
}

/// The same record once more, for a frame that is made anew.
fn again(record: &Record) -> NewRecord {
    let (header, content) = (&record.header, record.content.as_ref().unwrap());
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
        commitment: header.payload_commitment,
        payload: content.payload.clone(),
    }
}

/// A well-formed record that the ledger never wrote: every digest of it is right.
fn forged(like: &Record) -> NewRecord {
    let event = Event::from(ClockSkewedV1 {
        observed_ns: 1,
        expected_ns: 2,
        direction: 0,
    });
    let mut payload = Vec::new();
    event.encode_into(&mut payload);
    let kind = EventType::ClockSkewed;
    NewRecord {
        event_type: kind,
        revision: event.revision(),
        stores: kind.stores(),
        commitment: Chain::default()
            .payload_commitment(&like.content.as_ref().unwrap().salt, &payload),
        payload,
        ..again(like)
    }
}

fn append(journal: &dyn Journal, records: &[NewRecord]) {
    let head = journal.head().unwrap();
    let ledger = journal.ledger().unwrap().unwrap();
    let mut frame = FrameBuilder::new(ledger, head.epoch, head);
    for record in records {
        frame.push(record, head.time_ns);
    }
    journal.append(&frame.finish(), &head).unwrap();
}

/// One record of the ledger's own that has no stream.
fn sample(journal: &dyn Journal) -> Record {
    let frames = journal.frames(Seq::FIRST).map(Result::unwrap);
    let records: Vec<Record> = frames
        .flat_map(|frame| frame.records().map(Result::unwrap).collect::<Vec<_>>())
        .collect();
    let mut plain = records.into_iter();
    plain
        .find(|record| record.header.event_type == EventType::LedgerClosed)
        .unwrap_or_else(|| sample_of_any(journal))
}

fn sample_of_any(journal: &dyn Journal) -> Record {
    let head = journal.head().unwrap().seq.unwrap();
    let frame = journal.frame_at(head).unwrap().unwrap();
    frame.record(head).unwrap()
}

/// What a forger makes of a journal: all records that `keep` keeps, numbered anew, and some behind them.
fn rewritten(
    journal: &MemoryJournal,
    keep: impl Fn(&Record) -> bool,
    behind: &[NewRecord],
) -> MemoryJournal {
    let (copy, mut head) = (MemoryJournal::new(), Head::default());
    for frame in journal.reopen().frames(Seq::FIRST) {
        let frame = frame.unwrap();
        let mut made = FrameBuilder::new(frame.ledger, frame.epoch, head);
        let records: Vec<Record> = frame.records().map(Result::unwrap).collect();
        let kept: Vec<_> = records.iter().filter(|record| keep(record)).collect();
        if kept.is_empty() {
            continue;
        }
        for record in kept {
            made.push(&again(record), record.header.time_ns);
        }
        let made = made.finish();
        copy.append(&made, &head).unwrap();
        head = made.last;
    }
    if !behind.is_empty() {
        append(&copy, behind);
    }
    copy
}

struct Scene {
    directory: tempfile::TempDir,
    journal: MemoryJournal,
    views: u32,
}

impl Scene {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            journal: MemoryJournal::new(),
            views: 0,
        }
    }

    async fn open(
        &mut self,
        journal: &MemoryJournal,
        signed: bool,
    ) -> Result<(Ledger, Root), OpenError> {
        self.views += 1;
        let views = self.directory.path().join(format!("views-{}", self.views));
        std::fs::create_dir_all(&views).unwrap();
        let kept = self.directory.path().join("kept");
        let options = options(signed.then_some(&*kept));
        let opened = Ledger::open_on(Arc::new(journal.reopen()), &views, options).await;
        let (ledger, root) = opened?;
        let grant = everything(&root).await;
        let telemetry = ledger.telemetry(&grant).unwrap();
        for _ in 0..5 {
            let observed = observation(Context::new(), "beat");
            telemetry.record(observed).await.unwrap();
        }
        Ok((ledger, root))
    }

    /// A history that was closed, signed or not.
    async fn closed(signed: bool) -> Self {
        let mut scene = Self::new();
        let journal = scene.journal.clone();
        let (_ledger, root) = scene.open(&journal, signed).await.unwrap();
        root.close(Duration::from_secs(30)).await.unwrap();
        scene.journal = journal.reopen();
        scene
    }
}

/// On the disk: the anchor claims less, which is no sign of anything.
#[tokio::test]
async fn records_behind_a_close_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (_ledger, root) = Ledger::open(&path, options(None)).await.unwrap();
    let closed = root
        .close(Duration::from_secs(30))
        .await
        .unwrap()
        .head
        .count();
    // As it is, it opens, and what is written then is behind the close too.
    let (_ledger, root) = Ledger::open(&path, options(None)).await.unwrap();
    let end = root
        .close(Duration::from_secs(30))
        .await
        .unwrap()
        .head
        .count();
    assert!(end > closed);
    let sound = Ledger::open_read_only(&path, ReadOnlyOptions::default()).unwrap();
    assert_eq!(sound.summary().unwrap().after_close, None);
    drop(sound);

    let journal = FjallJournal::open(&path.join("journal"), &JournalOptions::default()).unwrap();
    let forged = forged(&sample(&journal));
    append(&journal, &[forged.clone(), forged]);
    journal.close();
    drop(journal);
    match Ledger::open(&path, options(None)).await.err().unwrap() {
        OpenError::RecordsAfterClose { closed, found } => {
            assert_eq!((closed.get(), found.get()), (end, end + 1));
        }
        other => panic!("{other}"),
    }
    let read = Ledger::open_read_only(&path, ReadOnlyOptions::default()).unwrap();
    let found = read.summary().unwrap().after_close;
    assert_eq!(found, Seq::new(end + 1));
    // It is damage like any other, and no part of the history.
    assert!(read.is_damaged());
    let finding = read.findings().iter().find(|it| it.kind.code() == CODE);
    assert_eq!(finding.unwrap().records, Some(end + 1..=end + 2));
    assert_eq!(read.verified().count(), end);
    assert_eq!(read.head().count(), end + 2);
    drop(read);
}

/// What verifies is copied, and what somebody appended set aside: the new ledger opens.
#[tokio::test]
async fn a_salvage_leaves_behind_what_lies_behind_a_close() {
    let directory = tempfile::tempdir().unwrap();
    let (path, to) = (
        directory.path().join("ledger"),
        directory.path().join("new"),
    );
    let (_ledger, root) = Ledger::open(&path, options(None)).await.unwrap();
    let closed = root.close(Duration::from_secs(30)).await.unwrap();
    let end = closed.head.count();
    let journal = FjallJournal::open(&path.join("journal"), &JournalOptions::default()).unwrap();
    let forged = forged(&sample(&journal));
    append(&journal, &[forged]);
    journal.close();
    drop(journal);
    let salvaged = Ledger::salvage(&path, &to, &SalvageOptions::default()).unwrap();
    assert_eq!((salvaged.through, salvaged.aside), (closed.head, 1));
    let (stop, why) = (salvaged.first_lost.unwrap(), salvaged.because);
    assert_eq!(stop, end + 1);
    assert!(why.contains("closed the ledger"), "{why}");
    let found = salvaged.findings.iter().any(|it| it.kind.code() == CODE);
    assert!(found, "{:?}", salvaged.findings);
    let (_ledger, root) = Ledger::open(&to, options(None)).await.unwrap();
    root.close(Duration::from_secs(30)).await.unwrap();
}

/// The close is signed with what comes before it: without it there is less than was signed, and with
/// others in its place another history.
#[tokio::test]
async fn a_close_that_was_cut_off_is_missed() {
    let mut scene = Scene::closed(true).await;
    let end = scene.journal.head().unwrap().count();
    let journal = scene.journal.clone();
    let forged = forged(&sample(&journal));
    for cut in [1, 4] {
        for behind in [0, 9] {
            let behind = vec![forged.clone(); behind];
            let copy = rewritten(&journal, |it| it.header.seq.get() <= end - cut, &behind);
            let refused = scene.open(&copy, true).await.err();
            let refused = refused.expect("refused");
            let codes = ["behind_checkpoint", "other_history"];
            assert!(codes.contains(&refused.code()), "{cut}: {refused}");
        }
    }
    scene.open(&journal, true).await.unwrap();
}

#[tokio::test]
async fn a_record_taken_out_with_all_others_numbered_anew_is_missed() {
    let mut scene = Scene::closed(true).await;
    let journal = scene.journal.clone();
    let beat = |record: &Record| record.header.event_type == EventType::TelemetryRecorded;
    let frames = journal.frames(Seq::FIRST).map(Result::unwrap);
    let mut all = frames.flat_map(|it| it.records().map(Result::unwrap).collect::<Vec<_>>());
    let taken = all.find(beat).unwrap().header.seq;
    let shorter = rewritten(&journal, |it| it.header.seq != taken, &[]);
    let refused = scene.open(&shorter, true).await.expect_err("refused");
    let codes = ["behind_checkpoint", "other_history"];
    assert!(codes.contains(&refused.code()), "{refused}");
    // Filled up again, as long as it was: another history.
    let telemetry = again(&sample_at(&journal, taken));
    let close = journal.head().unwrap().count();
    let longer = rewritten(
        &journal,
        |it| it.header.seq != taken && it.header.seq.get() != close,
        &[telemetry.clone(), telemetry],
    );
    let refused = scene.open(&longer, true).await.expect_err("refused");
    assert_eq!(refused.code(), "other_history", "{refused}");
    // Whoever keeps no checkpoint elsewhere sees nothing: it is a history like any other.
    scene.open(&shorter, false).await.unwrap();
}

fn sample_at(journal: &MemoryJournal, seq: Seq) -> Record {
    let frame = journal.frame_at(seq).unwrap().unwrap();
    frame.record(seq).unwrap()
}

/// A note needs no key: it says what it says, in nobody's name, and in one line.
#[tokio::test]
async fn a_forged_note_does_not_speak_for_the_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (_ledger, root) = Ledger::open(&path, options(None)).await.unwrap();
    root.close(Duration::from_secs(30)).await.unwrap();
    let said = format!("7\nall is well\u{1b}[2J\u{202e}\n{}\n", "x".repeat(50_000));
    let digest = femtoclaw_ledger::integrity::digest(said.as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let note = format!("{said}checksum {digest}\n");
    std::fs::write(path.join("failure.note"), note).unwrap();
    let (ledger, root) = Ledger::open(&path, options(None)).await.unwrap();
    let grant = everything(&root).await;
    let reads = ledger.reader(&grant).unwrap();
    let mut causes = Vec::new();
    for seq in 1..=ledger.head().count() {
        let found = reads.get(Seq::new(seq).unwrap()).await.unwrap().unwrap();
        if let Event::StorageFailed(failed) = found.event().unwrap() {
            causes.push(failed.cause);
        }
    }
    let [cause] = &causes[..] else {
        panic!("{causes:?}");
    };
    assert!(
        cause
            .starts_with("a note beside the journal, which nothing vouches for, says: all is well")
    );
    assert!(
        !cause
            .chars()
            .any(femtoclaw_ledger::integrity::text::is_deceptive)
    );
    assert!(cause.chars().count() < 1_200, "{}", cause.len());
    root.close(Duration::from_secs(30)).await.unwrap();
}

/// What stays possible, so that nobody believes otherwise: behind the last checkpoint of a writer that
/// was killed anything well-formed can be put, and the next checkpoint signs it.
#[tokio::test]
async fn behind_the_last_checkpoint_of_a_killed_writer_nothing_shows() {
    let mut scene = Scene::new();
    let journal = scene.journal.clone();
    let (ledger, root) = scene.open(&journal, true).await.unwrap();
    root.checkpoint().await.unwrap();
    drop((ledger, root));
    released(&scene.directory.path().join("views-1")).await;
    let forged = forged(&sample(&journal.reopen()));
    append(&journal.reopen(), &[forged]);
    scene.open(&journal, true).await.unwrap();
}
