// SPDX-License-Identifier: Apache-2.0
//! `femtoclaw-ledger verify`: what it says, and how it ends.

use std::fs;

use crate::support::{Export, femtoclaw_ledger, header, log_key, policy, run, witness};
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::secret::SigningKey;

#[test]
fn a_genuine_export_is_verified_by_public_keys_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let earlier = Export::of(&dir.path().join("earlier"), 700);
    Export::of(&dir.path().join("now"), 70_000);
    fs::write(path("policy"), policy()).unwrap();
    let since = earlier.file("checkpoint");
    let since = since.to_str().unwrap();
    let arguments = [
        "verify",
        "export",
        &path("now"),
        "--policy",
        &path("policy"),
        "--since",
        since,
    ];
    let (code, text) = run(&arguments);
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "verified     export",
        "origin       ledger.example/audited",
        "size         70000",
        "records      70000",
        "first        2026-01-01T00:00:00.000000001Z",
        "extends      700",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("witnesses"))
            .count(),
        2
    );

    let json = [&arguments[..], &["--format", "json"]].concat();
    let (code, text) = run(&json);
    assert_eq!(code, Some(0), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["size"], 70_000);
    assert_eq!(json["witnesses"].as_array().unwrap().len(), 2);
}

#[test]
fn a_proof_and_a_checkpoint_are_verified() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let export = Export::of(&dir.path().join("log"), 300);
    fs::write(path("proof"), export.proof(300, 257).to_string()).unwrap();
    fs::write(path("entry"), header(257)).unwrap();
    fs::write(path("other"), header(256)).unwrap();
    let log = log_key().key().to_string();
    let verify = |entry: &str| {
        run(&[
            "verify",
            "proof",
            &path("proof"),
            "--entry",
            &path(entry),
            "--log",
            &log,
        ])
    };
    let (code, text) = verify("entry");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("record       257\n"), "{text}");
    let (code, text) = verify("other");
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("the proof leads to another root"), "{text}");

    let note = export.file("checkpoint");
    let note = note.to_str().unwrap();
    let witnesses: Vec<_> = (1..=3).map(|n| witness(n).key().to_string()).collect();
    let [w1, w2, w3] = witnesses.as_slice() else {
        unreachable!()
    };
    let verify = |quorum: &str| {
        let keys = [
            "--log",
            &log,
            "--witness",
            w1,
            "--witness",
            w2,
            "--witness",
            w3,
        ];
        let what = ["verify", "checkpoint", note, "--quorum", quorum];
        run(&[&what[..], &keys].concat())
    };
    assert_eq!(verify("2").0, Some(0));
    let (code, text) = verify("3");
    assert_eq!(code, Some(3), "{text}");
    // Both cosigned after this second.
    let early = run(&[
        "verify",
        "checkpoint",
        note,
        "--log",
        &log,
        "--witness",
        w1,
        "--quorum",
        "1",
        "--now",
        "1767225600",
    ]);
    assert_eq!(early.0, Some(3), "{}", early.1);
}

#[test]
fn misuse_and_absence_have_codes_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    Export::of(&dir.path().join("log"), 3);
    let log = log_key().key().to_string();
    let note = path("log/checkpoint");
    let key = witness(1).key().to_string();
    let usage: [&[&str]; 9] = [
        &["verify"],
        &["verify", "everything", &note, "--log", &log],
        &["verify", "checkpoint", &note],
        &["verify", "checkpoint", &note, "--log", "nonsense"],
        &[
            "verify",
            "checkpoint",
            &note,
            "--log",
            &log,
            "--witness",
            &key,
        ],
        &[
            "verify",
            "checkpoint",
            &note,
            "--log",
            &log,
            "--since",
            &note,
        ],
        &[
            "verify",
            "checkpoint",
            &note,
            "--log",
            &log,
            "--trust-me",
            "1",
        ],
        &["verify", "checkpoint", &note, "--log"],
        &["verify", "proof", &note, "--log", &log],
    ];
    for arguments in usage {
        let (code, text) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
    }
    // Two ways to say whom to trust are none.
    let policy = ["--policy", &path("absent")];
    let both = [&["verify", "checkpoint", &note, "--log", &log], &policy[..]].concat();
    assert_eq!(run(&both).0, Some(2));
    // A wrong argument is repeated, and a terminal gets no control sequences from it.
    let (code, text) = run(&["verify", "checkpoint", &note, "--log", "\u{9b}2J\u{202e}"]);
    assert!(code == Some(2) && text.contains("--log <KEY>"), "{text}");
    assert!(!text.contains(['\u{9b}', '\u{202e}']), "{text:?}");
    let (code, _) = run(&["verify", "checkpoint", &path("absent"), "--log", &log]);
    assert_eq!(code, Some(14));
    for (arguments, told) in [
        (&[][..], "verify"),
        (&["--help"], "Exit codes: 0 verified"),
        (&["verify", "export", "--help"], "--since <FILE>"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let output = femtoclaw_ledger(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(text.contains(told), "{arguments:?}: {text}");
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn a_stranger_is_refused_and_a_terminal_is_safe() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    Export::of(&dir.path().join("log"), 3);
    let log = log_key().key().to_string();
    let note = path("log/checkpoint");
    // A note of a log that is not trusted is no usage problem.
    let other = SigningKey::from_seed("ledger.example/other", Algorithm::Ed25519, &[9; 32]);
    let other = other.unwrap().key().to_string();
    let (code, _) = run(&["verify", "checkpoint", &note, "--log", &other]);
    assert_eq!(code, Some(3));
    // A terminal gets no control sequences from what others wrote.
    let sly = format!(
        "{}\u{9b}2J\n1\n{}\n\n— a AAAAAAE=\n",
        "x",
        "A".repeat(43) + "="
    );
    fs::write(path("sly"), sly).unwrap();
    let (code, text) = run(&["verify", "checkpoint", &path("sly"), "--log", &log]);
    assert_eq!(code, Some(3));
    assert!(!text.contains('\u{9b}'), "{text:?}");
}
