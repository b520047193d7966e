// SPDX-License-Identifier: Apache-2.0
//! The five stores, and sets of them.

use std::fmt;

use serde::Serialize;

use super::readable::debug_as_read;
use super::readable::words::{Bits, Words, spoken};

/// One of the five stores (FC-STORAGE §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Store {
    /// Executions: decisions, starts, results (§5).
    ExecutionLog = 1,
    /// What must be audited (§6).
    AuditLog = 2,
    /// Observations (§7).
    Telemetry = 4,
    /// Versioned documents (§8).
    Configuration = 8,
    /// Runtime, modules, capability registry (§9).
    RuntimeMetadata = 16,
}

impl Store {
    /// All five.
    pub const ALL: [Self; 5] = [
        Self::ExecutionLog,
        Self::AuditLog,
        Self::Telemetry,
        Self::Configuration,
        Self::RuntimeMetadata,
    ];

    /// Its place among [`Store::ALL`].
    #[cfg(feature = "engine")]
    pub(crate) const fn index(self) -> usize {
        (self as u8).trailing_zeros() as usize
    }

    /// A stable word, also the value of the metric label `store`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExecutionLog => "execution_log",
            Self::AuditLog => "audit_log",
            Self::Telemetry => "telemetry",
            Self::Configuration => "configuration",
            Self::RuntimeMetadata => "runtime_metadata",
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Words for Store {
    fn all() -> impl Iterator<Item = (u8, &'static str)> {
        Self::ALL.into_iter().map(|it| (it as u8, it.name()))
    }
}

spoken!(Store);

/// A set of stores.
///
/// Example: [`events`](crate::events).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct StoreMask(#[serde(serialize_with = "Bits::<Store>::serialize")] u8);

debug_as_read!(StoreMask);

impl StoreMask {
    /// No store.
    pub const NONE: Self = Self(0);
    /// All five stores.
    pub const ALL: Self = Self(31);

    /// The set with these bits; see [`Store`] for their values.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// This set and `store`.
    #[must_use]
    pub const fn with(self, store: Store) -> Self {
        Self(self.0 | store as u8)
    }

    /// True where `store` is in the set.
    #[must_use]
    pub const fn contains(self, store: Store) -> bool {
        self.0 & store as u8 != 0
    }

    /// True where the sets share a store.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// True where every store of the other set is in this one.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The stores in the set.
    pub fn stores(self) -> impl Iterator<Item = Store> {
        Store::ALL
            .into_iter()
            .filter(move |store| self.contains(*store))
    }
}
