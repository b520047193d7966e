// SPDX-License-Identifier: Apache-2.0
//! One round: callers that each wait for their answer before they ask again, until the time or the bytes are over,
//! and then until all that is derived is at the head and the processors rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::payload::Payloads;
use crate::rival::{Caller, Store};
use crate::stats::percentile;
use crate::usage::{self, Usage};

/// A command that takes longer is slow.
pub(crate) const SLOW: Duration = Duration::from_millis(100);
/// How long each number of connections is tried.
const TUNE_TIME: Duration = Duration::from_millis(400);
const LAG_EVERY: Duration = Duration::from_millis(25);
/// Below this share of one processor a system rests.
const REST_SHARE: f64 = 0.05;
const REST_MAX: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) callers: usize,
    pub(crate) millis: u64,
    /// Before it, and not measured.
    pub(crate) warm_millis: u64,
    /// Bytes of payloads after which it ends before its time.
    pub(crate) bytes_max: u64,
}

/// What one round measured. Times are nanoseconds where they are not named otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Round {
    pub(crate) commands: u64,
    pub(crate) records: u64,
    pub(crate) refused: BTreeMap<String, u64>,
    /// Until the last answer.
    pub(crate) acknowledged_seconds: f64,
    /// Until all views were at the head, too.
    pub(crate) sustained_seconds: f64,
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
    pub(crate) slow: u64,
    pub(crate) lag_max: u64,
    /// Of the suite's process and of a server, the catching up and what ran on behind it included.
    pub(crate) processor_ns: u64,
    pub(crate) server_processor_ns: u64,
    pub(crate) threads_ns: BTreeMap<String, u64>,
    /// Of names that several threads have: the busiest one's.
    pub(crate) busiest_ns: BTreeMap<String, u64>,
    pub(crate) written_bytes: u64,
    /// By everything on the machine.
    pub(crate) device_bytes: u64,
    /// More on the disk than before.
    pub(crate) disk_bytes: i64,
    pub(crate) peak_kib: u64,
    pub(crate) descriptors: usize,
    /// Connections, of a server.
    pub(crate) writers: usize,
}

impl Round {
    pub(crate) fn acknowledged(&self) -> f64 {
        self.commands as f64 / self.acknowledged_seconds
    }

    pub(crate) fn sustained(&self) -> f64 {
        self.commands as f64 / self.sustained_seconds
    }

    pub(crate) fn records_sustained(&self) -> f64 {
        self.records as f64 / self.sustained_seconds
    }

    /// Microseconds of processor a command, a server's included.
    pub(crate) fn processor_us(&self) -> f64 {
        (self.processor_ns + self.server_processor_ns) as f64 / 1e3 / self.commands as f64
    }

    pub(crate) fn to_device(&self) -> f64 {
        self.device_bytes as f64 / self.commands as f64
    }

    pub(crate) fn written(&self) -> f64 {
        self.written_bytes as f64 / self.commands as f64
    }
}

#[derive(Default)]
struct Tally {
    latencies: Vec<u64>,
    refused: BTreeMap<String, u64>,
}

/// Callers until `end` or until `bytes` payload bytes are spent.
async fn load(
    caller: &Caller,
    payloads: &Arc<Payloads>,
    callers: usize,
    end: Instant,
    commands_max: u64,
) -> Tally {
    let started = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (caller, payloads, started) =
                (caller.clone(), Arc::clone(payloads), Arc::clone(&started));
            tokio::spawn(async move {
                let mut tally = Tally::default();
                loop {
                    let number = started.fetch_add(1, Ordering::Relaxed);
                    if number >= commands_max || Instant::now() >= end {
                        return tally;
                    }
                    let outcomes = caller.step(payloads.get(number), Instant::now()).await;
                    let answered = outcomes.latencies.iter().take(outcomes.answered);
                    tally.latencies.extend(answered);
                    if let Some(code) = outcomes.refused {
                        *tally.refused.entry(code).or_insert(0) += 1;
                        // Who is refused comes again later.
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            })
        })
        .collect();
    let mut all = Tally::default();
    for task in tasks {
        let Ok(mut tally) = task.await else { continue };
        all.latencies.append(&mut tally.latencies);
        for (code, count) in tally.refused {
            *all.refused.entry(code).or_insert(0) += count;
        }
    }
    all
}

/// The most that views were behind, until `over`.
async fn watch_lag(caller: Caller, over: Arc<AtomicBool>) -> u64 {
    let mut most = 0;
    while !over.load(Ordering::Relaxed) {
        most = most.max(caller.lag());
        tokio::time::sleep(LAG_EVERY).await;
    }
    most
}

/// Finds how many connections serve so many callers best, and uses as many from now on.
pub(crate) async fn tune(
    store: &Store,
    payloads: &Arc<Payloads>,
    bytes: usize,
    wanted: &Wanted,
) -> Result<usize, String> {
    let caller = store.caller()?;
    let commands_max = (wanted.bytes_max / bytes.max(1) as u64).max(wanted.callers as u64);
    let (mut best, mut writers) = ((0.0, 1), 1);
    // One caller has one connection busy.
    while writers <= caller.writers() && (writers == 1 || wanted.callers > 1) {
        caller.use_writers(writers);
        for time in [TUNE_TIME / 4, TUNE_TIME] {
            let started = Instant::now();
            let tally = load(
                &caller,
                payloads,
                wanted.callers,
                started + time,
                commands_max / 4 + 1,
            )
            .await;
            let rate = tally.latencies.len() as f64 / started.elapsed().as_secs_f64();
            if time == TUNE_TIME && rate > best.0 {
                best = (rate, writers);
            }
        }
        writers *= 2;
    }
    caller.use_writers(best.1);
    Ok(best.1)
}

pub(crate) async fn run(
    store: &Store,
    payloads: &Arc<Payloads>,
    bytes: usize,
    wanted: &Wanted,
) -> Result<Round, String> {
    let caller = store.caller()?;
    let servers = store.servers();
    let commands_max = (wanted.bytes_max / bytes.max(1) as u64).max(wanted.callers as u64);
    let warm = Instant::now() + Duration::from_millis(wanted.warm_millis);
    load(
        &caller,
        payloads,
        wanted.callers,
        warm,
        commands_max / 4 + 1,
    )
    .await;
    caller.catch_up().await?;
    rest(&servers).await;

    usage::forget_peak();
    let (disk, records) = (usage::disk_bytes(&store.path), caller.records());
    let device = usage::device_bytes(&store.path);
    let over = Arc::new(AtomicBool::new(false));
    let lag = tokio::spawn(watch_lag(caller.clone(), Arc::clone(&over)));
    let (before, started) = (Usage::now(&servers), Instant::now());
    let end = started + Duration::from_millis(wanted.millis);
    let tally = load(&caller, payloads, wanted.callers, end, commands_max).await;
    let acknowledged = started.elapsed();
    over.store(true, Ordering::Relaxed);
    let lag_end = caller.lag();
    let written = caller.records();
    caller.catch_up().await?;
    let sustained = started.elapsed();
    rest(&servers).await;
    let used = Usage::now(&servers).since(&before);

    let mut latencies = tally.latencies;
    latencies.sort_unstable();
    let commands = latencies.len() as u64;
    let slow = latencies.partition_point(|it| u128::from(*it) <= SLOW.as_nanos());
    Ok(Round {
        commands,
        records: written
            .zip(records)
            .map_or(commands, |(after, before)| after - before),
        refused: tally.refused,
        acknowledged_seconds: acknowledged.as_secs_f64(),
        sustained_seconds: sustained.as_secs_f64(),
        p50_ns: percentile(&latencies, 0.5),
        p99_ns: percentile(&latencies, 0.99),
        p999_ns: percentile(&latencies, 0.999),
        max_ns: percentile(&latencies, 1.0),
        slow: commands - slow as u64,
        lag_max: lag.await.unwrap_or(0).max(lag_end),
        processor_ns: used.own.as_nanos() as u64,
        server_processor_ns: used.server.as_nanos() as u64,
        threads_ns: used.threads(),
        busiest_ns: used.busiest(),
        written_bytes: used.written_bytes,
        device_bytes: usage::device_bytes(&store.path) - device,
        disk_bytes: usage::disk_bytes(&store.path).cast_signed() - disk.cast_signed(),
        peak_kib: usage::peak_kib() + usage::server_kib(&servers),
        descriptors: usage::descriptors(),
        writers: 0,
    })
}

/// Waits until what goes on in the background is done, at most two seconds.
async fn rest(servers: &[u32]) {
    let (started, step) = (
        Instant::now(),
        Duration::from_millis(if servers.is_empty() { 50 } else { 200 }),
    );
    let mut last = Usage::now(servers).processor();
    while started.elapsed() < REST_MAX {
        tokio::time::sleep(step).await;
        let now = Usage::now(servers).processor();
        let share = (now - last).as_secs_f64() / step.as_secs_f64();
        if share < REST_SHARE {
            return;
        }
        last = now;
    }
}
