// SPDX-License-Identifier: Apache-2.0
//! Calls on a thread of their own: whoever waits for one waits no longer than its budget.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::seat::{How, Seat};
use crate::clock::{Clock, SystemClock};

/// Frees the seat for the next call on a thread of its own.
struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

/// A call on a thread of its own.
pub(crate) struct StartedCall<T> {
    seat: Arc<Seat>,
    clock: SystemClock,
    answer: Receiver<Result<T, String>>,
}

impl Seat {
    /// As [`Seat::call`], on a thread of its own: whoever waits for the answer waits no longer than
    /// the budget. Meanwhile, and as long as the call has not come back, there is no other one.
    ///
    /// # Errors
    /// Where an earlier call has not come back, or no thread can be had.
    pub(crate) fn start<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<StartedCall<T>, String> {
        if self.busy.swap(true, Ordering::AcqRel) {
            let cause = "it has not come back from an earlier call".to_owned();
            self.trouble(How::Hung, &cause);
            return Err(cause);
        }
        let busy = Busy(Arc::clone(self));
        let (to, answer) = mpsc::sync_channel(1);
        let runtime = tokio::runtime::Handle::try_current().ok();
        let run = move || {
            // As in a blocking task of the runtime's, which this one would keep from ending.
            let entered = runtime.as_ref().map(tokio::runtime::Handle::enter);
            let outcome = busy.0.call(work);
            drop((entered, busy));
            // Nobody waits any more where it took too long; what it gives is dropped as contained.
            if let Err(late) = to.send(outcome) {
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(late)));
                dropped.unwrap_or_else(std::mem::forget);
            }
        };
        let builder = std::thread::Builder::new().name("ledger-callback".into());
        if let Err(error) = builder.spawn(run) {
            let cause = format!("no thread to call it on: {error}");
            self.trouble(How::Failed, &cause);
            return Err(cause);
        }
        Ok(StartedCall {
            seat: Arc::clone(self),
            clock: SystemClock::default(),
            answer,
        })
    }

    /// As [`Seat::start`], and waits. Blocks.
    pub(crate) fn within<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        self.start(work)?.wait()
    }
}

impl<T> StartedCall<T> {
    /// Waits until the budget of the call is spent, counted from its start. Blocks.
    ///
    /// # Errors
    /// What it panicked with, or that it has not come back.
    pub(crate) fn wait(self) -> Result<T, String> {
        let spent = Duration::from_nanos(self.clock.monotonic_ns());
        let budget = self.seat.budget;
        match self.answer.recv_timeout(budget.saturating_sub(spent)) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => {
                let cause = format!("it has not come back within {budget:?}");
                self.seat.trouble(How::Hung, &cause);
                Err(cause)
            }
            Err(RecvTimeoutError::Disconnected) => Err("its thread ended".to_owned()),
        }
    }
}
