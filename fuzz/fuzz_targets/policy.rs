// SPDX-License-Identifier: Apache-2.0
//! Policies.
#![no_main]

use femtoclaw_ledger::integrity::policy::Policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(policy) = Policy::parse(bytes) {
        assert!(!policy.logs().is_empty());
    }
});
