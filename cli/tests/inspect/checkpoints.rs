// SPDX-License-Identifier: Apache-2.0
//! `inspect` with keys: recorded checkpoints against those that somebody trusts.

use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::secret::SigningKey;

use crate::program::run;
use crate::scene::{ORIGIN, in_log, key};

#[test]
fn the_program_names_every_checkpoint_that_is_refused() {
    let scene = in_log();
    let own = key().key().to_string();
    let inspect = |key: &str| {
        let path = scene.path.to_str().unwrap();
        run(&["inspect", path, "--log", key, "--format", "json"])
    };
    let (code, json, _) = inspect(&own);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["checkpoints"]), (0, &3.into()));
    // A close writes its own count of what was done and what vouches for views; whether it signs before or behind them
    // is a matter of time.
    let (head, covered) = (scene.made.head(), json["covered"].as_u64().unwrap());
    assert!((head..=head + 6).contains(&covered), "{covered}");
    let stranger = SigningKey::from_seed(ORIGIN, Algorithm::Ed25519, &[66; 32]).unwrap();
    let (code, json, _) = inspect(&stranger.key().to_string());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["checkpoints"]), (3, &0.into()));
    let refused = json["refused"][2].as_str().unwrap();
    let told = scene.opened().checkpoints().unwrap();
    let named = format!("record {}: checkpoint at", told[2].seq);
    assert!(refused.starts_with(&named), "{refused}");
    assert!(refused.contains("has not signed"), "{refused}");
}
