//! The embedder's code that a command needs. It runs before the command is sent to its store: never
//! under a lock, and never on an actor's time.

mod calls;
mod validating;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::commands::Command;
use crate::commands::given::{Given, Redactor};
use crate::config::{Limits, Validator};
use crate::error::AppendError;
use crate::redaction::Redaction;

use super::options::Options;
use calls::{Calls, name_of};

/// What a callback is: a word of errors and health, and a label of metrics.
const REDACTOR: &str = "redactor";

/// Calls of validators that may run at a time; those that hang count.
const CALLS_MAX: usize = 16;

/// What a command waits for that is not the ledger's.
pub(crate) struct Foreign {
    validators: Vec<(Arc<dyn Validator>, Arc<str>)>,
    validating: Arc<Semaphore>,
    budget: Duration,
    redaction: Option<(Arc<dyn Redaction>, Arc<str>)>,
    limits: Limits,
    calls: Arc<Calls>,
    /// One thread at a time redacts what was emitted.
    emitted: Arc<Semaphore>,
}

impl Foreign {
    pub(super) fn new(options: &Options) -> Self {
        let redaction = options.redaction.as_ref().map(|redaction| {
            let name = name_of(|| redaction.name().to_owned());
            (Arc::clone(redaction), name)
        });
        let validators = options.validators.iter().map(|validator| {
            let name = name_of(|| validator.name().to_owned());
            (Arc::clone(validator), name)
        });
        Self {
            validators: validators.collect(),
            validating: Arc::new(Semaphore::new(CALLS_MAX)),
            budget: options.callback_budget,
            redaction,
            limits: options.limits.clone(),
            calls: Calls::new(Arc::clone(&options.clock), options.callback_budget),
            emitted: Arc::new(Semaphore::new(1)),
        }
    }

    /// Redacts what was emitted, each observation for itself, on a thread of its own: the caller of
    /// `emit` has gone, and the pump has others to serve. What this gives for an observation is what
    /// may be stored of it, or nothing.
    ///
    /// # Errors
    /// `CallbackTimedOut`, and `Busy` for as long as that thread hangs: all of them are lost.
    pub(super) async fn redact_emitted(
        self: &Arc<Self>,
        commands: Vec<Command>,
    ) -> Result<Vec<Option<Command>>, AppendError> {
        let Some((_, name)) = &self.redaction else {
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
        let command = "observe";
        self.calls
            .on_a_thread(REDACTOR, name, command, room, work)
            .await
    }

    /// What is wrong with a callback, for as long as it lasts.
    pub(super) fn complaint(&self) -> Option<String> {
        self.calls.complaint()
    }

    /// Redacts a group that is acceptable as it is. What it is afterwards is the redactor's doing.
    ///
    /// # Errors
    /// `CallbackFailed`: nothing of it may be stored.
    pub(super) fn redact(&self, commands: &mut [Command]) -> Result<(), AppendError> {
        let _call = match &self.redaction {
            Some((_, name)) => self.calls.begin(REDACTOR, name),
            None => return Ok(()),
        };
        self.redact_each(commands)
    }

    fn redact_each(&self, commands: &mut [Command]) -> Result<(), AppendError> {
        let Some((redaction, name)) = &self.redaction else {
            return Ok(());
        };
        let mut by = self.redactor(&**redaction, name, "group");
        let each = commands.iter_mut().try_for_each(|command| {
            by.command = command.kind();
            command.redact(&mut by)
        });
        let whole = each.and_then(|()| {
            let whole = Command::validate_group(commands, &self.limits);
            whole.map_err(|error| by.spoiled(&error))
        });
        self.calls.ended(REDACTOR, name, by.failed);
        whole
    }

    /// As [`Foreign::redact`], for what the root authority writes; `method` is its own.
    pub(super) fn redact_own(
        &self,
        method: &'static str,
        event: &mut impl Given,
    ) -> Result<(), AppendError> {
        let Some((redaction, name)) = &self.redaction else {
            return Ok(());
        };
        let _call = self.calls.begin(REDACTOR, name);
        let mut by = self.redactor(&**redaction, name, method);
        let redacted = event.redact(&mut by);
        self.calls.ended(REDACTOR, name, by.failed);
        redacted
    }

    fn redactor<'a>(
        &'a self,
        redaction: &'a dyn Redaction,
        name: &'a str,
        command: &'static str,
    ) -> Redactor<'a> {
        Redactor {
            redaction,
            name,
            command,
            limits: &self.limits,
            failed: None,
        }
    }
}
