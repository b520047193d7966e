// SPDX-License-Identifier: Apache-2.0
//! Files are read ahead of the frames in them, on threads of their own: those wait for the medium
//! while the others hash. Not far ahead, so that the system still has in its cache what was read.

use std::sync::{Condvar, Mutex, MutexGuard};

use crate::locks::whole;

use super::plan::Plan;
use super::progress::ProgressTracker;

/// Read ahead of the walk: enough that nobody waits for the medium, little enough that the system still
/// has it when the walk comes.
const LEAD_BYTES: u64 = 384 << 20;

pub(super) struct ReadAhead<'a> {
    plan: &'a Plan<'a>,
    /// Parts that are read ahead however large they are: one for each that is walked.
    threads: usize,
    /// Lock: the threads of one verification, for a few fields; no file is read under it.
    state: Mutex<ReadAheadState>,
    changed: Condvar,
}

struct ReadAheadState {
    /// The next part whose files nobody reads yet.
    next: usize,
    /// The furthest part that is walked.
    walked: usize,
    /// For each part whether its files are read.
    read: Vec<bool>,
    ended: bool,
}

/// When it is dropped nobody waits for anybody any more.
pub(super) struct ReadAheadEnd<'a, 'b>(&'b ReadAhead<'a>);

impl Drop for ReadAheadEnd<'_, '_> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

impl<'a> ReadAhead<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, threads: usize) -> Self {
        Self {
            plan,
            threads,
            state: Mutex::new(ReadAheadState {
                next: 0,
                walked: 0,
                read: vec![false; plan.parts()],
                ended: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, ReadAheadState> {
        whole(self.state.lock())
    }

    fn wait_while(
        &self,
        waits: impl Fn(&mut ReadAheadState) -> bool,
    ) -> MutexGuard<'_, ReadAheadState> {
        let waited = self.changed.wait_while(self.lock(), waits);
        whole(waited)
    }

    /// Kept by a thread that others wait for, also where it panics.
    pub(super) fn ending(&self) -> ReadAheadEnd<'a, '_> {
        ReadAheadEnd(self)
    }

    /// Reads files until all are read or taken by another thread.
    pub(super) fn read(&self, tracker: &ProgressTracker<'_>) {
        let _ending = self.ending();
        while let Some(part) = self.take() {
            if !self.plan.read(part, tracker) {
                return;
            }
            if let Some(read) = self.lock().read.get_mut(part) {
                *read = true;
            }
            self.changed.notify_all();
        }
        // Others may still read; whoever walks need not wait for a part that is not its own.
        drop(self.wait_while(|state| !state.ended && !state.read.iter().all(|read| *read)));
    }

    fn take(&self) -> Option<usize> {
        let far = |state: &ReadAheadState| {
            state.next > state.walked + self.threads
                && self.plan.bytes(state.walked..state.next) > LEAD_BYTES
        };
        let mut state = self.wait_while(|state| !state.ended && far(state));
        let part = state.next;
        if state.ended || part >= state.read.len() {
            return None;
        }
        state.next += 1;
        Some(part)
    }

    /// This part is walked now: waits until its files are read.
    pub(super) fn begin(&self, part: u64) {
        let part = usize::try_from(part).unwrap_or(usize::MAX);
        let mut state = self.lock();
        state.walked = state.walked.max(part);
        drop(state);
        self.changed.notify_all();
        let is_read = |state: &ReadAheadState| state.read.get(part).is_none_or(|read| *read);
        drop(self.wait_while(|state| !state.ended && !is_read(state)));
    }

    /// Whether every file was read.
    pub(super) fn is_done(&self) -> bool {
        self.lock().read.iter().all(|read| *read)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    /// Those that read wait for the walk not to be left far behind: it must not wait for all of them in turn.
    #[test]
    fn a_walk_waits_for_the_files_of_its_own_part_alone() {
        let plan = Plan::new(None, 2, 1_024);
        let ahead = ReadAhead::new(&plan, 1);
        ahead.lock().read = vec![true, false];
        let (sender, begun) = channel();
        let waited = std::thread::scope(|scope| {
            scope.spawn(|| {
                ahead.begin(0);
                sender.send(())
            });
            let waited = begun.recv_timeout(Duration::from_secs(20));
            drop(ahead.ending());
            waited
        });
        assert!(waited.is_ok(), "it waits for another part");
    }
}
