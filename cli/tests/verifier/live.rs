// SPDX-License-Identifier: Apache-2.0
//! The export of a ledger that is open, checked by the program and by Go.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{log_key, run};
use crate::{foreign, support};
use femtoclaw_ledger::events::{Outcome, TelemetryKind};
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::merkle;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{
    Context, Ledger, Observation, Options, Quota, Rights,
    checkpoint::{CheckpointError, CheckpointOptions},
};

pub(crate) fn observation() -> Observation {
    Observation {
        context: Context::new(),
        kind: TelemetryKind::Other,
        name: "beat".to_owned(),
        observed_ns: None,
        execution: None,
        outcome: Outcome::Neutral,
        attributes: Vec::new(),
    }
}

#[tokio::test]
async fn an_open_ledgers_export_is_accepted_by_our_program_and_by_gos() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        checkpoints: Some(CheckpointOptions::new(Arc::new(log_key()), Vec::new())),
        ..Options::default()
    };
    let opened = Ledger::open(dir.path().join("ledger"), options).await;
    let (ledger, root) = opened.unwrap();
    let grant = root
        .grant("tester", Rights::all(), Quota::default())
        .await
        .unwrap();
    let telemetry = ledger.telemetry(&grant).unwrap();
    for _ in 0..260 {
        telemetry.record(observation()).await.unwrap();
    }
    let note = root.checkpoint().await.unwrap();
    telemetry.record(observation()).await.unwrap();
    let export = dir.path().join("export");
    root.export(&note, &export).await.unwrap();
    // Again is nothing new.
    root.export(&note, &export).await.unwrap();
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("notes.txt"), "somebody's").unwrap();
    let refused = root.export(&note, &other).await;
    assert!(
        matches!(refused, Err(CheckpointError::Export(_))),
        "{refused:?}"
    );
    let log = log_key().key().to_string();
    let (code, text) = run(&["verify", "export", export.to_str().unwrap(), "--log", &log]);
    assert_eq!(code, Some(0), "{text}");

    fs::write(dir.path().join("log.vkey"), &log).unwrap();
    fs::write(dir.path().join("witnesses.vkey"), "").unwrap();
    if let Some((accepted, said)) = foreign::verdict(dir.path()) {
        assert!(accepted, "{said}");
        assert!(said.starts_with("ok: 2"), "{said}");
    }
    let impostor = SigningKey::from_seed(support::ORIGIN, Algorithm::Ed25519, &[66; 32]).unwrap();
    let other = support::checkpoint(3, merkle::leaf_hash(b"x"), &impostor);
    let refused = root.export(&other, dir.path().join("none")).await;
    assert_eq!(refused, Err(CheckpointError::NotOurs));
    root.close(Duration::from_secs(30)).await.unwrap();
}
