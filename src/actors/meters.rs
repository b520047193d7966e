// SPDX-License-Identifier: Apache-2.0
//! Handles of the metrics on the write path, looked up once: a registry look-up per command would
//! cost more than the command.

use std::collections::HashMap;

use metrics::{Counter, Gauge, Histogram};

use crate::events::{Store, StoreMask};
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
    store_records: Vec<(Store, Counter)>,
    append: HashMap<(Store, &'static str), Histogram>,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let outcomes = ["committed", "duplicate", "refused", "unknown"];
        let pairs = Store::ALL
            .into_iter()
            .flat_map(|s| outcomes.map(|outcome| (s, outcome)));
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
            store_records: Store::ALL
                .into_iter()
                .map(|store| (store, names::STORE_RECORDS.counter(&[store.name()])))
                .collect(),
            append: pairs
                .map(|(store, outcome)| {
                    let histogram = names::APPEND_SECONDS.histogram(&[store.name(), outcome]);
                    ((store, outcome), histogram)
                })
                .collect(),
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

    /// A commit with records of these stores became durable.
    pub(crate) fn committed(&self, records: &[StoreMask]) {
        self.commits.increment(1);
        for (store, counter) in &self.store_records {
            let count = records
                .iter()
                .filter(|stores| stores.contains(*store))
                .count();
            counter.increment(count as u64);
        }
    }

    /// A command was answered.
    pub(crate) fn answered(&self, store: Store, outcome: &'static str, nanos: u64) {
        if let Some(histogram) = self.append.get(&(store, outcome)) {
            histogram.record(nanos as f64 / 1e9);
        }
    }
}
