// SPDX-License-Identifier: Apache-2.0
//! The key that signs is changed: it is a record, and no old checkpoint loses its worth.

use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{Event, EventType, SigningKeyChangedV1, Store};
use femtoclaw_ledger::integrity::key::{Algorithm, Signer, VerifierKey};
use femtoclaw_ledger::integrity::policy::Policy;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::projections::Filter;
use femtoclaw_ledger::{
    Ledger, OpenError, Options, Seq,
    checkpoint::{CheckpointError, CheckpointOptions, KeyChange},
};

use crate::{Opened, Place, key, size};

fn options(signer: u8, earlier: &[u8]) -> CheckpointOptions {
    let mut options = CheckpointOptions::new(Arc::new(key(signer)), Vec::new());
    options.earlier_keys = earlier.iter().map(|it| key(*it).key().clone()).collect();
    options.every_records = 0;
    options.every = Duration::ZERO;
    options
}

fn why(author: &str) -> KeyChange {
    KeyChange {
        author: author.to_owned(),
        reason: "once a year".to_owned(),
    }
}

fn trusting(keys: &[u8]) -> Policy {
    let keys: Vec<_> = keys.iter().map(|it| key(*it).key().clone()).collect();
    Policy::new(&keys, &[], 0).unwrap()
}

async fn changes(opened: &Opened) -> Vec<SigningKeyChangedV1> {
    let told = opened.events(EventType::SigningKeyChanged).await;
    let changed = told.into_iter().map(|event| match event {
        Event::SigningKeyChanged(it) => it,
        other => panic!("{other:?}"),
    });
    changed.collect()
}

/// A hardware module that is away.
struct Away(VerifierKey);

impl Signer for Away {
    fn key(&self) -> &VerifierKey {
        &self.0
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], Box<dyn std::error::Error + Send + Sync>> {
        Err("no answer".into())
    }
}

#[tokio::test]
async fn a_changed_key_is_recorded_and_named_by_the_old_one() {
    let place = Place::new();
    let path = place.path("ledger");
    let opened = Opened::new(&path, Some(options(1, &[]))).await;
    opened.record(5).await;
    let old = opened.root.checkpoint().await.unwrap();
    let changed = opened.root.change_key(Arc::new(key(2)), why("operator"));
    let both = changed.await.unwrap();
    let new = opened.root.checkpoint().await.unwrap();

    // The record: who, when, from which key to which; in the audit log, and covered by a checkpoint
    // that both keys signed.
    let expected = SigningKeyChangedV1 {
        old: key(1).key().to_string(),
        new: key(2).key().to_string(),
        author: "operator".to_owned(),
        reason: "once a year".to_owned(),
    };
    assert_eq!(changes(&opened).await, std::slice::from_ref(&expected));
    let filter = Filter {
        event_type: Some(EventType::SigningKeyChanged),
        ..Filter::default()
    };
    let reads = opened.ledger.reader(&opened.grant).unwrap();
    let record = reads.query(filter, 2).await.unwrap().remove(0);
    assert!(record.header.stores.contains(Store::AuditLog));
    let seq = record.header.seq;
    assert!(size(&old) < seq.get() && seq.get() <= size(&both));
    let mut entry = Vec::new();
    record.header.encode_into(&mut entry);
    let proof = opened.ledger.prove(seq, &both).await.unwrap();
    for trusted in [&trusting(&[1]), &trusting(&[2])] {
        assert!(proof.verify(&entry, trusted, None).is_ok());
    }
    // What each signed is worth something for whoever names both, and for nobody else.
    for (note, signer) in [(&old, 1), (&new, 2)] {
        let log = trusting(&[1, 2]).check(note, None).unwrap().log;
        assert_eq!(&log, key(signer).key());
        assert!(trusting(&[3 - signer]).check(note, None).is_err());
    }
    assert!(opened.ledger.prove(Seq::FIRST, &old).await.is_ok());
    assert!(opened.ledger.prove_extension(&old, &new).await.is_ok());
    opened.close().await;

    // The next opening signs with the new one; it must not forget the old one unless nothing that
    // is in force was signed by it.
    let opened = Opened::new(&path, Some(options(2, &[1]))).await;
    assert!(opened.ledger.prove_extension(&old, &new).await.is_ok());
    assert_eq!(changes(&opened).await, [expected]);
    opened.close().await;
    let back = Options {
        checkpoints: Some(options(1, &[])),
        ..Options::default()
    };
    let refused = Ledger::open(&path, back).await.err().unwrap();
    let OpenError::OtherKey { key: named } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(*named, key(2).key().to_string());
}

#[tokio::test]
async fn an_opening_with_another_key_records_the_change() {
    let place = Place::new();
    let path = place.path("ledger");
    let opened = Opened::new(&path, Some(options(1, &[]))).await;
    let old = opened.root.checkpoint().await.unwrap();
    opened.close().await;
    // Nobody says that it is the same log.
    let silent = Options {
        checkpoints: Some(options(2, &[])),
        ..Options::default()
    };
    let refused = Ledger::open(&path, silent).await.err().unwrap();
    assert_eq!(refused.code(), "other_key");

    let mut changed = options(2, &[1]);
    changed.key_change = why("nightly job");
    let opened = Opened::new(&path, Some(changed.clone())).await;
    let told = changes(&opened).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].old, key(1).key().to_string());
    assert_eq!(told[0].author, "nightly job");
    let new = opened.root.checkpoint().await.unwrap();
    assert!(opened.ledger.prove_extension(&old, &new).await.is_ok());
    opened.close().await;
    // Once: the same key again is no change.
    let opened = Opened::new(&path, Some(changed)).await;
    assert_eq!(changes(&opened).await.len(), 1);
    opened.close().await;
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_not_recorded() {
    let place = Place::new();
    let opened = Opened::new(&place.path("ledger"), Some(options(1, &[]))).await;
    let other_name = SigningKey::from_seed("ledger.example/x", Algorithm::Ed25519, &[5; 32]);
    let witness = SigningKey::from_seed(crate::NAME, Algorithm::CosignatureV1, &[5; 32]);
    let away = Away(key(5).key().clone());
    let signers: [Arc<dyn Signer>; 4] = [
        Arc::new(other_name.unwrap()),
        Arc::new(witness.unwrap()),
        Arc::new(away),
        Arc::new(key(1)),
    ];
    for signer in signers {
        let refused = opened.root.change_key(signer, why("operator")).await;
        assert!(
            matches!(refused, Err(CheckpointError::Key(_))),
            "{refused:?}"
        );
    }
    assert_eq!(changes(&opened).await, []);
    let note = opened.root.checkpoint().await.unwrap();
    assert!(trusting(&[1]).check(&note, None).is_ok());
    opened.close().await;
}
