// SPDX-License-Identifier: Apache-2.0
//! Executions: each by its id, and by where it stands (FC-STORAGE §5).
//!
//! An execution's few records mostly come in one batch, so its entry is decoded and encoded once for
//! each batch and not for each record.
//!
//! `LedgerOpened` is the first record of every epoch: what was running is in doubt from there on,
//! what was authorized and never started is abandoned.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rapidhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::events::{
    AuthorizationDecidedV2, ComponentId, Decision, Event, EventType, ExecutionId, ParentId, Record,
    RecordHeader, Resolution, TraceId,
};

use super::execution_status::ExecutionStatus;
use super::keys::{begins_execution, fixed_key, pack, trailing_u64};
use super::{Projection, ProjectionError, ViewBatch};

pub(super) const VERSION: u32 = 2;
/// execution id → entry.
const ENTRY: u8 = b'i';
/// status, first seq → execution id.
const BY_STATUS: u8 = b's';
/// status → how many; absent where there are none.
pub(super) const COUNT: u8 = b'n';

/// What the view knows of one execution.
///
/// Example: [`execution_log`](crate::execution_log).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionEntry {
    /// Its id.
    pub execution: ExecutionId,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// The capability asked for; empty where the protocol refused the input.
    pub capability: String,
    /// [`Decision`] as its number; 0 where none was made.
    #[serde(with = "crate::events::readable::words::Code::<Decision>")]
    pub decision: u8,
    /// [`crate::events::Resolution`] as its number; 0 where it was not resolved.
    #[serde(with = "crate::events::readable::words::Code::<Resolution>")]
    pub resolution: u8,
    /// Its first record.
    pub first_seq: u64,
    /// The newest record that names it, of whatever type.
    pub last_seq: u64,
    /// The record of its start; 0 where it never started.
    pub started_seq: u64,
    /// Time of its first record, in nanoseconds since 1970.
    #[serde(rename = "first", with = "crate::events::readable::time")]
    pub first_ns: i64,
    /// Time of its newest record, in nanoseconds since 1970.
    #[serde(rename = "last", with = "crate::events::readable::time")]
    pub last_ns: i64,
    /// The session or execution that asked for it; nil where there is none.
    pub parent: ParentId,
    /// Trace id; nil where there is none.
    pub trace: TraceId,
    /// The component that asked for it.
    pub component: ComponentId,
}

crate::events::readable::debug_as_read!(ExecutionEntry);

impl ExecutionEntry {
    /// The gate's decision; `None` where it made none, or one that only a later software knows.
    #[must_use]
    pub fn decision(&self) -> Option<Decision> {
        Decision::from_code(self.decision)
    }

    /// How it was resolved; `None` where it was not, or in a way that only a later software knows.
    #[must_use]
    pub fn resolution(&self) -> Option<Resolution> {
        Resolution::from_code(self.resolution)
    }
}

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
    pub const NAME: &'static str = "executions";
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
        _ => return None,
    })
}

fn decided(event: &AuthorizationDecidedV2) -> ExecutionStatus {
    if event.decision == Decision::Authorized.code() {
        ExecutionStatus::Authorized
    } else {
        ExecutionStatus::Denied
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
    }
}

fn fill(entry: &mut ExecutionEntry, event: &Event) {
    match event {
        Event::AuthorizationDecided(e) => {
            entry.capability.clone_from(&e.capability);
            entry.decision = e.decision;
        }
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

/// Moves an execution from where the view has it to where it stands.
fn restate(entry: &ExecutionEntry, before: Option<ExecutionStatus>, batch: &mut ViewBatch) {
    if let Some(before) = before {
        let is_stored = entry.first_seq <= batch.after();
        batch.delete_unread(&status_key(before, entry.first_seq), is_stored);
    }
    let execution = entry.execution.as_bytes().to_vec();
    batch.put_unread(&status_key(entry.status, entry.first_seq), execution);
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
