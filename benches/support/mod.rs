// SPDX-License-Identifier: Apache-2.0
//! What the benchmarks share: a directory on the real disk, percentiles, arguments, sample commands.

#![allow(
    dead_code,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark measures real time and may stop at the first error"
)]

pub(crate) mod meter;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use femtoclaw_ledger::events::{AuditFamily, Decision, Outcome, TelemetryKind};
use femtoclaw_ledger::{
    AuditEntry, Context, Grant, Ledger, Observation, Options, Quota, Request, Rights, Root,
};

/// Bytes of attributes, details or arguments and results together in a sample command.
pub(crate) const PAYLOAD_BYTES: usize = 312;

pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A fresh directory below cargo's target directory: the disk that is measured is the one that the
/// build lies on, and not a `tmpfs` that syncs nothing.
pub(crate) fn fresh_directory() -> tempfile::TempDir {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(parent).unwrap();
    let directory = tempfile::tempdir_in(parent).unwrap();
    let kind = Command::new("stat")
        .args(["-f", "-c", "%T"])
        .arg(directory.path())
        .output();
    let kind = kind.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("file system {kind}, {cores} cores");
    if kind == "tmpfs" {
        println!("WARNING: tmpfs syncs nothing; set CARGO_TARGET_DIR to a directory on a disk");
    }
    directory
}

/// Processor time of this process so far, all threads, in steps of 10 ms (Linux's clock tick).
pub(crate) fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks = ticks
        .map(|field| field.parse::<u64>().unwrap_or(0))
        .sum::<u64>();
    Duration::from_millis(ticks * 10)
}

/// True where the flag was given.
pub(crate) fn flag(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

/// The value after `name`.
pub(crate) fn value(name: &str) -> Option<String> {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name)?;
    arguments.next()
}

/// The middle one; of an even number, the upper of the two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Nanoseconds at this share of sorted latencies.
pub(crate) fn percentile(sorted: &[u64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * share).round() as usize;
    sorted.get(index).map_or(f64::NAN, |nanos| *nanos as f64)
}

pub(crate) fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// A duration in the unit that reads best.
pub(crate) fn shown(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.0} µs", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

pub(crate) async fn open(path: &Path) -> (Ledger, Root, Duration) {
    let started = now();
    let (ledger, root) = Ledger::open(path, Options::default()).await.unwrap();
    (ledger, root, started.elapsed())
}

pub(crate) async fn grant(root: &Root) -> Grant {
    root.grant("benchmark", Rights::all(), Quota::default())
        .await
        .unwrap()
}

/// JSON of exactly this length, at least two bytes.
pub(crate) fn json(bytes: usize) -> Vec<u8> {
    let mut text = vec![b'a'; bytes];
    if let [first, .., last] = text.as_mut_slice() {
        (*first, *last) = (b'"', b'"');
    }
    text
}

pub(crate) fn observation() -> Observation {
    Observation {
        context: Context::new(),
        kind: TelemetryKind::Other,
        name: "bench.observed".to_owned(),
        observed_ns: None,
        execution: None,
        outcome: Outcome::Success,
        attributes: json(PAYLOAD_BYTES),
    }
}

pub(crate) fn audit_entry() -> AuditEntry {
    AuditEntry {
        context: Context::new(),
        family: AuditFamily::OperatorAction,
        action: "bench.recorded".to_owned(),
        subject: "benchmark".to_owned(),
        outcome: Outcome::Success,
        execution: None,
        detail: json(PAYLOAD_BYTES),
    }
}

/// An authorized request of the built-in capability.
pub(crate) fn request(ledger: &Ledger, arguments: Vec<u8>) -> Request {
    Request {
        context: Context::new(),
        execution: None,
        input: None,
        capability: femtoclaw_ledger::runtime_metadata::BUILTIN_CAPABILITY.to_owned(),
        arguments,
        decision: Decision::Authorized,
        reason: String::new(),
        basis: ledger.in_force().basis(),
    }
}
