// SPDX-License-Identifier: Apache-2.0
//! The page, section by section.

use std::fmt::Write;

mod beyond;
mod histories;
mod machine;
mod soaks;

use super::curves::Drawn;
use super::model::Shares;
use super::{Results, ahead, aims};
use crate::rival::System;
use crate::show;
use crate::table::Table;
use beyond::write_model;
use histories::write_histories;
use machine::{METHOD, write_machine};
pub(super) use soaks::soak_title;
use soaks::write_soaks;

const HEAD: &str = "# Performance\n\n\
    The suite `benches/rivals` makes this page of figures that it measured (`scripts/rivals.sh report`). Do not edit it. \
    The figures are in `docs/performance/*.json`.\n\n";

pub(super) fn page(
    results: &Results,
    shares: Shares,
    nvme_sync_us: f64,
    drawn: &Drawn,
    beside: &str,
) -> String {
    let mut text = HEAD.to_owned();
    write_aims(&mut text, results);
    write_machine(&mut text, results);
    let _ = write!(text, "## Method\n\n{METHOD}");
    write_tables(&mut text, &results.tables, drawn, beside);
    write_ahead(&mut text, &results.tables);
    write_soaks(&mut text, &results.soaks, drawn, beside);
    write_histories(&mut text, &results.histories);
    write_memory(&mut text, results, drawn, beside);
    write_model(&mut text, results.stations.as_ref(), shares, nvme_sync_us);
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// A row of a table.
fn row(text: &mut String, fields: &[String]) {
    let _ = writeln!(text, "| {} |", fields.join(" | "));
}

fn head(text: &mut String, fields: &[&str]) {
    row(
        text,
        &fields.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>(),
    );
    let _ = writeln!(text, "|{}", "---|".repeat(fields.len()));
}

fn charts(text: &mut String, drawn: &Drawn, prefix: &str, beside: &str) {
    for (file, title) in drawn.of(prefix) {
        let _ = writeln!(text, "\n![{title}]({beside}/{file})");
    }
    text.push('\n');
}

fn write_aims(text: &mut String, results: &Results) {
    text.push_str("## Aims\n\n");
    head(text, &["", "aim", "measured", "met"]);
    for aim in aims::all(results) {
        let met = match aim.met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        row(
            text,
            &[
                aim.what.to_owned(),
                aim.aim.to_owned(),
                aim.measured,
                met.to_owned(),
            ],
        );
    }
    text.push('\n');
}

fn write_tables(text: &mut String, tables: &[Table], drawn: &Drawn, beside: &str) {
    text.push_str("## Rates and tails\n\n");
    if tables.is_empty() {
        text.push_str("Rates were not measured.\n\n");
    }
    for table in tables {
        let plan = &table.plan;
        let name = plan.name.as_ref().map(|name| format!("Run *{name}*: "));
        let _ = writeln!(
            text,
            "{}{} rounds of {} ms each; the run took {:.0} s.\n",
            name.unwrap_or_default(),
            plan.rounds,
            plan.millis,
            table.seconds
        );
        for skipped in &table.skipped {
            let _ = writeln!(text, "* {}", show::skipped(skipped.system, &skipped.why));
        }
        for payload in &plan.payloads {
            write_payload(text, table, *payload, drawn, beside);
        }
    }
}

fn write_payload(text: &mut String, table: &Table, payload: usize, drawn: &Drawn, beside: &str) {
    let _ = writeln!(text, "### {} bytes", show::count(payload as f64));
    let (prefix, suffix) = (format!("{}-", table.plan.file()), format!("-{payload}.svg"));
    let inner = |file: &str| {
        file.strip_prefix(&prefix)?
            .strip_suffix(&suffix)
            .map(|it| !it.contains('-'))
    };
    for (file, title) in drawn.0.iter().filter(|(file, _)| inner(file) == Some(true)) {
        let _ = writeln!(text, "\n![{title}]({beside}/{file})");
    }
    for callers in &table.plan.callers {
        let cells = System::ALL
            .iter()
            .filter_map(|it| table.cell(*it, payload, *callers));
        let rows: Vec<_> = cells.map(show::row).collect();
        if !rows.is_empty() {
            let _ = writeln!(text, "\n{} callers:\n", show::count(*callers as f64));
            head(text, &show::HEAD);
            rows.iter().for_each(|fields| row(text, fields));
        }
    }
    text.push('\n');
}

fn write_ahead(text: &mut String, tables: &[Table]) {
    text.push_str("## Where a rival is ahead\n\n");
    if tables.is_empty() {
        return text.push_str("Rivals were not measured.\n\n");
    }
    text.push_str(
        "Of the ledger's audit, by more than 2 %, as computed from all cells (callers × bytes: how many times better). A bare \
         file is the limit and no rival; it is listed all the same.\n\n",
    );
    head(text, &["rival", "measure", "where"]);
    for ahead in ahead::ahead(tables) {
        let fields = [
            ahead.system.title().to_owned(),
            ahead.measure.to_owned(),
            ahead.words(),
        ];
        row(text, &fields);
    }
    text.push('\n');
}

fn write_memory(text: &mut String, results: &Results, drawn: &Drawn, beside: &str) {
    text.push_str("## Memory\n\n");
    let Some(memory) = &results.memory else {
        return text.push_str("Memory was not measured.\n\n");
    };
    head(
        text,
        &[
            "executions",
            "peak MiB",
            "resident MiB",
            "descriptors",
            "seconds",
        ],
    );
    for mark in [&memory.tenth, &memory.all] {
        let fields = [
            mark.executions as f64,
            (mark.peak_kib >> 10) as f64,
            (mark.resident_kib >> 10) as f64,
            mark.descriptors as f64,
            mark.seconds,
        ];
        row(text, &fields.map(show::count));
    }
    charts(text, drawn, "memory", beside);
}
