// SPDX-License-Identifier: Apache-2.0
//! A witness as a checkpoint destination: it is asked to cosign every checkpoint that is signed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::callbacks::{CallbackKind, Callbacks, Seat};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::TreeHash;
use crate::integrity::note::Note;
use crate::integrity::witness::{ANSWER_BYTES_MAX, AddCheckpoint, WitnessOutcome, outcome};

use super::destination::Destination;

/// The first try may be from a size that the witness does not have; it says which one it has. A
/// third one is for another process of this log that came in between.
const TRIES: usize = 3;

/// Carries requests to a witness: an HTTP client, a queue, another ledger of this process
/// ([`crate::ledger::Witness`]).
///
/// Example: `tests/witnesses/late.rs`.
pub trait WitnessTransport: Send + Sync {
    /// Sends `body` as a POST to `<submission prefix>/add-checkpoint`, and gives the
    /// answer. Blocks, and must give up in its own time: checkpoints wait for it, appends do
    /// not. Of an answer more than [`ANSWER_BYTES_MAX`](crate::integrity::witness::ANSWER_BYTES_MAX)
    /// bytes need not be read.
    ///
    /// # Errors
    /// Where no answer came. The ledger goes on, and says so.
    fn send(&self, body: &[u8]) -> io::Result<TransportAnswer>;
}

/// What came back.
///
/// Example: `tests/witnesses/late.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportAnswer {
    /// The status, as of HTTP.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Asks a witness (C2SP `tlog-witness`) for a cosignature of every checkpoint.
pub struct WitnessDestination {
    key: VerifierKey,
    transport: Arc<dyn WitnessTransport>,
    seat: Arc<Seat>,
    /// Size of what it cosigned last, as far as is known here.
    cosigned: AtomicU64,
}

impl std::fmt::Debug for WitnessDestination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WitnessDestination")
            .field(&self.key)
            .finish()
    }
}

impl WitnessDestination {
    /// The witness with this key (of the kind [`CosignatureV1`]), reached in this way.
    ///
    /// [`CosignatureV1`]: crate::integrity::key::Algorithm::CosignatureV1
    #[must_use]
    pub fn new(key: VerifierKey, transport: Arc<dyn WitnessTransport>) -> Self {
        // The destination's own seat watches it; this one says whose panic it was.
        let seat = Callbacks::unwatched().seat(CallbackKind::Transport, key.name(), Duration::MAX);
        Self {
            key,
            transport,
            seat,
            cosigned: AtomicU64::new(0),
        }
    }

    fn ask(
        &self,
        checkpoint: &Note,
        prove: &dyn Fn(u64) -> io::Result<Vec<TreeHash>>,
    ) -> io::Result<Note> {
        let parsed = Checkpoint::parse(checkpoint.text());
        let size = parsed.map_err(io::Error::other)?.size();
        // After a restart it is not known; and nothing proves that a smaller tree extends a larger.
        let mut old_size = self.cosigned.load(Ordering::Acquire).min(size);
        let mut said = String::new();
        for _ in 0..TRIES {
            let proof = prove(old_size)?;
            let checkpoint = checkpoint.clone();
            let request = AddCheckpoint {
                old_size,
                proof,
                checkpoint,
            };
            let asked = request.to_string();
            let sent = self.seat.call(|| self.transport.send(asked.as_bytes()));
            let sent = sent.map_err(|cause| io::Error::other(format!("its transport: {cause}")))?;
            let TransportAnswer { status, body } =
                sent.map_err(|error| io::Error::other(self.seat.failed(&error)))?;
            if body.len() > ANSWER_BYTES_MAX {
                let problem = format!("its transport gave an answer of {} bytes", body.len());
                return Err(io::Error::other(self.seat.nonsense(&problem)));
            }
            match outcome(status, &body, &request.checkpoint, &self.key) {
                WitnessOutcome::Cosigned(note) => {
                    self.cosigned.store(size, Ordering::Release);
                    return Ok(note);
                }
                WitnessOutcome::From(cosigned) if cosigned > size => {
                    said = format!(
                        "it has cosigned {cosigned} records, and this ledger has {size}: an older \
                         copy of it was put back, or another history is signed with its key"
                    );
                    break;
                }
                WitnessOutcome::From(cosigned) if cosigned == old_size => {
                    said = format!("it has cosigned another root over the same {size} records");
                    break;
                }
                WitnessOutcome::From(cosigned) => {
                    said = format!("it has cosigned {cosigned} records");
                    old_size = cosigned;
                }
                WitnessOutcome::Refused(why) => {
                    said = why;
                    break;
                }
            }
        }
        Err(io::Error::other(format!(
            "the witness does not cosign: {said}"
        )))
    }
}

impl Destination for WitnessDestination {
    fn name(&self) -> &str {
        self.key.name()
    }

    fn put(&self, _: &Note) -> io::Result<()> {
        let problem = "a witness is asked to cosign, it keeps no copies";
        Err(io::Error::new(io::ErrorKind::Unsupported, problem))
    }

    fn cosign(
        &self,
        checkpoint: &Note,
        prove: &dyn Fn(u64) -> io::Result<Vec<TreeHash>>,
    ) -> Option<io::Result<Note>> {
        Some(self.ask(checkpoint, prove))
    }

    fn kept(&self, _: &[VerifierKey]) -> io::Result<Vec<Note>> {
        Ok(Vec::new())
    }
}
