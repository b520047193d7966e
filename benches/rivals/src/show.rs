// SPDX-License-Identifier: Apache-2.0
//! Figures as a person reads them, and the table on stdout.

use crate::rival::System;
use crate::round::Round;
use crate::table::Cell;

/// A duration in the unit that reads best.
pub(crate) fn duration(nanos: f64) -> String {
    match nanos {
        n if !n.is_finite() => "–".to_owned(),
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.0} µs", n / 1e3),
        n if n < 1e9 => format!("{:.1} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

/// With thousands kept apart.
pub(crate) fn count(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 {
        format!("-{text}")
    } else {
        text
    }
}

pub(crate) fn ratio(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.2}")
    } else {
        "–".to_owned()
    }
}

pub(crate) fn bytes(value: f64) -> String {
    match value {
        v if !v.is_finite() => "–".to_owned(),
        v if v < 1e4 => format!("{v:.0} B"),
        v if v < 1e7 => format!("{:.1} KB", v / 1e3),
        v if v < 1e10 => format!("{:.1} MB", v / 1e6),
        v => format!("{:.1} GB", v / 1e9),
    }
}

pub(crate) const HEAD: [&str; 13] = [
    "",
    "acked/s",
    "sustained/s",
    "spread",
    "p50",
    "p99",
    "p99.9",
    "max",
    "CPU µs",
    "written",
    "device",
    "peak MiB",
    "lag",
];

/// One row of a table, in the order of [`HEAD`].
pub(crate) fn row(cell: &Cell) -> [String; 13] {
    let lag = cell.rounds.iter().map(|it| it.lag_max).max().unwrap_or(0);
    [
        cell.system.title().to_owned(),
        count(cell.of(Round::acknowledged)),
        count(cell.of(Round::sustained)),
        format!("{:.0} %", cell.spread() * 100.0),
        duration(cell.of(|it| it.p50_ns as f64)),
        duration(cell.of(|it| it.p99_ns as f64)),
        duration(cell.of(|it| it.p999_ns as f64)),
        duration(cell.max_ns() as f64),
        format!("{:.1}", cell.of(Round::processor_us)),
        bytes(cell.of(Round::written)),
        bytes(cell.of(Round::to_device)),
        count(cell.of(|it| it.peak_kib as f64 / 1024.0)),
        if cell.system.is_ledger() {
            count(lag as f64)
        } else {
            String::new()
        },
    ]
}

/// What has been measured with so many callers and bytes.
pub(crate) fn cell(cells: &[Cell], payload: usize, callers: usize) {
    let cells: Vec<_> = cells
        .iter()
        .filter(|it| (it.payload, it.callers) == (payload, callers))
        .collect();
    let rounds = cells.iter().map(|it| it.rounds.len()).max().unwrap_or(0);
    println!(
        "\n{} callers, {} bytes, medians of {rounds} rounds",
        count(callers as f64),
        count(payload as f64)
    );
    line(&HEAD.map(str::to_owned));
    for cell in cells {
        line(&row(cell));
        let refused = cell.refused();
        if refused > 0 {
            println!(
                "    refused: {refused}: {:?}",
                cell.rounds
                    .iter()
                    .flat_map(|it| &it.refused)
                    .collect::<Vec<_>>()
            );
        }
    }
}

fn line(row: &[String; 13]) {
    let [first, rest @ ..] = row;
    print!("{first:<22}");
    for field in rest {
        print!(" {field:>10}");
    }
    println!();
}

/// Why systems are absent.
pub(crate) fn skipped(system: System, why: &str) -> String {
    format!("{} was not measured: {why}", system.title())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(count(1_234_567.4), "1,234,567");
        assert_eq!(count(999.0), "999");
        assert_eq!(count(-1_000.0), "-1,000");
        assert_eq!(count(f64::NAN), "–");
        assert_eq!(duration(1_500.0), "2 µs");
        assert_eq!(duration(2.5e6), "2.5 ms");
        assert_eq!(bytes(3_500.0), "3500 B");
        assert_eq!(bytes(2.3e9), "2300.0 MB");
        assert_eq!(ratio(f64::INFINITY), "–");
    }
}
