// SPDX-License-Identifier: Apache-2.0
//! Whether anything happens: what looks at intervals looks often only then, and seldom while a ledger is idle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::locks::whole;

/// Of one opening. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Pace(Arc<PaceShared>);

#[derive(Default)]
struct PaceShared {
    /// Nothing has happened for a while. Changed under the lock only.
    calm: AtomicBool,
    /// Lock: who stirs what was calm, and threads that look seldom, to fall asleep; nothing is called under it.
    looks: Mutex<()>,
    stirred: Condvar,
    tasks: Notify,
}

impl Pace {
    /// Something happens: whoever looks seldom looks at once. While things happen it costs one load.
    pub(crate) fn stir(&self) {
        if self.is_calm() {
            self.set(false);
            self.0.stirred.notify_all();
            self.0.tasks.notify_waiters();
        }
    }

    /// For who must not keep it.
    pub(crate) fn weak(&self) -> WeakPace {
        WeakPace(Arc::downgrade(&self.0))
    }

    /// Nothing has happened for a while.
    pub(crate) fn calm(&self) {
        self.set(true);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.0.calm.load(Ordering::Acquire)
    }

    fn set(&self, calm: bool) {
        let looks = whole(self.0.looks.lock());
        self.0.calm.store(calm, Ordering::Release);
        drop(looks);
    }

    /// Until the next look of a thread: `often` after this one, or `seldom` where nothing happens until then.
    pub(crate) fn pause(&self, often: Duration, seldom: Duration) {
        if !self.is_calm() {
            std::thread::sleep(often);
        }
        let looks = whole(self.0.looks.lock());
        let waited = self
            .0
            .stirred
            .wait_timeout_while(looks, seldom, |()| self.is_calm());
        drop(whole(waited));
    }

    /// As [`Pace::pause`], of a task.
    pub(crate) async fn rest(&self, often: Duration, seldom: Duration) {
        if !self.is_calm() {
            tokio::time::sleep(often).await;
        }
        let mut stirred = std::pin::pin!(self.0.tasks.notified());
        // From here on a stir is not missed.
        stirred.as_mut().enable();
        if self.is_calm() {
            let _looks_again = tokio::time::timeout(seldom, stirred).await;
        }
    }
}

/// A [`Pace`] that may be gone.
pub(crate) struct WeakPace(Weak<PaceShared>);

impl WeakPace {
    /// As [`Pace::stir`]; false where it is gone.
    pub(crate) fn stir(&self) -> bool {
        let pace = self.0.upgrade().map(Pace);
        pace.is_some_and(|pace| {
            pace.stir();
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};

    use super::*;

    const OFTEN: Duration = Duration::from_millis(1);
    const NEVER: Duration = Duration::from_secs(600);
    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn a_thread_looks_often_until_it_is_calm_and_at_once_when_something_stirs() {
        let (pace, (looked, looks)) = (Pace::default(), channel());
        let theirs = pace.clone();
        std::thread::spawn(move || {
            while looked.send(()).is_ok() {
                theirs.pause(OFTEN, NEVER);
            }
        });
        for _ in 0..10 {
            looks.recv_timeout(SOON).unwrap();
        }
        pace.calm();
        // A look that was under way when it became calm comes first.
        while looks.recv_timeout(Duration::from_millis(200)).is_ok() {}
        let calm = looks.recv_timeout(Duration::from_millis(200));
        assert_eq!(calm, Err(RecvTimeoutError::Timeout));
        pace.stir();
        for _ in 0..10 {
            looks.recv_timeout(SOON).unwrap();
        }
    }

    #[tokio::test]
    async fn a_task_that_rests_is_woken() {
        let pace = Pace::default();
        pace.rest(OFTEN, NEVER).await;
        pace.calm();
        let resting = pace.rest(OFTEN, NEVER);
        tokio::pin!(resting);
        let rested = tokio::time::timeout(Duration::from_millis(50), &mut resting).await;
        assert!(rested.is_err(), "it rested although nothing happened");
        pace.stir();
        tokio::time::timeout(SOON, resting).await.unwrap();
    }

    /// A look comes at last, also where nothing stirs.
    #[tokio::test]
    async fn what_is_calm_is_looked_at_again() {
        let pace = Pace::default();
        pace.calm();
        pace.pause(NEVER, OFTEN);
        pace.rest(NEVER, OFTEN).await;
        assert!(pace.is_calm());
    }
}
