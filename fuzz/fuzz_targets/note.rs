// SPDX-License-Identifier: Apache-2.0
//! Signed notes, checkpoints and cosignature lines: what is accepted is written again byte for byte,
//! and no key has signed what it never saw.
#![no_main]

use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer, VerifierKey};
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::secret::SigningKey;
use libfuzzer_sys::fuzz_target;

/// Keys of both kinds with the names that the lines bear, and with ids of their own.
fn keys(note: &Note) -> Vec<VerifierKey> {
    let names = note.signatures().iter().map(|line| line.name()).take(4);
    let kinds = [Algorithm::Ed25519, Algorithm::CosignatureV1];
    names
        .flat_map(|name| kinds.map(|kind| SigningKey::from_seed(name, kind, &[1; 32])))
        .filter_map(|key| Some(key.ok()?.key().clone()))
        .collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(note) = Note::parse(bytes) else {
        return;
    };
    assert_eq!(note.to_string().as_bytes(), bytes);
    if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
        assert_eq!(checkpoint.text(), note.text());
    }
    let keys = keys(&note);
    for key in &keys {
        assert!(!matches!(note.signed_by(key), Ok(Some(_))));
    }
    // The same note brings nothing new, whoever is known.
    let mut own = note.clone();
    own.merge(&note);
    assert_eq!(own, note);
    let _ = own.take_over(&note, &keys);
    assert_eq!(own, note);
});
