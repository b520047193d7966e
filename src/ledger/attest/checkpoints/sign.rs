// SPDX-License-Identifier: Apache-2.0
//! Signs what the tree is now, and records it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::Cause;
use crate::events::{CheckpointSignedV1, Event, HealthChangedV1};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::key::{SignError, Signer};
use crate::integrity::merkle::{self, TreeHash};
use crate::integrity::note::Note;
use crate::metrics;
use crate::projections::TreeView;

use super::copies::Copies;
use super::options::{CheckpointError, CheckpointOptions};
use super::{Checkpoints, Newest};
use crate::ledger::write::submit::Core;

/// What signing takes: the checkpoints, and the path by which they are recorded. Clones share it.
#[derive(Clone)]
pub(crate) struct Signing {
    pub(crate) core: Arc<Core>,
    pub(crate) checkpoints: Arc<Checkpoints>,
}

/// At a close: what was written since the last one is covered.
pub(crate) async fn sign_at_close(signing: &Signing) {
    let head = signing.core.reader.head().count();
    if signing.checkpoints.origin().is_some()
        && head > signing.checkpoints.covered.load(Ordering::Acquire)
        && let Err(error) = sign(signing).await
    {
        tracing::error!(%error, "no checkpoint was signed at the close");
    }
}

/// Behind the last record: the destinations learn where this epoch ends, so that nothing can be cut off
/// it or put behind it unnoticed. No record tells of it, as none may follow.
pub(crate) async fn sign_closed(signing: &Signing) {
    let mut newest = signing.checkpoints.newest.lock().await;
    let Some(options) = signing.checkpoints.options() else {
        return;
    };
    if options.destinations.is_empty() || signing.checkpoints.fork.found().is_some() {
        return;
    }
    match sign_and_copy(signing, &mut newest, options, None).await {
        Ok((checkpoint, ..)) => {
            tracing::debug!(size = checkpoint.size(), "the closed ledger is signed");
        }
        Err(error) => tracing::error!(%error, "the closed ledger was not signed"),
    }
}

pub(crate) async fn sign(signing: &Signing) -> Result<Note, CheckpointError> {
    let mut newest = signing.checkpoints.newest.lock().await;
    sign_as(signing, &mut newest, None).await
}

/// Signs with the key in force, and with another one where it is given.
pub(super) async fn sign_as(
    signing: &Signing,
    newest: &mut Newest,
    also: Option<Arc<dyn Signer>>,
) -> Result<Note, CheckpointError> {
    let outcome = sign_and_record(signing, newest, also).await;
    let word = if outcome.is_ok() { "signed" } else { "failed" };
    metrics::CHECKPOINTS.counter(&[word]).increment(1);
    outcome
}

async fn sign_and_record(
    signing: &Signing,
    newest: &mut Newest,
    also: Option<Arc<dyn Signer>>,
) -> Result<Note, CheckpointError> {
    let checkpoints = &signing.checkpoints;
    let options = checkpoints.options().ok_or(CheckpointError::NoSigner)?;
    if let Some((place, size)) = checkpoints.fork.found() {
        return Err(CheckpointError::OtherHistory { place, size });
    }
    let (checkpoint, copies, note) = sign_and_copy(signing, newest, options, also).await?;
    let event = CheckpointSignedV1 {
        size: checkpoint.size(),
        root: *checkpoint.root().as_bytes(),
        note: note.to_string().into_bytes(),
        copied: copies.copied,
        failed: copies.failed,
        problem: copies.problem,
    };
    let own = write(signing, &event.into()).await?;
    // Its own record calls for no further one, unless others came between.
    let size = checkpoint.size();
    let covered = if own == size + 1 { own } else { size };
    checkpoints.covered.store(covered, Ordering::Release);
    let now_ns = signing.core.shared.clock.monotonic_ns();
    checkpoints.last_ns.store(now_ns, Ordering::Release);
    tell(signing);
    match checkpoints.fork.found() {
        Some((place, size)) => Err(CheckpointError::OtherHistory { place, size }),
        None => Ok(note),
    }
}

async fn sign_and_copy(
    signing: &Signing,
    newest: &mut Newest,
    options: CheckpointOptions,
    also: Option<Arc<dyn Signer>>,
) -> Result<(Checkpoint, Copies, Note), CheckpointError> {
    let reached = signing
        .checkpoints
        .reached(signing.core.reader.head().count())
        .await;
    reached.map_err(CheckpointError::Tree)?;
    let (working, before) = (signing.clone(), newest.known);
    let work = move || {
        let checkpoints = &working.checkpoints;
        let checkpoint = extending(&options, &checkpoints.tree, before)?;
        let failed = |error: SignError| CheckpointError::Signer(Cause::of(error));
        let mut note = checkpoint.sign(&*options.signer).map_err(failed)?;
        if let Some(also) = also {
            note.sign(&*also).map_err(failed)?;
        }
        let now_ns = working.core.shared.clock.monotonic_ns();
        let all = &checkpoints.destinations;
        let copies = all.send(&options, checkpoints.compared(), &mut note, now_ns, false);
        Ok((checkpoint, copies, note))
    };
    let done = tokio::task::spawn_blocking(work).await;
    let (checkpoint, copies, note) = done.map_err(|_| CheckpointError::Stopped)??;
    // Signed: from here on no other history may be, recorded or not.
    newest.known = Some((checkpoint.size(), *checkpoint.root()));
    newest.note = Some(note.clone());
    Ok((checkpoint, copies, note))
}

/// Makes a record of the ledger's own durable; gives its sequence number.
pub(super) async fn write(signing: &Signing, event: &Event) -> Result<u64, CheckpointError> {
    let written = signing.core.shared.self_records.write(event).await;
    let placed = written.map_err(|_| CheckpointError::Stopped)?;
    let placed = placed.map_err(|sealed| CheckpointError::NotRecorded(sealed.cause))?;
    Ok(placed.first.get())
}

/// What the tree is now, if it extends what was signed before.
fn extending(
    options: &CheckpointOptions,
    tree: &TreeView,
    before: Option<(u64, TreeHash)>,
) -> Result<Checkpoint, CheckpointError> {
    let (size, root, earlier) = tree
        .read(|tree| {
            let earlier = before
                .map(|(size, _)| merkle::root(tree, size))
                .transpose()?;
            Ok((tree.size(), merkle::root(tree, tree.size())?, earlier))
        })
        .map_err(CheckpointError::Tree)?;
    if let Some((size, root)) = before
        && earlier != Some(root)
    {
        return Err(CheckpointError::Rewritten(size));
    }
    let name = options.signer.key().name();
    Checkpoint::new(name, size, root).map_err(|error| CheckpointError::Signer(Cause::of(error)))
}

/// Records, once in an opening, that a copy of this ledger signs too.
pub(super) fn tell(signing: &Signing) {
    let fork = &signing.checkpoints.fork;
    if let Some(cause) = fork.complaint()
        && !fork.told.swap(true, Ordering::AcqRel)
    {
        let event = HealthChangedV1 {
            healthy: false,
            cause,
        };
        drop(signing.core.shared.self_records.write(&event.into()));
    }
}
