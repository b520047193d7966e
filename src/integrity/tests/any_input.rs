// SPDX-License-Identifier: Apache-2.0
//! A parser answers to any input, and an input that it accepts it writes again byte for byte.

use super::*;
use crate::integrity::key::Signer;
use crate::integrity::merkle::TreeHead;
use crate::integrity::policy::Policy;
use crate::integrity::proof::TlogProof;
use crate::integrity::witness::{AddCheckpoint, WitnessOutcome, check, outcome};
use proptest::prelude::*;

/// Some bytes of a genuine text removed, doubled or replaced: this gets further than noise.
fn mutated(genuine: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0_u8..4, any::<u8>());
    prop::collection::vec(edit, 1..4).prop_map(move |edits| {
        let mut bytes = genuine.clone();
        for (at, kind, value) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = value,
                1 => bytes.truncate(at),
                2 => bytes.insert(at, value),
                _ => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend(tail);
                }
            }
        }
        bytes
    })
}

fn genuine_proof() -> String {
    let path = vec![root(1), root(2)];
    let checkpoint = Note::parse(PUBLIC.as_bytes()).unwrap();
    let extra = Some(vec![1, 2, 3]);
    let index = 3;
    let proof = TlogProof {
        extra,
        index,
        path,
        checkpoint,
    };
    proof.to_string()
}

fn genuine_request() -> String {
    format!("old 2\n{}\n\n{}", root(1), signed())
}

fn genuine_policy() -> String {
    let [w1, w2, ..] = PUBLIC_WITNESSES;
    format!("log {PUBLIC_LOG}\nwitness a {w1}\nwitness b {w2}\ngroup g 1 a b\nquorum g\n")
}

fn answer(bytes: &[u8]) {
    let policy = Policy::parse(genuine_policy().as_bytes()).unwrap();
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        let unchanged = note.text() == Note::parse(PUBLIC.as_bytes()).unwrap().text();
        assert!(policy.check(&note, None).is_err() || unchanged);
    }
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
        assert!(proof.verify(b"entry", &policy, None).is_err());
    }
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_string().as_bytes(), bytes);
        let last = Some(TreeHead {
            size: 2,
            root: root(2),
        });
        assert!(check(&request, &[log().key().clone()], |_| last).is_err());
    }
    let note = signed();
    for status in [200, 409, 500] {
        let outcome = outcome(status, bytes, &note, witness(1).key());
        assert!(!matches!(outcome, WitnessOutcome::Cosigned(_)));
    }
    let _ = Policy::parse(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(checkpoint) = Checkpoint::parse(text) {
            assert_eq!(checkpoint.text(), text);
        }
        if let Ok(key) = VerifierKey::parse(text) {
            assert_eq!(key.to_string(), text);
        }
        let _ = SigningKey::from_file(text, None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn noise_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        answer(&bytes);
    }

    #[test]
    fn nearly_genuine_notes_are_answered(bytes in mutated(PUBLIC.as_bytes().to_vec())) {
        answer(&bytes);
    }

    #[test]
    fn nearly_genuine_proofs_are_answered(bytes in mutated(genuine_proof().into_bytes())) {
        answer(&bytes);
    }

    #[test]
    fn nearly_genuine_requests_are_answered(bytes in mutated(genuine_request().into_bytes())) {
        answer(&bytes);
    }

    #[test]
    fn nearly_genuine_policies_are_answered(bytes in mutated(genuine_policy().into_bytes())) {
        answer(&bytes);
    }

    #[test]
    fn nearly_genuine_keys_are_answered(bytes in mutated(PUBLIC_LOG.as_bytes().to_vec())) {
        answer(&bytes);
    }

    #[test]
    fn nearly_genuine_key_files_are_answered(
        bytes in mutated(log().to_file(None).unwrap().as_bytes().to_vec()),
    ) {
        answer(&bytes);
    }
}
