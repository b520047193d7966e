// SPDX-License-Identifier: Apache-2.0
//! The key that signs is changed: on the record, and with every old checkpoint still valid.

use std::sync::Arc;

use crate::callbacks::ContainedSigner;
use crate::error::Cause;
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::key::{Algorithm, Signer};
use crate::integrity::merkle::empty_root;
use crate::integrity::note::Note;
use crate::locks::whole;

use super::keys::event;
use super::options::{CheckpointError, KeyChange};
use super::sign::{Signing, sign_as, write};
use crate::ledger::root::Root;

impl Root {
    /// Has another key sign this ledger's checkpoints from here on: records it, and has both keys
    /// sign one checkpoint over the record, so that whoever trusts the old key alone can see that its
    /// holder named the new one. What the old one signed stays valid for whoever names both. The
    /// next opening is given the new signer, and the old key among the earlier ones.
    ///
    /// Cancelling the call ends the wait, and the change goes on to its end.
    ///
    /// # Errors
    /// `Key`, `Callback`: the old one goes on, nothing is recorded. Other errors after the record are those of
    /// [`Root::checkpoint`]: the new key is in force.
    pub async fn change_key(
        &self,
        signer: Arc<dyn Signer>,
        why: KeyChange,
    ) -> Result<Note, CheckpointError> {
        let signing = self.signing().clone();
        // In a task of its own: the record and what is in force must not part.
        let task = tokio::spawn(async move { change(&signing, signer, why).await });
        task.await.unwrap_or(Err(CheckpointError::Stopped))
    }
}

/// Records that `signer` signs from here on, and has old and new key sign one checkpoint over that
/// record.
async fn change(
    signing: &Signing,
    signer: Arc<dyn Signer>,
    change: KeyChange,
) -> Result<Note, CheckpointError> {
    change
        .check()
        .map_err(|why| CheckpointError::Key(why.into()))?;
    let checkpoints = &signing.checkpoints;
    let mut newest = checkpoints.newest.lock().await;
    let mut options = checkpoints.options().ok_or(CheckpointError::NoSigner)?;
    let (callbacks, budget) = (signing.core.callbacks.clone(), options.budget);
    let asked = move || ContainedSigner::new(signer, &callbacks, budget);
    let asked = tokio::task::spawn_blocking(asked).await;
    let asked = asked.map_err(|_| CheckpointError::Stopped)?;
    let signer: Arc<dyn Signer> =
        Arc::new(asked.map_err(|problem| CheckpointError::Key(problem.into()))?);
    let (old, new) = (Arc::clone(&options.signer), signer.key().clone());
    let mut known = std::iter::once(old.key()).chain(&options.earlier_keys);
    if new.algorithm() != Algorithm::Ed25519 || new.name() != old.key().name() {
        let problem = format!("{new} is of another kind or name");
        return Err(CheckpointError::Key(problem.into()));
    }
    if known.any(|key| key.public() == new.public()) {
        return Err(CheckpointError::Key(format!("{new} signed before").into()));
    }
    let mut event = event(old.key().to_string(), signer.key(), &change);
    signing
        .core
        .foreign
        .redact_own("change_key", &mut event)
        .map_err(|error| CheckpointError::Callback(error.into()))?;
    // A signer that cannot sign must not be recorded. Every history extends the empty one.
    let able = tokio::task::spawn_blocking(move || probe(&*signer).map(|()| signer)).await;
    let signer = able.map_err(|_| CheckpointError::Stopped)??;
    write(signing, &event.into()).await?;
    options.earlier_keys.push(old.key().clone());
    options.signer = signer;
    let in_force = checkpoints.options.write();
    *whole(in_force) = Some(options);
    sign_as(signing, &mut newest, Some(old)).await
}

fn probe(signer: &dyn Signer) -> Result<(), CheckpointError> {
    let checkpoint = Checkpoint::new(signer.key().name(), 0, empty_root());
    let checkpoint = checkpoint.map_err(|error| CheckpointError::Key(Cause::of(error)))?;
    let signed = checkpoint.sign(signer);
    signed.map_err(|error| CheckpointError::Key(Cause::of(error)))?;
    Ok(())
}
