// SPDX-License-Identifier: Apache-2.0
//! How many executions wait for persons and until when, for everybody but their store; and whether it is ending those
//! whose time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

/// What waits for persons, as its store knows it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Waits {
    pub(crate) count: usize,
    pub(crate) first_deadline_ns: Option<i64>,
}

/// The same for everybody else.
pub(crate) struct AwaitingApprovals {
    count: AtomicUsize,
    first_deadline_ns: AtomicI64,
    /// The store is ending the first of them.
    under_way: Arc<AtomicBool>,
}

impl Default for AwaitingApprovals {
    fn default() -> Self {
        Self {
            count: AtomicUsize::new(0),
            first_deadline_ns: AtomicI64::new(i64::MAX),
            under_way: Arc::default(),
        }
    }
}

impl AwaitingApprovals {
    pub(super) fn note(&self, waits: Waits) {
        let deadline_ns = waits.first_deadline_ns.unwrap_or(i64::MAX);
        self.count.store(waits.count, Ordering::Release);
        self.first_deadline_ns.store(deadline_ns, Ordering::Release);
    }

    /// Executions that wait for persons, and those that persons approved and nobody started.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Until when the first of them may be started; `None` where none waits.
    pub(crate) fn first_deadline_ns(&self) -> Option<i64> {
        let deadline_ns = self.first_deadline_ns.load(Ordering::Acquire);
        (deadline_ns != i64::MAX).then_some(deadline_ns)
    }

    /// `None` as long as the last that was to end what is overdue has not ended it.
    pub(crate) fn expiring(&self) -> Option<Expiring> {
        let before = self.under_way.swap(true, Ordering::AcqRel);
        (!before).then(|| Expiring(Arc::new(UnderWay(Arc::clone(&self.under_way)))))
    }
}

/// Has a store end what is overdue. The next can be made when this and all of its commits are gone.
pub(crate) struct Expiring(pub(super) Arc<UnderWay>);

pub(super) struct UnderWay(Arc<AtomicBool>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overdue_is_ended_by_one_message_at_a_time() {
        let awaiting = AwaitingApprovals::default();
        assert_eq!((awaiting.count(), awaiting.first_deadline_ns()), (0, None));
        awaiting.note(Waits {
            count: 2,
            first_deadline_ns: Some(7),
        });
        assert_eq!(
            (awaiting.count(), awaiting.first_deadline_ns()),
            (2, Some(7))
        );
        let expiring = awaiting.expiring();
        let under_way = expiring.as_ref().map(|it| Arc::clone(&it.0));
        assert!(under_way.is_some());
        assert!(awaiting.expiring().is_none());
        // The message was handled, and a commit of it is on its way.
        drop(expiring);
        assert!(awaiting.expiring().is_none());
        drop(under_way);
        assert!(awaiting.expiring().is_some());
    }
}
