// SPDX-License-Identifier: Apache-2.0
//! Wakes threads that wait for the head without a runtime.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct HeadWaiter {
    head: Mutex<u64>,
    moved: Condvar,
}

impl HeadWaiter {
    /// The head as whoever asks from now on sees it; wakes nobody yet.
    pub(super) fn set(&self, seq: u64) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = seq;
    }

    /// Wakes who waited for what was set.
    pub(super) fn ring(&self) {
        self.moved.notify_all();
    }

    pub(super) fn wait_beyond(&self, seq: u64, timeout: Duration) -> u64 {
        let head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .moved
            .wait_timeout_while(head, timeout, |head| *head <= seq);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
