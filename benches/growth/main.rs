// SPDX-License-Identifier: Apache-2.0
//! The cost of a command when there is much of what it adds to: component names, capabilities, documents, versions,
//! modules, positions, grants, executions that wait for persons or run. Each row takes the time of its first n commands and of
//! 4n of them, and the processor time, which other programs disturb less; where a cost does not grow, the ratio is 4. And how
//! often an idle ledger wakes.
//!
//! `cargo bench --bench growth -- [--quick] [--only NAME]`

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark measures real time and may stop at the first error"
)]

#[path = "../support/mod.rs"]
mod support;

mod idle;
mod rows;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::{Grant, Ledger, Options, Root};
use support::now;

const CALLERS: u64 = 256;
const CLOSE: Duration = Duration::from_secs(60);

type Step = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A ledger that is open, and what its commands need.
pub(crate) struct Bed {
    pub(crate) ledger: Ledger,
    pub(crate) root: Root,
    pub(crate) grant: Grant,
}

/// Something that grows, one command (or a few) at a time.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// How many of it a ledger takes by default, or a good number of them.
    pub(crate) most: u64,
    /// Adds the one with this number.
    pub(crate) add: fn(Arc<Bed>, u64) -> Step,
    /// Seconds for all of them, where that is held.
    pub(crate) seconds_max: Option<f64>,
}

async fn add(bed: &Arc<Bed>, row: &Row, from: u64, to: u64) -> Duration {
    let started = now();
    let callers = (0..CALLERS).map(|caller| {
        let (bed, add) = (Arc::clone(bed), row.add);
        tokio::spawn(async move {
            for number in (from..to).filter(|number| number % CALLERS == caller) {
                add(Arc::clone(&bed), number).await;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    started.elapsed()
}

async fn measure(row: &Row, directory: &Path, most: u64) -> bool {
    let options = Options {
        wait_for_admission: true,
        ..Options::default()
    };
    let path = directory.join("ledger");
    let (ledger, root) = Ledger::open(&path, options).await.unwrap();
    let grant = support::grant(&root).await;
    let bed = Arc::new(Bed {
        ledger,
        root,
        grant,
    });
    let before = support::processor_time();
    let first = add(&bed, row, 0, most / 4).await;
    let between = support::processor_time();
    let all = first + add(&bed, row, most / 4, most).await;
    let after = support::processor_time();
    bed.root.close(CLOSE).await.unwrap();
    drop(bed);
    std::fs::remove_dir_all(&path).unwrap();
    let ratio = |all: Duration, first: Duration| all.as_secs_f64() / first.as_secs_f64();
    let (few, many) = (most / 4, most);
    println!(
        "{:<26} {few:>6} in {:>6.2} s {many:>6} in {:>6.2} s, ratio {:>4.1}; processor {:>6.1} µs each, ratio {:>4.1}",
        row.name,
        first.as_secs_f64(),
        all.as_secs_f64(),
        ratio(all, first),
        (after - before).as_secs_f64() * 1e6 / many as f64,
        ratio(after - before, between - before),
    );
    let held = row.seconds_max.unwrap_or(f64::INFINITY);
    all.as_secs_f64() <= held
}

fn main() {
    let quick = support::flag("--quick");
    let only = support::value("--only");
    let chosen = |name: &str| {
        only.as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    };
    let directory = support::fresh_directory();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut late = Vec::new();
    for row in rows::ALL.iter().filter(|row| chosen(row.name)) {
        let most = if quick { row.most / 16 } else { row.most };
        if !runtime.block_on(measure(row, directory.path(), most)) {
            late.push(row.name);
        }
    }
    if chosen("idle") {
        idle::measure(&runtime, directory.path(), if quick { 5 } else { 20 });
    }
    assert!(late.is_empty(), "slower than promised: {late:?}");
}
