// SPDX-License-Identifier: Apache-2.0
//! What the seconds of a soak come to.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::load::Told;
use super::{Second, Soak};
use crate::rival::Caller;
use crate::round::SLOW;
use crate::stats::{Histogram, drift, percentile};
use crate::{show, usage};

/// Drift compares so much of its beginning and its end.
const WINDOW_SECONDS: usize = 60;

/// What all seconds come to.
#[derive(Default)]
pub(super) struct Sums {
    histogram: Histogram,
    refused: BTreeMap<String, u64>,
    pub(super) seconds: Vec<Second>,
}

impl Sums {
    pub(super) fn add(&mut self, told: &Told, caller: &Caller) {
        let (latencies, refused) = told.take();
        latencies
            .iter()
            .for_each(|latency| self.histogram.add(*latency));
        let fast = latencies.partition_point(|it| u128::from(*it) <= SLOW.as_nanos());
        self.seconds.push(Second {
            acknowledged: latencies.len() as u64,
            refused: refused.values().sum(),
            slow: (latencies.len() - fast) as u64,
            p50_ns: percentile(&latencies, 0.5),
            p99_ns: percentile(&latencies, 0.99),
            max_ns: percentile(&latencies, 1.0),
            lag: caller.lag(),
            outstanding: told.outstanding.load(Ordering::Relaxed),
            resident_kib: usage::resident_kib(),
            descriptors: usage::descriptors(),
        });
        for (code, count) in refused {
            *self.refused.entry(code).or_insert(0) += count;
        }
    }

    pub(super) fn total(&self, what: impl Fn(&Second) -> u64) -> u64 {
        self.seconds.iter().map(what).sum()
    }

    pub(super) fn say(&self) {
        let every = (self.seconds.len() < 10) || self.seconds.len().is_multiple_of(10);
        if let Some(last) = self.seconds.last().filter(|_| every) {
            println!(
                "{:>5} s {:>10}/s  lag {:>9}  p50 {:>9}  p99 {:>9}  max {:>9}  {:>6} MiB  {:>4} fds  refused {}",
                self.seconds.len(),
                show::count(last.acknowledged as f64),
                show::count(last.lag as f64),
                show::duration(last.p50_ns as f64),
                show::duration(last.p99_ns as f64),
                show::duration(last.max_ns as f64),
                last.resident_kib >> 10,
                last.descriptors,
                last.refused,
            );
        }
    }

    /// Fills in what the seconds say; the load lasted `took`.
    pub(super) fn into_soak(self, soak: Soak, took: Duration, processor: Duration) -> Soak {
        let commands = self.total(|it| it.acknowledged);
        let seconds = self.seconds.iter();
        let rates: Vec<f64> = seconds.clone().map(|it| it.acknowledged as f64).collect();
        Soak {
            commands,
            refused: self.refused.clone(),
            slow: self.total(|it| it.slow),
            acknowledged: commands as f64 / took.as_secs_f64(),
            sustained: commands as f64 / (took.as_secs_f64() + soak.caught_up_seconds),
            drift: drift(&rates, WINDOW_SECONDS),
            p50_ns: self.histogram.percentile(0.5),
            p99_ns: self.histogram.percentile(0.99),
            p999_ns: self.histogram.percentile(0.999),
            max_ns: self.histogram.max(),
            lag_max: seconds.clone().map(|it| it.lag).max().unwrap_or(0),
            processor_us: processor.as_secs_f64() * 1e6 / commands.max(1) as f64,
            descriptors_max: seconds.map(|it| it.descriptors).max().unwrap_or(0),
            seconds: self.seconds,
            ..soak
        }
    }
}
