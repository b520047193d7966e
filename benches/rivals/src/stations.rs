// SPDX-License-Identifier: Apache-2.0
//! What each thread of the ledger works for one command, and how long a frame takes: what the model is made of.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::meter::Meter;
use crate::payload::Payloads;
use crate::rival::{Store, System};
use crate::round::{self, Round, Wanted};
use crate::scratch::{self, Scratch};
use crate::worker;

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
pub(crate) struct Plan {
    #[arg(long, value_delimiter = ',', default_value = "64,1000")]
    pub(crate) callers: Vec<usize>,
    #[arg(long, default_value_t = 5000)]
    pub(crate) millis: u64,
    #[arg(long, default_value_t = 312)]
    pub(crate) payload: usize,
}

/// One system with so many callers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Station {
    pub(crate) system: System,
    pub(crate) callers: usize,
    pub(crate) round: Round,
    pub(crate) frames: u64,
    pub(crate) frame_records: f64,
    /// Of all frames, the sync in it.
    pub(crate) commit_seconds: f64,
    pub(crate) sync_seconds: f64,
}

impl Station {
    /// Microseconds of processor a command, by the threads' name, the most first.
    pub(crate) fn demands(&self) -> Vec<Demand> {
        let micros = |nanos: &u64| *nanos as f64 / 1e3 / self.round.commands.max(1) as f64;
        let threads = self.round.threads_ns.iter();
        let mut all: Vec<_> = threads
            .map(|(name, nanos)| Demand {
                name: name.clone(),
                all: micros(nanos),
                busiest: self
                    .round
                    .busiest_ns
                    .get(name)
                    .map_or_else(|| micros(nanos), micros),
            })
            .collect();
        all.sort_by(|a, b| b.all.total_cmp(&a.all));
        all
    }
}

/// Microseconds of processor a command.
pub(crate) struct Demand {
    pub(crate) name: String,
    /// Of all threads of this name.
    pub(crate) all: f64,
    /// Of the busiest of them.
    pub(crate) busiest: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stations {
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    pub(crate) stations: Vec<Station>,
}

pub(crate) fn run(plan: &Plan, data: &Path) -> Result<Stations, String> {
    let scratch = Scratch::new(data).map_err(|error| error.to_string())?;
    let machine = Machine::here(scratch.path());
    let (runtime, meter) = (worker::runtime()?, Meter::installed());
    let payloads = Arc::new(Payloads::new(plan.payload));
    let mut stations = Vec::new();
    for system in [System::Audit, System::Cycle] {
        let store = Store::open(system, &scratch.fresh(system.id())?, &runtime)?;
        for callers in &plan.callers {
            scratch::check()?;
            let wanted = |millis| Wanted {
                callers: *callers,
                millis,
                warm_millis: 0,
                bytes_max: u64::MAX,
            };
            runtime.block_on(round::run(
                &store,
                &payloads,
                plan.payload,
                &wanted(plan.millis / 10),
            ))?;
            let _before =
                ["frame_records", "commit_seconds", "sync_seconds"].map(|name| meter.taken(name));
            let round = runtime.block_on(round::run(
                &store,
                &payloads,
                plan.payload,
                &wanted(plan.millis),
            ))?;
            let (frames, frame_records) = meter.taken("frame_records");
            let station = Station {
                system,
                callers: *callers,
                frames,
                frame_records,
                commit_seconds: meter.taken("commit_seconds").1,
                sync_seconds: meter.taken("sync_seconds").1,
                round,
            };
            println!(
                "{}, {callers} callers: {:.0} commands/s sustained",
                system.title(),
                station.round.sustained()
            );
            for Demand { name, all, busiest } in station.demands() {
                println!("    {name:<16} {all:>7.2} µs a command, the busiest thread {busiest:.2}");
            }
            stations.push(station);
        }
        store.close(&runtime)?;
    }
    let plan = plan.clone();
    Ok(Stations {
        machine,
        plan,
        stations,
    })
}
