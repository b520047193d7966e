// SPDX-License-Identifier: Apache-2.0
//! Digests of fields, notes, keys, checkpoints, policies, proofs and key files: vectors that others published, every
//! way to be wrong, and input of every kind.

mod any_input;
mod approvals;
#[cfg(feature = "engine")]
mod blake3_batch;
mod fields;
mod notes;
mod policies;
mod proofs;
mod secrets;
mod streams;
mod witness;

use super::checkpoint::Checkpoint;
use super::key::{Algorithm, VerifierKey};
use super::merkle::{self, TreeHash};
use super::note::Note;
use super::secret::SigningKey;

/// A checkpoint of a public log, with the signatures of the log and of four public witnesses, as
/// published in May 2026.
const PUBLIC: &str = "\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
";
const PUBLIC_LOG: &str =
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
const PUBLIC_WITNESSES: [&str; 4] = [
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
];
/// The second at which all four cosigned.
const PUBLIC_TIME_S: u64 = 0x6a12_2120;

fn key(text: &str) -> VerifierKey {
    VerifierKey::parse(text).unwrap()
}

/// A key of a log or a witness; what it signs is always the same.
fn signer(name: &str, algorithm: Algorithm, number: u8) -> SigningKey {
    SigningKey::from_seed(name, algorithm, &[number; 32]).unwrap()
}

fn log() -> SigningKey {
    signer("ledger.example/a", Algorithm::Ed25519, 1)
}

fn witness(number: u8) -> SigningKey {
    let name = format!("witness.example/{number}");
    signer(&name, Algorithm::CosignatureV1, number)
}

fn root(number: u8) -> TreeHash {
    merkle::leaf_hash(&[number])
}

fn signed() -> Note {
    let checkpoint = Checkpoint::new("ledger.example/a", 7, root(7)).unwrap();
    checkpoint.sign(&log()).unwrap()
}
