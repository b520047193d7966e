// SPDX-License-Identifier: Apache-2.0
//! Recorded checkpoints against the keys that somebody trusts.

use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::policy::Policy;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{
    Context, Ledger, Options, Quota, Request, Rights,
    checkpoint::{CheckpointOptions, KeyChange},
    read_only::{ReadOnlyOptions, SignedCheckpoints},
};

use crate::scene::{ORIGIN, Scene, find, flip, in_log, key, needle, request, state};

fn signer(seed: u8) -> SigningKey {
    SigningKey::from_seed(ORIGIN, Algorithm::Ed25519, &[seed; 32]).unwrap()
}

fn trusting(seeds: &[u8]) -> Policy {
    let keys: Vec<_> = seeds.iter().map(|it| signer(*it).key().clone()).collect();
    Policy::new(&keys, &[], 0).unwrap()
}

fn codes(signed: &SignedCheckpoints) -> Vec<&'static str> {
    let refused = signed.refused.iter();
    refused.map(|it| it.problem.code()).collect()
}

fn signed(scene: &Scene, policy: &Policy) -> SignedCheckpoints {
    scene.opened().signed_checkpoints(policy, None).unwrap()
}

#[test]
fn recorded_checkpoints_are_held_against_keys_and_records() {
    let scene = in_log();
    let before = state(&scene.path);
    // Two that were asked for, and that of the close.
    let policy = Policy::new(&[key().key().clone()], &[], 0).unwrap();
    let whole = signed(&scene, &policy);
    assert_eq!((whole.holding, codes(&whole)), (3, vec![]));
    // A close writes its own count of what was done, and what vouches for views; whether it signs before or behind
    // that is a matter of time.
    let head = scene.made.head();
    assert!(
        (head..=head + 6).contains(&whole.covered),
        "{} of {head}",
        whole.covered
    );
    let strange = signed(&scene, &trusting(&[66]));
    assert_eq!(
        (strange.holding, codes(&strange)),
        (0, vec!["untrusted"; 3])
    );
    let witness = SigningKey::from_seed("w", Algorithm::CosignatureV1, &[1; 32]).unwrap();
    let witnesses = [witness.key().clone()];
    let policy_of_two = Policy::new(&[key().key().clone()], &witnesses, 1).unwrap();
    assert_eq!(codes(&signed(&scene, &policy_of_two)), ["untrusted"; 3]);
    assert!(state(&scene.path) == before);

    // Without a record in the middle nothing can be said of what covers it.
    let log = &scene.logs()[0];
    flip(log, find(log, &needle(11)).unwrap());
    let damaged = signed(&scene, &policy);
    assert_eq!(damaged.holding, 1);
    assert_eq!(codes(&damaged), ["not_compared"; 2]);
}

fn asked(ledger: &Ledger, number: usize) -> Request {
    request(ledger, number, 10)
}

/// A record of another key is no reason to trust it: both must be named.
#[tokio::test]
async fn after_a_change_of_keys_both_must_be_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let options = Options {
        checkpoints: Some(CheckpointOptions::new(Arc::new(signer(1)), Vec::new())),
        ..Options::default()
    };
    let (ledger, root) = Ledger::open(&path, options).await.unwrap();
    let grant = root.grant("tester", Rights::all(), Quota::default());
    let grant = grant.await.unwrap();
    let log = ledger.execution_log(&grant).unwrap();
    let _running = log.begin(asked(&ledger, 1)).await.unwrap();
    root.checkpoint().await.unwrap();
    let change = KeyChange {
        author: "operator".to_owned(),
        reason: "once a year".to_owned(),
    };
    // Signed by both.
    root.change_key(Arc::new(signer(2)), change).await.unwrap();
    let begun = log.begin(asked(&ledger, 2)).await.unwrap();
    let said = b"\"said\"".to_vec();
    let done = log.complete(begun.execution(), Context::new(), said);
    done.await.unwrap();
    root.checkpoint().await.unwrap();
    root.close_at_once(Duration::from_secs(60)).await.unwrap();
    drop((log, ledger, root, grant));
    let opened = Ledger::open_read_only(&path, ReadOnlyOptions::default()).unwrap();
    let told = |seeds: &[u8]| opened.signed_checkpoints(&trusting(seeds), None).unwrap();
    // A close signs once more where it wrote what vouches for views.
    let all = told(&[1, 2]);
    let count = all.holding;
    assert!((3..=4).contains(&count), "{count}");
    assert_eq!(codes(&all), [""; 0]);
    let old = told(&[1]);
    let untrusted = vec!["untrusted"; count as usize - 2];
    assert_eq!((old.holding, codes(&old)), (2, untrusted));
    let new = told(&[2]);
    assert_eq!((new.holding, codes(&new)), (count - 1, vec!["untrusted"]));
}
