// SPDX-License-Identifier: Apache-2.0
//! Which curves there are.

use std::path::Path;

use super::Results;
use super::charts::{Axes, Curve, draw as chart};
use crate::rival::System;
use crate::round::Round;
use crate::soak::{Second, Soak};
use crate::table::{Cell, Table};

/// File name, what it shows, how.
type Measure = (&'static str, &'static str, fn(&Cell) -> f64);

/// Charts that were drawn: file name and what it shows.
pub(super) struct Drawn(pub(super) Vec<(String, String)>);

impl Drawn {
    /// Those whose names begin so.
    pub(super) fn of(&self, prefix: &str) -> impl Iterator<Item = &(String, String)> {
        self.0
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix))
    }
}

pub(super) fn draw(results: &Results, to: &Path) -> Result<Drawn, String> {
    let mut drawn = Drawn(Vec::new());
    for table in &results.tables {
        for payload in &table.plan.payloads {
            of_cells(table, *payload, to, &mut drawn)?;
        }
    }
    for soak in &results.soaks {
        of_soak(soak, to, &mut drawn)?;
    }
    if let Some(memory) = &results.memory {
        let points = |of: fn(&crate::memory::Mark) -> f64| {
            memory
                .series
                .iter()
                .map(move |it| (it.executions as f64, of(it)))
        };
        let curves = [
            curve("peak MiB", points(|it| it.peak_kib as f64 / 1024.0)),
            curve("resident MiB", points(|it| it.resident_kib as f64 / 1024.0)),
            curve("descriptors", points(|it| it.descriptors as f64)),
        ];
        drawn.add(
            to,
            "memory",
            "memory and descriptors over executions",
            "executions",
            "",
            false,
            &curves,
        )?;
    }
    Ok(drawn)
}

fn curve(name: &str, points: impl Iterator<Item = (f64, f64)>) -> Curve {
    Curve {
        name: name.to_owned(),
        points: points.collect(),
    }
}

impl Drawn {
    #[allow(clippy::too_many_arguments, reason = "what a chart says, each once")]
    fn add(
        &mut self,
        to: &Path,
        name: &str,
        title: &str,
        x: &str,
        y: &str,
        logarithmic: bool,
        curves: &[Curve],
    ) -> Result<(), String> {
        if curves.iter().all(|curve| curve.points.is_empty()) {
            return Ok(());
        }
        let file = format!("{name}.svg");
        let axes = Axes {
            title,
            x,
            y,
            logarithmic,
        };
        chart(&to.join(&file), &axes, curves)?;
        self.0.push((file, title.to_owned()));
        Ok(())
    }
}

fn of_cells(table: &Table, payload: usize, to: &Path, drawn: &mut Drawn) -> Result<(), String> {
    let measures: [Measure; 3] = [
        ("rates", "sustained commands a second", |cell| {
            cell.of(Round::sustained)
        }),
        ("p99", "p99, ms", |cell| {
            cell.of(|it| it.p99_ns as f64 / 1e6)
        }),
        ("processor", "µs of processor a command", |cell| {
            cell.of(Round::processor_us)
        }),
    ];
    for (name, what, of) in measures {
        let curves: Vec<_> = System::ALL
            .into_iter()
            .map(|system| {
                let mut cells: Vec<_> = table
                    .cells
                    .iter()
                    .filter(|it| (it.system, it.payload) == (system, payload))
                    .collect();
                cells.sort_by_key(|cell| cell.callers);
                curve(
                    system.title(),
                    cells
                        .into_iter()
                        .map(|cell| (cell.callers as f64, of(cell))),
                )
            })
            .filter(|curve| !curve.points.is_empty())
            .collect();
        let title = format!("{what}, {payload} bytes");
        drawn.add(
            to,
            &format!("{}-{name}-{payload}", table.plan.file()),
            &title,
            "callers",
            what,
            true,
            &curves,
        )?;
    }
    Ok(())
}

fn of_soak(soak: &Soak, to: &Path, drawn: &mut Drawn) -> Result<(), String> {
    let name = soak.plan.name();
    let over = |of: fn(&Second) -> f64| {
        soak.seconds
            .iter()
            .enumerate()
            .map(move |(second, it)| (second as f64 + 1.0, of(it)))
    };
    let title = |what: &str| format!("{what}, {}", super::sections::soak_title(soak));
    let rates = [curve("acknowledged", over(|it| it.acknowledged as f64))];
    drawn.add(
        to,
        &format!("{name}-rate"),
        &title("commands a second"),
        "second",
        "a second",
        false,
        &rates,
    )?;
    let lag = [curve("lag", over(|it| it.lag as f64))];
    drawn.add(
        to,
        &format!("{name}-lag"),
        &title("records behind the head"),
        "second",
        "records",
        false,
        &lag,
    )?;
    let tails = [
        curve("p50", over(|it| it.p50_ns as f64 / 1e6)),
        curve("p99", over(|it| it.p99_ns as f64 / 1e6)),
        curve("max", over(|it| it.max_ns as f64 / 1e6)),
    ];
    drawn.add(
        to,
        &format!("{name}-tails"),
        &title("latency"),
        "second",
        "ms",
        false,
        &tails,
    )?;
    let memory = [
        curve("resident MiB", over(|it| it.resident_kib as f64 / 1024.0)),
        curve("descriptors", over(|it| it.descriptors as f64)),
    ];
    drawn.add(
        to,
        &format!("{name}-memory"),
        &title("memory and descriptors"),
        "second",
        "",
        false,
        &memory,
    )
}
