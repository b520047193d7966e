// SPDX-License-Identifier: Apache-2.0
//! The write-ahead log: a torn tail is kept and cut, all else is refused and left as it is.

use std::fs;

use femtoclaw_ledger::OpenError;
use femtoclaw_ledger::journal::{Journal, RecoveredJournal};

use crate::scene::{RECORDS, Scene, append, open};

/// File and offset that a refusal names.
fn place(error: &OpenError) -> (String, u64) {
    match error {
        OpenError::Damaged { path, offset, .. } => {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            (file, offset.unwrap())
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_clean_log_is_found_clean() {
    let scene = Scene::new(4);
    let found = scene.opens_with(4 * RECORDS);
    assert_eq!((found.log_files, found.log_batches), (1, 4));
    assert_eq!((found.torn, found.log_gap), (None, None));
    assert!(scene.quarantine().is_empty());
}

/// Cut anywhere in the last batch, with zeros after it or without: the frames before it are there,
/// the bytes of it are kept, and the journal goes on.
#[test]
fn a_tail_torn_at_any_byte_is_kept_and_cut() {
    let scene = Scene::new(3);
    let (written, batches) = (scene.written(), scene.batches());
    let (last, end) = (batches[2], batches[3]);
    assert_eq!(end, written.len());
    let step = ((end - last) / 40).max(1);
    for (number, cut) in (last + 1..end).step_by(step).enumerate() {
        scene.put(&written[..cut], if number % 2 == 0 { 0 } else { 5_000 });
        let found = scene.opens_with(2 * RECORDS);
        let torn = found.torn.unwrap();
        let used = written[..cut].iter().rposition(|byte| *byte != 0).unwrap() + 1;
        assert_eq!(
            (torn.offset, torn.bytes),
            (last as u64, (used - last) as u64)
        );
        assert_eq!(fs::read(&torn.kept).unwrap(), &written[last..used]);
    }
    let journal = open(&scene.path, 0).unwrap().journal;
    append(&journal, 2);
    journal.close();
    assert_eq!(scene.opens_with(4 * RECORDS).torn, None);
}

/// Sectors reach the medium in any order: the end of the last batch may be there without its
/// beginning or its middle.
#[test]
fn a_tail_with_holes_is_torn_too() {
    let scene = Scene::new(3);
    let (written, last) = (scene.written(), scene.batches()[2]);
    for sector in (last / 512..=written.len() / 512).map(|sector| sector * 512) {
        let mut bytes = written.clone();
        let hole = sector.max(last)..(sector + 512).min(bytes.len());
        if bytes[hole.clone()].iter().all(|byte| *byte == 0) {
            continue;
        }
        bytes[hole].fill(0);
        scene.put(&bytes, 4_096);
        let torn = scene.opens_with(2 * RECORDS).torn.unwrap();
        assert_eq!(torn.offset, last as u64, "hole at {sector}");
    }
}

/// Every byte of an earlier batch: the engine would drop what follows. It is refused with the
/// batch's place, or the next one's where the number of the batch went up.
#[test]
fn a_flip_before_whole_batches_is_refused_wherever_it_is() {
    let scene = Scene::new(3);
    let (written, batches) = (scene.written(), scene.batches());
    let (start, end) = (batches[1], batches[2]);
    // All of head and foot, some of the value between them.
    let value = start + 60..end - 20;
    let bytes = (start..end).filter(|at| !value.contains(at) || at % 97 == 0);
    for at in bytes {
        for bit in [0x01, 0x10, 0x80] {
            let mut bytes = written.clone();
            bytes[at] ^= bit;
            scene.put(&bytes, 100);
            let (file, offset) = place(&scene.refused(0));
            assert_eq!(file, "0.jnl");
            let is_number = (start + 5..start + 13).contains(&at);
            let named = [start as u64, end as u64];
            let named = if is_number { &named[..] } else { &named[..1] };
            assert!(named.contains(&offset), "byte {at} bit {bit:#x}: {offset}");
        }
    }
}

#[test]
fn a_zeroed_or_removed_part_before_whole_batches_is_refused() {
    let scene = Scene::new(4);
    let (written, batches) = (scene.written(), scene.batches());
    let mut zeroed = written.clone();
    zeroed[batches[1]..batches[2]].fill(0);
    scene.put(&zeroed, 0);
    assert_eq!(place(&scene.refused(0)).1, batches[1] as u64);
    // Half a batch is gone, the rest moved up.
    let mut short = written.clone();
    short.drain(batches[1] + 40..batches[2] - 40);
    scene.put(&short, 0);
    assert_eq!(place(&scene.refused(0)).1, batches[1] as u64);
    // Two batches changed places.
    let mut swapped = written[..batches[1]].to_vec();
    swapped.extend_from_slice(&written[batches[2]..batches[3]]);
    swapped.extend_from_slice(&written[batches[1]..batches[2]]);
    scene.put(&swapped, 0);
    assert_eq!(scene.refused(0).code(), "damaged");
}

/// A whole frame is missing and nothing in the log shows it: the journal itself does.
#[test]
fn a_missing_batch_is_missing_records() {
    let scene = Scene::new(4);
    let (written, batches) = (scene.written(), scene.batches());
    let mut without = written.clone();
    without.drain(batches[1]..batches[2]);
    scene.put(&without, 0);
    let journal = open(&scene.path, 0).unwrap().journal;
    let walked = journal.frames(crate::fixtures::seq(1)).last().unwrap();
    assert_eq!(walked.unwrap_err().code(), "damaged");
}

#[test]
fn what_looks_like_batches_within_a_torn_value_stands_in_nobodys_way() {
    let scene = Scene::new(2);
    let (written, last) = (scene.written(), scene.batches()[1]);
    // A torn batch whose value is a whole batch of this very log, and a later number.
    let mut inner = written[..last].to_vec();
    inner[5..13].copy_from_slice(&1_000_u64.to_le_bytes());
    let length = (inner.len() as u32 + 500).to_le_bytes();
    let mut torn = written[last..last + 13].to_vec();
    torn.extend_from_slice(&[2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    torn.extend_from_slice(&length);
    torn.extend_from_slice(&length);
    torn.extend_from_slice(&inner);
    let mut bytes = written[..last].to_vec();
    bytes.extend_from_slice(&torn);
    scene.put(&bytes, 10_000);
    let found = scene.opens_with(RECORDS);
    assert_eq!(found.torn.unwrap().bytes, torn.len() as u64);
}

#[test]
fn an_acknowledged_tail_is_not_cut() {
    let scene = Scene::new(3);
    let (written, batches) = (scene.written(), scene.batches());
    let mut bytes = written.clone();
    bytes[batches[2] + 100] ^= 4;
    scene.put(&bytes, 0);
    let error = scene.refused(3 * RECORDS);
    assert_eq!(error.code(), "acknowledged_records_missing", "{error}");
    // One record less was acknowledged: then it is what a crash may leave.
    let RecoveredJournal { journal, found } = open(&scene.path, 2 * RECORDS).unwrap();
    assert!(found.torn.is_some());
    journal.close();
    // And where the log is empty altogether.
    let scene = Scene::new(3);
    scene.put(&[], 0);
    let journal = open(&scene.path, 0).unwrap().journal;
    assert_eq!(journal.head().unwrap().count(), 0);
}

/// A new file is begun only when the old one is synced: what is torn then is damaged.
#[test]
fn a_torn_tail_with_a_whole_batch_in_a_later_file_is_refused() {
    let scene = Scene::new(3);
    let (written, batches) = (scene.written(), scene.batches());
    let next = scene.path.join("1.jnl");
    scene.put(&written[..batches[2] - 9], 0);
    fs::write(&next, &written[batches[2]..]).unwrap();
    assert_eq!(place(&scene.refused(0)).1, batches[1] as u64);
    // Nothing in the later file: a failed write can have left that.
    fs::write(&next, [0; 4_096]).unwrap();
    assert!(scene.opens_with(RECORDS).torn.is_some());
    // Whole, and in two files.
    let scene = Scene::new(3);
    scene.put(&written[..batches[2]], 70);
    fs::write(scene.path.join("1.jnl"), &written[batches[2]..]).unwrap();
    assert_eq!(scene.opens_with(3 * RECORDS).log_files, 2);
}

#[test]
fn a_log_file_that_is_none_is_refused() {
    for name in ["01.jnl", "x.jnl", "1.JNL"] {
        let scene = Scene::new(1);
        fs::write(scene.path.join(name), b"").unwrap();
        assert_eq!(scene.refused(0).code(), "damaged", "{name}");
    }
    // A directory, and a link to a file that would be one.
    let scene = Scene::new(1);
    let odd = scene.path.join("1.jnl");
    fs::create_dir(&odd).unwrap();
    assert_eq!(scene.refused(0).code(), "damaged");
    fs::remove_dir(&odd).unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(outside.path(), &odd).unwrap();
    assert_eq!(scene.refused(0).code(), "damaged");
}

/// Recovery that is cut short at each of its steps and begun again.
#[test]
fn a_repair_that_was_cut_short_is_done_again() {
    let scene = Scene::new(2);
    let (written, last) = (scene.written(), scene.batches()[1]);
    let torn = &written[..last + 50];
    scene.put(torn, 0);
    scene.opens_with(RECORDS);
    let kept = scene.quarantine();
    assert_eq!(kept.len(), 1);
    // Kept and not cut yet; half of it kept under a name that does not count.
    scene.put(torn, 0);
    fs::write(kept[0].with_extension("torn.creating"), b"half").unwrap();
    assert_eq!(scene.opens_with(RECORDS).torn.unwrap().kept, kept[0]);
    assert_eq!(scene.quarantine(), kept);
}
