// SPDX-License-Identifier: Apache-2.0
//! Wakes threads that wait for the head without a runtime.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::locks::whole;

#[derive(Debug, Default)]
pub(super) struct HeadWaiter {
    /// Lock: the writer's thread to set it, who waits for as long as it compares; nothing is called under it.
    head: Mutex<KnownHead>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct KnownHead {
    seq: u64,
    /// How often waits were ended early.
    wakes: u64,
}

impl HeadWaiter {
    /// The head as whoever asks from now on sees it; wakes nobody yet.
    pub(super) fn set(&self, seq: u64) {
        whole(self.head.lock()).seq = seq;
    }

    /// Wakes who waited for what was set.
    pub(super) fn ring(&self) {
        self.moved.notify_all();
    }

    pub(super) fn wait_beyond(&self, seq: u64, timeout: Duration) -> u64 {
        let head = whole(self.head.lock());
        let wakes = head.wakes;
        let waits = |head: &mut KnownHead| head.seq <= seq && head.wakes == wakes;
        let waited = self.moved.wait_timeout_while(head, timeout, waits);
        whole(waited).0.seq
    }

    /// Ends the waits that are under way.
    pub(super) fn wake(&self) {
        whole(self.head.lock()).wakes += 1;
        self.moved.notify_all();
    }
}
