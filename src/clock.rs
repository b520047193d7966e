// SPDX-License-Identifier: Apache-2.0
//! Where time, ids and salts come from. Injected, so that the same commands give the same bytes.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::clock::{Clock, CountingEntropy, ManualClock};
//! use femtoclaw_ledger::{Ledger, Options};
//! use std::{sync::Arc, time::Duration};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("ledger");
//! let clock = Arc::new(ManualClock::new(1_700_000_000_000_000_000));
//! let options = Options {
//!     clock: clock.clone(),
//!     entropy: Arc::new(CountingEntropy::default()), // anybody could guess its bytes
//!     ..Options::default()
//! };
//! let (ledger, root) = Ledger::open(&path, options).await?;
//! assert_eq!(ledger.head().time_ns, clock.now_ns());
//!
//! clock.advance(Duration::from_secs(1));
//! root.grant("runtime", Default::default(), Default::default()).await?;
//! assert_eq!(ledger.head().time_ns, 1_700_000_001_000_000_000);
//! # root.close(Duration::from_secs(60)).await?;
//! # Ok(())
//! # }
//! ```

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use crate::events::CommandId;
use crate::locks::whole;

mod believed;
mod system_entropy;

pub(crate) use believed::BelievedClock;
pub use system_entropy::SystemEntropy;

/// Wall clock and monotonic clock.
pub trait Clock: Send + Sync + 'static {
    /// Nanoseconds since 1970.
    fn now_ns(&self) -> i64;
    /// Nanoseconds since some fixed moment; never goes back.
    fn monotonic_ns(&self) -> u64;

    /// Has `told` called whenever this clock is set by hand, until it says false. An idle ledger looks at the time every
    /// three seconds, by the system's clock; a clock that leaps, as in tests, is looked at when it says so. By default it
    /// never does. The ledger asks once an opening.
    fn when_set(&self, _told: WhenSet) {}
}

/// Told that a clock was set by hand; says false once nobody wants to know any more.
///
/// Example: [`ManualClock`].
pub type WhenSet = Box<dyn Fn() -> bool + Send + Sync>;

/// The operating system's clocks.
///
/// Example: [`directory`](crate::directory).
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    fn now_ns(&self) -> i64 {
        match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
        }
    }

    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The moment of the runtime's clock after `timeout`, for what is waited for in real time: a clock
/// that stands still must not keep a close from ending. No duration is too long.
pub(crate) fn runtime_after(timeout: std::time::Duration) -> tokio::time::Instant {
    /// Thirty years.
    const FAR: std::time::Duration = std::time::Duration::from_secs(86_400 * 365 * 30);
    let now = tokio::time::Instant::now();
    now.checked_add(timeout.min(FAR)).unwrap_or(now)
}

/// A clock that stands still until it is told otherwise.
///
/// ```
/// use femtoclaw_ledger::clock::{Clock, ManualClock};
/// use std::{sync::Arc, sync::atomic::{AtomicU32, Ordering}, time::Duration};
/// let (clock, times) = (ManualClock::new(0), Arc::new(AtomicU32::new(0)));
/// let told = Arc::clone(&times);
/// clock.when_set(Box::new(move || told.fetch_add(1, Ordering::SeqCst) < 1));
/// for _ in 0..3 {
///     clock.advance(Duration::from_secs(1));
/// }
/// assert_eq!(times.load(Ordering::SeqCst), 2); // the second answer was false
/// ```
#[derive(Default)]
pub struct ManualClock {
    now_ns: AtomicI64,
    monotonic_ns: AtomicU64,
    /// Lock: who sets it, while it tells; who is told must not set it.
    told: Mutex<Vec<WhenSet>>,
}

impl std::fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManualClock")
            .field("now_ns", &self.now_ns)
            .field("monotonic_ns", &self.monotonic_ns)
            .finish_non_exhaustive()
    }
}

impl ManualClock {
    /// A clock that shows `now_ns` nanoseconds since 1970.
    #[must_use]
    pub fn new(now_ns: i64) -> Self {
        Self {
            now_ns: AtomicI64::new(now_ns),
            monotonic_ns: AtomicU64::new(0),
            told: Mutex::default(),
        }
    }

    /// Both clocks move on.
    pub fn advance(&self, duration: std::time::Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.monotonic_ns.fetch_add(nanos, Ordering::SeqCst);
        self.now_ns
            .fetch_add(i64::try_from(nanos).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.tell();
    }

    /// Only the wall clock is set, as by an operator.
    pub fn set_now(&self, now_ns: i64) {
        self.now_ns.store(now_ns, Ordering::SeqCst);
        self.tell();
    }

    fn tell(&self) {
        whole(self.told.lock()).retain(|told| told());
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> i64 {
        self.now_ns.load(Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> u64 {
        self.monotonic_ns.load(Ordering::SeqCst)
    }

    fn when_set(&self, told: WhenSet) {
        whole(self.told.lock()).push(told);
    }
}

/// Random bytes: 16 at a time, for ids and salts.
///
/// Example: `tests/system/randomness.rs`.
pub trait Entropy: Send + Sync + 'static {
    /// 16 fresh bytes. A source that has none panics, and the ledger is sealed.
    fn bytes16(&self) -> [u8; 16];

    /// Whether there will be bytes for what begins now. An opening, a command and a salvage ask before they write
    /// anything, and are refused with `NoRandomness` where it errs; an emitted observation is lost. By default it says yes.
    ///
    /// # Errors
    /// Why there are none.
    fn ready(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether there will be so many times 16 bytes for the end of an execution that runs. Asked where
    /// [`Entropy::ready`] errs: the effect has happened, and a source that keeps bytes back for that says yes. By
    /// default it says what `ready` does.
    ///
    /// # Errors
    /// Why there are none: the end is refused with `NoRandomness`, and its execution runs on.
    fn ready_to_end(&self, _times: usize) -> io::Result<()> {
        self.ready()
    }
}

impl CommandId {
    /// A fresh id that no other command has, in the layout of a UUID of version 7: the system's time, to a quarter of a
    /// microsecond, and 62 random bits. Ids made one after the other sort so, as far as the clock tells them apart.
    ///
    /// Make it before the first try and keep it: a command sent again with the same id and content is answered with the
    /// first receipt, also after a crash.
    ///
    /// ```
    /// use femtoclaw_ledger::{CommandId, Context};
    /// let command = CommandId::new();
    /// let context = Context::new().command(command); // of this try and of each that follows
    /// assert_eq!(context.command_id(), Some(command));
    /// ```
    ///
    /// Where the operating system has no randomness, the process's number and a count stand for it: of one ledger one
    /// process is open at a time.
    #[must_use]
    pub fn new() -> Self {
        let mut random = [0; 8];
        let random = match getrandom::fill(&mut random) {
            Ok(()) => u64::from_be_bytes(random),
            Err(_) => counted(),
        };
        Self::at(SystemClock::default().now_ns(), random)
    }

    /// RFC 9562, 5.7, with the fraction of the millisecond in `rand_a` (6.2, method 3).
    fn at(now_ns: i64, random: u64) -> Self {
        const NS_PER_MS: u64 = 1_000_000;
        let now_ns = u64::try_from(now_ns).unwrap_or(0);
        let fraction = now_ns % NS_PER_MS * 4096 / NS_PER_MS;
        let time = ((now_ns / NS_PER_MS) << 16) | (7 << 12) | fraction;
        let random = (0b10 << 62) | (random >> 2);
        Self::from_bytes(((u128::from(time) << 64) | u128::from(random)).to_be_bytes())
    }
}

/// No number twice in one process, and none of another process that runs beside it. The last two bits are of no use to an
/// id.
fn counted() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    const COUNT_BITS: u32 = 38;
    let count = COUNT.fetch_add(1, Ordering::Relaxed) % (1 << COUNT_BITS);
    ((u64::from(std::process::id()) << COUNT_BITS) | count) << 2
}

/// Fills `secret` from the operating system's random source and keeps no copy: for keys.
///
/// ```
/// let mut seed = [0; 32];
/// femtoclaw_ledger::clock::fill_secret(&mut seed)?;
/// assert_ne!(seed, [0; 32]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Where the source failed; `secret` is not to be used.
pub fn fill_secret(secret: &mut [u8]) -> io::Result<()> {
    getrandom::fill(secret).map_err(io::Error::from)
}

/// A counter instead of randomness: the same calls give the same bytes.
#[derive(Debug, Default)]
pub struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn bytes16(&self) -> [u8; 16] {
        let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        (u128::from(count) | (0xFC << 120)).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_command_id_is_a_uuid_of_version_7_in_order_of_time() {
        // The example of RFC 9562, A.6, whose rand_a is random: here the fraction of the millisecond.
        let id = CommandId::at(0x017F_22E2_79B0 * 1_000_000 + 500_000, u64::MAX);
        assert_eq!(id.to_string(), "017f22e279b07800bfffffffffffffff");
        let later = CommandId::at(0x017F_22E2_79B0 * 1_000_000 + 500_300, 0);
        assert!(id < later, "{id} {later}");
        assert_eq!(later.to_string(), "017f22e279b078018000000000000000");
    }

    #[test]
    fn fresh_command_ids_differ_and_are_of_now() {
        let before = CommandId::at(SystemClock::default().now_ns(), 0);
        let (one, other) = (CommandId::new(), CommandId::new());
        assert_ne!(one, other);
        assert!(before.as_bytes()[..7] <= one.as_bytes()[..7]);
    }

    #[test]
    fn a_clock_set_by_hand_tells_until_nobody_wants_to_know() {
        let (clock, times) = (ManualClock::new(0), std::sync::Arc::new(AtomicU64::new(0)));
        let told = std::sync::Arc::clone(&times);
        clock.when_set(Box::new(move || told.fetch_add(1, Ordering::SeqCst) < 2));
        clock.advance(std::time::Duration::from_secs(1));
        clock.set_now(5);
        assert_eq!(times.load(Ordering::SeqCst), 2);
        for _ in 0..3 {
            clock.advance(std::time::Duration::from_secs(1));
        }
        assert_eq!(times.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn command_ids_without_randomness_differ_by_count_and_process() {
        let ids: BTreeSet<_> = (0..100).map(|_| CommandId::at(7, counted())).collect();
        assert_eq!(ids.len(), 100);
        let process = |id: &CommandId| {
            let low = u128::from_be_bytes(*id.as_bytes()) as u64;
            (low & !(0b11 << 62)) >> 38
        };
        assert!(
            ids.iter()
                .all(|id| process(id) == u64::from(std::process::id()))
        );
    }
}
