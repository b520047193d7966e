// SPDX-License-Identifier: Apache-2.0
//! Medians over rounds, and their ratios to the better of the two raw files.

use std::time::Duration;

use crate::support::{median, percentile, shown};

/// One round.
pub(crate) struct Measured {
    pub(crate) answers: usize,
    per_second: f64,
    p50: f64,
    p99: f64,
    max: f64,
}

impl Measured {
    pub(crate) fn new(mut latencies: Vec<u64>, took: Duration) -> Self {
        latencies.sort_unstable();
        Self {
            answers: latencies.len(),
            per_second: latencies.len() as f64 / took.as_secs_f64(),
            p50: percentile(&latencies, 0.5),
            p99: percentile(&latencies, 0.99),
            max: percentile(&latencies, 1.0),
        }
    }
}

/// All rounds of one target.
#[derive(Default)]
pub(crate) struct Series {
    rounds: Vec<Measured>,
    pub(crate) answers: usize,
    /// Processor time of the rounds, the views' catching up included.
    pub(crate) processor: Duration,
    /// Records that the ledger wrote in them.
    pub(crate) records: u64,
    /// Frames, records in them, and seconds that their appends took.
    frames: (u64, f64, f64),
    /// Most records that a view was behind at the end of a round.
    pub(crate) lag: u64,
    /// How long the views took after the rounds, all together.
    pub(crate) caught_up: Duration,
}

impl Series {
    pub(crate) fn add(&mut self, measured: Measured) {
        self.rounds.push(measured);
    }

    pub(crate) fn add_frames(&mut self, records: f64, syncs: (u64, f64)) {
        self.frames.0 += syncs.0;
        self.frames.1 += records;
        self.frames.2 += syncs.1;
    }

    fn of(&self, what: impl Fn(&Measured) -> f64) -> f64 {
        median(self.rounds.iter().map(what))
    }

    fn per_second(&self) -> f64 {
        self.of(|round| round.per_second)
    }

    fn worst(&self) -> f64 {
        self.rounds
            .iter()
            .map(|round| round.max)
            .fold(0.0, f64::max)
    }
}

pub(crate) fn print(callers: usize, took: Duration, series: Vec<(&str, &Series)>) {
    let measured = |(_, series): &(&str, &Series)| !series.rounds.is_empty();
    let raw = series
        .iter()
        .filter(|named| named.0.starts_with("raw") && measured(named))
        .max_by(|a, b| a.1.per_second().total_cmp(&b.1.per_second()));
    // Alone: the first stands in for what is missing, and the ratios say nothing.
    let Some((_, raw)) = raw.or_else(|| series.iter().find(|named| measured(named))) else {
        return;
    };
    println!(
        "\n{callers} callers ({:.0} s), medians of {} rounds; ÷ is to the better raw file",
        took.as_secs_f64(),
        raw.rounds.len()
    );
    println!(
        "{:<18} {:>11} {:>7} {:>9} {:>7} {:>9} {:>7} {:>9} {:>8}  frames and views",
        "", "answers/s", "÷ raw", "p50", "÷ raw", "p99", "÷ raw", "max", "CPU"
    );
    for (name, series) in series.iter().filter(|named| measured(named)) {
        let (p50, p99) = (series.of(|r| r.p50), series.of(|r| r.p99));
        let views = views(series);
        println!(
            "{name:<18} {:>11.0} {:>7.2} {:>9} {:>7.2} {:>9} {:>7.2} {:>9} {:>8}  {views}",
            series.per_second(),
            series.per_second() / raw.per_second(),
            shown(p50),
            p50 / raw.of(|r| r.p50),
            shown(p99),
            p99 / raw.of(|r| r.p99),
            shown(series.worst()),
            shown(series.processor.as_nanos() as f64 / series.answers.max(1) as f64),
        );
    }
}

fn views(series: &Series) -> String {
    let (frames, records, seconds) = series.frames;
    // A bare file has none, but for the activity record that may fall into its time.
    if frames < 4 {
        return String::new();
    }
    format!(
        "{:.0} records a frame, {} a frame's append, views {} of {} records behind, {:.1} s to catch up",
        records / frames as f64,
        shown(seconds / frames as f64 * 1e9),
        series.lag,
        series.records,
        series.caught_up.as_secs_f64()
    )
}

pub(crate) fn print_disk(syncs: &Series) {
    println!(
        "\nthe disk: 4 KiB written over and synced: p50 {}, p99 {}, max {}",
        shown(syncs.of(|r| r.p50)),
        shown(syncs.of(|r| r.p99)),
        shown(syncs.worst())
    );
}
