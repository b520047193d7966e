// SPDX-License-Identifier: Apache-2.0
//! Evidence bundles: what is accepted is written again byte for byte, gives a page, and does not
//! verify by a key that never signed.
#![no_main]

use femtoclaw_ledger::integrity::evidence::Bundle;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::policy::Policy;
use femtoclaw_ledger::integrity::secret::SigningKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(bundle) = Bundle::parse(bytes) else {
        return;
    };
    assert_eq!(bundle.to_string().as_bytes(), bytes);
    assert!(bundle.names().len() <= bundle.namings().len());
    let _ = (bundle.unnamed(), bundle.summary());
    let page = bundle.page();
    assert_eq!(bundle.verify_page(page.as_bytes()), Ok(()));
    assert!(!page.contains("<script"));
    let origin = bundle
        .checkpoint()
        .text()
        .lines()
        .next()
        .unwrap_or_default();
    if let Ok(key) = SigningKey::from_seed(origin, Algorithm::Ed25519, &[1; 32]) {
        let policy = Policy::new(&[key.key().clone()], &[], 0).expect("one log is a policy");
        assert!(bundle.verify(&policy, None).is_err());
    }
});
