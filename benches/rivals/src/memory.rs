// SPDX-License-Identifier: Apache-2.0
//! Memory and descriptors over a history: after ten times the executions they should be what they were.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::payload::Payloads;
use crate::rival::{Caller, Store, System};
use crate::scratch::{self, Scratch};
use crate::{show, usage, worker};

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Executions, of which the first tenth is compared with all.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) executions: u64,
    #[arg(long, default_value_t = 256)]
    pub(crate) callers: usize,
    #[arg(long, default_value_t = 312)]
    pub(crate) payload: usize,
}

/// One moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) executions: u64,
    pub(crate) seconds: f64,
    /// Since the ledger was opened.
    pub(crate) peak_kib: u64,
    pub(crate) resident_kib: u64,
    pub(crate) descriptors: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    /// After a tenth, the views at the head.
    pub(crate) tenth: Mark,
    pub(crate) all: Mark,
    pub(crate) disk_bytes: u64,
    pub(crate) series: Vec<Mark>,
}

impl Memory {
    pub(crate) fn growth(&self) -> f64 {
        self.all.peak_kib as f64 / self.tenth.peak_kib as f64
    }
}

fn mark(executions: u64, started: Instant) -> Mark {
    Mark {
        executions,
        seconds: started.elapsed().as_secs_f64(),
        peak_kib: usage::peak_kib(),
        resident_kib: usage::resident_kib(),
        descriptors: usage::descriptors(),
    }
}

pub(crate) fn run(plan: &Plan, data: &Path) -> Result<Memory, String> {
    let scratch = Scratch::new(data).map_err(|error| error.to_string())?;
    let machine = Machine::here(scratch.path());
    let runtime = worker::runtime()?;
    let store = Store::open(System::Cycle, &scratch.fresh("store")?, &runtime)?;
    let (caller, payloads) = (store.caller()?, Arc::new(Payloads::new(plan.payload)));
    let (started, done) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut series = Vec::new();
    usage::forget_peak();
    let mut until = |executions: u64| {
        runtime.block_on(executed(
            plan,
            &caller,
            &payloads,
            &done,
            executions,
            started,
            &mut series,
        ))?;
        let mark = mark(executions, started);
        println!(
            "{} executions: peak {} MiB, now {} MiB, {} descriptors, {:.0} s",
            show::count(executions as f64),
            mark.peak_kib >> 10,
            mark.resident_kib >> 10,
            mark.descriptors,
            mark.seconds
        );
        Ok::<_, String>(mark)
    };
    let (tenth, all) = (until(plan.executions / 10)?, until(plan.executions)?);
    let disk_bytes = usage::disk_bytes(&store.path);
    drop(caller);
    store.close(&runtime)?;
    Ok(Memory {
        machine,
        plan: plan.clone(),
        tenth,
        all,
        disk_bytes,
        series,
    })
}

/// Until so many executions are done and the views are at the head; a mark each second.
async fn executed(
    plan: &Plan,
    caller: &Caller,
    payloads: &Arc<Payloads>,
    done: &Arc<AtomicU64>,
    executions: u64,
    started: Instant,
    series: &mut Vec<Mark>,
) -> Result<(), String> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..plan.callers {
        let (caller, payloads, done) = (caller.clone(), Arc::clone(payloads), Arc::clone(done));
        tasks.spawn(async move {
            loop {
                let number = done.fetch_add(1, Ordering::Relaxed);
                if number >= executions {
                    done.fetch_sub(1, Ordering::Relaxed);
                    return Ok(());
                }
                if let Some(code) = caller
                    .step(payloads.get(number), Instant::now())
                    .await
                    .refused
                {
                    return Err(format!("a command was refused: {code}"));
                }
            }
        });
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            ended = tasks.join_next() => match ended {
                None => return caller.catch_up().await,
                Some(ended) => ended.map_err(|error| error.to_string())??,
            },
            _ = tick.tick() => {
                scratch::check()?;
                series.push(mark(done.load(Ordering::Relaxed).min(executions), started));
            }
        }
    }
}
