// SPDX-License-Identifier: Apache-2.0
//! Which checkpoints of the source the salvaged history still has.

use crate::events::{HEADER_LEN, Record};
use crate::integrity::merkle::{Frontier, TreeHash, leaf_hash};

use crate::ledger::operate::read_only::RecordedCheckpoint;

/// A checkpoint of the source, held against what was salvaged.
///
/// Example: [`salvage`](crate::salvage).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct SalvagedCheckpoint {
    /// The source's record that tells of it.
    pub seq: u64,
    /// Records that it covers.
    pub size: u64,
    /// Its root.
    pub root: TreeHash,
    /// True where the salvaged history has that root at that size; false where it is shorter, or
    /// another one.
    pub holds: bool,
}

/// A tree over what was copied, compared on its way.
pub(super) struct CopiedTree {
    /// By size.
    told: Vec<SalvagedCheckpoint>,
    tree: Frontier,
    next: usize,
}

impl CopiedTree {
    pub(super) fn of(recorded: Vec<RecordedCheckpoint>) -> Self {
        let told = recorded.into_iter().map(|recorded| SalvagedCheckpoint {
            seq: recorded.seq,
            size: recorded.checkpoint.size(),
            root: *recorded.checkpoint.root(),
            holds: false,
        });
        let mut told: Vec<_> = told.collect();
        told.sort_by_key(|checkpoint| checkpoint.size);
        let mut checkpoints = Self {
            told,
            tree: Frontier::default(),
            next: 0,
        };
        checkpoints.compare();
        checkpoints
    }

    /// The next record.
    pub(super) fn copied(&mut self, record: &Record) {
        if self.next >= self.told.len() {
            return;
        }
        let mut header = Vec::with_capacity(HEADER_LEN);
        record.header.encode_into(&mut header);
        // A full tree has more records than there can be: what is not appended holds nothing.
        if self.tree.append(leaf_hash(&header)).is_ok() {
            self.compare();
        }
    }

    fn compare(&mut self) {
        while let Some(told) = self.told.get_mut(self.next) {
            if told.size > self.tree.size() {
                return;
            }
            told.holds = told.size == self.tree.size() && told.root == self.tree.root();
            self.next += 1;
        }
    }

    /// In the order of the records that tell of them.
    pub(super) fn finish(mut self) -> Vec<SalvagedCheckpoint> {
        self.told.sort_by_key(|checkpoint| checkpoint.seq);
        self.told
    }
}
