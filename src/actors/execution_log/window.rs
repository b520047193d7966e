// SPDX-License-Identifier: Apache-2.0
//! Finished executions that history cannot answer for yet.

use std::collections::{HashMap, VecDeque};

use rapidhash::fast::RandomState;

use super::super::event_sourced::KnownExecution;
use crate::events::{ExecutionId, Seq};

/// In order of finishing. Its length is bounded by how far a view may lag.
#[derive(Debug, Default)]
pub(super) struct Window {
    known: HashMap<ExecutionId, KnownExecution, RandomState>,
    order: VecDeque<ExecutionId>,
    /// How many have left at the front.
    gone: u64,
    /// Of the finishes up to this mark, none lies behind this sequence number.
    marks: VecDeque<(u64, Seq)>,
}

impl Window {
    pub(super) fn get(&self, execution: ExecutionId) -> Option<KnownExecution> {
        self.known.get(&execution).copied()
    }

    pub(super) fn get_mut(&mut self, execution: ExecutionId) -> Option<&mut KnownExecution> {
        self.known.get_mut(&execution)
    }

    pub(super) fn push(&mut self, execution: ExecutionId, known: KnownExecution) {
        self.known.insert(execution, known);
        self.order.push_back(execution);
    }

    /// In order of finishing.
    pub(super) fn all(&self) -> impl Iterator<Item = (ExecutionId, KnownExecution)> {
        let known = |id: &ExecutionId| Some((*id, *self.known.get(id)?));
        self.order.iter().filter_map(known)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Counts finishes, for ever.
    pub(super) fn mark(&self) -> u64 {
        self.gone + self.order.len() as u64
    }

    pub(super) fn committed(&mut self, mark: u64, seq: Seq) {
        match self.marks.back_mut() {
            Some((last, _)) if *last >= mark => {}
            _ => self.marks.push_back((mark, seq)),
        }
    }

    pub(super) fn forget_through(&mut self, seq: Seq) {
        let mut target = self.gone;
        while let Some((mark, last)) = self.marks.front().copied()
            && last <= seq
        {
            target = mark;
            self.marks.pop_front();
        }
        while self.gone < target
            && let Some(execution) = self.order.pop_front()
        {
            self.known.remove(&execution);
            self.gone += 1;
        }
    }

    /// Takes back the newest until `mark` are left.
    pub(super) fn take_back(&mut self, mark: u64) {
        while self.mark() > mark
            && let Some(execution) = self.order.pop_back()
        {
            self.known.remove(&execution);
        }
    }
}
