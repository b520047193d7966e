// SPDX-License-Identifier: Apache-2.0
//! Files that are not those that were written.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::block::{DataBlock, Interval};
use super::super::index::{IndexNode, SegmentRoot};
use super::super::*;
use super::{file, write};
use crate::events::Hash;

type Said = Vec<(Vec<u8>, Op)>;

/// Three blocks, the one in the middle of one long entry.
fn entries() -> Said {
    let key = |it: u32| format!("key/{it:06}").into_bytes();
    let mut entries: Said = (0..120)
        .map(|it| (key(it), Op::New(it.to_le_bytes().repeat(3).clone())))
        .collect();
    entries.insert(
        60,
        (b"key/000059/long".to_vec(), Op::Put(vec![9; 17 << 10])),
    );
    entries
}

/// All that can be asked of a file, against what was written. The first error where there is one.
fn ask(path: &Path, digest: &Hash, entries: &Said) -> Result<(), SegmentError> {
    let cache = SegmentCache::new(1 << 20, 4);
    let segment = Arc::new(Segment::open(path, digest, &cache)?);
    assert_eq!(segment.head(), &super::head());
    for (key, op) in entries.iter().step_by(7) {
        assert_eq!(segment.get(key)?.as_ref(), Some(op));
    }
    let layers = [Layer::File(segment.clone())];
    for direction in [Direction::Ascending, Direction::Descending] {
        let mut found: Said = merge(&layers, b"", None, direction).collect::<Result<_, _>>()?;
        if direction == Direction::Descending {
            found.reverse();
        }
        assert_eq!(&found, entries);
    }
    segment.check(&mut |_| true)
}

fn damaged_at(found: Result<(), SegmentError>, path: &Path) -> u64 {
    match found {
        Err(SegmentError::Damaged {
            path: of, offset, ..
        }) if of == path => offset,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_changed_byte_is_damage_at_its_part() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("segment");
    let entries = entries();
    let lent = entries.iter().map(|(key, op)| (&key[..], op.as_ref()));
    let Finished { digest, bytes, .. } = write(&path, lent);
    ask(&path, &digest, &entries).unwrap();
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len() as u64, bytes);
    // In the midst of the long value not each byte is tried.
    let is_tried = |at: &usize| at.is_multiple_of(97) || *at < 3_000 || *at + 3_000 > whole.len();
    for at in (0..whole.len()).filter(is_tried) {
        let mut edited = whole.clone();
        edited[at] ^= 1 << (at % 8);
        fs::write(&path, edited).unwrap();
        let offset = damaged_at(ask(&path, &digest, &entries), &path);
        let near = offset <= at as u64 || bytes - offset <= 24;
        assert!(near, "byte {at}: {offset}");
    }
    for longer in [&[0][..], &whole] {
        fs::write(&path, [&whole, longer].concat()).unwrap();
        let opened = ask(&path, &digest, &entries);
        damaged_at(opened, &path);
    }
}

#[test]
fn a_file_of_each_shorter_length_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("segment");
    let entries = entries();
    let lent = entries.iter().map(|(key, op)| (&key[..], op.as_ref()));
    let Finished { digest, bytes, .. } = write(&path, lent);
    let cache = SegmentCache::new(1 << 20, 4);
    let open = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for length in (0..bytes).rev() {
        open.set_len(length).unwrap();
        let opened = Segment::open(&path, &digest, &cache);
        damaged_at(opened.map(drop), &path);
    }
    fs::remove_file(&path).unwrap();
    damaged_at(Segment::open(&path, &digest, &cache).map(drop), &path);
    fs::create_dir(&path).unwrap();
    damaged_at(Segment::open(&path, &digest, &cache).map(drop), &path);
    assert_eq!(cache.files(), 0);
}

/// While it is open too: a file is closed to make room and opened again, and each part is compared when it is read.
#[test]
fn a_file_in_the_place_of_another_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two, three] = ["one", "two", "three"].map(|name| directory.path().join(name));
    let cache = SegmentCache::new(0, 1);
    let mut others = entries();
    others[3].1 = Op::Delete;
    let (first, second) = (file(&one, &entries(), &cache), file(&two, &others, &cache));
    let key = &others[3].0;
    fs::rename(&one, &three).unwrap();
    fs::rename(&two, &one).unwrap();
    fs::rename(&three, &two).unwrap();
    let _makes_room = file(&three, &entries(), &cache);
    for (segment, path) in [(first, &one), (second, &two)] {
        let asked = segment.get(key).map(drop);
        damaged_at(asked, path);
        damaged_at(segment.check(&mut |_| true), path);
        let opened = Segment::open(path, segment.digest(), &cache).map(drop);
        damaged_at(opened, path);
    }
}

#[test]
fn a_refusal_of_the_system_is_no_damage() {
    let path = Path::new("no such directory/segment");
    let created = SegmentWriter::create(path, super::head()).map(drop);
    assert!(matches!(created, Err(SegmentError::Io { .. })));
    let unread = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let error = error::SegmentError::read(path, 0, unread);
    assert!(matches!(error, SegmentError::Io { .. }), "{error}");
}

/// Bytes as somebody may have made them who knows how digests are made: read or refused, and nothing else.
fn parts() -> impl Strategy<Value = Vec<u8>> {
    let small = prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..200);
    let block = (small.clone(), prop::collection::vec(0_u32..80, 0..6)).prop_map(|(mut it, at)| {
        at.iter().for_each(|at| it.extend(at.to_le_bytes()));
        it.extend((at.len() as u32).to_le_bytes());
        it
    });
    prop_oneof![small, block]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_part_panic(bytes in parts(), key in prop::collection::vec(0_u8..4, 0..4)) {
        if let Some(block) = DataBlock::parse(bytes.clone()) {
            let _ = block.get(&key);
            let mut interval = Interval::default();
            for restart in 0..block.restarts().min(1_000) {
                if block.interval(restart, &mut interval).is_some() {
                    for at in 0..interval.len() {
                        let _ = (interval.key(at), interval.op(at, &block));
                    }
                }
            }
            let _ = (block.restart_before(&key, true), block.restart_before(&key, false));
        }
        if let Some(node) = IndexNode::parse(bytes.clone()) {
            let _ = (node.before(&key, true), node.may_hold(7), node.len());
        }
        if let Some(root) = SegmentRoot::parse(bytes) {
            let _ = (root.before(&key, false), root.last_key());
        }
    }
}
