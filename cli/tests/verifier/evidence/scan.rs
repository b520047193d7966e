// SPDX-License-Identifier: Apache-2.0
//! Completeness from every header of an export: what evidence alone cannot show.

use std::fs;

use super::scene::{Scene, id_of};
use crate::shared::command;
use crate::support::{Export, ORIGIN, log_key, run};
use femtoclaw_ledger::events::{RecordHeader, Seq};
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::evidence::{Bundle, ScanError, Scanned, scan};
use femtoclaw_ledger::integrity::export::{ExportSource, verify_export};
use femtoclaw_ledger::integrity::merkle::{self, Tile};

impl ExportSource for Export {
    fn entries(&self, tile: Tile) -> Result<Vec<u8>, Self::Error> {
        fs::read(self.file(&tile.entries_path()))
    }
}

fn stated(export: &Export) -> Checkpoint {
    Checkpoint::parse(export.checkpoint().text()).unwrap()
}

/// Evidence of these entries, as a ledger would make it that does not keep its rules: it proves what is there.
fn evidence(export: &Export, bundle: &Bundle) -> Bundle {
    let size = stated(export).size();
    let mut items = bundle.items().to_vec();
    for item in &mut items {
        item.path = merkle::inclusion(export, size, item.header.seq.get() - 1).unwrap();
    }
    let keys = [log_key().key().clone()];
    let mut opening = bundle.opening().clone();
    opening.path = merkle::inclusion(export, size, opening.header.seq.get() - 1).unwrap();
    Bundle::new(
        opening,
        bundle.execution(),
        Vec::new(),
        items,
        &export.checkpoint(),
        &keys,
    )
    .unwrap()
}

/// The entries of the scene's ledger.
async fn entries(scene: &Scene, dir: &std::path::Path) -> Vec<Vec<u8>> {
    let note = scene.world.root.checkpoint().await.unwrap();
    let path = dir.join("genuine");
    scene.world.root.export(&note, &path).await.unwrap();
    let mut entries = Vec::new();
    let export = Export(path);
    verify_export(&export, &stated(&export), |_, entry| {
        entries.push(entry.to_vec())
    })
    .unwrap();
    entries
}

use femtoclaw_ledger::integrity::key::Signer;

#[tokio::test]
async fn a_scan_reads_every_header_and_counts_what_others_said() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new().await;
    let early = Bundle::parse(scene.file("running").await.as_bytes()).unwrap();
    let log = scene
        .world
        .ledger
        .execution_log(&scene.world.grant)
        .unwrap();
    log.complete(id_of("running"), command(70), b"1".to_vec())
        .await
        .unwrap();
    let entries = entries(&scene, dir.path()).await;
    let export = Export(dir.path().join("genuine"));
    let checkpoint = stated(&export);
    let completed = Bundle::parse(scene.file("completed").await.as_bytes()).unwrap();
    let found: Scanned = scan(&completed, &export, &checkpoint).unwrap();
    assert_eq!(found.records, entries.len() as u64);
    assert_eq!((found.stream, found.mentions), (completed.stream(), 2));
    // The export is newer than the evidence: what came later is said, and is no contradiction.
    let found = scan(&early, &export, &checkpoint).unwrap();
    assert_eq!(early.stream().to_string(), "open 3");
    assert_eq!(found.stream.to_string(), "complete 5 completed");
    // An export that ends before the evidence says nothing about it.
    let short = Export::write(&dir.path().join("short"), &entries[..5], &log_key());
    let found = scan(&completed, &short, &stated(&short));
    assert!(
        matches!(found, Err(ScanError::Short { size: 5 })),
        "{found:?}"
    );
    let other = Checkpoint::new("other", checkpoint.size(), *checkpoint.root()).unwrap();
    let found = scan(&completed, &export, &other);
    assert!(matches!(found, Err(ScanError::OtherLog(_))), "{found:?}");
}

/// A ledger that does not keep its own numbering: a second record of a version, and one after the end. The
/// short proof cannot know of them; the scan names them.
#[tokio::test]
async fn a_record_that_breaks_the_numbering_is_found_by_a_scan_alone() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new().await;
    let bundle = Bundle::parse(scene.file("failed").await.as_bytes()).unwrap();
    let genuine = entries(&scene, dir.path()).await;
    for (name, version) in [("again", 2), ("after", 7)] {
        let mut hidden = bundle.items()[1].header.clone();
        hidden.seq = Seq::new(genuine.len() as u64 + 1).unwrap();
        hidden.stream_version = version;
        hidden.time_ns = RecordHeader::decode(genuine.last().unwrap())
            .unwrap()
            .time_ns;
        let mut entry = Vec::new();
        hidden.encode_into(&mut entry);
        let entries = [&genuine[..], &[entry]].concat();
        let export = Export::write(&dir.path().join(name), &entries, &log_key());
        let forged = evidence(&export, &bundle);
        assert!(
            forged.verify(&super::scene::policy(), None).is_ok(),
            "{name}: it cannot know"
        );
        let found = scan(&forged, &export, &stated(&export));
        let Err(ScanError::Missing(seq)) = found else {
            panic!("{name}: {found:?}");
        };
        assert_eq!(seq, hidden.seq);
        // Evidence from before it: the scan of the later export finds what the ledger did.
        let older = Export::write(
            &dir.path().join(format!("{name}-old")),
            &genuine,
            &log_key(),
        );
        let found = scan(&evidence(&older, &bundle), &export, &stated(&export));
        assert!(
            matches!(found, Err(ScanError::Stream(_))),
            "{name}: {found:?}"
        );
    }
    assert_eq!(stated(&Export(dir.path().join("again"))).origin(), ORIGIN);
}

#[tokio::test]
async fn an_export_of_another_history_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new().await;
    let bundle = Bundle::parse(scene.file("failed").await.as_bytes()).unwrap();
    let mut entries = entries(&scene, dir.path()).await;
    entries[0][170] ^= 1;
    let export = Export::write(&dir.path().join("fork"), &entries, &log_key());
    let found = scan(&bundle, &export, &stated(&export));
    assert!(
        matches!(found, Err(ScanError::OtherHistory { .. })),
        "{found:?}"
    );
    // The program says the same, and the same of an export that was changed.
    let file = dir.path().join("evidence.txt");
    fs::write(&file, bundle.to_string()).unwrap();
    let key = log_key().key().to_string();
    let verify = |export: &str| {
        let export = dir.path().join(export).to_str().unwrap().to_owned();
        run(&[
            "verify",
            "bundle",
            file.to_str().unwrap(),
            "--export",
            &export,
            "--log",
            &key,
        ])
    };
    let (code, text) = verify("fork");
    assert_eq!(code, Some(3), "{text}");
    let (code, text) = verify("genuine");
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("complete 6 failed, and no other record of it"),
        "{text}"
    );
    let path = dir.path().join("genuine/tile/entries/000.p");
    let path = fs::read_dir(path).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&path).unwrap();
    bytes[300] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(verify("genuine").0, Some(3));
    assert_eq!(verify("absent").0, Some(14));
}
