// SPDX-License-Identifier: Apache-2.0
//! The last fields of a header — subject, what the clock said, data key, reserved bytes — in a file whose checksum fits:
//! none of their bytes can be another, here and for the program in Go.

use std::fs;
use std::process::Command;

use base64ct::{Base64, Encoding};
use femtoclaw_ledger::events::{HEADER_LEN, Seq};
use femtoclaw_ledger::integrity::evidence::BundlePart;
use femtoclaw_ledger::integrity::key::Signer;

use super::attacks::Forged;
use super::scene::Scene;
use crate::foreign::{go, said};
use crate::support::log_key;

/// Where the subject begins, and where the reserved bytes do.
const SUBJECT: usize = 192;
const RESERVED: usize = 220;

/// Each header in a file: its line, and whose it is.
fn headers(file: &str) -> Vec<(String, Seq)> {
    let lines = file.lines().filter_map(|line| {
        let entry = Base64::decode_vec(line.strip_prefix("header ")?).unwrap();
        assert_eq!(entry.len(), HEADER_LEN);
        let seq = u64::from_le_bytes(entry[16..24].try_into().unwrap());
        Some((line.to_owned(), Seq::new(seq).unwrap()))
    });
    lines.collect()
}

fn changed(line: &str, at: usize) -> String {
    let mut entry = Base64::decode_vec(line.strip_prefix("header ").unwrap()).unwrap();
    entry[at] ^= 1;
    format!("header {}", Base64::encode_string(&entry))
}

#[tokio::test]
async fn every_changed_byte_of_a_new_field_is_refused_and_the_record_is_named() {
    let file = Scene::new().await.file("denied").await;
    let headers = headers(&file);
    // The record that opened the ledger, the one that names the component, and two of the execution.
    assert_eq!(headers.len(), 4);
    for (line, seq) in &headers {
        for at in SUBJECT..HEADER_LEN {
            let forged = Forged::of(&file).with(line, &changed(line, at));
            let (part, text) = forged.refusal();
            let expected = match at < RESERVED {
                true => BundlePart::Proof(*seq),
                false => BundlePart::Header(*seq),
            };
            assert_eq!(part, expected, "byte {at}: {text}");
        }
    }
}

#[tokio::test]
async fn foreign_checks_refuse_each_changed_byte_of_a_new_field_and_name_the_record() {
    let (work, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(program) = go(work.path()) else {
        return;
    };
    let file = Scene::new().await.file("denied").await;
    fs::write(dir.path().join("log.vkey"), log_key().key().to_string()).unwrap();
    fs::write(dir.path().join("witnesses.vkey"), "").unwrap();
    fs::create_dir(dir.path().join("bundles")).unwrap();
    let verdict = |file: &str| {
        fs::write(dir.path().join("bundles/denied"), file).unwrap();
        said(Command::new(&program).arg(dir.path()).output().unwrap())
    };
    let (accepted, text) = verdict(&file);
    assert!(accepted, "{text}");
    for (line, seq) in headers(&file) {
        for at in SUBJECT..HEADER_LEN {
            let forged = Forged::of(&file).with(&line, &changed(&line, at));
            let (accepted, text) = verdict(&forged.file());
            assert!(!accepted, "byte {at} of record {seq}: {text}");
            let named = format!("the header of record {seq} ");
            assert!(text.contains(&named), "byte {at} of record {seq}: {text}");
            assert_eq!(text.contains("reserved"), at >= RESERVED, "{text}");
        }
    }
}
