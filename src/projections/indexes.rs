// SPDX-License-Identifier: Apache-2.0
//! Query indexes: which records belong to an execution, an event type, a capability, a component, a subject, a party;
//! which grants a component got; where a command is; which records a time range holds (audit specification §12).
//!
//! Records are cut into blocks of 256 by their sequence numbers, and a term's posting list is one
//! key per block that holds it: a byte per record instead of a key per record. Blocks depend on
//! nothing but sequence numbers, so a rebuild gives the same keys as live reading did.
//!
//! **A record belongs to a capability** where its payload names it (decision, start, every change
//! of the registry), and where its execution's first record to name a capability names this one
//! and the record lies in that commit or after it. So an execution's input, decision, start,
//! result, transitions and audit records are all found under its capability.
//!
//! **A record belongs to a party** where its payload names it: on whose behalf it was decided, who was asked, who answered.
//! It belongs to a subject where its header does, as all records of an execution about somebody do.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rapidhash::fast::RandomState;

use crate::events::{CommandId, Event, EventType, ExecutionId, Party, Record, RecordHeader};

use super::keys::{begins_execution, fixed_key, key, pack, unpack};
use super::terms::{
    Term, capability_term, component_term, event_type_term, execution_term, granted_term,
    party_term, subject_term, term,
};
use super::{Projection, ProjectionError, ViewBatch};

pub(super) const VERSION: u32 = 4;
/// term, block → offsets in the block, ascending, a byte each.
const POSTINGS: u8 = b'p';
/// command, component → first and last record.
const COMMAND: u8 = b'c';
/// execution → [`Asked`].
const ASKED: u8 = b'e';
/// block → time of its first record.
const BLOCK_TIME: u8 = b't';

/// Records in a block.
pub(super) const BLOCK: u64 = 256;

/// Block and place in it of a sequence number (from 1).
pub(super) fn place(seq: u64) -> (u64, u8) {
    let index = seq.saturating_sub(1);
    (index / BLOCK, (index % BLOCK) as u8)
}

pub(super) fn postings_prefix(term: &Term) -> [u8; 18] {
    fixed_key(POSTINGS, &[term])
}

pub(super) fn postings_key(term: &Term, block: u64) -> [u8; 26] {
    fixed_key(POSTINGS, &[term, &block.to_be_bytes()])
}

pub(super) fn block_time_key(block: u64) -> [u8; 9] {
    fixed_key(BLOCK_TIME, &[&block.to_be_bytes()])
}

/// The command first and its component as short as can be: the engine holds short keys in place and
/// compares their first bytes first.
pub(super) fn command_key(component: u32, command: CommandId) -> Vec<u8> {
    let component = component.to_be_bytes();
    let zeros = component.iter().take_while(|byte| **byte == 0).count();
    let component = component.get(zeros..).unwrap_or_default();
    key(COMMAND, &[command.as_bytes(), component])
}

fn asked_key(execution: ExecutionId) -> [u8; 17] {
    fixed_key(ASKED, &[execution.as_bytes()])
}

/// Where a command's records are.
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CommandPlace {
    /// Its first record.
    pub first_seq: u64,
    /// Its last record.
    pub last_seq: u64,
}

/// What an execution asked for, as far as is known.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
enum Asked {
    /// Nothing yet: its records in the commit that begins at this number, at most a commit's.
    NotYet { commit: u64, records: Vec<u64> },
    /// This capability.
    For(Term2),
}

/// A capability's term, cut for serde, which knows no arrays of 17.
type Term2 = (u8, [u8; 16]);

/// A command, by its component, and where its records are as far as this batch has come.
type Current = (u32, CommandId, CommandPlace);

/// What this batch knows of what an execution asked for, and whether the view does not yet.
#[derive(Debug, Clone)]
struct KnownRequest {
    asked: Option<Asked>,
    changed: bool,
}

/// The projection.
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Debug, Clone, Default)]
pub struct Indexes {
    current: Option<Current>,
    known: HashMap<ExecutionId, KnownRequest, RandomState>,
}

impl Indexes {
    /// The view's name.
    pub const NAME: &'static str = super::names::INDEXES;
}

impl Projection for Indexes {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn wants(&self, header: &RecordHeader) -> bool {
        let kind = header.event_type;
        names_capability(kind) || names_parties(kind) || kind == EventType::ComponentGranted
    }

    fn begin(&mut self) {
        self.current = None;
        self.known.clear();
    }

    fn apply_header(
        &mut self,
        header: &RecordHeader,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let seq = header.seq.get();
        let (block, offset) = place(seq);
        if offset == 0 {
            let time = header.time_ns.to_be_bytes().to_vec();
            batch.put_unread(&block_time_key(block), time);
        }
        post(&event_type_term(header.event_type.0), seq, batch)?;
        post(&component_term(header.component.0), seq, batch)?;
        if !header.execution.is_nil() {
            post(&execution_term(header.execution), seq, batch)?;
        }
        if !header.subject.is_nil() {
            post(&subject_term(header.subject), seq, batch)?;
        }
        if !header.command.is_nil() {
            self.command(header, batch)?;
        }
        if self.wants(header) {
            return Ok(());
        }
        self.capability(header, None, batch)
    }

    fn apply(
        &mut self,
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        if let Event::ComponentGranted(granted) = event {
            post(
                &granted_term(granted.component),
                record.header.seq.get(),
                batch,
            )?;
        }
        for party in named_parties(event) {
            post(&party_term(party), record.header.seq.get(), batch)?;
        }
        self.capability(&record.header, named_capability(event), batch)
    }

    fn finish(&mut self, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
        self.place(None, batch);
        for (execution, KnownRequest { asked, changed }) in self.known.drain() {
            if let (Some(asked), true) = (asked, changed) {
                batch.put(&asked_key(execution), pack(&asked));
            }
        }
        Ok(())
    }
}

impl Indexes {
    /// A command's records lie in one commit, one behind the other.
    fn command(
        &mut self,
        header: &RecordHeader,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let seq = header.seq.get();
        let (component, command) = (header.component.0, header.command);
        let commit = commit_of(header);
        let is_current = |current: &Current| (current.0, current.1) == (component, command);
        let before = match self.current.filter(is_current) {
            Some((_, _, place)) => Some(place),
            None if seq == commit => None,
            None => {
                self.place(None, batch);
                stored_place(&command_key(component, command), commit, batch)?
            }
        };
        let goes_on =
            |before: &CommandPlace| before.first_seq >= commit && before.last_seq + 1 == seq;
        let first_seq = before
            .filter(goes_on)
            .map_or(seq, |before| before.first_seq);
        let place = CommandPlace {
            first_seq,
            last_seq: seq,
        };
        if self.current.is_some_and(|current| is_current(&current)) {
            self.current = Some((component, command, place));
        } else {
            self.place(Some((component, command, place)), batch);
        }
        Ok(())
    }

    /// Writes where the current command is; `next` is the current one from here on.
    fn place(&mut self, next: Option<Current>, batch: &mut ViewBatch) {
        if let Some((component, command, place)) = std::mem::replace(&mut self.current, next) {
            batch.put_unread(&command_key(component, command), pack(&place));
        }
    }

    fn capability(
        &mut self,
        header: &RecordHeader,
        named: Option<&str>,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let seq = header.seq.get();
        let named = named.map(capability_term);
        if let Some(term) = &named {
            post(term, seq, batch)?;
        }
        if header.execution.is_nil() {
            return Ok(());
        }
        let commit = commit_of(header);
        let known = match self.known.entry(header.execution) {
            Entry::Occupied(known) if !begins_execution(header) => known.into_mut(),
            Entry::Occupied(mut known) => {
                known.insert(KnownRequest::of(header, batch)?);
                known.into_mut()
            }
            Entry::Vacant(unknown) => unknown.insert(KnownRequest::of(header, batch)?),
        };
        let early = match known.asked.take() {
            Some(Asked::For((kind, bytes))) => {
                known.asked = Some(Asked::For((kind, bytes)));
                return post(&term(kind, bytes), seq, batch);
            }
            Some(Asked::NotYet {
                commit: of,
                records,
            }) if of == commit => records,
            Some(Asked::NotYet { .. }) | None => Vec::new(),
        };
        let asked = if let Some(term) = named {
            for seq in early {
                post(&term, seq, batch)?;
            }
            let [kind, bytes @ ..] = term;
            Asked::For((kind, bytes))
        } else {
            let mut records = early;
            records.push(seq);
            Asked::NotYet { commit, records }
        };
        (known.asked, known.changed) = (Some(asked), true);
        Ok(())
    }
}

impl KnownRequest {
    /// What is stored of the execution that this record speaks of. What others said of it before its
    /// first record lies in other commits.
    fn of(header: &RecordHeader, batch: &ViewBatch) -> Result<Self, ProjectionError> {
        let asked = match begins_execution(header) {
            true => None,
            false => batch.value(&asked_key(header.execution))?,
        };
        let changed = false;
        Ok(Self { asked, changed })
    }
}

/// Where the view has a command that goes on in this commit.
fn stored_place(
    key: &[u8],
    commit: u64,
    batch: &ViewBatch,
) -> Result<Option<CommandPlace>, ProjectionError> {
    let stored = if commit > batch.after() {
        batch.pending(key)
    } else {
        batch.get(key)?
    };
    stored.map(|bytes| unpack(&bytes)).transpose()
}

/// The first record of this record's commit.
fn commit_of(header: &RecordHeader) -> u64 {
    let seq = header.seq.get();
    seq.saturating_sub(u64::from(header.commit_index))
}

const fn names_parties(event_type: EventType) -> bool {
    matches!(
        event_type,
        EventType::AuthorizationDecided
            | EventType::ApprovalRequested
            | EventType::ApprovalGiven
            | EventType::ApprovalRefused
    )
}

/// Everybody that the event's payload names.
fn named_parties(event: &Event) -> Vec<&Party> {
    match event {
        Event::AuthorizationDecided(e) => {
            let approval = e.approval.iter();
            let answered = approval.flat_map(|it| it.approvers.iter().chain(&it.refused_by));
            e.on_behalf_of.iter().chain(answered).collect()
        }
        Event::ApprovalRequested(e) => e.on_behalf_of.iter().chain(&e.asked).collect(),
        Event::ApprovalGiven(e) => vec![&e.approver],
        Event::ApprovalRefused(e) => vec![&e.approver],
        _ => Vec::new(),
    }
}

const fn names_capability(event_type: EventType) -> bool {
    matches!(
        event_type,
        EventType::AuthorizationDecided
            | EventType::ExecutionStarted
            | EventType::CapabilityRegistered
            | EventType::CapabilityChanged
            | EventType::CapabilityEnabled
            | EventType::CapabilityDisabled
            | EventType::CapabilityUnregistered
    )
}

fn named_capability(event: &Event) -> Option<&str> {
    Some(match event {
        Event::AuthorizationDecided(e) => &e.capability,
        Event::ExecutionStarted(e) => &e.capability,
        Event::CapabilityRegistered(e) => &e.capability,
        Event::CapabilityChanged(e) => &e.capability,
        Event::CapabilityEnabled(e) => &e.capability,
        Event::CapabilityDisabled(e) => &e.capability,
        Event::CapabilityUnregistered(e) => &e.capability,
        _ => return None,
    })
}

/// Adds a record to a term's posting list; a record that is there already stays once.
fn post(term: &Term, seq: u64, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
    let (block, offset) = place(seq);
    // Of a block that this batch begins, nothing is stored.
    let may_be_stored = batch.after() > block * BLOCK;
    batch.edit(
        &postings_key(term, block),
        may_be_stored,
        |offsets| match offsets.last() {
            Some(last) if *last == offset => {}
            Some(last) if *last > offset => {
                if let Err(at) = offsets.binary_search(&offset) {
                    offsets.insert(at, offset);
                }
            }
            _ => offsets.push(offset),
        },
    )
}
