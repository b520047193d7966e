// SPDX-License-Identifier: Apache-2.0
//! What a view's runner is told: stop, rebuild, look at damage that a reader met, what became of segments, how far
//! the journal goes.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::locks::whole;

use super::storage::News;

#[derive(Default)]
pub(super) struct Orders {
    pub(super) stop: bool,
    pub(super) rebuild: bool,
    /// What there is goes into segments.
    pub(super) tail: bool,
    /// Opening of the view in which a reader met damage, and what it met.
    pub(super) complaint: Option<(u64, String)>,
    /// Of which opening and generation, and what.
    pub(super) news: Vec<((u64, u64), News)>,
}

impl Orders {
    fn is_some(&self) -> bool {
        self.stop || self.rebuild || self.tail || self.complaint.is_some() || !self.news.is_empty()
    }
}

#[derive(Default)]
struct RunnerOrders {
    orders: Orders,
    head: u64,
    /// The runner has nothing in memory that it was to write, or has ended.
    handed_over: bool,
}

#[derive(Default)]
pub(super) struct Control {
    /// Lock: whoever orders, and the runner to take what was ordered; nothing is called under it.
    told: Mutex<RunnerOrders>,
    changed: Condvar,
    /// Wakes who waits for what the runner has done.
    done: Condvar,
}

impl Control {
    fn order(&self, change: impl FnOnce(&mut RunnerOrders)) {
        let mut told = whole(self.told.lock());
        change(&mut told);
        drop(told);
        self.changed.notify_one();
    }

    pub(super) fn stop(&self) {
        self.order(|told| told.orders.stop = true);
    }

    pub(super) fn rebuild(&self) {
        self.order(|told| told.orders.rebuild = true);
    }

    pub(super) fn complain(&self, incarnation: u64, cause: String) {
        self.order(|told| told.orders.complaint = Some((incarnation, cause)));
    }

    pub(super) fn news(&self, whose: (u64, u64), news: News) {
        self.order(|told| told.orders.news.push((whose, news)));
    }

    /// The journal goes as far as this.
    pub(super) fn head(&self, head: u64) {
        self.order(|told| told.head = told.head.max(head));
    }

    /// Has everything written that is in memory.
    pub(super) fn order_tail(&self) {
        self.order(|told| {
            told.orders.tail = true;
            told.handed_over = false;
        });
    }

    /// Waits until that is done, or the runner has ended.
    pub(super) fn handed_over(&self, timeout: Duration) -> bool {
        let told = whole(self.told.lock());
        let waited = self
            .done
            .wait_timeout_while(told, timeout, |told| !told.handed_over);
        whole(waited).0.handed_over
    }

    /// That is done.
    pub(super) fn hand_over(&self) {
        whole(self.told.lock()).handed_over = true;
        self.done.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        whole(self.told.lock()).orders.stop
    }

    /// Everything ordered since the last call; `stop` stays set.
    pub(super) fn take(&self) -> Orders {
        let mut told = whole(self.told.lock());
        let stop = told.orders.stop;
        let taken = std::mem::take(&mut told.orders);
        told.orders.stop = stop;
        taken
    }

    /// Waits out a trouble, unless something is ordered meanwhile.
    pub(super) fn pause(&self, timeout: Duration) {
        let told = whole(self.told.lock());
        let waited = self
            .changed
            .wait_timeout_while(told, timeout, |told| !told.orders.is_some());
        drop(whole(waited));
    }

    /// Waits until something is ordered, or the journal goes beyond this.
    pub(super) fn wait_beyond(&self, seq: u64) {
        let told = whole(self.told.lock());
        let waited = self
            .changed
            .wait_while(told, |told| !told.orders.is_some() && told.head <= seq);
        drop(whole(waited));
    }
}
