// SPDX-License-Identifier: Apache-2.0
//! Kinds of callbacks, and those without which nothing can be appended.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::watch;

/// How often calls under way are looked at.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallbackKind {
    Clock,
    Entropy,
    Space,
    Projection,
    Destination,
    Transport,
    Signer,
    Listener,
    Redactor,
    Validator,
}

impl CallbackKind {
    pub(super) const ALL: [Self; 10] = [
        Self::Clock,
        Self::Entropy,
        Self::Space,
        Self::Projection,
        Self::Destination,
        Self::Transport,
        Self::Signer,
        Self::Listener,
        Self::Redactor,
        Self::Validator,
    ];

    /// Its word in health, logs and metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Entropy => "entropy",
            Self::Space => "space",
            Self::Projection => "projection",
            Self::Destination => "destination",
            Self::Transport => "transport",
            Self::Signer => "signer",
            Self::Listener => "listener",
            Self::Redactor => "redactor",
            Self::Validator => "validator",
        }
    }

    /// It is given what must not be told on, so its own words are not either.
    pub(super) const fn is_discreet(self) -> bool {
        matches!(self, Self::Redactor | Self::Validator)
    }

    /// Without it nothing can be appended: its failure seals.
    pub(super) const fn is_vital(self) -> bool {
        matches!(self, Self::Clock | Self::Entropy)
    }
}

pub(super) type Seal = Box<dyn Fn(&str) + Send + Sync>;

/// What follows from the end of a callback without which nothing can be appended.
pub(super) struct VitalCallback {
    pub(super) seal: OnceLock<Seal>,
    /// The first cause.
    pub(super) failed: OnceLock<String>,
    /// A call has not come back: whoever waits for what it was to do, waits in vain.
    pub(super) hangs: watch::Sender<bool>,
}

impl VitalCallback {
    /// Nothing is appended from here on; says why.
    pub(super) fn fail(&self, cause: String) {
        let cause = self.failed.get_or_init(|| cause);
        if let Some(seal) = self.seal.get() {
            seal(cause);
        }
    }
}
