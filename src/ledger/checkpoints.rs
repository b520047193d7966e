//! Checkpoints that an open ledger makes of itself: the tree's root, signed, copied to where the
//! ledger's owner cannot reach it by accident, and recorded.
//!
//! What is signed is durable: the view that holds the tree has read committed records only. Before
//! the copies go out the tree is held against the newest checkpoint before it, so that this ledger
//! never signs two histories.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::error::OpenError;
use crate::events::CheckpointSignedV1;
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::key::{Signer, VerifierKey};
use crate::integrity::merkle::{self, TreeHash};
use crate::integrity::note::Note;
use crate::metrics;
use crate::projections::{ReadError as ViewError, TreeView};

use super::destination::Destination;
use super::submit::Core;

/// An hour: a rebuild of the tree may take long, a wait for ever would hide that it is stuck.
const WAIT: Duration = Duration::from_secs(3_600);

/// Between a failure and the next try (10 s): a device that is away is not asked ten times a second.
const PAUSE_NS: u64 = 10_000_000_000;

/// How a ledger signs checkpoints of itself.
#[derive(Clone)]
pub struct CheckpointOptions {
    /// Who signs. The name of its key is the origin of the checkpoints: the identity of this ledger
    /// towards others, which must never change nor be another ledger's.
    pub signer: Arc<dyn Signer>,
    /// Keys of the same name that signed earlier: what they signed still counts at opening.
    pub earlier_keys: Vec<VerifierKey>,
    /// Where copies go. What is kept on the same disk helps little.
    pub destinations: Vec<Arc<dyn Destination>>,
    /// A checkpoint is signed once this many records were written after the last one (10,000);
    /// 0: on demand and at a close only.
    pub every_records: u64,
    /// A checkpoint is signed once the last one is this old and something was written since (60 s);
    /// zero: never for this reason.
    pub every: Duration,
}

impl CheckpointOptions {
    /// Signs with this key, every 10,000 records or 60 seconds, and copies to these destinations.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, destinations: Vec<Arc<dyn Destination>>) -> Self {
        Self {
            signer,
            earlier_keys: Vec::new(),
            destinations,
            every_records: 10_000,
            every: Duration::from_secs(60),
        }
    }

    /// The checkpoint in a note, if this ledger signed it.
    fn own(&self, note: &Note) -> Option<Checkpoint> {
        let checkpoint = Checkpoint::parse(note.text()).ok()?;
        let name = self.signer.key().name();
        let mut keys = std::iter::once(self.signer.key()).chain(&self.earlier_keys);
        let signed =
            keys.any(|key| key.name() == name && matches!(note.signed_by(key), Ok(Some(_))));
        (signed && checkpoint.origin() == name).then_some(checkpoint)
    }
}

/// A checkpoint or a proof could not be made. Nothing that was recorded is touched by it.
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
    /// The signer failed.
    #[error("nothing is signed: {0}")]
    Signer(String),
    /// Signed and copied, and the record of it could not be made durable.
    #[error("the checkpoint could not be recorded: {0}")]
    NotRecorded(String),
    /// The note is not a checkpoint that this ledger signed.
    #[error("the note is not a checkpoint of this ledger")]
    NotOurs,
    /// The export could not be written, or the journal not read for it.
    #[error("the export failed: {0}")]
    Export(String),
    /// The task that made it ended.
    #[error("the ledger is shutting down")]
    Stopped,
}

/// What is kept of the checkpoints of an open ledger.
pub(crate) struct Checkpoints {
    options: Option<CheckpointOptions>,
    pub(super) tree: TreeView,
    /// Size and root of the newest checkpoint known, and the one signer at a time.
    newest: tokio::sync::Mutex<Option<(u64, TreeHash)>>,
    /// What came after this record is covered by none.
    covered: AtomicU64,
    last_ns: AtomicU64,
    under_way: AtomicBool,
    /// After a failure nothing is signed by itself until this moment of the monotonic clock.
    not_before_ns: AtomicU64,
}

impl Checkpoints {
    /// Holds the tree against the newest checkpoint that is found in any destination, and in the
    /// journal itself. Blocks until the tree has been read that far.
    ///
    /// # Errors
    /// [`OpenError::BehindCheckpoint`] and [`OpenError::OtherHistory`]; nothing was appended.
    pub(super) fn check(
        options: Option<CheckpointOptions>,
        tree: TreeView,
        head: u64,
        now_ns: u64,
    ) -> Result<Self, OpenError> {
        let mut newest = None;
        if let Some(options) = &options {
            let waited = tree.view().at_least(head, WAIT);
            waited.map_err(|error| OpenError::Views(error.to_string()))?;
            newest = recorded(options, &tree)?;
            for destination in &options.destinations {
                let kept = match destination.kept() {
                    Ok(kept) => kept,
                    Err(error) => {
                        let name = destination.name();
                        tracing::warn!(name, %error, "a checkpoint destination cannot be read");
                        continue;
                    }
                };
                let own = kept.iter().filter_map(|note| options.own(note));
                if let Some(found) = own.max_by_key(Checkpoint::size) {
                    holds(&tree, &found, head, destination.name())?;
                    newest = newest.max(Some((found.size(), *found.root())));
                }
            }
        }
        Ok(Self {
            options,
            tree,
            covered: AtomicU64::new(newest.map_or(0, |(size, _)| size)),
            newest: tokio::sync::Mutex::new(newest),
            last_ns: AtomicU64::new(now_ns),
            under_way: AtomicBool::new(false),
            not_before_ns: AtomicU64::new(0),
        })
    }

    /// The checkpoint in a note, if this ledger signed it.
    pub(super) fn own(&self, note: &Note) -> Result<Checkpoint, CheckpointError> {
        let options = self.options.as_ref().ok_or(CheckpointError::NoSigner)?;
        options.own(note).ok_or(CheckpointError::NotOurs)
    }

    /// Keys that sign, and signed, as this ledger.
    pub(super) fn keys(&self) -> Vec<VerifierKey> {
        let options = self.options.iter();
        let keys = options.flat_map(|it| std::iter::once(it.signer.key()).chain(&it.earlier_keys));
        keys.cloned().collect()
    }

    fn is_due(&self, head: u64, now_ns: u64) -> bool {
        let Some(options) = &self.options else {
            return false;
        };
        let since = head.saturating_sub(self.covered.load(Ordering::Acquire));
        let age = Duration::from_nanos(now_ns.saturating_sub(self.last_ns.load(Ordering::Acquire)));
        metrics::CHECKPOINT_AGE_SECONDS
            .gauge(&[])
            .set(age.as_secs_f64());
        metrics::CHECKPOINT_LAG_RECORDS.gauge(&[]).set(since as f64);
        if now_ns < self.not_before_ns.load(Ordering::Acquire) {
            return false;
        }
        let by_records = options.every_records > 0 && since >= options.every_records;
        by_records || (since > 0 && !options.every.is_zero() && age >= options.every)
    }
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

/// Signs in the background where it is time to.
pub(super) fn sign_if_due(core: &Arc<Core>) {
    let checkpoints = &core.checkpoints;
    if checkpoints.is_due(core.reader.head().seq, core.shared.clock.monotonic_ns())
        && !checkpoints.under_way.swap(true, Ordering::AcqRel)
    {
        let core = Arc::clone(core);
        tokio::spawn(async move {
            if let Err(error) = sign(&core).await {
                tracing::error!(%error, "no checkpoint was signed");
                let not_before_ns = core.shared.clock.monotonic_ns() + PAUSE_NS;
                core.checkpoints
                    .not_before_ns
                    .store(not_before_ns, Ordering::Release);
            }
            core.checkpoints.under_way.store(false, Ordering::Release);
        });
    }
}

/// At a close: what was written since the last one is covered.
pub(super) async fn sign_at_close(core: &Arc<Core>) {
    let head = core.reader.head().seq;
    if core.checkpoints.options.is_some()
        && head > core.checkpoints.covered.load(Ordering::Acquire)
        && let Err(error) = sign(core).await
    {
        tracing::error!(%error, "no checkpoint was signed at the close");
    }
}

pub(super) async fn sign(core: &Arc<Core>) -> Result<Note, CheckpointError> {
    let outcome = sign_and_record(core).await;
    let word = if outcome.is_ok() { "signed" } else { "failed" };
    metrics::CHECKPOINTS.counter(&[word]).increment(1);
    outcome
}

async fn sign_and_record(core: &Arc<Core>) -> Result<Note, CheckpointError> {
    let checkpoints = &core.checkpoints;
    let Some(options) = checkpoints.options.clone() else {
        return Err(CheckpointError::NoSigner);
    };
    let mut newest = checkpoints.newest.lock().await;
    let (tree, before, head) = (checkpoints.tree.clone(), *newest, core.reader.head().seq);
    let work = move || {
        let checkpoint = extending(&options, &tree, before, head)?;
        let note = checkpoint.sign(&*options.signer);
        let note = note.map_err(|error| CheckpointError::Signer(error.to_string()))?;
        Ok((checkpoint, copied(&options, &note), note))
    };
    let done = tokio::task::spawn_blocking(work).await;
    let (checkpoint, copies, note) = done.map_err(|_| CheckpointError::Stopped)??;
    // Signed: from here on no other history may be, recorded or not.
    *newest = Some((checkpoint.size(), *checkpoint.root()));
    let event = CheckpointSignedV1 {
        size: checkpoint.size(),
        root: *checkpoint.root().as_bytes(),
        note: note.to_string().into_bytes(),
        copied: copies.copied,
        failed: copies.failed,
        problem: copies.problem,
    };
    let written = core.shared.own.write(&event.into()).await;
    let placed = written.map_err(|_| CheckpointError::Stopped)?;
    let placed = placed.map_err(|sealed| CheckpointError::NotRecorded(sealed.cause.to_string()))?;
    // Its own record calls for no further one, unless others came between.
    let (size, own) = (checkpoint.size(), placed.first.get());
    let covered = if own == size + 1 { own } else { size };
    checkpoints.covered.store(covered, Ordering::Release);
    let now_ns = core.shared.clock.monotonic_ns();
    checkpoints.last_ns.store(now_ns, Ordering::Release);
    Ok(note)
}

/// What the tree is now, if it extends what was signed before.
fn extending(
    options: &CheckpointOptions,
    tree: &TreeView,
    before: Option<(u64, TreeHash)>,
    head: u64,
) -> Result<Checkpoint, CheckpointError> {
    let waited = tree.view().at_least(head, WAIT);
    waited.map_err(CheckpointError::Tree)?;
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

#[derive(Default)]
struct Copies {
    copied: u32,
    failed: u32,
    problem: String,
}

/// Copies to every destination: one that fails keeps no other from its copy.
fn copied(options: &CheckpointOptions, note: &Note) -> Copies {
    let mut copies = Copies::default();
    for destination in &options.destinations {
        match destination.put(note) {
            Ok(()) => copies.copied += 1,
            Err(error) => {
                copies.failed += 1;
                let name = destination.name();
                tracing::error!(name, %error, "a checkpoint was not copied");
                if copies.problem.is_empty() {
                    copies.problem = format!("{name}: {error}").chars().take(512).collect();
                }
            }
        }
    }
    let count = |word, count: u32| {
        metrics::CHECKPOINT_COPIES
            .counter(&[word])
            .increment(count.into())
    };
    count("copied", copies.copied);
    count("failed", copies.failed);
    copies
}
