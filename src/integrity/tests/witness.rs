// SPDX-License-Identifier: Apache-2.0
//! Requests to a witness and its answers: the bytes, every refusal, and what a log makes of them.

use super::*;
use crate::integrity::key::Signer;
use crate::integrity::merkle::{TreeHead, empty_root, node_hash};
use crate::integrity::witness::{
    ANSWER_BYTES_MAX, AddCheckpoint, REQUEST_BYTES_MAX, RequestError, WitnessOutcome,
    WitnessRefusal, check, outcome,
};

const ORIGIN: &str = "ledger.example/a";

fn checkpoint(size: u64, root: TreeHash) -> Note {
    let checkpoint = Checkpoint::new(ORIGIN, size, root).unwrap();
    checkpoint.sign(&log()).unwrap()
}

/// Leaves 1, 2, 3, and the trees over the first of them.
fn tree(size: u64) -> TreeHash {
    let two = node_hash(&root(1), &root(2));
    match size {
        0 => empty_root(),
        1 => root(1),
        2 => two,
        _ => node_hash(&two, &root(3)),
    }
}

fn request(old_size: u64, proof: &[TreeHash], checkpoint: Note) -> AddCheckpoint {
    let proof = proof.to_vec();
    AddCheckpoint {
        old_size,
        proof,
        checkpoint,
    }
}

/// What a witness that has cosigned the tree of this size says.
fn asked(request: &AddCheckpoint, cosigned: u64) -> Result<Checkpoint, WitnessRefusal> {
    let last = (cosigned > 0).then(|| TreeHead {
        size: cosigned,
        root: tree(cosigned),
    });
    check(request, &[log().key().clone()], |origin| {
        assert_eq!(origin, ORIGIN);
        last
    })
}

fn status(refused: Result<Checkpoint, WitnessRefusal>) -> (u16, &'static str, String) {
    let refusal = refused.unwrap_err();
    let answer = refusal.answer();
    let body = String::from_utf8(answer.body).unwrap();
    (answer.status, refusal.code(), body)
}

#[test]
fn a_request_has_the_bytes_of_the_specification() {
    let note = checkpoint(3, tree(3));
    let bytes = format!("old 2\n{}\n\n{note}", root(3));
    let read = AddCheckpoint::parse(bytes.as_bytes()).unwrap();
    assert_eq!(read, request(2, &[root(3)], note.clone()));
    assert_eq!(read.to_string(), bytes);
    let first = format!("old 0\n\n{note}");
    assert_eq!(
        AddCheckpoint::parse(first.as_bytes()).unwrap(),
        request(0, &[], note.clone())
    );

    let hash = root(3);
    for (bytes, error) in [
        (String::new(), RequestError::OldSize),
        (format!("old 02\n\n{note}"), RequestError::OldSize),
        (format!("old -1\n\n{note}"), RequestError::OldSize),
        (format!("size 2\n\n{note}"), RequestError::OldSize),
        (format!("old 2\nxx\n\n{note}"), RequestError::Hash(1)),
        (
            format!("old 2\n{}\n{note}", format!("{hash}\n").repeat(64)),
            RequestError::Hash(64),
        ),
        ("old 2\n".to_owned(), RequestError::NoCheckpoint),
        (format!("old 2\n{hash}\n"), RequestError::NoCheckpoint),
        (" ".repeat(REQUEST_BYTES_MAX + 1), RequestError::TooLarge),
    ] {
        assert_eq!(AddCheckpoint::parse(bytes.as_bytes()), Err(error));
    }
    let unsigned = AddCheckpoint::parse(b"old 0\n\nledger.example/a\n0\n");
    assert!(
        matches!(unsigned, Err(RequestError::Note(_))),
        "{unsigned:?}"
    );
}

#[test]
fn only_what_extends_the_last_one_may_be_cosigned() {
    let accepted = |request: &AddCheckpoint, cosigned| {
        let size = asked(request, cosigned).unwrap().size();
        assert_eq!(size, 3);
    };
    accepted(&request(0, &[], checkpoint(3, tree(3))), 0);
    accepted(&request(2, &[root(3)], checkpoint(3, tree(3))), 2);
    accepted(&request(1, &[root(2), root(3)], checkpoint(3, tree(3))), 1);
    // The same again.
    accepted(&request(3, &[], checkpoint(3, tree(3))), 3);
}

#[test]
fn every_refusal_has_its_status_and_its_word() {
    let good = || checkpoint(3, tree(3));
    // Another size than the one cosigned last: which one it is.
    let conflict = (409, "witness_conflict", "2\n".to_owned());
    assert_eq!(status(asked(&request(0, &[], good()), 2)), conflict);
    let three = request(3, &[], good());
    assert_eq!(status(asked(&three, 2)), conflict);
    assert_eq!(
        status(asked(&request(1, &[], good()), 0)),
        (409, "witness_conflict", "0\n".to_owned())
    );
    // Fewer records than before, with any old size that it may name.
    for old in [0, 1, 2] {
        let behind = request(old, &[], checkpoint(2, tree(2)));
        let rollback = (409, "witness_rollback", "3\n".to_owned());
        assert_eq!(status(asked(&behind, 3)), rollback);
    }
    // As many, and others.
    let forked = request(3, &[], checkpoint(3, root(9)));
    let other = (409, "witness_other_history", "3\n".to_owned());
    assert_eq!(status(asked(&forked, 3)), other);
    // More, that do not begin with the old ones; a proof of something else; one too many.
    for (old, proof) in [
        (2, vec![root(9)]),
        (2, vec![]),
        (2, vec![root(3), root(3)]),
        (0, vec![root(3)]),
    ] {
        let (code, word, _) = status(asked(&request(old, &proof, good()), old));
        assert_eq!((code, word), (422, "witness_inconsistent"), "{proof:?}");
    }
    let sizes = request(4, &[], good());
    assert_eq!(status(asked(&sizes, 4)).0, 400);

    let other_key = SigningKey::from_seed(ORIGIN, Algorithm::Ed25519, &[9; 32]).unwrap();
    let forged = Checkpoint::new(ORIGIN, 3, tree(3)).unwrap();
    let forged = forged.sign(&other_key).unwrap();
    let (code, word, _) = status(asked(&request(0, &[], forged), 0));
    assert_eq!((code, word), (403, "witness_unsigned"));
    let text = good().to_string().replace("\n3\n", "\n4\n");
    let changed = Note::parse(text.as_bytes()).unwrap();
    assert_eq!(status(asked(&request(0, &[], changed), 0)).0, 403);
    let strange = Checkpoint::new("ledger.example/b", 3, tree(3)).unwrap();
    let strange = strange.sign(&signer("ledger.example/b", Algorithm::Ed25519, 2));
    let unknown = check(
        &request(0, &[], strange.unwrap()),
        &[log().key().clone()],
        |_| None,
    );
    assert_eq!(status(unknown).0, 404);
    let mut saying = Note::new("ledger.example/a\nno checkpoint\n".to_owned()).unwrap();
    saying.sign(&log()).unwrap();
    assert_eq!(status(asked(&request(0, &[], saying), 0)).0, 400);
}

#[test]
fn a_log_believes_only_its_witness() {
    let note = checkpoint(3, tree(3));
    let witnessed = |number: u8, text: &Note| {
        let mut cosigned = text.clone();
        cosigned.cosign(&witness(number), 1_767_225_600).unwrap();
        cosigned.signatures().last().unwrap().to_string()
    };
    let said = |status, body: &str| outcome(status, body.as_bytes(), &note, witness(1).key());
    let mut cosigned = note.clone();
    cosigned.cosign(&witness(1), 1_767_225_600).unwrap();
    let line = witnessed(1, &note);
    assert_eq!(said(200, &line), WitnessOutcome::Cosigned(cosigned.clone()));
    // Others' lines beside it are ignored.
    let both = witnessed(2, &note) + &line;
    assert_eq!(said(200, &both), WitnessOutcome::Cosigned(cosigned));
    assert_eq!(said(409, "17\n"), WitnessOutcome::From(17));
    for (status, body) in [
        (200, witnessed(2, &note)),
        (200, witnessed(1, &checkpoint(2, tree(2)))),
        (200, String::new()),
        (200, "no signature\n".to_owned()),
        (200, "x".repeat(ANSWER_BYTES_MAX + 1)),
        (409, "017\n".to_owned()),
        (409, "17".to_owned()),
        (422, "no\n".to_owned()),
        (500, String::new()),
    ] {
        let outcome = said(status, &body);
        assert!(
            matches!(outcome, WitnessOutcome::Refused(_)),
            "{status}: {outcome:?}"
        );
    }
}

#[test]
fn of_two_cosignatures_of_one_witness_the_later_stays() {
    let keys = [witness(1).key().clone()];
    let [mut early, mut late] = [checkpoint(3, tree(3)), checkpoint(3, tree(3))];
    early.cosign(&witness(1), 10).unwrap();
    late.cosign(&witness(1), 20).unwrap();
    late.cosign(&witness(2), 20).unwrap();
    let mut note = early.clone();
    assert_eq!(note.take_over(&late, &keys), Ok(1));
    assert_eq!(note.signed_by(&keys[0]), Ok(Some(20)));
    assert_eq!(note.signatures().len(), 2, "the other witness is not asked");
    assert_eq!(note.take_over(&early, &keys), Ok(0));
    assert_eq!(note.signed_by(&keys[0]), Ok(Some(20)));
    let other = checkpoint(2, tree(2));
    assert!(note.take_over(&other, &keys).is_err());
    let text = early.to_string();
    let at = text.len() - 6;
    let other = if text.as_bytes()[at] == b'A' {
        'B'
    } else {
        'A'
    };
    let false_one = format!("{}{other}{}", &text[..at], &text[at + 1..]);
    let false_one = Note::parse(false_one.as_bytes()).unwrap();
    assert!(checkpoint(3, tree(3)).take_over(&false_one, &keys).is_err());
}
