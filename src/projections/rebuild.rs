// SPDX-License-Identifier: Apache-2.0
//! When views break: set aside, open again, make again; and when that does not help, stop and say
//! so. Views that are set aside are kept.

use std::time::Duration;

use super::error::HaltReason;
use super::notices::Notice;
use super::runner::Runner;
use super::storage::set_aside;
use crate::database;

/// How often in a row views are set aside before the runner gives up and waits for an order.
const SET_ASIDE_MAX: u32 = 3;
/// How long the runner leaves a medium alone that refused; twice as long each time, up to 64 times.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const RETRY_DOUBLINGS: u32 = 6;
/// How often in a row the engine may panic over files that are whole, before they are set aside.
const PANICS_MAX: u32 = 2;

/// What the runner does after a trouble.
enum Then {
    GoOn,
    Wait,
}

impl Runner {
    /// Takes up what is stored. False where the runner has given up on it.
    pub(super) fn open(&mut self) -> Result<bool, HaltReason> {
        if self.health.gave_up {
            return Ok(false);
        }
        self.keeping.lock.hold()?;
        self.incarnation += 1;
        let whose = (self.incarnation, &self.tell);
        let opening = Self::opening(&self.place, &self.keeping, whose, &self.chunks);
        self.slot.attach(&opening, self.health.set_aside > 0)?;
        if self.health.look {
            self.look()?;
        }
        self.is_open = true;
        self.health.look = false;
        Ok(true)
    }

    /// Reads every byte of what serves: what is damaged is told from what only was in the way.
    fn look(&self) -> Result<(), HaltReason> {
        let Some(serving) = &self.slot.serving else {
            return Ok(());
        };
        for segment in serving.kept.generation.layers().segments() {
            segment.check(&mut |_| !self.control.is_stopping())?;
            if self.control.is_stopping() {
                return Err(HaltReason::Medium("views are being closed".to_owned()));
            }
        }
        Ok(())
    }

    /// The first opening, by the caller of `Views::open`: afterwards the view serves, is being
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

    pub(super) fn rebuild_on_demand(&mut self) -> Result<(), HaltReason> {
        self.health.ordered();
        if !self.is_open {
            // The operator wants it made again, also where nobody can tell what is wrong with this one.
            self.open().map_err(HaltReason::when_ordered)?;
        }
        let head = self.chunks.source().head();
        let whose = (self.incarnation, &self.tell);
        let opening = Self::opening(&self.place, &self.keeping, whose, &self.chunks);
        self.slot.start_build(&opening, head, "ordered")
    }

    pub(super) fn heal(&mut self, failure: HaltReason) {
        if let Then::Wait = self.mend(failure) {
            let doublings = self.health.waited.saturating_sub(1).min(RETRY_DOUBLINGS);
            self.control.pause(RETRY_PAUSE * 2_u32.pow(doublings));
        }
    }

    fn mend(&mut self, failure: HaltReason) -> Then {
        self.slot.failed();
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
        tracing::warn!(
            view = self.slot.name(),
            cause,
            "a view cannot be brought up to date"
        );
        self.slot
            .shared
            .update(|state| state.halted = Some(cause.to_owned()));
        self.notices.tell(&Notice::Halted {
            cause: cause.to_owned(),
        });
    }

    fn quarantine(&mut self, cause: &str) -> Then {
        self.release();
        match set_aside(&self.place, &self.quarantine) {
            Ok(to) => {
                tracing::warn!(cause, to = %to.display(), "a view was set aside, to be rebuilt");
                self.notices.tell(&Notice::SetAside {
                    cause: cause.to_owned(),
                    to,
                });
                self.health.set_aside += 1;
                self.health.look = false;
                self.health.panics = 0;
                self.health.gave_up = self.health.set_aside >= SET_ASIDE_MAX;
            }
            Err(error) => {
                return self.wait(&format!("{cause}; setting the view aside failed: {error}"));
            }
        }
        if self.health.gave_up {
            self.tell(cause);
        }
        Then::GoOn
    }

    /// Readers that hold it read on: its files do not change, whatever their names are.
    fn release(&mut self) {
        self.slot.withdraw();
        self.is_open = false;
    }
}
