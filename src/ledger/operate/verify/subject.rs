// SPDX-License-Identifier: Apache-2.0
//! What is verified.

use std::path::PathBuf;
use std::sync::Arc;

use crate::directory;
use crate::events::LedgerId;
use crate::journal::{Head, Journal};
use crate::ledger::recover::locked_journal::LockedJournal;
use crate::projections::{TreeView, View};

/// What is verified.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) journal: Arc<dyn Journal>,
    /// Up to which record.
    pub(crate) head: Head,
    /// Its views: their files.
    pub(crate) views: Vec<View>,
    /// The view that keeps the tree, where there is one.
    pub(crate) tree: Option<TreeView>,
    /// The directory; `None`: there is only a journal.
    pub(crate) place: Option<OpenDirectory>,
}

/// The directory of an open ledger: files come and go while they are looked at.
#[derive(Debug, Clone)]
pub(crate) struct OpenDirectory {
    pub(crate) root: PathBuf,
    /// Whose it is to be.
    pub(crate) ledger: LedgerId,
    /// Which directory it is, where that is known: one that was moved away is not found by its path.
    pub(crate) inode: Option<(u64, u64)>,
}

impl OpenDirectory {
    /// The directory of a ledger that is open.
    pub(in crate::ledger) fn of(
        locked_journal: Option<&LockedJournal>,
        ledger: LedgerId,
    ) -> Option<Self> {
        let (root, inode) = locked_journal.and_then(LockedJournal::place)?;
        Some(Self {
            root,
            ledger,
            inode,
        })
    }

    /// Whether the directory is where it was opened. A record not found elsewhere is not missing.
    pub(in crate::ledger) fn is_there(&self) -> bool {
        self.inode
            .is_none_or(|inode| directory::inode(&self.root) == Some(inode))
    }
}

impl Subject {
    /// Where the journal lies, for the reader of a report.
    pub(in crate::ledger) fn journal_path(&self) -> PathBuf {
        let root = self.place.as_ref().map(|place| place.root.clone());
        root.unwrap_or_default().join("journal")
    }
}
