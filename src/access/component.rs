// SPDX-License-Identifier: Apache-2.0
//! What all grants of one component share: its quota, its part of the admission, its revocation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::Semaphore;

use super::Quota;
use super::bucket::Bucket;
use crate::clock::Clock;
use crate::locks::whole;

/// One component of an opening, whatever grants it holds.
pub(crate) struct Component {
    pub(crate) name: String,
    /// Its part of the admission, so that no component can take it all.
    pub(crate) records: Arc<Semaphore>,
    pub(crate) bytes: Arc<Semaphore>,
    pub(crate) bucket: Bucket,
    /// How often it was revoked; a grant is worth something in the generation that made it.
    generation: AtomicU64,
    /// Read: a command of it is being decided, until its events are on their way. Written: it is
    /// granted or revoked, until the record of that is on its way. So the journal's order is the order of
    /// what was done.
    /// Lock: a store's actor, read for one decision; a grant or a revocation, written until its record is on its
    /// way. Nothing under it waits for a sync.
    order: RwLock<()>,
}

impl Component {
    /// With these parts of the admission, and no quota yet.
    pub(crate) fn new(
        name: &str,
        (records, bytes): (Arc<Semaphore>, Arc<Semaphore>),
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            records,
            bytes,
            bucket: Bucket::new(Quota::default(), clock),
            generation: AtomicU64::new(0),
            order: RwLock::new(()),
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Until it is dropped, the component is not revoked.
    pub(crate) fn deciding(&self) -> RwLockReadGuard<'_, ()> {
        whole(self.order.read())
    }

    /// Until it is dropped, no command of the component is decided. `None` while one is.
    pub(crate) fn try_changing(&self) -> Option<Changing<'_>> {
        let lock = match self.order.try_write() {
            Ok(lock) => lock,
            Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => return None,
        };
        Some(Changing {
            of: self,
            _lock: lock,
        })
    }

    /// As [`Component::try_changing`]; blocks while a command is being decided.
    pub(crate) fn changing(&self) -> Changing<'_> {
        let lock = whole(self.order.write());
        Changing {
            of: self,
            _lock: lock,
        }
    }
}

/// The right to grant or revoke, in order with what is decided.
pub(crate) struct Changing<'a> {
    of: &'a Component,
    _lock: RwLockWriteGuard<'a, ()>,
}

impl Changing<'_> {
    /// Replaces the quota's rates; gives the generation that a grant made now belongs to.
    pub(crate) fn grant(&self, quota: Quota) -> u64 {
        self.of.bucket.set(quota);
        self.of.generation()
    }

    /// Every grant made until here is worth nothing; false where `generation` is over already.
    pub(crate) fn revoke(&self, generation: u64) -> bool {
        let next = generation.wrapping_add(1);
        let over = Ordering::AcqRel;
        let ended = self
            .of
            .generation
            .compare_exchange(generation, next, over, Ordering::Acquire);
        ended.is_ok()
    }
}
