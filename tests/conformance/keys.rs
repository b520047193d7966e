// SPDX-License-Identifier: Apache-2.0
//! Keys: whose they are, what is left of them, and what changing one keeps: C3.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use femtoclaw_ledger::directory::keys::{self, KeyStoreError};
use femtoclaw_ledger::events::{Event, SigningKeyChangedV1};
use femtoclaw_ledger::integrity::key::{Algorithm, Signer, VerifierKey};
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::policy::{Policy, TrustError};
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{
    Ledger, Options, Seq,
    checkpoint::{CheckpointOptions, KeyChange},
};

use crate::support::*;

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

fn trusting(keys: &[&VerifierKey]) -> Policy {
    let keys: Vec<_> = keys.iter().map(|key| (*key).clone()).collect();
    Policy::new(&keys, &[], 0).unwrap()
}

/// The key file's mode, and that a file which others can read is not used.
#[test]
fn c3_a_key_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    keys::create(&path, NAME, Algorithm::Ed25519, None).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    for exposed in [0o640, 0o620, 0o610, 0o604, 0o602, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(exposed)).unwrap();
        let refused = keys::open(&path, None);
        let mode = matches!(&refused, Err(KeyStoreError::Exposed { mode, .. }) if *mode == exposed);
        assert!(mode, "{exposed:o}: {refused:?}");
    }
}

/// Whoever holds a key drops it: its 32 bytes are nowhere in the process any more, on no stack either.
#[test]
fn c3_a_key_that_is_dropped_is_wiped_from_memory() {
    use std::io::{BufRead, BufReader, Write};
    if let Some(path) = child_path() {
        let signer = keys::open(&path, None).unwrap();
        let mut note = Note::new("text\n".into()).unwrap();
        note.sign(&signer).unwrap();
        acknowledge("held");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        drop(signer);
        acknowledge("dropped");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    keys::create(&path, NAME, Algorithm::Ed25519, None).unwrap();
    let file = fs::read_to_string(&path).unwrap();
    let pem: String = file
        .lines()
        .skip(2)
        .take_while(|line| !line.starts_with('-'))
        .collect();
    let der = Base64::decode_vec(&pem).unwrap();
    let seed = &der[der.len() - 32..];
    let expected = SigningKey::from_seed(NAME, Algorithm::Ed25519, seed.try_into().unwrap());
    assert!(
        file.starts_with(&expected.unwrap().key().to_string()),
        "the seed was not found"
    );

    let mut command = child_command("keys::c3_a_key_that_is_dropped_is_wiped_from_memory", &path);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut found = Vec::new();
    for word in ["ack held", "ack dropped"] {
        let told = lines.by_ref().map(Result::unwrap).find(|line| line == word);
        assert!(told.is_some(), "{word}");
        found.push(places(child.id(), seed));
        child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }
    assert!(child.wait().unwrap().success());
    let [Some(held), Some(dropped)] = &found[..] else {
        eprintln!("SKIPPED: the memory of another process cannot be read here");
        return;
    };
    // While it is held it is found, so the search finds what there is.
    assert!(!held.is_empty());
    assert_eq!(dropped, &[] as &[String]);
}

/// Where these bytes are in the memory of a process; `None` where the system does not let us look.
fn places(process: u32, bytes: &[u8]) -> Option<Vec<String>> {
    use std::os::unix::fs::FileExt;
    let memory = fs::File::open(format!("/proc/{process}/mem")).ok()?;
    let mut found = Vec::new();
    for line in fs::read_to_string(format!("/proc/{process}/maps"))
        .unwrap()
        .lines()
    {
        let (range, rest) = line.split_once(' ').unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|it| u64::from_str_radix(it, 16).unwrap());
        let mut region = vec![0; usize::try_from(to - from).unwrap()];
        if !rest.starts_with("rw") || memory.read_exact_at(&mut region, from).is_err() {
            continue;
        }
        let hits = region
            .windows(bytes.len())
            .enumerate()
            .filter(|(_, it)| *it == bytes);
        found.extend(hits.map(|(at, _)| format!("{at:x} of {line}")));
    }
    Some(found)
}

/// Another key takes over: the change is on the record, what the old key signed is worth what it was, a
/// signature of an algorithm that is not known yet is carried along, and the old key signs no more.
#[tokio::test]
async fn c3_a_rotated_key_keeps_old_checkpoints_verifiable() {
    let (root, path) = place();
    let file = |name: &str| root.path().join(name);
    for name in ["first", "second"] {
        keys::create(&file(name), NAME, Algorithm::Ed25519, None).unwrap();
    }
    let key = |name: &str| keys::open(&file(name), None).unwrap();
    let (first, second) = (key("first").key().clone(), key("second").key().clone());
    let open = open_with(&path, signing(key("first"), &[])).await;
    open.sample().await;
    let old = open.root.checkpoint().await.unwrap();
    let why = KeyChange {
        author: "ada".to_owned(),
        reason: "once a year".to_owned(),
    };
    open.root
        .change_key(Arc::new(key("second")), why)
        .await
        .unwrap();
    open.execute().await;
    let new = open.root.checkpoint().await.unwrap();
    let told = open
        .events()
        .await
        .into_iter()
        .find_map(|event| match event {
            Event::SigningKeyChanged(it) => Some(it),
            _ => None,
        });
    let expected = SigningKeyChangedV1 {
        old: first.to_string(),
        new: second.to_string(),
        author: "ada".to_owned(),
        reason: "once a year".to_owned(),
    };
    assert_eq!(told, Some(expected));
    open.close().await;

    let open = granted(
        Ledger::open(&path, signing(key("second"), std::slice::from_ref(&first)))
            .await
            .unwrap(),
        None,
    )
    .await;
    let both = trusting(&[&first, &second]);
    for (note, signer, other) in [(&old, &first, &second), (&new, &second, &first)] {
        assert_eq!(&both.check(note, None).unwrap().log, signer);
        let refused = trusting(&[other]).check(note, None);
        assert!(
            matches!(refused, Err(TrustError::Unsigned(_))),
            "{refused:?}"
        );
        // The proofs too, of a record under each.
        let proof = open.ledger.prove(Seq::FIRST, note).await.unwrap();
        let record = open.reads().get(Seq::FIRST).await.unwrap().unwrap();
        proof.verify(&record.header.encode(), &both, None).unwrap();
    }
    open.ledger.prove_extension(&old, &new).await.unwrap();
    // An algorithm of the future: a line of it is nobody's here, and is not lost.
    let line = format!("\u{2014} {NAME} {}\n", Base64::encode_string(&[7; 200]));
    let mixed = Note::parse(format!("{new}{line}").as_bytes()).unwrap();
    assert_eq!(&both.check(&mixed, None).unwrap().log, &second);
    assert!(mixed.to_string().ends_with(&line));
    open.close().await;
}
