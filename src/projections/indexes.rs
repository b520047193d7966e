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

use crate::events::{CommandId, Event, ExecutionId, Record};

use super::keys::{key, name_key, pack, unpack};
use super::{Projection, ProjectionError, ViewBatch};

pub(super) const VERSION: u32 = 1;
/// term, block → offsets in the block, ascending, a byte each.
const POSTINGS: u8 = b'p';
/// component, command → first and last record.
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
    for (to, from) in term.iter_mut().skip(1).zip(bytes) {
        *to = from;
    }
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

pub(super) fn postings_prefix(term: &Term) -> Vec<u8> {
    key(POSTINGS, &[term])
}

pub(super) fn postings_key(term: &Term, block: u64) -> Vec<u8> {
    key(POSTINGS, &[term, &block.to_be_bytes()])
}

pub(super) fn block_time_key(block: u64) -> Vec<u8> {
    key(BLOCK_TIME, &[&block.to_be_bytes()])
}

pub(super) fn command_key(component: u32, command: CommandId) -> Vec<u8> {
    key(COMMAND, &[&component.to_be_bytes(), command.as_bytes()])
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

    fn apply(
        &mut self,
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let header = &record.header;
        let seq = header.seq.get();
        let (block, offset) = place(seq);
        if offset == 0 {
            batch.put(
                &block_time_key(block),
                header.time_ns.to_be_bytes().to_vec(),
            );
        }
        post(&event_type_term(header.event_type.0), seq, batch)?;
        post(&component_term(header.component.0), seq, batch)?;
        if !header.execution.is_nil() {
            post(&execution_term(header.execution), seq, batch)?;
        }
        if !header.command.is_nil() {
            let command_key = command_key(header.component.0, header.command);
            let first_seq = match batch.get(&command_key)? {
                Some(bytes) => unpack::<CommandPlace>(&bytes)?.first_seq,
                None => seq,
            };
            let place = CommandPlace {
                first_seq,
                last_seq: seq,
            };
            batch.put(&command_key, pack(&place));
        }
        capability(record, named_capability(event), batch)
    }
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
    record: &Record,
    named: Option<&str>,
    batch: &mut ViewBatch,
) -> Result<(), ProjectionError> {
    let header = &record.header;
    let seq = header.seq.get();
    if let Some(named) = named {
        post(&capability_term(named), seq, batch)?;
    }
    if header.execution.is_nil() {
        return Ok(());
    }
    let asked_key = key(ASKED, &[header.execution.as_bytes()]);
    let commit = seq.saturating_sub(u64::from(header.commit_index));
    let early = match batch.get(&asked_key)? {
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
    let asked = if let Some(named) = named {
        let term = capability_term(named);
        for seq in early {
            post(&term, seq, batch)?;
        }
        Asked::For((b'c', name_key(named)))
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
    let postings_key = postings_key(term, block);
    let mut offsets = batch.get(&postings_key)?.unwrap_or_default();
    match offsets.last() {
        Some(last) if *last == offset => return Ok(()),
        Some(last) if *last > offset => match offsets.binary_search(&offset) {
            Ok(_) => return Ok(()),
            Err(at) => offsets.insert(at, offset),
        },
        _ => offsets.push(offset),
    }
    batch.put(&postings_key, offsets);
    Ok(())
}
