// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::database;
use crate::journal::layout::{FRAME_HEADER_LEN, MAGIC};

/// A log with one value, which has this many beginnings of frames that are none; behind the last one there is room for
/// a frame's header and nothing else.
fn with_beginnings(path: &Path, count: usize) {
    let keyspace = || database::journal_keyspace(4 << 20);
    database::create(path, &[("frames", keyspace())]).unwrap();
    let open = database::open(path, 1 << 20, 10).unwrap();
    let frames = open.keyspace("frames", keyspace).unwrap();
    let mut batch = open.batch();
    let mut value = MAGIC.repeat(count);
    value.resize(value.len() - MAGIC.len() + FRAME_HEADER_LEN, 0);
    batch.insert(&frames, 1_u64.to_be_bytes(), value);
    batch.commit().unwrap();
}

/// Damage without end must not fill the memory, and is not told as less than it is.
#[test]
fn findings_beyond_those_kept_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    with_beginnings(&path, 10_123);
    let journal = ReadOnlyJournal::open(&path, None, None).unwrap();
    let kept = journal.findings().iter();
    assert!(kept.clone().all(|it| it.kind == FindingKind::Frame));
    assert_eq!((kept.len(), journal.findings_more()), (10_000, 123));
    let log = std::fs::metadata(path.join("0.jnl")).unwrap().len();
    assert_eq!(journal.size_bytes(), log);
}
