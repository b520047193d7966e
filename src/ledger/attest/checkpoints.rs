// SPDX-License-Identifier: Apache-2.0
//! Checkpoints that an open ledger makes of itself: the tree's root, signed, copied to where the
//! ledger's owner cannot reach it by accident, and recorded.
//!
//! The signed tree is durable: the view that holds it has read committed records only. Before the
//! copies go out the tree is held against the newest checkpoint before it, so that this ledger never
//! signs two histories. Afterwards it is held against what else lies in the destinations, so that two
//! copies of one ledger learn of each other.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use crate::callbacks::Callbacks;
use crate::error::{Cause, OpenError};
use crate::events::SigningKeyChangedV1;
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::{self, TreeHash};
use crate::integrity::note::Note;
use crate::locks::whole;
use crate::projections::{TreeAt, TreeView, ViewError};

use super::cosigned::CosignedByOrigin;
use crate::ledger::recover::caller_gone::Dropped;

mod copies;
mod cosign;
mod couriers;
mod due;
mod forks;
mod key_change;
mod keys;
mod options;
mod sign;

pub use copies::CopyStatus;
use copies::{Backoff, Destinations};
pub(in crate::ledger) use cosign::{add_cosignatures, newest};
use couriers::Courier;
use forks::holds;
pub use options::{CheckpointError, CheckpointOptions, KeyChange};
pub(in crate::ledger) use sign::{Signing, sign, sign_at_close, sign_closed};

/// An hour: a rebuild of the tree may take long, a wait for ever would hide that it is stuck.
const WAIT: Duration = Duration::from_secs(3_600);

/// What is kept of the checkpoints of an open ledger.
pub(crate) struct Checkpoints {
    /// Changed where the key is.
    /// Lock: whoever signs, for a copy; a change of keys, to put the new ones in. No signer is called under it.
    options: RwLock<Option<CheckpointOptions>>,
    pub(in crate::ledger) tree: TreeView,
    /// The newest checkpoint known, and the one signer at a time.
    /// Lock: whoever signs or adds a cosignature, until its record is durable and the copies are sent. Signer and
    /// destinations are waited for under it.
    newest: tokio::sync::Mutex<Newest>,
    destinations: Destinations,
    fork: forks::Fork,
    /// Of other logs.
    pub(in crate::ledger) witnessed: CosignedByOrigin,
    /// One export at a time: two would write the same files.
    /// Lock: one export, until its files are written; the next one waits its turn.
    pub(in crate::ledger) exporting: Arc<tokio::sync::Mutex<()>>,
    /// What came after this record is covered by none.
    covered: AtomicU64,
    last_ns: AtomicU64,
    under_way: AtomicBool,
    /// After a failure nothing is signed by itself for a while. Destinations have their own.
    /// Lock: the timer's task and health, for a few numbers; nothing is signed under it.
    signing: Mutex<Backoff>,
}

#[derive(Default)]
pub(in crate::ledger) struct Newest {
    /// Size and root: what comes next must extend it.
    known: Option<(u64, TreeHash)>,
    /// What this opening signed last.
    note: Option<Note>,
}

impl Checkpoints {
    /// Holds the tree against the newest checkpoint that is found in any destination, and in the
    /// journal itself. Blocks until the tree has been read that far. Gives the change of keys that
    /// this opening is, to be recorded first of all.
    ///
    /// # Errors
    /// [`OpenError::BehindCheckpoint`], [`OpenError::OtherHistory`], [`OpenError::OtherKey`];
    /// nothing was appended.
    pub(in crate::ledger) fn check(
        mut options: Option<CheckpointOptions>,
        tree: TreeView,
        (head, now_ns): (u64, u64),
        callbacks: &Callbacks,
        dropped: &Dropped,
    ) -> Result<(Self, Option<SigningKeyChangedV1>), OpenError> {
        let (mut newest, mut changed) = (None, None);
        if let Some(options) = &mut options {
            options.contain(callbacks)?;
        }
        let couriers = Courier::all(options.as_ref(), callbacks);
        let destinations = Destinations::new(couriers, now_ns);
        if let Some(options) = &options {
            read_up_to(&tree, head, dropped)?;
            changed = keys::changed(options, &tree)?;
            newest = recorded(options, &tree)?;
            newest = newest.max(destinations.check(options, &tree, (head, now_ns))?);
        }
        let checkpoints = Self {
            options: RwLock::new(options),
            tree,
            covered: AtomicU64::new(newest.map_or(0, |(size, _)| size)),
            newest: tokio::sync::Mutex::new(Newest {
                known: newest,
                note: None,
            }),
            destinations,
            fork: forks::Fork::default(),
            witnessed: CosignedByOrigin::default(),
            exporting: Arc::default(),
            last_ns: AtomicU64::new(now_ns),
            under_way: AtomicBool::new(false),
            signing: Mutex::default(),
        };
        Ok((checkpoints, changed))
    }

    /// Waits until the tree holds the record `seq`; holds no thread.
    pub(in crate::ledger) async fn reached(&self, seq: u64) -> Result<(), ViewError> {
        self.tree.view().reached(seq, WAIT).await.map(drop)
    }

    fn options(&self) -> Option<CheckpointOptions> {
        let options = whole(self.options.read());
        options.clone()
    }

    pub(in crate::ledger) fn copies(&self, now_ns: u64) -> Vec<CopyStatus> {
        self.destinations.status(now_ns)
    }

    /// What one call of a signer may take.
    pub(in crate::ledger) fn budget(&self) -> Duration {
        self.options().map_or(options::BUDGET, |it| it.budget)
    }

    /// Under which name this ledger signs; `None` where it does not.
    pub(in crate::ledger) fn origin(&self) -> Option<String> {
        self.options()
            .map(|options| options.signer.key().name().to_owned())
    }

    /// The checkpoint in a note, if this ledger signed it.
    pub(in crate::ledger) fn own(&self, note: &Note) -> Result<Checkpoint, CheckpointError> {
        let options = self.options().ok_or(CheckpointError::NoSigner)?;
        options.own(note).ok_or(CheckpointError::NotOurs)
    }

    /// Keys that sign, and signed, as this ledger.
    pub(in crate::ledger) fn keys(&self) -> Vec<VerifierKey> {
        self.options().map_or_else(Vec::new, |it| it.keys())
    }

    /// What is wrong; `None` where nothing is.
    pub(in crate::ledger) fn complaint(&self) -> Option<String> {
        self.fork.complaint()
    }

    /// Reads the tree where a thread may wait.
    pub(in crate::ledger) async fn read_tree<R: Send + 'static>(
        &self,
        read: impl FnOnce(&TreeAt<'_>) -> Result<R, merkle::ProveError<ViewError>> + Send + 'static,
    ) -> Result<R, CheckpointError> {
        let tree = self.tree.clone();
        let read = tokio::task::spawn_blocking(move || tree.read(read)).await;
        read.map_err(|_| CheckpointError::Stopped)?
            .map_err(CheckpointError::Tree)
    }

    /// What a destination's checkpoints are held against, and where another history is told.
    const fn compared(&self) -> (&TreeView, &forks::Fork) {
        (&self.tree, &self.fork)
    }

    fn signing(&self) -> MutexGuard<'_, Backoff> {
        whole(self.signing.lock())
    }
}

/// Blocks until the tree holds the record `head`, as long as somebody waits for it.
fn read_up_to(tree: &TreeView, head: u64, dropped: &Dropped) -> Result<(), OpenError> {
    const LOOK: Duration = Duration::from_millis(100);
    let looks = WAIT.as_millis() / LOOK.as_millis();
    for _ in 0..looks {
        dropped.check()?;
        match tree.view().at_least(head, LOOK) {
            Err(ViewError::Behind { .. }) => {}
            Err(error) => return Err(OpenError::Views(Cause::of(error))),
            Ok(_) => return Ok(()),
        }
    }
    Err(OpenError::Views("the tree is not being read".into()))
}

/// The newest checkpoint that the journal tells of; it must hold as any other.
fn recorded(
    options: &CheckpointOptions,
    tree: &TreeView,
) -> Result<Option<(u64, TreeHash)>, OpenError> {
    let found = tree.newest_checkpoint();
    let newest = found.map_err(|error| OpenError::Views(Cause::of(error)))?;
    let head = newest.position;
    let note = newest.found.and_then(|bytes| Note::parse(&bytes).ok());
    let Some(found) = note.and_then(|note| options.own(&note)) else {
        return Ok(None);
    };
    holds(tree, &found, head, "the journal")?;
    Ok(Some((found.size(), *found.root())))
}
