// SPDX-License-Identifier: Apache-2.0
//! What others ask of the runner: stop, rebuild, look at damage that a reader met.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::lock;

#[derive(Default)]
pub(super) struct Orders {
    pub(super) stop: bool,
    /// Names of views to rebuild.
    pub(super) rebuild: Vec<String>,
    /// Incarnation of the database in which a reader met damage, and what it met.
    pub(super) complaint: Option<(u64, String)>,
}

#[derive(Default)]
pub(super) struct Control {
    orders: Mutex<Orders>,
    changed: Condvar,
}

impl Control {
    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut lock(&self.orders));
        self.changed.notify_all();
    }

    pub(super) fn stop(&self) {
        self.order(|orders| orders.stop = true);
    }

    pub(super) fn rebuild(&self, name: &str) {
        self.order(|orders| orders.rebuild.push(name.to_owned()));
    }

    pub(super) fn complain(&self, incarnation: u64, cause: String) {
        self.order(|orders| orders.complaint = Some((incarnation, cause)));
    }

    pub(super) fn is_stopping(&self) -> bool {
        lock(&self.orders).stop
    }

    /// Everything ordered since the last call; `stop` stays set.
    pub(super) fn take(&self) -> Orders {
        let mut orders = lock(&self.orders);
        let stop = orders.stop;
        let taken = std::mem::take(&mut *orders);
        orders.stop = stop;
        taken
    }

    /// Waits out a trouble, unless something is ordered meanwhile.
    pub(super) fn pause(&self, timeout: Duration) {
        let orders = lock(&self.orders);
        let waited = self.changed.wait_timeout_while(orders, timeout, |orders| {
            !orders.stop && orders.rebuild.is_empty() && orders.complaint.is_none()
        });
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}
