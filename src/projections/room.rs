// SPDX-License-Identifier: Apache-2.0
//! What the views' database is at: how much its memtables still take, and what is being written.

use std::sync::atomic::AtomicBool;

/// As many memtables may wait to become tables.
const WAITING_MAX: usize = 1;
/// This part of the memtables' bound is for what is changed while one of them becomes a table.
const WHILE_WAITING: u64 = 8;

/// What the database is at, for who looks at its files meanwhile.
#[derive(Default)]
pub(super) struct DatabaseUnderWay {
    /// A batch is being written, or could not be: the end of the log may not be whole.
    pub(super) batch: AtomicBool,
    /// A generation is being made, or could not be.
    pub(super) making: AtomicBool,
}

/// What the memtables of all views have room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemtableRoom {
    /// More changes.
    Free,
    /// More changes, once the largest memtable is on its way to become a table.
    FullSoon,
    /// Nothing, before one that waits has become a table.
    Full,
}

impl MemtableRoom {
    /// With so many bytes in memtables that take changes, and so many memtables of so many bytes that
    /// wait to become tables.
    pub(super) const fn of(active: u64, waiting: Option<(usize, u64)>, most: u64) -> Self {
        match waiting {
            Some((count, bytes)) if count > WAITING_MAX || active + bytes >= most => Self::Full,
            None if active >= most - most / WHILE_WAITING => Self::FullSoon,
            _ => Self::Free,
        }
    }
}
