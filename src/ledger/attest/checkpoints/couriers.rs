// SPDX-License-Identifier: Apache-2.0
//! A destination as it is called: on a thread of its own, within its budget, one call at a time.

use std::io;
use std::sync::Arc;

use crate::callbacks::{CallbackKind, Callbacks, Seat, StartedCall};
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle;
use crate::integrity::note::{NOTE_BYTES_MAX, Note};
use crate::projections::TreeView;

use super::options::CheckpointOptions;
use crate::ledger::attest::destination::{Destination, TooMuchJunk};

/// How a call came out, with the text that is kept of a failure.
pub(super) type CourierOutcome<T> = Result<T, String>;

/// A call under way, or why there is none.
pub(super) type CourierAsked<T> = Result<StartedCall<T>, String>;

pub(super) struct Courier {
    destination: Arc<dyn Destination>,
    /// Asked for once.
    pub(super) name: String,
    seat: Arc<Seat>,
}

impl Courier {
    /// One for each destination, in the order of the options. Blocks.
    pub(super) fn all(options: Option<&CheckpointOptions>, callbacks: &Callbacks) -> Vec<Self> {
        let Some(options) = options else {
            return Vec::new();
        };
        let courier = |(destination, number): (&Arc<dyn Destination>, usize)| {
            let asked = Arc::clone(destination);
            let unnamed = callbacks.seat(CallbackKind::Destination, "", options.budget);
            let name = unnamed.within(move || asked.name().to_owned());
            let name = name.unwrap_or_else(|_| format!("number {number}, which has no name"));
            let seat = callbacks.seat(CallbackKind::Destination, &name, options.budget);
            Self {
                destination: Arc::clone(destination),
                name: seat.name().to_owned(),
                seat,
            }
        };
        options.destinations.iter().zip(1..).map(courier).collect()
    }

    /// What is wrong with it, where something is.
    pub(super) fn cause(&self) -> Option<String> {
        self.seat.cause()
    }

    /// One call of it, contained. Blocks.
    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Destination) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let destination = Arc::clone(&self.destination);
        match self.seat.within(move || work(&*destination)) {
            Ok(Ok(done)) => {
                self.seat.well();
                Ok(done)
            }
            // The one error that the ledger looks into; of any other the text is kept, once made.
            Ok(Err(error)) if TooMuchJunk::of(&error).is_some() => {
                self.seat.failed(&error);
                Err(error)
            }
            Ok(Err(error)) => Err(io::Error::other(self.seat.failed(&error))),
            Err(cause) => Err(io::Error::other(cause)),
        }
    }

    /// Asks for a cosignature; answered with none where it is no witness.
    pub(super) fn ask(
        &self,
        tree: &TreeView,
        note: &Note,
        size: u64,
    ) -> CourierAsked<Option<io::Result<Note>>> {
        let (destination, tree, note) = (Arc::clone(&self.destination), tree.clone(), note.clone());
        self.seat.start(move || {
            let prove = |old| {
                tree.read(|tree| merkle::consistency(tree, old, size))
                    .map_err(io::Error::other)
            };
            destination.cosign(&note, &prove)
        })
    }

    /// What the witness gave comes to `note`; `None` where it is none, and is to be given a copy.
    pub(super) fn cosigned(
        &self,
        asked: CourierAsked<Option<io::Result<Note>>>,
        note: &mut Note,
    ) -> Option<CourierOutcome<()>> {
        let answered = match asked.and_then(StartedCall::wait) {
            Ok(None) => return None,
            Ok(Some(answered)) => answered.map_err(|error| self.seat.failed(&error)),
            Err(cause) => Err(cause),
        };
        Some(answered.and_then(|cosigned| {
            let mut merged = note.clone();
            if !merged.merge(&cosigned) || merged.to_string().len() > NOTE_BYTES_MAX {
                let problem = "it gave back another note, or one that is too large";
                return Err(self.seat.nonsense(&problem));
            }
            *note = merged;
            self.seat.well();
            Ok(())
        }))
    }

    /// Gives it a copy to keep.
    pub(super) fn send(&self, note: &Note) -> CourierAsked<io::Result<()>> {
        let (destination, note) = (Arc::clone(&self.destination), note.clone());
        self.seat.start(move || destination.put(&note))
    }

    /// What became of the copy.
    pub(super) fn sent(&self, asked: CourierAsked<io::Result<()>>) -> CourierOutcome<()> {
        let put = asked.and_then(StartedCall::wait)?;
        put.map_err(|error| self.seat.failed(&error))?;
        self.seat.well();
        Ok(())
    }

    /// As [`Courier::sent`], for a copy that is of use and not owed: a witness keeps none.
    pub(super) fn offered(&self, asked: CourierAsked<io::Result<()>>) {
        if let Ok(Err(error)) = asked.and_then(StartedCall::wait) {
            // The embedder's own words may panic where they are made.
            let said = self.seat.call(|| error.to_string()).unwrap_or_default();
            tracing::debug!(name = self.name, said, "cosignatures were not copied");
        }
    }
}

/// For who holds histories against each other: every call is contained.
impl Destination for Courier {
    fn name(&self) -> &str {
        &self.name
    }

    fn put(&self, checkpoint: &Note) -> io::Result<()> {
        let checkpoint = checkpoint.clone();
        self.call(move |destination| destination.put(&checkpoint))
    }

    fn dispute(&self, checkpoint: &Note) -> io::Result<()> {
        let checkpoint = checkpoint.clone();
        self.call(move |destination| destination.dispute(&checkpoint))
    }

    fn kept(&self, keys: &[VerifierKey]) -> io::Result<Vec<Note>> {
        let keys = keys.to_vec();
        self.call(move |destination| destination.kept(&keys))
    }
}
