// SPDX-License-Identifier: Apache-2.0
//! What could not be read is tried again soon, some times: the system that refused lets go again, and a
//! medium may answer.

use super::found::ScrubFindings;
use crate::ledger::operate::verify::Unread;

/// Before what could not be read is passed over until the next pass.
const TRIES_MAX: u32 = 8;
const PAUSE_NS: u64 = 1_000_000_000;

#[derive(Default)]
pub(super) struct Again {
    /// What the last try could not read.
    unread: Vec<Unread>,
    tries: u32,
    from_ns: u64,
}

impl Again {
    /// Whether it is time.
    pub(super) const fn may(&self, now_ns: u64) -> bool {
        now_ns >= self.from_ns
    }

    /// The next try begins: it tells anew what it cannot read.
    pub(super) fn begin(&mut self, found: &mut ScrubFindings) {
        if self.unread.is_empty() {
            self.tries = 0;
        }
        for unread in self.unread.drain(..) {
            found.tried_again(&unread);
        }
    }

    /// This could not be read. True where it is to be tried again, after a pause.
    pub(super) fn later(&mut self, unread: Unread, now_ns: u64) -> bool {
        // Several things of one try count once.
        if self.unread.is_empty() {
            self.tries += 1;
        }
        if self.tries > TRIES_MAX {
            return false;
        }
        self.unread.push(unread);
        self.from_ns = now_ns + PAUSE_NS;
        true
    }
}
