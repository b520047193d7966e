// SPDX-License-Identifier: Apache-2.0
//! Another key signs than before.

use crate::error::{Cause, OpenError};
use crate::events::SigningKeyChangedV1;
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::key::VerifierKey;
use crate::integrity::note::Note;
use crate::projections::TreeView;

use super::options::{CheckpointOptions, KeyChange};

/// Another key signs than the one that the journal tells of: the change is to be recorded.
///
/// # Errors
/// [`OpenError::OtherKey`] where the key that signed before, under this name, is not among the
/// earlier ones: its checkpoints would not count any more, and nobody said so.
pub(super) fn changed(
    options: &CheckpointOptions,
    tree: &TreeView,
) -> Result<Option<SigningKeyChangedV1>, OpenError> {
    let views = |error: crate::projections::ViewError| OpenError::Views(Cause::of(error));
    options.key_change.check().map_err(OpenError::Limits)?;
    let new = options.signer.key();
    let old = match tree.signing_key().map_err(views)? {
        Some(text) => Some(text),
        None => {
            let newest = tree.newest_checkpoint().map_err(views)?;
            let note = newest.found.and_then(|bytes| Note::parse(&bytes).ok());
            note.and_then(|note| signer_of(options, &note))
        }
    };
    let Some(old) = old.filter(|old| *old != new.to_string()) else {
        return Ok(None);
    };
    let known = options
        .earlier_keys
        .iter()
        .any(|key| key.to_string() == old);
    let same_name = old.split('+').next() == Some(new.name());
    if same_name && !known {
        return Err(OpenError::OtherKey { key: old });
    }
    Ok(Some(event(old, new, &options.key_change)))
}

/// Who signed the newest checkpoint: a key that the options name, or name and id of one that they do
/// not.
fn signer_of(options: &CheckpointOptions, note: &Note) -> Option<String> {
    let named = std::iter::once(options.signer.key()).chain(&options.earlier_keys);
    let mut signed = named.filter(|key| matches!(note.signed_by(key), Ok(Some(_))));
    if let Some(key) = signed.next() {
        return Some(key.to_string());
    }
    let checkpoint = Checkpoint::parse(note.text()).ok()?;
    let mut lines = note.signatures().iter();
    let line = lines.find(|line| line.name() == checkpoint.origin())?;
    Some(format!("{}+{:08x}", line.name(), line.id()))
}

pub(super) fn event(old: String, new: &VerifierKey, change: &KeyChange) -> SigningKeyChangedV1 {
    SigningKeyChangedV1 {
        old,
        new: new.to_string(),
        author: change.author.clone(),
        reason: change.reason.clone(),
    }
}
