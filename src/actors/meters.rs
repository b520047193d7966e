// SPDX-License-Identifier: Apache-2.0
//! Handles of the metrics on the write path, looked up once: a registry look-up per command would
//! cost more than the command.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram};

use crate::events::{Store, StoreMask};
use crate::journal::{Head, Sealed, WriterAnswer};
use crate::metrics as names;

pub(crate) struct Meters {
    pub(crate) appended_records: Counter,
    pub(crate) appended_bytes: Counter,
    pub(crate) commits: Counter,
    pub(crate) frames: Counter,
    pub(crate) frame_records: Histogram,
    pub(crate) frame_bytes: Histogram,
    pub(crate) head_seq: Gauge,
    pub(crate) pending_records: Gauge,
    pub(crate) pending_bytes: Gauge,
    pub(crate) running: Gauge,
    /// In the order of [`Store::ALL`].
    store_records: [Counter; STORES],
    /// For each store, in the order of [`CommandOutcome`].
    append: [[Histogram; 4]; STORES],
}

const STORES: usize = Store::ALL.len();

/// How a command came out, in the words of the metric.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CommandOutcome {
    Committed,
    Duplicate,
    Refused,
    Unknown,
}

impl CommandOutcome {
    const ALL: [Self; 4] = [
        Self::Committed,
        Self::Duplicate,
        Self::Refused,
        Self::Unknown,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

impl Meters {
    pub(crate) fn new() -> Self {
        Self {
            appended_records: names::APPENDED_RECORDS.counter(&[]),
            appended_bytes: names::APPENDED_BYTES.counter(&[]),
            commits: names::COMMITS.counter(&[]),
            frames: names::FRAMES.counter(&[]),
            frame_records: names::FRAME_RECORDS.histogram(&[]),
            frame_bytes: names::FRAME_BYTES.histogram(&[]),
            head_seq: names::HEAD_SEQ.gauge(&[]),
            pending_records: names::PENDING_RECORDS.gauge(&[]),
            pending_bytes: names::PENDING_BYTES.gauge(&[]),
            running: names::RUNNING_EXECUTIONS.gauge(&[]),
            store_records: Store::ALL.map(|store| names::STORE_RECORDS.counter(&[store.name()])),
            append: Store::ALL.map(|store| {
                let labels = |outcome: CommandOutcome| [store.name(), outcome.word()];
                let histogram = |outcome| names::APPEND_SECONDS.histogram(&labels(outcome));
                CommandOutcome::ALL.map(histogram)
            }),
        }
    }

    /// A frame became durable.
    pub(crate) fn frame(&self, records: u64, bytes: u64, head: u64) {
        self.appended_records.increment(records);
        self.appended_bytes.increment(bytes);
        self.frames.increment(1);
        self.frame_records.record(records as f64);
        self.frame_bytes.record(bytes as f64);
        self.head_seq.set(head as f64);
    }

    /// A command was answered.
    pub(crate) fn answered(&self, store: Store, outcome: CommandOutcome, nanos: u64) {
        let of_store = self.append.get(store.index());
        if let Some(histogram) = of_store.and_then(|all| all.get(outcome as usize)) {
            histogram.record(nanos as f64 / 1e9);
        }
    }
}

/// The commits of a frame, and their records of each store.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct CommitTally {
    commits: u64,
    records: [u64; STORES],
}

impl CommitTally {
    pub(super) fn record(&mut self, stores: StoreMask) {
        for (store, count) in Store::ALL.into_iter().zip(&mut self.records) {
            *count += u64::from(stores.contains(store));
        }
    }

    pub(super) fn commit(&mut self, has_records: bool) {
        self.commits += u64::from(has_records);
    }

    /// Counts itself where its frame becomes durable; `None` where there is nothing to count. The next begins at 0.
    pub(super) fn take(&mut self, meters: &Arc<Meters>) -> Option<CountedCommits> {
        let tally = std::mem::take(self);
        let meters = Arc::clone(meters);
        (tally.commits > 0).then_some(CountedCommits { tally, meters })
    }
}

/// Waits for its frame as who asked does.
pub(super) struct CountedCommits {
    tally: CommitTally,
    meters: Arc<Meters>,
}

impl WriterAnswer for CountedCommits {
    fn give(self: Box<Self>, outcome: Result<&Head, &Sealed>) {
        if outcome.is_ok() {
            self.meters.commits.increment(self.tally.commits);
            let counters = self.meters.store_records.iter();
            for (counter, count) in counters.zip(self.tally.records) {
                counter.increment(count);
            }
        }
    }
}
