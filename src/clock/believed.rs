// SPDX-License-Identifier: Apache-2.0
//! The injected clock as far as it is believed. One start with a clock that stands years ahead would
//! otherwise give its time to every later record, for time never falls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::Clock;

/// While the wall clock stands too far ahead of the history, time goes on from the history by the
/// monotonic clock. The sequencer alone decides; everybody reads.
pub(crate) struct BelievedClock {
    clock: Arc<dyn Clock>,
    /// Wall clock less monotonic clock, as last believed.
    offset_ns: AtomicI64,
    doubted: AtomicBool,
    /// How far ahead of what it should show the wall clock is believed.
    ahead_ns_max: i64,
    /// The time of the newest record that has its place.
    last_ns: AtomicI64,
}

impl BelievedClock {
    /// Over `clock`, where the last record was written at `head_ns`; `None`: there is none, and
    /// nothing to compare with.
    pub(crate) fn new(clock: Arc<dyn Clock>, head_ns: Option<i64>, ahead_ns_max: i64) -> Self {
        let (observed, monotonic) = (clock.now_ns(), monotonic(&*clock));
        let far = |head_ns: &i64| observed > head_ns.saturating_add(ahead_ns_max);
        let doubted = head_ns.filter(far);
        let offset_ns = doubted.unwrap_or(observed).saturating_sub(monotonic);
        Self {
            clock,
            offset_ns: AtomicI64::new(offset_ns),
            doubted: AtomicBool::new(doubted.is_some()),
            ahead_ns_max,
            last_ns: AtomicI64::new(head_ns.unwrap_or(i64::MIN)),
        }
    }

    /// The ledger's time: never before its newest record, and never by a clock that is not believed, also where nothing
    /// was written since that leapt.
    pub(crate) fn ledger_ns(&self) -> i64 {
        let (observed, expected) = (self.observed_ns(), self.expected_ns());
        let is_far = observed > expected.saturating_add(self.ahead_ns_max);
        let believed = if is_far { expected } else { observed };
        believed.max(self.last_ns.load(Ordering::Acquire))
    }

    /// A record has got this time, the newest one.
    pub(crate) fn recorded(&self, time_ns: i64) {
        self.last_ns.fetch_max(time_ns, Ordering::AcqRel);
    }

    /// What the wall clock shows, believed or not.
    pub(crate) fn observed_ns(&self) -> i64 {
        self.clock.now_ns()
    }

    /// What it should show by the monotonic clock.
    pub(crate) fn expected_ns(&self) -> i64 {
        let offset_ns = self.offset_ns.load(Ordering::Acquire);
        offset_ns.saturating_add(monotonic(&*self.clock))
    }

    /// From here on `now_ns` is what it should show.
    pub(crate) fn believe(&self, now_ns: i64) {
        let offset_ns = now_ns.saturating_sub(monotonic(&*self.clock));
        self.offset_ns.store(offset_ns, Ordering::Release);
        self.doubted.store(false, Ordering::Release);
    }

    /// The wall clock is believed, or not; true where that is new.
    pub(crate) fn doubt(&self, doubted: bool) -> bool {
        self.doubted.swap(doubted, Ordering::AcqRel) != doubted
    }

    pub(crate) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Acquire)
    }

    /// What is wrong, where something is.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.is_doubted().then(|| {
            let ahead_ns = self.observed_ns().saturating_sub(self.expected_ns());
            let days = ahead_ns / 86_400_000_000_000;
            format!(
                "clock: {days} days ahead of the last record and not believed; set it right, or \
                 accept it (Root::accept_clock)"
            )
        })
    }
}

impl Clock for BelievedClock {
    fn now_ns(&self) -> i64 {
        if self.is_doubted() {
            self.expected_ns()
        } else {
            self.clock.now_ns()
        }
    }

    fn monotonic_ns(&self) -> u64 {
        self.clock.monotonic_ns()
    }
}

fn monotonic(clock: &dyn Clock) -> i64 {
    i64::try_from(clock.monotonic_ns()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::ManualClock;
    use super::*;

    #[test]
    fn the_ledgers_time_is_never_that_of_a_clock_that_is_not_believed() {
        let clock = Arc::new(ManualClock::new(1_000));
        let believed = BelievedClock::new(clock.clone(), Some(900), 500);
        assert_eq!(believed.ledger_ns(), 1_000);
        clock.advance(Duration::from_nanos(10));
        assert_eq!(believed.ledger_ns(), 1_010);
        // It leaps, and nothing was written since that would have been told.
        clock.set_now(9_000);
        assert!(!believed.is_doubted());
        assert_eq!(believed.ledger_ns(), 1_010);
        clock.set_now(1_400);
        assert_eq!(believed.ledger_ns(), 1_400, "so far it is believed");
    }

    #[test]
    fn the_ledgers_time_is_never_before_its_newest_record() {
        let clock = Arc::new(ManualClock::new(1_000));
        let believed = BelievedClock::new(clock.clone(), Some(1_200), 500);
        assert_eq!(believed.ledger_ns(), 1_200);
        believed.recorded(1_300);
        believed.recorded(1_250);
        assert_eq!(believed.ledger_ns(), 1_300);
        clock.advance(Duration::from_nanos(400));
        assert_eq!(believed.ledger_ns(), 1_400);
    }
}
