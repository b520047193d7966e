// SPDX-License-Identifier: Apache-2.0
//! Evidence that was handed out once (`evidence/golden/`), as somebody has it who has no ledger: these checks need
//! no engine.

use std::fs;
use std::path::PathBuf;

use femtoclaw_ledger::integrity::evidence::Bundle;
use femtoclaw_ledger::integrity::key::Signer;

use crate::foreign;
use crate::support::{femtoclaw_ledger, log_key, run};

/// Names without an end: `.txt` is the evidence, `.html` its page.
fn golden() -> Vec<PathBuf> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/verifier/evidence/golden"
    );
    let paths = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let texts = paths.filter(|path| path.extension().is_some_and(|end| end == "txt"));
    let mut names: Vec<_> = texts.map(|path| path.with_extension("")).collect();
    names.sort();
    assert!(names.len() >= 5, "{names:?}");
    names
}

/// A bundle has one spelling: whatever is read is written again as it was.
#[test]
fn a_word_with_something_behind_it_is_not_that_word() {
    for name in golden() {
        let text = fs::read_to_string(name.with_extension("txt")).unwrap();
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        let mut refused = 0;
        for at in 0..lines.len() {
            let (before, after) = lines.split_at(at);
            let put = [before.concat().as_str(), "withheldABC\n", &after.concat()].concat();
            match Bundle::parse(put.as_bytes()) {
                Ok(bundle) => assert_eq!(bundle.to_string(), put, "{}: {at}", name.display()),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 20, "{refused}");
    }
}

#[test]
fn stored_evidence_and_its_page_are_verified_by_a_public_key() {
    let key = log_key().key().to_string();
    for name in golden() {
        let (text, html) = (name.with_extension("txt"), name.with_extension("html"));
        let dir = tempfile::tempdir().unwrap();
        let evidence = dir.path().join("evidence.txt");
        fs::copy(&text, &evidence).unwrap();
        fs::copy(&html, dir.path().join("page.html")).unwrap();
        let verify = || {
            let dir = dir.path().to_str().unwrap();
            run(&["verify", "bundle", dir, "--log", &key])
        };
        let (code, said) = verify();
        assert_eq!(code, Some(0), "{name:?}: {said}");
        assert!(said.contains("page         is the bundle's"), "{said}");
        let page = femtoclaw_ledger(&["page", text.to_str().unwrap()]);
        assert_eq!(page.stdout, fs::read(&html).unwrap(), "{name:?}");
        let mut bytes = fs::read(&text).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&evidence, bytes).unwrap();
        let (code, said) = verify();
        assert_eq!(code, Some(3), "{name:?}: {said}");
    }
}

#[test]
fn foreign_checks_accept_stored_evidence_and_refuse_a_changed_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("log.vkey"), log_key().key().to_string()).unwrap();
    fs::write(dir.path().join("witnesses.vkey"), "").unwrap();
    let bundles = dir.path().join("bundles");
    fs::create_dir(&bundles).unwrap();
    let mut last = PathBuf::new();
    for name in golden() {
        last = bundles.join(name.file_name().unwrap());
        fs::copy(name.with_extension("txt"), &last).unwrap();
    }
    let Some((accepted, said)) = foreign::verdict(dir.path()) else {
        return;
    };
    assert!(accepted, "{said}");
    assert!(
        said.contains("bundle completed: complete 6 completed, "),
        "{said}"
    );
    let changed = fs::read_to_string(&last).unwrap();
    fs::write(&last, changed.replacen("hash ", "hash A", 1)).unwrap();
    let (accepted, said) = foreign::verdict(dir.path()).unwrap();
    assert!(!accepted, "{said}");
}

/// Verbs that need the engine are absent, and not half there.
#[cfg(not(feature = "engine"))]
#[test]
fn a_build_without_the_engine_verifies_and_does_no_more() {
    let help = femtoclaw_ledger(&["--help"]).stdout;
    let help = String::from_utf8(help).unwrap();
    assert!(
        help.contains("  verify ") && help.contains("  page "),
        "{help}"
    );
    for verb in ["inspect", "salvage"] {
        assert!(!help.contains(&format!("  {verb} ")), "{help}");
        let (code, said) = run(&[verb, "a", "b"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("unrecognized subcommand"), "{said}");
    }
}
