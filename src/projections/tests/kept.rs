// SPDX-License-Identifier: Apache-2.0
//! What lies in segments stays: over kills, over merges, and for who reads it meanwhile.

use super::*;

/// 17 ranges: two of eight, and one.
const RECORDS: u64 = 17 * RANGE + 20;
const SEGMENTS: usize = 3;

fn killed_after_all(directory: &Path) -> Arc<Journal> {
    let journal = Journal::new(&records(RECORDS), 100);
    let opened = Opened::of(directory, &journal);
    for view in ["words", "others"] {
        opened.content(view, journal.head());
        until_stated(directory, view, SEGMENTS);
    }
    opened.killed();
    journal
}

/// No more than the range that had not ended is read again, and no view is made again.
#[test]
fn views_survive_a_kill_as_far_as_their_segments_go() {
    let directory = tempfile::tempdir().unwrap();
    let journal = killed_after_all(directory.path());
    let before = files(directory.path(), "words", ".segment");
    journal.read.store(0, Ordering::Relaxed);
    let opened = Opened::of(directory.path(), &journal);
    let position = opened.view("words").position();
    assert!(position >= 17 * RANGE, "{position}");
    for view in ["words", "others"] {
        assert_eq!(
            opened.content(view, journal.head()),
            expected(view, journal.head())
        );
    }
    assert_eq!((opened.set_aside().len(), opened.rebuilt()), (0, 0));
    let read = journal.read.load(Ordering::Relaxed) as u64;
    assert!(
        read <= 2 * (2 * RANGE + 10),
        "{read} records were read again"
    );
    opened.killed();
    assert_eq!(files(directory.path(), "words", ".segment"), before);
}

/// Names, bytes and digests are the same, however a view came to be: live or made again, and with what batches.
#[test]
fn a_view_that_is_made_again_lies_in_the_same_files() {
    let all = records(RECORDS);
    let mut made = Vec::new();
    for (step, appended) in [(7, 13), (1_000, usize::MAX), (64, 500), (3, usize::MAX)] {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::new(&[], step);
        // Where memory is short there are other files in between.
        let options = ViewsOptions {
            memtable_bytes: if step == 64 { 2_000 } else { 1 << 20 },
            ..ViewsOptions::default()
        };
        let opened = Opened::with(directory.path(), &journal, options);
        for records in all.chunks(appended.min(all.len())) {
            journal.append(records);
        }
        opened.content("words", journal.head());
        until_stated(directory.path(), "words", SEGMENTS);
        if step == 1_000 {
            opened.views.as_ref().unwrap().rebuild("words");
            until("it is made again", || opened.rebuilt() == 3);
            opened.content("words", journal.head());
            until_stated(directory.path(), "words", SEGMENTS);
        }
        opened.killed();
        let files = files(directory.path(), "words", ".segment");
        made.push((files, stated(directory.path(), "words")));
    }
    assert_eq!(made[0].0.len(), SEGMENTS);
    assert!(made.windows(2).all(|pair| pair[0] == pair[1]));
}

/// What others were merged into counts when a record states it: until then those are named, and there.
#[test]
fn nothing_is_named_or_removed_before_a_record_states_what_takes_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::new(&records(8 * RANGE + 10), 100);
    journal.vouch_for_ranges(Some(1));
    let opened = Opened::of(directory.path(), &journal);
    opened.content("words", journal.head());
    until("eight were merged", || journal.waiting() == 2);
    assert_eq!(stated(directory.path(), "words").len(), 8);
    assert_eq!(files(directory.path(), "words", ".segment").len(), 9);
    opened.killed();
    let opened = Opened::of(directory.path(), &journal);
    assert!(opened.view("words").position() >= 8 * RANGE);
    // An opening goes on with what is due, also where nothing is written.
    until("they are merged again", || journal.waiting() == 4);
    // The next segments are stated, and still the eight are named, not the one that was made of them.
    journal.append(&records(10 * RANGE + 10)[journal.head() as usize..]);
    let named = || stated(directory.path(), "words").len();
    until("the next is stated", || named() == 10);
    journal.vouch_for_ranges(None);
    until_stated(directory.path(), "words", 3);
    assert_eq!(
        opened.content("words", journal.head()),
        expected("words", journal.head())
    );
    assert_eq!((opened.set_aside().len(), opened.rebuilt()), (0, 0));
    opened.killed();
}

/// A range that no record states is in no manifest, is merged into nothing, and is read again.
#[test]
fn a_segment_that_nothing_states_is_neither_named_nor_merged() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::new(&records(8 * RANGE + 10), 100);
    journal.vouch_for_ranges(Some(0));
    let opened = Opened::of(directory.path(), &journal);
    opened.content("words", journal.head());
    until("eight wait", || journal.waiting() == 16);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(journal.waiting(), 16, "what nothing states was merged");
    assert_eq!(stated(directory.path(), "words"), []);
    opened.killed();
    let opened = Opened::of(directory.path(), &journal);
    assert_eq!(
        opened.content("words", journal.head()),
        expected("words", journal.head())
    );
    opened.killed();
}

/// A reader that began before a merge, or before the view was made again, finds its files as long as it reads.
#[test]
fn who_reads_finds_the_files_that_others_took_the_place_of() {
    let directory = tempfile::tempdir().unwrap();
    let all = records(8 * RANGE + 20);
    let journal = Journal::new(&records(7 * RANGE + 10), 100);
    let options = ViewsOptions {
        // Nothing stays in memory, and files are opened again and again.
        cache_bytes: 1,
        files_max: 1,
        ..ViewsOptions::default()
    };
    let opened = Opened::with(directory.path(), &journal, options);
    opened.content("words", journal.head());
    until_stated(directory.path(), "words", 7);
    let view = opened.view("words");
    let begun = view.position();
    let found = view.read(|snapshot| {
        journal.append(&all[begun as usize..]);
        until("eight became one", || {
            stated(directory.path(), "words")[0].1 >= 8 * RANGE
        });
        opened.views.as_ref().unwrap().rebuild("words");
        until("it is made again", || opened.rebuilt() == 3);
        let pairs: Result<BTreeMap<_, _>, _> = snapshot.scan(b"", b"").collect();
        pairs
    });
    assert_eq!(found.unwrap(), expected("words", begun));
    assert_eq!(
        opened.content("words", journal.head()),
        expected("words", journal.head())
    );
    assert_eq!(opened.set_aside(), [""; 0]);
    opened.killed();
    // What stayed for the reader goes with the next opening.
    let opened = Opened::of(directory.path(), &journal);
    assert_eq!(
        opened.content("words", journal.head()),
        expected("words", journal.head())
    );
    let generations = fs::read_dir(directory.path().join("views/words")).unwrap();
    assert_eq!(generations.count(), 2, "a manifest and one generation");
    opened.killed();
}

/// What a kill left half written, and what was spilled, is nobody's.
#[test]
fn files_that_no_manifest_names_go_with_the_next_opening() {
    let directory = tempfile::tempdir().unwrap();
    let journal = killed_after_all(directory.path());
    let segment = paths(&directory.path().join("views/words"), ".segment").remove(0);
    let generation = segment.parent().unwrap();
    for name in [
        "00000000000000000001-00000000000000000009.spill",
        "00000000000000009000-00000000000000009009.segment",
        "00000000000000009000-00000000000000009009.segment.creating",
    ] {
        fs::copy(&segment, generation.join(name)).unwrap();
    }
    let opened = Opened::of(directory.path(), &journal);
    assert_eq!(
        opened.content("words", journal.head()),
        expected("words", journal.head())
    );
    assert_eq!((opened.set_aside().len(), opened.rebuilt()), (0, 0));
    opened.killed();
    assert_eq!(fs::read_dir(generation).unwrap().count(), SEGMENTS);
}
