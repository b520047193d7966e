// SPDX-License-Identifier: Apache-2.0
//! When views break: set aside, open again, make again; and when that does not help, stop and say
//! so. Views that are set aside are kept.

use std::sync::Arc;
use std::time::Duration;

use super::error::HaltReason;
use super::runner::Runner;
use super::seal;
use super::slot::Slot;
use super::views::Notice;
use super::views_database::{ViewsDatabase, set_aside};
use crate::database;

/// How often in a row views are set aside before the runner gives up and waits for an order.
const SET_ASIDE_MAX: u32 = 3;
/// How long the runner leaves a medium alone that refused; twice as long each time, up to 64 times.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const RETRY_DOUBLINGS: u32 = 6;
/// How often in a row the engine may panic over files that are whole, before they are set aside.
const PANICS_MAX: u32 = 2;
const READER_POLL: Duration = Duration::from_millis(1);
/// Polls after which a stopping runner leaves the database to its last reader.
const READER_POLLS_AT_STOP: u32 = 1_000;

/// What went wrong lately.
#[derive(Debug, Default)]
pub(super) struct ViewHealth {
    set_aside: u32,
    /// Troubles in a row that were no damage: each is waited out longer than the one before.
    waited: u32,
    panics: u32,
    /// Nobody knows what the last trouble was: every byte is read before the next opening.
    look: bool,
    /// Given up until a rebuild is ordered.
    gave_up: bool,
    /// Readers were told of a trouble.
    told: bool,
}

/// What the runner does after a trouble.
enum Then {
    GoOn,
    Wait,
}

impl ViewHealth {
    pub(super) fn recovered(&mut self) {
        *self = Self::default();
    }

    /// The operator who orders a rebuild has looked; whether files are to be looked at stays as it
    /// is.
    fn ordered(&mut self) {
        let look = self.look;
        *self = Self {
            look,
            told: self.told,
            ..Self::default()
        };
    }

    /// True once after a trouble that is over.
    pub(super) fn trouble_over(&mut self) -> bool {
        std::mem::take(&mut self.told)
    }
}

impl Runner {
    /// Opens the database. False where the runner has given up on it.
    pub(super) fn open(&mut self) -> Result<bool, HaltReason> {
        if self.health.gave_up {
            return Ok(false);
        }
        if self.health.look {
            self.look()?;
        }
        self.incarnation += 1;
        let (control, incarnation) = (Arc::clone(&self.control), self.incarnation);
        let complain = Box::new(move |cause| control.complain(incarnation, cause));
        let database = ViewsDatabase::open(&self.path, &self.options, incarnation, complain)?;
        for slot in &mut self.slots {
            slot.attach(&database, &self.source, self.health.set_aside > 0)?;
        }
        self.database = Some(database);
        self.health.look = false;
        Ok(true)
    }

    /// Reads every byte of the closed database: what is damaged is told from what only was in the way.
    fn look(&self) -> Result<(), HaltReason> {
        if !database::exists(&self.path).unwrap_or(true) {
            return Ok(());
        }
        let found = database::look_through(&self.path, None);
        let mut damages = found.damages.iter();
        if let Some(failure) = damages.find_map(HaltReason::found) {
            return Err(failure);
        }
        for table in &found.tables {
            match table.check(&mut |_| !self.control.is_stopping()) {
                Ok(true) => {}
                Ok(false) => return Err(HaltReason::Medium("views are being closed".to_owned())),
                Err(damage) => HaltReason::found(&damage).map_or(Ok(()), Err)?,
            }
        }
        Ok(())
    }

    /// The first opening, by the caller of `Views::open`: afterwards every view serves, is being
    /// built, or says why not.
    pub(super) fn open_first(&mut self) {
        // A view of an empty journal is complete as it is: a new ledger is not recovering.
        let open = |runner: &mut Self| runner.open().and_then(|_| runner.settle());
        while let Err(failure) = self.guarded(open) {
            if let Then::Wait = self.mend(failure)
                && self.health.waited > 1
            {
                return;
            }
        }
    }

    pub(super) fn rebuild_on_demand(&mut self, names: &[String]) -> Result<(), HaltReason> {
        if names.is_empty() {
            return Ok(());
        }
        self.health.ordered();
        if self.database.is_none() {
            // The operator wants them made again, also where nobody can tell what is wrong with these.
            self.open().map_err(HaltReason::when_ordered)?;
        }
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

    pub(super) fn heal(&mut self, failure: HaltReason) {
        if let Then::Wait = self.mend(failure) {
            let doublings = self.health.waited.saturating_sub(1).min(RETRY_DOUBLINGS);
            self.control.pause(RETRY_PAUSE * 2_u32.pow(doublings));
        }
    }

    fn mend(&mut self, failure: HaltReason) -> Then {
        self.slots.iter().for_each(Slot::failed);
        match failure {
            HaltReason::Source(cause) => self.wait(&cause),
            HaltReason::Medium(cause) => {
                self.release();
                self.wait(&cause)
            }
            HaltReason::Unknown(cause) => {
                self.health.look = true;
                self.release();
                self.wait(&cause)
            }
            HaltReason::Panic(cause) if database::are_short() => {
                self.release();
                self.wait(&format!("{cause}; no descriptors are left"))
            }
            HaltReason::Panic(cause) if self.health.panics + 1 < PANICS_MAX => {
                self.health.panics += 1;
                self.health.look = true;
                self.release();
                self.wait(&cause)
            }
            HaltReason::Panic(cause) | HaltReason::Damage(cause) => self.quarantine(&cause),
        }
    }

    /// Nothing is known to be damaged: readers are told, and it is tried again later.
    fn wait(&mut self, cause: &str) -> Then {
        self.health.waited += 1;
        self.tell(cause);
        Then::Wait
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

    fn quarantine(&mut self, cause: &str) -> Then {
        if !self.release() {
            return Then::GoOn;
        }
        match set_aside(&self.path, &self.quarantine) {
            Ok(to) => {
                tracing::warn!(cause, to = %to.display(), "views set aside, to be rebuilt");
                self.options.notify(&Notice::SetAside {
                    cause: cause.to_owned(),
                    to,
                });
                self.health.set_aside += 1;
                self.health.look = false;
                self.health.panics = 0;
                self.health.gave_up = self.health.set_aside >= SET_ASIDE_MAX;
            }
            Err(error) => {
                return self.wait(&format!("{cause}; setting views aside failed: {error}"));
            }
        }
        if self.health.gave_up {
            self.tell(cause);
        }
        Then::GoOn
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
