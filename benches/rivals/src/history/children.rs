// SPDX-License-Identifier: Apache-2.0
//! The parts that run in a process of their own: filling a ledger, loading it until it is killed, opening it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use femtoclaw_ledger::events::EventType;
use femtoclaw_ledger::reading::Filter;
use femtoclaw_ledger::{Grant, Ledger};
use serde::{Deserialize, Serialize};

use crate::payload::Payloads;
use crate::rival::ledger::{self, Opened as Handles, Work};
use crate::stats::percentile;
use crate::{usage, worker};

const PAYLOAD: usize = 312;
const FILLERS: usize = 1_000;
const LOADERS: usize = 256;
/// Two components: one runs executions, the other only tells of something. No record has both terms of the search.
const RUNS: &str = "runs";
const TELLS: &str = "tells";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Filled {
    pub(crate) records: u64,
    pub(crate) added: u64,
    /// Until the views were at the head.
    pub(crate) seconds: f64,
    pub(crate) close_seconds: f64,
    pub(crate) disk_bytes: u64,
    pub(crate) peak_kib: u64,
    pub(crate) descriptors: usize,
}

/// Times from the call of `open`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) records: u64,
    /// Until it returned.
    pub(crate) open_seconds: f64,
    /// Records that the views had to read then.
    pub(crate) lag: u64,
    /// Until a first command was acknowledged.
    pub(crate) command_seconds: f64,
    pub(crate) views_seconds: f64,
    pub(crate) close_seconds: f64,
    pub(crate) peak_kib: u64,
    pub(crate) descriptors: usize,
    pub(crate) queried: Option<Queried>,
}

/// A filter of two terms, each of a seventh of all records, that no record has both of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Queried {
    pub(crate) records: u64,
    pub(crate) hits: usize,
    pub(crate) first_ns: u64,
    pub(crate) median_ns: u64,
    pub(crate) max_ns: u64,
}

struct Sides {
    runs: Handles,
    tells: Handles,
    payloads: Payloads,
}

impl Sides {
    fn new(ledger: &Ledger, runs: &Grant, tells: &Grant) -> Result<Arc<Self>, String> {
        Ok(Arc::new(Self {
            runs: Handles::new(ledger, runs)?,
            tells: Handles::new(ledger, tells)?,
            payloads: Payloads::new(PAYLOAD),
        }))
    }

    /// Six records of an execution and one observation, until there are so many records.
    async fn work(self: &Arc<Self>, callers: usize, records: u64) -> Result<(), String> {
        let tasks: Vec<_> = (0..callers as u64)
            .map(|mut number| {
                let sides = Arc::clone(self);
                tokio::spawn(async move {
                    while sides.runs.ledger.head().count() < records {
                        let cycle = sides.payloads.get(number);
                        let done = sides.runs.step(Work::Cycle, cycle, Instant::now()).await;
                        let observation = sides.payloads.get(number + 1);
                        let told = sides
                            .tells
                            .step(Work::Telemetry, observation, Instant::now())
                            .await;
                        if let Some(code) = done.refused.or(told.refused) {
                            return Err(format!("a command was refused: {code}"));
                        }
                        number += 1;
                    }
                    Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await.map_err(|error| error.to_string())??;
        }
        Ok(())
    }
}

async fn filled(path: &Path, records: u64) -> Result<Filled, String> {
    let (ledger, root) = ledger::open(path).await?;
    let before = ledger.head().count();
    let sides = Sides::new(
        &ledger,
        &ledger::grant(&root, RUNS).await?,
        &ledger::grant(&root, TELLS).await?,
    )?;
    let started = Instant::now();
    sides.work(FILLERS, records).await?;
    sides.runs.catch_up().await?;
    let (seconds, records) = (started.elapsed().as_secs_f64(), ledger.head().count());
    let descriptors = usage::descriptors();
    drop(sides);
    let closing = Instant::now();
    ledger::close(root).await?;
    Ok(Filled {
        records,
        added: records - before,
        seconds,
        close_seconds: closing.elapsed().as_secs_f64(),
        disk_bytes: usage::disk_bytes(path),
        peak_kib: usage::peak_kib(),
        descriptors,
    })
}

async fn opened(path: &Path, queries: usize) -> Result<Opened, String> {
    let started = Instant::now();
    let since = || started.elapsed().as_secs_f64();
    let (ledger, root) = ledger::open(path).await?;
    let open_seconds = since();
    let records = ledger.head().count();
    // A grant is a command: it is recorded.
    let grant = ledger::grant(&root, RUNS).await?;
    let command_seconds = since();
    let handles = Handles::new(&ledger, &grant)?;
    let lag = handles.lag();
    handles.catch_up().await?;
    let views_seconds = since();
    let (peak_kib, descriptors) = (usage::peak_kib(), usage::descriptors());
    let tells = ledger::grant(&root, TELLS).await?;
    let queried = match queries {
        0 => None,
        times => Some(queried(&ledger, &grant, &tells, times).await?),
    };
    drop(handles);
    let closing = Instant::now();
    ledger::close(root).await?;
    Ok(Opened {
        records,
        open_seconds,
        lag,
        command_seconds,
        views_seconds,
        close_seconds: closing.elapsed().as_secs_f64(),
        peak_kib,
        descriptors,
        queried,
    })
}

async fn queried(
    ledger: &Ledger,
    grant: &Grant,
    tells: &Grant,
    times: usize,
) -> Result<Queried, String> {
    let reads = ledger.reader(grant).map_err(|error| error.to_string())?;
    let filter = Filter {
        component: Some(tells.component()),
        event_type: Some(EventType::ExecutionStarted),
        ..Filter::default()
    };
    let (mut took, mut hits) = (Vec::new(), 0);
    for _ in 0..times {
        let asked = Instant::now();
        let found = reads.query(filter.clone(), 100).await;
        took.push(asked.elapsed().as_nanos() as u64);
        hits += found.map_err(|error| error.to_string())?.len();
    }
    let first_ns = took.first().copied().unwrap_or(0);
    took.sort_unstable();
    Ok(Queried {
        records: ledger.head().count(),
        hits,
        first_ns,
        median_ns: percentile(&took, 0.5),
        max_ns: percentile(&took, 1.0),
    })
}

/// The child that fills a ledger and closes it.
pub(crate) fn fill(path: &Path, records: u64) -> Result<(), String> {
    let _parent = worker::orders();
    worker::say(&worker::runtime()?.block_on(filled(path, records)));
    Ok(())
}

/// The child that opens a ledger, and says how long that took.
pub(crate) fn probe(path: &Path, queries: usize) -> Result<(), String> {
    let _parent = worker::orders();
    worker::say(&worker::runtime()?.block_on(opened(path, queries)));
    Ok(())
}

/// The child that is killed: it says when its load has begun.
pub(crate) fn load(path: &Path) -> Result<(), String> {
    let _parent = worker::orders();
    worker::runtime()?.block_on(async {
        let (ledger, root) = ledger::open(path).await?;
        let sides = Sides::new(
            &ledger,
            &ledger::grant(&root, RUNS).await?,
            &ledger::grant(&root, TELLS).await?,
        )?;
        sides.runs.catch_up().await?;
        let theirs = Arc::clone(&sides);
        let loading = tokio::spawn(async move { theirs.work(LOADERS, u64::MAX).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        worker::say(&"loading");
        loading.await.map_err(|error| error.to_string())?
    })
}
