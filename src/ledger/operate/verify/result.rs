// SPDX-License-Identifier: Apache-2.0
//! What a verification says.

use crate::events::Seq;
use crate::integrity::merkle::TreeHash;
use crate::journal::Head;

use super::damaged::Damaged;
use super::met::{Met, Unread};
use super::progress::VerifyProgress;
use super::subject::Subject;

/// Damages that are kept; what is beyond is counted.
const DAMAGES_MAX: usize = 10_000;

/// What a verification found.
///
/// Example: [`verify`](crate::verify).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
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
    /// What could not be read: the system refused, or the medium did not answer. Nothing is known of it;
    /// the first 10,000.
    pub unread: Vec<Unread>,
    /// Tables whose every block is right, and of which the engine states another checksum of the whole:
    /// it met a short write. Nothing is wrong with what is in them.
    pub engine_faults: Vec<Damaged>,
    /// Bytes of a write that failed or is under way: what lies behind the last whole batch of a log, a slot
    /// of the anchor. No damage: nothing of it was acknowledged, and the next opening tells what came of it.
    pub unfinished: Vec<Damaged>,
    /// What could not be checked, and why.
    pub not_checked: Vec<String>,
}

impl Verified {
    /// True where nothing is wrong, and nothing could not be read.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        !self.is_damaged() && self.unread.is_empty()
    }

    /// True where bytes are not those that were written.
    #[must_use]
    pub const fn is_damaged(&self) -> bool {
        !self.damages.is_empty() || self.more > 0
    }
}

/// What the walk found, beside damage.
pub(super) struct Walked {
    pub(super) frames: u64,
    pub(super) root: Option<TreeHash>,
    pub(super) checkpoints: u64,
}

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct VerifyFindings {
    damages: Vec<Damaged>,
    more: u64,
    first_bad: Option<Seq>,
    unread: Vec<Unread>,
    engine_faults: Vec<Damaged>,
    /// A log of the journal, one of the views, a slot of the anchor.
    unfinished: Vec<Damaged>,
    pub(super) not_checked: Vec<String>,
}

impl VerifyFindings {
    pub(super) fn push(&mut self, met: impl Into<Met>) {
        match met.into() {
            Met::Damaged(damaged) => self.damaged(damaged),
            Met::EngineFault(fault) if self.engine_faults.len() < DAMAGES_MAX => {
                self.engine_faults.push(fault);
            }
            Met::Unfinished(unfinished) => self.unfinished.push(unfinished),
            Met::Unread(unread) if self.unread.len() < DAMAGES_MAX => self.unread.push(unread),
            Met::EngineFault(_) | Met::Unread(_) => {}
        }
    }

    fn damaged(&mut self, damaged: Damaged) {
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
        progress: &VerifyProgress,
    ) -> Verified {
        self.damages.sort();
        self.damages.dedup();
        self.unread.sort();
        self.unread.dedup();
        self.engine_faults.sort();
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
            unread: self.unread,
            engine_faults: self.engine_faults,
            unfinished: self.unfinished,
            not_checked: self.not_checked,
        }
    }
}
