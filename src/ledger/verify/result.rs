//! What a verification says.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::database::Damage;
use crate::events::Seq;
use crate::integrity::merkle::TreeHash;
use crate::journal::Head;

use super::Subject;
use super::walk::Walked;

/// Damages that are kept; what is beyond is counted.
const DAMAGES_MAX: usize = 10_000;

/// How far a verification is. Every figure only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Records checked.
    pub records: u64,
    /// Records there are to check.
    pub records_total: u64,
    /// Bytes read: of tables, and of frames.
    pub bytes: u64,
    /// Files checked.
    pub files: u64,
    /// Files there are to check; 0 until they have been counted.
    pub files_total: u64,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Damaged {
    /// The file; or the directory of the database, where a record is damaged and its file is not
    /// known (the file is then among the damages as well, unless its checksums were forged).
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

impl From<&Damage> for Damaged {
    fn from(damage: &Damage) -> Self {
        let (path, offset) = damage.place();
        Self {
            offset,
            ..Self::of(&path, damage.what())
        }
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Up to here: the head when it began.
    pub head: Head,
    /// Frames that could be read.
    pub frames: u64,
    /// Bytes read: of tables, and of frames.
    pub bytes: u64,
    /// Files checked.
    pub files: u64,
    /// Root of the Merkle tree over all headers; `None` where a record is damaged.
    pub root: Option<TreeHash>,
    /// Recorded checkpoints whose root was compared.
    pub checkpoints: u64,
    /// The first bad record. Where only a checkpoint contradicts the records: the first one that no
    /// earlier checkpoint confirms.
    pub first_bad: Option<Seq>,
    /// Everything that is wrong, by file; the first 10,000.
    pub damages: Vec<Damaged>,
    /// How many more there are.
    pub more: u64,
    /// What could not be checked, and why.
    pub not_checked: Vec<String>,
}

impl Verified {
    /// True where nothing is wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.damages.is_empty() && self.more == 0
    }
}

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    damages: Vec<Damaged>,
    more: u64,
    first_bad: Option<Seq>,
    pub(super) not_checked: Vec<String>,
}

impl Findings {
    pub(super) fn push(&mut self, damaged: Damaged) {
        self.first_bad = match (self.first_bad, damaged.seq) {
            (Some(first), Some(seq)) => Some(first.min(seq)),
            (first, seq) => first.or(seq),
        };
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(damaged);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn verified(
        mut self,
        subject: &Subject,
        walked: &Walked,
        progress: &Progress,
    ) -> Verified {
        self.damages.sort();
        self.damages.dedup();
        Verified {
            head: subject.head,
            frames: walked.frames,
            bytes: progress.bytes,
            files: progress.files,
            root: walked.root,
            checkpoints: walked.checkpoints,
            first_bad: self.first_bad,
            damages: self.damages,
            more: self.more,
            not_checked: self.not_checked,
        }
    }
}
