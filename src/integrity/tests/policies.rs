// SPDX-License-Identifier: Apache-2.0
//! Policies: which logs, which witnesses, how many.

use super::*;
use crate::integrity::key::{KeyError, Signer};
use crate::integrity::note::NoteError;
use crate::integrity::policy::{Policy, PolicyError, TrustError};

#[test]
fn a_public_checkpoint_passes_by_public_keys_alone() {
    let [w1, w2, w3, w4] = PUBLIC_WITNESSES;
    let note = Note::parse(PUBLIC.as_bytes()).unwrap();
    let text = format!(
        "# keys as published\nlog {PUBLIC_LOG} https://example.com/\n\n\twitness one {w1}\nwitness two {w2} \
         https://example.com/\nwitness three {w3}\nwitness four {w4}\ngroup some 2 one two three\n\
         group both all some four\nquorum both\n"
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let trusted = policy.check(&note, Some(PUBLIC_TIME_S)).unwrap();
    assert_eq!(trusted.checkpoint.size(), 1_432_088_532);
    assert_eq!(trusted.log, key(PUBLIC_LOG));
    assert_eq!(trusted.witnesses.len(), 4);
    // A second earlier, all four cosignatures were of the future.
    let early = policy.check(&note, Some(PUBLIC_TIME_S - 1));
    assert_eq!(early, Err(TrustError::NoQuorum(0)));
}

/// Each subset of three witnesses against each threshold.
#[test]
fn k_of_n_means_k_different_witnesses() {
    let keys: Vec<_> = (1..=3).map(|n| witness(n + 10).key().clone()).collect();
    for threshold in 0..=3 {
        let policy = Policy::new(&[log().key().clone()], &keys, threshold).unwrap();
        for subset in 0_u8..8 {
            let mut note = signed();
            for n in (0..3).filter(|n| subset & (1 << n) != 0) {
                note.cosign(&witness(n + 11), 100).unwrap();
                // A second time, and one that the policy does not know.
                note.cosign(&witness(n + 11), 101).unwrap();
                note.cosign(&witness(99), 100).unwrap();
            }
            let count = subset.count_ones() as usize;
            let found = policy.check(&note, None);
            match found {
                Ok(trusted) => {
                    assert!(count >= threshold, "{threshold} of {subset:b}");
                    assert_eq!(trusted.witnesses.len(), count);
                }
                Err(error) => {
                    assert!(count < threshold, "{threshold} of {subset:b}");
                    assert_eq!(error, TrustError::NoQuorum(count));
                }
            }
        }
    }
}

#[test]
fn what_no_trusted_log_signed_is_not_trusted() {
    let policy = Policy::new(&[log().key().clone()], &[], 0).unwrap();
    assert!(policy.check(&signed(), None).is_ok());

    // Signed by a key of that name that is not the one known.
    let impostor = signer("ledger.example/a", Algorithm::Ed25519, 66);
    let checkpoint = Checkpoint::new("ledger.example/a", 7, root(7)).unwrap();
    let forged = checkpoint.sign(&impostor).unwrap();
    let unsigned = TrustError::Unsigned("ledger.example/a".into());
    assert_eq!(policy.check(&forged, None), Err(unsigned));

    // Signed by the known key, of a log by another name: one log cannot speak for another.
    let other = Checkpoint::new("ledger.example/b", 7, root(7)).unwrap();
    let other = other.sign(&log()).unwrap();
    let unknown = TrustError::OtherLog("ledger.example/b".into());
    assert_eq!(policy.check(&other, None), Err(unknown));
    let b = signer("ledger.example/b", Algorithm::Ed25519, 2);
    let two = Policy::new(&[log().key().clone(), b.key().clone()], &[], 0).unwrap();
    let unsigned = TrustError::Unsigned("ledger.example/b".into());
    assert_eq!(two.check(&other, None), Err(unsigned));

    // An invalid signature of a known key spoils the note, whatever else is right.
    let mut note = signed();
    note.cosign(&witness(5), 1).unwrap();
    let policy = Policy::new(&[log().key().clone()], &[witness(5).key().clone()], 0).unwrap();
    let text = note.to_string();
    assert!(
        policy
            .check(&Note::parse(text.as_bytes()).unwrap(), None)
            .is_ok()
    );
    let last = text.lines().last().unwrap();
    let mut changed = last.to_owned();
    let replaced = if changed.as_bytes()[last.len() - 6] == b'A' {
        "B"
    } else {
        "A"
    };
    changed.replace_range(last.len() - 6..last.len() - 5, replaced);
    let spoiled = Note::parse(text.replace(last, &changed).as_bytes()).unwrap();
    assert!(matches!(
        policy.check(&spoiled, None),
        Err(TrustError::Note(NoteError::FalseSignature { .. }))
    ));

    let mut plain = Note::new("no checkpoint\n".into()).unwrap();
    plain.sign(&log()).unwrap();
    assert!(matches!(
        policy.check(&plain, None),
        Err(TrustError::Checkpoint(_))
    ));
}

/// A changed key keeps what the old one signed verifiable.
#[test]
fn two_keys_of_one_log_are_one_log() {
    let next = signer("ledger.example/a", Algorithm::Ed25519, 77);
    let policy = Policy::new(&[log().key().clone(), next.key().clone()], &[], 0).unwrap();
    let by = |signer: &SigningKey| {
        let checkpoint = Checkpoint::new("ledger.example/a", 7, root(7)).unwrap();
        let note = checkpoint.sign(signer).unwrap();
        policy.check(&note, None).map(|trusted| trusted.log)
    };
    assert_eq!(by(&log()), Ok(log().key().clone()));
    assert_eq!(by(&next), Ok(next.key().clone()));
}

#[test]
fn a_policy_that_could_be_misread_is_refused() {
    let [w1, w2, ..] = PUBLIC_WITNESSES;
    let log = PUBLIC_LOG;
    let renamed = {
        let key = key(w1);
        VerifierKey::new("other.example", Algorithm::CosignatureV1, key.public()).unwrap()
    };
    let own = VerifierKey::new("own", Algorithm::CosignatureV1, key(log).public()).unwrap();
    let both = format!("log {log}\nwitness a {w1}\nwitness b {w2}\n");
    let bad = [
        ("quorum none\n".into(), PolicyError::NoLog),
        (format!("log {log}\n"), PolicyError::Quorum),
        (
            format!("log {log}\nquorum none\nquorum none\n"),
            PolicyError::Quorum,
        ),
        (format!("log {log}\nquorum none"), PolicyError::Line(2)),
        (format!("log {log}\r\nquorum none\n"), PolicyError::Line(1)),
        (
            format!("log {log} a b\nquorum none\n"),
            PolicyError::Line(1),
        ),
        ("Log x\n".into(), PolicyError::Line(1)),
        ("log x\n".into(), PolicyError::Key(1, KeyError::Form)),
        (format!("log {w1}\n"), PolicyError::Kind(1)),
        (format!("witness a {log}\n"), PolicyError::Kind(1)),
        (
            format!("log {log}\nlog {log}\n"),
            PolicyError::DuplicateKey(2),
        ),
        (
            format!("{both}witness c {renamed}\n"),
            PolicyError::DuplicateKey(4),
        ),
        (
            format!("{both}witness c {own}\n"),
            PolicyError::DuplicateKey(4),
        ),
        (format!("{both}witness a {w1}\n"), PolicyError::Name(4)),
        (format!("witness none {w1}\n"), PolicyError::Name(1)),
        (format!("{both}quorum c\n"), PolicyError::Name(4)),
        (format!("{both}group g any c\n"), PolicyError::Name(4)),
        (format!("{both}group g any none\n"), PolicyError::Name(4)),
        (format!("{both}group g any a a\n"), PolicyError::Name(4)),
        (
            format!("{both}group g any a\ngroup h any a g\n"),
            PolicyError::Name(5),
        ),
        (format!("{both}group a any b\n"), PolicyError::Name(4)),
        (format!("{both}group g 0 a b\n"), PolicyError::Threshold(4)),
        (format!("{both}group g 3 a b\n"), PolicyError::Threshold(4)),
        (format!("{both}group g 01 a b\n"), PolicyError::Threshold(4)),
        (
            format!("{both}group g most a b\n"),
            PolicyError::Threshold(4),
        ),
        (format!("{both}group g all\n"), PolicyError::Threshold(4)),
        ("#".repeat(65_537), PolicyError::TooLarge),
    ];
    for (text, error) in bad {
        assert_eq!(Policy::parse(text.as_bytes()), Err(error), "{text:.300}");
    }
    let threshold = Policy::new(&[key(log)], &[key(w1)], 2);
    assert_eq!(threshold, Err(PolicyError::Threshold(2)));
    // Names are bytes; comments may hold anything that is printed.
    let odd = format!("# \u{e9}\nlog {log}\nwitness \u{e9} {w1}\nquorum \u{e9}\n");
    assert!(Policy::parse(odd.as_bytes()).is_ok());
}
