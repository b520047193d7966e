// SPDX-License-Identifier: Apache-2.0
//! The cost of a long history: openings after a close and after a kill, views made again, a search without a hit.

mod children;
mod cold;

pub(crate) use children::{Filled, Opened, Queried, fill, load, probe};

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::scratch::Scratch;
use crate::worker::{Lines, this_program};
use crate::{scratch, show};

/// A fill or a rebuild of 10⁷ records on a slow machine.
const CHILD_MAX: Duration = Duration::from_secs(3 * 60 * 60);
/// Directories of the ledger's that hold nothing but what replay makes.
const VIEWS: [&str; 1] = ["views"];
/// In them: which start of the machine wrote them. Without it an opening believes nothing that was not synced.
const BOOT_MARKS: [&str; 1] = ["views/BOOT"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    Open,
    Query,
    Rebuild,
}

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Records of the history.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) records: u64,
    /// Openings of each case.
    #[arg(long, default_value_t = 3)]
    pub(crate) times: usize,
    /// Seconds of load before a kill.
    #[arg(long, default_value_t = 5)]
    pub(crate) load_seconds: u64,
    /// A directory that is filled where it is not yet, and kept.
    #[arg(long)]
    pub(crate) store: Option<PathBuf>,
    /// Also drops all that the machine caches (`/proc/sys/vm/drop_caches`), not this ledger's files alone.
    #[arg(long)]
    pub(crate) drop_caches: bool,
    /// Parts; all where none is given.
    #[arg(long, value_delimiter = ',')]
    pub(crate) parts: Vec<Part>,
}

impl Plan {
    fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

/// Openings of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) runs: Vec<Opened>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct History {
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    pub(crate) fills: Vec<Filled>,
    pub(crate) cases: Vec<Case>,
    pub(crate) queries: Vec<Queried>,
}

struct Run<'a> {
    plan: &'a Plan,
    store: PathBuf,
    history: History,
}

pub(crate) fn run(plan: &Plan, data: &Path) -> Result<History, String> {
    let scratch = Scratch::new(data).map_err(|error| error.to_string())?;
    let store = match &plan.store {
        Some(store) => store.clone(),
        None => scratch.fresh("store")?,
    };
    std::fs::create_dir_all(&store).map_err(|error| error.to_string())?;
    let history = History {
        machine: Machine::here(&store),
        plan: plan.clone(),
        fills: Vec::new(),
        cases: Vec::new(),
        queries: Vec::new(),
    };
    let mut run = Run {
        plan,
        store,
        history,
    };
    if plan.has(Part::Query) {
        // An eighth of the history first: whether a search grows with it.
        run.fill(plan.records / 8)?;
        run.query()?;
    }
    run.fill(plan.records)?;
    if plan.has(Part::Query) {
        run.query()?;
    }
    if plan.has(Part::Open) {
        run.openings()?;
    }
    if plan.has(Part::Rebuild) {
        run.case("views deleted", |run| {
            VIEWS
                .iter()
                .for_each(|name| scratch::remove(&run.ledger().join(name)));
            Ok(())
        })?;
    }
    Ok(run.history)
}

impl Run<'_> {
    fn ledger(&self) -> PathBuf {
        self.store.join("ledger")
    }

    /// A child's one answer.
    fn child<T: DeserializeOwned>(&self, verb: &str, arguments: &[&str]) -> Result<T, String> {
        let mut command = this_program()?;
        command
            .arg(verb)
            .arg("--path")
            .arg(self.ledger())
            .args(arguments);
        let line = Lines::spawn(&mut command)?.next(CHILD_MAX)?;
        let answer: Result<T, String> =
            serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
        answer
    }

    fn fill(&mut self, records: u64) -> Result<(), String> {
        let filled: Filled = self.child("fill", &["--records", &records.to_string()])?;
        println!(
            "filled to {} records: {} records/s, closed in {:.2} s, {} on the disk",
            show::count(filled.records as f64),
            show::count(filled.added as f64 / filled.seconds),
            filled.close_seconds,
            show::bytes(filled.disk_bytes as f64),
        );
        self.history.fills.push(filled);
        Ok(())
    }

    fn query(&mut self) -> Result<(), String> {
        cold::drop_pages(&self.store, self.plan.drop_caches);
        let opened: Opened = self.child("probe", &["--queries", "21"])?;
        let queried = opened.queried.ok_or("the probe has searched nothing")?;
        println!(
            "two terms without a common hit, {} records: first {}, then median {}",
            show::count(queried.records as f64),
            show::duration(queried.first_ns as f64),
            show::duration(queried.median_ns as f64),
        );
        self.history.queries.push(queried);
        Ok(())
    }

    fn openings(&mut self) -> Result<(), String> {
        self.case("after a clean close, cold", |run| {
            cold::drop_pages(&run.store, run.plan.drop_caches);
            Ok(())
        })?;
        self.case("after a clean close, warm", |_| Ok(()))?;
        self.case("after kill -9 under load, cold", |run| {
            run.kill_under_load()?;
            cold::drop_pages(&run.store, run.plan.drop_caches);
            Ok(())
        })?;
        self.case("after kill -9 under load, warm", Run::kill_under_load)?;
        self.case(
            "after kill -9 under load, unsynced views not believed, cold",
            |run| {
                run.kill_under_load()?;
                for mark in BOOT_MARKS {
                    let _absent = std::fs::remove_file(run.ledger().join(mark));
                }
                cold::drop_pages(&run.store, run.plan.drop_caches);
                Ok(())
            },
        )
    }

    fn case(
        &mut self,
        name: &str,
        prepare: impl Fn(&Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut runs = Vec::new();
        for _ in 0..self.plan.times {
            prepare(self)?;
            let opened: Opened = self.child("probe", &[])?;
            println!(
                "{name}: {} records, serving after {:.3} s, first command after {:.3} s, views at the head after {:.3} s, \
                 peak {} MiB",
                show::count(opened.records as f64),
                opened.open_seconds,
                opened.command_seconds,
                opened.views_seconds,
                opened.peak_kib >> 10
            );
            runs.push(opened);
        }
        let name = name.to_owned();
        self.history.cases.push(Case { name, runs });
        Ok(())
    }

    fn kill_under_load(&self) -> Result<(), String> {
        let mut command = this_program()?;
        command.arg("load").arg("--path").arg(self.ledger());
        let lines = Lines::spawn(&mut command)?;
        lines.next(CHILD_MAX)?;
        let until = std::time::Instant::now() + Duration::from_secs(self.plan.load_seconds);
        while std::time::Instant::now() < until {
            scratch::check()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        lines.kill();
        Ok(())
    }
}
