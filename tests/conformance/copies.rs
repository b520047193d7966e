// SPDX-License-Identifier: Apache-2.0
//! Copies, and other formats: §22, §23, U2. There is no backup and no migration yet: what is shown is what they will
//! rest on.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{
    CommandId, ComponentId, Event, EventType, ExecutionId, Outcome, ParentId, StoreMask, StreamId,
    SubjectId, TraceId,
};
use femtoclaw_ledger::integrity::Chain;
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::integrity::merkle::verify_consistency;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::journal::{
    FjallJournal, Frame, FrameBuilder, FrameProblem, Journal, JournalOptions, NewRecord,
};
use femtoclaw_ledger::projections::ExecutionStatus;
use femtoclaw_ledger::{
    Ledger, OpenError, Options, ReadError, checkpoint::CheckpointOptions,
    directory::DIRECTORY_FORMAT, read_only::ReadOnlyOptions, salvage::SalvageOptions,
};

use crate::support::*;
use crate::tamper::{copy, exported, forge, frames, stored, tamper};

fn signing() -> Options {
    let key = SigningKey::from_seed("ledger.example/copies", Algorithm::Ed25519, &[1; 32]);
    let mut checkpoints = CheckpointOptions::new(Arc::new(key.unwrap()), Vec::new());
    checkpoints.every_records = 0;
    checkpoints.every = Duration::ZERO;
    Options {
        checkpoints: Some(checkpoints),
        ..Options::default()
    }
}

/// What is told of a ledger up to a record: all its bytes, and what its views answer.
async fn told(open: &Open, records: usize) -> (Vec<Vec<u8>>, Vec<u8>, u64, Vec<u64>) {
    open.ledger.at_least(open.ledger.head().seq).await.unwrap();
    let all = open.records().await;
    let configuration = open.ledger.configuration(&open.grant).unwrap();
    let current = configuration.current("limits").await.unwrap().unwrap();
    let metadata = open.ledger.runtime_metadata(&open.grant).unwrap();
    let mut counts = Vec::new();
    for status in [
        ExecutionStatus::Completed,
        ExecutionStatus::Denied,
        ExecutionStatus::Rejected,
    ] {
        counts.push(
            open.log()
                .executions()
                .status(status)
                .first(100)
                .await
                .unwrap()
                .len() as u64,
        );
    }
    (
        all[..records].iter().map(bytes).collect(),
        current.content,
        metadata.registry().await.unwrap().registry_version,
        counts,
    )
}

#[tokio::test]
async fn s22_1_a_copy_tells_the_same_and_has_the_same_root() {
    let (root, path) = place();
    let open = open_with(&path, signing()).await;
    open.sample().await;
    let before = open.root.checkpoint().await.unwrap();
    let signed = Checkpoint::parse(before.text()).unwrap();
    let records = usize::try_from(signed.size()).unwrap();
    let original = told(&open, records).await;
    assert!(
        original.3.iter().all(|count| *count > 0),
        "{:?}",
        original.3
    );
    let closed = open.root.close_at_once(WAIT).await.unwrap();
    drop(open);
    let elsewhere = root.path().join("elsewhere");
    copy(&path, &elsewhere);
    assert_eq!(frames(&elsewhere).pop().unwrap().last, closed.head);
    assert_eq!(exported(&elsewhere).head().unwrap(), closed.head);
    // The same root, by the copy's own tree, and the same answers, also where it makes its views anew.
    for views in [true, false] {
        if !views {
            std::fs::remove_dir_all(elsewhere.join("views")).unwrap();
        }
        let copied = open_with(&elsewhere, signing()).await;
        // What it was copied with is taken as it is.
        let aside = std::fs::read_dir(elsewhere.join("quarantine"));
        assert_eq!(aside.map_or(0, Iterator::count), 0, "views: {views}");
        let after = copied.root.checkpoint().await.unwrap();
        let proof = copied.ledger.prove_extension(&before, &after).await;
        let extended = Checkpoint::parse(after.text()).unwrap();
        let (old, new) = (
            (signed.size(), signed.root()),
            (extended.size(), extended.root()),
        );
        verify_consistency(old.0, old.1, new.0, new.1, &proof.unwrap()).unwrap();
        assert!(told(&copied, records).await == original, "views: {views}");
        if !views {
            copied.execute().await;
        }
        copied.close().await;
    }
    // The original is as it was.
    let open = open_with(&path, signing()).await;
    assert!(open.ledger.head().count() > closed.head.count());
    open.close().await;
}

#[tokio::test]
async fn s22_1_a_flipped_byte_anywhere_in_a_copy_is_refused_and_its_record_named() {
    let (root, path) = place();
    let open = open(&path).await;
    open.sample().await;
    open.close().await;
    let elsewhere = root.path().join("elsewhere");
    let all = frames(&path);
    for (number, frame) in all
        .iter()
        .enumerate()
        .step_by(3)
        .chain([(all.len() - 1, &all[all.len() - 1])])
    {
        drop(std::fs::remove_dir_all(&elsewhere));
        copy(&path, &elsewhere);
        // Another place in each.
        let at = (number * 7_919 + 11) % frame.bytes().len();
        tamper(&elsewhere, |stored| stored[number].1[at] ^= 0x20);
        let error = open_error(&elsewhere).await;
        let OpenError::Journal(ReadError::Damaged { seq, .. }) = &error else {
            panic!("byte {at} of frame {number}: {error}");
        };
        let of_frame = (frame.first.get()..=frame.last_seq().get()).contains(&seq.get());
        assert!(of_frame, "byte {at} of frame {number}: {error}");
    }
}

/// A record of a type that this software does not know.
fn later_event() -> NewRecord {
    let payload = b"whatever a later software writes".to_vec();
    NewRecord {
        event_type: EventType(0xF777),
        revision: 3,
        flags: 0,
        outcome: Outcome::Neutral,
        stores: StoreMask::ALL,
        component: ComponentId(1),
        stream: StreamId::NIL,
        stream_version: 0,
        execution: ExecutionId::NIL,
        parent: ParentId::NIL,
        trace: TraceId::NIL,
        subject: SubjectId::NIL,
        observed_difference_ns: 0,
        command: CommandId::from_bytes([1; 16]),
        command_digest: [0; 32],
        commit_index: 0,
        commit_len: 1,
        salt: [2; 16],
        commitment: Chain::default().payload_commitment(&[2; 16], &payload),
        payload,
    }
}

#[tokio::test]
async fn s23_1_later_events_stay_as_they_are() {
    let (_root, path) = place();
    let opened = open(&path).await;
    opened.sample().await;
    opened.close().await;
    // An event of a later software is kept, verified, and handed out unread.
    let journal = exported(&path);
    let head = journal.head().unwrap();
    // Behind a close its writer is another.
    let (ledger, epoch) = (journal.ledger().unwrap().unwrap(), head.epoch + 1);
    let mut builder = FrameBuilder::new(ledger, epoch, head);
    builder.push(&later_event(), head.time_ns);
    journal.append(&builder.finish(), &head).unwrap();
    let open = open_on(Arc::new(journal.reopen()), later(&clock())).await;
    let record = open.reads().get(head.next_seq()).await.unwrap().unwrap();
    assert_eq!(record.event().unwrap(), Event::Opaque);
    assert_eq!(record.payload(), Some(&*later_event().payload));
    open.execute().await;
}

/// Of newer software, which says that its record may not be skipped: not a byte is another afterwards, and all of it is read.
#[tokio::test]
async fn s23_1_behind_a_later_event_that_may_not_be_skipped_nothing_is_written() {
    let (_root, path) = place();
    let opened = open(&path).await;
    opened.sample().await;
    opened.close().await;
    let options = JournalOptions::default();
    let journal = FjallJournal::open(&path.join("journal"), &options).unwrap();
    let (ledger, head) = (journal.ledger().unwrap().unwrap(), journal.head().unwrap());
    let mut builder = FrameBuilder::new(ledger, head.epoch + 1, head);
    let event_type = EventType(0x7777);
    let later = NewRecord {
        event_type,
        ..later_event()
    };
    builder.push(&later, head.time_ns);
    journal.append(&builder.finish(), &head).unwrap();
    journal.close();
    let (at, before) = (head.next_seq(), contents(&path));
    match open_error(&path).await {
        OpenError::UnknownEvent {
            seq,
            event_type: found,
            revision,
            encrypted: false,
        } => assert_eq!((seq, found, revision), (at, event_type, 3)),
        other => panic!("{other}"),
    }
    assert!(contents(&path) == before, "a file was changed");
    let read = Ledger::open_read_only(&path, ReadOnlyOptions::default()).unwrap();
    let record = read.get(at).unwrap().unwrap();
    assert_eq!(record.event().unwrap(), Event::Opaque);
    assert_eq!(record.payload(), Some(&*later.payload));
    assert_eq!(read.summary().unwrap().unknown_event, Some(at));
}

/// By an opening and by one that only reads; not a byte is another afterwards.
#[tokio::test]
async fn s23_1_another_format_is_refused_and_left_untouched() {
    let (_root, path) = place();
    let opened = open(&path).await;
    opened.sample().await;
    opened.close().await;
    let identity = path.join("LEDGER");
    let good = std::fs::read_to_string(&identity).unwrap();
    for (format, code) in [
        (1, "format_too_old"),
        (2, "format_too_old"),
        (4, "format_too_new"),
        (99, "format_too_new"),
    ] {
        std::fs::write(
            &identity,
            good.replace("format 3", &format!("format {format}")),
        )
        .unwrap();
        let before = contents(&path);
        let error = open_error(&path).await;
        assert_eq!(error.code(), code, "{error}");
        assert!(
            error.to_string().contains(&format!("format {format}")),
            "{error}"
        );
        let error = Ledger::open_read_only(&path, ReadOnlyOptions::default())
            .err()
            .unwrap();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(contents(&path), before, "{format}");
    }
    std::fs::write(&identity, good).unwrap();
    open(&path).await.close().await;
}

/// A whole ledger of the format before, as its software left it.
#[tokio::test]
async fn s23_1_a_ledger_of_format_2_is_refused_and_left_untouched() {
    let (_root, path) = place();
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v2/store");
    copy(Path::new(kept), &path);
    restrict(&path);
    let before = contents(&path);
    assert!(before.len() > 5, "{}", before.len());
    for (found, opened) in [
        ("open", Ledger::open(&path, Options::default()).await.err()),
        (
            "read",
            Ledger::open_read_only(&path, ReadOnlyOptions::default()).err(),
        ),
    ] {
        let error = opened.unwrap_or_else(|| panic!("{found}: it is opened"));
        let is_named = matches!(
            error,
            OpenError::FormatTooOld {
                found: 2,
                supported: DIRECTORY_FORMAT
            }
        );
        assert!(
            is_named && error.code() == "format_too_old",
            "{found}: {error}"
        );
        assert_eq!(contents(&path), before, "{found}");
    }
    let to = path.with_file_name("salvaged");
    let salvage = Ledger::salvage(&path, &to, &SalvageOptions::default());
    assert!(salvage.is_err());
    assert_eq!(contents(&path), before);
    assert!(!to.exists());
    // Frame by frame as well.
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v2")).unwrap()
    {
        let entry = entry.unwrap().path();
        if entry.extension().is_some_and(|it| it == "bin") {
            let refused = Frame::decode(&std::fs::read(entry).unwrap());
            assert_eq!(refused, Err(FrameProblem::Version { found: 2 }));
        }
    }
}

/// With the rights that a ledger's files have.
fn restrict(path: &Path) {
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            restrict(&entry.unwrap().path());
        }
    }
}

/// Also where only the newest frame is of a later format: nothing before it is served as if it were all.
#[tokio::test]
async fn u2_a_frame_of_a_newer_format_is_refused_and_nothing_is_cut_off() {
    let (_root, path) = place();
    let opened = open(&path).await;
    opened.sample().await;
    opened.close().await;
    let last = frames(&path).pop().unwrap();
    tamper(&path, |stored| {
        let bytes = &mut stored.last_mut().unwrap().1;
        bytes[8] += 1;
        forge(bytes, last.count as usize);
    });
    let before = stored(&path);
    let error = open_error(&path).await;
    let OpenError::Journal(ReadError::Damaged { seq, .. }) = &error else {
        panic!("{error}");
    };
    assert!(
        (last.first.get()..=last.last.count()).contains(&seq.get()),
        "{error}"
    );
    assert!(error.to_string().contains("version"), "{error}");
    assert_eq!(stored(&path), before);
}

fn contents(path: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = files(path)
        .into_iter()
        .map(|file| (file.clone(), std::fs::read(file).unwrap()))
        .collect();
    all.sort();
    all
}

fn files(path: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}
