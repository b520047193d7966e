//! Checkpoints that an open ledger makes of itself: the tree's root, signed, copied to where the
//! ledger's owner cannot reach it by accident, and recorded.
//!
//! What is signed is durable: the view that holds the tree has read committed records only. Before
//! the copies go out the tree is held against the newest checkpoint before it, so that this ledger
//! never signs two histories. Afterwards it is held against what else lies in the destinations, so that
//! two copies of one ledger learn of each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::callbacks::Callbacks;
use crate::error::OpenError;
use crate::events::{CheckpointSignedV1, Event, SigningKeyChangedV1};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::key::{SignError, Signer, VerifierKey};
use crate::integrity::merkle::{self, TreeHash};
use crate::integrity::note::Note;
use crate::metrics;
use crate::projections::{ReadError as ViewError, TreeView};

use super::dropped::Dropped;
use super::submit::Core;
use super::witness::Cosigned;

mod copies;
mod cosign;
mod couriers;
mod due;
mod forks;
mod keys;
mod options;

pub use copies::CopyStatus;
use copies::{Backoff, Copies, Destinations};
pub(super) use cosign::{add_cosignatures, newest};
use couriers::Courier;
pub(super) use due::sign_if_due;
pub use options::{CheckpointError, CheckpointOptions, KeyChange};

/// An hour: a rebuild of the tree may take long, a wait for ever would hide that it is stuck.
const WAIT: Duration = Duration::from_secs(3_600);

/// What is kept of the checkpoints of an open ledger.
pub(crate) struct Checkpoints {
    /// Changed where the key is.
    options: RwLock<Option<CheckpointOptions>>,
    pub(super) tree: TreeView,
    /// The newest checkpoint known, and the one signer at a time.
    newest: tokio::sync::Mutex<Newest>,
    destinations: Destinations,
    fork: forks::Fork,
    /// Of other logs.
    pub(super) witnessed: Cosigned,
    /// One export at a time: two would write the same files.
    pub(super) exporting: Arc<tokio::sync::Mutex<()>>,
    /// What came after this record is covered by none.
    covered: AtomicU64,
    last_ns: AtomicU64,
    under_way: AtomicBool,
    /// After a failure nothing is signed by itself for a while. Destinations have their own.
    signing: Mutex<Backoff>,
}

#[derive(Default)]
struct Newest {
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
    pub(super) fn check(
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
            witnessed: Cosigned::default(),
            exporting: Arc::default(),
            last_ns: AtomicU64::new(now_ns),
            under_way: AtomicBool::new(false),
            signing: Mutex::default(),
        };
        Ok((checkpoints, changed))
    }

    /// Waits until the tree holds the record `seq`; holds no thread.
    pub(super) async fn reached(&self, seq: u64) -> Result<(), ViewError> {
        self.tree.view().reached(seq, WAIT).await.map(drop)
    }

    fn options(&self) -> Option<CheckpointOptions> {
        let options = self.options.read().unwrap_or_else(PoisonError::into_inner);
        options.clone()
    }

    pub(super) fn copies(&self, now_ns: u64) -> Vec<CopyStatus> {
        self.destinations.status(now_ns)
    }

    /// What one call of a signer may take.
    pub(super) fn budget(&self) -> Duration {
        self.options().map_or(options::BUDGET, |it| it.budget)
    }

    /// Under which name this ledger signs; `None` where it does not.
    pub(super) fn origin(&self) -> Option<String> {
        self.options()
            .map(|options| options.signer.key().name().to_owned())
    }

    /// The checkpoint in a note, if this ledger signed it.
    pub(super) fn own(&self, note: &Note) -> Result<Checkpoint, CheckpointError> {
        let options = self.options().ok_or(CheckpointError::NoSigner)?;
        options.own(note).ok_or(CheckpointError::NotOurs)
    }

    /// Keys that sign, and signed, as this ledger.
    pub(super) fn keys(&self) -> Vec<VerifierKey> {
        self.options().map_or_else(Vec::new, |it| it.keys())
    }

    /// What is wrong; `None` where nothing is.
    pub(super) fn complaint(&self) -> Option<String> {
        self.fork.complaint()
    }

    fn signing(&self) -> MutexGuard<'_, Backoff> {
        self.signing.lock().unwrap_or_else(PoisonError::into_inner)
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
            Err(error) => return Err(OpenError::Views(error.to_string())),
            Ok(_) => return Ok(()),
        }
    }
    Err(OpenError::Views("the tree is not being read".to_owned()))
}

/// The newest checkpoint that the journal tells of; it must hold as any other.
fn recorded(
    options: &CheckpointOptions,
    tree: &TreeView,
) -> Result<Option<(u64, TreeHash)>, OpenError> {
    let found = tree.newest_checkpoint();
    let (head, note) = found.map_err(|error| OpenError::Views(error.to_string()))?;
    let note = note.and_then(|bytes| Note::parse(&bytes).ok());
    let Some(found) = note.and_then(|note| options.own(&note)) else {
        return Ok(None);
    };
    holds(tree, &found, head, "the journal")?;
    Ok(Some((found.size(), *found.root())))
}

/// The tree, as it was at this checkpoint's size, has its root.
fn holds(tree: &TreeView, found: &Checkpoint, head: u64, place: &str) -> Result<(), OpenError> {
    let (size, place) = (found.size(), place.to_owned());
    if size > head {
        return Err(OpenError::BehindCheckpoint { place, size, head });
    }
    match tree.read(|tree| merkle::root(tree, size)) {
        Ok(root) if root == *found.root() => Ok(()),
        Ok(_) => Err(OpenError::OtherHistory { place, size }),
        Err(error) => Err(OpenError::Views(error.to_string())),
    }
}

/// At a close: what was written since the last one is covered.
pub(super) async fn sign_at_close(core: &Arc<Core>) {
    let head = core.reader.head().seq;
    if core.checkpoints.origin().is_some()
        && head > core.checkpoints.covered.load(Ordering::Acquire)
        && let Err(error) = sign(core).await
    {
        tracing::error!(%error, "no checkpoint was signed at the close");
    }
}

/// Behind the last record: the destinations learn where this epoch ends, so that nothing can be cut off
/// it or put behind it unnoticed. No record tells of it, as none may follow.
pub(super) async fn sign_closed(core: &Arc<Core>) {
    let mut newest = core.checkpoints.newest.lock().await;
    let Some(options) = core.checkpoints.options() else {
        return;
    };
    if options.destinations.is_empty() || core.checkpoints.fork.found().is_some() {
        return;
    }
    match sign_and_copy(core, &mut newest, options, None).await {
        Ok((checkpoint, ..)) => {
            tracing::debug!(size = checkpoint.size(), "the closed ledger is signed");
        }
        Err(error) => tracing::error!(%error, "the closed ledger was not signed"),
    }
}

pub(super) async fn sign(core: &Arc<Core>) -> Result<Note, CheckpointError> {
    let mut newest = core.checkpoints.newest.lock().await;
    sign_as(core, &mut newest, None).await
}

/// Signs with the key in force, and with another one where it is given.
async fn sign_as(
    core: &Arc<Core>,
    newest: &mut Newest,
    also: Option<Arc<dyn Signer>>,
) -> Result<Note, CheckpointError> {
    let outcome = sign_and_record(core, newest, also).await;
    let word = if outcome.is_ok() { "signed" } else { "failed" };
    metrics::CHECKPOINTS.counter(&[word]).increment(1);
    outcome
}

async fn sign_and_record(
    core: &Arc<Core>,
    newest: &mut Newest,
    also: Option<Arc<dyn Signer>>,
) -> Result<Note, CheckpointError> {
    let checkpoints = &core.checkpoints;
    let options = checkpoints.options().ok_or(CheckpointError::NoSigner)?;
    if let Some((place, size)) = checkpoints.fork.found() {
        return Err(CheckpointError::OtherHistory { place, size });
    }
    let (checkpoint, copies, note) = sign_and_copy(core, newest, options, also).await?;
    let event = CheckpointSignedV1 {
        size: checkpoint.size(),
        root: *checkpoint.root().as_bytes(),
        note: note.to_string().into_bytes(),
        copied: copies.copied,
        failed: copies.failed,
        problem: copies.problem,
    };
    let own = write(core, &event.into()).await?;
    // Its own record calls for no further one, unless others came between.
    let size = checkpoint.size();
    let covered = if own == size + 1 { own } else { size };
    checkpoints.covered.store(covered, Ordering::Release);
    let now_ns = core.shared.clock.monotonic_ns();
    checkpoints.last_ns.store(now_ns, Ordering::Release);
    forks::tell(core);
    match checkpoints.fork.found() {
        Some((place, size)) => Err(CheckpointError::OtherHistory { place, size }),
        None => Ok(note),
    }
}

async fn sign_and_copy(
    core: &Arc<Core>,
    newest: &mut Newest,
    options: CheckpointOptions,
    also: Option<Arc<dyn Signer>>,
) -> Result<(Checkpoint, Copies, Note), CheckpointError> {
    let reached = core.checkpoints.reached(core.reader.head().seq).await;
    reached.map_err(CheckpointError::Tree)?;
    let (working, before) = (Arc::clone(core), newest.known);
    let work = move || {
        let checkpoints = &working.checkpoints;
        let checkpoint = extending(&options, &checkpoints.tree, before)?;
        let failed = |error: SignError| CheckpointError::Signer(error.to_string());
        let mut note = checkpoint.sign(&*options.signer).map_err(failed)?;
        if let Some(also) = also {
            note.sign(&*also).map_err(failed)?;
        }
        let now_ns = working.shared.clock.monotonic_ns();
        let all = &checkpoints.destinations;
        let copies = all.send(&options, checkpoints, &mut note, now_ns, false);
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
async fn write(core: &Arc<Core>, event: &Event) -> Result<u64, CheckpointError> {
    let written = core.shared.own.write(event).await;
    let placed = written.map_err(|_| CheckpointError::Stopped)?;
    let placed = placed.map_err(|sealed| CheckpointError::NotRecorded(sealed.cause.to_string()))?;
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
    Checkpoint::new(name, size, root).map_err(|error| CheckpointError::Signer(error.to_string()))
}
