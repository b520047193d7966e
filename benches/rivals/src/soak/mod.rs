// SPDX-License-Identifier: Apache-2.0
//! Load for minutes, second by second: whether rates, tails, lag, memory and descriptors stay as they were.
//!
//! Closed: so many callers, each of which waits for its answer. Open: commands come when they are due, whether or not
//! those before have been answered, and their latency counts from when they were due: a stall shows in all that it
//! holds up, and not in one.

mod load;
mod sums;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::machine::{self, Machine};
use crate::payload::Payloads;
use crate::rival::{Store, System};
use crate::round::{self, Wanted};
use crate::scratch::{self, Scratch};
use crate::usage::{self, Usage};
use crate::{show, worker};
use load::{Ends, Told, closed, open_loop};
use sums::Sums;

const CAPACITY_CALLERS: usize = 1_000;
const FREE_BYTES_MIN: u64 = 2 << 30;

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
pub(crate) struct Plan {
    #[arg(long, default_value = "cycle")]
    pub(crate) system: System,
    #[arg(long, default_value_t = 600)]
    pub(crate) seconds: u64,
    #[arg(long, default_value_t = 256)]
    pub(crate) callers: usize,
    #[arg(long, default_value_t = 312)]
    pub(crate) payload: usize,
    /// Open: this share of the capacity, which is measured before.
    #[arg(long)]
    pub(crate) share: Option<f64>,
    /// Open: so many commands a second.
    #[arg(long, conflicts_with = "share")]
    pub(crate) rate: Option<f64>,
    /// Seconds in which the capacity is measured.
    #[arg(long, default_value_t = 20)]
    pub(crate) capacity_seconds: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            system: System::Cycle,
            seconds: 600,
            callers: 256,
            payload: 312,
            share: None,
            rate: None,
            capacity_seconds: 20,
        }
    }
}

impl Plan {
    /// The name of its figures.
    pub(crate) fn name(&self) -> String {
        match (self.share, self.rate) {
            (Some(share), _) => format!("soak-open-{:.0}", share * 100.0),
            (None, Some(_)) => "soak-open-rate".to_owned(),
            (None, None) => format!("soak-{}", self.callers),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Second {
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    pub(crate) slow: u64,
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) max_ns: u64,
    pub(crate) lag: u64,
    /// Sent and not answered, of an open soak.
    pub(crate) outstanding: u64,
    pub(crate) resident_kib: u64,
    pub(crate) descriptors: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Soak {
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    /// Commands a second that were sustained before; of an open soak by share.
    pub(crate) capacity: Option<f64>,
    /// Commands a second that were due.
    pub(crate) rate: Option<f64>,
    pub(crate) commands: u64,
    pub(crate) records: u64,
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) slow: u64,
    pub(crate) acknowledged: f64,
    /// Until the views were at the head, behind the last second.
    pub(crate) sustained: f64,
    pub(crate) caught_up_seconds: f64,
    pub(crate) drift: f64,
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
    pub(crate) lag_max: u64,
    pub(crate) processor_us: f64,
    pub(crate) written_bytes: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) peak_kib: u64,
    pub(crate) descriptors_max: usize,
    pub(crate) seconds: Vec<Second>,
}

fn commands_per_step(system: System) -> f64 {
    if system == System::Cycle { 2.0 } else { 1.0 }
}

pub(crate) fn run(plan: &Plan, data: &Path) -> Result<Soak, String> {
    let scratch = Scratch::new(data).map_err(|error| error.to_string())?;
    let machine = Machine::here(scratch.path());
    let runtime = worker::runtime()?;
    let payloads = Arc::new(Payloads::new(plan.payload));
    let store = Store::open(plan.system, &scratch.fresh("store")?, &runtime)?;
    let capacity = plan
        .share
        .map(|_| capacity(plan, &store, &payloads, &runtime))
        .transpose()?;
    let rate = plan.rate.or_else(|| Some(capacity? * plan.share?));
    let mut soak = measure(plan, &store, payloads, rate, &runtime, machine)?;
    soak.capacity = capacity;
    store.close(&runtime)?;
    Ok(soak)
}

fn capacity(
    plan: &Plan,
    store: &Store,
    payloads: &Arc<Payloads>,
    runtime: &Runtime,
) -> Result<f64, String> {
    let wanted = Wanted {
        callers: CAPACITY_CALLERS,
        millis: plan.capacity_seconds * 1_000,
        warm_millis: plan.capacity_seconds * 100,
        bytes_max: u64::MAX,
    };
    let round = runtime.block_on(round::run(store, payloads, plan.payload, &wanted))?;
    let text = show::count(round.sustained());
    println!("capacity: {text} commands/s sustained with {CAPACITY_CALLERS} callers");
    Ok(round.sustained())
}

fn measure(
    plan: &Plan,
    store: &Store,
    payloads: Arc<Payloads>,
    rate: Option<f64>,
    runtime: &Runtime,
    machine: Machine,
) -> Result<Soak, String> {
    let (caller, told) = (store.caller()?, Arc::new(Told::default()));
    let _ends = Ends(&told);
    let (disk, records) = (usage::disk_bytes(&store.path), caller.records());
    usage::forget_peak();
    let (before, started) = (Usage::now(&store.servers()), Instant::now());
    match rate {
        Some(rate) => {
            let steps = rate / commands_per_step(plan.system);
            open_loop(caller.clone(), payloads, Arc::clone(&told), steps, runtime);
        }
        None => closed(&caller, &payloads, &told, plan.callers, runtime),
    }
    let mut sums = Sums::default();
    for second in 1..=plan.seconds {
        let next = started + Duration::from_secs(second);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        sums.add(&told, &caller);
        sums.say();
        scratch::check()?;
        if machine::free_bytes(&store.path) < FREE_BYTES_MIN {
            println!("the disk is full: the soak ends here");
            break;
        }
    }
    let (took, written) = (started.elapsed(), caller.records());
    told.over.store(true, Ordering::Relaxed);
    runtime.block_on(caller.catch_up())?;
    let caught_up = started.elapsed();
    let used = Usage::now(&store.servers()).since(&before);
    let soak = Soak {
        machine,
        plan: plan.clone(),
        rate,
        records: written
            .zip(records)
            .map_or(0, |(after, before)| after - before),
        caught_up_seconds: (caught_up - took).as_secs_f64(),
        written_bytes: used.written_bytes,
        disk_bytes: usage::disk_bytes(&store.path).saturating_sub(disk),
        peak_kib: usage::peak_kib(),
        ..Soak::default()
    };
    Ok(sums.into_soak(soak, took, used.processor()))
}
