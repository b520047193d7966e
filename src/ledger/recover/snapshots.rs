// SPDX-License-Identifier: Apache-2.0
//! Saved states beside the journal, so that an opening reads the tail and not the history.
//!
//! `snapshots/N.snapshot` holds the states of which the records up to N hold the digests. It is
//! written under another name, synced, renamed; a file that is damaged, of another layout or of
//! another history is passed over with a warning, and the opening reads more of the journal.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::oneshot;

use crate::actors::{self, Kinds, Snapshot, Taken};
use crate::database;
use crate::events::{LedgerId, Seq, SnapshotTakenV1, Store};
use crate::journal::Journal;

use super::replay::{Replayed, SavedDigests};
use super::saved_states::{MAGIC, Rest};
use crate::ledger::background::tasks::Job;
use crate::ledger::write::submit::Core;
use crate::vitals::VitalPart;

pub(in crate::ledger) const SUFFIX: &str = "snapshot";
/// Newest files kept: where views fell back behind the newest, an older one may still do.
const KEPT: usize = 3;
/// Stores that have a state to save.
const STORES: [Store; 3] = [
    Store::ExecutionLog,
    Store::Configuration,
    Store::RuntimeMetadata,
];

/// When the states are saved, and where.
pub(crate) struct Snapshots {
    core: Arc<Core>,
    directory: PathBuf,
    /// Records after which the states are saved again; 0: never.
    every: u64,
    last: AtomicU64,
    under_way: AtomicBool,
}

impl Snapshots {
    pub(in crate::ledger) fn new(core: &Arc<Core>, root: &Path, every: u64, last: u64) -> Self {
        Self {
            core: Arc::clone(core),
            directory: directory(root),
            every,
            last: AtomicU64::new(last),
            under_way: AtomicBool::new(false),
        }
    }

    /// Whether enough was appended since the last time.
    fn due(&self, every: u64) -> bool {
        let since = self
            .core
            .reader
            .head()
            .count()
            .saturating_sub(self.last.load(Ordering::Acquire));
        self.every > 0 && since >= every
    }

    /// At a close: a tail of a few records is read faster than states are saved.
    pub(in crate::ledger) async fn take_at_close(&self) {
        const WORTH_IT: u64 = 4_096;
        if self.due(WORTH_IT.min(self.every)) {
            self.take().await;
        }
    }

    /// One state after the other, each with its record. Failing to is no loss: the next opening reads
    /// more.
    pub(in crate::ledger) async fn take(&self) {
        // First, in the file too: whoever opens the ledger asks for the kinds before anything else.
        let head = self.core.reader.head().count();
        let kinds = self.core.shared.kinds.through(head);
        let mut all = Vec::from_iter(self.own(&kinds).await);
        for store in STORES {
            all.extend(actors::snapshot(self.core.stores.of(store)).await);
        }
        all.extend(self.own(&self.core.components.all()).await);
        let Some(last) = all.iter().map(|taken| taken.seq.get()).max() else {
            return;
        };
        if all.len() < STORES.len() + 2 {
            return;
        }
        self.last.store(last, Ordering::Release);
        let (directory, ledger) = (self.directory.clone(), self.core.shared.ledger);
        let write = move || write(&directory, ledger, last, &all);
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the states could not be saved"),
            Err(error) => tracing::warn!(%error, "the states were not saved"),
        }
    }

    /// A state that no store holds. Nothing of it is ever forgotten.
    async fn own<S: Snapshot>(&self, state: &S) -> Option<Taken> {
        let (reply, taken) = oneshot::channel();
        let (state, layout, bytes) = saved(state, 0);
        let own = &self.core.shared.self_records;
        own.saved(state, layout, bytes, reply);
        taken.await.ok()
    }
}

pub(in crate::ledger) fn directory(root: &Path) -> PathBuf {
    root.join("snapshots")
}

/// Where it panics, too, the next one can begin.
struct SnapshotUnderWay(Arc<Snapshots>);

impl Drop for SnapshotUnderWay {
    fn drop(&mut self) {
        self.0.under_way.store(false, Ordering::Release);
    }
}

impl Job for Arc<Snapshots> {
    /// Saves the states in the background where it is time to.
    fn tick(&self, _now_ns: u64) {
        if self.due(self.every) && !self.under_way.swap(true, Ordering::AcqRel) {
            let under_way = SnapshotUnderWay(Self::clone(self));
            let vital = self.core.shared.vitals.start(VitalPart::Snapshots);
            tokio::spawn(async move {
                under_way.0.take().await;
                vital.done();
            });
        }
    }
}

fn saved<S: Snapshot>(state: &S, forgotten: u64) -> (u8, u32, Vec<u8>) {
    (S::STATE, S::LAYOUT, state.saved(forgotten))
}

fn write(directory: &Path, ledger: LedgerId, last: u64, all: &[Taken]) -> std::io::Result<()> {
    database::ensure_private(directory)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(ledger.as_bytes());
    for taken in all {
        bytes.push(taken.state);
        bytes.extend_from_slice(&taken.seq.get().to_be_bytes());
        bytes.extend_from_slice(&(taken.bytes.len() as u64).to_be_bytes());
        bytes.extend_from_slice(&taken.bytes);
    }
    let path = directory.join(format!("{last:020}.{SUFFIX}"));
    database::replace(&path, &bytes)?;
    for old in newest_first(directory).into_iter().skip(KEPT) {
        fs::remove_file(old)?;
    }
    Ok(())
}

/// The files, by the number in their names.
pub(super) fn newest_first(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|it| it == SUFFIX))
        .collect();
    files.sort();
    files.reverse();
    files
}

/// The newest states that the journal vouches for and the views are not behind; empty ones where
/// there are none.
pub(in crate::ledger) fn load(
    root: &Path,
    ledger: LedgerId,
    journal: &dyn Journal,
    views_at: u64,
) -> Replayed {
    for path in newest_first(&directory(root)) {
        match read(&path, ledger, journal, views_at) {
            Ok(replayed) => return replayed,
            Err(problem) => {
                tracing::warn!(path = %path.display(), problem, "saved states passed over");
            }
        }
    }
    Replayed::default()
}

fn read(
    path: &Path,
    ledger: LedgerId,
    journal: &dyn Journal,
    views_at: u64,
) -> Result<Replayed, String> {
    let mut rest = Rest::of(path, ledger)?;
    let mut replayed = Replayed::default();
    while let Some(next) = rest.next(journal)? {
        let forgotten = restore(&mut replayed, &next.taken, next.seq, &next.bytes)?;
        if forgotten > views_at {
            return Err(format!(
                "views have read up to {views_at}, what ended before {forgotten} is not in it"
            ));
        }
    }
    if replayed.from.first() == 0 {
        return Err("a state is missing".to_owned());
    }
    Ok(replayed)
}

fn restore(
    replayed: &mut Replayed,
    taken: &SnapshotTakenV1,
    seq: u64,
    bytes: &[u8],
) -> Result<u64, String> {
    fn one<S: Snapshot>(
        state: &mut S,
        from: &mut u64,
        places_from: &mut Option<u64>,
        taken: &SnapshotTakenV1,
        seq: u64,
        bytes: &[u8],
    ) -> Result<u64, String> {
        if taken.layout != S::LAYOUT {
            return Err(format!("layout {} is not known", taken.layout));
        }
        let at = Seq::new(seq).unwrap_or(Seq::FIRST);
        let restored = S::restored(bytes, at).map_err(|error| error.to_string())?;
        let unplaced = restored.unplaced_after;
        *places_from = [*places_from, unplaced].into_iter().flatten().min();
        *state = restored.state;
        *from = seq;
        Ok(restored.forgotten)
    }
    let Replayed {
        executions,
        configuration,
        metadata,
        components,
        from,
        places_from: places,
        ..
    } = replayed;
    let SavedDigests {
        executions: executions_from,
        configuration: configuration_from,
        metadata: metadata_from,
        components: components_from,
    } = from;
    match taken.state {
        1 => one(executions, executions_from, places, taken, seq, bytes),
        2 => one(configuration, configuration_from, places, taken, seq, bytes),
        3 => one(metadata, metadata_from, places, taken, seq, bytes),
        4 => one(components, components_from, places, taken, seq, bytes),
        // Looked at before: `super::kinds`.
        Kinds::STATE => Ok(0),
        state => Err(format!("state {state} is not known")),
    }
}

#[cfg(test)]
mod tests;
