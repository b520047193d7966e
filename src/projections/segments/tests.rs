// SPDX-License-Identifier: Apache-2.0
//! Layers against a plain map.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::events::Hash;

mod damage;
mod model;
mod shapes;

const LAST_HASH: Hash = [7; 32];

fn head() -> SegmentHead {
    SegmentHead {
        view: "executions".to_owned(),
        version: 3,
        first_seq: 1,
        last_seq: 65_540,
        last_hash: LAST_HASH,
    }
}

fn write<'a>(path: &Path, entries: impl IntoIterator<Item = (&'a [u8], OpRef<'a>)>) -> Finished {
    let mut writer = SegmentWriter::create(path, head()).unwrap();
    for (key, op) in entries {
        writer.push(key, op).unwrap();
    }
    writer.finish().unwrap()
}

fn file(path: &Path, entries: &[(Vec<u8>, Op)], cache: &Arc<SegmentCache>) -> Arc<Segment> {
    let lent = entries
        .iter()
        .map(|(key, op)| (key.as_slice(), op.as_ref()));
    let finished = write(path, lent);
    Arc::new(Segment::open(path, &finished.digest, cache).unwrap())
}
