// SPDX-License-Identifier: Apache-2.0
//! Digests and signatures, and that they are checked before anything is used: C1, C2. What the ledger writes is checked here with the
//! algorithms themselves, not with the library's own way of asking for them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signature, VerifyingKey};
use femtoclaw_ledger::events::HEADER_LEN;
use femtoclaw_ledger::integrity::key::{Algorithm, KeyError, Signer, VerifierKey};
use femtoclaw_ledger::integrity::secret::{KeyFileError, SigningKey};
use femtoclaw_ledger::{OpenError, Options, ReadError, checkpoint::CheckpointOptions};
use sha2::{Digest, Sha256};

use crate::support::*;
use crate::tamper::{
    ENTRY, Stored, TABLE, copy, forge, frames, payload_at, record_at, stored, tamper,
};

const NAME: &str = "ledger.example/conformance";

/// Signs on demand and at a close.
fn signing(signer: SigningKey, earlier: &[VerifierKey]) -> Options {
    let mut checkpoints = CheckpointOptions::new(Arc::new(signer), Vec::new());
    checkpoints.earlier_keys = earlier.to_vec();
    checkpoints.every_records = 0;
    checkpoints.every = Duration::ZERO;
    Options {
        checkpoints: Some(checkpoints),
        ..Options::default()
    }
}

fn seeded(number: u8) -> SigningKey {
    SigningKey::from_seed(NAME, Algorithm::Ed25519, &[number; 32]).unwrap()
}

/// Node over two hashes of the Merkle tree, and over any leaves (RFC 6962, 2.1).
fn tree(leaves: &[[u8; 32]]) -> [u8; 32] {
    if let [leaf] = leaves {
        return *leaf;
    }
    let left = leaves.len().next_power_of_two() / 2;
    let (left, right) = (tree(&leaves[..left]), tree(&leaves[left..]));
    Sha256::digest([&[1], left.as_slice(), &right].concat()).into()
}

#[tokio::test]
async fn c1_every_digest_and_signature_is_of_an_approved_algorithm_that_is_stored() {
    let (_root, path) = place();
    let open = open_with(&path, signing(seeded(1), &[])).await;
    open.sample().await;
    let note = open.root.checkpoint().await.unwrap();
    let records = open.records().await;
    let lines: Vec<_> = note.text().lines().collect();
    let size: usize = lines[1].parse().unwrap();
    assert!(size > 30);
    let mut leaves = Vec::new();
    for record in &records[..size] {
        let entry = record.header.encode();
        // 1: BLAKE3 for the record's hash and its payload's commitment.
        assert_eq!(entry[9], 1);
        let context = "femtoclaw-ledger 2026 v1 payload commitment";
        let content = record.content.as_ref().unwrap();
        let covered = [content.salt.as_slice(), &content.payload].concat();
        assert_eq!(blake3::derive_key(context, &covered), entry[160..192]);
        leaves.push(Sha256::digest([&[0], entry.as_slice()].concat()).into());
    }
    assert_eq!(Base64::encode_string(&tree(&leaves)), lines[2]);
    // The signature: Ed25519 over the note's text, by a key whose algorithm is its first byte.
    let text = note.to_string();
    let (signed, signatures) = text.split_once("\n\n").unwrap();
    let signature = signatures.lines().next().unwrap().rsplit(' ').next();
    let signature = Base64::decode_vec(signature.unwrap()).unwrap();
    let key = seeded(1).key().to_string();
    let key = Base64::decode_vec(key.splitn(3, '+').last().unwrap()).unwrap();
    assert_eq!(key[0], 0x01);
    let key = VerifyingKey::from_bytes(key[1..].try_into().unwrap()).unwrap();
    let signature = Signature::from_slice(&signature[4..]).unwrap();
    key.verify_strict(format!("{signed}\n").as_bytes(), &signature)
        .unwrap();
    open.close().await;
}

/// An algorithm that is not known is refused, wherever one is named, and nothing is guessed of it.
#[tokio::test]
async fn c1_an_unknown_algorithm_is_refused_in_a_record_and_a_key() {
    let (_root, path) = closed().await;
    let last = frames(&path).pop().unwrap();
    for unknown in [0, 2, 0xff] {
        let copied = again(&path);
        tamper(&copied, |stored| {
            let bytes = &mut stored.last_mut().unwrap().1;
            let (count, at) = (
                last.count as usize,
                record_at(bytes, last.count as usize - 1),
            );
            bytes[at + 9] = unknown;
            // All hashes and checksums fit again: it is only the algorithm that nobody knows.
            let entry = TABLE + (count - 1) * ENTRY;
            let previous = match count {
                1 => last.previous.to_vec(),
                _ => bytes[entry - 32..entry].to_vec(),
            };
            let covered = [&previous, &bytes[at..at + HEADER_LEN]].concat();
            let hash = blake3::derive_key("femtoclaw-ledger 2026 v3 record chain", &covered);
            bytes[entry + 8..entry + 40].copy_from_slice(&hash);
            bytes[112..144].copy_from_slice(&hash);
            forge(bytes, count);
        });
        let error = open_error(&copied).await;
        let named = matches!(&error, OpenError::Journal(ReadError::Damaged { seq, .. }) if seq.get() == last.last.count());
        let told = format!("unknown algorithm {unknown}");
        assert!(
            named && causes(&error).contains(&told),
            "{}",
            causes(&error)
        );
    }
    let parts = seeded(1).key().to_string();
    let parts: Vec<_> = parts.splitn(3, '+').collect();
    let mut bytes = Base64::decode_vec(parts[2]).unwrap();
    for id in 0..=u8::MAX {
        bytes[0] = id;
        let read = VerifierKey::parse(&format!(
            "{}+{}+{}",
            parts[0],
            parts[1],
            Base64::encode_string(&bytes)
        ));
        match (id, read) {
            (0x01, Ok(_)) | (0x04, Err(KeyError::Id { .. })) => {}
            (_, Err(KeyError::UnknownAlgorithm(named))) if named == id => {}
            (_, other) => panic!("{id:#04x}: {other:?}"),
        }
    }
}

#[test]
fn c1_a_key_file_with_another_algorithm_is_refused() {
    // X25519 (1.3.101.110) in the place of Ed25519 (1.3.101.112).
    let file = seeded(1).to_file(None).unwrap();
    SigningKey::from_file(&file, None).unwrap();
    let (begin, end) = (
        "-----BEGIN PRIVATE KEY-----\n",
        "\n-----END PRIVATE KEY-----",
    );
    let from = file.find(begin).unwrap() + begin.len();
    let until = file.find(end).unwrap();
    let der = file[from..until].replace('\n', "");
    let mut der = Base64::decode_vec(&der).unwrap();
    let at = der
        .windows(3)
        .position(|it| it == [0x2b, 0x65, 0x70])
        .unwrap();
    der[at + 2] = 0x6e;
    let other = [&file[..from], &Base64::encode_string(&der), &file[until..]].concat();
    assert_ne!(other, *file);
    let refused = SigningKey::from_file(&other, None).unwrap_err();
    assert_eq!(refused, KeyFileError::PrivateKey);
}

/// A closed ledger with frames of one commit each.
async fn closed() -> (tempfile::TempDir, std::path::PathBuf) {
    let (root, path) = place();
    let open = open(&path).await;
    open.sample().await;
    open.close().await;
    (root, path)
}

fn again(path: &Path) -> std::path::PathBuf {
    let copied = path.with_file_name("copy");
    drop(fs::remove_dir_all(&copied));
    copy(path, &copied);
    copied
}

/// An error and all that caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Wherever the newest frame was changed: the opening names its first bad record, serves and appends nothing, and tells.
#[test]
fn c2_a_bad_tail_is_not_opened_nothing_is_appended_and_it_is_told() {
    // A process of its own: the recorder is the process's.
    let Some(path) = child_path() else {
        let (_root, path) = place();
        let test = "crypto::c2_a_bad_tail_is_not_opened_nothing_is_appended_and_it_is_told";
        let output = child_command(test, &path).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && told.contains("ack end"),
            "{told}"
        );
        return;
    };
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    metrics::set_global_recorder(recorder).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let open = open(&path).await;
        open.sample().await;
        open.close().await;
        let last = frames(&path).pop().unwrap();
        let (first, len) = (last.first.get(), last.bytes().len());
        let (record, payload) = (record_at(last.bytes(), 0), payload_at(last.bytes(), 0));
        let mut refused = 0;
        for at in [8, TABLE, record + 20, payload, len - 1] {
            let copied = again(&path);
            let flip = |stored: &mut Stored| stored.last_mut().unwrap().1[at] ^= 1;
            tamper(&copied, flip);
            let before = stored(&copied);
            let error = open_error(&copied).await;
            refused += 1;
            let OpenError::Journal(ReadError::Damaged { seq, .. }) = &error else {
                panic!("byte {at}: {error}");
            };
            assert!(
                (first..=last.last.count()).contains(&seq.get()),
                "byte {at}: {error}"
            );
            assert_eq!(stored(&copied), before, "byte {at}");
            let line =
                format!("femtoclaw_ledger_recoveries_total{{outcome=\"failed\"}} {refused}\n");
            assert!(page.render().contains(&line), "{}", page.render());
        }
    });
    acknowledge("end");
}
