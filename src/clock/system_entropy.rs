// SPDX-License-Identifier: Apache-2.0
//! The operating system's random source, and what is kept back of it.

use std::io;
use std::sync::Mutex;

use super::{Entropy, fill_secret};
use crate::locks::whole;

/// The operating system's random source, read ahead.
///
/// Where the system has no randomness, nothing new is begun. What was begun before has the bytes that were read ahead: at
/// least 2,048 times 16. As many more are kept back for the ends of what runs; once these are promised, an end is refused,
/// too. Only where what was begun needs more than that it panics, and the ledger is sealed: nothing is written that is not
/// salted and named.
///
/// Example: [`directory`](crate::directory).
pub struct SystemEntropy {
    /// Lock: whoever draws, for one copy; also while the system is asked for more.
    ahead: Mutex<BytesAhead>,
    source: fn(&mut [u8]) -> io::Result<()>,
}

/// Bytes of the random source, none of which was given twice.
struct BytesAhead {
    bytes: Vec<u8>,
    used: usize,
    /// Bytes that ends were promised since the source last gave some, taken or not.
    promised: usize,
}

impl SystemEntropy {
    const AHEAD_MAX: usize = 128 << 10;
    /// `ready` makes sure of so many, half of them for ends.
    const AHEAD_MIN: usize = 64 << 10;
    const ENDS_MAX: usize = 32 << 10;

    fn of(source: fn(&mut [u8]) -> io::Result<()>) -> Self {
        let (bytes, used, promised) = (Vec::new(), 0, 0);
        Self {
            ahead: Mutex::new(BytesAhead {
                bytes,
                used,
                promised,
            }),
            source,
        }
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::of(fill_secret)
    }
}

impl std::fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not what it will give.
        f.debug_struct("SystemEntropy").finish_non_exhaustive()
    }
}

impl BytesAhead {
    /// At least `least` bytes are ahead. Where the source fails, those that were ahead stay.
    fn hold(&mut self, least: usize, source: fn(&mut [u8]) -> io::Result<()>) -> io::Result<()> {
        let left = self.bytes.len().saturating_sub(self.used);
        if left >= least {
            return Ok(());
        }
        let mut fresh = vec![0; SystemEntropy::AHEAD_MAX - left];
        source(&mut fresh)?;
        self.bytes.drain(..self.used);
        self.bytes.append(&mut fresh);
        self.used = 0;
        Ok(())
    }

    /// There are enough for what begins, and for what ends.
    fn ready(&mut self, source: fn(&mut [u8]) -> io::Result<()>) -> io::Result<()> {
        self.hold(SystemEntropy::AHEAD_MIN, source)?;
        self.promised = 0;
        Ok(())
    }
}

impl Entropy for SystemEntropy {
    #[allow(
        clippy::expect_used,
        reason = "nothing can be salted or named without randomness; `ready` tells before"
    )]
    fn bytes16(&self) -> [u8; 16] {
        let mut ahead = whole(self.ahead.lock());
        let held = ahead.hold(16, self.source);
        held.expect("the operating system's random source failed");
        let at = ahead.used;
        ahead.used += 16;
        let bytes = ahead.bytes.get(at..).and_then(<[u8]>::first_chunk);
        *bytes.expect("16 bytes are ahead")
    }

    fn ready(&self) -> io::Result<()> {
        whole(self.ahead.lock()).ready(self.source)
    }

    fn ready_to_end(&self, times: usize) -> io::Result<()> {
        let mut ahead = whole(self.ahead.lock());
        let Err(error) = ahead.ready(self.source) else {
            return Ok(());
        };
        let promised = ahead.promised.saturating_add(times.saturating_mul(16));
        let left = ahead.bytes.len().saturating_sub(ahead.used);
        if promised > left.min(Self::ENDS_MAX) {
            return Err(error);
        }
        ahead.promised = promised;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_system_without_randomness_refuses_what_begins_and_serves_what_has_begun() {
        static FAILS: AtomicBool = AtomicBool::new(true);
        let entropy = SystemEntropy::of(|bytes| {
            if FAILS.load(Ordering::SeqCst) {
                bytes.fill(0);
                return Err(io::Error::other("none, as the test wanted"));
            }
            fill_secret(bytes)
        });
        assert!(entropy.ready().is_err() && entropy.ready_to_end(1).is_err());
        FAILS.store(false, Ordering::SeqCst);
        entropy.ready().unwrap();
        FAILS.store(true, Ordering::SeqCst);
        let mut given = BTreeSet::new();
        while entropy.ready().is_ok() {
            assert!(given.insert(entropy.bytes16()), "given twice");
        }
        // Ends have bytes of their own, and no more than those; and a yes is good for 2,048 at least.
        let ends = (0..).take_while(|_| entropy.ready_to_end(4).is_ok());
        assert_eq!(ends.count(), 512);
        for _ in 0..512 * 4 + 2_047 {
            assert!(given.insert(entropy.bytes16()), "given twice");
        }
        assert!(entropy.ready_to_end(1).is_err());
        FAILS.store(false, Ordering::SeqCst);
        entropy.ready().unwrap();
        for _ in 0..10_000 {
            assert!(given.insert(entropy.bytes16()), "given twice");
        }
        entropy.ready_to_end(1).unwrap();
        assert!(!given.contains(&[0; 16]));
    }
}
