// SPDX-License-Identifier: Apache-2.0
//! The findings of an opening in a journal on disk.

use crate::database::TornTail;

/// Findings in a closed journal: its log, and a tail that was set aside.
///
/// Example: [`operation`](crate::operation).
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct FoundInJournal {
    /// Files of the database's write-ahead log.
    pub log_files: u64,
    /// Whole batches in them: frames that were not in tables alone.
    pub log_batches: u64,
    /// A log file that is missing between others. Its frames may all be in tables: reading the
    /// journal tells.
    pub log_gap: Option<u64>,
    /// The bytes after the last whole batch, which were cut off.
    pub torn: Option<TornTail>,
}
