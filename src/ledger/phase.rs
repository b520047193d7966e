// SPDX-License-Identifier: Apache-2.0
//! How far a ledger's life has come, and a bell for whoever waits while it moves on.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::watch;

/// Takes commands.
pub(crate) const SERVING: u8 = 0;
/// Takes the ends of what runs, and nothing else.
pub(crate) const FINISHING: u8 = 1;
/// Takes nothing; the last records are on their way.
pub(crate) const SHUT: u8 = 2;
/// Nothing comes any more: the journal is let go of.
pub(crate) const CLOSED: u8 = 3;

/// The phase, which only rises. The bell rings when it does, and when a grant is taken back: who
/// waits for something else looks again then.
pub(crate) struct Phase {
    now: AtomicU8,
    bell: watch::Sender<()>,
}

impl Phase {
    pub(crate) fn new() -> Self {
        Self {
            now: AtomicU8::new(SERVING),
            bell: watch::Sender::new(()),
        }
    }

    pub(crate) fn now(&self) -> u8 {
        self.now.load(Ordering::Acquire)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.now() == CLOSED
    }

    /// Goes on to `phase`, never back.
    pub(crate) fn advance(&self, phase: u8) {
        self.now.fetch_max(phase, Ordering::AcqRel);
        self.ring();
    }

    /// Has everybody who waits look again.
    pub(crate) fn ring(&self) {
        self.bell.send_replace(());
    }

    pub(crate) fn bell(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }

    /// Waits for `awaited`; `None` where the ledger is closed first.
    pub(crate) async fn unless_closed<F: Future>(&self, awaited: F) -> Option<F::Output> {
        let mut bell = self.bell();
        let closed = async {
            while !self.is_closed() {
                // The sender is here: it does not end before this does.
                if bell.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            outcome = awaited => Some(outcome),
            () = closed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_never_goes_back_and_wakes_who_waits() {
        let phase = Phase::new();
        let mut bell = phase.bell();
        phase.advance(SHUT);
        phase.advance(FINISHING);
        assert_eq!(phase.now(), SHUT);
        assert!(bell.has_changed().unwrap());
        bell.mark_unchanged();
        assert_eq!(phase.unless_closed(std::future::ready(1)).await, Some(1));
        let never = phase.unless_closed(std::future::pending::<()>());
        let closing = async {
            tokio::task::yield_now().await;
            phase.advance(CLOSED);
        };
        assert_eq!(tokio::join!(never, closing).0, None);
    }
}
