// SPDX-License-Identifier: Apache-2.0
//! Where a rival is ahead: each measure of each cell, computed, none left out.

use crate::rival::System;
use crate::round::Round;
use crate::show;
use crate::table::{Cell, Table};

/// What is compared, and whether more of it is better.
struct Measure {
    name: &'static str,
    more_is_better: bool,
    of: fn(&Cell) -> f64,
}

const MEASURES: [Measure; 7] = [
    Measure {
        name: "sustained rate",
        more_is_better: true,
        of: |cell| cell.of(Round::sustained),
    },
    Measure {
        name: "p50",
        more_is_better: false,
        of: |cell| cell.of(|it| it.p50_ns as f64),
    },
    Measure {
        name: "p99",
        more_is_better: false,
        of: |cell| cell.of(|it| it.p99_ns as f64),
    },
    Measure {
        name: "p99.9",
        more_is_better: false,
        of: |cell| cell.of(|it| it.p999_ns as f64),
    },
    Measure {
        name: "processor a command",
        more_is_better: false,
        of: |cell| cell.of(Round::processor_us),
    },
    Measure {
        name: "bytes written a command",
        more_is_better: false,
        of: |cell| cell.of(Round::written),
    },
    Measure {
        name: "peak memory",
        more_is_better: false,
        of: |cell| cell.of(|it| it.peak_kib as f64),
    },
];

/// Below this a rival counts as level.
const LEVEL: f64 = 1.02;

/// One rival in one measure: where it is ahead of the ledger's audit, and by how much.
#[derive(Debug, PartialEq)]
pub(super) struct Ahead {
    pub(super) system: System,
    pub(super) measure: &'static str,
    /// Callers, bytes, how many times better.
    pub(super) places: Vec<(usize, usize, f64)>,
}

impl Ahead {
    pub(super) fn words(&self) -> String {
        let place = |(callers, payload, factor): &(usize, usize, f64)| {
            format!(
                "{} × {} B: {}×",
                show::count(*callers as f64),
                show::count(*payload as f64),
                show::ratio(*factor)
            )
        };
        self.places.iter().map(place).collect::<Vec<_>>().join(", ")
    }
}

pub(super) fn ahead(tables: &[Table]) -> Vec<Ahead> {
    let rivals = System::ALL.into_iter().filter(|system| !system.is_ledger());
    let each = rivals.flat_map(|system| MEASURES.iter().map(move |measure| (system, measure)));
    let found = each.map(|(system, measure)| Ahead {
        system,
        measure: measure.name,
        places: tables
            .iter()
            .flat_map(|table| places(table, system, measure))
            .collect(),
    });
    found.filter(|ahead| !ahead.places.is_empty()).collect()
}

fn places(table: &Table, system: System, measure: &Measure) -> Vec<(usize, usize, f64)> {
    let cells = table.cells.iter().filter(|cell| cell.system == system);
    let better = cells.filter_map(|cell| {
        let ours = (measure.of)(table.cell(System::Audit, cell.payload, cell.callers)?);
        let theirs = (measure.of)(cell);
        let factor = if measure.more_is_better {
            theirs / ours
        } else {
            ours / theirs
        };
        (factor.is_finite() && factor > LEVEL).then_some((cell.callers, cell.payload, factor))
    });
    better.collect()
}
