// SPDX-License-Identifier: Apache-2.0
//! Room to finish: taken at a start, given back at the end, so that no end is refused for load.

use std::sync::atomic::Ordering;

use super::super::draft::Reply;
use super::{Deciding, Order, StoreState};
use crate::commands::Command;
use crate::events::Store;

impl<E: Deciding> StoreState<E> {
    /// Room to finish lives as long as its execution runs.
    pub(super) fn keep_reserves(&mut self, order: &mut Order) {
        let mut finish = std::mem::take(&mut order.finish);
        for (command, step) in order.commands.iter().zip(&order.decided) {
            match (&step.reply, command.parts().0) {
                (
                    Reply::Decided {
                        execution,
                        started: true,
                        ..
                    },
                    _,
                )
                | (Reply::Execution(execution), Command::Start(_) | Command::StartApproved(_)) => {
                    if let Some(reserve) = finish.pop() {
                        self.reserves.insert(*execution, reserve.of(*execution));
                    }
                }
                (Reply::Execution(execution), Command::Finish(_)) => {
                    self.reserves.remove(execution);
                }
                (Reply::Execution(_), Command::Resolve(_)) => {
                    self.shared.in_doubt.fetch_sub(1, Ordering::AcqRel);
                }
                _ => {}
            }
        }
        if E::STORE == Store::ExecutionLog {
            self.shared
                .running
                .store(self.reserves.len(), Ordering::Release);
            self.shared.awaiting.note(self.entity.waits());
        }
    }
}
