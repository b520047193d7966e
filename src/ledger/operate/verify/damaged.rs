// SPDX-License-Identifier: Apache-2.0
//! Something that is not as it was written.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::events::Seq;

/// Something that is not as it was written.
///
/// Example: [`verify`](crate::verify).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[non_exhaustive]
pub struct Damaged {
    /// The file; or the directory of the database, where a record is damaged and its file is not
    /// known (the file is then among the damages as well, unless its checksums were forged).
    #[serde(serialize_with = "crate::events::readable::path")]
    pub path: PathBuf,
    /// The byte in the file where it begins, where that is known.
    pub offset: Option<u64>,
    /// The record, where it is one.
    pub seq: Option<Seq>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.seq.map_or(Ok(()), |seq| write!(f, ", record {seq}"))?;
        self.offset.map_or(Ok(()), |at| write!(f, ", byte {at}"))?;
        write!(f, ": {}", self.what)
    }
}

impl Damaged {
    pub(in crate::ledger) fn of(path: &Path, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            offset: None,
            seq: None,
            what: what.into(),
        }
    }

    pub(in crate::ledger) fn record(journal: &Path, seq: Seq, what: impl Into<String>) -> Self {
        Self {
            seq: Some(seq),
            ..Self::of(journal, what)
        }
    }
}
