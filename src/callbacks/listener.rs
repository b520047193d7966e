// SPDX-License-Identifier: Apache-2.0
//! A listener, told how far something is: its panic is its own, and the last that it is told.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{CallbackKind, Callbacks, Seat};
use std::sync::Arc;
use std::time::Duration;

/// A listener that is told no more once it has panicked. It is called in the thread that does the
/// work, which waits for it.
pub(crate) struct Listening<F> {
    tell: F,
    seat: Arc<Seat>,
    dropped: AtomicBool,
}

impl<F> Listening<F> {
    pub(crate) fn new(name: &str, tell: F) -> Self {
        let seat = Callbacks::unwatched().seat(CallbackKind::Listener, name, Duration::MAX);
        Self {
            tell,
            seat,
            dropped: AtomicBool::new(false),
        }
    }

    /// Calls `with` with the listener, unless that has panicked before.
    pub(crate) fn tell(&self, with: impl FnOnce(&F)) {
        if self.dropped.load(Ordering::Acquire) {
            return;
        }
        if self.seat.call(|| with(&self.tell)).is_err() {
            self.dropped.store(true, Ordering::Release);
        }
    }
}
