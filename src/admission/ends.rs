// SPDX-License-Identifier: Apache-2.0
//! Which executions hold room for their end: one ending each is taken without asking for more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use rapidhash::fast::RandomState;
use smallvec::SmallVec;

use crate::events::ExecutionId;
use crate::locks::whole;

/// Executions that run, and whether an ending of each is under way. An ending of anything else holds
/// no room: it is a command like any other.
/// Lock: beginnings and endings of executions, for their own entries; nothing is called under it.
#[derive(Debug, Default)]
pub(crate) struct Ends(Mutex<RunningExecutions>);

type RunningExecutions = HashMap<ExecutionId, bool, RandomState>;

impl Ends {
    fn lock(&self) -> MutexGuard<'_, RunningExecutions> {
        whole(self.0.lock())
    }

    pub(super) fn begin(&self, execution: ExecutionId) {
        self.lock().insert(execution, false);
    }

    pub(super) fn end(&self, execution: ExecutionId) {
        self.lock().remove(&execution);
    }

    /// Takes the room of all these, each of which must run and have no ending under way; `None`
    /// where one does not.
    pub(crate) fn take(
        self: &Arc<Self>,
        executions: impl Iterator<Item = ExecutionId>,
    ) -> Option<EndingRoom> {
        let mut running = self.lock();
        let mut taken = SmallVec::new();
        for execution in executions {
            match running.get_mut(&execution) {
                Some(under_way @ false) => *under_way = true,
                _ => {
                    give_back(&mut running, &taken);
                    return None;
                }
            }
            taken.push(execution);
        }
        drop(running);
        let ends = Arc::clone(self);
        Some(EndingRoom { ends, taken })
    }
}

fn give_back(running: &mut RunningExecutions, taken: &[ExecutionId]) {
    for execution in taken {
        // An execution that has ended meanwhile has none any more.
        if let Some(under_way) = running.get_mut(execution) {
            *under_way = false;
        }
    }
}

/// Endings under way in the room of their executions, until they are answered: one that is refused
/// can be sent again.
#[derive(Debug)]
pub(crate) struct EndingRoom {
    ends: Arc<Ends>,
    taken: SmallVec<[ExecutionId; 1]>,
}

impl Drop for EndingRoom {
    fn drop(&mut self) {
        give_back(&mut self.ends.lock(), &self.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_execution_that_runs_has_room_for_one_ending_at_a_time() {
        let ends = Arc::new(Ends::default());
        let [one, two, unknown] = [1, 2, 3].map(|byte| ExecutionId::from_bytes([byte; 16]));
        ends.begin(one);
        ends.begin(two);
        assert!(ends.take([unknown].into_iter()).is_none());
        assert!(ends.take([one, unknown].into_iter()).is_none());
        assert!(ends.take([one, one].into_iter()).is_none());
        let both = ends.take([one, two].into_iter());
        assert!(both.is_some());
        assert!(ends.take([two].into_iter()).is_none());
        drop(both);
        let again = ends.take([two].into_iter());
        assert!(again.is_some());
        ends.end(two);
        drop(again);
        assert!(ends.take([two].into_iter()).is_none());
        assert!(ends.take([one].into_iter()).is_some());
    }
}
