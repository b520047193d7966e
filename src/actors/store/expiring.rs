// SPDX-License-Identifier: Apache-2.0
//! Executions that waited for persons beyond their time: the store ends them, a part of them at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use super::super::draft::Draft;
use super::{Deciding, Id, StoreState};
use crate::commands::expired_digest;
use crate::events::{CommandId, ComponentId, ExecutionId};

/// Executions that are ended by one message. Each is a commit of its own, of three records at most; the next message
/// comes when all of them are durable, so that commands find their turn in between.
const AT_ONCE: usize = 256;

/// What waits for persons, as its store knows it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Waits {
    pub(crate) count: usize,
    pub(crate) first_deadline_ns: Option<i64>,
}

/// The same for everybody else.
pub(crate) struct Awaiting {
    count: AtomicUsize,
    first_deadline_ns: AtomicI64,
    /// What is overdue is being ended.
    under_way: Arc<AtomicBool>,
}

impl Default for Awaiting {
    fn default() -> Self {
        Self {
            count: AtomicUsize::new(0),
            first_deadline_ns: AtomicI64::new(i64::MAX),
            under_way: Arc::default(),
        }
    }
}

impl Awaiting {
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
pub(crate) struct Expiring(Arc<UnderWay>);

struct UnderWay(Arc<AtomicBool>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl<E: Deciding> StoreState<E> {
    /// Ends the first of those whose time is over. They have no caller: nobody is answered.
    pub(super) fn expire(&mut self, expiring: &Expiring) -> Result<(), String> {
        self.forget();
        let now_ns = self.shared.time.ledger_ns();
        for execution in self.entity.overdue(now_ns, AT_ONCE) {
            let drafts = self.entity.expire(execution);
            self.write_expired(execution, &drafts, expiring)?;
        }
        self.shared.awaiting.note(self.entity.waits());
        Ok(())
    }

    fn write_expired(
        &mut self,
        execution: ExecutionId,
        drafts: &[Draft],
        expiring: &Expiring,
    ) -> Result<(), String> {
        let id = Id {
            command: CommandId::from_bytes(self.shared.entropy.bytes16()),
            digest: expired_digest(execution),
            generated: true,
        };
        let held = Arc::clone(&expiring.0);
        self.write_own(drafts, id, ComponentId::LEDGER, move || drop(held))
    }
}
