// SPDX-License-Identifier: Apache-2.0
//! The main table: every system, all in one run, their rounds interleaved.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::machine::{self, Machine};
use crate::rival::System;
use crate::round::{Round, Wanted};
use crate::scratch::{self, Scratch};
use crate::stats::{median, percentile, spread};
use crate::usage;
use crate::worker::Worker;

/// A store that takes more than this is replaced by a fresh one before the next number of callers.
const STORE_BYTES_MAX: u64 = 1 << 30;
/// Less room than this on the disk ends the run.
const FREE_BYTES_MIN: u64 = 4 << 30;
const SYNC_BLOCK: usize = 4 << 10;
const SYNC_TIME: Duration = Duration::from_millis(50);

/// What is measured.
#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Keeps the figures as `table-NAME`: a table beside the main one.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Systems, by name; all where none is given.
    #[arg(long, value_delimiter = ',')]
    pub(crate) systems: Vec<System>,
    /// Callers at once.
    #[arg(long, value_delimiter = ',', default_value = "1,64,256,1000,10000")]
    pub(crate) callers: Vec<usize>,
    /// Bytes of payload.
    #[arg(long, value_delimiter = ',', default_value = "312,4096,65536")]
    pub(crate) payloads: Vec<usize>,
    /// Rounds of each system with each number of callers and bytes.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Length of a round. A tenth of it goes before, unmeasured.
    #[arg(long, default_value_t = 1000)]
    pub(crate) millis: u64,
    /// MiB of payloads after which a round ends before its time.
    #[arg(long, default_value_t = 128)]
    pub(crate) mib: u64,
}

impl Plan {
    /// The name of its figures.
    pub(crate) fn file(&self) -> String {
        let name = self.name.as_ref();
        name.map_or_else(|| "table".to_owned(), |name| format!("table-{name}"))
    }
}

/// All rounds of one system with so many callers and bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) system: System,
    pub(crate) payload: usize,
    pub(crate) callers: usize,
    pub(crate) rounds: Vec<Round>,
}

impl Cell {
    /// The median over the rounds.
    pub(crate) fn of(&self, what: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(what))
    }

    pub(crate) fn spread(&self) -> f64 {
        spread(self.rounds.iter().map(Round::sustained))
    }

    pub(crate) fn max_ns(&self) -> u64 {
        self.rounds.iter().map(|it| it.max_ns).max().unwrap_or(0)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.rounds.iter().flat_map(|it| it.refused.values()).sum()
    }
}

/// The disk's own latency, beside a cell: 4 KiB written over and synced, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Disk {
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) max_ns: u64,
}

/// What could not be measured, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Skipped {
    pub(crate) system: System,
    pub(crate) why: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    pub(crate) seconds: f64,
    pub(crate) disk: Disk,
    pub(crate) cells: Vec<Cell>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Table {
    pub(crate) fn cell(&self, system: System, payload: usize, callers: usize) -> Option<&Cell> {
        let is =
            |cell: &&Cell| (cell.system, cell.payload, cell.callers) == (system, payload, callers);
        self.cells.iter().find(is)
    }
}

struct Run<'a> {
    plan: &'a Plan,
    scratch: &'a Scratch,
    stores: usize,
    cells: Vec<Cell>,
    skipped: Vec<Skipped>,
    syncs: Vec<u64>,
}

pub(crate) fn run(plan: &Plan, data: &Path) -> Result<Table, String> {
    let scratch = Scratch::new(data).map_err(|error| format!("{}: {error}", data.display()))?;
    let machine = Machine::here(scratch.path());
    if machine.file_system == "tmpfs" {
        eprintln!(
            "rivals: WARNING: {} is a tmpfs, which syncs nothing",
            data.display()
        );
    }
    let started = Instant::now();
    let mut run = Run {
        plan,
        scratch: &scratch,
        stores: 0,
        cells: Vec::new(),
        skipped: Vec::new(),
        syncs: Vec::new(),
    };
    for payload in &plan.payloads {
        run.payload(*payload)?;
    }
    run.syncs.sort_unstable();
    Ok(Table {
        machine,
        plan: plan.clone(),
        seconds: started.elapsed().as_secs_f64(),
        disk: Disk {
            p50_ns: percentile(&run.syncs, 0.5),
            p99_ns: percentile(&run.syncs, 0.99),
            max_ns: percentile(&run.syncs, 1.0),
        },
        cells: run.cells,
        skipped: run.skipped,
    })
}

impl Run<'_> {
    fn wanted(&self) -> Vec<System> {
        let all = System::ALL.into_iter();
        all.filter(|it| self.plan.systems.is_empty() || self.plan.systems.contains(it))
            .collect()
    }

    fn payload(&mut self, payload: usize) -> Result<(), String> {
        let mut workers = Vec::new();
        for system in self.wanted() {
            scratch::check()?;
            workers.extend(self.start(system, payload));
        }
        for callers in self.plan.callers.clone() {
            workers = self.cell(workers, payload, callers)?;
            crate::show::cell(&self.cells, payload, callers);
        }
        for worker in workers {
            self.close(worker);
        }
        Ok(())
    }

    /// A fresh store with its process; where there is none, why is noted once.
    fn start(&mut self, system: System, payload: usize) -> Option<Worker> {
        self.stores += 1;
        let path = self.scratch.fresh(&format!("s{}", self.stores));
        match path.and_then(|path| Worker::start(system, &path, payload)) {
            Ok(worker) => Some(worker),
            Err(why) => {
                self.skip(system, why);
                None
            }
        }
    }

    fn skip(&mut self, system: System, why: String) {
        if self
            .skipped
            .iter()
            .all(|it| (it.system, &it.why) != (system, &why))
        {
            eprintln!("rivals: SKIPPED: {}: {why}", system.title());
            self.skipped.push(Skipped { system, why });
        }
    }

    fn close(&mut self, worker: Worker) {
        let (system, path) = (worker.system, worker.path.clone());
        if let Err(why) = worker.close() {
            self.skip(system, why);
        }
        scratch::remove(&path);
    }

    /// Rounds of all systems in turn, each time begun with another, so that none has always the same neighbour.
    fn cell(
        &mut self,
        workers: Vec<Worker>,
        payload: usize,
        callers: usize,
    ) -> Result<Vec<Worker>, String> {
        let mut workers = self.not_too_large(workers, payload);
        let first = self.cells.len();
        self.cells.extend(workers.iter().map(|worker| Cell {
            system: worker.system,
            payload,
            callers,
            rounds: Vec::new(),
        }));
        let wanted = Wanted {
            callers,
            millis: self.plan.millis,
            warm_millis: self.plan.millis / 10,
            bytes_max: self.plan.mib << 20,
        };
        for round in 0..self.plan.rounds {
            if !workers.is_empty() {
                let places = workers.len();
                workers.rotate_left(usize::from(round > 0) * 3 % places);
            }
            self.syncs
                .extend(syncs(&self.scratch.path().join("syncs"))?);
            let mut gone = Vec::new();
            for worker in &mut workers {
                scratch::check()?;
                let free = machine::free_bytes(self.scratch.path());
                if free < FREE_BYTES_MIN {
                    return Err(format!("only {} MiB are free on the disk", free >> 20));
                }
                match worker.round(&wanted) {
                    Ok(measured) => {
                        let cells = self.cells.iter_mut().skip(first);
                        let mut cells = cells.filter(|cell| cell.system == worker.system);
                        cells
                            .next()
                            .into_iter()
                            .for_each(|cell| cell.rounds.push(measured.clone()));
                    }
                    Err(why) => gone.push((worker.system, why)),
                }
            }
            scratch::check()?;
            workers.retain(|worker| gone.iter().all(|(system, _)| *system != worker.system));
            for (system, why) in gone {
                self.skip(system, why);
            }
        }
        self.cells.retain(|cell| !cell.rounds.is_empty());
        workers.sort_by_key(|worker| worker.system);
        Ok(workers)
    }

    fn not_too_large(&mut self, workers: Vec<Worker>, payload: usize) -> Vec<Worker> {
        let mut kept = Vec::new();
        for worker in workers {
            if usage::disk_bytes(&worker.path) <= STORE_BYTES_MAX {
                kept.push(worker);
                continue;
            }
            let system = worker.system;
            self.close(worker);
            kept.extend(self.start(system, payload));
        }
        kept
    }
}

fn syncs(path: &PathBuf) -> Result<Vec<u64>, String> {
    let measure = || {
        let (file, block, mut all) = (File::create(path)?, [1_u8; SYNC_BLOCK], Vec::new());
        file.write_all_at(&block, 0)?;
        file.sync_all()?;
        let started = Instant::now();
        while started.elapsed() < SYNC_TIME {
            let one = Instant::now();
            file.write_all_at(&block, 0)?;
            file.sync_data()?;
            all.push(one.elapsed().as_nanos() as u64);
        }
        Ok(all)
    };
    measure().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))
}
