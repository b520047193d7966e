// SPDX-License-Identifier: Apache-2.0
//! How executions end, on the model.

use femtoclaw_ledger::events::{ExecutionId, Resolution, State};
use femtoclaw_ledger::execution_log::Ending;
use femtoclaw_ledger::projections::ExecutionStatus as Status;

use super::reference::{Asked, Reference, Reply, Step};
use super::step::{refused, stands};
use super::whom::inherits;

impl Reference {
    pub(crate) fn finish(
        &mut self,
        asked: &Asked<'_>,
        execution: ExecutionId,
        ending: &Ending,
    ) -> Step {
        let (status, to) = ended(ending);
        let known = self.known(execution)?;
        match (known.status, ending) {
            (Status::Running, _) => {}
            (
                Status::Authorized | Status::AwaitingApproval | Status::Approved,
                Ending::Cancelled(_),
            ) => {}
            _ => return Err(refused(stands(known), to.name())),
        }
        inherits(execution, known, asked)?;
        known.status = status;
        self.last(execution, asked, 2);
        Ok((2, Reply::Execution(execution)))
    }

    pub(crate) fn resolve(
        &mut self,
        asked: &Asked<'_>,
        execution: ExecutionId,
        how: Resolution,
    ) -> Step {
        let to = match how {
            Resolution::Completed => State::Completed,
            _ => State::Error,
        };
        let known = self.known(execution)?;
        if known.status != Status::InDoubt {
            return Err(refused(stands(known), to.name()));
        }
        inherits(execution, known, asked)?;
        known.status = Status::Resolved;
        known.resolution = how.code();
        self.last(execution, asked, 2);
        Ok((2, Reply::Execution(execution)))
    }
}

pub(crate) fn ended(ending: &Ending) -> (Status, State) {
    match ending {
        Ending::Completed(_) => (Status::Completed, State::Completed),
        Ending::Failed(_) => (Status::Failed, State::Error),
        Ending::Cancelled(_) => (Status::Cancelled, State::Error),
    }
}
