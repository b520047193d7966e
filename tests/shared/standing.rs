// SPDX-License-Identifier: Apache-2.0
//! Views that stand still: a clock that shows no time to those who keep them.

use std::sync::{Arc, Condvar, Mutex};

use femtoclaw_ledger::Options;
use femtoclaw_ledger::clock::{Clock, WhenSet};

/// The thread that keeps a view.
const KEEPER: &str = "ledger-view";

type GoesOn = Arc<(Mutex<bool>, Condvar)>;

struct StandingClock {
    inner: Arc<dyn Clock>,
    goes_on: GoesOn,
}

impl Clock for StandingClock {
    fn now_ns(&self) -> i64 {
        self.inner.now_ns()
    }

    fn monotonic_ns(&self) -> u64 {
        if std::thread::current().name() == Some(KEEPER) {
            let (goes_on, changed) = &*self.goes_on;
            let stands = goes_on.lock().unwrap();
            drop(changed.wait_while(stands, |goes_on| !*goes_on).unwrap());
        }
        self.inner.monotonic_ns()
    }

    fn when_set(&self, told: WhenSet) {
        self.inner.when_set(told);
    }
}

/// Dropped, it lets the views go on.
pub(crate) struct Standing(GoesOn);

impl Drop for Standing {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

impl Standing {
    pub(crate) fn new() -> Self {
        Self(Arc::new((Mutex::new(false), Condvar::new())))
    }

    /// The views of a ledger that is opened with these options read nothing until this is dropped.
    pub(crate) fn hold(&self, options: &mut Options) {
        let inner = Arc::clone(&options.clock);
        let goes_on = Arc::clone(&self.0);
        options.clock = Arc::new(StandingClock { inner, goes_on });
    }
}
