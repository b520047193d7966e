// SPDX-License-Identifier: Apache-2.0
//! A journal that was cut: who opens it and who inspects it are told the same end, and it is right.

use std::fs;
use std::path::Path;

use femtoclaw_ledger::{Ledger, OpenError, Seq, journal::FindingKind, read_only::ReadOnlyOptions};

use crate::scene::{closed, entries, filled, options, quarantined, record};

/// Bytes of the log up to the last that is not zero.
fn written(log: &Path) -> Vec<u8> {
    let mut bytes = fs::read(log).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(used);
    bytes
}

/// Many commands at a time, so that frames hold several records; some of them in tables, and the
/// log still holds all.
async fn busy(path: &Path) -> u64 {
    let (ledger, root, grant) = filled(path, options(), 20).await;
    for _ in 0..12 {
        let many = (0..24).map(|_| record(&ledger, &grant, 1, 300));
        futures_all(many.collect()).await;
    }
    let head = ledger.head().count();
    closed((ledger, root, grant)).await;
    assert!(!entries(&path.join("journal/keyspaces/1/tables")).is_empty());
    head
}

async fn futures_all(many: Vec<impl Future<Output = ()>>) {
    let mut many: Vec<_> = many.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        many.retain_mut(|one| one.as_mut().poll(context).is_pending());
        match many.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}

/// How much of the log tables hold already is the engine's affair: it is tried until cuts met what they do not.
#[tokio::test]
async fn opening_and_inspection_name_the_same_end_and_it_is_there() {
    let mut refused = 0;
    for _ in 0..32 {
        refused += cut().await;
        if refused >= 3 {
            return;
        }
    }
    panic!("of 32 logs none was cut before the end of what tables hold");
}

/// How often opening was refused.
async fn cut() -> u32 {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    busy(&path).await;
    let log = path.join("journal/0.jnl");
    let whole = written(&log);
    let mut refused = 0;
    for cut in [1, 9, 14, 600, 3_000, 9_000, 20_000, 40_000] {
        fs::write(&log, &whole[..whole.len() - cut]).unwrap();
        let inspected = Ledger::open_read_only(&path, ReadOnlyOptions::default()).unwrap();
        let end = inspected.head().count();
        let last = inspected.get(Seq::new(end).unwrap()).unwrap();
        assert_eq!(last.unwrap().header.seq.get(), end, "it is read");
        let missing = inspected.findings().iter();
        let missing = missing.filter(|it| it.kind == FindingKind::AcknowledgedMissing);
        let missing: Vec<_> = missing.map(|it| it.records.clone().unwrap()).collect();
        drop(inspected);
        match Ledger::open(&path, options()).await {
            Err(OpenError::AcknowledgedRecordsMissing {
                anchored,
                recovered,
            }) => {
                assert_eq!(recovered, Seq::new(end), "{cut} bytes cut");
                assert_eq!(missing, [end + 1..=anchored.get()], "{cut} bytes cut");
                assert!(quarantined(&path).is_empty(), "nothing was changed");
                refused += 1;
            }
            Err(OpenError::Damaged { path, .. }) => {
                // Nothing is missing, and the engine would not read it all.
                assert!(path.ends_with("0.jnl") && missing.is_empty());
                refused += 1;
            }
            // All of it is in tables: nothing is missing.
            Ok((ledger, root)) => {
                assert!(ledger.head().count() > end && missing.is_empty());
                root.close(std::time::Duration::from_secs(30))
                    .await
                    .unwrap();
                drop((ledger, root));
                break;
            }
            Err(error) => panic!("{cut} bytes cut: {error}"),
        }
    }
    refused
}
