// SPDX-License-Identifier: Apache-2.0
//! How events of an approval change where an execution stands.

use super::super::event_sourced::{EventPlace, ReplayError};
use super::Status;
use super::state::{ExecutionLogState, Open};
use super::waiting::WaitingRequest;
use crate::commands::Grounds;
use crate::events::{
    ApprovalConfirmedV1, ApprovalGivenV1, ApprovalRequestedV1, AuthorizationDecidedV2, Decision,
    ExecutionId,
};

impl ExecutionLogState {
    /// Executions that wait for persons, and those that persons approved and nobody started.
    pub(crate) fn awaiting(&self) -> usize {
        self.deadlines.count()
    }

    /// Until when the first of them may be started.
    pub(crate) fn first_deadline_ns(&self) -> Option<i64> {
        self.deadlines.first_ns()
    }

    /// The first of those whose time is over.
    pub(crate) fn overdue(&self, now_ns: i64, most: usize) -> Vec<ExecutionId> {
        self.deadlines.overdue(now_ns, most)
    }

    pub(super) fn ask_at(
        &mut self,
        place: &EventPlace,
        event: &ApprovalRequestedV1,
    ) -> Result<(), ReplayError> {
        if self.remembered(place.execution).is_some() {
            let what = format!("{} is asked about twice", place.execution);
            return Err(place.inconsistent(what));
        }
        let grounds = Grounds {
            configuration_version: event.configuration_version,
            registry_version: event.registry_version,
            policy_version: event.policy_version.clone(),
            policy_digest: event.policy_digest,
        };
        let waiting = WaitingRequest::of(event, place.stream_version);
        self.deadlines.add(place.execution, &waiting);
        let mut open = Open::begun(place, &event.capability, event.arguments_digest, grounds);
        open.status = Status::Awaiting;
        open.waiting = Some(Box::new(waiting));
        self.open.insert(place.execution, open);
        Ok(())
    }

    pub(super) fn approve_at(
        &mut self,
        place: &EventPlace,
        event: &ApprovalGivenV1,
    ) -> Result<(), ReplayError> {
        let (_, waiting) = self.awaiting_at(place)?;
        waiting.approvers.push(event.approver.clone());
        Ok(())
    }

    pub(super) fn confirm_at(
        &mut self,
        place: &EventPlace,
        event: &ApprovalConfirmedV1,
    ) -> Result<(), ReplayError> {
        let (basis, waiting) = self.awaiting_at(place)?;
        // They approved what rested on something else.
        waiting.approvers.clear();
        *basis = Grounds {
            configuration_version: event.configuration_version,
            registry_version: event.registry_version,
            policy_version: event.policy_version.clone(),
            policy_digest: event.policy_digest,
        };
        Ok(())
    }

    fn awaiting_at(
        &mut self,
        place: &EventPlace,
    ) -> Result<(&mut Grounds, &mut WaitingRequest), ReplayError> {
        let missing = || {
            let what = format!("{} is answered and does not wait", place.execution);
            place.inconsistent(what)
        };
        match self.open.get_mut(&place.execution) {
            Some(Open {
                status: Status::Awaiting,
                basis,
                waiting: Some(waiting),
                ..
            }) => Ok((basis, waiting)),
            _ => Err(missing()),
        }
    }

    /// A decision begins an execution, or ends the wait for persons.
    pub(super) fn decide_at(
        &mut self,
        place: &EventPlace,
        event: &AuthorizationDecidedV2,
    ) -> Result<(), ReplayError> {
        let execution = place.execution;
        let authorized = event.decision == Decision::Authorized.code();
        if let Some(open) = self.open.get_mut(&execution)
            && open.status == Status::Awaiting
            && event.approval.is_some()
        {
            if !authorized {
                return self.end(place, Status::Denied);
            }
            open.status = Status::Approved;
            return Ok(());
        }
        if self.remembered(execution).is_some() {
            return Err(place.inconsistent(format!("{execution} is decided on twice")));
        }
        if event.approval.is_some() {
            let what = format!("{execution} rests on an approval that nobody was asked for");
            return Err(place.inconsistent(what));
        }
        match authorized {
            true => self.authorize_at(place, event),
            false => self.end_at_once(place, Status::Denied),
        }
        Ok(())
    }
}
