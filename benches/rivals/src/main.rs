// SPDX-License-Identifier: Apache-2.0
//! The ledger beside a bare file, SQLite, redb and PostgreSQL: rates, tails, processor time, bytes, memory.
//!
//! Each system runs in a process of its own, so that what it uses is its own. Rounds of all systems take turns within
//! one run, so that all meet the same machine; medians over the rounds are reported, with their spread. A round of the
//! ledger ends when all views are at the head: *acknowledged* is the rate until the last answer, *sustained* the rate
//! until then.
//!
//! `cargo run --release --manifest-path benches/rivals/Cargo.toml -- --help`

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod history;
mod machine;
mod memory;
#[path = "../../support/meter.rs"]
mod meter;
mod payload;
mod quick;
mod report;
mod rival;
mod round;
mod scratch;
mod show;
mod soak;
mod stations;
mod stats;
mod table;
mod usage;
mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

use rival::System;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The ledger beside its rivals.
#[derive(Parser)]
struct Arguments {
    /// Where stores are made: on the disk that is measured. Default: the build's target directory.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
    /// Where figures are written as JSON, and where the report finds them.
    #[arg(long, global = true)]
    results: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Rates and tails of all systems, interleaved.
    Table(table::Plan),
    /// Minutes of load, second by second: closed (`--callers`) or open (`--share 0.8`, `--rate`).
    Soak(soak::Plan),
    /// A long history: openings after a close and after kill -9, a search without a hit, views made again.
    History(history::Plan),
    /// Peak of memory after a tenth of many executions and after all of them.
    Memory(memory::Plan),
    /// The work of each thread for a command, of which the report's model is made.
    Stations(stations::Plan),
    /// docs/PERFORMANCE.md with its charts, from the figures that were kept.
    Report(report::Plan),
    /// Every verb in its short form; keeps nothing.
    Quick,
    #[command(hide = true)]
    Fill {
        #[arg(long)]
        path: PathBuf,
        #[arg(long)]
        records: u64,
    },
    #[command(hide = true)]
    Load {
        #[arg(long)]
        path: PathBuf,
    },
    #[command(hide = true)]
    Probe {
        #[arg(long)]
        path: PathBuf,
        #[arg(long, default_value_t = 0)]
        queries: usize,
    },
    #[command(hide = true)]
    Worker {
        #[arg(long)]
        system: System,
        #[arg(long)]
        payload: usize,
        #[arg(long)]
        path: PathBuf,
    },
}

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Keeps figures as JSON.
fn keep<T: Serialize>(results: &Path, name: &str, figures: &T) -> Result<(), String> {
    let path = results.join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(figures).map_err(|error| error.to_string())?;
    let kept = std::fs::create_dir_all(results).and_then(|()| std::fs::write(&path, text + "\n"));
    kept.map_err(|error| format!("{}: {error}", path.display()))?;
    println!("\n{}", path.display());
    Ok(())
}

/// Carries out a verb that a parent starts; `None` for a person's.
fn child(verb: &Verb) -> Option<Result<(), String>> {
    match verb {
        Verb::Worker {
            system,
            payload,
            path,
        } => Some(worker::serve(*system, path, *payload)),
        Verb::Fill { path, records } => Some(history::fill(path, *records)),
        Verb::Load { path } => Some(history::load(path)),
        Verb::Probe { path, queries } => Some(history::probe(path, *queries)),
        _ => None,
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    if let Some(done) = child(&arguments.verb) {
        return done;
    }
    scratch::watch_signals().map_err(|error| error.to_string())?;
    let data = arguments
        .data
        .clone()
        .unwrap_or_else(|| here("target/data"));
    let results = arguments
        .results
        .clone()
        .unwrap_or_else(|| here("../../docs/performance"));
    match &arguments.verb {
        Verb::Table(plan) => keep(&results, &plan.file(), &table::run(plan, &data)?),
        Verb::Soak(plan) => keep(&results, &plan.name(), &soak::run(plan, &data)?),
        Verb::History(plan) => keep(&results, "history", &history::run(plan, &data)?),
        Verb::Memory(plan) => keep(&results, "memory", &memory::run(plan, &data)?),
        Verb::Stations(plan) => keep(&results, "stations", &stations::run(plan, &data)?),
        Verb::Quick => quick::run(&data),
        Verb::Report(plan) => {
            let page = plan
                .page
                .clone()
                .unwrap_or_else(|| here("../../docs/PERFORMANCE.md"));
            report::write(plan, &results, &page)
        }
        _ => Ok(()),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("rivals: {why}");
            if scratch::check().is_err() {
                return ExitCode::from(130);
            }
            ExitCode::FAILURE
        }
    }
}
