// SPDX-License-Identifier: Apache-2.0
//! How much a component may append: records and bytes a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::Quota;
use crate::clock::Clock;
use crate::locks::whole;

/// Two token buckets of one second's burst each, on the monotonic clock.
pub(crate) struct Bucket {
    clock: Arc<dyn Clock>,
    /// Lock: the component's commands, for arithmetic only.
    level: Mutex<Level>,
    /// Whether the quota limits anything: what need not be asked takes no lock.
    limits: AtomicBool,
}

struct Level {
    quota: Quota,
    /// Monotonic time at which this was left.
    at_ns: u64,
    /// In nano-units, as the bytes.
    records: u128,
    bytes: u128,
}

impl Level {
    /// What has flowed in since.
    fn refill(&mut self, now_ns: u64) {
        let passed = u128::from(now_ns.saturating_sub(self.at_ns));
        self.at_ns = now_ns;
        self.records = refill(self.records, passed, self.quota.records_per_second);
        self.bytes = refill(self.bytes, passed, self.quota.bytes_per_second);
    }
}

const SECOND_NS: u128 = 1_000_000_000;

impl Bucket {
    /// Full.
    pub(crate) fn new(quota: Quota, clock: Arc<dyn Clock>) -> Self {
        let level = Level {
            quota,
            at_ns: clock.monotonic_ns(),
            records: full(quota.records_per_second),
            bytes: full(quota.bytes_per_second),
        };
        Self {
            clock,
            level: Mutex::new(level),
            limits: AtomicBool::new(quota != Quota::default()),
        }
    }

    /// Other rates from here on. What was used up stays so: a component that is granted anew has no
    /// fresh burst.
    pub(crate) fn set(&self, quota: Quota) {
        let now = self.clock.monotonic_ns();
        let mut level = self.level();
        level.refill(now);
        level.quota = quota;
        level.refill(now);
        self.limits
            .store(quota != Quota::default(), Ordering::Release);
    }

    /// Charges a command of so many records and bytes, or says after how long it could.
    pub(crate) fn take(&self, records: usize, bytes: usize) -> Result<Charge<'_>, Duration> {
        if !self.limits.load(Ordering::Acquire) {
            return Ok(Charge(None));
        }
        let now = self.clock.monotonic_ns();
        let mut level = self.level();
        level.refill(now);
        let Quota {
            records_per_second,
            bytes_per_second,
        } = level.quota;
        // A command larger than a second's worth may pass when the bucket is full.
        let weight = (bytes as u128 * SECOND_NS).min(full(bytes_per_second));
        let count = (records as u128 * SECOND_NS).min(full(records_per_second));
        let wait = missing(level.records, count, records_per_second).max(missing(
            level.bytes,
            weight,
            bytes_per_second,
        ));
        if wait > 0 {
            return Err(Duration::from_nanos(
                u64::try_from(wait).unwrap_or(u64::MAX),
            ));
        }
        level.records = level.records.saturating_sub(count);
        level.bytes = level.bytes.saturating_sub(weight);
        Ok(Charge(Some((self, count, weight))))
    }

    fn give_back(&self, count: u128, weight: u128) {
        let mut level = self.level();
        let refilled = |level: u128, by: u128, rate| level.saturating_add(by).min(rate);
        level.records = refilled(level.records, count, full(level.quota.records_per_second));
        level.bytes = refilled(level.bytes, weight, full(level.quota.bytes_per_second));
    }

    fn level(&self) -> MutexGuard<'_, Level> {
        whole(self.level.lock())
    }
}

/// What a command took of its component's quota: given back where it is dropped, for a command that
/// never got in — refused for load, or its caller gone — was not appended.
pub(crate) struct Charge<'a>(Option<(&'a Bucket, u128, u128)>);

impl Charge<'_> {
    /// The command is on its way: it stays charged, whatever comes of it.
    pub(crate) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        if let Some((bucket, count, weight)) = self.0.take() {
            bucket.give_back(count, weight);
        }
    }
}

fn full(rate: Option<impl Into<u64>>) -> u128 {
    rate.map_or(u128::MAX, |rate| u128::from(rate.into()) * SECOND_NS)
}

fn refill(level: u128, passed: u128, rate: Option<impl Into<u64> + Copy>) -> u128 {
    match rate {
        None => u128::MAX,
        Some(rate) => level
            .saturating_add(passed.saturating_mul(u128::from(rate.into())))
            .min(full(Some(rate))),
    }
}

/// Nanoseconds until `level` reaches `need`.
fn missing(level: u128, need: u128, rate: Option<impl Into<u64>>) -> u128 {
    match rate {
        None => 0,
        Some(rate) => match u128::from(rate.into()) {
            0 => u128::from(u64::MAX),
            rate => need.saturating_sub(level).div_ceil(rate),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_quota_says_when_to_come_again_and_means_it() {
        let clock = Arc::new(ManualClock::new(0));
        let quota = Quota {
            records_per_second: Some(2),
            bytes_per_second: Some(100),
        };
        let bucket = Bucket::new(quota, clock.clone());
        let take = |bytes| bucket.take(1, bytes).map(Charge::keep);
        assert_eq!(take(10), Ok(()));
        assert_eq!(take(90), Ok(()));
        assert_eq!(take(50), Err(Duration::from_millis(500)));
        clock.advance(Duration::from_millis(499));
        assert!(take(50).is_err());
        clock.advance(Duration::from_millis(1));
        assert_eq!(take(50), Ok(()));
        clock.advance(Duration::from_secs(9));
        assert_eq!(
            take(1_000),
            Ok(()),
            "more than the burst passes when the bucket is full"
        );
        assert_eq!(take(1), Err(Duration::from_millis(10)));
    }

    #[test]
    fn what_is_not_kept_is_given_back_and_no_more_than_that() {
        let quota = Quota {
            records_per_second: Some(2),
            bytes_per_second: None,
        };
        let clock = Arc::new(ManualClock::new(0));
        let bucket = Bucket::new(quota, clock.clone());
        for _ in 0..10 {
            assert!(bucket.take(1, 10).is_ok());
        }
        let charge = bucket.take(2, 10);
        clock.advance(Duration::from_secs(5));
        bucket.take(1, 10).unwrap().keep();
        // Five seconds have filled it to its burst, whatever comes back beside.
        drop(charge);
        bucket.take(2, 10).unwrap().keep();
        assert!(bucket.take(1, 10).is_err());
    }

    #[test]
    fn other_rates_give_no_fresh_burst() {
        let rate = |records| Quota {
            records_per_second: Some(records),
            bytes_per_second: None,
        };
        let clock = Arc::new(ManualClock::new(0));
        let bucket = Bucket::new(rate(4), clock.clone());
        let take = || bucket.take(1, 1).map(Charge::keep);
        (0..4).for_each(|_| take().unwrap());
        bucket.set(rate(4));
        assert!(take().is_err(), "the same again");
        bucket.set(rate(100));
        assert_eq!(take(), Err(Duration::from_millis(10)), "more from here on");
        clock.advance(Duration::from_millis(10));
        assert_eq!(take(), Ok(()));
        clock.advance(Duration::from_secs(9));
        bucket.set(rate(2));
        (0..2).for_each(|_| take().unwrap());
        assert!(take().is_err(), "what it holds is less, too");
        bucket.set(Quota::default());
        (0..100).for_each(|_| take().unwrap());
    }
}
