//! Executions: each by its id, and by where it stands (FC-STORAGE §5).
//!
//! `LedgerOpened` is the first record of every epoch: what was running is in doubt from there on,
//! what was authorized and never started is abandoned.

use serde::{Deserialize, Serialize};

use crate::events::{
    AuthorizationDecidedV1, ComponentId, Decision, Event, EventType, ExecutionId, ParentId, Record,
    RecordHeader, TraceId,
};

use super::keys::{begins_execution, fixed_key, pack, trailing_u64, unpack};
use super::{Projection, ProjectionError, ViewBatch};

pub(super) const VERSION: u32 = 1;
/// execution id → entry.
const ENTRY: u8 = b'i';
/// status, first seq → execution id.
pub(super) const BY_STATUS: u8 = b's';
/// status → how many.
pub(super) const COUNT: u8 = b'n';

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
#[repr(u8)]
pub enum ExecutionStatus {
    /// Its input was accepted and nothing was decided yet; only inside a commit.
    Received = 0,
    /// Authorized and not started.
    Authorized = 1,
    /// Started and not finished.
    Running = 2,
    /// Started before a restart and not finished: nobody knows until it is resolved.
    InDoubt = 3,
    /// Authorized before a restart and never started.
    Abandoned = 4,
    /// Succeeded.
    Completed = 5,
    /// Failed.
    Failed = 6,
    /// Cancelled.
    Cancelled = 7,
    /// Denied by the gate.
    Denied = 8,
    /// Refused by the protocol.
    Rejected = 9,
    /// Was in doubt and then resolved by a statement.
    Resolved = 10,
}

impl ExecutionStatus {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Received,
        Self::Authorized,
        Self::Running,
        Self::InDoubt,
        Self::Abandoned,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Denied,
        Self::Rejected,
        Self::Resolved,
    ];

    /// A stable lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Authorized => "authorized",
            Self::Running => "running",
            Self::InDoubt => "in_doubt",
            Self::Abandoned => "abandoned",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Denied => "denied",
            Self::Rejected => "rejected",
            Self::Resolved => "resolved",
        }
    }
}

impl From<ExecutionStatus> for u8 {
    fn from(status: ExecutionStatus) -> Self {
        status as Self
    }
}

impl TryFrom<u8> for ExecutionStatus {
    type Error = &'static str;

    fn try_from(code: u8) -> Result<Self, Self::Error> {
        Self::ALL
            .into_iter()
            .find(|status| *status as u8 == code)
            .ok_or("unknown execution status")
    }
}

/// What the view knows of one execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionEntry {
    /// Its id.
    pub execution: ExecutionId,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// The capability asked for; empty where the protocol refused the input.
    pub capability: String,
    /// [`Decision`] as its number; 0 where none was made.
    pub decision: u8,
    /// [`crate::events::Resolution`] as its number; 0 where it was not resolved.
    pub resolution: u8,
    /// Its first record.
    pub first_seq: u64,
    /// The newest record that names it, of whatever type.
    pub last_seq: u64,
    /// The record of its start; 0 where it never started.
    pub started_seq: u64,
    /// Time of its first record, in nanoseconds since 1970.
    pub first_ns: i64,
    /// Time of its newest record, in nanoseconds since 1970.
    pub last_ns: i64,
    /// The session or execution that asked for it; nil where there is none.
    pub parent: ParentId,
    /// Trace id; nil where there is none.
    pub trace: TraceId,
    /// The component that asked for it.
    pub component: ComponentId,
}

/// The projection.
#[derive(Debug, Clone, Copy, Default)]
pub struct Executions;

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

    fn apply_header(
        &mut self,
        header: &RecordHeader,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        if header.execution.is_nil() || self.wants(header) {
            return Ok(());
        }
        advance(header, None, batch)
    }

    fn apply(
        &mut self,
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        if let Event::LedgerOpened(_) = event {
            move_all(ExecutionStatus::Running, ExecutionStatus::InDoubt, batch)?;
            return move_all(
                ExecutionStatus::Authorized,
                ExecutionStatus::Abandoned,
                batch,
            );
        }
        advance(&record.header, Some(event), batch)
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

/// A record of an execution, with its event where that says more than its type.
fn advance(
    header: &RecordHeader,
    event: Option<&Event>,
    batch: &mut ViewBatch,
) -> Result<(), ProjectionError> {
    let entry_key = entry_key(header.execution.as_bytes());
    let stored = if begins_execution(header) {
        None
    } else {
        batch.get(&entry_key)?
    };
    let stored: Option<ExecutionEntry> = stored.map(|bytes| unpack(&bytes)).transpose()?;
    let before = stored.as_ref().map(|entry| entry.status);
    let status = match event {
        Some(event) => told_status(event, before),
        None => typed_status(header.event_type),
    };
    // Others may speak of an execution; only the execution log begins one.
    let Some(mut entry) = stored.or_else(|| status.map(|status| begin(header, status))) else {
        return Ok(());
    };
    entry.last_seq = header.seq.get();
    entry.last_ns = header.time_ns;
    if let Some(event) = event {
        fill(&mut entry, event);
    }
    if let Some(status) = status {
        entry.status = status;
    }
    if before != Some(entry.status) {
        restate(&entry, before, batch)?;
    }
    batch.put(&entry_key, pack(&entry));
    Ok(())
}

const fn typed_status(event_type: EventType) -> Option<ExecutionStatus> {
    Some(match event_type {
        EventType::ExecutionCompleted => ExecutionStatus::Completed,
        EventType::ExecutionFailed => ExecutionStatus::Failed,
        EventType::ExecutionCancelled => ExecutionStatus::Cancelled,
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

fn decided(event: &AuthorizationDecidedV1) -> ExecutionStatus {
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

fn restate(
    entry: &ExecutionEntry,
    before: Option<ExecutionStatus>,
    batch: &mut ViewBatch,
) -> Result<(), ProjectionError> {
    if let Some(before) = before {
        let is_stored = entry.first_seq <= batch.after();
        batch.delete_unread(&status_key(before, entry.first_seq), is_stored);
        add(before, -1, batch)?;
    }
    let execution = entry.execution.as_bytes().to_vec();
    batch.put_unread(&status_key(entry.status, entry.first_seq), execution);
    add(entry.status, 1, batch)
}

fn add(status: ExecutionStatus, change: i64, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
    let count_key = [COUNT, status as u8];
    let count = match batch.get(&count_key)? {
        Some(bytes) => trailing_u64(&bytes)?,
        None => 0,
    };
    let count = count
        .checked_add_signed(change)
        .ok_or_else(|| ProjectionError::Damaged(format!("count of {} is off", status.name())))?;
    batch.put(&count_key, count.to_be_bytes().to_vec());
    Ok(())
}

fn move_all(
    from: ExecutionStatus,
    to: ExecutionStatus,
    batch: &mut ViewBatch,
) -> Result<(), ProjectionError> {
    for (_, id) in batch.scan(&[BY_STATUS, from as u8])? {
        let entry_key = entry_key(&id);
        let bytes = batch.get(&entry_key)?.ok_or_else(|| {
            ProjectionError::Damaged("an execution has a status and no entry".into())
        })?;
        let mut entry: ExecutionEntry = unpack(&bytes)?;
        entry.status = to;
        restate(&entry, Some(from), batch)?;
        batch.put(&entry_key, pack(&entry));
    }
    Ok(())
}
