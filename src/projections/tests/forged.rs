// SPDX-License-Identifier: Apache-2.0
//! Files that somebody wrote well, and that no record of the journal vouches for: never answered from.

use super::*;
use crate::projections::segments::{
    Layer, Op, Run, Segment, SegmentCache, SegmentWriter, merge_into,
};

const RECORDS: u64 = 3 * RANGE + 20;

/// Closed as a kill does it, with three segments of each view.
fn killed(directory: &Path) -> Arc<Journal> {
    let journal = Journal::new(&records(RECORDS), 100);
    let opened = Opened::of(directory, &journal);
    for view in ["words", "others"] {
        opened.content(view, journal.head());
        until_stated(directory, view, 3);
    }
    opened.killed();
    journal
}

/// The next opening sets the view aside, and each answer that it gives is right.
fn refused(directory: &Path, journal: &Arc<Journal>, what: &str) {
    let opened = Opened::of(directory, journal);
    for view in ["words", "others"] {
        let found = opened.content(view, journal.head());
        assert!(found == expected(view, journal.head()), "{what}: {view}");
    }
    let aside = opened.set_aside();
    assert_eq!(aside.len(), 1, "{what}: {aside:?}");
    opened.killed();
}

fn digest_of(entry: &serde_json::Value) -> [u8; 32] {
    let mut digest = [0; 32];
    base16ct::lower::decode(entry["digest"].as_str().unwrap(), &mut digest).unwrap();
    digest
}

/// Writes the view's first segment anew, with this done to a key of it, and a manifest that names its digest.
fn forge(directory: &Path, key: &[u8], value: Option<&[u8]>) {
    let path = paths(&directory.join("views/words"), ".segment").remove(0);
    let mut manifest = manifest(directory, "words");
    let cache = SegmentCache::new(1 << 20, 10);
    let segment = Segment::open(&path, &digest_of(&manifest["segments"][0]), &cache).unwrap();
    let segment = Arc::new(segment);
    assert!(segment.get(key).unwrap().is_some());
    let change = match value {
        Some(value) => Op::Put(value.to_vec()),
        None => Op::Delete,
    };
    let change = Run::build([(key, change.as_ref())]);
    let forged = path.with_extension("forged");
    let mut writer = SegmentWriter::create(&forged, segment.head().clone()).unwrap();
    let layers = [Layer::Memory(Arc::new(change)), Layer::File(segment)];
    merge_into(&layers, &mut writer, true).unwrap();
    let digest = writer.finish().unwrap().digest;
    fs::rename(&forged, &path).unwrap();
    let digest = base16ct::lower::encode_string(&digest);
    manifest["segments"][0]["digest"] = digest.into();
    write(directory, "words", &manifest);
}

fn write(directory: &Path, view: &str, manifest: &serde_json::Value) {
    let text = serde_json::to_vec_pretty(manifest).unwrap();
    fs::write(manifest_path(directory, view), text).unwrap();
}

/// A command entry that is gone would let a command run twice; a document that is another would be served.
#[test]
fn an_entry_that_was_removed_or_changed_is_never_answered_from() {
    for value in [None, Some(&b"forged"[..])] {
        let directory = tempfile::tempdir().unwrap();
        let journal = killed(directory.path());
        forge(directory.path(), &key("each", 2), value);
        let aside = Opened::of(directory.path(), &journal);
        let view = aside.view("words");
        until("it has an answer", || view.get(&key("each", 2)).is_ok());
        let found = view.get(&key("each", 2)).unwrap();
        assert_eq!(found.unwrap(), b"words of record 2");
        let causes = aside.set_aside();
        assert_eq!(causes.len(), 1);
        assert!(causes[0].contains("does not vouch for it"), "{causes:?}");
        aside.killed();
    }
}

/// Every line of a manifest that says something else than what a record states.
#[test]
fn a_manifest_that_says_what_no_record_states_is_never_answered_from() {
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 7] = [
        ("another digest", |it| {
            let other = it["segments"][1]["digest"].clone();
            it["segments"][0]["digest"] = other;
        }),
        ("another record", |it| {
            it["segments"][0]["vouched_by"] = 2.into()
        }),
        ("nobody", |it| it["segments"][0]["vouched_by"] = 0.into()),
        ("a longer range", |it| {
            let last = it["segments"][1]["last_seq"].clone();
            it["segments"][0]["last_seq"] = last;
            it["segments"].as_array_mut().unwrap().remove(1);
        }),
        ("a shorter range", |it| {
            let last = it["segments"][0]["last_seq"].as_u64().unwrap();
            it["segments"][0]["last_seq"] = (last - 1).into();
            it["segments"][1]["first_seq"] = last.into();
        }),
        ("a gap", |it| {
            it["segments"].as_array_mut().unwrap().remove(1);
        }),
        ("another format", |it| it["format"] = 9.into()),
    ];
    for (what, change) in changes {
        let directory = tempfile::tempdir().unwrap();
        let journal = killed(directory.path());
        let mut manifest = manifest(directory.path(), "words");
        change(&mut manifest);
        write(directory.path(), "words", &manifest);
        refused(directory.path(), &journal, what);
    }
}

/// Files that are whole, in the place of others.
#[test]
fn a_segment_in_the_place_of_another_is_never_answered_from() {
    let directory = tempfile::tempdir().unwrap();
    let journal = killed(directory.path());
    let of = |view: &str| paths(&directory.path().join("views").join(view), ".segment");
    let (words, others) = (of("words"), of("others"));
    // Of another view, which a record vouches for too; then of another range.
    for from in [&others[0], &words[1]] {
        fs::copy(from, &words[0]).unwrap();
        refused(directory.path(), &journal, &from.display().to_string());
        let opened = Opened::of(directory.path(), &journal);
        opened.content("words", journal.head());
        until_stated(directory.path(), "words", 3);
        opened.killed();
    }
    // With its manifest too: what vouches for it says of which view it is.
    let manifest = manifest(directory.path(), "others");
    for (from, to) in of("others").iter().zip(of("words")) {
        fs::copy(from, to).unwrap();
    }
    write(directory.path(), "words", &manifest);
    refused(directory.path(), &journal, "all of another view");
}

/// An older manifest is a shorter history of the same: the rest is read again; one whose files are gone is damage.
#[test]
fn an_older_manifest_costs_what_it_does_not_name() {
    let directory = tempfile::tempdir().unwrap();
    let all = records(8 * RANGE + 20);
    let journal = Journal::new(&records(3 * RANGE + 20), 100);
    let opened = Opened::of(directory.path(), &journal);
    opened.content("words", journal.head());
    until_stated(directory.path(), "words", 3);
    let three = manifest(directory.path(), "words");
    journal.append(&all[journal.head() as usize..records(4 * RANGE + 20).len()]);
    opened.content("words", journal.head());
    until_stated(directory.path(), "words", 4);
    opened.killed();
    write(directory.path(), "words", &three);
    let opened = Opened::of(directory.path(), &journal);
    assert!(opened.view("words").position() >= 3 * RANGE);
    assert_eq!(
        opened.content("words", journal.head()),
        expected("words", journal.head())
    );
    assert_eq!((opened.set_aside().len(), opened.rebuilt()), (0, 0));
    journal.append(&all[journal.head() as usize..]);
    opened.content("words", journal.head());
    until_stated(directory.path(), "words", 1);
    opened.killed();
    write(directory.path(), "words", &three);
    let opened = Opened::of(directory.path(), &journal);
    assert_eq!(
        opened.content("words", journal.head()),
        expected("words", journal.head())
    );
    assert_eq!(opened.set_aside().len(), 1);
    opened.killed();
}

/// What stands in a file is compared with its digests also while it is open: a byte of any part.
#[test]
fn a_byte_that_changes_while_a_view_is_open_is_never_answered_from() {
    let directory = tempfile::tempdir().unwrap();
    let journal = killed(directory.path());
    let path = paths(&directory.path().join("views/words"), ".segment").remove(0);
    let whole = fs::read(&path).unwrap();
    for at in (8..whole.len() - 300).step_by(whole.len() / 5) {
        // Nothing stays in memory but the root.
        let options = ViewsOptions {
            cache_bytes: 1,
            ..ViewsOptions::default()
        };
        let opened = Opened::with(directory.path(), &journal, options);
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(&path, bytes).unwrap();
        let view = opened.view("words");
        until("each answer is right", || {
            let pairs = view.scan(b"", usize::MAX);
            let position = view.position();
            pairs.is_ok_and(|pairs| {
                position == journal.head() && {
                    let pairs: BTreeMap<_, _> = pairs.into_iter().collect();
                    assert!(pairs == expected("words", journal.head()), "byte {at}");
                    true
                }
            })
        });
        assert_eq!(opened.set_aside().len(), 1, "byte {at}");
        until_stated(directory.path(), "words", 3);
        opened.killed();
        assert_eq!(fs::read(&path).unwrap(), whole, "made again as it was");
    }
}
