// SPDX-License-Identifier: Apache-2.0
//! Cosignatures that come to a checkpoint after it was recorded, and copies that come late.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::Cause;
use crate::events::CheckpointCosignedV1;
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::key::VerifierKey;
use crate::integrity::note::Note;
use crate::projections::ViewError;

use super::Checkpoints;
use super::forks::holds;
use super::options::CheckpointError;
use super::sign::{Signing, tell, write};

impl Checkpoints {
    /// Adds what is stored of this checkpoint to a note of it. Blocks.
    pub(in crate::ledger) fn completed(&self, note: &Note, size: u64) -> Result<Note, ViewError> {
        let mut note = note.clone();
        if let Some(bytes) = self.tree.cosigned(size)?
            && let Ok(stored) = Note::parse(&bytes)
        {
            note.merge(&stored);
        }
        Ok(note)
    }
}

/// The newest checkpoint that is recorded, with every cosignature that is.
pub(in crate::ledger) async fn newest(signing: &Signing) -> Result<Option<Note>, CheckpointError> {
    let reached = signing
        .checkpoints
        .reached(signing.core.reader.head().count())
        .await;
    reached.map_err(CheckpointError::Tree)?;
    let checkpoints = Arc::clone(&signing.checkpoints);
    let read = tokio::task::spawn_blocking(move || recorded(&checkpoints)).await;
    read.map_err(|_| CheckpointError::Stopped)?
}

fn recorded(checkpoints: &Checkpoints) -> Result<Option<Note>, CheckpointError> {
    let newest = checkpoints
        .tree
        .newest_checkpoint()
        .map_err(CheckpointError::Tree)?;
    let note = newest.found.and_then(|bytes| Note::parse(&bytes).ok());
    let Some(note) = note else { return Ok(None) };
    let size = checkpoints.own(&note)?.size();
    let completed = checkpoints.completed(&note, size);
    completed.map(Some).map_err(CheckpointError::Tree)
}

/// Adds what these witnesses cosigned to a checkpoint of this ledger: verified, recorded, and copied
/// to the destinations.
pub(in crate::ledger) async fn add_cosignatures(
    signing: &Signing,
    note: Note,
    witnesses: Vec<VerifierKey>,
) -> Result<Note, CheckpointError> {
    let mut newest = signing.checkpoints.newest.lock().await;
    let head = signing.core.reader.head().count();
    let reached = signing.checkpoints.reached(head).await;
    reached.map_err(CheckpointError::Tree)?;
    let working = signing.clone();
    let work = move || added(&working, &note, &witnesses, head);
    let done = tokio::task::spawn_blocking(work).await;
    let (checkpoint, note, added) = done.map_err(|_| CheckpointError::Stopped)??;
    if added == 0 {
        return Ok(note);
    }
    record(signing, &checkpoint, &note, added).await?;
    if newest
        .note
        .as_ref()
        .is_some_and(|it| it.text() == note.text())
    {
        newest.note = Some(note.clone());
    }
    let (working, sent) = (signing.clone(), note.clone());
    let copy = move || {
        let destinations = &working.checkpoints.destinations;
        destinations.offer(&sent);
    };
    let copied = tokio::task::spawn_blocking(copy).await;
    copied.map_err(|_| CheckpointError::Stopped)?;
    Ok(note)
}

/// The stored note with what these witnesses signed in `note`, and how much of it is new.
fn added(
    signing: &Signing,
    note: &Note,
    witnesses: &[VerifierKey],
    head: u64,
) -> Result<(Checkpoint, Note, u32), CheckpointError> {
    let checkpoints = &signing.checkpoints;
    let checkpoint = checkpoints.own(note)?;
    let size = checkpoint.size();
    holds(&checkpoints.tree, &checkpoint, head, "the note")
        .map_err(|_| CheckpointError::Rewritten(size))?;
    let newest = checkpoints
        .tree
        .newest_checkpoint()
        .map_err(CheckpointError::Tree)?;
    let newest = newest.found.and_then(|bytes| Note::parse(&bytes).ok());
    let own = match newest {
        Some(newest) if newest.text() == note.text() => newest,
        _ => checkpoints.signed_alone(note)?,
    };
    let mut stored = checkpoints
        .completed(&own, size)
        .map_err(CheckpointError::Tree)?;
    let taken = stored.take_over(note, witnesses);
    let taken = taken.map_err(|error| CheckpointError::Cosignature(Cause::of(error)))?;
    Ok((checkpoint, stored, taken))
}

impl Checkpoints {
    /// The note with the signatures of this ledger's keys, and no others.
    fn signed_alone(&self, note: &Note) -> Result<Note, CheckpointError> {
        let options = self.options().ok_or(CheckpointError::NoSigner)?;
        let failed = |error: crate::integrity::note::NoteError| {
            CheckpointError::Cosignature(Cause::of(error))
        };
        let mut keys = options.earlier_keys;
        keys.push(options.signer.key().clone());
        let mut alone = Note::new(note.text().to_owned()).map_err(failed)?;
        alone.take_over(note, &keys).map_err(failed)?;
        Ok(alone)
    }
}

async fn record(
    signing: &Signing,
    checkpoint: &Checkpoint,
    note: &Note,
    added: u32,
) -> Result<(), CheckpointError> {
    let event = CheckpointCosignedV1 {
        size: checkpoint.size(),
        root: *checkpoint.root().as_bytes(),
        note: note.to_string().into_bytes(),
        added,
    };
    let own = write(signing, &event.into()).await?;
    // Where nothing else was written, it calls for no further checkpoint.
    let covered = &signing.checkpoints.covered;
    let _moved = covered.compare_exchange(own - 1, own, Ordering::AcqRel, Ordering::Acquire);
    Ok(())
}

/// Sends the newest checkpoint to the destinations that have not got it. A witness that cosigns now
/// is recorded.
pub(super) async fn copy_again(signing: &Signing) -> Result<(), CheckpointError> {
    let mut newest = signing.checkpoints.newest.lock().await;
    let Some(note) = newest.note.clone() else {
        let working = signing.clone();
        let read = move || {
            let checkpoints = &working.checkpoints;
            let now_ns = working.core.shared.clock.monotonic_ns();
            let keys = checkpoints.keys();
            checkpoints.destinations.read_again(&keys, now_ns);
        };
        let read = tokio::task::spawn_blocking(read).await;
        return read.map_err(|_| CheckpointError::Stopped);
    };
    let options = signing.checkpoints.options();
    let options = options.ok_or(CheckpointError::NoSigner)?;
    let (working, mut sent) = (signing.clone(), note.clone());
    let work = move || {
        let checkpoints = &working.checkpoints;
        let now_ns = working.core.shared.clock.monotonic_ns();
        let all = &checkpoints.destinations;
        all.send(&options, checkpoints.compared(), &mut sent, now_ns, true);
        sent
    };
    let sent = tokio::task::spawn_blocking(work).await;
    let sent = sent.map_err(|_| CheckpointError::Stopped)?;
    let added = sent.signatures().len() - note.signatures().len();
    if added > 0 {
        let checkpoint = signing.checkpoints.own(&sent)?;
        let added = u32::try_from(added).unwrap_or(u32::MAX);
        record(signing, &checkpoint, &sent, added).await?;
    }
    newest.note = Some(sent);
    tell(signing);
    Ok(())
}
