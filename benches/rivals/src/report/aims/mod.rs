// SPDX-License-Identifier: Apache-2.0
//! The aims, each with what was measured and whether it was met.

mod openings;

use super::Results;
use crate::rival::System;
use crate::round::Round;
use crate::show;
use crate::soak::Soak;
use crate::table::{Cell, Table};
use openings::{openings, rebuilds};

const BYTES: usize = 312;
/// Threads that make views, and those of the engine below them.
const VIEWS: [&str; 4] = ["ledger-view", "ledger-merge", "ledger-seal", "fjall"];

pub(super) struct Aim {
    pub(super) what: &'static str,
    pub(super) aim: &'static str,
    pub(super) measured: String,
    /// `None` where it was not measured.
    pub(super) met: Option<bool>,
}

impl Aim {
    /// Met where the figure is at most, or at least, the bound.
    fn of(
        what: &'static str,
        aim: &'static str,
        value: Option<(f64, String)>,
        holds: impl Fn(f64) -> bool,
    ) -> Self {
        let value = value.filter(|(value, _)| value.is_finite());
        Self {
            what,
            aim,
            met: value.as_ref().map(|(value, _)| holds(*value)),
            measured: value.map_or_else(|| "not measured".to_owned(), |(_, text)| text),
        }
    }
}

fn with(value: f64, text: impl Fn(f64) -> String) -> (f64, String) {
    (value, text(value))
}

fn ratio(value: Option<f64>) -> Option<(f64, String)> {
    value.map(|value| with(value, show::ratio))
}

/// The first table in which something was measured: what is compared comes of one run.
fn first<'a, T>(tables: &'a [Table], of: impl Fn(&'a Table) -> Option<T>) -> Option<T> {
    tables.iter().find_map(of)
}

/// Audit's or a cycle's rate ÷ that of another system, with as many callers.
fn against(
    tables: &[Table],
    (ours, of): (System, fn(&Round) -> f64),
    theirs: System,
    callers: usize,
) -> Option<(f64, String)> {
    let value = first(tables, |table| {
        let ours = table.cell(ours, BYTES, callers)?.of(of);
        Some(ours / table.cell(theirs, BYTES, callers)?.of(Round::sustained))
    });
    ratio(value)
}

/// A measure of audit's ÷ that of the better file.
fn against_file(tables: &[Table], callers: usize, of: fn(&Round) -> f64) -> Option<(f64, String)> {
    let value = first(tables, |table| {
        let ours = table.cell(System::Audit, BYTES, callers)?.of(of);
        let files = [System::FileGrowing, System::FilePreallocated];
        let theirs = files
            .iter()
            .filter_map(|file| Some(table.cell(*file, BYTES, callers)?.of(of)));
        let better = theirs.fold(f64::INFINITY, f64::min);
        better.is_finite().then_some(ours / better)
    });
    ratio(value)
}

fn views_share(cell: &Cell) -> f64 {
    let is_views = |name: &str| VIEWS.iter().any(|prefix| name.starts_with(prefix));
    cell.of(|round| {
        let views = round
            .threads_ns
            .iter()
            .filter(|(name, _)| is_views(name))
            .map(|(_, ns)| *ns)
            .sum::<u64>();
        views as f64 / round.processor_ns as f64
    })
}

fn cycles(tables: &[Table]) -> Vec<Aim> {
    // The longest rounds say most about what is sustained.
    let mut longest: Vec<_> = tables.iter().collect();
    longest.sort_by_key(|table| std::cmp::Reverse(table.plan.millis));
    let long = longest
        .iter()
        .find_map(|table| Some((*table, table.cell(System::Cycle, BYTES, 1_000)?)));
    let rate = long.map(|(table, cell)| {
        let (acknowledged, sustained) = (
            cell.of(Round::acknowledged) / 2.0,
            cell.of(Round::sustained) / 2.0,
        );
        let text = format!(
            "{} acknowledged, {} sustained, rounds of {:.1} s",
            show::count(acknowledged),
            show::count(sustained),
            table.plan.millis as f64 / 1e3
        );
        (sustained, text)
    });
    let cycle = first(tables, |table| table.cell(System::Cycle, BYTES, 1_000));
    let audit = first(tables, |table| table.cell(System::Audit, BYTES, 1_000));
    let micros = |cell: Option<&Cell>| {
        cell.map(|it| with(it.of(Round::processor_us), |v| format!("{v:.1} µs")))
    };
    let share = cycle.map(|it| with(views_share(it), |v| format!("{:.0} %", v * 100.0)));
    let written = cycle.map(|it| {
        let device = show::bytes(it.of(Round::to_device) * 2.0);
        let text = |bytes| format!("{}, to the device {device}", show::bytes(bytes));
        with(it.of(Round::written) * 2.0, text)
    });
    let on_disk = cycle.map(|cell| {
        let bytes: i64 = cell.rounds.iter().map(|it| it.disk_bytes).sum();
        let commands: u64 = cell.rounds.iter().map(|it| it.commands).sum();
        with(bytes as f64 * 2.0 / commands as f64, show::bytes)
    });
    vec![
        Aim::of(
            "whole cycles a second, 1,000 callers",
            "≥ 30 k sustained (required: 20 k)",
            rate,
            |it| it >= 30e3,
        ),
        Aim::of(
            "processor time a command, cycle",
            "≤ 18 µs",
            micros(cycle),
            |it| it <= 18.0,
        ),
        Aim::of(
            "processor time a command, audit",
            "≤ 9 µs",
            micros(audit),
            |it| it <= 9.0,
        ),
        Aim::of(
            "of a cycle's, views and the engine's workers",
            "≤ 25 %",
            share,
            |it| it <= 0.25,
        ),
        Aim::of("bytes written a cycle", "≤ 3.5 KB", written, |it| {
            it <= 3_500.0
        }),
        Aim::of("bytes on the disk a cycle", "≤ 1.8 KB", on_disk, |it| {
            it <= 1_800.0
        }),
    ]
}

fn ratios(tables: &[Table]) -> Vec<Aim> {
    let audit =
        |theirs, callers| against(tables, (System::Audit, Round::sustained), theirs, callers);
    let file = System::FilePreallocated;
    let records = against(
        tables,
        (System::Cycle, Round::records_sustained),
        file,
        1_000,
    );
    let p50 = against_file(tables, 1, |it| it.p50_ns as f64);
    let p99 = against_file(tables, 1_000, |it| it.p99_ns as f64);
    let (sqlite, redb) = (System::SqliteIndexed, System::RedbIndexed);
    let postgres = audit(System::PostgresIndexed, 1_000);
    vec![
        Aim::of(
            "audit, 1,000 callers ÷ SQLite, 3 indexes",
            "≥ 3",
            audit(sqlite, 1_000),
            |it| it >= 3.0,
        ),
        Aim::of(
            "audit, 1,000 callers ÷ redb, 3 indexes",
            "≥ 4",
            audit(redb, 1_000),
            |it| it >= 4.0,
        ),
        Aim::of(
            "audit, 1,000 callers ÷ PostgreSQL, 3 indexes",
            "≥ 2.5",
            postgres,
            |it| it >= 2.5,
        ),
        Aim::of(
            "audit, 1,000 callers ÷ preallocated file",
            "≥ 0.25",
            audit(file, 1_000),
            |it| it >= 0.25,
        ),
        Aim::of(
            "records of cycles, 1,000 callers ÷ preallocated file",
            "≥ 0.35",
            records,
            |it| it >= 0.35,
        ),
        Aim::of(
            "audit, 64 callers ÷ preallocated file",
            "≥ 0.25",
            audit(file, 64),
            |it| it >= 0.25,
        ),
        Aim::of("one caller's p50 ÷ the better file", "≤ 1.5", p50, |it| {
            it <= 1.5
        }),
        Aim::of("p99 ÷ the better file, 1,000 callers", "≤ 5", p99, |it| {
            it <= 5.0
        }),
    ]
}

fn soak(soak: Option<&Soak>) -> Vec<Aim> {
    let drift = soak.map(|it| {
        let refused = it.refused.values().sum::<u64>();
        let sound = (it.drift - 1.0).abs() < 0.1 && refused == 0;
        let text = format!(
            "{:+.1} %, lag ≤ {} records, {refused} refused, {} s",
            (it.drift - 1.0) * 100.0,
            show::count(it.lag_max as f64),
            it.seconds.len()
        );
        (f64::from(u8::from(sound)), text)
    });
    let slow = soak.map(|it| {
        let text = format!(
            "{} of {}, max {}",
            it.slow,
            show::count(it.commands as f64),
            show::duration(it.max_ns as f64)
        );
        (it.slow as f64, text)
    });
    let descriptors = soak.map(|it| {
        (
            it.descriptors_max as f64,
            format!(
                "{} after {}",
                it.descriptors_max,
                show::bytes(it.disk_bytes as f64)
            ),
        )
    });
    vec![
        Aim::of(
            "drift over 10 minutes at 256 callers",
            "< 10 %, lag bounded, 0 refusals",
            drift,
            |it| it > 0.0,
        ),
        Aim::of("commands > 100 ms in it", "0", slow, |it| it == 0.0),
        Aim::of("open descriptors behind it", "≤ 128", descriptors, |it| {
            it <= 128.0
        }),
    ]
}

pub(super) fn all(results: &Results) -> Vec<Aim> {
    let mut aims = cycles(&results.tables);
    aims.extend(ratios(&results.tables));
    let closed = |soak: &&Soak| {
        soak.rate.is_none() && soak.plan.callers == 256 && soak.plan.system == System::Cycle
    };
    aims.extend(soak(results.soaks.iter().find(closed)));
    aims.extend(openings(results.histories.last()));
    aims.extend(rebuilds(results.histories.last()));
    let growth = results.memory.as_ref().map(|memory| {
        let text = format!(
            "{:+.1} % ({} → {} MiB), {} → {} executions",
            (memory.growth() - 1.0) * 100.0,
            memory.tenth.peak_kib >> 10,
            memory.all.peak_kib >> 10,
            show::count(memory.tenth.executions as f64),
            show::count(memory.all.executions as f64)
        );
        (memory.growth(), text)
    });
    aims.push(Aim::of(
        "peak memory after ten times the executions",
        "within 10 %",
        growth,
        |it| it <= 1.1,
    ));
    aims
}
