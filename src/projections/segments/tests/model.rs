// SPDX-License-Identifier: Apache-2.0
//! Random changes, laid down in random layers, read and merged in every way, beside a plain map.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::*;
use super::file;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;
type Said = BTreeMap<Vec<u8>, Op>;

/// A key that many others share much of, and its value; `None` takes it away.
type Change = (Vec<u8>, Option<Vec<u8>>);

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0_u16..400).prop_map(|it| format!("an execution's key/{it:03}").into_bytes()),
        prop::collection::vec(0_u8..3, 0..4),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => prop::collection::vec(any::<u8>(), 0..12),
        1 => (any::<u8>(), 0_usize..40_000).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let change = (key(), prop::option::weighted(0.7, value()));
    prop::collection::vec(prop::collection::vec(change, 0..120), 1..9)
}

/// What a range of changes says. Of long keys that a value is new, where it is, and that they have none any more, where
/// they had one; of short keys a value or none, whatever they had.
fn said(map: &mut Map, changes: Vec<Change>) -> Said {
    let mut said = Said::new();
    for (key, value) in changes {
        let op = match value {
            None if key.len() > 4 && !map.contains_key(&key) => continue,
            None => Op::Delete,
            Some(value) if key.len() <= 4 || map.contains_key(&key) => Op::Put(value),
            Some(value) => Op::New(value),
        };
        match op.as_ref().value() {
            None => map.remove(&key),
            Some(value) => map.insert(key.clone(), value.to_vec()),
        };
        let together = match said.remove(&key) {
            None => Some(op),
            Some(older) => compose(&older, op),
        };
        together.map(|op| said.insert(key, op));
    }
    said
}

fn run(said: &Said) -> Run {
    Run::build(said.iter().map(|(key, op)| (key, op.as_ref())))
}

fn between<'a>(
    map: &'a Map,
    from: &'a [u8],
    until: Option<&'a [u8]>,
) -> impl DoubleEndedIterator<Item = (Vec<u8>, Vec<u8>)> {
    let wanted = move |key: &[u8]| key >= from && until.is_none_or(|it| key < it);
    let found = map.iter().filter(move |(key, _)| wanted(key));
    found.map(|(key, value)| (key.clone(), value.clone()))
}

fn all(layers: &[Layer]) -> Vec<(Vec<u8>, Op)> {
    let merged = merge(layers, b"", None, Direction::Ascending);
    merged.map(Result::unwrap).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn layers_say_what_a_plain_map_says(
        changes in changes(),
        files in any::<u8>(),
        bounds in prop::collection::vec((key(), prop::option::of(key())), 1..6),
        wanted in prop::collection::vec(key(), 1..40),
        halves in 0_usize..9,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let cache = SegmentCache::new(1 << 20, 2);
        let (mut map, mut layers) = (Map::new(), Vec::new());
        for (at, changes) in changes.into_iter().enumerate() {
            let said = said(&mut map, changes);
            let layer = match files >> at & 1 {
                0 => Layer::Memory(Arc::new(run(&said))),
                _ => {
                    let entries: Vec<_> = said.into_iter().collect();
                    Layer::File(file(&directory.path().join(at.to_string()), &entries, &cache))
                }
            };
            layers.insert(0, layer);
        }
        for key in wanted.iter().chain(map.keys()) {
            prop_assert_eq!(get(&layers, key).unwrap(), map.get(key).cloned());
        }
        for (from, until) in &bounds {
            let until = until.as_deref();
            let up: Vec<_> = visible(&layers, from, until, Direction::Ascending)
                .map(Result::unwrap)
                .collect();
            prop_assert_eq!(up, between(&map, from, until).collect::<Vec<_>>());
            let down: Vec<_> = visible(&layers, from, until, Direction::Descending)
                .map(Result::unwrap)
                .collect();
            prop_assert_eq!(down, between(&map, from, until).rev().collect::<Vec<_>>());
        }

        // As one layer, with all below it.
        let path = directory.path().join("all");
        let whole = all(&layers);
        let mut builder = RunBuilder::default();
        merge_into(&layers, &mut builder, true).unwrap();
        let bottom = Layer::Memory(Arc::new(builder.finish()));
        let put = map.iter().map(|(key, value)| (key.clone(), Op::Put(value.clone())));
        prop_assert_eq!(all(std::slice::from_ref(&bottom)), put.collect::<Vec<_>>());

        // In two parts, and these together: the same, and the same bytes.
        let halves = halves.min(layers.len());
        let (newer, older) = layers.split_at(halves);
        let [newer, older] = [newer, older].map(|layers| {
            let mut builder = RunBuilder::default();
            merge_into(layers, &mut builder, false).unwrap();
            Arc::new(builder.finish())
        });
        let both = Layer::Memory(Arc::new(merge_runs(&newer, &older)));
        prop_assert_eq!(&all(&[both]), &whole);
        let first = file(&path, &whole, &cache);
        let mut writer = SegmentWriter::create(&path, super::head()).unwrap();
        merge_into(&[Layer::Memory(newer), Layer::Memory(older)], &mut writer, false).unwrap();
        let finished = writer.finish().unwrap();
        prop_assert_eq!(&finished.digest, first.digest());
        prop_assert_eq!(finished.entries, whole.len() as u64);
        prop_assert_eq!(finished.bytes, path.metadata().unwrap().len());
        let mut read = 0;
        first.check(&mut |bytes| { read += bytes; true }).unwrap();
        prop_assert_eq!(read, first.bytes());
        prop_assert!(cache.files() <= 2);
    }
}
