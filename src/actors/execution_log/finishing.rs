// SPDX-License-Identifier: Apache-2.0
//! Where an execution ends. The effect has happened: nothing here is refused for size.

use super::super::draft::{Decided, Reply};
use super::super::event_sourced::Surroundings;
use super::drafting::{Drafting, inherit};
use super::truncation::{self, KeptBytes};
use super::{ExecutionLogState, Status};
use crate::commands::measure::Whole;
use crate::commands::{Ending, Finish, ResolveInDoubt};
use crate::config::Limits;
use crate::error::{AccessError, AppendError};
use crate::events::{
    ExecutionCancelledV1, ExecutionCompletedV1, ExecutionFailedV1, ExecutionResolvedV1, Outcome,
    Resolution, State as Machine, flags,
};

/// From where the capability runs to a success.
const TO_COMPLETED: &[Machine] = &[Machine::MemoryCommitting, Machine::Completed];
const TO_ERROR: &[Machine] = &[Machine::Error];

impl ExecutionLogState {
    pub(super) fn finish(
        &self,
        finish: &Finish,
        whole: Whole,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let to = match finish.ending {
            Ending::Completed(_) => Machine::Completed,
            Ending::Failed(_) | Ending::Cancelled(_) => Machine::Error,
        };
        let open = self.open_or(finish.execution, to, around)?;
        let from = match (open.status, &finish.ending) {
            (Status::Running, _) => Machine::CapabilityExecuting,
            (Status::Authorized | Status::Awaiting | Status::Approved, Ending::Cancelled(_)) => {
                Machine::AuthorizationEvaluating
            }
            (status, _) => return Err(status.refuses(to)),
        };
        if open.component != around.component && !around.finishes_others {
            let execution = finish.execution;
            return Err(AccessError::ForeignExecution { execution }.into());
        }
        let context = inherit(finish.execution, &finish.context, open)?;
        let mut drafting = Drafting::new(finish.execution, context, open.version);
        let ended = end(&mut drafting, &finish.ending, whole, around.limits);
        let path = [&[from], ended].concat();
        Ok(drafting.finish(&path, Reply::Execution(finish.execution)))
    }

    pub(super) fn resolve(
        &self,
        command: &ResolveInDoubt,
        whole: Whole,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let resolve = &command.resolve;
        let (to, ended, outcome) = match resolve.resolution {
            Resolution::Completed => (Machine::Completed, TO_COMPLETED, Outcome::Success),
            Resolution::Failed => (Machine::Error, TO_ERROR, Outcome::Failure),
            Resolution::Cancelled => (Machine::Error, TO_ERROR, Outcome::Cancelled),
            Resolution::Lost => (Machine::Error, TO_ERROR, Outcome::Unknown),
        };
        let open = self.open_or(command.execution, to, around)?;
        if open.status != Status::InDoubt {
            return Err(open.status.refuses(to));
        }
        // By the component's number, which its name keeps over openings.
        if open.component != around.component && !around.resolves_others {
            let execution = command.execution;
            return Err(AccessError::ForeignExecution { execution }.into());
        }
        let context = inherit(command.execution, &command.context, open)?;
        let mut drafting = Drafting::new(command.execution, context, open.version);
        let result = KeptBytes::result(&resolve.result, whole.result, around.limits);
        let (reason, cut) = truncation::text(&resolve.reason, around.limits.text_bytes_max);
        let event = ExecutionResolvedV1 {
            resolution: resolve.resolution.code(),
            reason,
            result: result.bytes,
            result_len: result.len,
            result_digest: result.digest,
        };
        drafting.push(event, outcome, result.flags | cut | text_flag(whole));
        let path = [&[Machine::CapabilityExecuting], ended].concat();
        Ok(drafting.finish(&path, Reply::Execution(command.execution)))
    }
}

/// A text that was cut before the command waited.
const fn text_flag(whole: Whole) -> u16 {
    if whole.text { flags::TRUNCATED } else { 0 }
}

/// Drafts the ending; returns the rest of the machine's path.
pub(super) fn end(
    drafting: &mut Drafting,
    ending: &Ending,
    whole: Whole,
    limits: &Limits,
) -> &'static [Machine] {
    match ending {
        Ending::Completed(result) => {
            let kept = KeptBytes::result(result, whole.result, limits);
            let event = ExecutionCompletedV1 {
                result: kept.bytes,
                result_len: kept.len,
                result_digest: kept.digest,
            };
            drafting.push(event, Outcome::Success, kept.flags);
            TO_COMPLETED
        }
        Ending::Failed(failure) => {
            let kept = KeptBytes::result(&failure.result, whole.result, limits);
            let (code, code_cut) = truncation::text(&failure.code, limits.name_bytes_max);
            let (message, message_cut) = truncation::text(&failure.message, limits.text_bytes_max);
            let event = ExecutionFailedV1 {
                code,
                message,
                result: kept.bytes,
                result_len: kept.len,
                result_digest: kept.digest,
            };
            let flags = kept.flags | code_cut | message_cut | text_flag(whole);
            drafting.push(event, Outcome::Failure, flags);
            TO_ERROR
        }
        Ending::Cancelled(reason) => {
            let (reason, cut) = truncation::text(reason, limits.text_bytes_max);
            let flags = cut | text_flag(whole);
            drafting.push(ExecutionCancelledV1 { reason }, Outcome::Cancelled, flags);
            TO_ERROR
        }
    }
}
