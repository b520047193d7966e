//! Who may do what (FC-STORAGE §17–18): components, rights, quotas.
//!
//! The barrier against other programs is the operating system (directory 0700). A grant protects
//! against a confused component inside the process, not against a hostile one: code in the same
//! address space can read memory.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::error::{AccessError, Right};
use crate::events::{ComponentId, Store, StoreMask};

/// What a component may do, per store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    append: StoreMask,
    read: StoreMask,
    finish_others: bool,
}

impl Rights {
    /// Nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            append: StoreMask::NONE,
            read: StoreMask::NONE,
            finish_others: false,
        }
    }

    /// Append to and read every store, and finish what others started.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            append: StoreMask::ALL,
            read: StoreMask::ALL,
            finish_others: true,
        }
    }

    /// Also append to `store`.
    #[must_use]
    pub const fn append(mut self, store: Store) -> Self {
        self.append = self.append.with(store);
        self
    }

    /// Also read `store`.
    #[must_use]
    pub const fn read(mut self, store: Store) -> Self {
        self.read = self.read.with(store);
        self
    }

    /// Also complete, fail or cancel executions that another component authorized or started.
    /// Resolving one in doubt needs no more than appending to the execution log: whoever started
    /// it is gone.
    #[must_use]
    pub const fn finish_others(mut self) -> Self {
        self.finish_others = true;
        self
    }

    /// Whether executions of other components may be finished.
    #[must_use]
    pub const fn may_finish_others(self) -> bool {
        self.finish_others
    }

    /// Stores that may be appended to.
    #[must_use]
    pub const fn append_mask(self) -> StoreMask {
        self.append
    }

    /// Stores that may be read.
    #[must_use]
    pub const fn read_mask(self) -> StoreMask {
        self.read
    }
}

/// How much a component may append (threat model §18). `None` is no limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// Records per second, with a burst of one second's worth.
    pub records_per_second: Option<u32>,
    /// Bytes of command content per second, with a burst of one second's worth.
    pub bytes_per_second: Option<u64>,
}

/// A component's authority, made by [`Root::grant`](crate::Root::grant) and by nothing else.
#[derive(Clone)]
pub struct Grant(pub(crate) Arc<GrantState>);

impl Grant {
    /// The component's number in every record that it causes.
    #[must_use]
    pub fn component(&self) -> ComponentId {
        self.0.component
    }

    /// The component's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What it was granted.
    #[must_use]
    pub fn rights(&self) -> Rights {
        self.0.rights
    }
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}

pub(crate) struct GrantState {
    pub(crate) component: ComponentId,
    pub(crate) name: String,
    pub(crate) rights: Rights,
    /// Which opening made it: a grant of another ledger or of an earlier opening opens nothing.
    pub(crate) opening: u64,
    pub(crate) revoked: AtomicBool,
    /// Its part of the admission, so that no component can take it all.
    pub(crate) records: Arc<Semaphore>,
    pub(crate) bytes: Arc<Semaphore>,
    pub(crate) bucket: Bucket,
}

impl GrantState {
    pub(crate) fn may_append(&self, store: Store) -> Result<(), AccessError> {
        self.alive()?;
        if self.rights.append.contains(store) {
            return Ok(());
        }
        Err(AccessError::NotGranted {
            component: self.name.clone(),
            store,
            right: Right::Append,
        })
    }

    pub(crate) fn may_read(&self, stores: StoreMask) -> Result<(), AccessError> {
        self.alive()?;
        if self.rights.read.intersects(stores) {
            return Ok(());
        }
        let store = stores.stores().next().unwrap_or(Store::AuditLog);
        Err(AccessError::NotGranted {
            component: self.name.clone(),
            store,
            right: Right::Read,
        })
    }

    fn alive(&self) -> Result<(), AccessError> {
        if self.revoked.load(Ordering::Acquire) {
            return Err(AccessError::Revoked {
                component: self.name.clone(),
            });
        }
        Ok(())
    }
}

/// Two token buckets of one second's burst each, on the monotonic clock.
pub(crate) struct Bucket {
    quota: Quota,
    clock: Arc<dyn Clock>,
    /// (monotonic time, records in nano-units, bytes in nano-units) left at that time.
    level: Mutex<(u64, u128, u128)>,
}

const SECOND_NS: u128 = 1_000_000_000;

impl Bucket {
    pub(crate) fn new(quota: Quota, clock: Arc<dyn Clock>) -> Self {
        let level = (
            clock.monotonic_ns(),
            full(quota.records_per_second),
            full(quota.bytes_per_second),
        );
        Self {
            quota,
            clock,
            level: Mutex::new(level),
        }
    }

    /// Charges a command of so many records and bytes, or says after how long it could.
    pub(crate) fn take(&self, records: usize, bytes: usize) -> Result<Charge<'_>, Duration> {
        if self.quota == Quota::default() {
            return Ok(Charge(None));
        }
        let now = self.clock.monotonic_ns();
        let mut level = self
            .level
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let passed = u128::from(now.saturating_sub(level.0));
        let stored_records = refill(level.1, passed, self.quota.records_per_second);
        let stored = refill(level.2, passed, self.quota.bytes_per_second);
        // A command larger than a second's worth may pass when the bucket is full.
        let weight = (bytes as u128 * SECOND_NS).min(full(self.quota.bytes_per_second));
        let count = (records as u128 * SECOND_NS).min(full(self.quota.records_per_second));
        let wait = missing(stored_records, count, self.quota.records_per_second).max(missing(
            stored,
            weight,
            self.quota.bytes_per_second,
        ));
        if wait > 0 {
            *level = (now, stored_records, stored);
            return Err(Duration::from_nanos(
                u64::try_from(wait).unwrap_or(u64::MAX),
            ));
        }
        *level = (
            now,
            stored_records.saturating_sub(count),
            stored.saturating_sub(weight),
        );
        Ok(Charge(Some((self, count, weight))))
    }

    fn give_back(&self, count: u128, weight: u128) {
        let mut level = self
            .level
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (_, records, bytes) = &mut *level;
        let refilled = |level: u128, by: u128, rate| level.saturating_add(by).min(rate);
        *records = refilled(*records, count, full(self.quota.records_per_second));
        *bytes = refilled(*bytes, weight, full(self.quota.bytes_per_second));
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
}
