// SPDX-License-Identifier: Apache-2.0
//! Where an execution begins: a decision, a rejection, an import; and its start.

use super::super::draft::{Decided, REGISTRY_STREAM, RUNTIME_STREAM, Reply, execution_stream};
use super::super::event_sourced::Surroundings;
use super::drafting::{Drafting, inherit};
use super::truncation::KeptBytes;
use super::{ExecutionLogState, Status};
use crate::commands::check::invalid;
use crate::commands::measure::{Measure, Whole};
use crate::commands::{Basis, Grounds, Imported, Permit, Rejection, Request, Start};
use crate::config::BUILTIN_CAPABILITY;
use crate::error::AppendError;
use crate::events::{
    AuthorizationDecidedV2, Decision, ExecutionId, ExecutionStartedV1, Hash, Outcome,
    ProtocolValidatedV1, State as Machine, flags,
};
use crate::integrity::digest;

/// From the input to the decision; a start goes one further.
pub(super) const TO_DECISION: [Machine; 3] = [
    Machine::InputReceived,
    Machine::ProtocolValidating,
    Machine::AuthorizationEvaluating,
];

impl ExecutionLogState {
    pub(super) fn authorize(
        &self,
        request: &Request,
        whole: Whole,
        start: bool,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let execution = self.fresh(request.execution, around)?;
        of_the_past(&request.basis, around)?;
        let authorized = request.decision == Decision::Authorized;
        // A denial is on the record whatever has moved since: nothing will rest on it.
        if authorized {
            in_force(&request.basis.grounds, around)?;
            enabled(&request.capability, around)?;
            self.room(start, around)?;
        }
        let mut drafting = Drafting::new(execution, request.context.clone(), 0);
        let arguments_digest = decide_on(&mut drafting, request, whole.input);
        let started = authorized && start;
        if started {
            drafting.push(
                started_event(
                    &request.capability,
                    arguments_digest,
                    &request.basis.grounds,
                ),
                Outcome::Neutral,
                0,
            );
        }
        let permit = (authorized && !start).then(|| Permit {
            execution,
            capability: request.capability.clone(),
            arguments_digest,
            basis: request.basis.clone(),
            ledger: around.ledger,
            epoch: around.epoch,
            hold: None,
        });
        let mut path = TO_DECISION.to_vec();
        match (authorized, start) {
            (true, true) => path.push(Machine::CapabilityExecuting),
            (true, false) => {}
            (false, _) => path.push(Machine::Error),
        }
        let reply = Reply::Decided {
            execution,
            decision: request.decision,
            permit,
            started,
        };
        Ok(drafting.finish(&path, reply))
    }

    pub(super) fn reject(
        &self,
        rejection: &Rejection,
        whole: Whole,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let execution = self.fresh(rejection.execution, around)?;
        let mut drafting = Drafting::new(execution, rejection.context.clone(), 0);
        let input = KeptBytes::input(&rejection.input, whole.input);
        validated(&mut drafting, input, Some(&rejection.problem));
        let path = [
            Machine::InputReceived,
            Machine::ProtocolValidating,
            Machine::Error,
        ];
        Ok(drafting.finish(&path, Reply::Execution(execution)))
    }

    /// The permit proves the decision; what has moved since makes it stale.
    pub(super) fn start(
        &self,
        start: &Start,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let permit = &start.permit;
        if permit.ledger != around.ledger || permit.epoch != around.epoch {
            return Err(AppendError::PermitStale { what: "opening" });
        }
        let to = Machine::CapabilityExecuting;
        let open = self.open_or(permit.execution, to, around)?;
        if open.status != Status::Authorized {
            return Err(open.status.refuses(to));
        }
        if *open.capability != *permit.capability
            || open.arguments_digest != permit.arguments_digest
            || open.basis != permit.basis.grounds
        {
            return Err(invalid("permit", "is of another decision"));
        }
        in_force(&permit.basis.grounds, around)?;
        enabled(&permit.capability, around)?;
        self.room(true, around)?;
        let context = inherit(permit.execution, &start.context, open)?;
        let mut drafting = Drafting::new(permit.execution, context, open.version);
        drafting.push(
            started_event(
                &permit.capability,
                permit.arguments_digest,
                &permit.basis.grounds,
            ),
            Outcome::Neutral,
            0,
        );
        let path = [Machine::AuthorizationEvaluating, to];
        Ok(drafting.finish(&path, Reply::Execution(permit.execution)))
    }

    /// The whole of it in one commit, flagged for ever as recorded after the fact. Its capability
    /// need not be enabled any more, but its basis can't be of a future that has not been.
    pub(super) fn import(
        &self,
        imported: &Imported,
        whole: Whole,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let request = &imported.request;
        let execution = self.fresh(request.execution, around)?;
        let basis = &request.basis;
        of_the_past(basis, around)?;
        let mut drafting = Drafting::new(execution, request.context.clone(), 0);
        drafting.flags = flags::AFTER_THE_FACT;
        let arguments_digest = decide_on(&mut drafting, request, whole.input);
        drafting.push(
            started_event(&request.capability, arguments_digest, &basis.grounds),
            Outcome::Neutral,
            0,
        );
        let ended = super::finishing::end(&mut drafting, &imported.ending, whole, around.limits);
        let mut path = TO_DECISION.to_vec();
        path.push(Machine::CapabilityExecuting);
        path.extend_from_slice(ended);
        Ok(drafting.finish(&path, Reply::Execution(execution)))
    }

    /// The id of a new execution: one that nobody knows yet, or one made now.
    pub(super) fn fresh(
        &self,
        given: Option<ExecutionId>,
        around: &Surroundings<'_>,
    ) -> Result<ExecutionId, AppendError> {
        let Some(execution) = given else {
            return Ok(ExecutionId::from_bytes(around.entropy.bytes16()));
        };
        if is_own_stream(execution, around) {
            return Err(invalid(
                "execution",
                "is the id of a stream of the ledger's own",
            ));
        }
        match self.known(execution, around)? {
            None => Ok(execution),
            Some(known) => Err(known.status.refuses(Machine::InputReceived)),
        }
    }

    pub(super) fn room(&self, start: bool, around: &Surroundings<'_>) -> Result<(), AppendError> {
        let (what, count, limit) = if start {
            (
                "running executions",
                self.running(),
                around.limits.running_max,
            )
        } else {
            let limit = around.limits.authorized_max;
            ("authorized executions", self.authorized(), limit)
        };
        if count >= limit {
            let limit = limit as u64;
            return Err(AppendError::Busy { what, limit });
        }
        Ok(())
    }
}

/// An execution's stream bears its id: one with the id of another stream would put two records at one place in it.
fn is_own_stream(execution: ExecutionId, around: &Surroundings<'_>) -> bool {
    let stream = execution_stream(execution);
    stream == REGISTRY_STREAM
        || stream == RUNTIME_STREAM
        || execution.as_bytes() == around.ledger.as_bytes()
        || around.in_force.document_streams.contains(&stream)
}

/// The basis is this ledger's, and of a state that has been.
pub(super) fn of_the_past(basis: &Basis, around: &Surroundings<'_>) -> Result<(), AppendError> {
    if basis.ledger != around.ledger {
        return Err(invalid("basis", "is of another ledger"));
    }
    if basis.configuration_version() > around.in_force.configuration_version {
        return Err(invalid("configuration_version", "is not in force yet"));
    }
    if basis.registry_version() > around.in_force.registry.version {
        return Err(invalid("registry_version", "is not in force yet"));
    }
    Ok(())
}

/// What has moved since: its version then and now.
pub(super) struct Moved {
    pub(super) what: &'static str,
    pub(super) then: u64,
    pub(super) now: u64,
}

pub(super) fn moved(basis: &Grounds, around: &Surroundings<'_>) -> Option<Moved> {
    let in_force = around.in_force;
    let versions = [
        (
            "configuration",
            basis.configuration_version,
            in_force.configuration_version,
        ),
        (
            "registry",
            basis.registry_version,
            in_force.registry.version,
        ),
    ];
    let moved = versions.into_iter().find(|(_, then, now)| then != now);
    moved.map(|(what, then, now)| Moved { what, then, now })
}

pub(super) fn in_force(basis: &Grounds, around: &Surroundings<'_>) -> Result<(), AppendError> {
    match moved(basis, around) {
        None => Ok(()),
        Some(Moved { what, .. }) => Err(AppendError::PermitStale { what }),
    }
}

pub(super) fn enabled(capability: &str, around: &Surroundings<'_>) -> Result<(), AppendError> {
    if capability == BUILTIN_CAPABILITY || around.in_force.registry.is_enabled(capability) {
        return Ok(());
    }
    Err(AppendError::CapabilityNotEnabled {
        capability: capability.to_owned(),
    })
}

pub(super) fn validated(drafting: &mut Drafting, kept: KeptBytes, problem: Option<&str>) {
    let event = ProtocolValidatedV1 {
        input: kept.bytes,
        input_len: kept.len,
        input_digest: kept.digest,
        accepted: problem.is_none(),
        problem: problem.unwrap_or_default().to_owned(),
    };
    let outcome = match problem {
        None => Outcome::Success,
        Some(_) => Outcome::Failure,
    };
    drafting.push(event, outcome, kept.flags);
}

/// Input and decision; returns the digest of the arguments.
fn decide_on(drafting: &mut Drafting, request: &Request, cut: Option<Measure>) -> Hash {
    if let Some(input) = &request.input {
        validated(drafting, KeptBytes::input(input, cut), None);
    }
    let arguments_digest = digest(&request.arguments);
    let event = AuthorizationDecidedV2 {
        capability: request.capability.clone(),
        arguments: request.arguments.clone(),
        arguments_digest,
        decision: request.decision.code(),
        reason: request.reason.clone(),
        policy_version: request.basis.policy_version().to_owned(),
        policy_digest: *request.basis.policy_digest(),
        configuration_version: request.basis.configuration_version(),
        registry_version: request.basis.registry_version(),
        on_behalf_of: request.context.delegation().to_vec(),
        approval: None,
    };
    let outcome = match request.decision {
        Decision::Authorized => Outcome::Success,
        _ => Outcome::Denied,
    };
    drafting.push(event, outcome, 0);
    arguments_digest
}

pub(super) fn started_event(
    capability: &str,
    arguments_digest: Hash,
    basis: &Grounds,
) -> ExecutionStartedV1 {
    ExecutionStartedV1 {
        capability: capability.to_owned(),
        arguments_digest,
        configuration_version: basis.configuration_version,
        registry_version: basis.registry_version,
    }
}
