// SPDX-License-Identifier: Apache-2.0
//! Durable acknowledgements per second and their latency through the public path, beside a bare
//! file that is appended and synced with the same group commit.
//!
//! Raw and ledger alternate within one run, round by round, so that both meet the same disk; what
//! is printed are medians over the rounds and their ratios. Views are made while commands are
//! measured, and compete for the cores; they catch up between rounds, and how far they had fallen
//! behind is printed.
//!
//! `cargo bench --bench throughput -- [--quick] [--callers 1,64,1000] [--only telemetry] [--rounds 5]
//! [--millis 800] [--alone]`

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark measures real time and may stop at the first error"
)]

#[path = "../support/mod.rs"]
mod support;

mod raw;
mod report;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use femtoclaw_ledger::{AuditLog, Context, ExecutionLog, Ledger, Root, Seq, Telemetry};

use raw::Raw;
use report::{Measured, Series};
use support::meter::Meter;
use support::{audit_entry, json, nanos, observation, request};

/// What one caller does again and again.
#[derive(Clone)]
enum Target {
    Raw(Arc<Raw>),
    Telemetry(Telemetry),
    Audit(AuditLog),
    /// Begin and complete: two commands, six records.
    Cycle(Ledger, ExecutionLog),
}

impl Target {
    /// Commands, each with its latency.
    async fn step(&self, latencies: &mut Vec<u64>) {
        let started = support::now();
        match self {
            Self::Raw(raw) => raw.append(json(support::PAYLOAD_BYTES)).await,
            Self::Telemetry(telemetry) => {
                telemetry.record(observation()).await.unwrap();
            }
            Self::Audit(audit) => {
                audit.record(audit_entry()).await.unwrap();
            }
            Self::Cycle(ledger, log) => {
                let begun = log.begin(request(ledger, json(156))).await.unwrap();
                latencies.push(nanos(started));
                let started = support::now();
                log.complete(begun.execution(), Context::new(), json(156))
                    .await
                    .unwrap();
                return latencies.push(nanos(started));
            }
        }
        latencies.push(nanos(started));
    }
}

/// Callers that each wait for one answer before they ask again.
async fn round(target: &Target, callers: usize, time: Duration) -> Measured {
    let started = support::now();
    let end = started + time;
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let target = target.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::with_capacity(4_096);
                while support::now() < end {
                    target.step(&mut latencies).await;
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.append(&mut task.await.unwrap());
    }
    Measured::new(latencies, started.elapsed())
}

struct Plan {
    callers: Vec<usize>,
    rounds: usize,
    time: Duration,
    only: Option<String>,
    /// Without the raw files, for a profiler.
    alone: bool,
}

impl Plan {
    fn from_arguments() -> Self {
        let (rounds, millis) = if support::flag("--quick") {
            (3, 150)
        } else {
            (5, 800)
        };
        let number = |name| support::value(name).map(|value| value.parse::<u64>().unwrap());
        let callers = support::value("--callers").unwrap_or_else(|| "1,64,1000".to_owned());
        Self {
            callers: callers.split(',').map(|n| n.parse().unwrap()).collect(),
            rounds: number("--rounds").map_or(rounds, |rounds| rounds as usize),
            time: Duration::from_millis(number("--millis").unwrap_or(millis)),
            alone: support::flag("--alone"),
            only: support::value("--only"),
        }
    }
}

/// The disk's own latency: 4 KiB written over and synced, one after the other.
fn sync_latency(file: &File, time: Duration) -> Measured {
    let (block, mut latencies) = ([1_u8; 4_096], Vec::new());
    let started = support::now();
    while started.elapsed() < time {
        let one = support::now();
        file.write_all_at(&block, 0).unwrap();
        file.sync_data().unwrap();
        latencies.push(nanos(one));
    }
    Measured::new(latencies, started.elapsed())
}

async fn targets(path: &Path, ledger: &Ledger, root: &Root) -> Vec<(&'static str, Target)> {
    let grant = support::grant(root).await;
    let raw = |name: &str, preallocated| {
        Target::Raw(Arc::new(
            Raw::create(&path.join(name), preallocated).unwrap(),
        ))
    };
    vec![
        ("raw, growing", raw("growing", false)),
        ("raw, preallocated", raw("preallocated", true)),
        (
            "telemetry",
            Target::Telemetry(ledger.telemetry(&grant).unwrap()),
        ),
        ("audit", Target::Audit(ledger.audit_log(&grant).unwrap())),
        (
            "begin+complete",
            Target::Cycle(ledger.clone(), ledger.execution_log(&grant).unwrap()),
        ),
    ]
}

/// Waits for the views; how many records they were behind, and for how long.
async fn catch_up(ledger: &Ledger, lag: &mut u64) -> Duration {
    let (head, started) = (ledger.head().count(), support::now());
    let slowest = ledger.view_positions().into_iter();
    let slowest = slowest.map(|it| it.position).min();
    *lag = (*lag).max(head.saturating_sub(slowest.unwrap_or(head)));
    ledger.at_least(Seq::new(head)).await.unwrap();
    started.elapsed()
}

async fn run(plan: &Plan, path: &Path, meter: &Meter) {
    let (ledger, root, _) = support::open(&path.join("ledger")).await;
    let targets = targets(path, &ledger, &root).await;
    let disk = File::create(path.join("disk")).unwrap();
    let mut syncs = Series::default();
    for callers in &plan.callers {
        let mut series: Vec<Series> = targets.iter().map(|_| Series::default()).collect();
        let started = support::now();
        for _ in 0..plan.rounds {
            syncs.add(sync_latency(&disk, plan.time / 8));
            for ((name, target), series) in targets.iter().zip(&mut series) {
                let wanted = plan.only.as_ref().is_none_or(|only| name.contains(only));
                let beside = matches!(target, Target::Raw(_)) && !plan.alone;
                if !wanted && !beside {
                    continue;
                }
                // The first answers of a round warm up what the round before left cold.
                round(target, *callers, plan.time / 10).await;
                let head = ledger.head().count();
                let _before = (meter.taken("frame_records"), meter.taken("sync_seconds"));
                let processor = support::processor_time();
                let measured = round(target, *callers, plan.time).await;
                series.records += ledger.head().count() - head;
                series.add_frames(meter.taken("frame_records").1, meter.taken("sync_seconds"));
                series.answers += measured.answers;
                series.add(measured);
                series.caught_up += catch_up(&ledger, &mut series.lag).await;
                series.processor += support::processor_time() - processor;
            }
        }
        let named = targets.iter().map(|(name, _)| *name).zip(&series);
        report::print(*callers, started.elapsed(), named.collect());
    }
    report::print_disk(&syncs);
    root.close(Duration::from_secs(10)).await.unwrap();
}

fn main() {
    let plan = Plan::from_arguments();
    let meter = Meter::installed();
    let directory = support::fresh_directory();
    let started: Instant = support::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(&plan, directory.path(), &meter));
    println!("\ntook {:.0} s", started.elapsed().as_secs_f64());
}
