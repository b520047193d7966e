// SPDX-License-Identifier: Apache-2.0
//! Executions: each by its id, and by where it stands (FC-STORAGE §5).
//!
//! An execution's few records mostly come in one batch, so its entry is decoded and encoded once for
//! each batch and not for each record.
//!
//! `LedgerOpened` is the first record of every epoch: what was running is in doubt from there on,
//! what was authorized and never started is abandoned. What persons were asked about, and what they approved, goes on
//! as it was: nothing in memory is needed for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rapidhash::fast::RandomState;

use crate::events::{
    AuthorizationDecidedV2, Decision, Event, EventType, ExecutionId, Record, RecordHeader,
};

use super::execution_entry::ExecutionEntry;
use super::execution_status::ExecutionStatus;
use super::keys::{begins_execution, fixed_key, pack, trailing_u64};
use super::{Projection, ProjectionError, ViewBatch};

pub(super) const VERSION: u32 = 3;
/// execution id → entry.
const ENTRY: u8 = b'i';
/// status, first seq → execution id.
const BY_STATUS: u8 = b's';
/// status, until when, first seq → execution id; of those that wait for a person or for their start after one.
const BY_UNTIL: u8 = b'u';
/// status → how many; absent where there are none.
pub(super) const COUNT: u8 = b'n';

/// An execution that this batch has spoken of.
#[derive(Debug, Clone)]
struct Touched {
    /// Where it stood before.
    before: Option<ExecutionStatus>,
    /// `None`: others spoke of it, and it has not begun.
    entry: Option<ExecutionEntry>,
}

/// The projection.
///
/// Example: `tests/projections/executions.rs`.
#[derive(Debug, Clone, Default)]
pub struct Executions {
    touched: HashMap<ExecutionId, Touched, RandomState>,
}

impl Executions {
    /// The view's name.
    pub const NAME: &'static str = super::names::EXECUTIONS;
}

impl Projection for Executions {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn wants(&self, header: &RecordHeader) -> bool {
        let kind = header.event_type;
        kind == EventType::LedgerOpened || (!header.execution.is_nil() && status_in_event(kind))
    }

    fn begin(&mut self) {
        self.touched.clear();
    }

    fn apply_header(
        &mut self,
        header: &RecordHeader,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        if header.execution.is_nil() || self.wants(header) {
            return Ok(());
        }
        self.advance(header, None, batch)
    }

    fn apply(
        &mut self,
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        if let Event::LedgerOpened(_) = event {
            self.finish(batch)?;
            move_all(ExecutionStatus::Running, ExecutionStatus::InDoubt, batch)?;
            return move_all(
                ExecutionStatus::Authorized,
                ExecutionStatus::Abandoned,
                batch,
            );
        }
        self.advance(&record.header, Some(event), batch)
    }

    fn finish(&mut self, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
        let mut changes = [0; ExecutionStatus::ALL.len()];
        for (_, Touched { before, entry }) in self.touched.drain() {
            let Some(entry) = entry else { continue };
            if before != Some(entry.status) {
                restate(&entry, before, batch);
                tally(&mut changes, before, -1);
                tally(&mut changes, Some(entry.status), 1);
            }
            batch.put(&entry_key(entry.execution.as_bytes()), pack(&entry));
        }
        for (status, change) in ExecutionStatus::ALL.into_iter().zip(changes) {
            add(status, change, batch)?;
        }
        Ok(())
    }
}

/// Whether what an event of this type says of its execution is more than its type.
const fn status_in_event(event_type: EventType) -> bool {
    matches!(
        event_type,
        EventType::ProtocolValidated
            | EventType::AuthorizationDecided
            | EventType::ExecutionStarted
            | EventType::ExecutionResolved
            | EventType::ApprovalRequested
            | EventType::ApprovalGiven
            | EventType::ApprovalConfirmed
    )
}

impl Executions {
    /// A record of an execution, with its event where that says more than its type.
    fn advance(
        &mut self,
        header: &RecordHeader,
        event: Option<&Event>,
        batch: &ViewBatch,
    ) -> Result<(), ProjectionError> {
        let touched = match self.touched.entry(header.execution) {
            Entry::Occupied(touched) => touched.into_mut(),
            Entry::Vacant(untouched) => untouched.insert(Touched::of(header, batch)?),
        };
        let before = touched.entry.as_ref().map(|entry| entry.status);
        let status = match event {
            Some(event) => told_status(event, before),
            None => typed_status(header.event_type),
        };
        // Others may speak of an execution; only the execution log begins one.
        let begun = || status.map(|status| begin(header, status));
        let Some(mut entry) = touched.entry.take().or_else(begun) else {
            return Ok(());
        };
        entry.last_seq = header.seq.get();
        entry.last_ns = header.time_ns;
        if let Some(event) = event {
            fill(&mut entry, event);
        }
        entry.status = status.unwrap_or(entry.status);
        touched.entry = Some(entry);
        Ok(())
    }
}

impl Touched {
    /// What is stored of the execution that this record speaks of.
    fn of(header: &RecordHeader, batch: &ViewBatch) -> Result<Self, ProjectionError> {
        let entry: Option<ExecutionEntry> = match begins_execution(header) {
            true => None,
            false => batch.value(&entry_key(header.execution.as_bytes()))?,
        };
        let before = entry.as_ref().map(|entry| entry.status);
        Ok(Self { before, entry })
    }
}

const fn typed_status(event_type: EventType) -> Option<ExecutionStatus> {
    Some(match event_type {
        EventType::ExecutionCompleted => ExecutionStatus::Completed,
        EventType::ExecutionFailed => ExecutionStatus::Failed,
        EventType::ExecutionCancelled => ExecutionStatus::Cancelled,
        EventType::ExecutionInDoubt => ExecutionStatus::InDoubt,
        EventType::ExecutionAbandoned => ExecutionStatus::Abandoned,
        _ => return None,
    })
}

fn told_status(event: &Event, before: Option<ExecutionStatus>) -> Option<ExecutionStatus> {
    Some(match event {
        Event::ProtocolValidated(_) if before.is_some() => return None,
        Event::ProtocolValidated(e) if e.accepted => ExecutionStatus::Received,
        Event::ProtocolValidated(_) => ExecutionStatus::Rejected,
        Event::AuthorizationDecided(e) => decided(e),
        Event::ExecutionStarted(_) => ExecutionStatus::Running,
        Event::ExecutionResolved(_) => ExecutionStatus::Resolved,
        Event::ApprovalRequested(_) => ExecutionStatus::AwaitingApproval,
        _ => return None,
    })
}

fn decided(event: &AuthorizationDecidedV2) -> ExecutionStatus {
    match &event.approval {
        _ if event.decision != Decision::Authorized.code() => ExecutionStatus::Denied,
        Some(_) => ExecutionStatus::Approved,
        None => ExecutionStatus::Authorized,
    }
}

fn begin(header: &RecordHeader, status: ExecutionStatus) -> ExecutionEntry {
    ExecutionEntry {
        execution: header.execution,
        status,
        capability: String::new(),
        decision: 0,
        resolution: 0,
        first_seq: header.seq.get(),
        last_seq: header.seq.get(),
        started_seq: 0,
        first_ns: header.time_ns,
        last_ns: header.time_ns,
        parent: header.parent,
        trace: header.trace,
        component: header.component,
        subject: header.subject,
        on_behalf_of: Some(Vec::new()),
        requested_seq: 0,
        until_ns: 0,
        approvals_given: 0,
        approvals_needed: 0,
    }
}

fn fill(entry: &mut ExecutionEntry, event: &Event) {
    match event {
        Event::AuthorizationDecided(e) => {
            entry.capability.clone_from(&e.capability);
            entry.decision = e.decision;
            entry.on_behalf_of = Some(e.on_behalf_of.clone());
        }
        Event::ApprovalRequested(e) => {
            entry.capability.clone_from(&e.capability);
            entry.on_behalf_of = Some(e.on_behalf_of.clone());
            entry.requested_seq = entry.last_seq;
            entry.until_ns = e.until_ns;
            entry.approvals_needed = e.approvers_needed;
        }
        Event::ApprovalGiven(e) => entry.approvals_given = e.given,
        Event::ApprovalConfirmed(_) => entry.approvals_given = 0,
        Event::ExecutionStarted(e) => {
            entry.capability.clone_from(&e.capability);
            entry.started_seq = entry.last_seq;
        }
        Event::ExecutionResolved(e) => entry.resolution = e.resolution,
        _ => {}
    }
}

pub(super) fn entry_key(execution: &[u8]) -> [u8; 17] {
    fixed_key(ENTRY, &[execution])
}

pub(super) fn status_key(status: ExecutionStatus, first_seq: u64) -> [u8; 10] {
    fixed_key(BY_STATUS, &[&[status as u8], &first_seq.to_be_bytes()])
}

/// Before all that are to be approved later; those of one time in order of their first records.
pub(super) fn until_key(status: ExecutionStatus, until_ns: i64, first_seq: u64) -> [u8; 18] {
    // Times before 1970 come first, as bytes too.
    let until = until_ns.cast_unsigned() ^ (1 << 63);
    let parts: [&[u8]; 3] = [
        &[status as u8],
        &until.to_be_bytes(),
        &first_seq.to_be_bytes(),
    ];
    fixed_key(BY_UNTIL, &parts)
}

/// Whether those of a status are also found by the time until when they may be approved and started.
const fn has_until(status: ExecutionStatus) -> bool {
    matches!(
        status,
        ExecutionStatus::AwaitingApproval | ExecutionStatus::Approved
    )
}

/// Moves an execution from where the view has it to where it stands.
fn restate(entry: &ExecutionEntry, before: Option<ExecutionStatus>, batch: &mut ViewBatch) {
    let (until_ns, first_seq) = (entry.until_ns, entry.first_seq);
    if let Some(before) = before {
        batch.delete_unread(&status_key(before, first_seq));
        if has_until(before) {
            batch.delete_unread(&until_key(before, until_ns, first_seq));
        }
    }
    let execution = entry.execution.as_bytes().to_vec();
    if has_until(entry.status) {
        let key = until_key(entry.status, until_ns, first_seq);
        batch.put_new(&key, execution.clone());
    }
    // An execution has each status once.
    batch.put_new(&status_key(entry.status, first_seq), execution);
}

fn tally(changes: &mut [i64], status: Option<ExecutionStatus>, by: i64) {
    if let Some(change) = status.and_then(|status| changes.get_mut(status as usize)) {
        *change += by;
    }
}

fn add(status: ExecutionStatus, change: i64, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
    if change == 0 {
        return Ok(());
    }
    let count_key = [COUNT, status as u8];
    let count = match batch.get(&count_key)? {
        Some(bytes) => trailing_u64(&bytes)?,
        None => 0,
    };
    match count.checked_add_signed(change) {
        // Where batches end must not show.
        Some(0) => batch.delete(&count_key),
        Some(count) => batch.put(&count_key, count.to_be_bytes().to_vec()),
        None => {
            let problem = format!("count of {} is off", status.name());
            return Err(ProjectionError::Damaged(problem.into()));
        }
    }
    Ok(())
}

fn move_all(
    from: ExecutionStatus,
    to: ExecutionStatus,
    batch: &mut ViewBatch,
) -> Result<(), ProjectionError> {
    let mut moved = 0;
    for (_, id) in batch.scan(&[BY_STATUS, from as u8])? {
        let entry_key = entry_key(&id);
        let mut entry: ExecutionEntry = batch.value(&entry_key)?.ok_or_else(|| {
            ProjectionError::Damaged("an execution has a status and no entry".into())
        })?;
        entry.status = to;
        restate(&entry, Some(from), batch);
        batch.put(&entry_key, pack(&entry));
        moved += 1;
    }
    add(from, -moved, batch)?;
    add(to, moved, batch)
}
