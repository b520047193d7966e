// SPDX-License-Identifier: Apache-2.0
//! A small queueing model: a closed network of one pool of processors and stations that each serve one command at a
//! time. Its laws are the operational ones: no station is busy for more than all of the time (utilisation law), so
//! throughput is at most one command per the longest demand on a single station, and at most the processors per the sum
//! of all demands. Nothing is fitted; what is assumed is named.

use crate::stations::Station;

/// Threads that are a pool, or the suite itself: their work is spread over processors. Any other is one station.
const POOLS: [&str; 3] = ["host", "fjall", "rivals"];
/// Records of a full frame.
const FRAME_RECORDS_MAX: f64 = 1_024.0;

/// What part of the host's threads' work belongs to one actor: a profile has to say, threads do not tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shares {
    pub(crate) sequencer: f64,
    pub(crate) store: f64,
}

/// A station that serves one at a time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Serial {
    pub(crate) name: String,
    /// Microseconds a command.
    pub(crate) demand: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    /// Microseconds of processor a command, all threads.
    pub(crate) total: f64,
    pub(crate) serial: Vec<Serial>,
    /// Measured rate ÷ what the laws allow on the measured machine's processors; at most 1.
    pub(crate) efficiency: f64,
}

/// What the model says of one machine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prediction {
    pub(crate) cores: usize,
    /// Commands a second that no law forbids.
    pub(crate) bound: f64,
    /// The same with today's efficiency.
    pub(crate) expected: f64,
    /// Which law forbids more.
    pub(crate) wall: String,
}

fn is_pool(name: &str) -> bool {
    POOLS.iter().any(|pool| name.starts_with(pool))
}

impl Model {
    /// From what was measured on a machine with so many processors; a sync takes `sync_us`.
    pub(crate) fn new(station: &Station, cores: usize, shares: Shares, sync_us: f64) -> Self {
        let demands = station.demands();
        let host = demands.iter().filter(|it| it.name == "host");
        let of_host = host.map(|it| it.all).sum::<f64>();
        let records = station.round.records as f64 / station.round.commands.max(1) as f64;
        let sync = sync_us * records / FRAME_RECORDS_MAX;
        let single = demands.iter().filter(|it| !is_pool(&it.name));
        let mut serial: Vec<_> = single
            .map(|it| {
                // The writer waits for the disk once a frame; at saturation frames are full.
                let waits = if it.name == "ledger-writer" {
                    sync
                } else {
                    0.0
                };
                Serial {
                    name: it.name.clone(),
                    demand: it.busiest + waits,
                }
            })
            .collect();
        for (name, share) in [
            ("sequencer", shares.sequencer),
            ("busiest store actor", shares.store),
        ] {
            let demand = of_host * share;
            serial.push(Serial {
                name: format!("{name} (assumed)"),
                demand,
            });
        }
        serial.sort_by(|a, b| b.demand.total_cmp(&a.demand));
        let total = station.round.processor_us();
        let mut model = Self {
            total,
            serial,
            efficiency: 1.0,
        };
        let allowed = model.at(cores).bound;
        model.efficiency = (station.round.sustained() / allowed).min(1.0);
        model
    }

    pub(crate) fn at(&self, cores: usize) -> Prediction {
        let processors = cores as f64 * 1e6 / self.total;
        let longest = self.serial.first();
        let single = longest.map_or(f64::INFINITY, |it| 1e6 / it.demand);
        let bound = processors.min(single);
        let wall = match longest {
            Some(longest) if single < processors => longest.name.clone(),
            _ => "processors".to_owned(),
        };
        Prediction {
            cores,
            bound,
            expected: bound * self.efficiency,
            wall,
        }
    }

    /// From so many processors on more of them bring nothing.
    pub(crate) fn wall_cores(&self) -> f64 {
        self.serial
            .first()
            .map_or(f64::INFINITY, |longest| self.total / longest.demand)
    }

    /// Share of its time that a station is busy at so many commands a second.
    pub(crate) fn utilisation(demand: f64, rate: f64) -> f64 {
        demand * rate / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rival::System;
    use crate::round::Round;

    fn station() -> Station {
        let threads = [
            ("host", 10_000_000),
            ("ledger-writer", 4_000_000),
            ("ledger-view", 6_000_000),
        ];
        Station {
            system: System::Cycle,
            callers: 1_000,
            round: Round {
                commands: 1_000,
                records: 3_000,
                sustained_seconds: 0.0125,
                processor_ns: 20_000_000,
                busiest_ns: [("ledger-view".to_owned(), 3_000_000)].into(),
                threads_ns: threads.map(|(name, ns)| (name.to_owned(), ns)).into(),
                ..Round::default()
            },
            frames: 3,
            frame_records: 3_000.0,
            commit_seconds: 0.01,
            sync_seconds: 0.001,
        }
    }

    #[test]
    fn the_laws_bound_what_the_model_says() {
        let shares = Shares {
            sequencer: 0.3,
            store: 0.4,
        };
        let model = Model::new(&station(), 2, shares, 1_024.0 / 3.0);
        // 20 µs a command on two processors: at most 100,000 a second, of which 80,000 were measured.
        let here = model.at(2);
        assert_eq!(
            (here.bound, here.expected, here.wall.as_str()),
            (100_000.0, 80_000.0, "processors")
        );
        // The writer works 4 µs for each and waits 1 µs for the disk; of the views no thread works longer than 3 µs.
        let there = model.at(16);
        assert_eq!(there.wall, "ledger-writer");
        assert!((there.bound - 200_000.0).abs() < 1.0);
        assert!((model.wall_cores() - 20.0 / 5.0).abs() < 1e-9);
        let writer = model
            .serial
            .iter()
            .find(|it| it.name == "ledger-writer")
            .unwrap();
        assert_eq!(writer.demand, 5.0);
        assert_eq!(Model::utilisation(6.0, 100_000.0), 0.6);
    }
}
