//! Query indexes: which records belong to an execution, an event type, a capability, a component;
//! where a command is; which records a time range holds (audit specification §12).
//!
//! Records are cut into blocks of 256 by their sequence numbers, and a term's posting list is one
//! key per block that holds it: a byte per record instead of a key per record. Blocks depend on
//! nothing but sequence numbers, so a rebuild gives the same keys as live reading did.
//!
//! **A record belongs to a capability** where its payload names it (decision, start, every change
//! of the registry), and where its execution's first record to name a capability names this one
//! and the record lies in that commit or after it. So an execution's input, decision, start,
//! result, transitions and audit records are all found under its capability.

use crate::events::{CommandId, Event, EventType, ExecutionId, Record, RecordHeader};

use super::keys::{begins_execution, fixed_key, key, name_key, pack, unpack};
use super::{Projection, ProjectionError, ViewBatch};

pub(super) const VERSION: u32 = 2;
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

/// What records are found by: 17 bytes, none the beginning of another.
pub(super) type Term = [u8; 17];

fn term(kind: u8, bytes: [u8; 16]) -> Term {
    let mut term = [kind; 17];
    let [_, rest @ ..] = &mut term;
    *rest = bytes;
    term
}

pub(super) fn execution_term(execution: ExecutionId) -> Term {
    term(b'x', *execution.as_bytes())
}

pub(super) fn event_type_term(event_type: u16) -> Term {
    term(b'e', u128::from(event_type).to_be_bytes())
}

pub(super) fn capability_term(capability: &str) -> Term {
    term(b'c', name_key(capability))
}

pub(super) fn component_term(component: u32) -> Term {
    term(b'o', u128::from(component).to_be_bytes())
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CommandPlace {
    /// Its first record.
    pub first_seq: u64,
    /// Its last record.
    pub last_seq: u64,
}

/// What an execution asked for, as far as is known.
#[derive(serde::Serialize, serde::Deserialize)]
enum Asked {
    /// Nothing yet: its records in the commit that begins at this number, at most a commit's.
    NotYet { commit: u64, records: Vec<u64> },
    /// This capability.
    For(Term2),
}

/// A capability's term, cut for serde, which knows no arrays of 17.
type Term2 = (u8, [u8; 16]);

/// The projection.
#[derive(Debug, Clone, Copy, Default)]
pub struct Indexes;

impl Indexes {
    /// The view's name.
    pub const NAME: &'static str = "indexes";
}

impl Projection for Indexes {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn wants(&self, header: &RecordHeader) -> bool {
        names_capability(header.event_type)
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
        if !header.command.is_nil() {
            command(header, batch)?;
        }
        if self.wants(header) {
            return Ok(());
        }
        capability(header, None, batch)
    }

    fn apply(
        &mut self,
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        capability(&record.header, named_capability(event), batch)
    }
}

/// A command's records lie in one commit, one behind the other.
fn command(header: &RecordHeader, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
    let seq = header.seq.get();
    let command_key = command_key(header.component.0, header.command);
    let commit = commit_of(header);
    let before = if seq == commit {
        None
    } else if commit > batch.after() {
        batch.pending(&command_key)
    } else {
        batch.get(&command_key)?
    };
    let before: Option<CommandPlace> = before.map(|bytes| unpack(&bytes)).transpose()?;
    let goes_on = |before: &CommandPlace| before.first_seq >= commit && before.last_seq + 1 == seq;
    let place = CommandPlace {
        first_seq: before
            .filter(goes_on)
            .map_or(seq, |before| before.first_seq),
        last_seq: seq,
    };
    batch.put_unread(&command_key, pack(&place));
    Ok(())
}

/// The first record of this record's commit.
fn commit_of(header: &RecordHeader) -> u64 {
    let seq = header.seq.get();
    seq.saturating_sub(u64::from(header.commit_index))
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

fn capability(
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
    let asked_key = asked_key(header.execution);
    let commit = commit_of(header);
    // What others said of an execution before its first record lies in other commits.
    let stored = if begins_execution(header) {
        None
    } else {
        batch.get(&asked_key)?
    };
    let early = match stored {
        Some(bytes) => match unpack::<Asked>(&bytes)? {
            Asked::For((kind, bytes)) => return post(&term(kind, bytes), seq, batch),
            Asked::NotYet {
                commit: of,
                records,
            } if of == commit => records,
            Asked::NotYet { .. } => Vec::new(),
        },
        None => Vec::new(),
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
    batch.put(&asked_key, pack(&asked));
    Ok(())
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
