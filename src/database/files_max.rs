// SPDX-License-Identifier: Apache-2.0
//! How many files the ledger holds open, against how many the process may.

use std::fs::File;

use crate::error::{Fault, OpenError};

/// Fewer the engine does not take, in each of the two databases.
pub(crate) const FILES_MIN: usize = 10;
/// Open files beside those that the engine keeps for reading tables: its logs and locks, tables that it
/// writes and merges, what is ours, and as many again to spare for verification and reads.
const BESIDE: u64 = 64;
/// The engine needs fewer at a time.
const PROBED: usize = 16;

/// Whether the process, or the machine, may open no few files more just now. The engine panics over that
/// in places, as it does over files that are not what it wrote.
pub(crate) fn are_short() -> bool {
    let opened: Result<Vec<File>, _> = (0..PROBED).map(|_| File::open("/dev/null")).collect();
    opened.is_err_and(|error| Fault::of(&error) == Fault::System)
}

/// How many files each of the two databases may keep open, where both together may keep `most`.
///
/// # Errors
/// [`OpenError::Limits`]; [`OpenError::Descriptors`] where the process may not have as many open.
pub(crate) fn files_each(most: usize) -> Result<usize, OpenError> {
    let each = most / 2;
    if each < FILES_MIN {
        return Err(OpenError::Limits("descriptors_max is less than 20"));
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let needed = (most as u64).saturating_add(BESIDE);
    match limit {
        Some(limit) if limit < needed => Err(OpenError::Descriptors { needed, limit }),
        _ => Ok(each),
    }
}
