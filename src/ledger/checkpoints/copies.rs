//! Where a checkpoint's copies went: every destination gets its own try, witnesses first, so that
//! the copies hold their cosignatures.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::merkle;
use crate::integrity::note::Note;
use crate::metrics;
use crate::projections::TreeView;

use super::Checkpoints;
use super::options::CheckpointOptions;

/// Longest text that is kept of a failure.
const PROBLEM_CHARS_MAX: usize = 512;

/// What a checkpoint destination has: its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyStatus {
    /// The destination's name.
    pub destination: String,
    /// Size of the newest checkpoint that it took in this opening; 0: none yet.
    pub size: u64,
    /// How long ago that was; where there was none, how long the ledger is open.
    pub age: Duration,
    /// Why it has not taken the newest one; empty where it has, or was not asked yet.
    pub problem: String,
}

/// What became of one checkpoint.
#[derive(Default)]
pub(super) struct Copies {
    pub(super) copied: u32,
    pub(super) failed: u32,
    pub(super) problem: String,
}

struct Kept {
    size: u64,
    at_ns: u64,
    problem: String,
}

/// The state of every destination, in the order of the options.
pub(super) struct Destinations(Mutex<Vec<Kept>>);

impl Destinations {
    pub(super) fn new(count: usize, now_ns: u64) -> Self {
        let kept = |_| Kept {
            size: 0,
            at_ns: now_ns,
            problem: String::new(),
        };
        Self(Mutex::new((0..count).map(kept).collect()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The age of the copy that the destination furthest behind has; `None` without destinations.
    pub(super) fn oldest_ns(&self, now_ns: u64) -> Option<u64> {
        let at_ns = self.lock().iter().map(|kept| kept.at_ns).min();
        at_ns.map(|at_ns| now_ns.saturating_sub(at_ns))
    }

    pub(super) fn any_failed(&self) -> bool {
        self.lock().iter().any(|kept| !kept.problem.is_empty())
    }

    pub(super) fn status(&self, options: &CheckpointOptions, now_ns: u64) -> Vec<CopyStatus> {
        let kept = self.lock();
        let status = options.destinations.iter().zip(kept.iter());
        let status = status.map(|(destination, kept)| CopyStatus {
            destination: destination.name().to_owned(),
            size: kept.size,
            age: Duration::from_nanos(now_ns.saturating_sub(kept.at_ns)),
            problem: kept.problem.clone(),
        });
        status.collect()
    }

    /// Sends the checkpoint to every destination, or only to those that failed before. Adds the
    /// cosignatures of witnesses to the note. One that fails keeps no other from its copy. Blocks.
    pub(super) fn send(
        &self,
        options: &CheckpointOptions,
        checkpoints: &Checkpoints,
        note: &mut Note,
        now_ns: u64,
        failed_only: bool,
    ) -> Copies {
        let (tree, fork) = (&checkpoints.tree, &checkpoints.fork);
        let size = Checkpoint::parse(note.text()).map_or(0, |checkpoint| checkpoint.size());
        let due = |kept: &Kept| !failed_only || !kept.problem.is_empty();
        let due: Vec<bool> = self.lock().iter().map(due).collect();
        let prove = |old| extension(tree, old, size);
        let mut told: Vec<Option<io::Result<()>>> = due.iter().map(|_| None).collect();
        let all = || options.destinations.iter().zip(&due);
        for ((destination, due), told) in all().zip(&mut told).filter(|((_, due), _)| **due) {
            debug_assert!(due);
            *told = destination.cosign(note, &prove).map(|answer| {
                answer.map(|cosigned| {
                    note.merge(&cosigned);
                })
            });
        }
        for ((destination, _), told) in all().zip(&mut told).filter(|((_, due), _)| **due) {
            if told.is_none() {
                let put = destination.put(note);
                let looked = fork.look(options, tree, note, &**destination);
                *told = Some(put.and(looked));
            }
        }
        let mut copies = Copies::default();
        for (index, (destination, outcome)) in options.destinations.iter().zip(told).enumerate() {
            let Some(outcome) = outcome else { continue };
            self.told(
                index,
                destination.name(),
                size,
                now_ns,
                outcome,
                &mut copies,
            );
        }
        copies
    }

    fn told(
        &self,
        index: usize,
        name: &str,
        size: u64,
        now_ns: u64,
        outcome: io::Result<()>,
        copies: &mut Copies,
    ) {
        let count = |word| metrics::CHECKPOINT_COPIES.counter(&[word]).increment(1);
        let mut all = self.lock();
        let Some(kept) = all.get_mut(index) else {
            return;
        };
        match outcome {
            Ok(()) => {
                (kept.size, kept.at_ns, kept.problem) = (size, now_ns, String::new());
                copies.copied += 1;
                count("copied");
            }
            Err(error) => {
                tracing::error!(name, %error, "a checkpoint was not copied");
                let problem = format!("{name}: {error}");
                kept.problem = problem.chars().take(PROBLEM_CHARS_MAX).collect();
                if copies.problem.is_empty() {
                    copies.problem.clone_from(&kept.problem);
                }
                copies.failed += 1;
                count("failed");
            }
        }
    }
}

/// The proof that the tree of `size` records extends that of `old`.
fn extension(tree: &TreeView, old: u64, size: u64) -> io::Result<Vec<merkle::TreeHash>> {
    tree.read(|tree| merkle::consistency(tree, old, size))
        .map_err(io::Error::other)
}
