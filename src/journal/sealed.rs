// SPDX-License-Identifier: Apache-2.0
//! Why nothing more is appended.

use std::ops::RangeInclusive;

use crate::error::Cause;
use crate::events::Seq;

/// The writer stopped for good: nothing more is appended until the ledger is opened again.
///
/// Example: [`journal`](crate::journal).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// What failed.
    pub cause: Cause,
    /// True for the answers that waited for the frame that failed with an unknown outcome.
    pub outcome_unknown: bool,
    /// The records whose outcome is unknown.
    pub uncertain: Option<RangeInclusive<Seq>>,
}

impl Sealed {
    /// Whether it is unknown if this record was written: a duplicate of a command in there must
    /// be answered so too.
    #[must_use]
    pub fn is_uncertain(&self, seq: Seq) -> bool {
        let uncertain = self.uncertain.as_ref();
        uncertain.is_some_and(|uncertain| uncertain.contains(&seq))
    }
}
