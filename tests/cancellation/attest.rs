// SPDX-License-Identifier: Apache-2.0
//! Checkpoints, proofs, evidence, exports, verification, witnessing.

use std::sync::Arc;

use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::merkle::leaf_hash;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::integrity::witness::AddCheckpoint;
use femtoclaw_ledger::{
    checkpoint::KeyChange,
    evidence::EvidenceOptions,
    verify::{VerifyOptions, VerifyProgress},
    witness::Witness,
};

use crate::Tried;
use crate::scene::{Scene, key};
use crate::stores::call;

fn other_log() -> SigningKey {
    SigningKey::from_seed("log.example", Algorithm::Ed25519, &[8; 32]).unwrap()
}

/// The other log's first checkpoint.
fn asked() -> AddCheckpoint {
    let checkpoint = Checkpoint::new("log.example", 1, leaf_hash(b"x")).unwrap();
    AddCheckpoint {
        old_size: 0,
        proof: Vec::new(),
        checkpoint: checkpoint.sign(&other_log()).unwrap(),
    }
}

async fn witness(scene: &Scene) -> Witness {
    let signer = SigningKey::from_seed("w.example", Algorithm::CosignatureV1, &[9; 32]);
    let logs = vec![other_log().key().clone()];
    let witness = scene.root().witness(Arc::new(signer.unwrap()), logs);
    witness.await.unwrap()
}

pub(crate) fn tried() -> Vec<Tried> {
    let mut all = vec![
        call!("ledger/attest/proofs.rs checkpoint", |s| (), |()| s
            .root()
            .checkpoint()
            .await
            .is_ok()),
        call!("ledger/attest/proofs.rs newest_checkpoint", |s| (), |()| s
            .ledger()
            .newest_checkpoint()
            .await
            .is_ok()),
        // It has no cosignature to add: refused.
        call!("ledger/attest/proofs.rs add_cosignatures", |s| (), |()| {
            let _refused = s.root().add_cosignatures(&s.note, &[]).await;
            true
        }),
        call!("ledger/attest/proofs.rs prove", |s| (), |()| s
            .ledger()
            .prove(femtoclaw_ledger::Seq::FIRST, &s.note)
            .await
            .is_ok()),
        call!("ledger/attest/proofs.rs prove_extension", |s| (), |()| s
            .ledger()
            .prove_extension(&s.note, &s.note)
            .await
            .is_ok()),
        call!("ledger/attest/evidence.rs evidence", |s| (), |()| s
            .reads
            .evidence(s.ended, EvidenceOptions::default())
            .await
            .is_ok()),
        call!(
            "ledger/attest/evidence.rs write_evidence",
            |s| s.path(),
            |it| s
                .reads
                .write_evidence(s.ended, EvidenceOptions::default(), it)
                .await
                .is_ok()
        ),
        call!("ledger/attest/export.rs export", |s| s.path(), |it| s
            .root()
            .export(&s.note, it)
            .await
            .is_ok()),
    ];
    all.extend(witnessing());
    all
}

fn witnessing() -> Vec<Tried> {
    vec![
        call!("ledger/operate/online_check.rs verify", |s| (), |()| s
            .ledger()
            .verify(VerifyOptions::default(), |_: &VerifyProgress| {})
            .await
            .is_ok()),
        call!("ledger/attest/witness.rs witness", |s| (), |()| {
            witness(&s).await;
            true
        }),
        call!(
            "ledger/attest/witness.rs cosigned",
            |s| witness(&s).await,
            |it| {
                let _none = it.cosigned("example.org/log").await;
                true
            }
        ),
        // One that was dropped may have come first: refused then.
        call!(
            "ledger/attest/witness.rs add_checkpoint",
            |s| (witness(&s).await, asked()),
            |(it, asked)| {
                let _answer = it.add_checkpoint(asked).await;
                true
            }
        ),
        // Not a request: refused.
        call!(
            "ledger/attest/witness.rs answer",
            |s| witness(&s).await,
            |it| {
                let _refused = it.answer(b"old 0\n").await;
                true
            }
        ),
        call!(
            "ledger/attest/checkpoints/key_change.rs change_key",
            |s| key(s.number()),
            |it| {
                let why = KeyChange {
                    author: "a".to_owned(),
                    reason: "r".to_owned(),
                };
                s.root().change_key(Arc::new(it), why).await.is_ok()
            }
        ),
    ]
}
