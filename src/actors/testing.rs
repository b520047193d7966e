// SPDX-License-Identifier: Apache-2.0
//! A small world for the states' tests: limits, what is in force, counted ids, a history.

use std::collections::HashMap;
use std::sync::Arc;

use super::capability_registry::{RegisteredCapability, Registry};
use super::decided_in_force::DecidedInForce;
use super::draft::{Decided, Draft, Reply};
use super::event_sourced::{EventSourced, History, KnownExecution, LedgerTime, Surroundings};
use super::execution_log::Status;
use super::prepared::Prepared;
use crate::clock::CountingEntropy;
use crate::commands::Command;
use crate::config::Limits;
use crate::error::{AppendError, ReadError};
use crate::events::{
    CODEC_BINCODE, CommandId, ComponentId, Event, ExecutionId, LedgerId, LedgerOpenedV1, Outcome,
    RecordHeader, Seq,
};

/// Makes one thing wrong with it.
pub(crate) type Spoil<T> = fn(&mut T);

#[derive(Default)]
pub(crate) struct Past {
    pub(crate) executions: HashMap<ExecutionId, Status>,
    pub(crate) documents: HashMap<(String, u64), Vec<u8>>,
    pub(crate) failing: bool,
    pub(crate) head: u64,
}

impl History for Past {
    fn execution(&self, execution: ExecutionId) -> Result<Option<KnownExecution>, ReadError> {
        if self.failing {
            return Err(ReadError::Closed);
        }
        let known = |status: &Status| KnownExecution {
            status: *status,
            version: 5,
        };
        Ok(self.executions.get(&execution).map(known))
    }

    fn head(&self) -> u64 {
        self.head
    }

    fn configuration(&self, document: &str, version: u64) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.documents.get(&(document.to_owned(), version)).cloned())
    }
}

pub(crate) struct World {
    pub(crate) ledger: LedgerId,
    pub(crate) epoch: u64,
    /// Who asks.
    pub(crate) component: ComponentId,
    pub(crate) finishes_others: bool,
    pub(crate) resolves_others: bool,
    pub(crate) now_ns: i64,
    pub(crate) limits: Limits,
    pub(crate) in_force: DecidedInForce,
    pub(crate) entropy: CountingEntropy,
    pub(crate) past: Past,
    pub(crate) prepared: Prepared,
}

impl Default for World {
    /// `read_file` is registered and enabled, `rm` is registered; registry version 3.
    fn default() -> Self {
        let mut registry = Registry {
            version: 3,
            ..Registry::default()
        };
        for (name, enabled) in [("read_file", true), ("rm", false)] {
            let capability = RegisteredCapability {
                enabled,
                ..RegisteredCapability::default()
            };
            registry.capabilities.insert_mut(name.into(), capability);
        }
        Self {
            ledger: LedgerId::from_bytes([9; 16]),
            epoch: 1,
            component: ComponentId(1),
            finishes_others: false,
            resolves_others: false,
            now_ns: 1_000,
            limits: Limits::default(),
            in_force: DecidedInForce {
                configuration_version: 2,
                document_streams: Default::default(),
                registry: Arc::new(registry),
                closing: None,
            },
            entropy: CountingEntropy::default(),
            past: Past::default(),
            prepared: Prepared::default(),
        }
    }
}

impl LedgerTime for World {
    fn ledger_ns(&self) -> i64 {
        self.now_ns
    }
}

impl World {
    pub(crate) fn around(&self) -> Surroundings<'_> {
        Surroundings {
            ledger: self.ledger,
            epoch: self.epoch,
            component: self.component,
            finishes_others: self.finishes_others,
            resolves_others: self.resolves_others,
            now_ns: self.now_ns,
            time: self,
            limits: &self.limits,
            in_force: &self.in_force,
            entropy: &self.entropy,
            history: &self.past,
            prepared: &self.prepared,
        }
    }
}

/// The records that a commit becomes, from sequence number `first`.
pub(crate) fn records(decided: &Decided, first: u64) -> Vec<(RecordHeader, Event)> {
    let header = |(draft, seq): (&super::draft::Draft, u64)| {
        let header = RecordHeader {
            event_type: draft.event.event_type().unwrap(),
            revision: draft.event.revision(),
            flags: draft.flags,
            codec: CODEC_BINCODE,
            algorithm: 1,
            outcome: Outcome::Neutral,
            stores: draft.stores(),
            seq: Seq::new(seq).unwrap(),
            time_ns: i64::try_from(seq).unwrap(),
            stream: draft.stream,
            stream_version: draft.stream_version,
            execution: draft.execution,
            parent: draft.parent,
            trace: draft.trace,
            subject: draft.subject,
            command: CommandId::from_bytes([1; 16]),
            command_digest: [0; 32],
            commit_index: 0,
            commit_len: 1,
            component: ComponentId(1),
            payload_len: 0,
            payload_commitment: [0; 32],
            observed_difference_ns: 0,
            data_key: 0,
        };
        (header, draft.event.clone())
    };
    decided.drafts.iter().zip(first..).map(header).collect()
}

/// A state beside its twin, which learns everything from the journal's records.
#[derive(Default)]
pub(crate) struct Twins<S> {
    pub(crate) live: S,
    pub(crate) replayed: S,
    pub(crate) head: u64,
}

impl<S: EventSourced> Twins<S> {
    /// Validates, decides and applies as a store's actor does; then replays the records.
    pub(crate) fn execute(
        &mut self,
        world: &World,
        commands: &[Command],
    ) -> Result<Vec<Decided>, AppendError> {
        Command::validate_group(commands, &world.limits)?;
        let all = self
            .live
            .execute(commands, &world.around())
            .map_err(|refused| refused.error)?;
        for decided in &all {
            self.replay(decided, world.component);
        }
        Ok(all.into_vec())
    }

    pub(crate) fn one(&mut self, world: &World, command: Command) -> Result<Decided, AppendError> {
        let mut all = self.execute(world, &[command])?;
        Ok(all.pop().unwrap())
    }

    /// The error's code, and nothing has changed.
    pub(crate) fn refusal(&mut self, world: &World, command: Command) -> &'static str {
        self.one(world, command).unwrap_err().code()
    }

    pub(crate) fn replay(&mut self, decided: &Decided, component: ComponentId) {
        for (mut header, event) in records(decided, self.head + 1) {
            header.component = component;
            self.head = header.seq.get();
            self.replayed.replay(&header, &event).unwrap();
        }
    }

    /// The ledger was opened again.
    pub(crate) fn reopen(&mut self) {
        let opened = Decided {
            drafts: vec![Draft::new(LedgerOpenedV1 {
                software: String::new(),
                head: self.head,
                in_doubt: 0,
                abandoned: 0,
                clean: false,
                duration_ns: 0,
            })],
            reply: Reply::Receipt,
        };
        self.live
            .apply(&opened.drafts[0], ComponentId::LEDGER)
            .unwrap();
        self.replay(&opened, ComponentId::LEDGER);
    }
}
