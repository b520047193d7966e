// SPDX-License-Identifier: Apache-2.0
//! The walk over the journal: parts of it on several threads, put together in order on this one.

use std::sync::mpsc::{Receiver, sync_channel};

use crate::integrity::merkle::{self, TreeHash};
use crate::journal::ReadFailure;
use crate::projections::TreeView;

use super::damaged::Damaged;
use super::files::FilesToVerify;
use super::gather::TreeGather;
use super::part::{JournalPart, PartReading};
use super::plan::Plan;
use super::progress::{ProgressTracker, stopped};
use super::read_ahead::ReadAhead;
use super::result::{VerifyFindings, Walked};
use super::subject::Subject;

/// Records of one part: enough that finding its beginning costs nothing, few enough to be held.
const PART_RECORDS_MAX: u64 = 1 << 16;
const PART_RECORDS_MIN: u64 = 1 << 10;
/// Parts that a thread has ready for the one that puts them together.
const AHEAD: usize = 1;

/// Walks over the journal, and reads the large ones of `files` on the way.
pub(super) fn walk(
    subject: &Subject,
    files: Option<&FilesToVerify>,
    threads: usize,
    tracker: &ProgressTracker<'_>,
    findings: &mut VerifyFindings,
) -> Result<Walked, ReadFailure> {
    let head = subject.head;
    let path = subject.journal_path();
    // What the view has read by now lies within what is walked.
    let tree = subject.tree.as_ref();
    let view_size = tree.map(|tree| tree.view().position().min(head.count()));
    let view_size = view_size.filter(|size| *size > 0);
    let mut gather = TreeGather::new(&path, view_size, findings);
    let per_thread = head.count() / (threads as u64 * 8);
    let step = per_thread.clamp(PART_RECORDS_MIN, PART_RECORDS_MAX);
    // Where there is no record there may be files.
    let count = head.count().div_ceil(step).max(1);
    let plan = &Plan::new(files, count, step);
    let read_ahead = &ReadAhead::new(plan, threads);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| read_ahead.read(tracker));
        }
        let parts: Vec<Receiver<_>> = (0..threads as u64)
            .map(|thread| {
                let (sender, receiver) = sync_channel(AHEAD);
                scope.spawn(move || {
                    let ending = read_ahead.ending();
                    for part in (thread..count).step_by(threads) {
                        read_ahead.begin(part);
                        let from = 1 + part * step;
                        let end = (from + step).min(head.count() + 1);
                        let read = PartReading::new(subject, tracker, (from, end)).read();
                        let failed = read.is_err();
                        // Nobody takes them any more once one has failed.
                        if sender.send(read).is_err() || failed {
                            return;
                        }
                    }
                    // The others go on.
                    std::mem::forget(ending);
                });
                receiver
            })
            .collect();
        gather_all(&parts, count, &mut gather)
    })?;
    if !read_ahead.is_done() {
        return Err(stopped("a thread that read files failed"));
    }
    gather.end(&head);
    gather.late(&*subject.journal, tracker)?;
    let walked = Walked {
        frames: gather.frames,
        root: gather.root(),
        checkpoints: gather.compared,
    };
    let view = gather.view;
    match tree.zip(view) {
        Some((tree, (size, root))) => against_view(subject, tree, size, root, findings),
        None => {
            let why = "the tree's view: it has read nothing yet, or there is none";
            findings.not_checked.push(why.to_owned());
        }
    }
    Ok(walked)
}

/// Part n comes from thread n modulo their number.
fn gather_all(
    parts: &[Receiver<Result<JournalPart, ReadFailure>>],
    count: u64,
    gather: &mut TreeGather<'_>,
) -> Result<(), ReadFailure> {
    let mut from = parts.iter().cycle();
    for _ in 0..count {
        let part = from.next().and_then(|thread| thread.recv().ok());
        let part = part.ok_or_else(|| stopped("a thread that read the journal failed"))?;
        gather.add(part?);
    }
    Ok(())
}

/// The view's tree has the root that the journal's headers have.
fn against_view(
    subject: &Subject,
    tree: &TreeView,
    size: u64,
    root: Option<TreeHash>,
    findings: &mut VerifyFindings,
) {
    let Some(root) = root else {
        let why = "the tree's view: no tree behind a damaged record";
        findings.not_checked.push(why.to_owned());
        return;
    };
    let views = subject.place.as_ref().map(|place| place.root.join("views"));
    match tree.read(|tree| merkle::root(tree, size)) {
        Ok(found) if found == root => {}
        Ok(_) => {
            let what = format!("the view of the tree has another root over {size} records");
            findings.push(Damaged::of(&views.unwrap_or_default(), what));
        }
        Err(error) => findings
            .not_checked
            .push(format!("the tree's view: {error}")),
    }
}
