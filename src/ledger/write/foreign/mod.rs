// SPDX-License-Identifier: Apache-2.0
//! The embedder's code that a command needs. It runs before the command is sent to its store: never
//! under a lock, and never on an actor's time.

mod calls;
mod validating;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::callbacks::{CallbackKind, Callbacks, Seat};
use crate::commands::Command;
use crate::commands::given::{Given, Redactor};
use crate::config::{Limits, Validator};
use crate::error::AppendError;
use crate::redaction::Redaction;

use crate::ledger::options::Options;
use calls::{on_a_thread, panicked};

/// Calls of validators that may run at a time; those that hang count.
const CALLS_MAX: usize = 16;

/// What a command waits for that is not the ledger's.
pub(crate) struct Foreign {
    validators: Vec<(Arc<dyn Validator>, Arc<Seat>)>,
    validating: Arc<Semaphore>,
    redaction: Option<(Arc<dyn Redaction>, Arc<Seat>)>,
    limits: Limits,
    /// One thread at a time redacts what was emitted.
    emitted: Arc<Semaphore>,
}

impl Foreign {
    pub(in crate::ledger) fn new(options: &Options, callbacks: &Callbacks) -> Self {
        let budget = options.callback_budget;
        let redaction = options.redaction.as_ref().map(|redaction| {
            let name = || redaction.name().to_owned();
            let seat = callbacks.named(CallbackKind::Redactor, name, budget);
            (Arc::clone(redaction), seat)
        });
        let validators = options.validators.iter().map(|validator| {
            let name = || validator.name().to_owned();
            let seat = callbacks.named(CallbackKind::Validator, name, budget);
            (Arc::clone(validator), seat)
        });
        Self {
            validators: validators.collect(),
            validating: Arc::new(Semaphore::new(CALLS_MAX)),
            redaction,
            limits: options.limits.clone(),
            emitted: Arc::new(Semaphore::new(1)),
        }
    }

    /// Redacts what was emitted, each observation for itself, on a thread of its own: the caller of
    /// `emit` has gone, and the pump has others to serve. What this gives for an observation is what
    /// may be stored of it, or nothing.
    ///
    /// # Errors
    /// `CallbackTimedOut`, and `Busy` for as long as that thread hangs: all of them are lost.
    pub(in crate::ledger) async fn redact_emitted(
        self: &Arc<Self>,
        commands: Vec<Command>,
    ) -> Result<Vec<Option<Command>>, AppendError> {
        let Some((_, seat)) = &self.redaction else {
            return Ok(commands.into_iter().map(Some).collect());
        };
        let Ok(room) = Arc::clone(&self.emitted).try_acquire_owned() else {
            let (what, limit) = ("redactions of what was emitted", 1);
            return Err(AppendError::Busy { what, limit });
        };
        let this = Arc::clone(self);
        let work = move || {
            let each = commands.into_iter().map(|mut command| {
                let redacted = this.redact_each(std::slice::from_mut(&mut command));
                redacted.is_ok().then_some(command)
            });
            each.collect()
        };
        on_a_thread(seat, "observe", room, work).await
    }

    /// Redacts a group that is acceptable as it is. The redactor alone answers for its shape
    /// afterwards.
    ///
    /// # Errors
    /// `CallbackFailed`: nothing of it may be stored.
    pub(in crate::ledger) fn redact(&self, commands: &mut [Command]) -> Result<(), AppendError> {
        let Some((_, seat)) = &self.redaction else {
            return Ok(());
        };
        let redacted = seat.call(|| self.redact_each(commands));
        redacted.unwrap_or_else(|_| Err(panicked(seat, "group")))
    }

    fn redact_each(&self, commands: &mut [Command]) -> Result<(), AppendError> {
        let Some((redaction, seat)) = &self.redaction else {
            return Ok(());
        };
        let mut by = self.redactor(&**redaction, seat, "group");
        let each = commands.iter_mut().try_for_each(|command| {
            by.command = command.kind();
            command.redact(&mut by)
        });
        let whole = each.and_then(|()| {
            let whole = Command::validate_group(commands, &self.limits);
            whole.map_err(|error| by.spoiled(&error))
        });
        seat.ended(by.failed);
        whole
    }

    /// As [`Foreign::redact`], for what the root authority writes; `method` is its own.
    pub(in crate::ledger) fn redact_own(
        &self,
        method: &'static str,
        event: &mut impl Given,
    ) -> Result<(), AppendError> {
        let Some((redaction, seat)) = &self.redaction else {
            return Ok(());
        };
        let redacted = seat.call(|| {
            let mut by = self.redactor(&**redaction, seat, method);
            let redacted = event.redact(&mut by);
            seat.ended(by.failed);
            redacted
        });
        redacted.unwrap_or_else(|_| Err(panicked(seat, method)))
    }

    fn redactor<'a>(
        &'a self,
        redaction: &'a dyn Redaction,
        seat: &'a Seat,
        command: &'static str,
    ) -> Redactor<'a> {
        Redactor {
            redaction,
            name: seat.name(),
            command,
            limits: &self.limits,
            failed: None,
        }
    }
}
