// SPDX-License-Identifier: Apache-2.0
//! Proofs in one file.

use super::*;
use crate::integrity::key::Signer;
use crate::integrity::merkle::{ProofError, Tile, TileSource, TileWriter};
use crate::integrity::policy::{Policy, TrustError};
use crate::integrity::proof::{ProofParseError, ProofVerifyError, TlogProof};

/// A tree small enough for one tile.
struct OneTile(Vec<TreeHash>);

impl TileSource for OneTile {
    type Error = std::convert::Infallible;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Self::Error> {
        let hashes = self.0.iter().take(usize::from(tile.width()));
        Ok(hashes.flat_map(|hash| *hash.as_bytes()).collect())
    }
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn proof(index: u64, size: u64) -> TlogProof {
    let leaves: Vec<_> = (0..size).map(|n| merkle::leaf_hash(&entry(n))).collect();
    let mut writer = TileWriter::default();
    for leaf in &leaves {
        writer.append(*leaf, |_, _| {}).unwrap();
    }
    let root = writer.frontier().root();
    let checkpoint = Checkpoint::new("ledger.example/a", size, root).unwrap();
    TlogProof {
        extra: None,
        index,
        path: merkle::inclusion(&OneTile(leaves), size, index).unwrap(),
        checkpoint: checkpoint.sign(&log()).unwrap(),
    }
}

fn policy() -> Policy {
    Policy::new(&[log().key().clone()], &[], 0).unwrap()
}

#[test]
fn a_proof_is_written_as_specified_and_verifies() {
    let mut proof = proof(5, 7);
    let mut expected = String::from("c2sp.org/tlog-proof@v1\nindex 5\n");
    for hash in &proof.path {
        expected.push_str(&format!("{hash}\n"));
    }
    expected.push_str(&format!("\n{}", proof.checkpoint));
    assert_eq!(proof.path.len(), 3);
    assert_eq!(proof.to_string(), expected);
    assert_eq!(TlogProof::parse(expected.as_bytes()), Ok(proof.clone()));
    let trusted = proof.verify(&entry(5), &policy(), None).unwrap();
    assert_eq!(trusted.checkpoint.size(), 7);

    // The vector of the specification's reference implementation.
    proof.extra = Some(b"extra information".to_vec());
    let text = proof.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 5\n"));
    assert_eq!(TlogProof::parse(text.as_bytes()), Ok(proof));
}

#[test]
fn a_proof_of_the_only_entry_has_no_hashes() {
    let proof = proof(0, 1);
    assert!(
        proof
            .to_string()
            .starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\nledger.example/a\n")
    );
    assert_eq!(
        TlogProof::parse(proof.to_string().as_bytes()),
        Ok(proof.clone())
    );
    assert!(proof.verify(&entry(0), &policy(), None).is_ok());
}

#[test]
fn a_proof_for_something_else_is_refused() {
    let good = proof(5, 7);
    let verify = |proof: &TlogProof, entry: &[u8]| proof.verify(entry, &policy(), None);
    let wrong = Err(ProofVerifyError::Proof(ProofError::Root));
    assert_eq!(verify(&good, &entry(4)), wrong);
    let mut moved = good.clone();
    moved.index = 4;
    assert_eq!(verify(&moved, &entry(5)), wrong);
    moved.index = 7;
    let outside = ProofError::OutOfTree { index: 7, size: 7 };
    assert_eq!(
        verify(&moved, &entry(5)),
        Err(ProofVerifyError::Proof(outside))
    );
    let mut other = good.clone();
    other.checkpoint = proof(5, 8).checkpoint;
    assert!(matches!(
        verify(&other, &entry(5)),
        Err(ProofVerifyError::Proof(_))
    ));
    let mut strange = good;
    let checkpoint = Checkpoint::new("ledger.example/b", 7, root(1)).unwrap();
    strange.checkpoint = checkpoint.sign(&log()).unwrap();
    let unknown = TrustError::OtherLog("ledger.example/b".into());
    assert_eq!(
        verify(&strange, &entry(5)),
        Err(ProofVerifyError::Trust(unknown))
    );
}

#[test]
fn what_is_no_proof_is_refused() {
    let hash = root(1);
    let note = signed().to_string();
    let head = "c2sp.org/tlog-proof@v1";
    let bad = [
        (String::new(), ProofParseError::Header),
        (
            format!("c2sp.org/tlog-proof@v2\nindex 0\n\n{note}"),
            ProofParseError::Header,
        ),
        (
            format!("{head} \nindex 0\n\n{note}"),
            ProofParseError::Header,
        ),
        (format!("{head}\n\n\n{note}"), ProofParseError::Index),
        (format!("{head}\nindex \n\n{note}"), ProofParseError::Index),
        (
            format!("{head}\nindex -5\n\n{note}"),
            ProofParseError::Index,
        ),
        (
            format!("{head}\nindex 05\n\n{note}"),
            ProofParseError::Index,
        ),
        (
            format!("{head}\nindex 99999999999999999999\n\n{note}"),
            ProofParseError::Index,
        ),
        (
            format!("{head}\nextra !!\nindex 0\n\n{note}"),
            ProofParseError::Extra,
        ),
        (
            format!("{head}\nindex 0\nextra AAAA\n\n{note}"),
            ProofParseError::Hash(1),
        ),
        (
            format!("{head}\nindex 0\n{hash}\n{hash}A\n\n{note}"),
            ProofParseError::Hash(2),
        ),
        (
            format!(
                "{head}\nindex 0\n{}\n{note}",
                format!("{hash}\n").repeat(64)
            ),
            ProofParseError::Hash(64),
        ),
        (format!("{head}\nindex 0\n"), ProofParseError::NoCheckpoint),
        (
            format!("{head}\nindex 0\n{hash}\n"),
            ProofParseError::NoCheckpoint,
        ),
        (" ".repeat(1_100_000), ProofParseError::TooLarge),
    ];
    for (text, error) in bad {
        assert_eq!(TlogProof::parse(text.as_bytes()), Err(error), "{text:.200}");
    }
    let unsigned = format!("{head}\nindex 0\n\nnot a note\n");
    let unsigned = TlogProof::parse(unsigned.as_bytes());
    assert!(
        matches!(unsigned, Err(ProofParseError::Note(_))),
        "{unsigned:?}"
    );
}
