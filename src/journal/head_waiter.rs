// SPDX-License-Identifier: Apache-2.0
//! Wakes threads that wait for the head without a runtime.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::locks::whole;

#[derive(Debug, Default)]
pub(super) struct HeadWaiter {
    /// Lock: the writer's thread to set it, who waits for as long as it compares; nothing is called under it.
    head: Mutex<u64>,
    moved: Condvar,
}

impl HeadWaiter {
    /// The head as whoever asks from now on sees it; wakes nobody yet.
    pub(super) fn set(&self, seq: u64) {
        *whole(self.head.lock()) = seq;
    }

    /// Wakes who waited for what was set.
    pub(super) fn ring(&self) {
        self.moved.notify_all();
    }

    pub(super) fn wait_beyond(&self, seq: u64, timeout: Duration) -> u64 {
        let head = whole(self.head.lock());
        let waited = self
            .moved
            .wait_timeout_while(head, timeout, |head| *head <= seq);
        *whole(waited).0
    }
}
