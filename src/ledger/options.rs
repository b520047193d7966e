// SPDX-License-Identifier: Apache-2.0
//! What a ledger is opened with.

use std::sync::Arc;
use std::time::Duration;

use crate::callbacks::{Callbacks, ContainedClock, ContainedEntropy};
use crate::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::config::{Limits, Validator};
use crate::database::{Space, SystemSpace};
use crate::events::LedgerId;
use crate::journal::Anchoring;
use crate::projections::Projection;
use crate::redaction::Redaction;

use super::attest::checkpoints::CheckpointOptions;

/// How a ledger is opened. The defaults are what a runtime wants.
pub struct Options {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids and salts come from.
    pub entropy: Arc<dyn Entropy>,
    /// Id of a ledger that is created; made if absent. One that exists in a directory must have
    /// it, else opening fails with `OtherLedger`; a given journal keeps the id that it has.
    pub ledger_id: Option<LedgerId>,
    /// Limits on everything.
    pub limits: Limits,
    /// Whether a command waits its turn for room, and for views that are too far behind, at most a minute (true), or is
    /// answered with `Busy` or `ViewLag` at once (false).
    pub wait_for_admission: bool,
    /// Interval of the ledger's own counted records (10 s); none is written when idle.
    pub activity_interval: Duration,
    /// Who checks configuration documents; all must accept.
    pub validators: Vec<Arc<dyn Validator>>,
    /// Who takes secrets out before anything is stored.
    pub redaction: Option<Arc<dyn Redaction>>,
    /// How long a command waits for a validator, and `emit`'s pump for the redactor (5 s). One that
    /// takes longer costs what waits for it. What one call of it, of a clock, an entropy, a space or a
    /// projection takes beyond that is in [`Health`](crate::operation::Health) until it comes back; clock and
    /// entropy that take longer than `hang_after` seal the ledger.
    pub callback_budget: Duration,
    /// Views beside the built-in ones.
    pub projections: Vec<Box<dyn Projection>>,
    /// Records after which the states are saved again, so that an opening reads the tail and not the
    /// history (100,000); also at a close that finds enough of them. 0: never.
    pub snapshot_records: u64,
    /// How the ledger signs checkpoints of itself; `None`: it does not.
    pub checkpoints: Option<CheckpointOptions>,
    /// Bytes a second that are verified in the background (8 MiB); 0: none are.
    pub scrub_bytes_per_second: u64,
    /// Rest between two passes of the scrub over everything (a day).
    pub scrub_pause: Duration,
    /// Bytes that the journal's engine holds in memory before it writes a table, and that each view holds of what its
    /// newest 65,536 records changed before it writes a file; `None`: 8 MiB. The journal's is fixed when the ledger is
    /// made.
    pub memtable_bytes: Option<u64>,
    /// Bytes of blocks that the engine keeps of the journal, and again of the views; `None`: 16 MiB
    /// of each.
    pub cache_bytes: Option<u64>,
    /// Files that are kept open for reading, of the journal's engine and the views together (128; at least
    /// 20). Some 64 more are needed beside them, and opening fails with `Descriptors` where the process may
    /// not have as many.
    pub descriptors_max: usize,
    /// Bytes kept free on the disk (256 MiB); 0: none. Below it new executions are refused, below
    /// a half everything but endings, below an eighth endings too, each until there is room.
    pub disk_reserve_bytes: u64,
    /// Who says how much room there is.
    pub space: Arc<dyn Space>,
    /// A commit that takes longer hangs (30 s): its callers are answered *outcome unknown* and the
    /// ledger is sealed. Time in which the process did not run is not counted.
    pub hang_after: Duration,
    /// Whether the process is aborted then (false), for a supervisor to start it again.
    pub abort_when_hung: bool,
    /// When the anchor is written, which claims how far the journal was acknowledged.
    pub anchoring: Anchoring,
    /// Opens although the anchor is unusable or claims records that are missing, and makes a new
    /// one from what the journal holds (false): the operator's word that this is what is left. It
    /// becomes a record; the old anchor is kept in `quarantine/`.
    pub renew_anchor: bool,
    /// Opens although the key of subjects is missing or unusable, and makes a new one (false): the operator's word that it
    /// will not come back. Records of subjects that were named until then are found by their ids no more. It becomes a
    /// record; a file that was there is kept in `quarantine/`.
    pub renew_subject_key: bool,
}

impl Options {
    /// Whether a ledger can be opened with these; asked at every opening.
    ///
    /// # Errors
    /// Says which option or limit is of no use, or contradicts which.
    pub fn check(&self) -> Result<(), &'static str> {
        self.limits.check()?;
        let rules = [
            (
                !self.hang_after.is_zero(),
                "hang_after is zero: every commit would hang",
            ),
            (
                !self.callback_budget.is_zero(),
                "callback_budget is zero: every call would take too long",
            ),
            (
                !self.activity_interval.is_zero(),
                "activity_interval is zero",
            ),
            (
                self.memtable_bytes != Some(0) && self.cache_bytes != Some(0),
                "memtable_bytes or cache_bytes is zero",
            ),
        ];
        let broken = rules.iter().find(|(holds, _)| !holds);
        broken.map_or(Ok(()), |(_, problem)| Err(*problem))
    }

    /// Takes the embedder's clock and entropy behind what contains them.
    pub(super) fn contain(&mut self, callbacks: &Callbacks) {
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        let budget = self.callback_budget;
        self.clock = Arc::new(ContainedClock::new(clock, callbacks, budget));
        self.entropy = Arc::new(ContainedEntropy::new(entropy, callbacks, budget));
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(SystemEntropy::default()),
            ledger_id: None,
            limits: Limits::default(),
            wait_for_admission: true,
            activity_interval: Duration::from_secs(10),
            validators: Vec::new(),
            redaction: None,
            callback_budget: Duration::from_secs(5),
            projections: Vec::new(),
            snapshot_records: 100_000,
            checkpoints: None,
            scrub_bytes_per_second: 8 << 20,
            scrub_pause: Duration::from_secs(24 * 60 * 60),
            memtable_bytes: None,
            cache_bytes: None,
            descriptors_max: 128,
            disk_reserve_bytes: 256 << 20,
            space: Arc::new(SystemSpace),
            hang_after: Duration::from_secs(30),
            abort_when_hung: false,
            anchoring: Anchoring::default(),
            renew_anchor: false,
            renew_subject_key: false,
        }
    }
}
