// SPDX-License-Identifier: Apache-2.0
//! What went wrong with one view lately, and so what is tried next.

/// What went wrong lately.
#[derive(Debug, Default)]
pub(super) struct ViewHealth {
    pub(super) set_aside: u32,
    /// Troubles in a row that were no damage: each is waited out longer than the one before.
    pub(super) waited: u32,
    pub(super) panics: u32,
    /// Nobody knows what the last trouble was: every byte is read before the next opening.
    pub(super) look: bool,
    /// Given up until a rebuild is ordered.
    pub(super) gave_up: bool,
    /// Readers were told of a trouble.
    pub(super) told: bool,
}

impl ViewHealth {
    pub(super) fn recovered(&mut self) {
        *self = Self::default();
    }

    /// The operator who orders a rebuild has looked; whether files are to be looked at stays as it
    /// is.
    pub(super) fn ordered(&mut self) {
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
