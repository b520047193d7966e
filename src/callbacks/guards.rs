// SPDX-License-Identifier: Apache-2.0
//! Clock, entropy and signer of the embedder's, as the ledger calls them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Entropy, fill_secret};
use crate::integrity::key::{Signer, VerifierKey};

use super::{CallbackKind, Callbacks, Seat};

/// The clock: one that panicked or did not come back stands still from there on, and the ledger is
/// sealed. The monotonic one never goes back.
pub(crate) struct ContainedClock {
    inner: Arc<dyn Clock>,
    seat: Arc<Seat>,
    now_ns: AtomicI64,
    monotonic_ns: AtomicU64,
}

impl ContainedClock {
    pub(crate) fn new(inner: Arc<dyn Clock>, callbacks: &Callbacks, budget: Duration) -> Self {
        let seat = callbacks.seat(CallbackKind::Clock, "", budget);
        let pace = callbacks.pace().weak();
        let told = move || pace.stir();
        // Its seat has told where it panicked.
        let _asked = seat.call(|| inner.when_set(Box::new(told))).is_ok();
        Self {
            inner,
            seat,
            now_ns: AtomicI64::new(0),
            monotonic_ns: AtomicU64::new(0),
        }
    }
}

impl Clock for ContainedClock {
    fn now_ns(&self) -> i64 {
        if !self.seat.is_out()
            && let Ok(now) = self.seat.call(|| self.inner.now_ns())
        {
            self.now_ns.store(now, Ordering::Relaxed);
        }
        self.now_ns.load(Ordering::Relaxed)
    }

    fn monotonic_ns(&self) -> u64 {
        if !self.seat.is_out()
            && let Ok(now) = self.seat.call(|| self.inner.monotonic_ns())
        {
            return self.monotonic_ns.fetch_max(now, Ordering::Relaxed).max(now);
        }
        self.monotonic_ns.load(Ordering::Relaxed)
    }
}

/// The entropy: one that panicked, did not come back or gave the same bytes twice in a row is not
/// asked any more, and the ledger is sealed. Bytes drawn afterwards are never stored.
pub(crate) struct ContainedEntropy {
    inner: Arc<dyn Entropy>,
    seat: Arc<Seat>,
    /// That it has no bytes for what begins is told there: nothing is sealed by it.
    supply: Arc<Seat>,
    /// The last bytes, as two halves: nothing but a constant repeats both.
    last: [AtomicU64; 2],
}

impl ContainedEntropy {
    pub(crate) fn new(inner: Arc<dyn Entropy>, callbacks: &Callbacks, budget: Duration) -> Self {
        Self {
            inner,
            seat: callbacks.seat(CallbackKind::Entropy, "", budget),
            supply: callbacks.seated(Seat::new(CallbackKind::Entropy, "", budget, None)),
            last: Default::default(),
        }
    }
}

impl Entropy for ContainedEntropy {
    fn bytes16(&self) -> [u8; 16] {
        if !self.seat.is_out()
            && let Ok(bytes) = self.seat.call(|| self.inner.bytes16())
        {
            let number = u128::from_be_bytes(bytes);
            let halves = [(number >> 64) as u64, number as u64];
            let [high, low] = &self.last;
            let [new_high, new_low] = halves;
            let before = [
                high.swap(new_high, Ordering::Relaxed),
                low.swap(new_low, Ordering::Relaxed),
            ];
            if before != halves {
                return bytes;
            }
            self.seat.nonsense(&"it gave the same bytes twice in a row");
        }
        // Of the operating system, if that has any: for what a sealed ledger asks for.
        let mut bytes = [0; 16];
        let _filled = fill_secret(&mut bytes).is_ok();
        bytes
    }

    /// One that panics is not asked any more; the ledger is sealed, and says so itself.
    fn ready(&self) -> io::Result<()> {
        if self.seat.is_out() {
            return Ok(());
        }
        match self.seat.call(|| self.inner.ready()) {
            Ok(Err(error)) => Err(io::Error::other(self.supply.failed(&error))),
            Ok(Ok(())) => {
                self.supply.well();
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    /// Health tells of what begins alone.
    fn ready_to_end(&self, times: usize) -> io::Result<()> {
        self.ready().or_else(
            |none| match self.seat.call(|| self.inner.ready_to_end(times)) {
                Ok(Err(_)) => Err(none),
                _ => Ok(()),
            },
        )
    }
}

/// The signer: its key is asked for once, and each signature on a thread of its own.
pub(crate) struct ContainedSigner {
    inner: Arc<dyn Signer>,
    key: VerifierKey,
    seat: Arc<Seat>,
}

impl ContainedSigner {
    /// # Errors
    /// Where it cannot say what its key is.
    pub(crate) fn new(
        inner: Arc<dyn Signer>,
        callbacks: &Callbacks,
        budget: Duration,
    ) -> Result<Self, String> {
        let asked = callbacks.seat(CallbackKind::Signer, "", budget);
        let signer = Arc::clone(&inner);
        let key = asked.within(move || signer.key().clone())?;
        let seat = callbacks.seat(CallbackKind::Signer, key.name(), budget);
        Ok(Self { inner, key, seat })
    }
}

impl Signer for ContainedSigner {
    fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Blocks, no longer than the budget.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Box<dyn std::error::Error + Send + Sync>> {
        let (signer, bytes) = (Arc::clone(&self.inner), message.to_vec());
        let signed = self.seat.within(move || signer.sign(&bytes))?;
        let signature = signed.map_err(|error| self.seat.failed(&error))?;
        if self.key.accepts(message, &signature) {
            self.seat.well();
        } else {
            self.seat
                .nonsense(&"its own public key does not accept its signature");
        }
        Ok(signature)
    }
}
