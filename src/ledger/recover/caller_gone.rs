// SPDX-License-Identifier: Apache-2.0
//! Whether whoever asked for an opening has gone away: what blocks looks at it from time to time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::OpenError;

/// Clones tell of the same caller.
#[derive(Clone, Default)]
pub(in crate::ledger) struct Dropped(Arc<AtomicBool>);

/// Held by the caller's future.
pub(in crate::ledger) struct Caller(Dropped);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Release);
    }
}

impl Dropped {
    /// Tells when it is dropped.
    pub(in crate::ledger) fn caller(&self) -> Caller {
        Caller(self.clone())
    }

    /// # Errors
    /// The caller has gone away. Nobody reads what this says.
    pub(in crate::ledger) fn check(&self) -> Result<(), OpenError> {
        match self.0.load(Ordering::Acquire) {
            true => Err(OpenError::Actors("the opening was dropped".into())),
            false => Ok(()),
        }
    }
}
