// SPDX-License-Identifier: Apache-2.0
//! Why nothing more is appended.

use crate::error::Cause;
use crate::events::Seq;

/// The writer stopped for good: nothing more is appended until the ledger is opened again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// What failed.
    pub cause: Cause,
    /// True for the answers that waited for the frame that failed with an unknown outcome.
    pub outcome_unknown: bool,
    /// First and last record whose outcome is unknown.
    pub uncertain: Option<(Seq, Seq)>,
}

impl Sealed {
    /// Whether it is unknown if this record was written: a duplicate of a command in there must
    /// be answered so too.
    #[must_use]
    pub fn is_uncertain(&self, seq: Seq) -> bool {
        self.uncertain
            .is_some_and(|(first, last)| first <= seq && seq <= last)
    }
}
