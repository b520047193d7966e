// SPDX-License-Identifier: Apache-2.0
//! What others ask of the runner: stop, rebuild, look at damage that a reader met.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::locks::whole;

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
    /// Lock: whoever orders, and the runner to take what was ordered; nothing is called under it.
    orders: Mutex<Orders>,
    changed: Condvar,
}

impl Control {
    fn order(&self, change: impl FnOnce(&mut Orders)) {
        let mut orders = whole(self.orders.lock());
        change(&mut orders);
        drop(orders);
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
        whole(self.orders.lock()).stop
    }

    /// Everything ordered since the last call; `stop` stays set.
    pub(super) fn take(&self) -> Orders {
        let mut orders = whole(self.orders.lock());
        let stop = orders.stop;
        let taken = std::mem::take(&mut *orders);
        orders.stop = stop;
        taken
    }

    /// Waits out a trouble, unless something is ordered meanwhile.
    pub(super) fn pause(&self, timeout: Duration) {
        let orders = whole(self.orders.lock());
        let waited = self.changed.wait_timeout_while(orders, timeout, |orders| {
            !orders.stop && orders.rebuild.is_empty() && orders.complaint.is_none()
        });
        drop(whole(waited));
    }
}
