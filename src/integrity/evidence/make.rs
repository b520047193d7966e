// SPDX-License-Identifier: Apache-2.0
//! Puts a bundle together: nothing is made that would not verify.

use super::bundle::{Bundle, Item, Opening, stream_of};
use super::verify::{BundleVerifyError, verify_self};
use super::{BUNDLE_BYTES_MAX, KEYS_MAX, Naming, RECORDS_MAX, StreamError};
use crate::events::ExecutionId;
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::TreeHash;
use crate::integrity::note::{Note, NoteError};

/// Evidence cannot be made of this.
///
/// Example: [`Bundle`](crate::integrity::evidence::Bundle).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// More than [`RECORDS_MAX`] records or [`BUNDLE_BYTES_MAX`] bytes.
    #[error(
        "a bundle has at most {RECORDS_MAX} records and {BUNDLE_BYTES_MAX} bytes: withhold payloads, or leave mentions out"
    )]
    TooLarge,
    /// The records are not those of one execution, gapless from its first.
    #[error("the records are not those of the execution")]
    Stream(#[from] StreamError),
    /// None of the keys has signed the checkpoint.
    #[error("the checkpoint is signed by none of the keys")]
    Unsigned,
    /// The checkpoint is unusable.
    #[error("the checkpoint cannot be used")]
    Note(#[from] NoteError),
    /// The records are not those of the checkpoint, or their proofs are wrong.
    #[error("the evidence would not verify")]
    Unsound(#[from] BundleVerifyError),
}

impl Bundle {
    /// Puts evidence together, from records in the order of their sequence numbers: those of the
    /// execution's stream and others that name it; `opening` says of which ledger, `names` who the components are that
    /// caused them, as far as that is to be told. Signatures of keys that are not among `keys` are
    /// left out, since nobody could check them.
    ///
    /// # Errors
    /// [`MakeError`]; what it gives verifies by its own keys.
    pub fn new(
        opening: Opening,
        execution: ExecutionId,
        names: Vec<Naming>,
        items: Vec<Item>,
        checkpoint: &Note,
        keys: &[VerifierKey],
    ) -> Result<Self, MakeError> {
        let (checkpoint, keys) = signed_by(checkpoint, keys)?;
        let named = names
            .iter()
            .map(|it| it.content.payload.len() + len_of(&it.path));
        let bytes = items.iter().map(len_in_bundle).sum::<usize>() + named.sum::<usize>();
        if items.len() > RECORDS_MAX || bytes > BUNDLE_BYTES_MAX / 2 {
            return Err(MakeError::TooLarge);
        }
        let stream = stream_of(execution, &items)?;
        let made = Self {
            ledger: Opening::ledger(&opening.header).unwrap_or_default(),
            opening,
            execution,
            stream,
            keys,
            names,
            items,
            checksum: None,
            checkpoint,
        };
        verify_self(&made)?;
        Ok(made)
    }
}

/// Bytes of an item without the length of base64 (4 for 3) and the words.
fn len_in_bundle(item: &Item) -> usize {
    let content = item.content.as_ref();
    len_of(&item.path) + content.map_or(0, |content| content.payload.len())
}

/// Bytes of a header and its proof.
const fn len_of(path: &[TreeHash]) -> usize {
    512 + path.len() * 64
}

/// The note with the signatures of these keys alone, and the keys in the order of the signatures.
fn signed_by(note: &Note, keys: &[VerifierKey]) -> Result<(Note, Vec<VerifierKey>), MakeError> {
    let (mut text, mut signers) = (format!("{}\n", note.text()), Vec::new());
    for line in note.signatures() {
        let known = |key: &&VerifierKey| (key.name(), key.id()) == (line.name(), line.id());
        let Some(key) = keys.iter().find(known) else {
            continue;
        };
        if note.signed_by(key)?.is_some() && !signers.contains(key) && signers.len() < KEYS_MAX {
            text.push_str(&line.to_string());
            signers.push(key.clone());
        }
    }
    if signers.is_empty() {
        return Err(MakeError::Unsigned);
    }
    Ok((Note::parse(text.as_bytes())?, signers))
}
