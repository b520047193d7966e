// SPDX-License-Identifier: Apache-2.0
//! Requests to a witness and its answers: what is read is written again byte for byte, and nothing
//! is cosigned, or taken for a cosignature, without a key.
#![no_main]

use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::merkle::{TreeHead, leaf_hash};
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::integrity::witness::{AddCheckpoint, WitnessOutcome, check, outcome};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let key = |algorithm| SigningKey::from_seed("a.example", algorithm, &[1; 32]);
    let (Ok(log), Ok(witness)) = (key(Algorithm::Ed25519), key(Algorithm::CosignatureV1)) else {
        return;
    };
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_string().as_bytes(), bytes);
        let last = Some(TreeHead {
            size: 3,
            root: leaf_hash(b"x"),
        });
        assert!(check(&request, &[log.key().clone()], |_| last).is_err());
    }
    let checkpoint = Checkpoint::new("a.example", 3, leaf_hash(b"x"));
    let note = checkpoint.expect("it can be said").sign(&log);
    let note = note.expect("a key in memory signs");
    for status in [200, 409, 500] {
        let outcome = outcome(status, bytes, &note, witness.key());
        assert!(!matches!(outcome, WitnessOutcome::Cosigned(_)));
    }
});
