// SPDX-License-Identifier: Apache-2.0
//! The model: plain maps, one at a time, no actor, no journal. It says what a command must be
//! answered with and what there is to see afterwards. Written from the documents, not from the code.

use std::collections::BTreeMap;

use femtoclaw_ledger::events::{
    CommandId, ComponentId, ExecutionId, ParentId, RuntimeId, State, TraceId,
};
use femtoclaw_ledger::projections::ExecutionStatus;
use femtoclaw_ledger::{AppendError, Party};

use super::concrete::Concrete;

pub(crate) const PAYLOAD_MAX: usize = 64 << 10;
pub(crate) const COMMIT_RECORDS_MAX: u64 = 8;
pub(crate) const RUNNING_MAX: usize = 3;
pub(crate) const AUTHORIZED_MAX: usize = 4;
pub(crate) const AWAITING_MAX: usize = 4;
/// No head gets here.
pub(crate) const BEYOND: u64 = 1 << 40;

/// What the ledger answers, as far as the model can know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Receipt,
    Decided {
        execution: ExecutionId,
        decision: u8,
        started: bool,
        permit: bool,
    },
    Execution(ExecutionId),
    /// An approval: how many were given and are needed; nothing of the last, and of one that was sent again.
    Given(ExecutionId, Option<(u32, u32)>),
    Changed(u64),
}

/// Where a commit came to stand: known from the receipt, and checked against the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Placed {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) time_ns: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) status: ExecutionStatus,
    pub(crate) capability: String,
    pub(crate) decision: u8,
    pub(crate) resolution: u8,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) started: u64,
    pub(crate) first_ns: i64,
    pub(crate) last_ns: i64,
    pub(crate) parent: ParentId,
    pub(crate) trace: TraceId,
    pub(crate) component: ComponentId,
    /// The caller's id of whom it is about.
    pub(crate) subject: Option<&'static str>,
    pub(crate) on_behalf_of: Vec<Party>,
    /// Configuration and registry version of the decision.
    pub(crate) basis: (u64, u64),
    pub(crate) asked: Asking,
}

/// What persons were asked about it, where they were.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asking {
    /// The record of the request.
    pub(crate) requested: u64,
    pub(crate) until_ns: i64,
    pub(crate) needed: u32,
    pub(crate) shown: Vec<u8>,
    /// As the view counts them.
    pub(crate) given: u32,
    /// On the basis that the request rests on.
    pub(crate) approvers: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) content: Vec<u8>,
    pub(crate) configuration_version: u64,
    pub(crate) author: String,
    pub(crate) reason: String,
    pub(crate) restored: u64,
    pub(crate) seq: u64,
    pub(crate) time_ns: i64,
    pub(crate) component: ComponentId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capability {
    pub(crate) version: String,
    pub(crate) parameters: Vec<u8>,
    pub(crate) enabled: bool,
    pub(crate) registry_version: u64,
    pub(crate) seq: u64,
}

/// A command that was committed.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) concrete: Concrete,
    pub(crate) reply: Reply,
    pub(crate) placed: Placed,
}

/// A command on its way through the model.
pub(crate) struct Asked<'a> {
    pub(crate) concrete: &'a Concrete,
    pub(crate) component: ComponentId,
    /// Where its records are, where the ledger accepted it.
    pub(crate) placed: Placed,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Reference {
    pub(crate) executions: BTreeMap<ExecutionId, Execution>,
    pub(crate) documents: BTreeMap<String, Vec<Version>>,
    pub(crate) configuration_version: u64,
    pub(crate) registry: BTreeMap<String, Capability>,
    pub(crate) registry_version: u64,
    /// The registry after each of its versions, and the record that made it so.
    pub(crate) registries: Vec<(u64, BTreeMap<String, Capability>)>,
    pub(crate) runtime: Option<(RuntimeId, String, u64)>,
    pub(crate) modules: BTreeMap<String, (String, u64)>,
    /// `None`: INITIALIZING, since the opening.
    pub(crate) machine: Option<State>,
    pub(crate) positions: BTreeMap<String, (u64, u64)>,
    pub(crate) sent: BTreeMap<(ComponentId, CommandId), Sent>,
    pub(crate) opening: u64,
}

/// What a step does: how many records, and what is answered.
pub(crate) type Step = Result<(u64, Reply), AppendError>;

impl Reference {
    pub(crate) fn versions(&self) -> (u64, u64) {
        (self.configuration_version, self.registry_version)
    }

    pub(crate) fn document_version(&self, document: &str) -> u64 {
        self.documents.get(document).map_or(0, Vec::len) as u64
    }

    pub(crate) fn executions_that(
        &self,
        wanted: impl Fn(ExecutionStatus) -> bool,
    ) -> Vec<ExecutionId> {
        let found = self.executions.iter().filter(|(_, it)| wanted(it.status));
        found.map(|(execution, _)| *execution).collect()
    }

    pub(crate) fn count(&self, status: ExecutionStatus) -> usize {
        self.executions_that(|it| it == status).len()
    }

    pub(crate) fn machine(&self) -> State {
        self.machine.unwrap_or(State::Initializing)
    }

    /// The ledger is opened again.
    pub(crate) fn reopened(&mut self) {
        self.opening += 1;
        self.machine = None;
        for execution in self.executions.values_mut() {
            execution.status = match execution.status {
                ExecutionStatus::Running => ExecutionStatus::InDoubt,
                ExecutionStatus::Authorized => ExecutionStatus::Abandoned,
                other => other,
            };
        }
    }

    /// A group: all of it or nothing. Gives the replies and where each command's records are.
    pub(crate) fn commit(
        &mut self,
        group: &[Concrete],
        component: ComponentId,
        placed: Placed,
    ) -> Result<Vec<(Reply, Placed)>, AppendError> {
        self.admitted(group)?;
        if let Some(answers) = self.repeated(group, component)? {
            return Ok(answers);
        }
        let mut next = self.clone();
        let mut first = placed.first;
        let mut answers = Vec::new();
        let (mut started, mut asks) = (Vec::new(), Vec::new());
        for concrete in group {
            let at = Placed { first, ..placed };
            let asked = Asked {
                concrete,
                component,
                placed: at,
            };
            let (records, reply) = next.step(&asked)?;
            match (concrete, &reply) {
                (Concrete::Start(it), _) => started.push(it.execution),
                (Concrete::StartApproved(it), _) => started.push(it.execution),
                (
                    Concrete::Begin(_),
                    Reply::Decided {
                        execution,
                        started: true,
                        ..
                    },
                ) => started.push(*execution),
                (Concrete::RequestApproval(_), Reply::Execution(execution)) => {
                    asks.push(*execution)
                }
                (Concrete::ConfirmApproval(it), _) => asks.push(it.execution),
                (Concrete::Approve(it), _) if asks.contains(&it.execution) => {
                    return Err(invalid("commands"));
                }
                (Concrete::RefuseApproval(it), _) if asks.contains(&it.execution) => {
                    return Err(invalid("commands"));
                }
                (Concrete::Finish(it), _) if started.contains(&it.execution) => {
                    return Err(invalid("commands"));
                }
                _ => {}
            }
            let own = Placed {
                first,
                last: first + records - 1,
                ..placed
            };
            first += records;
            answers.push((reply, own));
        }
        for (concrete, (reply, placed)) in group.iter().zip(&answers) {
            let command = concrete.context().command_id().unwrap_or_default();
            let sent = Sent {
                concrete: concrete.clone(),
                reply: reply.clone(),
                placed: *placed,
            };
            next.sent.insert((component, command), sent);
        }
        *self = next;
        Ok(answers)
    }

    /// What is refused before the commands' ids are looked at.
    fn admitted(&self, group: &[Concrete]) -> Result<(), AppendError> {
        let Some(first) = group.first().map(Concrete::store) else {
            return Ok(());
        };
        for concrete in group {
            super::validity::validate(concrete)?;
            let other = concrete.store();
            if other != first {
                return Err(AppendError::CrossStore { first, other });
            }
        }
        let records: u64 = group.iter().map(Concrete::records_max).sum();
        if records > COMMIT_RECORDS_MAX {
            return Err(AppendError::CommitTooLarge {
                records,
                records_max: COMMIT_RECORDS_MAX,
                bytes: 0,
                bytes_max: 0,
            });
        }
        let starts = group.iter().filter(|concrete| match concrete {
            Concrete::Start(_) | Concrete::StartApproved(_) => true,
            Concrete::Begin(it) => it.decision == femtoclaw_ledger::events::Decision::Authorized,
            _ => false,
        });
        let starts = starts.count();
        if starts > 0 && self.count(ExecutionStatus::Running) + starts > RUNNING_MAX {
            return Err(AppendError::Busy {
                what: "running executions",
                limit: RUNNING_MAX as u64,
            });
        }
        Ok(())
    }

    /// The answers that the group got before; `None` where it is new.
    fn repeated(
        &self,
        group: &[Concrete],
        component: ComponentId,
    ) -> Result<Option<Vec<(Reply, Placed)>>, AppendError> {
        let mut known: BTreeMap<CommandId, &Concrete> = BTreeMap::new();
        let mut taken = Vec::new();
        let mut answers = Vec::new();
        for concrete in group {
            let command = concrete.context().command_id().unwrap_or_default();
            let sent = self.sent.get(&(component, command));
            let before = sent.map(|sent| &sent.concrete);
            // Twice in one group is once before.
            match before.or_else(|| known.get(&command).copied()) {
                Some(before) => taken.push((command, before.same_content(concrete))),
                None => drop(known.insert(command, concrete)),
            }
            answers.extend(sent.map(|sent| (self.again(sent), sent.placed)));
        }
        if let Some((command, _)) = taken.iter().find(|(_, same)| !same) {
            return Err(AppendError::IdempotencyConflict { command: *command });
        }
        match taken.first() {
            None => Ok(None),
            Some((command, _)) if taken.len() < group.len() => {
                Err(AppendError::PartialIdempotency { command: *command })
            }
            Some(_) => {
                let pairs = answers
                    .iter()
                    .zip(answers.iter().skip(1))
                    .zip(group.iter().skip(1));
                for (((_, before), (_, next)), concrete) in pairs {
                    if before.last + 1 != next.first {
                        let command = concrete.context().command_id().unwrap_or_default();
                        return Err(AppendError::GroupConflict { command });
                    }
                }
                Ok(Some(answers))
            }
        }
    }

    /// Nothing starts a second time; a permit comes again as long as it is worth something.
    fn again(&self, sent: &Sent) -> Reply {
        let mut reply = sent.reply.clone();
        if let Reply::Given(_, given) = &mut reply {
            *given = None;
        }
        if let Reply::Decided {
            execution,
            started,
            permit,
            ..
        } = &mut reply
        {
            *started = false;
            let status = self.executions.get(execution).map(|it| it.status);
            *permit = status == Some(ExecutionStatus::Authorized);
        }
        reply
    }
}

pub(crate) fn invalid(field: &'static str) -> AppendError {
    AppendError::Invalid {
        field,
        problem: String::new(),
    }
}
