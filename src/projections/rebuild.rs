//! When views break: set aside, open again, make again; and when that does not help, stop and say
//! so. What is set aside is kept.

use std::sync::Arc;
use std::time::Duration;

use super::error::Failure;
use super::runner::Runner;
use super::seal;
use super::slot::Slot;
use super::views::Notice;
use super::views_database::{ViewsDatabase, set_aside};

/// How often in a row views are set aside before the runner gives up and waits for an order.
const SET_ASIDE_MAX: u32 = 3;
/// How long the runner leaves a medium alone that refused.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const READER_POLL: Duration = Duration::from_millis(1);
/// Polls after which a stopping runner leaves the database to its last reader.
const READER_POLLS_AT_STOP: u32 = 1_000;

/// What went wrong lately.
#[derive(Debug, Default)]
pub(super) struct Health {
    set_aside: u32,
    poisoned: bool,
    /// Given up until a rebuild is ordered.
    gave_up: bool,
    /// Readers were told of a trouble.
    told: bool,
}

impl Health {
    pub(super) fn recovered(&mut self) {
        *self = Self::default();
    }

    /// True once after a trouble that is over.
    pub(super) fn trouble_over(&mut self) -> bool {
        std::mem::take(&mut self.told)
    }
}

impl Runner {
    /// Opens the database. False where the runner has given up on it.
    pub(super) fn open(&mut self) -> Result<bool, Failure> {
        if self.health.gave_up {
            return Ok(false);
        }
        self.incarnation += 1;
        let (control, incarnation) = (Arc::clone(&self.control), self.incarnation);
        let complain = Box::new(move |cause| control.complain(incarnation, cause));
        let database = ViewsDatabase::open(&self.path, &self.options, incarnation, complain)?;
        for slot in &mut self.slots {
            slot.attach(&database, &self.source, self.health.set_aside > 0)?;
        }
        self.database = Some(database);
        Ok(true)
    }

    /// The first opening, by the caller of `Views::open`: afterwards every view serves, is being
    /// built, or says why not.
    pub(super) fn open_first(&mut self) {
        // What an empty journal gives is complete as it is: a new ledger is not recovering.
        let open = |runner: &mut Self| runner.open().and_then(|_| runner.settle());
        while let Err(failure) = self.guarded(open) {
            let patient = matches!(failure, Failure::Damage(_));
            self.mend(failure);
            if !patient {
                return;
            }
        }
    }

    pub(super) fn rebuild_on_demand(&mut self, names: &[String]) -> Result<(), Failure> {
        if names.is_empty() {
            return Ok(());
        }
        self.health.recovered();
        let head = self.source.head();
        let Some(database) = &self.database else {
            return Ok(());
        };
        for slot in &mut self.slots {
            if names.iter().any(|name| name == slot.name()) {
                slot.start_build(database, head, "ordered")?;
            }
        }
        Ok(())
    }

    pub(super) fn heal(&mut self, failure: Failure) {
        let patient = matches!(failure, Failure::Damage(_));
        self.mend(failure);
        if !patient {
            self.control.pause(RETRY_PAUSE);
        }
    }

    fn mend(&mut self, failure: Failure) {
        self.slots.iter().for_each(Slot::failed);
        let poisoned = failure.cause().contains("Poisoned");
        match failure {
            Failure::Source(cause) => self.tell(&cause),
            // The engine poisons itself for a full disk and for a damaged table alike, and says
            // no more: once is the medium, again after reopening is the data.
            Failure::Medium(cause) if !(poisoned && self.health.poisoned) => {
                self.health.poisoned |= poisoned;
                self.release();
                self.tell(&cause);
            }
            Failure::Medium(cause) | Failure::Damage(cause) => self.quarantine(&cause),
        }
    }

    fn tell(&mut self, cause: &str) {
        self.health.told = true;
        tracing::warn!(cause, "views cannot be brought up to date");
        for slot in &self.slots {
            slot.shared
                .update(|state| state.halted = Some(cause.to_owned()));
        }
        self.options.notify(&Notice::Halted {
            cause: cause.to_owned(),
        });
    }

    fn quarantine(&mut self, cause: &str) {
        if !self.release() {
            return;
        }
        match set_aside(&self.path, &self.quarantine) {
            Ok(to) => {
                tracing::warn!(cause, to = %to.display(), "views set aside, to be rebuilt");
                self.options.notify(&Notice::SetAside {
                    cause: cause.to_owned(),
                    to,
                });
                self.health.set_aside += 1;
                self.health.poisoned = false;
                self.health.gave_up = self.health.set_aside >= SET_ASIDE_MAX;
            }
            Err(error) => {
                self.health.gave_up = true;
                self.tell(&format!("{cause}; setting views aside failed: {error}"));
            }
        }
        if self.health.gave_up {
            self.tell(cause);
        }
    }

    /// Closes the database once the last reader has gone: its threads write by path, and must
    /// not meet what takes its place.
    /// False where a reader still holds it.
    fn release(&mut self) -> bool {
        let mut readers = Vec::new();
        for slot in &mut self.slots {
            readers.extend(slot.withdraw());
        }
        let mut polls = 0;
        while readers.iter().any(|reader| reader.strong_count() > 0) {
            polls += 1;
            if self.control.is_stopping() && polls > READER_POLLS_AT_STOP {
                self.database = None;
                return false;
            }
            std::thread::sleep(READER_POLL);
        }
        self.database = None;
        true
    }

    pub(super) fn shut(&mut self) {
        let synced = match self.database.as_ref().map(ViewsDatabase::persist) {
            Some(Ok(())) => true,
            Some(Err(failure)) => {
                tracing::warn!(cause = failure.cause(), "views not synced at close");
                false
            }
            None => false,
        };
        for slot in &self.slots {
            slot.shared.update(|state| state.closed = true);
        }
        if self.release() && synced {
            seal::write(&self.path);
        }
    }
}
