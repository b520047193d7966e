// SPDX-License-Identifier: Apache-2.0
//! Puts the parts of the journal together, in order: the joints between them, the tree over all
//! headers, and its root wherever somebody claims one.

use std::collections::VecDeque;
use std::path::Path;

use crate::events::{HEADER_LEN, Seq};
use crate::integrity::GENESIS;
use crate::integrity::merkle::{Frontier, Subtree, TreeHash, leaf_hash};
use crate::journal::{Closes, FrameProblem, Head, Journal, ReadFailure};

use super::damaged::Damaged;
use super::met::Unread;
use super::part::{JournalPart, Signed};
use super::progress::ProgressTracker;
use super::result::VerifyFindings;

/// Leaves that are kept, so that the root at a size a while ago can be had.
const WINDOW_LEAVES: usize = 1 << 18;
/// Claims about a longer ago that are kept for a second walk over the headers.
const LATE_MAX: usize = 1 << 20;

/// A stretch of the tree: how it was before, and what came to it.
struct TreeStretch {
    before: Frontier,
    runs: Vec<Subtree>,
    leaves: Vec<TreeHash>,
}

pub(super) struct TreeGather<'a> {
    journal_path: &'a Path,
    findings: &'a mut VerifyFindings,
    /// The end of what came before; `None` behind a part that broke off.
    previous: Option<Head>,
    /// The tree so far; `None` behind a record that is damaged.
    tree: Option<Frontier>,
    window: VecDeque<TreeStretch>,
    kept: usize,
    /// The size of the tree that the view has, and our root of it.
    pub(super) view: Option<(u64, Option<TreeHash>)>,
    late: Vec<Signed>,
    /// Up to here a checkpoint confirms the records.
    confirmed: u64,
    pub(super) compared: u64,
    pub(super) frames: u64,
    closes: Closes,
}

impl<'a> TreeGather<'a> {
    /// `view_size`: how many records the view's tree has.
    pub(super) fn new(
        journal_path: &'a Path,
        view_size: Option<u64>,
        findings: &'a mut VerifyFindings,
    ) -> Self {
        let genesis = Head {
            hash: GENESIS,
            time_ns: i64::MIN,
            ..Head::default()
        };
        Self {
            journal_path,
            findings,
            previous: Some(genesis),
            tree: Some(Frontier::default()),
            window: VecDeque::new(),
            kept: 0,
            view: view_size.map(|size| (size, None)),
            late: Vec::new(),
            confirmed: 0,
            compared: 0,
            frames: 0,
            closes: Closes::default(),
        }
    }

    pub(super) fn root(&self) -> Option<TreeHash> {
        self.tree.as_ref().map(Frontier::root)
    }

    fn damaged(&mut self, seq: Seq, what: impl Into<String>) {
        let damaged = Damaged::record(self.journal_path, seq, what);
        self.findings.push(damaged);
    }

    /// The next part.
    pub(super) fn add(&mut self, part: JournalPart) {
        self.frames += part.frames;
        if let (Some(last), Some(begins)) = (self.previous, part.begins) {
            let seq = last.next_seq();
            if let Some(what) = begins.after(&last) {
                self.damaged(seq, what);
            }
        }
        if !part.is_empty() {
            self.previous = part.ends;
        }
        for (seq, what) in &part.damages {
            self.damaged(*seq, what.as_str());
        }
        for stretch in &part.closes {
            if let Some(after) = self.closes.next(stretch) {
                self.damaged(after.found, after.to_string());
            }
        }
        for (seq, what) in &part.unread {
            let unread = Unread::record(self.journal_path, *seq, what.as_str());
            self.findings.push(unread);
        }
        self.grow(part.whole, part.runs, part.leaves);
        if let Some((size, None)) = self.view {
            self.view = Some((size, self.root_at(size)));
        }
        for signed in part.signed {
            match self.root_at(signed.size) {
                Some(root) => self.compare(&signed, root),
                None if self.tree.is_some() && self.late.len() < LATE_MAX => self.late.push(signed),
                // Behind a damaged record there is no tree to compare.
                None => {}
            }
        }
    }

    fn grow(&mut self, whole: bool, runs: Vec<Subtree>, leaves: Vec<TreeHash>) {
        let Some(mut tree) = self.tree.take().filter(|_| whole) else {
            return;
        };
        let before = tree.clone();
        if !runs.iter().all(|run| tree.extend(run)) {
            return;
        }
        self.tree = Some(tree);
        self.kept += leaves.len();
        self.window.push_back(TreeStretch {
            before,
            runs,
            leaves,
        });
        while self.kept > WINDOW_LEAVES
            && self.window.len() > 1
            && let Some(oldest) = self.window.pop_front()
        {
            self.kept -= oldest.leaves.len();
        }
    }

    /// The root over the first `size` records, where the end of them is in the window.
    fn root_at(&self, size: u64) -> Option<TreeHash> {
        let tree = self.tree.as_ref()?;
        if size > tree.size() {
            return None;
        }
        let mut stretches = self.window.iter().rev();
        let stretch = stretches.find(|stretch| stretch.before.size() <= size)?;
        let mut tree = stretch.before.clone();
        for run in &stretch.runs {
            if run.first() + run.size() > size || !tree.extend(run) {
                break;
            }
        }
        let done = usize::try_from(tree.size() - stretch.before.size()).ok()?;
        let left = usize::try_from(size - tree.size()).ok()?;
        for leaf in stretch.leaves.get(done..)?.iter().take(left) {
            tree.append(*leaf).ok()?;
        }
        (tree.size() == size).then(|| tree.root())
    }

    fn compare(&mut self, signed: &Signed, root: TreeHash) {
        self.compared += 1;
        if root == signed.root {
            self.confirmed = self.confirmed.max(signed.size);
            return;
        }
        let from = Seq::new(self.confirmed + 1).unwrap_or(Seq::FIRST);
        let what = format!(
            "records {from} to {}: not those that were signed, as record {} says",
            signed.size, signed.seq
        );
        self.damaged(from, what);
    }

    /// All parts are there: does the journal end where it is to?
    pub(super) fn end(&mut self, head: &Head) {
        let Some(last) = self.previous else {
            return;
        };
        if last.seq < head.seq {
            self.damaged(last.next_seq(), FrameProblem::Missing.to_string());
        } else if let Some(place) = head.seq
            && (last.seq, last.hash) != (head.seq, head.hash)
        {
            self.damaged(
                place,
                "the journal ends in another record than was read before",
            );
        }
    }

    /// Claims about a size that had left the window when their record was met: the headers are read
    /// once more. Copying a checkpoint may take long.
    pub(super) fn late(
        &mut self,
        journal: &dyn Journal,
        tracker: &ProgressTracker<'_>,
    ) -> Result<(), ReadFailure> {
        let mut late = std::mem::take(&mut self.late);
        if self.tree.is_none() || late.is_empty() {
            return Ok(());
        }
        late.sort_by_key(|signed| signed.size);
        let (mut tree, mut header) = (Frontier::default(), Vec::with_capacity(HEADER_LEN));
        let mut late = late.into_iter().peekable();
        for frame in journal.frames(Seq::FIRST) {
            tracker.check()?;
            for record in frame?.records() {
                while let Some(signed) = late.next_if(|signed| signed.size == tree.size()) {
                    self.compare(&signed, tree.root());
                }
                header.clear();
                record?.header.encode_into(&mut header);
                if late.peek().is_none() || tree.append(leaf_hash(&header)).is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(number: u8, count: usize) -> Vec<TreeHash> {
        vec![TreeHash::from_bytes([number; 32]); count]
    }

    #[test]
    fn the_root_of_any_size_in_the_window_is_that_of_its_leaves() {
        let mut findings = VerifyFindings::default();
        let mut gather = TreeGather::new(Path::new("journal"), None, &mut findings);
        let mut expected = vec![Frontier::default()];
        for (number, count) in [(1, 100), (2, 60)] {
            let (first, leaves) = (expected.len() as u64 - 1, leaves(number, count));
            for leaf in &leaves {
                let mut next = expected.last().cloned().unwrap_or_default();
                next.append(*leaf).unwrap();
                expected.push(next);
            }
            let (one, other) = leaves.split_at(32);
            let runs = [(0, one), (32, other)];
            let runs = runs.map(|(at, run)| Subtree::new(first + at, run));
            gather.grow(true, runs.to_vec(), leaves);
        }
        for (size, tree) in (0..).zip(&expected) {
            assert_eq!(gather.root_at(size), Some(tree.root()), "{size}");
        }
        assert_eq!(gather.root_at(expected.len() as u64), None);
    }

    /// However long the journal is, so many leaves are kept, and not fewer: what is signed over a size before them
    /// needs a second walk.
    #[test]
    fn the_window_holds_so_many_leaves() {
        let mut findings = VerifyFindings::default();
        let mut gather = TreeGather::new(Path::new("journal"), None, &mut findings);
        let half = WINDOW_LEAVES / 2;
        for number in 0..4 {
            let leaves = leaves(number, half);
            let run = Subtree::new(u64::from(number) * half as u64, &leaves);
            gather.grow(true, vec![run], leaves);
        }
        let kept: usize = gather.window.iter().map(|it| it.leaves.len()).sum();
        assert_eq!(kept, WINDOW_LEAVES);
        let oldest = 2 * half as u64;
        assert!(gather.root_at(oldest).is_some() && gather.root_at(oldest - 1).is_none());
    }
}
