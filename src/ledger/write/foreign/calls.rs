// SPDX-License-Identifier: Apache-2.0
//! A call into the embedder's code on a thread of its own, for a task that waits for it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::callbacks::Seat;
use crate::error::AppendError;

/// Runs `work` on a thread of its own, for at most the seat's budget. No thread of the runtime waits
/// for it, and no runtime for the thread: one that hangs is left behind with what it holds, `room`
/// among it. A caller that stops waiting stops nothing.
///
/// # Errors
/// `CallbackTimedOut`, `CallbackFailed` where it panicked, `Busy` where there is no thread.
pub(super) async fn on_a_thread<R: Send + 'static>(
    seat: &Arc<Seat>,
    command: &'static str,
    room: OwnedSemaphorePermit,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, AppendError> {
    let (reply, answer) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let called = Arc::clone(seat);
    let run = move || {
        let entered = runtime.enter();
        let outcome = called.call(work);
        drop((entered, room));
        drop(reply.send(outcome));
    };
    let callback = seat.kind().word();
    let thread = std::thread::Builder::new().name(format!("ledger-{callback}"));
    if thread.spawn(run).is_err() {
        let (what, limit) = ("threads", 0);
        return Err(AppendError::Busy { what, limit });
    }
    match tokio::time::timeout(seat.budget(), answer).await {
        Ok(Ok(Ok(outcome))) => Ok(outcome),
        Ok(_) => Err(panicked(seat, command)),
        // The watchdog of the seat has seen it too, or sees it with the next look.
        Err(_) => Err(AppendError::CallbackTimedOut {
            callback,
            name: seat.name().to_owned(),
            budget: seat.budget(),
        }),
    }
}

/// A panic that nothing nearer to it has caught.
pub(super) fn panicked(seat: &Seat, command: &'static str) -> AppendError {
    AppendError::CallbackFailed {
        callback: seat.kind().word(),
        name: seat.name().to_owned(),
        command,
        problem: "it panicked".to_owned(),
    }
}
