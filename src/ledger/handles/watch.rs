// SPDX-License-Identifier: Apache-2.0
//! Watching what is in force: whoever was busy gets the newest state, not each step towards it.

use std::sync::Arc;

use tokio::sync::watch;

use super::handle::{Handle, Wanted};
use crate::error::ReadError;
use crate::ledger::read::views::ViewSet;
use crate::projections::ViewError;

/// Reads the state with its version, where that is above the one seen last.
type Newer<T> = dyn Fn(&ViewSet, u64) -> Result<Option<(u64, T)>, ViewError> + Send + Sync;

/// What is in force, each time that it is something newer; see
/// [`Configuration::watch`](crate::Configuration::watch).
///
/// Example: [`configuration`](crate::configuration).
pub struct Watch<T> {
    handle: Handle,
    wanted: Wanted,
    positions: watch::Receiver<u64>,
    bell: watch::Receiver<()>,
    newer: Arc<Newer<T>>,
    seen: u64,
}

impl<T: Send + 'static> Watch<T> {
    pub(super) fn new(
        handle: &Handle,
        wanted: Wanted,
        positions: watch::Receiver<u64>,
        newer: impl Fn(&ViewSet, u64) -> Result<Option<(u64, T)>, ViewError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            handle: handle.clone(),
            wanted,
            bell: handle.inner.core.phase.bell(),
            positions,
            newer: Arc::new(newer),
            seen: 0,
        }
    }

    /// What is in force as soon as it is newer than what this watch gave last; the first call gives
    /// what is there, or waits for the first of it. Durable states only, and the newest one: those
    /// that came and went between two calls are not given. Waiting holds no thread. Cancelling
    /// the call loses nothing.
    ///
    /// # Errors
    /// [`ReadError`]: `Access` where the grant may not read, also from then on, `Unavailable` where the view is
    /// halted, `Closed`. A view that is being made again is waited for.
    pub async fn next(&mut self) -> Result<T, ReadError> {
        loop {
            // Marked before the read: what moves meanwhile ends the wait below.
            self.positions.mark_unchanged();
            self.bell.mark_unchanged();
            let (newer, seen) = (Arc::clone(&self.newer), self.seen);
            let read = move |set: &ViewSet| newer(set, seen);
            match self.handle.read_now(self.wanted, read).await {
                Ok(Some((version, state))) => {
                    self.seen = version;
                    return Ok(state);
                }
                Ok(None) | Err(ReadError::Recovering { .. }) => {}
                Err(error) => return Err(error),
            }
            if self.handle.inner.core.phase.is_closed() {
                return Err(ReadError::Closed);
            }
            let moved = tokio::select! {
                moved = self.positions.changed() => moved,
                rung = self.bell.changed() => rung,
            };
            // Who tells of it is gone, and with it the ledger.
            moved.map_err(|_| ReadError::Closed)?;
        }
    }
}
