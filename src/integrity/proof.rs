// SPDX-License-Identifier: Apache-2.0
//! A proof in one file (C2SP `tlog-proof`): that an entry is in a log, up to a signed checkpoint.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::integrity::merkle::{leaf_hash, node_hash};
//! use femtoclaw_ledger::integrity::policy::Policy;
//! use femtoclaw_ledger::integrity::proof::TlogProof;
//! # use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
//! # use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
//! # use femtoclaw_ledger::integrity::secret::SigningKey;
//! # let key = SigningKey::from_seed("ledger.example/a", Algorithm::Ed25519, &[7; 32])?;
//! # let origin = "ledger.example/a";
//!
//! // A log of two entries; an open ledger makes the proof by `Ledger::prove`.
//! let path = vec![leaf_hash(b"second")];
//! let root = node_hash(&leaf_hash(b"first"), &path[0]);
//! let checkpoint = Checkpoint::new(origin, 2, root)?.sign(&key)?;
//! let proof = TlogProof { extra: None, index: 0, path, checkpoint };
//!
//! // Elsewhere, by the log's public key.
//! let policy = Policy::new(&[key.key().clone()], &[], 0)?;
//! let read = TlogProof::parse(proof.to_string().as_bytes())?;
//! assert_eq!(read.verify(b"first", &policy, None)?.checkpoint.size(), 2);
//! assert!(read.verify(b"other", &policy, None).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::merkle::{self, ProofError, TreeHash};
use super::note::{NOTE_BYTES_MAX, Note, NoteError};
use super::policy::{Policy, TrustError, Trusted};
use super::text::decimal;
use base64ct::{Base64, Encoding};
use std::fmt;

/// The most bytes of extra data.
///
/// Example: [`TlogProof::parse`](crate::integrity::proof::TlogProof::parse).
pub const EXTRA_BYTES_MAX: usize = 65_536;
/// The most hashes: no tree is higher.
///
/// Example: [`TlogProof::parse`](crate::integrity::proof::TlogProof::parse).
pub const PATH_MAX: usize = 63;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The bytes are no proof.
///
/// Example: [`TlogProof::parse`](crate::integrity::proof::TlogProof::parse).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofParseError {
    /// Larger than any proof.
    #[error("the proof is too large")]
    TooLarge,
    /// It does not begin with `c2sp.org/tlog-proof@v1`: another format, or another version.
    #[error("not a proof of the form {HEADER}")]
    Header,
    /// The extra data is not base64.
    #[error("the extra data is not base64 of up to {EXTRA_BYTES_MAX} bytes")]
    Extra,
    /// There is no line `index` with a number.
    #[error("the proof does not say which entry it is for")]
    Index,
    /// A hash is not base64 of 32 bytes; counted from 1.
    #[error("hash {0} of the proof is malformed")]
    Hash(usize),
    /// No empty line and checkpoint follow.
    #[error("the proof has no checkpoint")]
    NoCheckpoint,
    /// The checkpoint is no signed note.
    #[error("the checkpoint of the proof is not a signed note")]
    Note(#[source] NoteError),
}

/// A proof does not show what it is for.
///
/// Example: [`TlogProof::verify`](crate::integrity::proof::TlogProof::verify).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofVerifyError {
    /// The checkpoint is not to be trusted.
    #[error("the checkpoint of the proof is not trusted")]
    Trust(#[from] TrustError),
    /// The entry is not in the checkpoint's tree at that place.
    #[error("the entry is not shown to be in the tree")]
    Proof(#[from] ProofError),
}

/// That an entry is in a log: its index, the way up to the root, and the checkpoint with the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Carried along and **not** authenticated.
    pub extra: Option<Vec<u8>>,
    /// Index of the entry, from 0: one less than the record's sequence number.
    pub index: u64,
    /// From the leaf's sibling up to the root's child.
    pub path: Vec<TreeHash>,
    /// The checkpoint, with the signatures it came with.
    pub checkpoint: Note,
}

impl TlogProof {
    /// Reads a proof; exactly these bytes are written again by `to_string`.
    ///
    /// # Errors
    /// [`ProofParseError`] says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofParseError> {
        // Header, index and 63 hashes are well below 8 KiB.
        if bytes.len() > NOTE_BYTES_MAX + EXTRA_BYTES_MAX / 3 * 4 + 8192 {
            return Err(ProofParseError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ProofParseError::Header)?;
        let mut rest = text.strip_prefix(HEADER).ok_or(ProofParseError::Header)?;
        rest = rest.strip_prefix('\n').ok_or(ProofParseError::Header)?;
        let mut extra = None;
        if let Some(line) = rest.strip_prefix("extra ") {
            let (data, after) = line.split_once('\n').ok_or(ProofParseError::Extra)?;
            let data = Base64::decode_vec(data).map_err(|_| ProofParseError::Extra)?;
            if data.len() > EXTRA_BYTES_MAX {
                return Err(ProofParseError::Extra);
            }
            extra = Some(data);
            rest = after;
        }
        let line = rest.strip_prefix("index ").ok_or(ProofParseError::Index)?;
        let (index, mut rest) = line.split_once('\n').ok_or(ProofParseError::Index)?;
        let index = decimal(index).ok_or(ProofParseError::Index)?;
        let mut path = Vec::new();
        let note = loop {
            let (line, after) = rest.split_once('\n').ok_or(ProofParseError::NoCheckpoint)?;
            if line.is_empty() {
                break after;
            }
            let number = path.len() + 1;
            if number > PATH_MAX {
                return Err(ProofParseError::Hash(number));
            }
            path.push(TreeHash::from_base64(line).ok_or(ProofParseError::Hash(number))?);
            rest = after;
        };
        let checkpoint = Note::parse(note.as_bytes()).map_err(ProofParseError::Note)?;
        Ok(Self {
            extra,
            index,
            path,
            checkpoint,
        })
    }

    /// Checks everything: that the checkpoint is signed as `policy` demands, and that the entry
    /// (a record's canonical header) is in its tree at [`TlogProof::index`]. Cosignatures of a time
    /// after `now_s` (seconds since 1970) do not count, where it is given.
    ///
    /// What it shows: the log said, to whom the policy trusts, that this entry is at this place. It
    /// does not show that what the record tells of is true, nor that nothing was written later.
    ///
    /// # Errors
    /// [`ProofVerifyError`] says what does not fit.
    pub fn verify(
        &self,
        entry: &[u8],
        policy: &Policy,
        now_s: Option<u64>,
    ) -> Result<Trusted, ProofVerifyError> {
        let trusted = policy.check(&self.checkpoint, now_s)?;
        let leaf = merkle::leaf_hash(entry);
        let (size, root) = (trusted.checkpoint.size(), trusted.checkpoint.root());
        merkle::verify_inclusion(&leaf, self.index, size, &self.path, root)?;
        Ok(trusted)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", Base64::encode_string(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
