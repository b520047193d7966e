// SPDX-License-Identifier: Apache-2.0
//! Query indexes: which records belong to an execution, an event type, an outcome, a capability, a component, a parent, a
//! subject, a party, a decision, a configuration version, an approval; which grants a component got; where a command is;
//! which records a time range holds (audit specification §12).
//!
//! Each of these is a term with a posting list ([`super::postings`]), and a query is what several lists have in common
//! ([`super::intersection`]).
//!
//! **A record belongs to a capability** where its payload names it (question to persons, decision, start, every change
//! of the registry), and where its execution's first record to name a capability names this one
//! and the record lies in that commit or after it. So an execution's input, decision, start,
//! result, transitions and audit records are all found under its capability.
//!
//! **A record belongs to an approval** where its execution's first record to name a capability is a question to persons, as
//! it belongs to that capability; and from a later question on.
//!
//! **A record belongs to a party** where its payload names it: on whose behalf it was decided, who was asked, who answered.
//! It belongs to a decision where it is the record of one, and to the configuration version on which its payload says that
//! a question, its confirmation or a decision rests.
//! It belongs to a subject and a parent where its header does, as all records of an execution do.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rapidhash::fast::RandomState;

use crate::events::{CommandId, Event, ExecutionId, Record, RecordHeader};

use super::keys::{begins_execution, fixed_key, key, pack, unpack};
use super::named;
use super::postings::{close_ranges, place, post};
use super::terms::{
    approval_term, capability_term, component_term, configuration_term, decision_term,
    event_type_term, execution_term, granted_term, outcome_term, parent_term, party_term,
    subject_term, term,
};
use super::{Projection, ProjectionError, ViewBatch};

pub(super) const VERSION: u32 = 5;
/// command, component → first and last record.
const COMMAND: u8 = b'c';
/// execution → [`Asked`].
const ASKED: u8 = b'e';
/// block → time of its first record.
const BLOCK_TIME: u8 = b't';

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
    /// This capability, and whether persons were asked.
    For(Term2, bool),
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
    /// The last record of this batch so far.
    last: u64,
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
        named::is_asked(header.event_type)
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
        self.last = seq;
        let (block, offset) = place(seq);
        if offset == 0 {
            let time = header.time_ns.to_be_bytes().to_vec();
            batch.put_unread(&block_time_key(block), time);
        }
        post(&event_type_term(header.event_type.0), seq, batch)?;
        post(&outcome_term(header.outcome), seq, batch)?;
        post(&component_term(header.component.0), seq, batch)?;
        if !header.execution.is_nil() {
            post(&execution_term(header.execution), seq, batch)?;
        }
        if !header.subject.is_nil() {
            post(&subject_term(header.subject), seq, batch)?;
        }
        if !header.parent.is_nil() {
            post(&parent_term(header.parent), seq, batch)?;
        }
        if !header.command.is_nil() {
            self.command(header, batch)?;
        }
        if self.wants(header) {
            return Ok(());
        }
        self.capability(header, None, false, batch)
    }

    fn apply(
        &mut self,
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let seq = record.header.seq.get();
        if let Event::ComponentGranted(granted) = event {
            post(&granted_term(granted.component), seq, batch)?;
        }
        if let Event::AuthorizationDecided(decided) = event {
            post(&decision_term(decided.decision), seq, batch)?;
        }
        if let Some(version) = named::configuration_version(event) {
            post(&configuration_term(version), seq, batch)?;
        }
        for party in named::parties(event) {
            post(&party_term(party), seq, batch)?;
        }
        let asks = matches!(event, Event::ApprovalRequested(_));
        self.capability(&record.header, named::capability(event), asks, batch)
    }

    fn finish(&mut self, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
        self.place(None, batch);
        for (execution, KnownRequest { asked, changed }) in self.known.drain() {
            if let (Some(asked), true) = (asked, changed) {
                batch.put(&asked_key(execution), pack(&asked));
            }
        }
        close_ranges(self.last, batch)
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
        asks: bool,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let seq = header.seq.get();
        let named = named.map(capability_term);
        if header.execution.is_nil() {
            return named.map_or(Ok(()), |term| post(&term, seq, batch));
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
            Some(Asked::For((kind, bytes), asked)) => {
                known.changed |= asks && !asked;
                let asked = asked || asks;
                known.asked = Some(Asked::For((kind, bytes), asked));
                if asked {
                    post(&approval_term(), seq, batch)?;
                }
                if let Some(other) = named.filter(|it| *it != term(kind, bytes)) {
                    post(&other, seq, batch)?;
                }
                return post(&term(kind, bytes), seq, batch);
            }
            Some(Asked::NotYet {
                commit: of,
                records,
            }) if of == commit => records,
            Some(Asked::NotYet { .. }) | None => Vec::new(),
        };
        let asked = if let Some(term) = named {
            for seq in early.into_iter().chain([seq]) {
                post(&term, seq, batch)?;
                if asks {
                    post(&approval_term(), seq, batch)?;
                }
            }
            let [kind, bytes @ ..] = term;
            Asked::For((kind, bytes), asks)
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
