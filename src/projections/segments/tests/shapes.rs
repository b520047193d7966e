// SPDX-License-Identifier: Apache-2.0
//! Layers of unusual shape: empty ones, long values, many of them.

use std::fs;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::filter::{filter_of, hash, may_hold};
use super::super::*;
use super::{file, head, write};

fn key(it: u32) -> Vec<u8> {
    format!("an entry/{it:08}").into_bytes()
}

/// Of so many keys, of each a value that says which it is.
fn entries(keys: impl Iterator<Item = u32>) -> Vec<(Vec<u8>, Op)> {
    keys.map(|it| (key(it), Op::New(it.to_le_bytes().to_vec())))
        .collect()
}

#[test]
fn an_empty_segment_says_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let cache = SegmentCache::new(1 << 20, 4);
    let segment = file(&directory.path().join("empty"), &[], &cache);
    assert_eq!((segment.entries(), segment.head()), (0, &head()));
    assert_eq!(segment.get(b"").unwrap(), None);
    segment.check(&mut |_| true).unwrap();
    let layers = [
        Layer::File(segment),
        Layer::Memory(Arc::new(Run::build([(b"", OpRef::Delete); 0]))),
    ];
    for direction in [Direction::Ascending, Direction::Descending] {
        assert!(merge(&layers, b"", None, direction).next().is_none());
    }
}

#[test]
fn a_value_of_16_mib_has_a_block_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let cache = SegmentCache::new(1 << 20, 4);
    let mut said = entries(0..3_000);
    said[1_500].1 = Op::Put(vec![5; 16 << 20]);
    said[1_502].0 = [said[1_502].0.clone(), vec![b'k'; 65_000]].concat();
    let segment = file(&directory.path().join("large"), &said, &cache);
    for (key, op) in &said {
        assert_eq!(segment.get(key).unwrap().as_ref(), Some(op));
    }
    let layers = [Layer::File(segment.clone())];
    let found: Result<Vec<_>, _> = merge(&layers, b"", None, Direction::Ascending).collect();
    assert!(found.unwrap() == said);
    // Beside it no cache has room for anything else: it is read, and not kept.
    assert!(cache.bytes() <= 1 << 20, "{}", cache.bytes());
    segment.check(&mut |_| true).unwrap();
}

#[test]
fn many_nodes_many_layers_and_few_files() {
    let directory = tempfile::tempdir().unwrap();
    let cache = SegmentCache::new(4 << 20, 3);
    // The first has several index nodes.
    let spread = (0..40_u32).map(|layer| match layer {
        0 => entries(0..120_000),
        _ => entries((0..120_000).filter(move |it| it % 997 == layer)),
    });
    let layers: Vec<_> = spread
        .enumerate()
        .map(|(at, mut said)| {
            let newer = at as u8;
            for (_, op) in said.iter_mut().filter(|_| at > 0) {
                *op = Op::Put(vec![newer]);
            }
            Layer::File(file(&directory.path().join(at.to_string()), &said, &cache))
        })
        .rev()
        .collect();
    let open = fs::read_dir("/proc/self/fd").map(|it| {
        let names = it.filter_map(|it| fs::read_link(it.ok()?.path()).ok());
        names.filter(|it| it.starts_with(directory.path())).count()
    });
    // Where the system does not tell which are open, the cache does.
    assert!(open.map_or(true, |it| it <= 3) && cache.files() <= 3);
    let expected = |it: u32| match it % 997 {
        layer @ 1..40 => vec![layer as u8],
        _ => it.to_le_bytes().to_vec(),
    };
    for it in (0..120_000).step_by(61) {
        assert_eq!(get(&layers, &key(it)).unwrap(), Some(expected(it)));
        assert_eq!(get(&layers, &key(it + 120_000)).unwrap(), None);
    }
    for (from, until) in [(0, 120_000), (37, 38), (64_000, 99_000), (119_000, 300_000)] {
        let (low, high) = (key(from), key(until));
        let up = visible(&layers, &low, Some(&high), Direction::Ascending);
        let mut down: Vec<_> = visible(&layers, &low, Some(&high), Direction::Descending)
            .map(Result::unwrap)
            .collect();
        down.reverse();
        let wanted = from..until.min(120_000);
        assert_eq!(down.len(), wanted.len());
        for ((it, up), down) in wanted.zip(up).zip(down) {
            let up = up.unwrap();
            assert_eq!(up, (key(it), expected(it)));
            assert_eq!(up, down);
        }
    }
    assert!(cache.files() <= 3 && cache.bytes() <= 4 << 20);
    drop(layers);
    assert_eq!(cache.files(), 0);
}

#[test]
fn bytes_are_those_of_the_format() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("small");
    let said: [(&[u8], OpRef<'_>); 3] = [
        (b"ab", OpRef::New(b"1")),
        (b"abc", OpRef::Delete),
        (b"b", OpRef::Put(b"23")),
    ];
    let finished = write(&path, said);
    let bytes = fs::read(&path).unwrap();
    let block = b"\x00\x02\x04ab1\x02\x01\x02c\x00\x01\x09b23\x00\x00\x00\x00\x01\x00\x00\x00";
    assert_eq!(&bytes[..8], b"FCLSEG\x00\x01");
    assert_eq!(&bytes[8..8 + block.len()], block);
    let node = 8 + block.len();
    assert_eq!(bytes[node..node + 5], [1, 2, b'a', b'b', 8]);
    assert_eq!(usize::from(bytes[node + 5]), block.len());
    assert_eq!(bytes[node + 6..node + 38], crate::integrity::digest(block));
    let root = node + 38 + 32;
    let filter = filter_of(&[b"ab".as_slice(), b"abc", b"b"].map(hash));
    assert_eq!(bytes[node + 38..root], filter);
    let trailer = bytes.len() - 24;
    assert_eq!(bytes[root..root + 11], *b"\x0aexecutions");
    assert_eq!(bytes[trailer..trailer + 8], (root as u64).to_le_bytes());
    assert_eq!(
        bytes[trailer + 8..trailer + 16],
        ((trailer - root) as u64).to_le_bytes()
    );
    assert_eq!(&bytes[trailer + 16..], b"FCLSEGND");
    assert_eq!(
        finished.digest,
        crate::integrity::digest(&bytes[root..trailer])
    );
    // These are on disks: another digest is another format, and has another number.
    assert_eq!(hash(b"ab"), 0xa873_719c_24d5_735c, "{:#x}", hash(b"ab"));
    let start: String = finished.digest[..4]
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    assert_eq!(start, "3a10a5de");
}

#[test]
fn keys_out_of_order_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = SegmentWriter::create(&directory.path().join("it"), head()).unwrap();
    writer.push(b"b", OpRef::Delete).unwrap();
    assert!(writer.push(b"b", OpRef::Delete).is_err());
    assert!(writer.push(b"a", OpRef::Delete).is_err());
}

#[test]
fn a_filter_passes_all_of_its_keys_and_few_others() {
    let hashes: Vec<_> = (0..30_000).map(|it| hash(&key(it))).collect();
    let filter = filter_of(&hashes);
    assert!(filter.len() * 8 <= 30_000 * 10 + 256);
    assert!(hashes.iter().all(|it| may_hold(&filter, *it)));
    let passed = (30_000..60_000)
        .filter(|it| may_hold(&filter, hash(&key(*it))))
        .count();
    assert!(passed < 600, "{passed}");
}

/// What happened to a key: `Some` is a value, and where there was none before it is new.
fn history(values: Vec<Option<u8>>) -> Vec<Op> {
    let (mut has_value, mut ops) = (false, Vec::new());
    for value in values {
        match value.map(|it| vec![it]) {
            None if !has_value => continue,
            None => ops.push(Op::Delete),
            Some(value) if has_value => ops.push(Op::Put(value)),
            Some(value) => ops.push(Op::New(value)),
        }
        has_value = value.is_some();
    }
    ops
}

fn composed(ops: &[Op], splits: &mut impl Iterator<Item = usize>) -> Option<Op> {
    if ops.len() < 2 {
        return ops.first().cloned();
    }
    let (older, newer) = ops.split_at(1 + splits.next().unwrap_or(0) % (ops.len() - 1));
    match (composed(older, splits), composed(newer, splits)) {
        (Some(older), Some(newer)) => compose(&older, newer),
        (older, newer) => newer.or(older),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn which_neighbours_are_composed_first_is_no_matter(
        values in prop::collection::vec(any::<Option<u8>>(), 0..12),
        skipped in 0_usize..4,
        splits in prop::collection::vec(any::<usize>(), 24),
    ) {
        // Some of it lies further down, in layers that are not composed.
        let ops = history(values);
        let ops = ops.get(skipped..).unwrap_or_default();
        let one_by_one = composed(ops, &mut std::iter::repeat(0));
        prop_assert_eq!(composed(ops, &mut splits.into_iter()), one_by_one);
    }
}
