// SPDX-License-Identifier: Apache-2.0
//! One command on the model.

use femtoclaw_ledger::events::{Decision, ExecutionId, Resolution, State};
use femtoclaw_ledger::projections::ExecutionStatus as Status;
use femtoclaw_ledger::{AppendError, Basis, Context, Request, execution_log::Ending};

use super::concrete::{Concrete, Starting};
use super::ending::ended;
use super::reference::{
    AUTHORIZED_MAX, Asked, Asking, BEYOND, Capability, Execution, Reference, Reply, Step, Version,
    invalid,
};
use super::whom::{inherits, subject_of};

/// The word for where an execution stands, in a refusal.
pub(crate) fn stands(execution: &Execution) -> &'static str {
    match execution.status {
        Status::AwaitingApproval | Status::Approved | Status::Authorized => {
            State::AuthorizationEvaluating.name()
        }
        Status::Running => State::CapabilityExecuting.name(),
        Status::InDoubt => "IN_DOUBT",
        Status::Abandoned => "ABANDONED",
        Status::Completed => State::Completed.name(),
        Status::Resolved if execution.resolution == Resolution::Completed.code() => {
            State::Completed.name()
        }
        _ => State::Error.name(),
    }
}

pub(crate) fn refused(from: &'static str, to: &'static str) -> AppendError {
    let hint = "";
    AppendError::InvalidTransition { from, to, hint }
}

fn expect(expected: Option<u64>, actual: u64) -> Result<(), AppendError> {
    match expected {
        Some(expected) if expected != actual => {
            Err(AppendError::VersionConflict { expected, actual })
        }
        _ => Ok(()),
    }
}

impl Reference {
    pub(crate) fn step(&mut self, asked: &Asked<'_>) -> Step {
        match asked.concrete {
            Concrete::Authorize(it) => self.decide(asked, it, false),
            Concrete::Begin(it) => self.decide(asked, it, true),
            Concrete::Start(it) => self.start(asked, it),
            Concrete::Reject(it) => {
                let execution = self.fresh(it.execution)?;
                self.begin(asked, execution, &it.context, Status::Rejected);
                self.last(execution, asked, 2);
                Ok((2, Reply::Execution(execution)))
            }
            Concrete::Finish(it) => self.finish(asked, it.execution, &it.ending),
            Concrete::Resolve(it) => self.resolve(asked, it.execution, it.resolve.resolution),
            Concrete::Import(it) => self.import(asked, &it.request, &it.ending),
            _ if asked.concrete.kind().contains("appro") => self.approval(asked),
            _ => self.step_elsewhere(asked),
        }
    }

    /// A command of another store than the execution log.
    fn step_elsewhere(&mut self, asked: &Asked<'_>) -> Step {
        match asked.concrete {
            Concrete::Audit(it) => self.last(it.execution.unwrap_or_default(), asked, 1),
            Concrete::Observe(it) => self.last(it.execution.unwrap_or_default(), asked, 1),
            Concrete::Change(it) => {
                expect(it.expected_version, self.document_version(&it.document))?;
                if it.content == b"forbidden" {
                    return Err(AppendError::Rejected {
                        document: it.document.clone(),
                        validator: String::new(),
                        problem: String::new(),
                    });
                }
                let by = (it.author.as_str(), it.reason.as_str());
                return Ok(self.version(asked, &it.document, it.content.clone(), by, 0));
            }
            Concrete::Rollback(it) => {
                expect(it.expected_version, self.document_version(&it.document))?;
                let versions = self.documents.get(&it.document).into_iter().flatten();
                let index = it.to_version as usize - 1;
                let content = versions.map(|it| &it.content).nth(index).cloned();
                let content = content.ok_or_else(|| invalid("to_version"))?;
                let by = (it.author.as_str(), it.reason.as_str());
                return Ok(self.version(asked, &it.document, content, by, it.to_version));
            }
            Concrete::Identify(it) => {
                self.runtime = Some((it.runtime, it.version.clone(), asked.placed.first));
            }
            Concrete::SetModule(it) => {
                let set = (it.version.clone(), asked.placed.first);
                self.modules.insert(it.module.clone(), set);
            }
            Concrete::RemoveModule(it) => {
                let removed = self.modules.remove(&it.module);
                removed.ok_or_else(|| invalid("module"))?;
            }
            Concrete::Transition(it) => {
                let from = self.machine();
                let as_expected = it.expected.is_none_or(|expected| expected == from);
                if !as_expected || !it.to.is_runtime() || !from.permits(it.to) {
                    return Err(refused(from.name(), it.to.name()));
                }
                self.machine = Some(it.to);
            }
            Concrete::SavePosition(it) => {
                let actual = self.positions.get(&it.name).map_or(0, |(seq, _)| *seq);
                let (seq, expected) = (it.seq, it.expected);
                if expected.map_or(seq < actual, |expected| expected != actual) {
                    return Err(AppendError::PositionConflict {
                        seq,
                        expected,
                        actual,
                    });
                }
                if seq >= BEYOND {
                    return Err(AppendError::PositionBeyondHead { seq, head: 0 });
                }
                let saved = (seq, asked.placed.first);
                self.positions.insert(it.name.clone(), saved);
            }
            _ => self.register(asked)?,
        }
        Ok((1, Reply::Receipt))
    }

    fn register(&mut self, asked: &Asked<'_>) -> Result<(), AppendError> {
        let (name, expected_version) = match asked.concrete {
            Concrete::RegisterCapability(it) => (&it.capability, it.expected_version),
            Concrete::ChangeCapability(it) => (&it.capability, it.expected_version),
            Concrete::SwitchCapability(it) => (&it.capability, it.expected_version),
            Concrete::UnregisterCapability(it) => (&it.capability, it.expected_version),
            other => panic!("no command of the registry: {other:?}"),
        };
        expect(expected_version, self.registry_version)?;
        let before = self.registry.get(name).cloned();
        let stands = match &before {
            None => "UNREGISTERED",
            Some(it) if it.enabled => "ENABLED",
            Some(_) => "DISABLED",
        };
        let (registry_version, seq) = (self.registry_version + 1, asked.placed.first);
        let defined = |it: &femtoclaw_ledger::CapabilityDefinition, enabled| Capability {
            version: it.version.clone(),
            parameters: it.parameters.clone(),
            enabled,
            registry_version,
            seq,
        };
        let after = match (asked.concrete, before) {
            (Concrete::RegisterCapability(it), None) => Some(defined(&it.definition, false)),
            (Concrete::RegisterCapability(_), _) => return Err(refused(stands, "REGISTERED")),
            (Concrete::ChangeCapability(it), Some(before)) => {
                Some(defined(&it.definition, before.enabled))
            }
            (Concrete::ChangeCapability(_), _) => return Err(refused(stands, "CHANGED")),
            (Concrete::SwitchCapability(it), Some(before)) if before.enabled != it.enabled => {
                Some(Capability {
                    enabled: it.enabled,
                    registry_version,
                    seq,
                    ..before
                })
            }
            (Concrete::SwitchCapability(it), _) => {
                let to = if it.enabled { "ENABLED" } else { "DISABLED" };
                return Err(refused(stands, to));
            }
            (_, Some(_)) => None,
            (_, None) => return Err(refused(stands, "UNREGISTERED")),
        };
        self.registry_version = registry_version;
        match after {
            Some(after) => drop(self.registry.insert(name.clone(), after)),
            None => drop(self.registry.remove(name)),
        }
        self.registries.push((seq, self.registry.clone()));
        Ok(())
    }

    fn version(
        &mut self,
        asked: &Asked<'_>,
        document: &str,
        content: Vec<u8>,
        (author, reason): (&str, &str),
        restored: u64,
    ) -> (u64, Reply) {
        self.configuration_version += 1;
        let versions = self.documents.entry(document.to_owned()).or_default();
        versions.push(Version {
            content,
            configuration_version: self.configuration_version,
            author: author.to_owned(),
            reason: reason.to_owned(),
            restored,
            seq: asked.placed.first,
            time_ns: asked.placed.time_ns,
            component: asked.component,
        });
        (1, Reply::Changed(versions.len() as u64))
    }

    pub(crate) fn fresh(&self, execution: Option<ExecutionId>) -> Result<ExecutionId, AppendError> {
        let execution = execution.unwrap_or_default();
        match self.executions.get(&execution) {
            None => Ok(execution),
            Some(known) => Err(refused(stands(known), State::InputReceived.name())),
        }
    }

    pub(crate) fn begin(
        &mut self,
        asked: &Asked<'_>,
        id: ExecutionId,
        context: &Context,
        status: Status,
    ) {
        let execution = Execution {
            status,
            capability: String::new(),
            decision: 0,
            resolution: 0,
            first: asked.placed.first,
            last: asked.placed.first,
            started: 0,
            first_ns: asked.placed.time_ns,
            last_ns: asked.placed.time_ns,
            parent: context.parent_id().unwrap_or_default(),
            trace: context.trace_id().unwrap_or_default(),
            component: asked.component,
            subject: subject_of(context),
            on_behalf_of: context.delegation().to_vec(),
            basis: (0, 0),
            asked: Asking::default(),
        };
        self.executions.insert(id, execution);
    }

    /// The newest record that names an execution is the last of these.
    pub(crate) fn last(&mut self, execution: ExecutionId, asked: &Asked<'_>, records: u64) {
        if let Some(execution) = self.executions.get_mut(&execution) {
            execution.last = asked.placed.first + records - 1;
            execution.last_ns = asked.placed.time_ns;
        }
    }

    pub(crate) fn has_been(&self, basis: &Basis) -> Result<(u64, u64), AppendError> {
        let versions = (basis.configuration_version(), basis.registry_version());
        if versions.0 > self.configuration_version {
            return Err(invalid("configuration_version"));
        }
        if versions.1 > self.registry_version {
            return Err(invalid("registry_version"));
        }
        Ok(versions)
    }

    pub(crate) fn in_force(
        &self,
        (configuration, registry): (u64, u64),
    ) -> Result<(), AppendError> {
        let what = match self.versions() {
            (now, _) if now != configuration => "configuration",
            (_, now) if now != registry => "registry",
            _ => return Ok(()),
        };
        Err(AppendError::PermitStale { what })
    }

    pub(crate) fn enabled(&self, capability: &str) -> Result<(), AppendError> {
        let registered = self.registry.get(capability);
        if capability == "message" || registered.is_some_and(|it| it.enabled) {
            return Ok(());
        }
        Err(AppendError::CapabilityNotEnabled {
            capability: capability.to_owned(),
        })
    }

    fn decide(&mut self, asked: &Asked<'_>, it: &Request, start: bool) -> Step {
        let execution = self.fresh(it.execution)?;
        let basis = self.has_been(&it.basis)?;
        let authorized = it.decision == Decision::Authorized;
        if authorized {
            self.in_force(basis)?;
            self.enabled(&it.capability)?;
            if !start && self.count(Status::Authorized) >= AUTHORIZED_MAX {
                return Err(AppendError::Busy {
                    what: "authorized executions",
                    limit: AUTHORIZED_MAX as u64,
                });
            }
        }
        let started = authorized && start;
        let status = match (authorized, start) {
            (true, true) => Status::Running,
            (true, false) => Status::Authorized,
            (false, _) => Status::Denied,
        };
        let before_start = 1 + u64::from(it.input.is_some());
        let records = before_start + u64::from(started) + 1;
        self.begin(asked, execution, &it.context, status);
        self.last(execution, asked, records);
        if let Some(entry) = self.executions.get_mut(&execution) {
            entry.capability.clone_from(&it.capability);
            entry.decision = it.decision.code();
            entry.basis = basis;
            if started {
                entry.started = asked.placed.first + before_start;
            }
        }
        let reply = Reply::Decided {
            execution,
            decision: it.decision.code(),
            started,
            permit: authorized && !start,
        };
        Ok((records, reply))
    }

    pub(crate) fn known(&mut self, execution: ExecutionId) -> Result<&mut Execution, AppendError> {
        let known = self.executions.get_mut(&execution);
        known.ok_or(AppendError::UnknownExecution { execution })
    }

    fn start(&mut self, asked: &Asked<'_>, it: &Starting) -> Step {
        if it.opening != self.opening {
            return Err(AppendError::PermitStale { what: "opening" });
        }
        let known = self.known(it.execution)?.clone();
        if known.status != Status::Authorized {
            return Err(refused(stands(&known), State::CapabilityExecuting.name()));
        }
        self.in_force(known.basis)?;
        self.enabled(&known.capability)?;
        inherits(it.execution, &known, asked)?;
        let entry = self.known(it.execution)?;
        entry.status = Status::Running;
        entry.started = asked.placed.first;
        self.last(it.execution, asked, 2);
        Ok((2, Reply::Execution(it.execution)))
    }

    fn import(&mut self, asked: &Asked<'_>, it: &Request, ending: &Ending) -> Step {
        let execution = self.fresh(it.execution)?;
        let basis = self.has_been(&it.basis)?;
        let before_start = 1 + u64::from(it.input.is_some());
        let records = before_start + 3;
        self.begin(asked, execution, &it.context, ended(ending).0);
        self.last(execution, asked, records);
        if let Some(entry) = self.executions.get_mut(&execution) {
            entry.capability.clone_from(&it.capability);
            entry.decision = it.decision.code();
            entry.basis = basis;
            entry.started = asked.placed.first + before_start;
        }
        Ok((records, Reply::Execution(execution)))
    }
}
