// SPDX-License-Identifier: Apache-2.0
//! Poisoned locks: here alone one is passed over.

use std::sync::{LockResult, PoisonError};

/// The state behind a lock, also where somebody panicked while holding it.
///
/// For state that is whole at every moment: each holder puts one plain value in, counts, or moves one entry, and calls
/// nothing in between that can panic half-way. Where a holder calls the engine or decides, a panic may leave something
/// half made: there a poisoned lock is an error, and the lock is asked itself.
pub(crate) fn whole<G>(locked: LockResult<G>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}
