// SPDX-License-Identifier: Apache-2.0
//! Checkpoints in the destinations that another history signed: an older copy that was put back, a
//! second copy that lives at the same time, a stolen key.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use crate::error::{Cause, OpenError};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::{self, TreeHash};
use crate::integrity::note::Note;
use crate::locks::whole;
use crate::projections::TreeView;

use super::options::CheckpointOptions;
use crate::ledger::attest::destination::{Destination, TooMuchJunk};

/// The first checkpoint of another history that this opening met.
#[derive(Default)]
pub(super) struct Fork {
    /// Lock: who compares a destination, health and the record of it, for one entry; nothing is called under it.
    found: Mutex<Option<(String, u64)>>,
    pub(super) told: AtomicBool,
}

impl Fork {
    /// Where it is, and how many records it covers.
    pub(super) fn found(&self) -> Option<(String, u64)> {
        let found = whole(self.found.lock());
        found.clone()
    }

    pub(super) fn complaint(&self) -> Option<String> {
        let (place, size) = self.found()?;
        Some(format!(
            "{place} holds a checkpoint over {size} records of another history: a copy of this ledger signs too"
        ))
    }

    fn meet(&self, place: &str, size: u64) {
        let mut found = whole(self.found.lock());
        if found.is_none() {
            tracing::error!(place, size, "a copy of this ledger signs another history");
            *found = Some((place.to_owned(), size));
        }
    }

    /// Looks for what another history left in a destination that took `note`. Where there is
    /// something, the note is left where the other one finds it. Blocks.
    pub(super) fn look(
        &self,
        options: &CheckpointOptions,
        tree: &TreeView,
        note: &Note,
        destination: &dyn Destination,
    ) -> std::io::Result<()> {
        let kept = destination.kept(&options.keys())?;
        let head = Checkpoint::parse(note.text()).map_or(0, |checkpoint| checkpoint.size());
        for found in kept.iter().filter_map(|note| options.own(note)) {
            match holds(tree, &found, head, destination.name()) {
                Ok(()) => {}
                Err(OpenError::Views(error)) => return Err(std::io::Error::other(error)),
                Err(error) => {
                    self.meet(destination.name(), found.size());
                    destination.dispute(note)?;
                    return Err(std::io::Error::other(error));
                }
            }
        }
        Ok(())
    }
}

/// The tree, as it was at this checkpoint's size, has its root.
pub(super) fn holds(
    tree: &TreeView,
    found: &Checkpoint,
    head: u64,
    place: &str,
) -> Result<(), OpenError> {
    let (size, place) = (found.size(), place.to_owned());
    if size > head {
        return Err(OpenError::BehindCheckpoint { place, size, head });
    }
    match tree.read(|tree| merkle::root(tree, size)) {
        Ok(root) if root == *found.root() => Ok(()),
        Ok(_) => Err(OpenError::OtherHistory { place, size }),
        Err(error) => Err(OpenError::Views(Cause::of(error))),
    }
}

/// Holds the tree against every checkpoint of this ledger in a destination; gives the newest.
pub(super) fn check(
    options: &CheckpointOptions,
    tree: &TreeView,
    head: u64,
    destination: &dyn Destination,
) -> Result<Option<(u64, TreeHash)>, OpenError> {
    let name = destination.name();
    let kept = match destination.kept(&options.keys()) {
        Ok(kept) => kept,
        Err(error) if TooMuchJunk::of(&error).is_some() => {
            let (place, problem) = (name.to_owned(), error.to_string());
            return Err(OpenError::Destination { place, problem });
        }
        Err(error) => {
            tracing::warn!(name, %error, "a checkpoint destination cannot be read");
            return Ok(None);
        }
    };
    let mut own: Vec<_> = kept.iter().filter_map(|note| options.own(note)).collect();
    own.sort_by_key(|found| std::cmp::Reverse(found.size()));
    own.iter()
        .try_for_each(|found| holds(tree, found, head, name))?;
    Ok(own.first().map(|found| (found.size(), *found.root())))
}

impl CheckpointOptions {
    /// Keys that sign, and signed, as this ledger.
    pub(super) fn keys(&self) -> Vec<VerifierKey> {
        let keys = std::iter::once(self.signer.key()).chain(&self.earlier_keys);
        keys.cloned().collect()
    }
}
