// SPDX-License-Identifier: Apache-2.0
//! Every verb in its short form, one after the other, and a report of it all: that the suite works, not how fast
//! anything is. Nothing of it is kept.

use std::path::Path;

use crate::scratch::Scratch;
use crate::{history, keep, memory, report, soak, stations, table};

pub(crate) fn run(data: &Path) -> Result<(), String> {
    let scratch = Scratch::new(data).map_err(|error| error.to_string())?;
    let results = scratch.fresh("results")?;
    let plan = table::Plan {
        name: None,
        systems: Vec::new(),
        callers: vec![1, 64],
        payloads: vec![312],
        rounds: 2,
        millis: 150,
        mib: 64,
    };
    let table = table::run(&plan, data)?;
    if let Some(skipped) = table.skipped.iter().find(|it| !it.system.is_postgres()) {
        return Err(format!("{}: {}", skipped.system.title(), skipped.why));
    }
    keep(&results, "table", &table)?;
    for share in [None, Some(0.8)] {
        let plan = soak::Plan {
            seconds: 3,
            callers: 64,
            share,
            capacity_seconds: 1,
            ..soak::Plan::default()
        };
        keep(&results, &plan.name(), &soak::run(&plan, data)?)?;
    }
    let plan = history::Plan {
        records: 20_000,
        times: 1,
        load_seconds: 1,
        store: None,
        drop_caches: false,
        parts: Vec::new(),
    };
    keep(&results, "history", &history::run(&plan, data)?)?;
    let plan = memory::Plan {
        executions: 3_000,
        callers: 64,
        payload: 312,
    };
    keep(&results, "memory", &memory::run(&plan, data)?)?;
    let plan = stations::Plan {
        callers: vec![64],
        millis: 300,
        payload: 312,
    };
    keep(&results, "stations", &stations::run(&plan, data)?)?;
    report::write(
        &report::Plan::default(),
        &results,
        &scratch.path().join("PERFORMANCE.md"),
    )
}
