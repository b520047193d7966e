// SPDX-License-Identifier: Apache-2.0
//! What is wrong with a closed ledger, one thing at a time.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::database::offline_reader::{Trouble, TroubleKind};

/// More are counted and not kept: bad input must not fill the memory.
const KEPT_MAX: usize = 10_000;

/// One thing that was found.
///
/// Example: [`read_only`](crate::read_only).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Of which kind.
    pub kind: FindingKind,
    /// The file, where it is one file's.
    pub path: Option<PathBuf>,
    /// The byte in it, where one can be named.
    pub offset: Option<u64>,
    /// The first and the last record affected, where they are known.
    pub records: Option<RangeInclusive<u64>>,
    /// What is wrong, for a person.
    pub problem: String,
}

/// Kinds of findings.
///
/// Example: [`read_only`](crate::read_only).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// `LEDGER` is missing or damaged: the id was taken from the journal.
    Identity,
    /// Directories or small files of the engine's: the engine would not open them.
    Structure,
    /// A table is gone.
    TableMissing,
    /// A table is not the one that was written.
    Table,
    /// Bytes in the log that are no batch, and whole batches after them.
    Log,
    /// A log file is missing between others. Its frames may all be in tables.
    LogGap,
    /// What a kill leaves behind the last whole batch; the next opening sets it aside.
    TornTail,
    /// A frame, or a record in it, is not what was written.
    Frame,
    /// Records are not there, though later ones are.
    RecordsMissing,
    /// A frame does not follow the one before it.
    Chain,
    /// Two frames in their right places claim the same records.
    Fork,
    /// Frames that were found by searching, and nothing vouches for them.
    Unconfirmed,
    /// A frame of another ledger.
    ForeignLedger,
    /// `ANCHOR` cannot be used: nobody can tell whether records are missing at the end.
    Anchor,
    /// One of the anchor's slots is not whole; the other counts.
    AnchorSlot,
    /// The anchor claims more than is there: acknowledged records are missing.
    AcknowledgedMissing,
    /// The record that the anchor claims is another one: this is not the history that was
    /// acknowledged.
    OtherHistory,
    /// Records behind the one with which their writer closed the ledger, in its epoch: somebody else
    /// appended them, and no opening accepts them.
    AfterClose,
    /// Something was never finished; the next opening removes it.
    Unfinished,
    /// An earlier writer left a note of its failure; the next opening records it.
    FailureNote,
    /// No lock could be had: a writer may be at work.
    NotLocked,
    /// Every block of a table is right, and the engine states another checksum of the whole: a fault of
    /// the engine, which met a short write, and no damage.
    EngineFault,
    /// The medium did not answer: what lies there, or would follow from it, is not known to be damaged.
    Unreadable,
}

impl FindingKind {
    /// A stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Structure => "structure",
            Self::TableMissing => "table_missing",
            Self::Table => "table_damaged",
            Self::Log => "log_damaged",
            Self::LogGap => "log_gap",
            Self::TornTail => "torn_tail",
            Self::Frame => "frame_damaged",
            Self::RecordsMissing => "records_missing",
            Self::Chain => "chain_broken",
            Self::Fork => "fork",
            Self::Unconfirmed => "unconfirmed",
            Self::ForeignLedger => "foreign_ledger",
            Self::Anchor => "anchor",
            Self::AnchorSlot => "anchor_slot",
            Self::AcknowledgedMissing => "acknowledged_missing",
            Self::OtherHistory => "other_history",
            Self::AfterClose => "records_after_close",
            Self::Unfinished => "unfinished",
            Self::FailureNote => "failure_note",
            Self::NotLocked => "not_locked",
            Self::EngineFault => "engine_fault",
            Self::Unreadable => "unreadable",
        }
    }

    /// False for what a kill or a failed writer leaves, and an opening puts right; and for what is the
    /// engine's or the medium's trouble, and says nothing of the bytes.
    #[must_use]
    pub const fn is_damage(self) -> bool {
        !matches!(
            self,
            Self::LogGap
                | Self::TornTail
                | Self::AnchorSlot
                | Self::Unfinished
                | Self::FailureNote
                | Self::NotLocked
                | Self::EngineFault
                | Self::Unreadable
        )
    }
}

impl Finding {
    pub(crate) fn new(kind: FindingKind, problem: impl Into<String>) -> Self {
        Self {
            kind,
            path: None,
            offset: None,
            records: None,
            problem: problem.into(),
        }
    }

    pub(crate) fn of(mut self, path: &Path) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    pub(super) fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    pub(crate) fn records(mut self, first: u64, last: u64) -> Self {
        self.records = Some(first..=last);
        self
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.kind.code())?;
        if let Some(path) = &self.path {
            write!(f, "{}", path.display())?;
            self.offset
                .map_or(Ok(()), |at| write!(f, " at byte {at}"))?;
            f.write_str(": ")?;
        }
        match self.records.as_ref().map(|it| (it.start(), it.end())) {
            Some((first, last)) if first == last => write!(f, "record {first}: ")?,
            Some((first, last)) => write!(f, "records {first} to {last}: ")?,
            None => {}
        }
        f.write_str(&self.problem)
    }
}

impl From<Trouble> for Finding {
    fn from(trouble: Trouble) -> Self {
        let kind = match trouble.kind {
            TroubleKind::Structure => FindingKind::Structure,
            TroubleKind::TableMissing => FindingKind::TableMissing,
            TroubleKind::Table => FindingKind::Table,
            TroubleKind::Log => FindingKind::Log,
            TroubleKind::LogGap => FindingKind::LogGap,
            TroubleKind::TornTail => FindingKind::TornTail,
            TroubleKind::Engine => FindingKind::EngineFault,
            TroubleKind::Unread => FindingKind::Unreadable,
        };
        Self {
            kind,
            path: Some(trouble.path),
            offset: trouble.offset,
            records: None,
            problem: trouble.what,
        }
    }
}

/// Findings in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct JournalFindings {
    pub(super) kept: Vec<Finding>,
    /// Those that were too many.
    pub(super) more: u64,
}

impl JournalFindings {
    pub(super) fn add(&mut self, finding: Finding) {
        if self.kept.len() < KEPT_MAX {
            self.kept.push(finding);
        } else {
            self.more += 1;
        }
    }
}

/// As the program prints it.
impl serde::Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Finding<'a> {
            kind: FindingKind,
            damage: bool,
            path: Option<std::borrow::Cow<'a, str>>,
            offset: Option<u64>,
            first: Option<u64>,
            last: Option<u64>,
            problem: &'a str,
        }

        let records = self.records.as_ref();
        let finding = Finding {
            kind: self.kind,
            damage: self.kind.is_damage(),
            path: self.path.as_ref().map(|path| path.to_string_lossy()),
            offset: self.offset,
            first: records.map(|it| *it.start()),
            last: records.map(|it| *it.end()),
            problem: &self.problem,
        };
        finding.serialize(serializer)
    }
}

impl std::fmt::Display for FindingKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

crate::events::readable::words::spoken!(FindingKind);
