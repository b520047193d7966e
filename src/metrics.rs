// SPDX-License-Identifier: Apache-2.0
//! Every metric of the ledger: name, unit, help, labels and buckets, in one list.
//!
//! The library installs no recorder: whatever the embedding program installs before it opens a
//! ledger gets these. Names are full (prefix, unit, `_total`), so no exporter has to complete them;
//! label values are the fixed words given here or names of views, never ids.
//!
//! One process, one ledger: two ledgers under one recorder would write the same series. Give each a
//! recorder of its own (`metrics::with_local_recorder`, a layer that adds a label) where that happens.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::metrics::{ALL, BUCKETS, HEAD_SEQ, MetricKind};
//! use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
//! # use femtoclaw_ledger::{Ledger, Options};
//! # use std::time::Duration;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("ledger");
//! let mut recorder = PrometheusBuilder::new();
//! for (name, bounds) in BUCKETS.iter() {
//!     recorder = recorder.set_buckets_for_metric(Matcher::Full((*name).into()), bounds)?;
//! }
//! let page = recorder.install_recorder()?; // before a ledger is opened
//! let (ledger, root) = Ledger::open(&path, Options::default()).await?;
//! let head = format!("{} {}", HEAD_SEQ.name, ledger.head().count());
//! assert!(page.render().contains(&head));
//! for metric in ALL.iter().filter(|metric| metric.kind == MetricKind::Gauge) {
//!     let labels: Vec<_> = metric.labels.iter().map(|label| label.name).collect();
//!     println!("{} {labels:?}: {}", metric.name, metric.help);
//! }
//! # root.close(Duration::from_secs(60)).await?;
//! # Ok(())
//! # }
//! ```

use std::sync::LazyLock;

use ::metrics::{Key, Label, Level, Metadata, Unit};

mod labels;

use labels::{CALLBACKS, PARTS, REASONS, STORES, VIEWS};

/// What a metric is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises; starts at 0 (or, for what the journal itself counts, at its content).
    Counter,
    /// Rises and falls.
    Gauge,
    /// Observations in buckets.
    Histogram,
}

/// A label of a metric.
///
/// Example: [`metrics`](crate::metrics).
#[derive(Debug, Clone, Copy)]
pub struct MetricLabel {
    /// Its name.
    pub name: &'static str,
    /// The values that it starts with.
    pub values: &'static [&'static str],
}

/// One metric: all that is known of it.
///
/// Example: [`metrics`](crate::metrics).
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Full name, as it is scraped.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricKind,
    /// Base unit.
    pub unit: Unit,
    /// What it tells.
    pub help: &'static str,
    /// Its labels.
    pub labels: &'static [MetricLabel],
    /// Upper bounds of a histogram's buckets; empty for others.
    pub buckets: &'static [f64],
}

static METADATA: Metadata<'static> =
    Metadata::new("femtoclaw_ledger", Level::INFO, Some(module_path!()));

impl Metric {
    /// The series with these label values, given in the order of [`Metric::labels`].
    fn key(&self, values: &[&'static str]) -> Key {
        let labels = self.labels.iter().zip(values);
        let labels = labels.map(|(label, value)| Label::from_static_parts(label.name, value));
        Key::from_parts(self.name, labels.collect::<Vec<_>>())
    }

    /// A handle on one series; keep it where it is used per record. It belongs to the recorder that
    /// is installed at this moment.
    pub fn counter(&self, values: &[&'static str]) -> ::metrics::Counter {
        ::metrics::with_recorder(|to| to.register_counter(&self.key(values), &METADATA))
    }

    /// As [`Metric::counter`], for a gauge.
    pub fn gauge(&self, values: &[&'static str]) -> ::metrics::Gauge {
        ::metrics::with_recorder(|to| to.register_gauge(&self.key(values), &METADATA))
    }

    /// As [`Metric::counter`], for a histogram.
    pub fn histogram(&self, values: &[&'static str]) -> ::metrics::Histogram {
        ::metrics::with_recorder(|to| to.register_histogram(&self.key(values), &METADATA))
    }

    /// Every combination of the label values it starts with; one empty one without labels.
    fn series(&self) -> Vec<Vec<&'static str>> {
        let mut all = vec![Vec::new()];
        for MetricLabel { values, .. } in self.labels {
            let longer = |start: &Vec<&'static str>| {
                let start = start.clone();
                let with = move |value: &&'static str| [start.as_slice(), &[*value]].concat();
                values.iter().map(with).collect::<Vec<_>>()
            };
            all = all.iter().flat_map(longer).collect();
        }
        all
    }

    fn describe(&self) {
        let (name, unit, help) = (self.name.into(), Some(self.unit), self.help.into());
        ::metrics::with_recorder(|to| match self.kind {
            MetricKind::Counter => to.describe_counter(name, unit, help),
            MetricKind::Gauge => to.describe_gauge(name, unit, help),
            MetricKind::Histogram => to.describe_histogram(name, unit, help),
        });
    }
}

/// Tells the installed recorder unit and help of every metric.
///
/// Example: [`init`].
pub fn describe_all() {
    ALL.iter().for_each(|metric| metric.describe());
}

/// Starts every counter and gauge at 0, so that the first increment is seen as one.
/// A ledger calls it when it opens.
///
/// ```
/// use femtoclaw_ledger::metrics;
/// # use ::metrics::with_local_recorder;
/// # use metrics_exporter_prometheus::PrometheusBuilder;
/// let recorder = PrometheusBuilder::new().build_recorder();
/// with_local_recorder(&recorder, metrics::init);
/// assert!(recorder.handle().render().contains("femtoclaw_ledger_commits_total 0"));
/// ```
pub fn init() {
    describe_all();
    for metric in ALL {
        for values in metric.series() {
            match metric.kind {
                MetricKind::Counter => metric.counter(&values).increment(0),
                MetricKind::Gauge => metric.gauge(&values).set(0.0),
                MetricKind::Histogram => drop(metric.histogram(&values)),
            }
        }
    }
}

/// Name and bucket bounds of every histogram, for an exporter to be set up with *full* names.
pub static BUCKETS: LazyLock<Vec<(&'static str, &'static [f64])>> = LazyLock::new(|| {
    let histograms = ALL
        .iter()
        .filter(|metric| metric.kind == MetricKind::Histogram);
    histograms
        .map(|metric| (metric.name, metric.buckets))
        .collect()
});

/// 50 µs … 10 s: a sync on anything from server SSD to a dying disk.
const SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 10.0,
];
/// 1 ms … 1 h: opening and rebuilding.
const LONG_SECONDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0,
];
/// 1 … 1,024 records: a frame.
const RECORDS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];
/// 512 B … 4 MiB: a frame.
const BYTES: &[f64] = &[
    512.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
];

/// How a command ended. `duplicate` was answered with its first receipt.
const OUTCOMES: &[&str] = &["committed", "duplicate", "refused", "unknown"];

macro_rules! metrics {
    ($( $(#[$doc:meta])* $const:ident $kind:ident $unit:ident $name:literal
        [$($label:literal in $values:expr),*] $buckets:expr, $help:literal; )+) => {
        $( #[doc = $help]
           #[doc = ""]
           #[doc = "Example: [`metrics`](crate::metrics)."]
           pub const $const: Metric = Metric {
               name: concat!("femtoclaw_ledger_", $name),
               kind: MetricKind::$kind, unit: Unit::$unit, help: $help,
               labels: &[$(MetricLabel { name: $label, values: $values }),*], buckets: $buckets,
           }; )+
        /// Every metric there is.
        pub const ALL: &[Metric] = &[$($const),+];
    };
}

metrics! {
    // Write: what commands do.
    APPENDED_RECORDS Counter Count "appended_records_total" [] &[],
        "Records in the journal: set to the head when the ledger opens, so it equals the head.";
    STORE_RECORDS Counter Count "store_records_total" ["store" in STORES] &[],
        "Records appended since the ledger was opened, in every store that a record belongs to.";
    APPENDED_BYTES Counter Bytes "appended_bytes_total" [] &[],
        "Frame bytes written to the journal since the ledger was opened.";
    COMMITS Counter Count "commits_total" [] &[],
        "Commands made durable since the ledger was opened.";
    FRAMES Counter Count "frames_total" [] &[],
        "Frames (group commits) made durable since the ledger was opened.";
    FRAME_RECORDS Histogram Count "frame_records" [] RECORDS,
        "Records of one frame.";
    FRAME_BYTES Histogram Bytes "frame_bytes" [] BYTES,
        "Bytes of one frame.";
    SYNC_SECONDS Histogram Seconds "sync_seconds" [] SECONDS,
        "Time that the engine took to write and sync one frame.";
    COMMIT_SECONDS Histogram Seconds "commit_seconds" [] SECONDS,
        "Time from a frame's hand-over to the writer until it is durable: its wait for the frame before it, and its sync.";
    APPEND_SECONDS Histogram Seconds "append_seconds" ["store" in STORES, "outcome" in OUTCOMES] SECONDS,
        "Time from a command's call until its answer, by deciding store.";
    REFUSALS Counter Count "refusals_total" ["reason" in REASONS] &[],
        "Commands, and requests to a witness, that were refused, by the error's code; nothing of them was written.";
    PENDING_RECORDS Gauge Count "pending_records" [] &[],
        "Records admitted and not yet durable.";
    PENDING_BYTES Gauge Bytes "pending_bytes" [] &[],
        "Payload bytes admitted and not yet durable.";
    WRITE_FAILURES Counter Count "write_failures_total" ["outcome" in &["nothing_written", "unknown"]] &[],
        "Frames that could not be made durable; each seals the ledger.";
    SEALED Gauge Count "sealed" [] &[],
        "1 once the ledger refuses all appends because something failed, else 0.";
    PARTS_ENDED Counter Count "parts_ended_total" ["part" in PARTS] &[],
        "Threads, tasks and jobs of an open ledger that ended or panicked without being asked to.";

    // Log: what the journal holds.
    HEAD_SEQ Gauge Count "head_seq" [] &[],
        "Sequence number of the last durable record (0: an empty journal).";
    EPOCH Gauge Count "epoch" [] &[],
        "Epoch of this writer.";
    RUNNING_EXECUTIONS Gauge Count "running_executions" [] &[],
        "Executions started and not finished by this process.";
    IN_DOUBT_EXECUTIONS Gauge Count "in_doubt_executions" [] &[],
        "Executions that an earlier process started and nobody has resolved.";
    AWAITING_EXECUTIONS Gauge Count "awaiting_executions" [] &[],
        "Executions that wait for persons to approve them, and those that persons approved and nobody started.";
    TELEMETRY_LOST Counter Count "telemetry_lost_total" [] &[],
        "Observations lost because the bounded buffer was full; each gap is also a record.";
    CLOCK_SKEWS Counter Count "clock_skews_total" ["direction" in &["behind", "ahead", "doubted"]] &[],
        "Excursions of the wall clock, one record each.";

    // Projection: how far the views are.
    VIEW_POSITION Gauge Count "view_position" ["view" in VIEWS] &[],
        "Sequence number up to which a view has read.";
    VIEW_LAG_RECORDS Gauge Count "view_lag_records" ["view" in VIEWS] &[],
        "Records between a view's position and the head.";
    VIEW_APPLY_SECONDS Histogram Seconds "view_apply_seconds" ["view" in VIEWS] SECONDS,
        "Time that a view took to fold one batch of records, without storing what came of it.";
    VIEW_REBUILDS Counter Count "view_rebuilds_total"
        ["view" in VIEWS, "reason" in &["missing", "version", "damaged", "other_history", "ordered"]] &[],
        "Views that are made again by replay, by why.";
    VIEW_FAILURES Counter Count "view_failures_total" ["view" in VIEWS] &[],
        "Failures of a view's projection, or of the storage or the journal below all views.";

    // Callbacks: the embedder's code.
    CALLBACK_FAILURES Counter Count "callback_failures_total"
        ["callback" in CALLBACKS, "outcome" in &["failed", "panicked", "nonsense", "hung"]] &[],
        "Calls of the embedder's code that gave an error, panicked, gave what cannot be, or did not come back in time.";
    CALLBACKS_IN_TROUBLE Gauge Count "callbacks_in_trouble" ["callback" in CALLBACKS] &[],
        "Callbacks whose last call failed or has not come back: health() names the first.";

    // Recovery: what opening found.
    RECOVERIES Counter Count "recoveries_total" ["outcome" in &["new", "clean", "unclean", "failed"]] &[],
        "Ledgers opened, by how the last writer had left them, and openings that failed.";
    RECOVERY_SECONDS Histogram Seconds "recovery_seconds" [] LONG_SECONDS,
        "Time that opening took until the first command could be served.";
    RECOVERED_RECORDS Gauge Count "recovered_records" [] &[],
        "Records that opening read again: all, or those after the last saved states.";

    // Engine: the disk below.
    ENGINE_JOURNAL_BYTES Gauge Bytes "engine_journal_bytes" [] &[],
        "Disk space of the journal's database.";
    ENGINE_VIEWS_BYTES Gauge Bytes "engine_views_bytes" [] &[],
        "Disk space of the views' database.";
    ENGINE_WAL_FILES Gauge Count "engine_wal_files" [] &[],
        "Write-ahead files of the journal's database.";
    CHECKPOINTS Counter Count "checkpoints_total" ["outcome" in &["signed", "failed"]] &[],
        "Checkpoints that were to be signed, by outcome.";
    CHECKPOINT_COPIES Counter Count "checkpoint_copies_total" ["outcome" in &["copied", "failed"]] &[],
        "Copies of checkpoints to their destinations, by outcome.";
    CHECKPOINT_AGE_SECONDS Gauge Seconds "checkpoint_age_seconds" [] &[],
        "Time since the last checkpoint of this opening; 0 where none are signed.";
    CHECKPOINT_LAG_RECORDS Gauge Count "checkpoint_lag_records" [] &[],
        "Records that no checkpoint covers; 0 where none are signed.";
    CHECKPOINT_COPY_AGE_SECONDS Gauge Seconds "checkpoint_copy_age_seconds" [] &[],
        "Time since the destination furthest behind took a checkpoint; 0 without destinations.";
    CHECKPOINTS_WITNESSED Counter Count "checkpoints_witnessed_total" [] &[],
        "Checkpoints of other logs that this ledger cosigned as a witness.";
    VERIFIED_THROUGH_SEQ Gauge Count "verified_through_seq" [] &[],
        "Sequence number up to which the scrub has found every record sound.";
    SCRUBBED_BYTES Counter Bytes "scrubbed_bytes_total" [] &[],
        "Bytes that the scrub has read.";
    SCRUB_DAMAGES Counter Count "scrub_damages_total" [] &[],
        "Damages that the scrub has found, each once as long as it stays.";
    DISK_FREE_BYTES Gauge Bytes "disk_free_bytes" [] &[],
        "Free space on the ledger's file system.";
}

#[cfg(test)]
mod tests;
