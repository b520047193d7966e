// SPDX-License-Identifier: Apache-2.0
//! How a ledger is salvaged, and who is told how far that is.

use std::sync::Arc;

use crate::callbacks::Listening;
use crate::clock::{Clock, Entropy, SystemClock, SystemEntropy};

/// How far a salvage is.
///
/// Example: `tests/readonly/salvage.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SalvageProgress {
    /// The source was read and verified.
    Read,
    /// Records are being copied.
    Copying {
        /// How many are.
        done: u64,
        /// Of how many.
        total: u64,
    },
    /// Frames are being set aside.
    SettingAside {
        /// How many are.
        done: u64,
        /// Of how many.
        total: u64,
    },
    /// The new ledger is being read back.
    Checking,
    /// All is durable but the name.
    Naming,
}

/// How a ledger is salvaged.
pub struct SalvageOptions {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where the id and the salt of the salvage's own record come from.
    pub entropy: Arc<dyn Entropy>,
    /// Goes on where the record that the anchor claims is another one (false): the operator's word
    /// that the anchor is wrong and not the journal.
    pub disregard_anchor: bool,
    /// Is told how far it is, and waited for. One that panics is told no more.
    pub progress: Option<Box<dyn Fn(SalvageProgress) + Send>>,
}

impl Default for SalvageOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(SystemEntropy::default()),
            disregard_anchor: false,
            progress: None,
        }
    }
}

/// Who is told how far it is.
pub(super) struct Told<'a>(Option<Listening<&'a (dyn Fn(SalvageProgress) + Send)>>);

impl<'a> Told<'a> {
    pub(super) fn of(options: &'a SalvageOptions) -> Self {
        let listening = |tell| Listening::new("salvage", tell);
        Self(options.progress.as_deref().map(listening))
    }

    pub(super) fn tell(&self, progress: SalvageProgress) {
        if let Some(listening) = &self.0 {
            listening.tell(|tell| tell(progress));
        }
    }
}
