// SPDX-License-Identifier: Apache-2.0
//! A table of which the engine states another checksum than its bytes have, every block being right: what
//! it leaves behind where a write of it is taken in part.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use femtoclaw_ledger::{
    Ledger, Options,
    journal::FindingKind,
    read_only::ReadOnlyOptions,
    verify::{Unread, VerifyOptions},
};
use xxhash_rust::xxh3::xxh3_128;

use crate::scene::{closed, entries, filled, options, quarantined, record};
use crate::shared::WAIT;

/// States another checksum of these tables, as the engine does after a short write: in the manifest, and
/// the manifest's own in `current`.
fn misstate(keyspace: &Path, is: impl Fn(&[u8]) -> bool) -> Vec<PathBuf> {
    let current = keyspace.join("current");
    let mut named = fs::read(&current).unwrap();
    let number = u64::from_le_bytes(named[..8].try_into().unwrap());
    let path = keyspace.join(format!("v{number}"));
    let mut manifest = fs::read(&path).unwrap();
    let mut misstated = Vec::new();
    for table in entries(&keyspace.join("tables")) {
        let bytes = fs::read(&table).unwrap();
        let sum = xxh3_128(&bytes).to_le_bytes();
        let place = manifest.windows(16).position(|found| found == sum);
        if let Some(place) = place.filter(|_| is(&bytes)) {
            manifest[place] ^= 1;
            misstated.push(table);
        }
    }
    let sum = xxh3_128(&manifest).to_le_bytes();
    named[8..24].copy_from_slice(&sum);
    fs::write(&path, manifest).unwrap();
    fs::write(&current, named).unwrap();
    misstated
}

/// The engine writes past its buffer only what is larger than that.
fn has_a_large_block(table: &[u8]) -> bool {
    let header = |at: usize| u32::from_le_bytes(table[at + 21..at + 25].try_into().unwrap());
    table
        .windows(5)
        .enumerate()
        .any(|(at, found)| found == b"LSM\x03\x00" && at + 25 < table.len() && header(at) >= 65_535)
}

async fn with_large_records(path: &Path) {
    let ledger = filled(path, options(), 60).await;
    for _ in 0..8 {
        record(&ledger.0, &ledger.2, 1, 90_000).await;
        record(&ledger.0, &ledger.2, 30, 400).await;
    }
    ledger.0.at_least(ledger.0.head().seq).await.unwrap();
    closed(ledger).await;
}

#[tokio::test]
async fn a_checksum_that_the_engine_got_wrong_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    with_large_records(&path).await;
    let misstated = misstate(&path.join("journal/keyspaces/1"), has_a_large_block);
    assert!(!misstated.is_empty());
    // Read without the engine.
    let opened = Ledger::open_read_only(&path, ReadOnlyOptions::default()).unwrap();
    let kinds: Vec<_> = opened.findings().iter().map(|it| it.kind).collect();
    assert_eq!(kinds, vec![FindingKind::EngineFault; misstated.len()]);
    assert!(!opened.is_damaged() && opened.verified() == opened.head());
    drop(opened);
    // And with it: opened, verified, scrubbed.
    let scrubbing = Options {
        scrub_bytes_per_second: 1 << 30,
        scrub_pause: Duration::ZERO,
        ..options()
    };
    let (ledger, root) = Ledger::open(&path, scrubbing).await.unwrap();
    let verified = ledger
        .verify(VerifyOptions::threads(1), |_| {})
        .await
        .unwrap();
    assert!(verified.is_sound(), "{:?}", verified.damages);
    let named = verified
        .engine_faults
        .iter()
        .map(|fault| fault.path.clone());
    let named: BTreeSet<_> = named.collect();
    assert_eq!(named, misstated.iter().cloned().collect());
    let passes = async {
        while ledger.scrubbed().passes < 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT, passes).await.expect("in time");
    let scrubbed = ledger.scrubbed();
    assert_eq!(scrubbed.damages, []);
    assert_eq!(scrubbed.unread, Vec::<Unread>::new());
    assert_eq!(scrubbed.engine_faults.len(), misstated.len());
    assert!(ledger.health().healthy, "{:?}", ledger.health());
    assert!(quarantined(&path).is_empty());
    root.close(Duration::from_secs(30)).await.unwrap();
}

/// One wrong byte anywhere, and it is damage; so is a table without any block that could have been
/// written in part, and one in another's place.
#[tokio::test]
async fn what_else_is_wrong_with_such_a_table_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    with_large_records(&path).await;
    let keyspace = path.join("journal/keyspaces/1");
    let small = misstate(&keyspace, |table| !has_a_large_block(table));
    let kinds = |path: &Path| -> Vec<_> {
        let opened = Ledger::open_read_only(path, ReadOnlyOptions::default()).unwrap();
        let tables = opened
            .findings()
            .iter()
            .filter(|it| it.kind == FindingKind::Table || it.kind == FindingKind::EngineFault);
        tables
            .map(|it| (it.path.clone().unwrap(), it.kind))
            .collect()
    };
    assert!(!small.is_empty());
    let told = small
        .iter()
        .map(|table| (table.clone(), FindingKind::Table));
    assert_eq!(kinds(&path), told.collect::<Vec<_>>());
    let large = misstate(&keyspace, has_a_large_block);
    let (first, second) = (&large[0], &large[1]);
    let whole = fs::read(first).unwrap();
    let is_damage = |what: &str| {
        let kind = kinds(&path).into_iter().find(|(table, _)| table == first);
        assert_eq!(kind.unwrap().1, FindingKind::Table, "{what}");
    };
    for at in (0..whole.len())
        .step_by(whole.len() / 12)
        .chain([whole.len() - 1])
    {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(first, bytes).unwrap();
        is_damage(&format!("byte {at}"));
    }
    fs::write(first, &whole[..whole.len() - 1]).unwrap();
    is_damage("one byte less");
    fs::write(first, fs::read(second).unwrap()).unwrap();
    is_damage("another table");
    fs::write(first, &whole).unwrap();
    let kind = kinds(&path).into_iter().find(|(table, _)| table == first);
    assert_eq!(kind.unwrap().1, FindingKind::EngineFault);
}
