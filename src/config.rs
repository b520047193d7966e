// SPDX-License-Identifier: Apache-2.0
//! What the ledger is told at opening: limits on everything, and who checks configuration.

/// The one capability that every runtime has: a plain message. It needs no registration and walks
/// the same path as any other.
pub const BUILTIN_CAPABILITY: &str = "message";

/// Bytes kept of what is too large to be kept whole: an oversize result, a raw protocol output.
/// Digest and length of the whole are kept with them.
///
/// Example: `tests/load/oversize.rs`.
pub const KEPT_BYTES: usize = 64 << 10;

/// Limits on everything that a caller could make grow. Sizes are in bytes.
///
/// ```
/// use femtoclaw_ledger::{Limits, Options};
/// let limits = Limits { running_max: 8, ..Limits::default() };
/// assert_eq!(limits.check(), Ok(()));
/// let options = Options { limits, ..Options::default() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one payload that a caller gives: arguments, content, detail (1 MiB). A larger
    /// result is truncated, anything else larger is refused.
    pub payload_bytes_max: usize,
    /// Bytes of one commit (4 MiB).
    pub commit_bytes_max: usize,
    /// Records of one commit (256).
    pub commit_records_max: usize,
    /// Bytes after which the next commit opens a new frame (512 KiB).
    pub frame_bytes_target: usize,
    /// Records after which the next commit opens a new frame (1,024).
    pub frame_records_target: usize,
    /// Bytes of one name: capability, document, module, action (256).
    pub name_bytes_max: usize,
    /// Bytes of one text for people: reason, message, problem (64 KiB).
    pub text_bytes_max: usize,
    /// Records admitted and not yet durable (8,192).
    pub pending_records_max: usize,
    /// Bytes admitted and not yet durable (64 MiB).
    pub pending_bytes_max: usize,
    /// Parties of one chain of delegation (16).
    pub delegation_max: usize,
    /// Executions started and not finished (8,192).
    pub running_max: usize,
    /// Executions authorized and not started (65,536).
    pub authorized_max: usize,
    /// Executions that wait for persons, or that persons approved and nobody started (16,384).
    pub awaiting_max: usize,
    /// Documents, capabilities, modules and named positions, of each (16,384).
    pub entries_max: usize,
    /// Names of components, ever (65,536): they stay in memory and in the journal.
    pub components_max: usize,
    /// Bytes up to which ending an execution takes no part in the admission; a larger one waits for
    /// room, whatever the options say, and is not refused for load either (64 KiB).
    pub finish_reserve_bytes: usize,
    /// Records by which a view that decisions rest on may lag behind the head (262,144).
    pub view_lag_max: u64,
    /// Records by which a subscriber that had caught up may fall behind before it is told so
    /// (65,536).
    pub follow_lag_max: u64,
    /// Observations that `emit` holds while the writer is busy (4,096); of one component three quarters
    /// of that.
    pub emit_records_max: usize,
    /// Bytes of observations that `emit` holds while the writer is busy (4 MiB); of one component three
    /// quarters of that.
    pub emit_bytes_max: usize,
    /// Nanoseconds by which the wall clock may leap ahead of the monotonic one before that is
    /// recorded as skew (10 s).
    pub clock_leap_ns_max: i64,
    /// Nanoseconds by which the wall clock may stand ahead of the last record at opening, or leap
    /// ahead later, and still be believed (a year). Beyond it time goes on by the monotonic clock,
    /// [`Ledger::health`](crate::Ledger::health) says so, and
    /// [`Root::accept_clock`](crate::Root::accept_clock) believes it.
    pub clock_ahead_ns_max: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes_max: 1 << 20,
            commit_bytes_max: 4 << 20,
            commit_records_max: 256,
            frame_bytes_target: 512 << 10,
            frame_records_target: 1_024,
            name_bytes_max: 256,
            text_bytes_max: 64 << 10,
            pending_records_max: 8_192,
            pending_bytes_max: 64 << 20,
            delegation_max: 16,
            running_max: 8_192,
            authorized_max: 65_536,
            awaiting_max: 16_384,
            entries_max: 16_384,
            components_max: 65_536,
            finish_reserve_bytes: 64 << 10,
            view_lag_max: 262_144,
            follow_lag_max: 65_536,
            emit_records_max: 4_096,
            emit_bytes_max: 4 << 20,
            clock_leap_ns_max: 10_000_000_000,
            clock_ahead_ns_max: 365 * 24 * 3_600 * 1_000_000_000,
        }
    }
}

/// Identities and roles that one request to persons asks, of each.
pub(crate) const ASKED_MAX: usize = 64;

/// Bytes of the largest frame less what surrounds a commit in it.
pub(crate) const FRAME_CONTENT_MAX: usize = 31 << 20;

/// The most that a semaphore counts.
const COUNT_MAX: usize = usize::MAX >> 3;

impl Limits {
    /// Bytes of the largest single command, an import or a request to persons: two payloads, and what rides along with them.
    fn least_commit_bytes(&self) -> usize {
        let riders = KEPT_BYTES
            .saturating_add(self.text_bytes_max.saturating_mul(2))
            .saturating_add(self.name_bytes_max.saturating_mul(8))
            .saturating_add(self.delegation_bytes_max())
            .saturating_add(self.asked_bytes_max());
        self.payload_bytes_max
            .saturating_mul(2)
            .saturating_add(riders)
    }

    /// Bytes of the longest chain of delegation.
    const fn delegation_bytes_max(&self) -> usize {
        let party = self.name_bytes_max.saturating_mul(2).saturating_add(16);
        party.saturating_mul(self.delegation_max)
    }

    /// Bytes of the longest lists of those who are asked, by identity and by role.
    const fn asked_bytes_max(&self) -> usize {
        let asked = self.name_bytes_max.saturating_mul(3).saturating_add(24);
        asked.saturating_mul(ASKED_MAX)
    }

    /// The limits none of which may be zero.
    const fn counts(&self) -> [usize; 7] {
        [
            self.name_bytes_max,
            self.text_bytes_max,
            self.running_max,
            self.authorized_max,
            self.awaiting_max,
            self.entries_max,
            self.components_max,
        ]
    }

    /// Whether the limits can hold together; checked at opening.
    ///
    /// # Errors
    /// Says which limit contradicts which.
    pub fn check(&self) -> Result<(), &'static str> {
        let least_commit = self.least_commit_bytes();
        let rules = [
            (
                self.pending_records_max <= COUNT_MAX && self.running_max <= COUNT_MAX,
                "pending_records_max or running_max is more than can be counted",
            ),
            (
                self.frame_bytes_target <= FRAME_CONTENT_MAX,
                "frame_bytes_target is more than 31 MiB",
            ),
            (
                self.frame_bytes_target > 0 && self.frame_records_target > 0,
                "a frame's target is zero",
            ),
            (
                self.finish_reserve_bytes <= self.commit_bytes_max,
                "finish_reserve_bytes is more than one commit",
            ),
            (
                self.emit_records_max > 0 && self.emit_bytes_max >= self.payload_bytes_max,
                "emit cannot hold one observation",
            ),
            (
                self.view_lag_max > 0 && self.follow_lag_max > 0,
                "a lag of zero records is none that anything keeps",
            ),
            (
                self.payload_bytes_max >= KEPT_BYTES,
                "payload_bytes_max is less than the 64 KiB that are kept of a truncated result",
            ),
            (
                self.commit_bytes_max >= least_commit,
                "commit_bytes_max cannot hold the largest single command",
            ),
            (
                self.commit_bytes_max <= FRAME_CONTENT_MAX,
                "commit_bytes_max is more than 31 MiB",
            ),
            (
                (8..=65_535).contains(&self.commit_records_max),
                "commit_records_max is not between 8 and 65,535",
            ),
            (
                self.pending_bytes_max >= self.commit_bytes_max,
                "pending_bytes_max cannot admit one commit",
            ),
            (
                self.pending_records_max >= self.commit_records_max,
                "pending_records_max cannot admit one commit",
            ),
            (!self.counts().contains(&0), "a limit is zero"),
            (
                self.clock_leap_ns_max > 0 && self.clock_ahead_ns_max >= self.clock_leap_ns_max,
                "clock_leap_ns_max is not positive, or more than clock_ahead_ns_max",
            ),
        ];
        rules
            .iter()
            .find(|(holds, _)| !holds)
            .map_or(Ok(()), |(_, problem)| Err(*problem))
    }
}

/// Checks a configuration document before it gets a new version (FC-STORAGE §8). All validators
/// must accept, also what a rollback restores; none is asked about what is already in the journal.
///
/// # Blocking, locks
/// Each call runs on a thread of its own, before the command is sent to its store: no lock is held,
/// and no thread of the runtime waits. It may take
/// [`Options::callback_budget`](crate::Options::callback_budget); after that, or where it panics, that
/// command is refused (`CallbackTimedOut`, `CallbackFailed`) and the validator is named in health
/// until it comes back. At most 16 calls run at a time; further ones wait for as long as the budget is, and
/// are then refused with `Busy`. It may call the ledger, and wait for what it asks
/// (`Handle::current().block_on`); a change that it makes itself is validated too.
pub trait Validator: Send + Sync {
    /// Accepts or says what is wrong.
    ///
    /// # Errors
    /// The problem, for the author of the change. It is not stored.
    fn validate(&self, document: &str, content: &[u8]) -> Result<(), String>;

    /// What errors and health call it. Asked once, at opening.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn the_defaults_hold_together_and_contradictions_are_named() {
        assert_eq!(Limits::default().check(), Ok(()));
        let bad: [fn(&mut Limits); 7] = [
            |limits| limits.payload_bytes_max = 100,
            |limits| limits.payload_bytes_max = 4 << 20,
            |limits| limits.commit_records_max = 70_000,
            |limits| limits.pending_bytes_max = 100,
            |limits| limits.running_max = 0,
            |limits| limits.clock_leap_ns_max = 0,
            |limits| limits.clock_ahead_ns_max = 1,
        ];
        for change in bad {
            let mut limits = Limits::default();
            change(&mut limits);
            assert!(limits.check().is_err(), "{limits:?}");
        }
    }
}
