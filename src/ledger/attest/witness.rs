// SPDX-License-Identifier: Apache-2.0
//! This ledger as a witness of other logs (C2SP `tlog-witness`): it cosigns a checkpoint only where
//! that extends the one it cosigned last, and its own records say which one that was.
//!
//! A cosigned checkpoint is recorded before it is answered, under one lock from the check to the
//! record: two checkpoints of one log cannot pass each other.

use std::io;
use std::sync::Arc;

use crate::callbacks::ContainedSigner;
use crate::error::{Cause, Retry};
use crate::events::{CheckpointWitnessedV1, Event, Seq};
use crate::integrity::key::{Algorithm, Signer, VerifierKey};
use crate::integrity::merkle::{TreeHash, TreeHead};
use crate::integrity::note::{Note, NoteSignature};
use crate::integrity::witness::{
    AddCheckpoint, RequestError, WitnessAnswer, WitnessRefusal, check,
};
use crate::metrics;

use super::checkpoints::Signing;
use super::witness_destination::{TransportAnswer, WitnessTransport};
use crate::ledger::blocking::blocking;
use crate::ledger::root::Root;

/// Whose refusals the audit log counts.
const COMPONENT: &str = "witness";

/// Size and root of what was cosigned last, by origin. One for an opening, whoever asks.
/// No witness can be had, or it does not cosign.
///
/// Example: [`witness`](crate::witness).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// It must not be cosigned. The recorded checkpoint has not changed.
    #[error(transparent)]
    Refused(#[from] WitnessRefusal),
    /// The key is not one that cosigns.
    #[error("the key {0} is not a witness's")]
    Key(String),
    /// A key of a log is not one that signs checkpoints, or is the witness's own, or this ledger's.
    #[error("the key {0} is not that of another log")]
    Log(String),
    /// The records of earlier cosignatures cannot be read: nothing is cosigned.
    #[error("unreadable record of earlier cosignatures: {0}")]
    Unreadable(#[source] Cause),
    /// The signer failed; nothing is recorded.
    #[error("nothing is cosigned: {0}")]
    Signer(#[source] Cause),
    /// The cosignature was not made durable, and so is not given out.
    #[error("the cosignature could not be recorded: {0}")]
    NotRecorded(#[source] Cause),
}

impl WitnessError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Key(_) => "witness_key",
            Self::Log(_) => "witness_log",
            Self::Unreadable(_) => "witness_unreadable",
            Self::Signer(_) => "witness_signer",
            Self::NotRecorded(_) => "witness_not_recorded",
        }
    }

    /// Whether the same call can succeed later.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Refused(_) | Self::Key(_) | Self::Log(_) => Retry::Never,
            Self::Unreadable(_) | Self::Signer(_) => Retry::Safe,
            // Cosigned once more is no harm: the record says the same.
            Self::NotRecorded(_) => Retry::AfterReopen,
        }
    }
}

/// A witness whose memory is a ledger. Cheap to clone; all of an opening share what was cosigned.
///
/// Example: [`witness`](crate::witness).
#[derive(Clone)]
pub struct Witness {
    signing: Signing,
    signer: Arc<dyn Signer>,
    logs: Arc<[VerifierKey]>,
    runtime: tokio::runtime::Handle,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Witness").field(self.signer.key()).finish()
    }
}

impl Root {
    /// Makes this ledger a witness for these logs: it cosigns with `signer`. Several keys of one
    /// name are one log whose key was changed. Reads what it cosigned before from its records.
    ///
    /// Cancel safe: nothing is recorded, and there is no witness.
    ///
    /// # Errors
    /// `Key`, `Log`, `Unreadable`.
    pub async fn witness(
        &self,
        signer: Arc<dyn Signer>,
        logs: Vec<VerifierKey>,
    ) -> Result<Witness, WitnessError> {
        let signing = self.signing().clone();
        let (callbacks, budget) = (signing.core.callbacks.clone(), signing.checkpoints.budget());
        let asked = move || ContainedSigner::new(signer, &callbacks, budget);
        let asked = blocking(move || Ok(asked())).await;
        let asked = asked.map_err(|error| WitnessError::Signer(Cause::of(error)))?;
        let signer = asked.map_err(|problem| WitnessError::Signer(problem.into()))?;
        let signer: Arc<dyn Signer> = Arc::new(signer);
        if signer.key().algorithm() != Algorithm::CosignatureV1 {
            return Err(WitnessError::Key(signer.key().to_string()));
        }
        let origin = signing.checkpoints.origin();
        let usable = |key: &&VerifierKey| {
            key.algorithm() == Algorithm::Ed25519
                && key.public() != signer.key().public()
                && origin.as_deref() != Some(key.name())
        };
        if let Some(key) = logs.iter().find(|key| !usable(key)) {
            return Err(WitnessError::Log(key.to_string()));
        }
        let mut cosigned = signing.checkpoints.witnessed.lock().await;
        let mut origins: Vec<_> = logs.iter().map(|key| key.name().to_owned()).collect();
        origins.retain(|origin| !cosigned.contains_key(origin));
        let reached = signing
            .checkpoints
            .reached(signing.core.reader.head().count())
            .await;
        reached.map_err(|error| WitnessError::Unreadable(Cause::of(error)))?;
        let reading = signing.clone();
        let read = blocking(move || Ok(recorded(&reading, origins))).await;
        let read = read.unwrap_or_else(|error| Err(Cause::of(error)));
        cosigned.extend(read.map_err(WitnessError::Unreadable)?);
        drop(cosigned);
        Ok(Witness {
            signing,
            signer,
            logs: logs.into(),
            runtime: tokio::runtime::Handle::current(),
        })
    }
}

/// What the records say was cosigned last of each of these logs. The view tells where the record is;
/// what it says is read, and checked, in the journal.
fn recorded(signing: &Signing, mut origins: Vec<String>) -> Result<Vec<(String, TreeHead)>, Cause> {
    let tree = &signing.checkpoints.tree;
    origins.sort_unstable();
    origins.dedup();
    let mut found = Vec::new();
    for origin in origins {
        let at = tree.witnessed(&origin);
        if let Some(seq) = at.map_err(Cause::of)? {
            found.push((origin.clone(), read(signing, seq, &origin)?));
        }
    }
    Ok(found)
}

fn read(signing: &Signing, seq: Seq, origin: &str) -> Result<TreeHead, Cause> {
    let record = signing.core.reader.get(seq).map_err(Cause::of)?;
    let event = record.as_ref().map(|record| record.event());
    match event {
        Some(Ok(Event::CheckpointWitnessed(it))) if it.origin == origin => Ok(TreeHead {
            size: it.size,
            root: TreeHash::from_bytes(it.root),
        }),
        _ => Err(format!("record {seq} does not tell of a checkpoint of {origin}").into()),
    }
}

impl Witness {
    /// The key that cosigns.
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        self.signer.key()
    }

    /// The tree of the newest checkpoint that was cosigned of this log.
    ///
    /// Cancel safe: it changes nothing.
    pub async fn cosigned(&self, origin: &str) -> Option<TreeHead> {
        let cosigned = self.signing.checkpoints.witnessed.lock().await;
        cosigned.get(origin).copied()
    }

    /// Cosigns a checkpoint that extends the one cosigned last, and keeps it. When this returns the
    /// cosignature, the record of it is durable. The same checkpoint again is cosigned again, and
    /// costs no record.
    ///
    /// Cancelling the call ends the wait: the checkpoint may be cosigned and on the record all the same.
    ///
    /// # Errors
    /// `Refused`: it does not; `Signer`, `NotRecorded`: nothing is given out.
    pub async fn add_checkpoint(
        &self,
        request: AddCheckpoint,
    ) -> Result<NoteSignature, WitnessError> {
        // In a task of its own: whoever asked may go away between the record and what is
        // remembered of it.
        let this = self.clone();
        let task = self.runtime.spawn(async move { this.add(&request).await });
        task.await
            .unwrap_or_else(|error| Err(WitnessError::NotRecorded(Cause::of(error))))
    }

    async fn add(&self, request: &AddCheckpoint) -> Result<NoteSignature, WitnessError> {
        let mut cosigned = self.signing.checkpoints.witnessed.lock().await;
        let last = |origin: &str| cosigned.get(origin).copied();
        let checked = check(request, &self.logs, last);
        let checkpoint = checked.inspect_err(|refusal| self.refused(request, refusal))?;
        let (this, asked) = (self.clone(), request.checkpoint.clone());
        let signed = blocking(move || Ok(this.cosign(&asked))).await;
        let signed = signed.map_err(|error| WitnessError::Signer(Cause::of(error)))?;
        let (note, signature) = signed?;
        let (origin, newest) = (checkpoint.origin(), checkpoint.tree_head());
        if cosigned.get(origin) != Some(&newest) {
            let event = CheckpointWitnessedV1 {
                origin: origin.to_owned(),
                size: newest.size,
                root: *newest.root.as_bytes(),
                note: note.to_string().into_bytes(),
            };
            let written = self.signing.core.write_own("witness", event).await;
            written.map_err(|error| WitnessError::NotRecorded(Cause::of(error)))?;
            cosigned.insert(origin.to_owned(), newest);
        }
        metrics::CHECKPOINTS_WITNESSED.counter(&[]).increment(1);
        Ok(signature)
    }

    /// Answers the body of a POST to `add-checkpoint`. An HTTP server of the embedder's passes it on
    /// as it is; it should read no more than
    /// [`REQUEST_BYTES_MAX`](crate::integrity::witness::REQUEST_BYTES_MAX) bytes and one.
    ///
    /// Cancelling as with [`Witness::add_checkpoint`].
    pub async fn answer(&self, body: &[u8]) -> WitnessAnswer {
        let answered = match AddCheckpoint::parse(body) {
            Ok(request) => self.add_checkpoint(request).await,
            Err(error) => Err(self.unreadable(error)),
        };
        match answered {
            Ok(signature) => WitnessAnswer {
                status: 200,
                content_type: "text/plain; charset=utf-8",
                body: signature.to_string().into_bytes(),
            },
            Err(WitnessError::Refused(refusal)) => refusal.answer(),
            Err(error) => WitnessAnswer::text(500, error.to_string()),
        }
    }

    fn unreadable(&self, error: RequestError) -> WitnessError {
        let refusal = WitnessRefusal::from(error);
        let own = &self.signing.core.shared.self_records;
        own.refused(COMPONENT, refusal.code(), false, String::new);
        refusal.into()
    }

    /// What the log itself signed and must not have is told in the audit log, with what it signed:
    /// the first of a kind at once, the rest counted. Anything else is anybody's, and costs no disk.
    fn refused(&self, request: &AddCheckpoint, refusal: &WitnessRefusal) {
        let own = &self.signing.core.shared.self_records;
        own.refused(COMPONENT, refusal.code(), refusal.is_suspicious(), || {
            let mut note = Note::new(request.checkpoint.text().to_owned());
            if let Ok(note) = &mut note {
                // Verified before; without a signature the text is still worth keeping.
                let _taken = note.take_over(&request.checkpoint, &self.logs);
            }
            let note = note.map_or_else(|_| String::new(), |note| note.to_string());
            format!("{refusal}\n{note}")
        });
    }

    /// The checkpoint as it is kept: signatures of the log and of this witness, and no others.
    fn cosign(&self, checkpoint: &Note) -> Result<(Note, NoteSignature), WitnessError> {
        let time_s = self.signing.core.shared.clock.now_ns() / 1_000_000_000;
        let time_s = u32::try_from(time_s).map_err(failed)?;
        let text = checkpoint.text().to_owned();
        let mut note = Note::new(text).map_err(failed)?;
        note.take_over(checkpoint, &self.logs).map_err(failed)?;
        note.cosign(&*self.signer, time_s).map_err(failed)?;
        let signature = note.signatures().last().cloned();
        let unsigned = || WitnessError::Signer("the note has no signature".into());
        let signature = signature.ok_or_else(unsigned)?;
        Ok((note, signature))
    }
}

/// For a log in the same process. Must not be called on a thread that drives async tasks.
impl WitnessTransport for Witness {
    fn send(&self, body: &[u8]) -> io::Result<TransportAnswer> {
        let answer = self.runtime.block_on(self.answer(body));
        Ok(TransportAnswer {
            status: answer.status,
            body: answer.body,
        })
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> WitnessError {
    WitnessError::Signer(Cause::of(error))
}
