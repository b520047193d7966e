// SPDX-License-Identifier: Apache-2.0
//! An edit whose checksums were made anew: plain digests hide it, chain and commitments do not.

#![cfg(feature = "engine")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::journal::{Frame, Head, Journal, MemoryJournal};
use femtoclaw_ledger::{
    AuditEntry, AuditFamily, Context, Ledger, OpenError, Options, Quota, ReadError, Rights, Seq,
    integrity,
};

const TABLE: usize = 192;
const ENTRY: usize = 40;

/// Replaces `from` by `to` of the same length, and all checksums by what the bytes now ask for.
fn forged(frame: &Frame, from: &[u8], to: &[u8]) -> Option<Frame> {
    let mut bytes = frame.bytes().to_vec();
    let at = bytes.windows(from.len()).position(|found| found == from)?;
    bytes[at..at + to.len()].copy_from_slice(to);
    let body = TABLE + frame.count as usize * ENTRY;
    for (at, range) in [(144, body..bytes.len()), (160, TABLE..body), (176, 0..176)] {
        let sum = integrity::checksum(&bytes[range]);
        bytes[at..at + 16].copy_from_slice(&sum);
    }
    Some(Frame::decode(&bytes).unwrap())
}

#[tokio::test]
async fn opening_finds_an_edit_with_forged_checksums_and_names_the_record() {
    let directory = tempfile::tempdir().unwrap();
    let journal = MemoryJournal::new();
    let place = directory.path().join("first");
    let (ledger, root) = Ledger::open_on(Arc::new(journal.clone()), &place, Options::default())
        .await
        .unwrap();
    let grant = root
        .grant("operator", Rights::all(), Quota::default())
        .await
        .unwrap();
    let entry = AuditEntry {
        context: Context::new(),
        family: AuditFamily::OperatorAction,
        action: "transfer".into(),
        subject: "to alice".into(),
        detail: Vec::new(),
        outcome: femtoclaw_ledger::events::Outcome::Success,
        execution: None,
    };
    let log = ledger.audit_log(&grant).unwrap();
    let edited = log.record(entry).await.unwrap().first;
    root.close(Duration::from_secs(60)).await.unwrap();

    let (copy, tampered) = (MemoryJournal::new(), MemoryJournal::new());
    let (mut after, mut edits) = (Head::default(), 0);
    for frame in journal.reopen().frames(Seq::FIRST) {
        let frame = frame.unwrap();
        let forged = forged(&frame, b"to alice", b"to mallo");
        edits += usize::from(forged.is_some());
        copy.append(&frame, &after).unwrap();
        tampered
            .append(forged.as_ref().unwrap_or(&frame), &after)
            .unwrap();
        after = frame.last;
    }
    assert_eq!(edits, 1);
    let open = |journal: MemoryJournal, name| {
        let place = directory.path().join(name);
        Ledger::open_on(Arc::new(journal.reopen()), place, Options::default())
    };
    open(copy, "copy").await.unwrap();
    match open(tampered, "tampered").await {
        Err(OpenError::Journal(ReadError::Damaged { seq, .. })) => assert_eq!(seq, edited),
        other => panic!("{other:?}"),
    }
}
