// SPDX-License-Identifier: Apache-2.0
//! The files that are read piece by piece: the journal's tables, and the files of views.

use std::fs;
use std::path::Path;

use crate::database::{self, Damage, Table, TableReading};
use crate::projections::{ViewFile, ViewFileReading};

/// One of them.
#[derive(Clone)]
pub(in crate::ledger) enum LargeFile {
    /// The journal's.
    Table(Table),
    /// A view's.
    View(ViewFile),
}

impl LargeFile {
    pub(in crate::ledger) fn path(&self) -> &Path {
        match self {
            Self::Table(table) => &table.path,
            Self::View(file) => file.path(),
        }
    }

    /// Its length, as far as that can be known.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Table(table) => fs::metadata(&table.path).map_or(0, |file| file.len()),
            Self::View(file) => file.bytes(),
        }
    }

    /// The record that a table begins with, as far as can be seen without reading it.
    pub(super) fn first_record(&self) -> Option<u64> {
        match self {
            Self::Table(table) => table.first_key().map(u64::from_be_bytes),
            Self::View(_) => None,
        }
    }

    /// Whether what was found wrong with it counts: the engine removes what it has compacted, and a view what it
    /// has merged. A view that lies in it is set aside and made again.
    pub(super) fn is_wrong(&self, damage: &Damage) -> bool {
        match self {
            Self::Table(table) => database::is_named(table),
            Self::View(file) => file.is_wrong(damage),
        }
    }

    /// Begins to read it.
    pub(in crate::ledger) fn begin(&self) -> Result<LargeFileReading, Damage> {
        Ok(match self {
            Self::Table(table) => LargeFileReading::Table(table.begin()?),
            Self::View(file) => LargeFileReading::View(file.begin()),
        })
    }

    /// Reads all of it. `step` is told of every piece and says whether to go on; gives false where it did not.
    pub(super) fn check(&self, step: &mut dyn FnMut(u64) -> bool) -> Result<bool, Damage> {
        match self {
            Self::Table(table) => table.check(step),
            Self::View(file) => file.check(step),
        }
    }
}

/// One that is being read.
pub(in crate::ledger) enum LargeFileReading {
    /// A table.
    Table(TableReading),
    /// A view's file.
    View(ViewFileReading),
}

impl LargeFileReading {
    /// Reads the next piece and gives its length; 0 at the end, where the whole was what it is to be.
    pub(in crate::ledger) fn piece(&mut self) -> Result<u64, Damage> {
        match self {
            Self::Table(reading) => reading.piece(),
            Self::View(reading) => reading.piece(),
        }
    }
}
