// SPDX-License-Identifier: Apache-2.0
//! Saved states beside the journal, so that an opening reads the tail and not the history.
//!
//! `snapshots/N.snapshot` holds the states of which the records up to N hold the digests. It is
//! written under another name, synced, renamed; a file that is damaged, of another layout or of
//! another history is passed over with a warning, and the opening reads more of the journal.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::oneshot;

use crate::actors::{self, Snapshot, Taken};
use crate::database::{self, files};
use crate::events::{Event, LedgerId, Seq, SnapshotTakenV1, Store};
use crate::integrity::digest;
use crate::journal::{Journal, ReadFailure};

use super::replay::{Replayed, SavedDigests};
use crate::ledger::background::tasks::Job;
use crate::ledger::write::submit::Core;
use crate::vitals::VitalPart;

pub(in crate::ledger) const MAGIC: &[u8; 8] = b"FCLSTATE";
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
        let mut all = Vec::new();
        for store in STORES {
            all.extend(actors::snapshot(self.core.stores.of(store)).await);
        }
        let (reply, taken) = oneshot::channel();
        // Nothing is forgotten of names.
        let (state, layout, bytes) = saved(&self.core.components.all(), 0);
        self.core
            .shared
            .self_records
            .saved(state, layout, bytes, reply);
        all.extend(taken.await);
        let Some(last) = all.iter().map(|taken| taken.seq.get()).max() else {
            return;
        };
        if all.len() <= STORES.len() {
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
fn newest_first(directory: &Path) -> Vec<PathBuf> {
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
    let file = files::open(path).map_err(|error| error.to_string())?;
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let mut rest = Rest {
        file: BufReader::new(file),
        left: length,
    };
    if rest.take(MAGIC.len() as u64)? != MAGIC || rest.take(16)? != ledger.as_bytes() {
        return Err("it is not of this ledger".to_owned());
    }
    let mut replayed = Replayed::default();
    while rest.left > 0 {
        let state = rest.take(1)?.first().copied().unwrap_or(0);
        let (seq, length) = (rest.number()?, rest.number()?);
        // Before its bytes are read: the record says how many there are.
        let vouched = vouched(journal, seq, state, length).map_err(|doubt| doubt.to_string())?;
        let bytes = rest.take(length)?;
        if digest(&bytes) != vouched.digest {
            return Err(unvouched(seq));
        }
        let forgotten = restore(&mut replayed, &vouched, seq, &bytes)?;
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

/// Why saved states are not believed.
#[derive(Debug)]
pub(in crate::ledger) enum Doubt {
    /// They are not what was saved.
    Wrong(String),
    /// Their file could not be read.
    Io(std::io::Error),
    /// The journal could not be asked: nothing is known.
    Unread(String),
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrong(what) | Self::Unread(what) => f.write_str(what),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<&str> for Doubt {
    fn from(what: &str) -> Self {
        Self::Wrong(what.to_owned())
    }
}

impl From<String> for Doubt {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

impl From<ReadFailure> for Doubt {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Damaged { .. } => Self::Wrong(failure.to_string()),
            _ => Self::Unread(failure.to_string()),
        }
    }
}

pub(in crate::ledger) fn unvouched(seq: u64) -> String {
    format!("record {seq} does not vouch for its bytes")
}

/// The record that holds the digest of a state of this length: bytes without that digest are
/// anybody's word.
pub(in crate::ledger) fn vouched(
    journal: &dyn Journal,
    seq: u64,
    state: u8,
    length: u64,
) -> Result<SnapshotTakenV1, Doubt> {
    let place = Seq::new(seq).ok_or("invalid record number: 0")?;
    let frame = journal
        .frame_at(place)?
        .ok_or("it is of a later record than the journal holds")?;
    frame.verify()?;
    let record = frame.record(place)?;
    match record.event() {
        Ok(Event::SnapshotTaken(taken)) if taken.state == state && taken.length == length => {
            Ok(taken)
        }
        _ => Err(unvouched(seq).into()),
    }
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
        state => Err(format!("state {state} is not known")),
    }
}

#[cfg(test)]
mod tests;

/// What of a file has not been read.
struct Rest {
    file: BufReader<File>,
    left: u64,
}

impl Rest {
    fn take(&mut self, count: u64) -> Result<Vec<u8>, String> {
        self.left = self.left.checked_sub(count).ok_or("it ends too early")?;
        let mut bytes = vec![0; usize::try_from(count).map_err(|error| error.to_string())?];
        let read = self.file.read_exact(&mut bytes);
        read.map_err(|error| format!("it cannot be read: {error}"))?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u64, String> {
        let bytes = self.take(8)?.first_chunk::<8>().copied();
        Ok(u64::from_be_bytes(bytes.unwrap_or_default()))
    }
}
