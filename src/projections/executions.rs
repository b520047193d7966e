// SPDX-License-Identifier: Apache-2.0
//! Executions: each by its id, and by where it stands (FC-STORAGE §5).
//!
//! Those that go on are few at any time, and each has a key under its status. Those that have ended are as many as there is
//! history: they have terms with posting lists ([`super::postings`]), in which an execution stands by its first record,
//! and are written there once, when they end.
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

use crate::events::{Event, EventType, ExecutionId, Record, RecordHeader};

use super::execution_entry::ExecutionEntry;
use super::execution_status::ExecutionStatus;
use super::execution_steps::{begin, fill, status_in_event, told_status, typed_status};
use super::keys::{begins_execution, fixed_key, pack};
use super::postings::{BLOCK, close_ranges, place, post, unpost};
use super::terms::{
    Term, approval_term, capability_term, component_term, configuration_term, decision_term,
    parent_term, party_term, status_term, subject_term,
};
use super::{Projection, ProjectionError, ViewBatch};

pub(super) const VERSION: u32 = 5;
/// execution id → entry.
const ENTRY: u8 = b'i';
/// block → place in it and execution id, of all whose first record it holds, ascending.
const BY_FIRST: u8 = b'f';
/// status, first seq → execution id; of those that have not ended.
const BY_STATUS: u8 = b's';
/// status, until when, first seq → execution id; of those that wait for a person or for their start after one.
const BY_UNTIL: u8 = b'u';
/// → [`Counts`].
pub(super) const COUNTS: u8 = b'n';

/// Place in the block and execution id.
pub(super) const LISTED_BYTES: usize = 17;

/// An execution that this batch has spoken of.
#[derive(Debug, Clone)]
struct Touched {
    /// Where it stood before.
    before: Option<ExecutionStatus>,
    /// The terms that it had before; none where it went on.
    posted: Vec<Term>,
    /// `None`: others spoke of it, and it has not begun.
    entry: Option<ExecutionEntry>,
}

/// The projection.
///
/// Example: `tests/projections/executions.rs`.
#[derive(Debug, Clone, Default)]
pub struct Executions {
    touched: HashMap<ExecutionId, Touched, RandomState>,
    /// The last record of this batch so far.
    last: u64,
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
        self.last = header.seq.get();
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
            self.settle(batch)?;
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
        self.settle(batch)?;
        close_ranges(self.last, batch)
    }
}

impl Executions {
    /// Puts the changes of this batch so far into the view.
    fn settle(&mut self, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
        let (mut changes, mut counted) = ([0; ExecutionStatus::ALL.len()], false);
        for (_, touched) in self.touched.drain() {
            let (before, posted) = (touched.before, touched.posted);
            let Some(entry) = touched.entry else { continue };
            counted = true;
            if before.is_none() {
                enlist(&entry, batch)?;
            }
            if before != Some(entry.status) {
                restate(&entry, before, batch);
                tally(&mut changes, before, -1);
                tally(&mut changes, Some(entry.status), 1);
            }
            repost(&entry, &posted, batch)?;
            batch.put(&entry_key(entry.execution.as_bytes()), pack(&entry));
        }
        match counted {
            true => count(&changes, batch),
            false => Ok(()),
        }
    }

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
        Ok(Self {
            before: entry.as_ref().map(|entry| entry.status),
            posted: entry.as_ref().map(terms).unwrap_or_default(),
            entry,
        })
    }
}

pub(super) fn entry_key(execution: &[u8]) -> [u8; 17] {
    fixed_key(ENTRY, &[execution])
}

pub(super) fn status_key(status: ExecutionStatus, first_seq: u64) -> [u8; 10] {
    fixed_key(BY_STATUS, &[&[status as u8], &first_seq.to_be_bytes()])
}

pub(super) fn first_key(block: u64) -> [u8; 9] {
    fixed_key(BY_FIRST, &[&block.to_be_bytes()])
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
        if !before.has_ended() {
            batch.delete_unread(&status_key(before, first_seq));
        }
        if has_until(before) {
            batch.delete_unread(&until_key(before, until_ns, first_seq));
        }
    }
    let execution = entry.execution.as_bytes().to_vec();
    if has_until(entry.status) {
        let key = until_key(entry.status, until_ns, first_seq);
        batch.put_new(&key, execution.clone());
    }
    if !entry.status.has_ended() {
        // An execution has each status once.
        batch.put_new(&status_key(entry.status, first_seq), execution);
    }
}

/// Adds an execution that has begun to those whose first record is in the same block.
fn enlist(entry: &ExecutionEntry, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
    let (block, place) = place(entry.first_seq);
    let may_be_stored = batch.after() > block * BLOCK;
    batch.edit(&first_key(block), may_be_stored, |listed| {
        let places = listed.as_chunks::<LISTED_BYTES>().0;
        let at = LISTED_BYTES * places.partition_point(|[other, ..]| *other < place);
        let execution = entry.execution.as_bytes();
        listed.splice(at..at, [place].into_iter().chain(execution.iter().copied()));
    })
}

/// What an execution that has ended is found by; nothing for one that goes on.
fn terms(entry: &ExecutionEntry) -> Vec<Term> {
    if !entry.status.has_ended() {
        return Vec::new();
    }
    let mut terms = vec![
        status_term(entry.status),
        component_term(entry.component.0),
        capability_term(&entry.capability),
        configuration_term(entry.configuration_version),
    ];
    let decided = (entry.decision != 0).then(|| decision_term(entry.decision));
    let subject = (!entry.subject.is_nil()).then(|| subject_term(entry.subject));
    let parent = (!entry.parent.is_nil()).then(|| parent_term(entry.parent));
    let approval = (entry.requested_seq != 0).then(approval_term);
    terms.extend([decided, subject, parent, approval].into_iter().flatten());
    terms.extend(entry.on_behalf_of.iter().flatten().map(party_term));
    terms
}

/// Has an execution in the posting lists of what it is found by, and in no other.
fn repost(
    entry: &ExecutionEntry,
    posted: &[Term],
    batch: &mut ViewBatch,
) -> Result<(), ProjectionError> {
    let terms = terms(entry);
    for term in posted.iter().filter(|it| !terms.contains(it)) {
        unpost(term, entry.first_seq, batch)?;
    }
    for term in terms.iter().filter(|it| !posted.contains(it)) {
        post(term, entry.first_seq, batch)?;
    }
    Ok(())
}

fn tally(changes: &mut [i64], status: Option<ExecutionStatus>, by: i64) {
    if let Some(change) = status.and_then(|status| changes.get_mut(status as usize)) {
        *change += by;
    }
}

/// How many executions have each status.
pub(super) type Counts = [u64; ExecutionStatus::ALL.len()];

/// Adds to all counts, also where they stay as they are: where batches end must not show in what is stored.
fn count(changes: &[i64], batch: &mut ViewBatch) -> Result<(), ProjectionError> {
    let mut counts: Counts = batch.value(&[COUNTS])?.unwrap_or_default();
    for ((count, change), status) in counts.iter_mut().zip(changes).zip(ExecutionStatus::ALL) {
        *count = count.checked_add_signed(*change).ok_or_else(|| {
            let problem = format!("count of {} is off", status.name());
            ProjectionError::Damaged(problem.into())
        })?;
    }
    batch.put(&[COUNTS], pack(&counts));
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
        repost(&entry, &[], batch)?;
        batch.put(&entry_key, pack(&entry));
        moved += 1;
    }
    let mut changes = [0; ExecutionStatus::ALL.len()];
    tally(&mut changes, Some(from), -moved);
    tally(&mut changes, Some(to), moved);
    count(&changes, batch)
}
