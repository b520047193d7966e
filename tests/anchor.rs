// SPDX-License-Identifier: Apache-2.0
//! The anchor: it claims what is durable, one frame behind at most, and a journal that does not
//! hold what it claims is not opened.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::journal::{
    ANCHOR_SLOT_LEN, Anchor, Anchored, Anchoring, FrameBuilder, Head, Journal, MemoryJournal,
};
use femtoclaw_ledger::{Ledger, OpenError, Options, Quota, Rights, Root, Seq, operation::Recovery};

#[path = "shared/held.rs"]
mod held;

use held::{FailedSync, HeldJournal};

#[path = "journal/fixtures.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod fixtures;

use fixtures::{LEDGER, frame, record, time};

const WAIT: Duration = Duration::from_secs(60);

fn claimed(path: &Path) -> u64 {
    Anchor::open(path).unwrap().claim().count()
}

/// Until the anchor claims this record; a claim never falls.
fn until_claimed(path: &Path, seq: u64) {
    let mut last = 0;
    for _ in 0..60_000 {
        let now = claimed(path);
        assert!(last <= now && now <= seq, "{last}, then {now}");
        if now == seq {
            return;
        }
        last = now;
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("the anchor stays at {last}, before {seq}");
}

struct Place {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

fn anchor() -> (Place, Anchor) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ANCHOR");
    Anchor::create(&path, LEDGER, &Head::default(), 0).unwrap();
    let anchor = Anchor::open(&path).unwrap();
    let place = Place {
        _directory: directory,
        path,
    };
    (place, anchor)
}

fn held(anchoring: Anchoring) -> (Place, Arc<HeldJournal<MemoryJournal>>, Arc<dyn Journal>) {
    let (place, anchor) = anchor();
    let journal = Arc::new(HeldJournal::new(MemoryJournal::new()));
    let anchored = Anchored::open(Arc::clone(&journal), anchor, anchoring).unwrap();
    (place, journal, Arc::new(anchored))
}

#[test]
fn the_last_frame_is_claimed_soon_when_nothing_follows() {
    let (place, _, journal) = held(Anchoring::Pipelined);
    let first = frame(Head::default(), 3);
    journal.append(&first, &Head::default()).unwrap();
    until_claimed(&place.path, 3);
    journal.append(&frame(first.last, 2), &first.last).unwrap();
    journal.close();
    let anchor = Anchor::open(&place.path).unwrap();
    let claim = *anchor.claim();
    assert_eq!((claim.count(), claim.frames, claim.ledger), (5, 2, LEDGER));
    assert!(!anchor.slot_lost());
}

/// The claim of frame k is written while frame k + 1 stands at its sync, and nothing beyond it.
#[test]
fn a_frame_under_way_is_not_claimed_and_the_one_before_is() {
    let (place, hooks, journal) = held(Anchoring::Pipelined);
    let first = frame(Head::default(), 3);
    journal.append(&first, &Head::default()).unwrap();
    hooks.hold();
    let appending = Arc::clone(&journal);
    let second = frame(first.last, 2);
    let thread = std::thread::spawn(move || appending.append(&second, &first.last));
    assert!(hooks.wait_until_held(WAIT));
    // That no claim goes beyond it: `a_frame_that_failed_is_never_claimed`.
    until_claimed(&place.path, 3);
    hooks.release();
    thread.join().unwrap().unwrap();
    until_claimed(&place.path, 5);
}

#[test]
fn a_frame_that_failed_is_never_claimed() {
    for how in [FailedSync::NotPersisted, FailedSync::Persisted] {
        let (place, hooks, journal) = held(Anchoring::Pipelined);
        let first = frame(Head::default(), 3);
        journal.append(&first, &Head::default()).unwrap();
        hooks.fail_next(how);
        let failure = journal.append(&frame(first.last, 2), &first.last);
        assert_eq!(failure.unwrap_err().code(), "outcome_unknown");
        journal.close();
        assert_eq!(claimed(&place.path), 3);
    }
}

#[test]
fn before_every_answer_means_before_the_append_returns() {
    let (place, _, journal) = held(Anchoring::BeforeEveryAnswer);
    let mut head = Head::default();
    for _ in 0..20 {
        let next = frame(head, 1);
        journal.append(&next, &head).unwrap();
        head = next.last;
        assert_eq!(claimed(&place.path), head.count());
    }
}

#[test]
fn a_journal_with_another_end_is_not_the_one_that_was_acknowledged() {
    let (place, _, journal) = held(Anchoring::Pipelined);
    let first = frame(Head::default(), 3);
    journal.append(&first, &Head::default()).unwrap();
    journal.close();
    let open = |frames: &[_]| {
        let other = MemoryJournal::new();
        for frame in frames {
            other.append(frame, &other.head().unwrap()).unwrap();
        }
        let anchor = Anchor::open(&place.path).unwrap();
        Anchored::open(other, anchor, Anchoring::Pipelined).err()
    };
    let missing = |error: Option<OpenError>| match error.unwrap() {
        OpenError::AcknowledgedRecordsMissing {
            anchored,
            recovered,
        } => (anchored.get(), recovered.map_or(0, Seq::get)),
        other => panic!("{other}"),
    };
    assert!(open(&[frame(Head::default(), 3)]).is_none());
    assert_eq!(missing(open(&[])), (3, 0));
    assert_eq!(missing(open(&[frame(Head::default(), 2)])), (3, 2));
    // The same length, another history: and one that goes on from there.
    let mut other = FrameBuilder::new(LEDGER, 1, Head::default());
    for number in 1..=4 {
        other.push(&record(number + number / 3), time(number));
    }
    assert_eq!(missing(open(&[other.finish()])), (3, 3));
}

/// Every byte of the file: the newest claim, or the one before, or none; never a wrong one.
#[test]
fn a_flip_anywhere_is_noticed_and_costs_one_claim_at_most() {
    let (place, mut anchor) = anchor();
    anchor.write(&frame(Head::default(), 3).last, 1).unwrap();
    anchor.write(&frame(Head::default(), 5).last, 2).unwrap();
    let whole = fs::read(&place.path).unwrap();
    assert_eq!(whole.len(), 2 * ANCHOR_SLOT_LEN);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&place.path, bytes).unwrap();
        let found = Anchor::open(&place.path).unwrap();
        // Three claims have been written before: the newest lies in the second slot.
        let expected = if at < ANCHOR_SLOT_LEN { 5 } else { 3 };
        assert_eq!(
            (found.claim().count(), found.slot_lost()),
            (expected, true),
            "{at}"
        );
    }
    for length in [0, 1, ANCHOR_SLOT_LEN - 1] {
        fs::write(&place.path, &whole[..length]).unwrap();
        assert_eq!(Anchor::open(&place.path).unwrap_err().code(), "anchor");
    }
    // A lost slot is the next to be written.
    let mut bytes = whole.clone();
    bytes[ANCHOR_SLOT_LEN..].fill(0);
    fs::write(&place.path, bytes).unwrap();
    let mut anchor = Anchor::open(&place.path).unwrap();
    anchor.write(&frame(Head::default(), 7).last, 3).unwrap();
    let anchor = Anchor::open(&place.path).unwrap();
    assert_eq!((anchor.claim().count(), anchor.slot_lost()), (7, false));
}

async fn open(path: &Path, change: impl FnOnce(&mut Options)) -> Result<(Ledger, Root), OpenError> {
    let mut options = Options::default();
    change(&mut options);
    Ledger::open(path, options).await
}

/// A closed ledger in `path` with some records; gives its head.
async fn made(path: &Path) -> u64 {
    let (_, root) = Ledger::open(path, Options::default()).await.unwrap();
    for name in ["one", "two", "three"] {
        root.grant(name, Rights::all(), Quota::default())
            .await
            .unwrap();
    }
    let closed = root.close(WAIT).await.unwrap();
    assert_eq!(claimed(&path.join("ANCHOR")), closed.head.count());
    closed.head.count()
}

fn recovery(ledger: &Ledger) -> Recovery {
    ledger.recovery().unwrap().clone()
}

fn state(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(state(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

/// Refused with this code, and nothing was changed.
async fn refused(path: &Path, code: &str) {
    let before = state(path);
    let error = open(path, |_| {}).await.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    // The process id is not what was kept there.
    let kept = |state: Vec<(PathBuf, Vec<u8>)>| -> Vec<_> {
        let kept = state.into_iter();
        kept.filter(|(path, _)| !path.ends_with("LOCK")).collect()
    };
    assert!(kept(state(path)) == kept(before), "{error}");
}

#[tokio::test]
async fn a_log_cut_before_what_was_acknowledged_is_refused_until_somebody_accepts_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let head = made(&path).await;
    let log = path.join("journal/0.jnl");
    let bytes = fs::read(&log).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    fs::write(&log, &bytes[..used - 20]).unwrap();
    refused(&path, "acknowledged_records_missing").await;
    let (ledger, root) = open(&path, |options| options.renew_anchor = true)
        .await
        .unwrap();
    let found = recovery(&ledger);
    assert_eq!(found.anchored, Seq::new(head));
    assert!(found.recovered < Seq::new(head) && found.found.torn.is_some());
    assert!(
        found
            .anchor_renewed
            .unwrap()
            .contains("acknowledged records are missing")
    );
    root.close(WAIT).await.unwrap();
    assert!(path.join("quarantine/ANCHOR-1").exists());
    // From here on it is a ledger like any other.
    let (ledger, _root) = open(&path, |_| {}).await.unwrap();
    assert!(!recovery(&ledger).is_notable());
}

#[tokio::test]
async fn a_ledger_without_its_anchor_or_journal_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let head = made(&path).await;
    let anchor = fs::read(path.join("ANCHOR")).unwrap();
    fs::remove_file(path.join("ANCHOR")).unwrap();
    refused(&path, "anchor").await;
    fs::write(path.join("ANCHOR"), vec![0; anchor.len()]).unwrap();
    refused(&path, "anchor").await;
    fs::write(path.join("ANCHOR"), &anchor).unwrap();
    fs::rename(path.join("journal"), path.join("gone")).unwrap();
    refused(&path, "acknowledged_records_missing").await;
    // Nor is a new journal begun in its place, whoever asks.
    let error = open(&path, |options| options.renew_anchor = true).await;
    assert_eq!(error.unwrap_err().code(), "acknowledged_records_missing");
    fs::remove_file(path.join("ANCHOR")).unwrap();
    let error = open(&path, |options| options.renew_anchor = true).await;
    assert_eq!(error.unwrap_err().code(), "anchor");
    fs::rename(path.join("gone"), path.join("journal")).unwrap();
    let (ledger, _root) = open(&path, |options| options.renew_anchor = true)
        .await
        .unwrap();
    assert_eq!(recovery(&ledger).recovered, Seq::new(head));
}

#[tokio::test]
async fn a_lost_slot_is_reported_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let head = made(&path).await;
    let mut bytes = fs::read(path.join("ANCHOR")).unwrap();
    let newest = Anchor::open(&path.join("ANCHOR"))
        .unwrap()
        .claim()
        .generation
        % 2;
    bytes[newest as usize * ANCHOR_SLOT_LEN + 30] ^= 1;
    fs::write(path.join("ANCHOR"), &bytes).unwrap();
    let (ledger, _root) = open(&path, |_| {}).await.unwrap();
    let found = recovery(&ledger);
    assert!(found.anchor_slot_lost && found.anchored.unwrap().get() < head);
    assert_eq!(found.recovered, Seq::new(head));
    assert_eq!(fs::read(path.join("quarantine/ANCHOR-1")).unwrap(), bytes);
}

#[tokio::test]
async fn an_anchor_of_another_ledger_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    made(&one).await;
    made(&two).await;
    fs::copy(two.join("ANCHOR"), one.join("ANCHOR")).unwrap();
    refused(&one, "anchor").await;
    // The journal of another ledger, with its anchor: the identity differs.
    fs::rename(one.join("journal"), one.join("own")).unwrap();
    fs::rename(two.join("journal"), one.join("journal")).unwrap();
    refused(&one, "anchor").await;
}

#[tokio::test]
async fn what_was_never_finished_is_swept_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    made(&path).await;
    fs::create_dir_all(path.join("views.creating/keyspaces")).unwrap();
    fs::create_dir(path.join("quarantine")).unwrap();
    fs::write(path.join("quarantine/wal-0-1-ab.torn.creating"), b"x").unwrap();
    fs::write(path.join("ANCHOR.creating"), b"x").unwrap();
    let (ledger, _root) = open(&path, |_| {}).await.unwrap();
    assert_eq!(recovery(&ledger).swept.len(), 3);
    assert!(
        state(&path)
            .iter()
            .all(|(path, _)| !path.to_string_lossy().contains("creating"))
    );
}
