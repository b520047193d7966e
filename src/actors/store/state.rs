// SPDX-License-Identifier: Apache-2.0
//! What a store actor holds, what all of them share, and what each state brings.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, RwLock};

use rapidhash::fast::RandomState;
use tokio::sync::watch;

use super::super::claims::{Claims, CommandClaim, Gist, Place};
use super::super::decided_in_force::DecidedInForce;
use super::super::draft::{Draft, Reply};
use super::super::event_sourced::{EventSourced, History, Surroundings};
use super::super::in_force::Durable;
use super::super::kinds::JournalKinds;
use super::super::mailbox::Inbox;
use super::super::meters::Meters;
use super::super::prepared::Earlier;
use super::super::self_records::SelfRecords;
use super::super::sequencer::SequencerRef;
use super::super::snapshot::SavedState;
use super::message::Message;
use super::order::AnswersOrders;
use super::overdue::{AwaitingApprovals, Waits};
use crate::admission::FinishReserve;
use crate::clock::{BelievedClock, Clock, Entropy};
use crate::commands::{Command, Held};
use crate::config::Limits;
use crate::error::{AppendError, ReadError};
use crate::events::{CommandId, ComponentId, ExecutionId, LedgerId, Seq, Store};
use crate::vitals::{Vital, Vitals};

/// The past beyond the windows: views, each hit confirmed against its record.
pub(crate) trait Past: History + Send + Sync {
    fn command(&self, key: (ComponentId, CommandId)) -> Result<Option<CommandClaim>, ReadError>;
    /// Everything up to here is in the views.
    fn position(&self) -> u64;
    /// What lies up to here leaves the windows: said before it does.
    fn forgotten(&self, position: u64);
    /// Up to where something may have left the windows.
    fn windows_from(&self) -> u64;
    /// The positions of the views that decisions need, for whoever waits until they move.
    fn positions(&self) -> [watch::Receiver<u64>; 2];
    /// True while a view that decisions need is being made again.
    fn rebuilding(&self) -> bool;
    /// True where a view that decisions need reads no further.
    fn halted(&self) -> bool;
}

/// What all store actors share.
pub(crate) struct StoreShared {
    pub(crate) ledger: LedgerId,
    pub(crate) epoch: u64,
    pub(crate) clock: Arc<dyn Clock>,
    /// The ledger's time.
    pub(crate) time: Arc<BelievedClock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) limits: Limits,
    /// Held from a decision until its events are on their way: so versions that a permit is held
    /// against cannot move in between, and the sequencer never has to refuse.
    /// Lock: a store's actor, written for one decision on a change and read for one on anything else; the close, read
    /// for a copy. Clock and entropy are called under it, views may be read, and nothing waits for a sync.
    pub(crate) in_force: RwLock<DecidedInForce>,
    /// The same as far as it is durable, for everybody else.
    pub(crate) durable: Durable,
    pub(crate) past: Arc<dyn Past>,
    pub(crate) claims: Claims,
    pub(crate) sequencer: SequencerRef,
    pub(crate) self_records: SelfRecords,
    /// What kinds of events the journal holds.
    pub(crate) kinds: Arc<JournalKinds>,
    pub(crate) meters: Arc<Meters>,
    /// What runs for this opening.
    pub(crate) vitals: Vitals,
    /// Executions started in this opening and not finished.
    pub(crate) running: AtomicUsize,
    /// Executions started under an earlier opening and not resolved.
    pub(crate) in_doubt: AtomicUsize,
    /// Executions that wait for persons.
    pub(crate) awaiting: AwaitingApprovals,
}

/// An entity as an actor drives it.
pub(crate) trait Deciding: EventSourced + Send + 'static {
    const STORE: Store;
    /// Counts what may have to be remembered until the views hold it.
    fn mark(&self) -> u64 {
        0
    }
    /// Everything counted up to `mark` is durable up to `seq`.
    fn committed(&mut self, _mark: u64, _seq: Seq) {}
    /// Drops what has left the windows: every view holds it.
    fn forget_through(&mut self, _position: Seq) {}
    /// What a command that had been committed before is answered with.
    fn repeated(
        &self,
        _command: &Command,
        gist: Gist,
        _around: &Surroundings<'_>,
    ) -> Result<Reply, AppendError> {
        Ok(gist.into())
    }
    /// What is written where its holder lets go of an execution.
    fn let_go(&self, _execution: ExecutionId, _held: Held) -> Option<Draft> {
        None
    }
    /// What waits for persons.
    fn waits(&self) -> Waits {
        Waits::default()
    }
    /// The first of those whose time is over.
    fn overdue(&self, _now_ns: i64, _most: usize) -> Vec<ExecutionId> {
        Vec::new()
    }
    /// What is written of one of them.
    fn expire(&self, _execution: ExecutionId) -> Vec<Draft> {
        Vec::new()
    }
    /// What it knows of a document's earlier version.
    fn earlier(&self, _document: &str, _version: u64) -> Earlier {
        Earlier::Unknown
    }
    /// What is saved of it, so that an opening need not replay all of it.
    fn saved(&self, _forgotten: u64) -> Option<SavedState> {
        None
    }
    /// Puts what it has in force where the others see it.
    fn publish(&self, _in_force: &mut DecidedInForce) {}
    /// What it decided last will have its place behind the record `head`.
    fn behind(&mut self, _head: u64) {}
    /// Whether it changes what is in force.
    const PUBLISHES: bool = false;
}

pub(crate) struct StoreState<E> {
    pub(super) entity: E,
    pub(super) shared: Arc<StoreShared>,
    pub(super) inbox: Inbox<Message>,
    /// For its orders, where they are answered.
    pub(super) answers: Arc<dyn AnswersOrders>,
    pub(super) reserves: HashMap<ExecutionId, FinishReserve, RandomState>,
    /// Commits under way whose acknowledgement the entity has yet to hear of.
    pub(super) under_way: VecDeque<(u64, Place)>,
    pub(super) forgotten: u64,
    /// Goes with the actor, and with the runtime that drives it.
    pub(super) _vital: Vital,
}

impl<E: Deciding> StoreState<E> {
    /// Drops what the views hold by now.
    pub(super) fn forget(&mut self) {
        while let Some((mark, place)) = self.under_way.front()
            && let Some(sequenced) = place.sequenced.get()
        {
            self.entity.committed(*mark, sequenced.last);
            self.under_way.pop_front();
        }
        let position = self.shared.past.position();
        // Walking the windows costs their length: often enough to bound them, not every time.
        if position >= self.forgotten + 4_096
            && let Some(seq) = Seq::new(position)
        {
            self.forgotten = position;
            self.shared.past.forgotten(position);
            self.entity.forget_through(seq);
        }
    }
}
