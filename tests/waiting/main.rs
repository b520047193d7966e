// SPDX-License-Identifier: Apache-2.0
//! Waiting, cancelling, closing: no thread is held by what waits, what is dropped half-way leaves
//! nothing behind, and a close keeps its deadline.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../shared/mod.rs"]
mod shared;

mod closing;
mod doubles;
mod followers;
mod health;
mod opening;

use std::time::Duration;

/// Nothing that works waits this long.
pub(crate) const EVER: Duration = Duration::from_secs(1 << 20);

/// A runtime for one test. Dropping it does not wait: a test that fails must not hang.
pub(crate) struct Driver(Option<tokio::runtime::Runtime>);

impl Driver {
    /// Two threads for tasks and one for what blocks: two things that block wait for each other.
    pub(crate) fn multi_thread() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let builder = builder.worker_threads(2).max_blocking_threads(1);
        Self(Some(builder.enable_all().build().unwrap()))
    }

    pub(crate) fn current_thread() -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let builder = builder.max_blocking_threads(1);
        Self(Some(builder.enable_all().build().unwrap()))
    }

    pub(crate) fn both() -> [Self; 2] {
        [Self::multi_thread(), Self::current_thread()]
    }

    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        self.0.as_ref().unwrap().block_on(future)
    }

    /// Drops the runtime as a program does, and waits for its threads.
    pub(crate) fn end(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a test waits for comes, or the test fails.
pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    let waited = tokio::time::timeout(shared::WAIT, future).await;
    waited.expect("it waits")
}
