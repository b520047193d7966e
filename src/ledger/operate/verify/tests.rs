// SPDX-License-Identifier: Apache-2.0
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use super::*;
use crate::events::{CommandId, Event, HealthChangedV1, LedgerClosedV1, LedgerId, Seq};
use crate::held::{FailedClaim, FailingClaims};
use crate::integrity::Chain;
use crate::journal::{
    ANCHOR_SLOT_LEN, Anchor, Anchored, Anchoring, FjallJournal, FrameBuilder, Head, Journal,
    JournalOptions, MemoryJournal, NewRecord,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Frames of these epochs; `true` closes the ledger.
fn journal(frames: &[(u64, bool)]) -> MemoryJournal {
    let (journal, mut head) = (MemoryJournal::new(), Head::default());
    for (epoch, closes) in frames {
        let event: Event = match closes {
            true => LedgerClosedV1 { running: 0 }.into(),
            false => HealthChangedV1 {
                healthy: true,
                cause: "a test".into(),
            }
            .into(),
        };
        let mut record = NewRecord::of(&event);
        record.command = CommandId::from_bytes([1; 16]);
        record.commitment = Chain::default().payload_commitment(&record.salt, &record.payload);
        let ledger = LedgerId::from_bytes([7; 16]);
        let mut builder = FrameBuilder::new(ledger, *epoch, head);
        builder.push(&record, 1);
        let frame = builder.finish();
        journal.append(&frame, &head).unwrap();
        head = frame.last;
    }
    journal
}

fn in_directory(anchored: Anchored<MemoryJournal>, root: &Path, ledger: LedgerId) -> Subject {
    Subject {
        head: anchored.head().unwrap(),
        journal: Arc::new(anchored),
        views: Vec::new(),
        tree: None,
        place: Some(OpenDirectory {
            root: root.to_owned(),
            ledger,
            inode: None,
        }),
    }
}

fn damages(journal: &MemoryJournal, threads: usize) -> Vec<(u64, String)> {
    let subject = Subject {
        head: journal.head().unwrap(),
        journal: Arc::new(journal.clone()),
        views: Vec::new(),
        tree: None,
        place: None,
    };
    let options = VerifyOptions::threads(threads);
    let verified = verify(&subject, &options, &|_| {}, &Arc::default()).unwrap();
    let damages = verified.damages.into_iter();
    damages.map(|it| (it.seq.unwrap().get(), it.what)).collect()
}

/// Also where the close and what lies behind it are read by different threads.
#[test]
fn records_behind_a_close_are_damage() {
    let mut frames = vec![(1, false); 3];
    frames.push((1, true));
    frames.extend(vec![(2, false); 2_000]);
    assert_eq!(damages(&journal(&frames), 2), []);
    for behind in [1, 2_000] {
        let mut frames = vec![(1, false); 1_023];
        frames.push((1, true));
        frames.extend(vec![(1, false); behind]);
        frames.push((2, false));
        let what = "record 1025 lies behind record 1024, with which its writer closed the ledger";
        for threads in [1, 2] {
            assert_eq!(damages(&journal(&frames), threads), [(1_025, what.into())]);
        }
    }
}

/// A claim that could not be written whole has sealed the ledger: that its slot is torn is no damage, and
/// that the other one is not whole either is.
#[test]
fn the_slot_of_a_claim_that_failed_is_no_damage_and_the_other_one_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ANCHOR");
    let ledger = LedgerId::from_bytes([7; 16]);
    Anchor::create(&path, ledger, &Head::default(), 0).unwrap();
    let (anchor, claims) = FailingClaims::anchor(&path);
    claims.fail_next(FailedClaim::Torn);
    let anchored = Anchored::open(MemoryJournal::new(), anchor, Anchoring::Pipelined).unwrap();
    // One of two at the latest waits for the claim.
    let frames = journal(&[(1, false), (1, false)]);
    let mut frames = frames.frames(Seq::FIRST);
    let failed = frames.any(|frame| {
        let head = anchored.head().unwrap();
        anchored.append(&frame.unwrap(), &head).is_err()
    });
    assert!(failed);
    let subject = in_directory(anchored, directory.path(), ledger);
    let slots = || {
        let options = VerifyOptions::threads(1);
        let verified = verify(&subject, &options, &|_| {}, &Arc::default()).unwrap();
        let offsets = |found: Vec<Damaged>| -> Vec<u64> {
            let of_anchor = found.into_iter().filter(|it| it.path == path);
            of_anchor.map(|it| it.offset.unwrap()).collect()
        };
        (offsets(verified.damages), offsets(verified.unfinished))
    };
    let (damaged, unfinished) = slots();
    assert_eq!((damaged.len(), unfinished.len()), (0, 1));
    let other = ANCHOR_SLOT_LEN as u64 - unfinished[0];
    let mut bytes = fs::read(&path).unwrap();
    bytes[other as usize + 100] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(slots(), (vec![other], unfinished));
}

/// What the log held when it was looked at is damaged where it cannot be read any more; a file that the engine has
/// removed meanwhile is not.
#[test]
fn a_log_that_lost_its_last_frame_meanwhile_is_damaged_and_a_removed_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let on_disk = FjallJournal::open(&path, &JournalOptions::default()).unwrap();
    let frames = journal(&[(1, false), (1, false)]);
    for frame in frames.frames(Seq::FIRST) {
        let head = on_disk.head().unwrap();
        on_disk.append(&frame.unwrap(), &head).unwrap();
    }
    drop(on_disk);
    let inspection = crate::database::look_through(&path, None);
    let told = |head| files::log_end(&inspection, head).map(|it| it.place());
    let log = path.join("0.jnl");
    assert_eq!(told(2), None);
    assert_eq!(told(3).map(|(file, _)| file), Some(log.clone()));
    let used = inspection.wal.last().unwrap().1.last_value.0;
    let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(used + 10).unwrap();
    assert_eq!(told(2).map(|(file, _)| file), Some(log.clone()));
    fs::remove_file(&log).unwrap();
    assert_eq!(told(2), None);
}

/// Where no claim is under way and none has failed, a slot that is not whole is damaged, whichever it is.
#[test]
fn a_damaged_slot_is_not_taken_for_a_claim_that_is_being_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ANCHOR");
    let ledger = LedgerId::from_bytes([7; 16]);
    Anchor::create(&path, ledger, &Head::default(), 0).unwrap();
    let anchor = Anchor::open(&path).unwrap();
    let each = Anchoring::BeforeEveryAnswer;
    let anchored = Anchored::open(MemoryJournal::new(), anchor, each).unwrap();
    for frame in journal(&[(1, false), (1, false), (1, false)]).frames(Seq::FIRST) {
        let head = anchored.head().unwrap();
        anchored.append(&frame.unwrap(), &head).unwrap();
    }
    let subject = in_directory(anchored, directory.path(), ledger);
    let whole = fs::read(&path).unwrap();
    for slot in [0, ANCHOR_SLOT_LEN] {
        let mut bytes = whole.clone();
        bytes[slot + 100] ^= 1;
        fs::write(&path, bytes).unwrap();
        let options = VerifyOptions::threads(1);
        let verified = verify(&subject, &options, &|_| {}, &Arc::default()).unwrap();
        let of_anchor = verified.damages.iter().filter(|it| it.path == path);
        let damaged: Vec<_> = of_anchor.map(|it| it.offset).collect();
        assert_eq!(damaged, [Some(slot as u64)]);
        assert!(verified.unfinished.is_empty(), "{slot}");
    }
}
