// SPDX-License-Identifier: Apache-2.0
//! A recorder that remembers whether a series ever moved, and what was never described.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use femtoclaw_ledger::metrics::MetricKind;

/// Name and labels.
pub(crate) type SeriesName = (String, Vec<(String, String)>);

#[derive(Default)]
pub(crate) struct Series {
    pub(crate) value: f64,
    /// A counter rose, a gauge was something but 0, a histogram got an observation.
    pub(crate) moved: bool,
}

#[derive(Default)]
pub(crate) struct Told {
    pub(crate) described: BTreeMap<String, MetricKind>,
    /// What was registered without being described, or as another kind.
    pub(crate) strange: BTreeSet<String>,
    pub(crate) series: BTreeMap<SeriesName, Series>,
}

#[derive(Clone, Default)]
pub(crate) struct Book(pub(crate) Arc<Mutex<Told>>);

impl Book {
    /// The last value of a series; 0 where it was never registered.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let key = (
            format!("femtoclaw_ledger_{name}"),
            labels.iter().map(owned).collect(),
        );
        let told = self.0.lock().unwrap();
        told.series.get(&key).map_or(0.0, |series| series.value)
    }

    fn describe(&self, name: &KeyName, kind: MetricKind) {
        let mut told = self.0.lock().unwrap();
        told.described.insert(name.as_str().to_owned(), kind);
    }

    fn register(&self, key: &Key, kind: MetricKind) -> Arc<Cell> {
        let mut told = self.0.lock().unwrap();
        if told.described.get(key.name()) != Some(&kind) {
            told.strange.insert(key.name().to_owned());
        }
        let labels = key.labels();
        let labels = labels.map(|label| (label.key().to_owned(), label.value().to_owned()));
        let series = (key.name().to_owned(), labels.collect());
        told.series.entry(series.clone()).or_default();
        Arc::new(Cell {
            book: self.clone(),
            series,
        })
    }
}

/// One registered series.
struct Cell {
    book: Book,
    series: SeriesName,
}

impl Cell {
    fn update(&self, change: impl FnOnce(&mut Series)) {
        let mut told = self.book.0.lock().unwrap();
        change(told.series.get_mut(&self.series).unwrap());
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.update(|series| {
            series.value += value as f64;
            series.moved |= value > 0;
        });
    }

    fn absolute(&self, value: u64) {
        self.update(|series| {
            series.value = series.value.max(value as f64);
            series.moved |= value > 0;
        });
    }
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.update(|series| {
            series.value += value;
            series.moved |= series.value != 0.0;
        });
    }

    fn decrement(&self, value: f64) {
        GaugeFn::increment(self, -value);
    }

    fn set(&self, value: f64) {
        self.update(|series| {
            series.value = value;
            series.moved |= value != 0.0;
        });
    }
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        self.update(|series| {
            series.value = value;
            series.moved = true;
        });
    }
}

impl Recorder for Book {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key, MetricKind::Counter);
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key, MetricKind::Gauge);
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key, MetricKind::Histogram);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.register(key, MetricKind::Counter))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.register(key, MetricKind::Gauge))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.register(key, MetricKind::Histogram))
    }
}
