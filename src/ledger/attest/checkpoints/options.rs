// SPDX-License-Identifier: Apache-2.0
//! How a ledger signs checkpoints of itself, and why one could not be made.

use std::sync::Arc;
use std::time::Duration;

use crate::callbacks::{CallbackKind, Callbacks, ContainedSigner};
use crate::error::{AppendError, Cause, OpenError, Retry};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::key::{Signer, VerifierKey};
use crate::integrity::note::Note;
use crate::integrity::text::is_deceptive;
use crate::projections::ViewError;

use crate::ledger::attest::destination::Destination;

/// Longest author, and longest reason, of a key's change.
const CHANGE_BYTES_MAX: usize = 65_536;

/// What one call of a signer may take, where no options say.
pub(in crate::ledger) const BUDGET: Duration = Duration::from_secs(30);

/// How a ledger signs checkpoints of itself.
#[derive(Clone)]
pub struct CheckpointOptions {
    /// Who signs. The name of its key is the origin of the checkpoints: the identity of this ledger
    /// towards others, which must never change nor be another ledger's.
    pub signer: Arc<dyn Signer>,
    /// Keys of the same name that signed earlier: what they signed still counts at opening.
    pub earlier_keys: Vec<VerifierKey>,
    /// Who changed the key, and why, where this opening finds that another one signed before: it
    /// becomes a `SigningKeyChanged` record.
    pub key_change: KeyChange,
    /// Where copies go, and which witnesses are asked. What is kept on the same disk helps little.
    pub destinations: Vec<Arc<dyn Destination>>,
    /// A checkpoint is signed once this many records were written after the last one (10,000);
    /// 0: on demand and at a close only.
    pub every_records: u64,
    /// A checkpoint is signed once the last one is this old and something was written since (60 s);
    /// zero: never for this reason.
    pub every: Duration,
    /// How long the signer, and each destination or witness, may take for one call (30 s). One that
    /// takes longer counts as failed, and is not called again before it has come back.
    pub budget: Duration,
}

/// Who changed the signing key, and why.
///
/// Example: `tests/witnesses/keys.rs`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyChange {
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
}

impl KeyChange {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.author.len() > CHANGE_BYTES_MAX || self.reason.len() > CHANGE_BYTES_MAX {
            return Err("author and reason of a key's change have 64 KiB at most");
        }
        if self.author.chars().any(is_deceptive) {
            return Err("the author of a key's change has characters that deceive");
        }
        Ok(())
    }
}

impl CheckpointOptions {
    /// Signs with this key, every 10,000 records or 60 seconds, and copies to these destinations.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, destinations: Vec<Arc<dyn Destination>>) -> Self {
        Self {
            signer,
            earlier_keys: Vec::new(),
            key_change: KeyChange::default(),
            destinations,
            every_records: 10_000,
            every: Duration::from_secs(60),
            budget: BUDGET,
        }
    }

    /// Takes the signer behind what contains it.
    pub(super) fn contain(&mut self, callbacks: &Callbacks) -> Result<(), OpenError> {
        let signer = Arc::clone(&self.signer);
        let signer = ContainedSigner::new(signer, callbacks, self.budget);
        let failed = |problem| AppendError::CallbackFailed {
            callback: CallbackKind::Signer.word(),
            name: String::new(),
            command: "open",
            problem,
        };
        let signer = signer.map_err(|problem| OpenError::Callback(Box::new(failed(problem))));
        self.signer = Arc::new(signer?);
        Ok(())
    }

    /// The checkpoint in a note, if this ledger signed it.
    pub(super) fn own(&self, note: &Note) -> Option<Checkpoint> {
        let checkpoint = Checkpoint::parse(note.text()).ok()?;
        let name = self.signer.key().name();
        let mut keys = std::iter::once(self.signer.key()).chain(&self.earlier_keys);
        let signed =
            keys.any(|key| key.name() == name && matches!(note.signed_by(key), Ok(Some(_))));
        (signed && checkpoint.origin() == name).then_some(checkpoint)
    }
}

/// A checkpoint or a proof could not be made. Nothing that was recorded is touched by it.
///
/// Example: [`checkpoint`](crate::checkpoint).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The ledger was opened without [`CheckpointOptions`].
    #[error("the ledger was opened without a signer")]
    NoSigner,
    /// The tree cannot be read, or not far enough.
    #[error("the tree cannot be read: {0}")]
    Tree(#[source] ViewError),
    /// The tree does not extend the checkpoint of this size: nothing is signed.
    #[error("the tree does not extend the checkpoint at {0} records: nothing is signed")]
    Rewritten(u64),
    /// A destination holds a checkpoint that this ledger's key signed over another history: another copy
    /// of this ledger is in use, or somebody has the key. Nothing more is signed in this opening.
    #[error(
        "{place} holds a checkpoint over {size} records of another history: nothing more is signed"
    )]
    OtherHistory {
        /// The destination.
        place: String,
        /// Records that the checkpoint covers.
        size: u64,
    },
    /// The signer failed.
    #[error("nothing is signed: {0}")]
    Signer(#[source] Cause),
    /// Signed and copied, and the record of it could not be made durable.
    #[error("the checkpoint could not be recorded: {0}")]
    NotRecorded(#[source] Cause),
    /// The note is not a checkpoint that this ledger signed.
    #[error("the note is not a checkpoint of this ledger")]
    NotOurs,
    /// A cosignature is invalid, or there are too many.
    #[error("the cosignatures cannot be added: {0}")]
    Cosignature(#[source] Cause),
    /// The new key cannot sign for this ledger; the old one goes on.
    #[error("the key cannot sign for this ledger: {0}")]
    Key(#[source] Cause),
    /// The redactor failed over what the record would say; the old key goes on.
    #[error("{0}")]
    Callback(#[source] Box<crate::error::AppendError>),
    /// The export could not be written, or the journal not read for it.
    #[error("the export failed: {0}")]
    Export(#[source] Cause),
    /// The task that made it ended.
    #[error("the ledger is shutting down")]
    Stopped,
}

impl CheckpointError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSigner => "no_signer",
            Self::Tree(_) => "tree_unreadable",
            Self::Rewritten(_) => "rewritten",
            Self::OtherHistory { .. } => "other_history",
            Self::Signer(_) => "signer_failed",
            Self::NotRecorded(_) => "not_recorded",
            Self::NotOurs => "not_ours",
            Self::Cosignature(_) => "cosignature",
            Self::Key(_) => "key_unfit",
            Self::Callback(error) => error.code(),
            Self::Export(_) => "export_failed",
            Self::Stopped => "checkpoints_stopped",
        }
    }

    /// Whether the same call can succeed later.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Tree(error) => error.retry(),
            // A device that was away, a directory without room: as soon as it is put right.
            Self::Signer(_) | Self::Export(_) => Retry::Safe,
            // Signed twice is no harm: the same history, and the record is what was missing.
            Self::NotRecorded(_) | Self::Stopped => Retry::AfterReopen,
            Self::Callback(error) => error.retry(),
            Self::NoSigner
            | Self::Rewritten(_)
            | Self::OtherHistory { .. }
            | Self::NotOurs
            | Self::Cosignature(_)
            | Self::Key(_) => Retry::Never,
        }
    }
}
