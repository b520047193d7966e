// SPDX-License-Identifier: Apache-2.0
//! The front door to checkpoints, and to the proofs that rest on them.

use crate::events::Seq;
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::{self, TreeHash};
use crate::integrity::note::Note;
use crate::integrity::proof::TlogProof;

use super::checkpoints::{CheckpointError, CopyStatus, Signing, add_cosignatures, newest, sign};
use crate::ledger::open_ledger::Ledger;
use crate::ledger::root::Root;

/// In a task of its own: whoever asked may go away between what is done and the record of it.
async fn to_its_end<R: Send + 'static>(
    work: impl Future<Output = Result<R, CheckpointError>> + Send + 'static,
) -> Result<R, CheckpointError> {
    let done = tokio::spawn(work).await;
    done.unwrap_or(Err(CheckpointError::Stopped))
}

/// Signs a checkpoint, as [`Root::checkpoint`].
pub(in crate::ledger) async fn signed(signing: &Signing) -> Result<Note, CheckpointError> {
    let signing = signing.clone();
    to_its_end(async move { sign(&signing).await }).await
}

impl Root {
    /// Signs a checkpoint over every record that is durable now, copies it to the destinations and
    /// records it. A copy that failed is told in the record and by `checkpoint_copies_total`.
    ///
    /// Cancelling the call ends the wait: the checkpoint is signed, copied and recorded all the same.
    ///
    /// # Errors
    /// [`CheckpointError`]: whether something was signed.
    pub async fn checkpoint(&self) -> Result<Note, CheckpointError> {
        signed(self.signing()).await
    }

    /// Adds to a checkpoint of this ledger what these witnesses cosigned in `note`: verified, made
    /// durable as a record, and given to the destinations. Signatures of others in `note` are
    /// ignored. Gives the checkpoint with every cosignature that is known; an export of it has them.
    ///
    /// Cancelling the call ends the wait: what is verified is recorded and copied all the same.
    ///
    /// # Errors
    /// `NotOurs`; `Cosignature`: one is invalid; `Rewritten`: the records are not those of the note.
    pub async fn add_cosignatures(
        &self,
        note: &Note,
        witnesses: &[VerifierKey],
    ) -> Result<Note, CheckpointError> {
        let (signing, note) = (self.signing().clone(), note.clone());
        let witnesses = witnesses.to_vec();
        to_its_end(async move { add_cosignatures(&signing, note, witnesses).await }).await
    }
}

impl Ledger {
    /// The newest checkpoint that is recorded, with every cosignature that is; `None` where none was
    /// signed yet.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// `NoSigner`, `Tree`; `NotOurs` where it was signed under another name.
    pub async fn newest_checkpoint(&self) -> Result<Option<Note>, CheckpointError> {
        newest(&self.0.signing).await
    }

    /// What every checkpoint destination has, in the order of the options.
    #[must_use]
    pub fn checkpoint_copies(&self) -> Vec<CopyStatus> {
        let signing = &self.0.signing;
        signing
            .checkpoints
            .copies(signing.core.shared.clock.monotonic_ns())
    }

    /// Proves that the record `seq` is covered by a checkpoint of this ledger: what
    /// `femtoclaw-ledger verify proof` checks, together with the record's header.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// `NotOurs`; `Tree`, also where the record came after the checkpoint.
    pub async fn prove(&self, seq: Seq, checkpoint: &Note) -> Result<TlogProof, CheckpointError> {
        let (size, note) = (self.size_of(checkpoint)?, checkpoint.clone());
        let index = seq.get() - 1;
        let path = self
            .0
            .signing
            .checkpoints
            .read_tree(move |tree| merkle::inclusion(tree, size, index))
            .await?;
        Ok(TlogProof {
            extra: None,
            index,
            path,
            checkpoint: note,
        })
    }

    /// The hashes that show that the later of two checkpoints of this ledger extends the earlier
    /// one: see [`merkle::verify_consistency`].
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// As [`Ledger::prove`].
    pub async fn prove_extension(
        &self,
        earlier: &Note,
        later: &Note,
    ) -> Result<Vec<TreeHash>, CheckpointError> {
        let (old, new) = (self.size_of(earlier)?, self.size_of(later)?);
        self.0
            .signing
            .checkpoints
            .read_tree(move |tree| merkle::consistency(tree, old, new))
            .await
    }

    fn size_of(&self, note: &Note) -> Result<u64, CheckpointError> {
        let own = self.0.signing.checkpoints.own(note)?;
        Ok(own.size())
    }
}
