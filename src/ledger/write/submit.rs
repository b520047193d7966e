// SPDX-License-Identifier: Apache-2.0
//! The path of a command: everything that can refuse it without its store's state is checked here,
//! before it takes room; then it waits for its durable answer.

use std::sync::Arc;

use smallvec::smallvec;
use tokio::sync::oneshot;

use crate::access::{Charge, Grant, GrantState};
use crate::actors::{
    Answered, Answers, CommandClaim, CommandOutcome, Commands, Id, Order, Refusal, Sequenced,
    StoreShared, Stores, deliver,
};
use crate::admission::{Admitted, EndingRoom, Gate};
use crate::callbacks::Callbacks;
use crate::clock::BelievedClock;
use crate::commands::check::invalid;
use crate::commands::{Command, Receipt};
use crate::directory::SubjectKey;
use crate::error::{AppendError, ReadError};
use crate::events::{CommandId, ComponentId, Store};
use crate::journal::{Reader, WriterHandle};

use super::components::Components;
use super::disk_reserve;
use super::disk_reserve::{Need, Reserve};
use super::foreign::Foreign;
use super::lag::{Lag, Line};
use crate::ledger::phase::{FINISHING, Phase, SERVING};

/// What every handle shares.
pub(crate) struct Core {
    pub(crate) shared: Arc<StoreShared>,
    pub(crate) stores: Stores,
    pub(crate) gate: Gate,
    pub(crate) reserve: Reserve,
    pub(crate) clock: Arc<BelievedClock>,
    pub(crate) callbacks: Callbacks,
    pub(crate) reader: Reader,
    pub(crate) writer: WriterHandle,
    pub(crate) phase: Phase,
    pub(crate) opening: u64,
    pub(crate) wait: bool,
    pub(in crate::ledger) line: Line,
    pub(crate) foreign: Arc<Foreign>,
    /// Makes pseudonyms of subjects; `None`: of a given journal, whose key is elsewhere.
    pub(crate) subjects: Option<SubjectKey>,
    pub(crate) components: Components,
}

impl Core {
    /// One command; its one answer. The command goes to the heap at once: a future that holds it is
    /// moved from layer to layer.
    pub(crate) fn submit_one<'a>(
        &'a self,
        grant: &'a Grant,
        command: Command,
    ) -> impl Future<Output = Result<Answered, Refusal>> + Send + 'a {
        let unknown = command.context().command_id().unwrap_or_default();
        let order = Order::new(Arc::clone(&grant.0), smallvec![command]);
        async move {
            match self.submit(order).await?.pop() {
                Some(answer) => Ok(answer),
                None => Err(unknown_outcome(unknown)),
            }
        }
    }

    /// A group that is to be one commit. An empty one is fine and touches nothing.
    pub(crate) async fn submit_group(
        &self,
        grant: &Grant,
        commands: Vec<Command>,
    ) -> Result<Answers, Refusal> {
        let order = Order::new(Arc::clone(&grant.0), commands.into());
        self.submit(order).await
    }

    async fn submit(&self, mut order: Box<Order>) -> Result<Answers, Refusal> {
        let Some(store) = order.commands.first().map(Command::store) else {
            return Ok(Answers::new());
        };
        self.callbacks.pace().stir();
        let started = self.shared.clock.monotonic_ns();
        let entered = match self.acceptable(&mut order, store) {
            Ok(()) => self.enter(&mut order).await,
            Err(error) => Err(error),
        };
        if let Err(error) = entered {
            self.refused(&order.grant, &order.commands, &error);
            self.answered(store, started, Err(&error));
            return Err(order.refused(error));
        }
        order.prepared = self.prepared(store, &order.commands).await;
        let outcome = self.send(order).await;
        self.answered(
            store,
            started,
            outcome.as_ref().map_err(|refusal| &refusal.error),
        );
        outcome
    }

    /// An order that has its room.
    pub(in crate::ledger) async fn send(&self, mut order: Box<Order>) -> Result<Answers, Refusal> {
        let Some(first) = order.commands.first() else {
            return Ok(Answers::new());
        };
        let (store, kind) = (first.store(), first.kind());
        order.ids = order
            .commands
            .iter()
            .map(|command| self.identify(command))
            .collect();
        let first = order.ids.first().map(|id| id.command).unwrap_or_default();
        order.span = tracing::info_span!("command", kind, store = store.name(), command = %first);
        let (reply, answer) = oneshot::channel();
        order.reply = Some(reply);
        if let Err(order) = deliver(self.stores.of(store), order) {
            return Err(order.refused(self.stopped()));
        }
        // An actor that failed drops its mailbox and the replies with it, and one that stands in a
        // clock that does not come back never answers: nobody can say.
        let answered = tokio::select! {
            biased;
            answered = answer => answered.ok(),
            () = self.callbacks.gone() => None,
        };
        match answered {
            Some(order) => order.answers(self.shared.ledger),
            None => Err(unknown_outcome(first)),
        }
    }

    fn identify(&self, command: &Command) -> Id {
        let given = command.context().command_id();
        Id {
            command: given.unwrap_or_else(|| CommandId::from_bytes(self.shared.entropy.bytes16())),
            digest: command.content_digest(),
            generated: given.is_none(),
        }
    }

    /// All that can be said without waiting; then the redactor is asked, for what its caller may
    /// send and what is acceptable as sent. Before anything is hashed, and so before the command id
    /// stands for a content. At last what is too large to be kept whole is hashed and cut: from here on
    /// the command may wait.
    fn acceptable(&self, order: &mut Order, store: Store) -> Result<(), AppendError> {
        let (grant, commands) = (&order.grant, &mut order.commands);
        let finishes = commands.iter().all(Command::finishes);
        match self.phase.now() {
            SERVING => {}
            FINISHING if finishes => {}
            _ => return Err(AppendError::ShuttingDown),
        }
        if let Some(cause) = self.writer.sealed() {
            return Err(AppendError::Sealed { cause });
        }
        self.known(grant)?;
        grant.may_append(store)?;
        if commands.iter().any(Command::answers_for_persons) {
            grant.may_approve()?;
        }
        let limits = &self.shared.limits;
        let cut = |command: &Command| matches!(command, Command::Cut(cut) if cut.opening() != self.opening);
        if commands.iter().any(cut) {
            return Err(invalid(
                "command",
                "was cut for another opening: send the whole",
            ));
        }
        Command::validate_group(commands, limits)?;
        self.foreign.redact(commands)?;
        commands
            .iter_mut()
            .try_for_each(|command| self.name_subject(command))?;
        let oversize = |command: &mut Command| command.is_oversize(limits);
        // All of them are looked at: that fits their buffers, too. Most are whole, and stay where they are.
        if commands
            .iter_mut()
            .map(oversize)
            .fold(false, |any, it| any | it)
        {
            let whole = std::mem::take(commands).into_iter();
            *commands = whole
                .map(|command| command.cut(limits, self.opening))
                .collect();
        }
        Ok(())
    }

    /// From here on a command knows whom it is about by the pseudonym: that counts for its digest and stands in its records,
    /// and the id in neither.
    pub(super) fn name_subject(&self, command: &mut Command) -> Result<(), AppendError> {
        command.name_subject(|id| match &self.subjects {
            Some(key) => Ok(key.pseudonym(id)),
            None => Err(AppendError::NoSubjectKey),
        })
    }

    /// Takes the room that the order holds until it is answered.
    async fn enter(&self, order: &mut Order) -> Result<(), AppendError> {
        let (grant, commands) = (&*order.grant, &order.commands);
        let finishes = commands.iter().all(Command::finishes);
        let size = commands.iter().map(Command::size).sum();
        let starts = disk_reserve::starts(commands);
        self.reserve.admit(Need::of(finishes, starts))?;
        let ending = match finishes {
            true => self.ending(commands),
            false => None,
        };
        if let Some(ending) = ending {
            self.randomness_to_end(commands)?;
            // The effect has happened: its room was taken at its start. Only what exceeds that
            // waits, and waiting is no refusal. An oversize result counts as what is kept of it.
            let limits = &self.shared.limits;
            let over: usize = commands
                .iter()
                .map(|command| command.stored_size(limits))
                .sum();
            let admitted = if over <= limits.finish_reserve_bytes * commands.len() {
                Admitted::default()
            } else {
                self.gate.admit(grant, over, true).await?
            };
            order.admitted = admitted.ending(ending);
            return Ok(());
        }
        self.randomness()?;
        if !finishes {
            self.caught_up().await?;
        }
        let charge = self.charge(grant, commands)?;
        let finish = (0..starts)
            .map(|_| self.gate.reserve_finish())
            .collect::<Result<_, _>>()?;
        let admitted = self.gate.admit(grant, size, self.wait).await?;
        charge.keep();
        (order.admitted, order.finish) = (admitted, finish);
        Ok(())
    }

    /// The room that these executions hold for their end; `None` where one of them does not run: its
    /// ending is a command like any other, and what nobody knows costs no more than that.
    fn ending(&self, commands: &[Command]) -> Option<EndingRoom> {
        self.gate
            .ends
            .take(commands.iter().filter_map(Command::execution))
    }

    /// What commands take of their component's quota.
    pub(in crate::ledger) fn charge<'a>(
        &self,
        grant: &'a GrantState,
        commands: &[Command],
    ) -> Result<Charge<'a>, AppendError> {
        let records = commands.iter().map(Command::records_max).sum();
        let bytes = commands.iter().map(Command::size).sum();
        let charge = grant.of.bucket.take(records, bytes);
        charge.map_err(|retry_after| AppendError::QuotaExceeded { retry_after })
    }

    /// What a command's id stands for: in the window, else in the past. Blocks.
    pub(crate) fn lookup(
        &self,
        key: (ComponentId, CommandId),
    ) -> Result<Option<Receipt>, ReadError> {
        let place = |claim: CommandClaim| claim.place.sequenced.get().copied();
        // A claim without a place is a command that is not acknowledged yet, or a duplicate whose
        // original is being looked for.
        let placed = match self.shared.claims.find(&key).and_then(place) {
            Some(placed) => Some(placed),
            None => self.shared.past.command(key)?.and_then(place),
        };
        Ok(placed.map(
            |Sequenced {
                 first,
                 last,
                 time_ns,
             }| {
                let (ledger, command) = (self.shared.ledger, key.1);
                Receipt {
                    ledger,
                    command,
                    first,
                    last,
                    time_ns,
                    duplicate: true,
                }
            },
        ))
    }

    /// Decisions look history up in views: these may lag, but not beyond the actors' windows.
    async fn caught_up(&self) -> Result<(), AppendError> {
        let lag = Lag {
            past: &*self.shared.past,
            reader: &self.reader,
            gate: &self.gate,
        };
        match self.wait {
            true => self.line.wait(&lag, &self.phase).await,
            false => lag.tolerated(),
        }
    }

    /// Counts a refusal that never reached its store, and audits it where it matters.
    pub(crate) fn refused(&self, grant: &GrantState, commands: &[Command], error: &AppendError) {
        let kind = commands.first().map_or("group", Command::kind);
        let detail = || format!("{kind}: {}", error.recorded());
        self.shared
            .self_records
            .refused(grant.name(), error.code(), error.is_audited(), detail);
    }

    fn answered(&self, store: Store, started: u64, outcome: Result<&Answers, &AppendError>) {
        let took = self.shared.clock.monotonic_ns().saturating_sub(started);
        let outcome = match outcome {
            Ok(answers) if answers.iter().any(|answer| answer.receipt.duplicate) => {
                CommandOutcome::Duplicate
            }
            Ok(_) => CommandOutcome::Committed,
            Err(AppendError::OutcomeUnknown { .. }) => CommandOutcome::Unknown,
            Err(_) => CommandOutcome::Refused,
        };
        self.shared.meters.answered(store, outcome, took);
    }
}

/// Nobody can say what became of it.
fn unknown_outcome(command: CommandId) -> Refusal {
    Refusal {
        error: AppendError::OutcomeUnknown { command },
        commands: Commands::new(),
    }
}
