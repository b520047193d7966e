// SPDX-License-Identifier: Apache-2.0
//! Where a checkpoint's copies went: every destination gets its own try, witnesses first, so that
//! the copies hold their cosignatures.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::error::OpenError;
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::TreeHash;
use crate::integrity::note::Note;
use crate::locks::whole;
use crate::metrics;
use crate::projections::TreeView;

use super::couriers::{Courier, CourierOutcome};
use super::forks::{self, Fork};
use super::options::CheckpointOptions;
use crate::ledger::attest::destination::Destination;

/// Longest text that is kept of a failure.
const PROBLEM_CHARS_MAX: usize = 512;

/// What a checkpoint destination has: its receipt.
///
/// Example: [`checkpoint`](crate::checkpoint).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CopyStatus {
    /// The destination's name.
    pub destination: String,
    /// Size of the newest checkpoint that it took in this opening; 0: none yet.
    pub size: u64,
    /// How long ago that was; where there was none, how long the ledger is open.
    #[serde(
        rename = "age_seconds",
        serialize_with = "crate::events::readable::time::seconds"
    )]
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

/// Between a failure and the next try, in nanoseconds: 10 s at first, then twice as long each time.
const PAUSE_NS: u64 = 10_000_000_000;
const PAUSE_NS_MAX: u64 = 32 * PAUSE_NS;

/// When what failed is tried again: a device that is away is not asked ten times a second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Backoff {
    pause_ns: u64,
    until_ns: u64,
}

impl Backoff {
    pub(super) fn failed(&mut self, now_ns: u64) {
        self.pause_ns = (2 * self.pause_ns).clamp(PAUSE_NS, PAUSE_NS_MAX);
        self.until_ns = now_ns.saturating_add(self.pause_ns);
    }

    pub(super) const fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.until_ns
    }
}

struct KeptCopies {
    size: u64,
    at_ns: u64,
    problem: String,
    backoff: Backoff,
}

impl KeptCopies {
    fn failed(&mut self, name: &str, cause: &str, now_ns: u64) {
        tracing::error!(name, cause, "a checkpoint was not copied");
        let problem = format!("{name}: {cause}");
        self.problem = problem.chars().take(PROBLEM_CHARS_MAX).collect();
        self.backoff.failed(now_ns);
    }

    fn is_due(&self, now_ns: u64) -> bool {
        !self.problem.is_empty() && self.backoff.is_over(now_ns)
    }
}

/// The state of every destination, in the order of the options.
pub(super) struct Destinations {
    couriers: Vec<Courier>,
    /// Lock: who copies, health and metrics, for one entry; no destination is called under it.
    kept: Mutex<Vec<KeptCopies>>,
}

impl Destinations {
    pub(super) fn new(couriers: Vec<Courier>, now_ns: u64) -> Self {
        let kept = |_: &Courier| KeptCopies {
            size: 0,
            at_ns: now_ns,
            problem: String::new(),
            backoff: Backoff::default(),
        };
        let kept = Mutex::new(couriers.iter().map(kept).collect());
        Self { couriers, kept }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<KeptCopies>> {
        whole(self.kept.lock())
    }

    /// Holds the tree against every checkpoint of this ledger in the destinations; gives the newest.
    /// One that cannot be read is told of, and asked again later. Blocks.
    pub(super) fn check(
        &self,
        options: &CheckpointOptions,
        tree: &TreeView,
        (head, now_ns): (u64, u64),
    ) -> Result<Option<(u64, TreeHash)>, OpenError> {
        let mut newest = None;
        for (index, courier) in self.couriers.iter().enumerate() {
            newest = newest.max(forks::check(options, tree, head, courier)?);
            if let Some(cause) = courier.cause() {
                self.unreadable(index, &courier.name, &cause, now_ns);
            }
        }
        Ok(newest)
    }

    /// Reads those again that could not be read, where nothing was signed that could be copied
    /// instead. What they hold is compared at the next opening. Blocks.
    pub(super) fn read_again(&self, keys: &[VerifierKey], now_ns: u64) {
        for (index, courier) in self.couriers.iter().enumerate() {
            let due = |kept: &KeptCopies| kept.is_due(now_ns);
            if !self.lock().get(index).is_some_and(due) {
                continue;
            }
            match courier.kept(keys) {
                Err(error) => {
                    self.unreadable(index, &courier.name, &error.to_string(), now_ns);
                }
                Ok(_) => {
                    if let Some(kept) = self.lock().get_mut(index) {
                        kept.problem.clear();
                    }
                }
            }
        }
    }

    fn unreadable(&self, index: usize, name: &str, cause: &str, now_ns: u64) {
        if let Some(kept) = self.lock().get_mut(index) {
            kept.failed(name, &format!("cannot be read: {cause}"), now_ns);
        }
    }

    /// The age of the copy that the destination furthest behind has; `None` without destinations.
    pub(super) fn oldest_ns(&self, now_ns: u64) -> Option<u64> {
        let at_ns = self.lock().iter().map(|kept| kept.at_ns).min();
        at_ns.map(|at_ns| now_ns.saturating_sub(at_ns))
    }

    /// Whether one of them failed, and is to be tried again now.
    pub(super) fn any_due(&self, now_ns: u64) -> bool {
        self.lock().iter().any(|kept| kept.is_due(now_ns))
    }

    pub(super) fn status(&self, now_ns: u64) -> Vec<CopyStatus> {
        let kept = self.lock();
        let status = self.couriers.iter().zip(kept.iter());
        let status = status.map(|(courier, kept)| CopyStatus {
            destination: courier.name.clone(),
            size: kept.size,
            age: Duration::from_nanos(now_ns.saturating_sub(kept.at_ns)),
            problem: kept.problem.clone(),
        });
        status.collect()
    }

    /// Sends the checkpoint to every destination, or only to those that failed before. Adds the
    /// cosignatures of witnesses to the note. All are asked at the same time, each on a thread of its
    /// own: one that fails, or does not come back, keeps no other from its copy. Blocks, as long as the
    /// budgets say.
    pub(super) fn send(
        &self,
        options: &CheckpointOptions,
        (tree, fork): (&TreeView, &Fork),
        note: &mut Note,
        now_ns: u64,
        failed_only: bool,
    ) -> Copies {
        let size = Checkpoint::parse(note.text()).map_or(0, |checkpoint| checkpoint.size());
        let due = |kept: &KeptCopies| !failed_only || kept.is_due(now_ns);
        let due: Vec<bool> = self.lock().iter().map(due).collect();
        let couriers = self.couriers.iter().enumerate().zip(due);
        let couriers = couriers.filter(|(_, due)| *due).map(|(it, _)| it);
        let asked: Vec<_> = couriers
            .map(|(at, it)| (at, it, it.ask(tree, note, size)))
            .collect();
        let (mut told, mut owed) = (Vec::new(), Vec::new());
        for (at, courier, asked) in asked {
            match courier.cosigned(asked, note) {
                Some(outcome) => told.push((at, courier, outcome)),
                None => owed.push((at, courier)),
            }
        }
        // Witnesses first, so that the copies hold their cosignatures.
        let sent: Vec<_> = owed
            .into_iter()
            .map(|(at, it)| (at, it, it.send(note)))
            .collect();
        for (at, courier, sent) in sent {
            let sent = courier.sent(sent);
            let looked = fork.look(options, tree, note, courier);
            let looked = looked.map_err(|error| error.to_string());
            told.push((at, courier, sent.and(looked)));
        }
        told.sort_unstable_by_key(|(at, _, _)| *at);
        let mut copies = Copies::default();
        for (at, courier, outcome) in told {
            self.told(at, &courier.name, (size, now_ns), outcome, &mut copies);
        }
        copies
    }

    /// Gives all of them a copy that has more cosignatures than theirs. Blocks.
    pub(super) fn offer(&self, note: &Note) {
        let sent: Vec<_> = self.couriers.iter().map(|it| (it, it.send(note))).collect();
        for (courier, sent) in sent {
            // Refused by witnesses, which keep no copies; told for the others at the next one.
            courier.offered(sent);
        }
    }

    fn told(
        &self,
        index: usize,
        name: &str,
        (size, now_ns): (u64, u64),
        outcome: CourierOutcome<()>,
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
                kept.backoff = Backoff::default();
                copies.copied += 1;
                count("copied");
            }
            Err(cause) => {
                kept.failed(name, &cause, now_ns);
                if copies.problem.is_empty() {
                    copies.problem.clone_from(&kept.problem);
                }
                copies.failed += 1;
                count("failed");
            }
        }
    }
}
