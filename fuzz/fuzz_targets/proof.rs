// SPDX-License-Identifier: Apache-2.0
//! Proofs: what is accepted is written again byte for byte, and nothing without a key verifies.
#![no_main]

use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::policy::Policy;
use femtoclaw_ledger::integrity::proof::TlogProof;
use femtoclaw_ledger::integrity::secret::SigningKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(proof) = TlogProof::parse(bytes) else {
        return;
    };
    assert_eq!(proof.to_string().as_bytes(), bytes);
    let origin = proof.checkpoint.text().lines().next().unwrap_or_default();
    if let Ok(key) = SigningKey::from_seed(origin, Algorithm::Ed25519, &[1; 32]) {
        let policy = Policy::new(&[key.key().clone()], &[], 0).expect("one log is a policy");
        assert!(proof.verify(b"entry", &policy, None).is_err());
    }
});
