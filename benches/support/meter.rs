// SPDX-License-Identifier: Apache-2.0
//! A recorder that keeps count and sum of every series: says where the time of a round went.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

#[derive(Default)]
struct Sums {
    count: AtomicU64,
    /// In billionths.
    sum: AtomicU64,
}

impl HistogramFn for Sums {
    fn record(&self, value: f64) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add((value * 1e9) as u64, Ordering::Relaxed);
    }
}

impl CounterFn for Sums {
    fn increment(&self, value: u64) {
        self.count.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.count.fetch_max(value, Ordering::Relaxed);
    }
}

type Series = BTreeMap<String, Arc<Sums>>;

/// Clones are the same recorder.
#[derive(Clone, Default)]
pub(crate) struct Meter(Arc<Mutex<Series>>);

impl Meter {
    fn series(&self, key: &Key) -> Arc<Sums> {
        let mut series = self.0.lock().unwrap();
        Arc::clone(series.entry(key.name().to_owned()).or_default())
    }

    pub(crate) fn installed() -> Self {
        let meter = Self::default();
        metrics::set_global_recorder(meter.clone()).unwrap();
        meter
    }

    /// Count and sum of this series since the last call.
    pub(crate) fn taken(&self, name: &str) -> (u64, f64) {
        let name = format!("femtoclaw_ledger_{name}");
        let series = self.0.lock().unwrap();
        series.get(&name).map_or((0, 0.0), |sums| {
            let sum = sums.sum.swap(0, Ordering::Relaxed);
            (sums.count.swap(0, Ordering::Relaxed), sum as f64 / 1e9)
        })
    }
}

impl Recorder for Meter {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}
