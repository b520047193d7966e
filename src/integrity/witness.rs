// SPDX-License-Identifier: Apache-2.0
//! Witnesses (C2SP `tlog-witness`): what a log asks, what a witness checks before it cosigns, and
//! how it answers. Bytes only: who carries them, and where the witness keeps what it cosigned, is
//! somebody else's.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::integrity::witness::{
//!     AddCheckpoint, WitnessAnswer, WitnessOutcome, check, outcome,
//! };
//! # use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
//! # use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
//! # use femtoclaw_ledger::integrity::merkle::leaf_hash;
//! # use femtoclaw_ledger::integrity::secret::SigningKey;
//! # let log = SigningKey::from_seed("ledger.example/a", Algorithm::Ed25519, &[1; 32])?;
//! # let witness = SigningKey::from_seed("witness.example", Algorithm::CosignatureV1, &[2; 32])?;
//! # let checkpoint = Checkpoint::new("ledger.example/a", 1, leaf_hash(b"a header"))?.sign(&log)?;
//!
//! // The log sends what it signed, and a proof that it extends what the witness has seen.
//! let request = AddCheckpoint { old_size: 0, proof: vec![], checkpoint: checkpoint.clone() };
//! let body = request.to_string();
//!
//! // The witness, which has seen nothing of this log yet.
//! let request = AddCheckpoint::parse(body.as_bytes())?;
//! let answer = match check(&request, &[log.key().clone()], |_origin| None) {
//!     Ok(_) => {
//!         let mut note = request.checkpoint;
//!         note.cosign(&witness, 1_700_000_000)?;
//!         let signature = note.signatures().last().ok_or("no signature")?;
//!         WitnessAnswer::text(200, signature.to_string().trim_end().to_owned())
//!     }
//!     Err(refused) => refused.answer(),
//! };
//!
//! // The log again: its checkpoint, with the witness's signature.
//! let cosigned = match outcome(answer.status, &answer.body, &checkpoint, witness.key()) {
//!     WitnessOutcome::Cosigned(note) => note,
//!     WitnessOutcome::From(size) => panic!("a proof from {size} is asked for"),
//!     refused => panic!("{refused:?}"),
//! };
//! assert_eq!(cosigned.signed_by(witness.key())?, Some(1_700_000_000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::checkpoint::{Checkpoint, CheckpointTextError};
use super::key::VerifierKey;
use super::merkle::{ProofError, TreeHash, TreeHead, verify_consistency};
use super::note::{Note, NoteError};
use super::proof::PATH_MAX;
use super::text::decimal;
use std::fmt;

/// The largest request that is read, in bytes: room for many signatures of any kind.
///
/// Example: [`AddCheckpoint::parse`](crate::integrity::witness::AddCheckpoint::parse).
pub const REQUEST_BYTES_MAX: usize = 131_072;
/// The most bytes of an answer that are read.
///
/// Example: [`outcome`].
pub const ANSWER_BYTES_MAX: usize = 131_072;

/// The bytes are no request.
///
/// Example: [`AddCheckpoint::parse`](crate::integrity::witness::AddCheckpoint::parse).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// More than [`REQUEST_BYTES_MAX`] bytes.
    #[error("the request has more than {REQUEST_BYTES_MAX} bytes")]
    TooLarge,
    /// The first line is not `old` and a number.
    #[error("the request does not begin with the old size")]
    OldSize,
    /// A hash is not base64 of 32 bytes, or there are more than 63; counted from 1.
    #[error("hash {0} of the request is malformed")]
    Hash(usize),
    /// No empty line and checkpoint follow.
    #[error("the request has no checkpoint")]
    NoCheckpoint,
    /// The checkpoint is no signed note.
    #[error("the checkpoint of the request is not a signed note")]
    Note(#[source] NoteError),
}

/// What a log asks of a witness: to cosign a checkpoint that extends the one that the witness
/// cosigned last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of what the witness cosigned last, as far as the log knows; 0: nothing.
    pub old_size: u64,
    /// The consistency proof from there; empty from 0.
    pub proof: Vec<TreeHash>,
    /// The checkpoint, signed by the log.
    pub checkpoint: Note,
}

impl AddCheckpoint {
    /// Reads a request's body; exactly these bytes are written again by `to_string`.
    ///
    /// # Errors
    /// [`RequestError`] says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RequestError::OldSize)?;
        let line = text.strip_prefix("old ").ok_or(RequestError::OldSize)?;
        let (old, mut rest) = line.split_once('\n').ok_or(RequestError::OldSize)?;
        let old_size = decimal(old).ok_or(RequestError::OldSize)?;
        let mut proof = Vec::new();
        let note = loop {
            let (line, after) = rest.split_once('\n').ok_or(RequestError::NoCheckpoint)?;
            if line.is_empty() {
                break after;
            }
            let number = proof.len() + 1;
            if number > PATH_MAX {
                return Err(RequestError::Hash(number));
            }
            proof.push(TreeHash::from_base64(line).ok_or(RequestError::Hash(number))?);
            rest = after;
        };
        let checkpoint = Note::parse(note.as_bytes()).map_err(RequestError::Note)?;
        Ok(Self {
            old_size,
            proof,
            checkpoint,
        })
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why a witness does not cosign. Nothing that it keeps has changed.
///
/// Example: [`check`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessRefusal {
    /// The body is no request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The signed text is no checkpoint.
    #[error("the signed text is not a checkpoint")]
    Checkpoint(#[from] CheckpointTextError),
    /// The old size is above the checkpoint's.
    #[error("the old size {old} is above the checkpoint's {size}")]
    Sizes {
        /// The old size.
        old: u64,
        /// The checkpoint's.
        size: u64,
    },
    /// A log that this witness does not know.
    #[error("the log {0:?} is not known to this witness")]
    UnknownLog(String),
    /// No key of the log has signed it, or one's signature is invalid.
    #[error("the log {0:?} has not signed the checkpoint")]
    Unsigned(String),
    /// The log takes another size for the one last cosigned: to be asked again, from this one.
    #[error("the witness has cosigned {cosigned} records, and not {old}")]
    Conflict {
        /// As the log said.
        old: u64,
        /// As cosigned.
        cosigned: u64,
    },
    /// Fewer records than were cosigned: the log lost some, or an older copy of it was put back.
    #[error("the witness has cosigned {cosigned} records, and the checkpoint covers {size}")]
    Rollback {
        /// As signed by the log now.
        size: u64,
        /// As cosigned before.
        cosigned: u64,
    },
    /// The same number of records with another root, both signed by the log: two histories.
    #[error("the witness has cosigned another root over the same {0} records")]
    OtherHistory(u64),
    /// The checkpoint is not shown to extend what was cosigned.
    #[error("the checkpoint is not shown to extend the {cosigned} records cosigned before")]
    Inconsistent {
        /// As cosigned before.
        cosigned: u64,
        /// What is wrong with the proof.
        #[source]
        source: ProofError,
    },
}

impl WitnessRefusal {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Request(_) => "witness_request",
            Self::Checkpoint(_) => "witness_checkpoint",
            Self::Sizes { .. } => "witness_sizes",
            Self::UnknownLog(_) => "witness_unknown_log",
            Self::Unsigned(_) => "witness_unsigned",
            Self::Conflict { .. } => "witness_conflict",
            Self::Rollback { .. } => "witness_rollback",
            Self::OtherHistory(_) => "witness_other_history",
            Self::Inconsistent { .. } => "witness_inconsistent",
        }
    }

    /// True where the log's own signature stands below what was refused: the log, or whoever has
    /// its key, may have two histories.
    #[must_use]
    pub const fn is_suspicious(&self) -> bool {
        matches!(
            self,
            Self::Rollback { .. } | Self::OtherHistory(_) | Self::Inconsistent { .. }
        )
    }

    /// The answer over HTTP.
    #[must_use]
    pub fn answer(&self) -> WitnessAnswer {
        let (status, size) = match self {
            Self::Request(_) | Self::Checkpoint(_) | Self::Sizes { .. } => (400, None),
            Self::UnknownLog(_) => (404, None),
            Self::Unsigned(_) => (403, None),
            Self::Conflict { cosigned, .. } | Self::Rollback { cosigned, .. } => {
                (409, Some(*cosigned))
            }
            Self::OtherHistory(size) => (409, Some(*size)),
            Self::Inconsistent { .. } => (422, None),
        };
        match size {
            Some(size) => WitnessAnswer {
                status,
                content_type: "text/x.tlog.size",
                body: format!("{size}\n").into_bytes(),
            },
            None => WitnessAnswer::text(status, self.to_string()),
        }
    }
}

/// What goes back over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAnswer {
    /// Status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Body.
    pub body: Vec<u8>,
}

impl WitnessAnswer {
    /// An answer for a person to read.
    #[must_use]
    pub fn text(status: u16, text: String) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: (text + "\n").into_bytes(),
        }
    }
}

/// Checks a request against what the witness cosigned last of this origin, and the
/// keys of the logs it knows. What it returns may be cosigned, once it is kept durably that it is.
///
/// # Errors
/// [`WitnessRefusal`] says why it must not be.
pub fn check(
    request: &AddCheckpoint,
    logs: &[VerifierKey],
    cosigned: impl FnOnce(&str) -> Option<TreeHead>,
) -> Result<Checkpoint, WitnessRefusal> {
    let checkpoint = Checkpoint::parse(request.checkpoint.text())?;
    let origin = checkpoint.origin();
    let mut keys = logs.iter().filter(|key| key.name() == origin).peekable();
    if keys.peek().is_none() {
        return Err(WitnessRefusal::UnknownLog(origin.to_owned()));
    }
    let mut signed = false;
    for key in keys {
        let found = request.checkpoint.signed_by(key);
        let found = found.map_err(|_| WitnessRefusal::Unsigned(origin.to_owned()))?;
        signed |= found.is_some();
    }
    if !signed {
        return Err(WitnessRefusal::Unsigned(origin.to_owned()));
    }
    let (old, size) = (request.old_size, checkpoint.size());
    if old > size {
        return Err(WitnessRefusal::Sizes { old, size });
    }
    let newest = cosigned(origin).unwrap_or_else(TreeHead::empty);
    let (cosigned, root) = (newest.size, newest.root);
    if size < cosigned {
        return Err(WitnessRefusal::Rollback { size, cosigned });
    }
    if size == cosigned && *checkpoint.root() != root {
        return Err(WitnessRefusal::OtherHistory(size));
    }
    if old != cosigned {
        return Err(WitnessRefusal::Conflict { old, cosigned });
    }
    verify_consistency(cosigned, &root, size, checkpoint.root(), &request.proof)
        .map_err(|source| WitnessRefusal::Inconsistent { cosigned, source })?;
    Ok(checkpoint)
}

/// What a witness answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WitnessOutcome {
    /// The checkpoint with the witness's cosignature.
    Cosigned(Note),
    /// The witness has cosigned this many records, and wants the proof from there.
    From(u64),
    /// It refused, or answered what nobody understands.
    Refused(String),
}

/// Reads an answer to a request for a cosignature of `checkpoint`. A cosignature counts only where
/// `witness` accepts it; those of other keys are ignored.
#[must_use]
pub fn outcome(
    status: u16,
    body: &[u8],
    checkpoint: &Note,
    witness: &VerifierKey,
) -> WitnessOutcome {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let refused = |why: &str| WitnessOutcome::Refused(format!("{status}: {why}"));
    if body.len() > ANSWER_BYTES_MAX {
        return refused("the answer is too large");
    }
    match status {
        200 => {
            let whole = format!("{}\n{text}", checkpoint.text());
            let mut cosigned = checkpoint.clone();
            let taken = Note::parse(whole.as_bytes())
                .and_then(|answer| cosigned.take_over(&answer, std::slice::from_ref(witness)));
            match taken {
                Ok(0) => refused("the answer holds no cosignature of this witness"),
                Ok(_) => WitnessOutcome::Cosigned(cosigned),
                Err(error) => refused(&error.to_string()),
            }
        }
        409 => match text.strip_suffix('\n').and_then(decimal) {
            Some(size) => WitnessOutcome::From(size),
            None => refused("a conflict without a size"),
        },
        _ => refused(&text.trim().chars().take(200).collect::<String>()),
    }
}
