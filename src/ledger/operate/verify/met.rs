// SPDX-License-Identifier: Apache-2.0
//! What is met on the way: damage, and what is none.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::database::{Damage, Meaning};
use crate::error::{Fault, OpenError};
use crate::events::Seq;

use super::damaged::Damaged;

/// Something that could not be read: nothing is known of it, and nothing is called damaged for it.
///
/// Example: [`verify`](crate::verify).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[non_exhaustive]
pub struct Unread {
    /// The file; or the directory of the database, where it is a record.
    #[serde(serialize_with = "crate::events::readable::path")]
    pub path: PathBuf,
    /// The record, where it is one.
    pub seq: Option<Seq>,
    /// Whether the system refused, or nobody knows.
    pub fault: Fault,
    /// In the system's words.
    pub what: String,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.seq.map_or(Ok(()), |seq| write!(f, ", record {seq}"))?;
        write!(f, ": {}", self.what)
    }
}

impl Unread {
    pub(in crate::ledger) fn of(path: &Path, fault: Fault, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            seq: None,
            fault,
            what: what.into(),
        }
    }

    /// A record of the journal.
    pub(in crate::ledger) fn record(journal: &Path, seq: Seq, what: impl Into<String>) -> Self {
        Self {
            seq: Some(seq),
            ..Self::of(journal, Fault::Unknown, what)
        }
    }
}

/// One thing that was met.
#[derive(Debug)]
pub(in crate::ledger) enum Met {
    Damaged(Damaged),
    /// The bytes are right and the engine states otherwise.
    EngineFault(Damaged),
    /// Of a write that failed or is under way.
    Unfinished(Damaged),
    Unread(Unread),
}

impl From<Damaged> for Met {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged)
    }
}

impl From<Unread> for Met {
    fn from(unread: Unread) -> Self {
        Self::Unread(unread)
    }
}

fn placed(damage: &Damage) -> Damaged {
    let (path, offset) = damage.place();
    Damaged {
        offset,
        ..Damaged::of(&path, damage.what())
    }
}

impl From<&Damage> for Met {
    fn from(damage: &Damage) -> Self {
        match damage.meaning() {
            Meaning::Damaged => Self::Damaged(placed(damage)),
            Meaning::EngineFault => Self::EngineFault(placed(damage)),
            Meaning::Unread(fault) => {
                let (path, _) = damage.place();
                Unread::of(&path, fault, damage.what()).into()
            }
        }
    }
}

impl Met {
    /// Bytes of a write that failed or is under way.
    pub(super) fn unfinished(found: &Damage) -> Self {
        Self::Unfinished(placed(found))
    }

    /// What an opening would say of this file.
    pub(super) fn refused(path: &Path, error: &OpenError) -> Self {
        match error {
            OpenError::Damaged { problem, .. } | OpenError::NotALedger { problem, .. } => {
                Damaged::of(path, problem.as_str()).into()
            }
            OpenError::Refused { source, .. } | OpenError::Io { source, .. } => {
                Self::from(&Damage::io(path, crate::error::again(source)))
            }
            error => Damaged::of(path, error.to_string()).into(),
        }
    }
}
