// SPDX-License-Identifier: Apache-2.0
//! Whom records are about, and on whose behalf executions are decided, on the model.

use femtoclaw_ledger::events::{Event, ExecutionId, Record, SubjectId};
use femtoclaw_ledger::projections::{ExecutionEntry, Filter};
use femtoclaw_ledger::{AppendError, Context, Party};

use super::approving::ASKED;
use super::compare::text;
use super::drive::Driver;
use super::ops::{By, What};
use super::reference::{Asked, Execution};

const SUBJECTS: [&str; 2] = ["customer 1", "customer 2"];

pub(crate) fn party(id: &str) -> Party {
    Party::new("id.example", id)
}

/// The first command of an execution mostly says whom it is about, and sometimes on whose behalf; a later one seldom says
/// whom, and then not always the same.
pub(crate) fn whom(context: Context, what: What) -> Context {
    let about = |context: Context, number: u8| context.subject(SUBJECTS[usize::from(number % 2)]);
    match what.kind {
        "authorize" | "begin" | "import" | "request_approval" | "reject" => {
            let context = match what.b % 3 {
                0 => context,
                number => about(context, number),
            };
            match what.a % 3 {
                0 if what.kind != "reject" => context.on_behalf_of([party("mary"), party("agent")]),
                _ => context,
            }
        }
        _ if (20..50).contains(&what.spoil) => about(context, what.b),
        _ => context,
    }
}

/// The caller's id of whom a command is about: a context does not tell.
pub(crate) fn subject_of(context: &Context) -> Option<&'static str> {
    let is_it = |id: &&str| context.clone().subject(*id) == *context;
    SUBJECTS.into_iter().find(is_it)
}

/// All records of an execution are about whom its first one is about.
pub(crate) fn inherits(
    execution: ExecutionId,
    known: &Execution,
    asked: &Asked<'_>,
) -> Result<(), AppendError> {
    match subject_of(asked.concrete.context()) {
        Some(named) if known.subject != Some(named) => Err(AppendError::OtherSubject { execution }),
        _ => Ok(()),
    }
}

impl Driver {
    /// As the ledger makes it.
    pub(crate) fn pseudonym(&self, subject: Option<&str>) -> Result<SubjectId, String> {
        let Some(subject) = subject else {
            return Ok(SubjectId::NIL);
        };
        let grant = self.world.grant(By::First).ok_or("it is not open")?;
        let reads = self.world.ledger().reader(grant).map_err(text)?;
        reads.subject_id(subject).map_err(text)
    }

    /// One of each subject and of parties in each of their places.
    pub(crate) fn filters_by_whom(&self) -> Result<Vec<Filter>, String> {
        let mut filters = Vec::new();
        for subject in SUBJECTS {
            filters.push(Filter {
                subject: Some(self.pseudonym(Some(subject))?),
                ..Filter::default()
            });
        }
        for id in ["agent", ASKED[0], "eve", "nobody"] {
            filters.push(Filter {
                party: Some(party(id)),
                ..Filter::default()
            });
        }
        Ok(filters)
    }
}

pub(crate) fn fits_whom(record: &Record, filter: &Filter) -> bool {
    let names = |party: &Party| parties(record).contains(party);
    filter.subject.is_none_or(|it| it == record.header.subject)
        && filter.party.as_ref().is_none_or(names)
}

/// All parties that a record names.
fn parties(record: &Record) -> Vec<Party> {
    match record.event() {
        Ok(Event::AuthorizationDecided(it)) => {
            let approval = it.approval.into_iter();
            let answered = approval.flat_map(|it| it.approvers.into_iter().chain(it.refused_by));
            it.on_behalf_of.into_iter().chain(answered).collect()
        }
        Ok(Event::ApprovalRequested(it)) => it.on_behalf_of.into_iter().chain(it.asked).collect(),
        Ok(Event::ApprovalGiven(it)) => vec![it.approver],
        Ok(Event::ApprovalRefused(it)) => vec![it.approver],
        _ => Vec::new(),
    }
}

pub(crate) fn entry(id: ExecutionId, it: &Execution, subject: SubjectId) -> ExecutionEntry {
    ExecutionEntry {
        execution: id,
        status: it.status,
        capability: it.capability.clone(),
        decision: it.decision,
        resolution: it.resolution,
        first_seq: it.first,
        last_seq: it.last,
        started_seq: it.started,
        first_ns: it.first_ns,
        last_ns: it.last_ns,
        parent: it.parent,
        trace: it.trace,
        component: it.component,
        subject,
        on_behalf_of: Some(it.on_behalf_of.clone()),
        configuration_version: it.basis.0,
        requested_seq: it.asked.requested,
        until_ns: it.asked.until_ns,
        approvals_given: it.asked.given,
        approvals_needed: it.asked.needed,
    }
}
