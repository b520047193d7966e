// SPDX-License-Identifier: Apache-2.0
//! Where each execution stands.

use std::collections::HashMap;

use rapidhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::super::event_sourced::{EventPlace, KnownExecution, ReplayError};
use super::status::Status;
use super::waiting::{Deadlines, WaitingRequest};
use super::window::Window;
use crate::commands::Grounds;
use crate::events::{
    AuthorizationDecidedV2, ComponentId, Event, EventType, ExecutionId, Hash, ParentId, Resolution,
    Seq, SubjectId, TraceId,
};

/// An execution that has not ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) status: Status,
    pub(crate) version: u64,
    pub(crate) capability: Box<str>,
    pub(crate) arguments_digest: Hash,
    pub(crate) basis: Grounds,
    pub(crate) parent: ParentId,
    pub(crate) trace: TraceId,
    /// Whom it is about; nil where nobody is named.
    pub(crate) subject: SubjectId,
    /// Who started it; until then, who had it authorized.
    pub(crate) component: ComponentId,
    /// Of one that waits for persons, or that they have approved.
    pub(super) waiting: Option<Box<WaitingRequest>>,
    /// Known of what was replayed only.
    #[serde(skip)]
    started: Option<(Seq, i64)>,
}

impl Open {
    /// Authorized, where nothing else is said.
    pub(super) fn begun(
        place: &EventPlace,
        capability: &str,
        arguments_digest: Hash,
        basis: Grounds,
    ) -> Self {
        Self {
            status: Status::Authorized,
            version: place.stream_version,
            capability: capability.into(),
            arguments_digest,
            basis,
            parent: place.parent,
            trace: place.trace,
            subject: place.subject,
            component: place.component,
            waiting: None,
            started: None,
        }
    }
}

/// An execution that was started under an earlier opening and not finished: its effect may have
/// happened, and may be happening still.
#[cfg(test)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InDoubt {
    /// The execution.
    pub(crate) execution: ExecutionId,
    /// Its capability.
    pub(crate) capability: String,
    /// The session or execution that asked for it; nil where there is none.
    pub(crate) parent: ParentId,
    /// Its trace; nil where there is none.
    pub(crate) trace: TraceId,
    /// Record of its start.
    pub(crate) started: Seq,
    /// When it was started, in nanoseconds since 1970.
    pub(crate) started_ns: i64,
}

/// All executions that have not ended, and those that ended lately.
#[derive(Debug, Default)]
pub(crate) struct ExecutionLogState {
    pub(super) open: HashMap<ExecutionId, Open, RandomState>,
    running: usize,
    authorized: usize,
    /// Of those that wait for persons, and of those that persons approved and nobody started.
    pub(super) deadlines: Deadlines,
    window: Window,
}

/// What is saved of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct ExecutionsPortrait {
    open: Vec<(ExecutionId, Open)>,
    finished: Vec<(ExecutionId, KnownExecution)>,
}

/// What a group may change.
#[derive(Debug)]
pub(crate) struct BeforeGroup {
    open: Vec<(ExecutionId, Open)>,
    running: usize,
    authorized: usize,
    mark: u64,
}

/// Whether an event of this type ends an execution.
pub(super) const fn finishes(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::ExecutionCompleted
            | EventType::ExecutionFailed
            | EventType::ExecutionCancelled
            | EventType::ExecutionResolved
    )
}

impl ExecutionLogState {
    pub(super) fn open(&self, execution: ExecutionId) -> Option<&Open> {
        self.open.get(&execution)
    }

    pub(super) fn remembered(&self, execution: ExecutionId) -> Option<KnownExecution> {
        let open = self.open.get(&execution).map(|open| KnownExecution {
            status: open.status,
            version: open.version,
        });
        open.or_else(|| self.window.get(execution))
    }

    /// Executions started in this opening and not finished.
    pub(crate) const fn running(&self) -> usize {
        self.running
    }

    /// Executions authorized in this opening and not started.
    pub(crate) const fn authorized(&self) -> usize {
        self.authorized
    }

    /// Executions started and not finished, in doubt ones included; asked before the ledger's
    /// opening is recorded, these are the ones it leaves in doubt.
    pub(crate) fn unfinished(&self) -> usize {
        self.open.len() - self.authorized - self.deadlines.count()
    }

    /// Executions in memory that have ended.
    #[cfg(test)]
    pub(crate) fn remembered_finished(&self) -> usize {
        self.window.len()
    }

    /// Executions in doubt, in order of their start.
    #[cfg(test)]
    pub(crate) fn in_doubt(&self) -> Vec<InDoubt> {
        let mut all: Vec<InDoubt> = self
            .open
            .iter()
            .filter(|(_, open)| open.status == Status::InDoubt)
            .map(|(execution, open)| {
                let (started, started_ns) = open.started.unwrap_or((Seq::FIRST, 0));
                InDoubt {
                    execution: *execution,
                    capability: open.capability.to_string(),
                    parent: open.parent,
                    trace: open.trace,
                    started,
                    started_ns,
                }
            })
            .collect();
        all.sort_unstable_by_key(|it| (it.started, it.execution));
        all
    }

    /// How many executions have ended so far; goes with the next sequence number that the actor
    /// learns, to [`ExecutionLogState::committed`].
    pub(crate) fn mark(&self) -> u64 {
        self.window.mark()
    }

    /// All that ended up to `mark` lies at or before `seq`. Replay knows this by itself.
    pub(crate) fn committed(&mut self, mark: u64, seq: Seq) {
        self.window.committed(mark, seq);
    }

    /// The view that answers for history has read up to `seq`: what ended there may leave memory.
    pub(crate) fn forget_through(&mut self, seq: Seq) {
        self.window.forget_through(seq);
    }

    pub(super) fn advance(&mut self, place: &EventPlace, event: &Event) -> Result<(), ReplayError> {
        match event {
            Event::LedgerOpened(_) => self.reopen(place),
            Event::ProtocolValidated(validated) if !validated.accepted => {
                self.end_at_once(place, Status::Rejected);
            }
            Event::AuthorizationDecided(decided) => self.decide_at(place, decided)?,
            Event::ApprovalRequested(requested) => self.ask_at(place, requested)?,
            Event::ApprovalGiven(given) => self.approve_at(place, given)?,
            Event::ApprovalConfirmed(confirmed) => self.confirm_at(place, confirmed)?,
            Event::ExecutionStarted(_) => self.start_at(place)?,
            Event::ExecutionInDoubt(_) => self.doubt(place)?,
            Event::ExecutionAbandoned(_) => self.end(place, Status::Abandoned)?,
            Event::ExecutionCompleted(_) => self.end(place, Status::Completed)?,
            Event::ExecutionFailed(_) => self.end(place, Status::Failed)?,
            Event::ExecutionCancelled(_) => self.end(place, Status::Cancelled)?,
            Event::ExecutionResolved(resolved) => {
                let status = match Resolution::from_code(resolved.resolution) {
                    Some(Resolution::Completed) => Status::Completed,
                    Some(Resolution::Failed) => Status::Failed,
                    Some(Resolution::Cancelled) => Status::Cancelled,
                    Some(Resolution::Lost) | None => Status::Lost,
                };
                self.end(place, status)?;
            }
            _ => {}
        }
        self.touch(place);
        Ok(())
    }

    /// Every event, of any type, has taken a place in the execution's stream.
    fn touch(&mut self, place: &EventPlace) {
        if place.stream.as_bytes() != place.execution.as_bytes() {
            return;
        }
        if let Some(open) = self.open.get_mut(&place.execution) {
            open.version = place.stream_version;
        } else if let Some(known) = self.window.get_mut(place.execution) {
            known.version = place.stream_version;
        }
    }

    pub(super) fn authorize_at(&mut self, place: &EventPlace, event: &AuthorizationDecidedV2) {
        let basis = Grounds {
            configuration_version: event.configuration_version,
            registry_version: event.registry_version,
            policy_version: event.policy_version.clone(),
            policy_digest: event.policy_digest,
        };
        let open = Open::begun(place, &event.capability, event.arguments_digest, basis);
        self.open.insert(place.execution, open);
        self.authorized += 1;
    }

    fn start_at(&mut self, place: &EventPlace) -> Result<(), ReplayError> {
        match self.open.get_mut(&place.execution) {
            Some(open) if matches!(open.status, Status::Authorized | Status::Approved) => {
                match open.waiting.take() {
                    Some(waiting) => self.deadlines.remove(place.execution, &waiting),
                    None => self.authorized -= 1,
                }
                open.status = Status::Running;
                open.component = place.component;
                open.started = place.seq.map(|seq| (seq, place.time_ns));
                self.running += 1;
                Ok(())
            }
            _ => Err(place.inconsistent(format!("{} starts unauthorized", place.execution))),
        }
    }

    fn doubt(&mut self, place: &EventPlace) -> Result<(), ReplayError> {
        match self.open.get_mut(&place.execution) {
            Some(open) if open.status == Status::Running => {
                open.status = Status::InDoubt;
                self.running -= 1;
                Ok(())
            }
            _ => {
                Err(place.inconsistent(format!("{} is in doubt and did not run", place.execution)))
            }
        }
    }

    pub(super) fn end(&mut self, place: &EventPlace, status: Status) -> Result<(), ReplayError> {
        match self.take(place.execution) {
            Some(Status::Running) => self.running -= 1,
            Some(Status::Authorized) => self.authorized -= 1,
            Some(_) => {}
            None => {
                let what = format!("{} ends without having begun", place.execution);
                return Err(place.inconsistent(what));
            }
        }
        self.end_at_once(place, status);
        Ok(())
    }

    /// Takes it out; gives how it stood.
    fn take(&mut self, execution: ExecutionId) -> Option<Status> {
        let open = self.open.remove(&execution)?;
        if let Some(waiting) = &open.waiting {
            self.deadlines.remove(execution, waiting);
        }
        Some(open.status)
    }

    fn put(&mut self, execution: ExecutionId, open: Open) {
        if let Some(waiting) = &open.waiting {
            self.deadlines.add(execution, waiting);
        }
        self.open.insert(execution, open);
    }

    pub(super) fn end_at_once(&mut self, place: &EventPlace, status: Status) {
        let version = place.stream_version;
        self.window
            .push(place.execution, KnownExecution { status, version });
        if let Some(seq) = place.seq {
            self.window.committed(self.window.mark(), seq);
        }
    }

    /// All that it holds, in an order that depends on nothing else.
    pub(crate) fn portrait(&self) -> ExecutionsPortrait {
        let mut open: Vec<_> = self.open.iter().map(|(id, it)| (*id, it.clone())).collect();
        open.sort_unstable_by_key(|(execution, _)| *execution);
        ExecutionsPortrait {
            open,
            finished: self.window.all().collect(),
        }
    }

    /// The state right before the record `at`: no finish lies at it or behind it.
    pub(crate) fn from_portrait(portrait: ExecutionsPortrait, at: Seq) -> Self {
        let mut state = Self::default();
        for (execution, open) in portrait.open {
            match open.status {
                Status::Running => state.running += 1,
                Status::Authorized => state.authorized += 1,
                _ => {}
            }
            state.put(execution, open);
        }
        for (execution, known) in portrait.finished {
            state.window.push(execution, known);
        }
        state.window.committed(state.window.mark(), at);
        state
    }

    /// A new opening: what was running is in doubt, what was not started never will be. What waits for persons, and
    /// what they approved, goes on.
    fn reopen(&mut self, place: &EventPlace) {
        let mut abandoned = Vec::new();
        for (execution, open) in &mut self.open {
            match open.status {
                Status::Running => open.status = Status::InDoubt,
                Status::Authorized => abandoned.push((*execution, open.version)),
                _ => {}
            }
        }
        abandoned.sort_unstable();
        for (execution, version) in abandoned {
            self.open.remove(&execution);
            let status = Status::Abandoned;
            self.window
                .push(execution, KnownExecution { status, version });
        }
        if let Some(seq) = place.seq {
            self.window.committed(self.window.mark(), seq);
        }
        self.running = 0;
        self.authorized = 0;
    }

    pub(super) fn save_open(&self, executions: impl Iterator<Item = ExecutionId>) -> BeforeGroup {
        let open = |id| self.open.get(&id).map(|open| (id, open.clone()));
        BeforeGroup {
            open: executions.filter_map(open).collect(),
            running: self.running,
            authorized: self.authorized,
            mark: self.window.mark(),
        }
    }

    pub(super) fn restore(
        &mut self,
        saved: BeforeGroup,
        touched: impl Iterator<Item = ExecutionId>,
    ) {
        for execution in touched {
            let _undone = self.take(execution);
        }
        self.window.take_back(saved.mark);
        for (execution, open) in saved.open {
            self.put(execution, open);
        }
        self.running = saved.running;
        self.authorized = saved.authorized;
    }
}
