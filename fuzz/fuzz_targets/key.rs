// SPDX-License-Identifier: Apache-2.0
//! Public keys and key files, with and without a passphrase.
#![no_main]

use femtoclaw_ledger::integrity::key::VerifierKey;
use femtoclaw_ledger::integrity::secret::SigningKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
    let _ = SigningKey::from_file(text, None);
    let _ = SigningKey::from_file(text, Some(b"passphrase"));
});
