//! What a ledger is opened with.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::config::{Limits, Validator};
use crate::events::LedgerId;
use crate::projections::Projection;

/// Changes what a command would persist, before anything of it is hashed or stored: the log cannot
/// be cleaned afterwards. Gets arguments, results, inputs and attributes.
pub trait Redaction: Send + Sync {
    /// Redacts `bytes` in place; `kind` is the command's word, such as `authorize` or `finish`.
    fn redact(&self, kind: &str, bytes: &mut Vec<u8>);
}

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
    /// Whether a full admission waits its turn (true) or answers `Busy` at once (false).
    pub wait_for_admission: bool,
    /// Interval of the ledger's own counted records (10 s); none is written when idle.
    pub activity_interval: Duration,
    /// Who checks configuration documents; all must accept.
    pub validators: Vec<Arc<dyn Validator>>,
    /// Who takes secrets out before anything is stored.
    pub redaction: Option<Arc<dyn Redaction>>,
    /// Views beside the built-in ones.
    pub projections: Vec<Box<dyn Projection>>,
    /// Bytes of a memtable of the journal's engine; `None`: its default. Smaller ones flush more
    /// often. Fixed when the ledger is created.
    pub memtable_bytes: Option<u64>,
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
            projections: Vec::new(),
            memtable_bytes: None,
        }
    }
}
