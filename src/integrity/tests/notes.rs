// SPDX-License-Identifier: Apache-2.0
//! Notes, public keys and checkpoints.

use super::*;
use crate::integrity::checkpoint::CheckpointTextError;
use crate::integrity::key::{KeyError, SignError, Signer};
use crate::integrity::note::{NOTE_BYTES_MAX, NoteError, SIGNATURES_MAX};

/// From the documentation of Go's `golang.org/x/mod/sumdb/note`.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_SEED: &str = "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173";
const SAYING: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n";
const SAID: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg\
    KvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const ENOCH_SAID: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGr\
    Q5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

#[test]
fn the_note_of_the_go_documentation_is_read_and_made() {
    let bytes = format!("{SAYING}\n{SAID}{ENOCH_SAID}");
    let note = Note::parse(bytes.as_bytes()).unwrap();
    assert_eq!(note.text(), SAYING);
    assert_eq!(note.to_string(), bytes);
    assert_eq!(note.signed_by(&key(PETER)), Ok(Some(0)));
    assert_eq!(note.signed_by(&key(ENOCH)), Ok(Some(0)));

    // The seed in the documentation's "PRIVATE+KEY+…".
    let mut seed = [0; 32];
    for (index, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&PETER_SEED[2 * index..2 * index + 2], 16).unwrap();
    }
    let peter = SigningKey::from_seed("PeterNeumann", Algorithm::Ed25519, &seed).unwrap();
    assert_eq!(peter.key().to_string(), PETER);
    let mut made = Note::new(SAYING.to_owned()).unwrap();
    made.sign(&peter).unwrap();
    assert_eq!(made.to_string(), format!("{SAYING}\n{SAID}"));
    // Signing again does not add a line.
    made.sign(&peter).unwrap();
    assert_eq!(made.signatures().len(), 1);
}

#[test]
fn a_public_logs_checkpoint_and_its_cosignatures_are_accepted() {
    let note = Note::parse(PUBLIC.as_bytes()).unwrap();
    assert_eq!(note.to_string(), PUBLIC);
    assert_eq!(note.signed_by(&key(PUBLIC_LOG)), Ok(Some(0)));
    for witness in PUBLIC_WITNESSES {
        let signed = note.signed_by(&key(witness));
        assert_eq!(signed, Ok(Some(PUBLIC_TIME_S)), "{witness}");
    }
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    assert_eq!(checkpoint.size(), 1_432_088_532);
    assert_eq!(checkpoint.text(), note.text());

    // Another size: the log's signature and every cosignature are false.
    let forged = PUBLIC.replace("1432088532", "1432088531");
    let forged = Note::parse(forged.as_bytes()).unwrap();
    for known in PUBLIC_WITNESSES.iter().chain([&PUBLIC_LOG]) {
        let found = forged.signed_by(&key(known));
        assert!(
            matches!(found, Err(NoteError::FalseSignature { .. })),
            "{known}"
        );
    }
    // The same bytes as another kind of signature: unknown, not accepted.
    let other = key(PUBLIC_WITNESSES[2]);
    let other = VerifierKey::new(other.name(), Algorithm::Ed25519, other.public()).unwrap();
    assert_eq!(note.signed_by(&other), Ok(None));
}

#[test]
fn a_cosignature_covers_time_and_text() {
    let mut note = signed();
    note.cosign(&witness(9), 1_700_000_000).unwrap();
    note.cosign(&witness(9), 1_700_000_001).unwrap();
    assert_eq!(note.signatures().len(), 2);
    let key = witness(9).key().clone();
    assert_eq!(note.signed_by(&key), Ok(Some(1_700_000_001)));
    let text = note.to_string();
    let last = text.lines().last().unwrap();
    let (head, signature) = last.rsplit_once(' ').unwrap();
    use base64ct::{Base64, Encoding};
    let bytes = Base64::decode_vec(signature).unwrap();
    assert_eq!(bytes.len(), 4 + 8 + 64);
    for at in 4..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let line = format!("{head} {}", Base64::encode_string(&changed));
        let forged = Note::parse(text.replace(last, &line).as_bytes()).unwrap();
        let found = forged.signed_by(&key);
        assert!(
            matches!(found, Err(NoteError::FalseSignature { .. })),
            "byte {at}"
        );
    }
    let wrong_kind = note.cosign(&log(), 1);
    assert!(matches!(wrong_kind, Err(SignError::Algorithm(_))));
    let wrong_kind = note.sign(&witness(9));
    assert!(matches!(wrong_kind, Err(SignError::Algorithm(_))));
}

#[test]
fn a_signer_is_believed_only_if_its_public_key_does() {
    struct Broken(SigningKey, bool);
    impl Signer for Broken {
        fn key(&self) -> &VerifierKey {
            self.0.key()
        }
        fn sign(&self, _: &[u8]) -> Result<[u8; 64], Box<dyn std::error::Error + Send + Sync>> {
            if self.1 {
                Ok([7; 64])
            } else {
                Err("the device is away".into())
            }
        }
    }
    let mut note = Note::new("text\n".to_owned()).unwrap();
    let wrong = note.sign(&Broken(log(), true));
    assert!(matches!(wrong, Err(SignError::Wrong(_))), "{wrong:?}");
    let failed = note.sign(&Broken(log(), false));
    assert!(
        matches!(failed, Err(SignError::Signer { .. })),
        "{failed:?}"
    );
    assert_eq!(note.signatures(), []);
}

#[test]
fn what_is_no_note_is_refused() {
    let line = "— a AAAAAAE=\n";
    let fine = format!("text\n\n{line}");
    assert!(Note::parse(fine.as_bytes()).is_ok());
    // An empty line within the text is text.
    let inner = format!("a\n\nb\n\n{line}");
    assert_eq!(Note::parse(inner.as_bytes()).unwrap().text(), "a\n\nb\n");
    let many = |count: usize| format!("text\n\n{}", line.repeat(count));
    assert!(Note::parse(many(SIGNATURES_MAX).as_bytes()).is_ok());
    let bad = [
        (String::new(), NoteError::Form),
        ("text\n".into(), NoteError::Form),
        ("text\n\n".into(), NoteError::Form),
        (format!("text{line}"), NoteError::Form),
        (fine.trim_end().into(), NoteError::Form),
        (format!("te\rxt\n\n{line}"), NoteError::NotText),
        ("text\n\n- a AAAAAAE=\n".into(), NoteError::SignatureLine(1)),
        ("text\n\n— a AAAAAA==\n".into(), NoteError::SignatureLine(1)),
        ("text\n\n— a AAAAAAE\n".into(), NoteError::SignatureLine(1)),
        ("text\n\n— a AAAAAAF=\n".into(), NoteError::SignatureLine(1)),
        (
            "text\n\n— a+b AAAAAAE=\n".into(),
            NoteError::SignatureLine(1),
        ),
        ("text\n\n—  AAAAAAE=\n".into(), NoteError::SignatureLine(1)),
        (
            "text\n\n— a\u{a0}b AAAAAAE=\n".into(),
            NoteError::SignatureLine(1),
        ),
        (
            format!("text\n\n{line}{line}— a\n"),
            NoteError::SignatureLine(3),
        ),
        (many(SIGNATURES_MAX + 1), NoteError::TooLarge),
        (" ".repeat(NOTE_BYTES_MAX + 1), NoteError::TooLarge),
    ];
    for (text, error) in bad {
        assert_eq!(Note::parse(text.as_bytes()), Err(error), "{text:.60}");
    }
    assert_eq!(Note::parse(b"\xff\n\n"), Err(NoteError::NotText));
    assert_eq!(Note::new("no end".into()), Err(NoteError::Form));
}

#[test]
fn what_is_no_public_key_is_refused() {
    for known in [
        PETER,
        ENOCH,
        PUBLIC_LOG,
        PUBLIC_WITNESSES[0],
        PUBLIC_WITNESSES[1],
    ] {
        assert_eq!(key(known).to_string(), known);
    }
    let bad = [
        ("", KeyError::Form),
        ("name", KeyError::Form),
        ("name+c74f20a3", KeyError::Form),
        (&PETER.replace("c74f20a3", "C74F20A3"), KeyError::Form),
        (&PETER.replace("c74f20a3", "+74f20a3"), KeyError::Form),
        (&PETER.replace("10TW", "10T"), KeyError::Form),
        (&PETER.replace("10TW", "10TWAAAA"), KeyError::Form),
        (&PETER.replace("PeterNeumann", ""), KeyError::Name),
        (
            &PETER.replace("PeterNeumann", "Peter Neumann"),
            KeyError::Name,
        ),
        // From Go's tests: algorithm 0x65, with the id that such a key would have.
        (
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            KeyError::UnknownAlgorithm(0x65),
        ),
        (
            &PETER.replace("c74f20a3", "c74f20a4"),
            KeyError::Id {
                expected: 0xc74f_20a3,
                found: 0xc74f_20a4,
            },
        ),
        // ML-DSA-44 is a later algorithm of the same specification: refused, not skipped.
        (
            "test+5893dc2c+BtMcFiao6ZOdU6LZ40tLKbsWpDOU",
            KeyError::UnknownAlgorithm(6),
        ),
    ];
    for (text, error) in bad {
        assert_eq!(VerifierKey::parse(text), Err(error), "{text}");
    }
    // The neutral element: it would accept signatures over anything.
    let mut weak = [0; 32];
    weak[0] = 1;
    let weak = VerifierKey::new("weak", Algorithm::Ed25519, &weak);
    assert_eq!(weak, Err(KeyError::Point));
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let empty = merkle::empty_root();
    let fine = format!("example.com/log\n0\n{empty}\nmore\nand more\n");
    let read = Checkpoint::parse(&fine).unwrap();
    assert_eq!(read.extensions(), ["more", "and more"]);
    assert_eq!(read.text(), fine);
    let r = root(1);
    let bad = [
        (String::new(), CheckpointTextError::Lines),
        (format!("o\n1\n{r}"), CheckpointTextError::Lines),
        ("o\n1\n".into(), CheckpointTextError::Lines),
        (format!("o\n1\n{r}\n\n"), CheckpointTextError::Lines),
        (format!("\n1\n{r}\n"), CheckpointTextError::Origin),
        (
            format!("{}\n1\n{r}\n", "o".repeat(256)),
            CheckpointTextError::Origin,
        ),
        (format!("o\n01\n{r}\n"), CheckpointTextError::Size),
        (format!("o\n+1\n{r}\n"), CheckpointTextError::Size),
        (format!("o\n\n{r}\n"), CheckpointTextError::Size),
        (
            format!("o\n9223372036854775808\n{r}\n"),
            CheckpointTextError::Size,
        ),
        (
            format!("o\n99999999999999999999\n{r}\n"),
            CheckpointTextError::Size,
        ),
        ("o\n1\nAAAA\n".into(), CheckpointTextError::Root),
        (
            format!("o\n1\n{}\n", "A".repeat(44)),
            CheckpointTextError::Root,
        ),
        (format!("o\n0\n{r}\n"), CheckpointTextError::Root),
    ];
    for (text, error) in bad {
        assert_eq!(Checkpoint::parse(&text), Err(error), "{text}");
    }
    let largest = format!("o\n9223372036854775807\n{r}\n");
    assert!(Checkpoint::parse(&largest).is_ok());
}

#[test]
fn signatures_of_another_copy_are_taken_over() {
    let (mut one, mut other) = (signed(), signed());
    one.cosign(&witness(2), 5).unwrap();
    other.cosign(&witness(3), 6).unwrap();
    assert!(one.merge(&other));
    assert!(one.merge(&other), "again, and nothing is added");
    assert_eq!(one.signatures().len(), 3);
    assert_eq!(one.signed_by(witness(3).key()), Ok(Some(6)));
    let another = Note::new("another\n".into()).unwrap();
    assert!(!one.merge(&another));
    // A witness has one name, and may have had another key before.
    let (name, algorithm) = (witness(3).key().name().to_owned(), Algorithm::CosignatureV1);
    let later = signer(&name, algorithm, 4);
    let mut third = signed();
    third.cosign(&later, 7).unwrap();
    assert!(one.merge(&third));
    assert_eq!(one.signed_by(witness(3).key()), Ok(Some(6)));
    assert_eq!(one.signed_by(later.key()), Ok(Some(7)));
}
