// SPDX-License-Identifier: Apache-2.0
//! Verification: a walk over everything that a ledger keeps, on all cores. It changes no byte, and
//! does not stop at the first thing that is wrong.
//!
//! * Files: identity, anchor, saved states; of the journal's database structure, manifests, every batch of the log,
//!   and every byte of every table against the checksum that its manifest states; of each view its manifest, and
//!   every byte of every file against the digests that lead up to the one that the journal vouches for.
//! * The journal, frame by frame as its readers see it: checksums, offsets, record hashes,
//!   commitments, times, epochs, the chain from the first record to the head, and the Merkle tree
//!   over all headers, held against the view that keeps it and against every recorded checkpoint.
//!
//! The small files come first. Then part after part of the journal: the tables that begin in it, and its
//! frames, while the tables of the next parts are read (`read_ahead.rs`); views' files are read between them.
//!
//! A view of which a file is damaged sets itself aside and is made again. Of views the files are verified, and not
//! that their content follows from the journal: only making
//! one again shows that ([`Root::rebuild_view`](crate::ledger::Root::rebuild_view), [`Ledger::view_digests`](crate::ledger::Ledger::view_digests)).

mod damaged;
mod files;
mod gather;
mod large_file;
mod met;
mod part;
mod plan;
mod progress;
mod read_ahead;
mod result;
mod states;
mod subject;
mod walk;

use std::sync::atomic::AtomicBool;

use crate::journal::ReadFailure;

pub use damaged::Damaged;
pub(in crate::ledger) use files::FilesToVerify;
pub(in crate::ledger) use large_file::{LargeFile, LargeFileReading};
pub(in crate::ledger) use met::Met;
pub use met::Unread;
pub(in crate::ledger) use part::{Begins, next_readable};
pub use progress::VerifyProgress;
pub use result::Verified;
pub(crate) use subject::{OpenDirectory, Subject};

use progress::{ProgressTracker, stopped};
use result::VerifyFindings;

/// How a ledger is verified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Threads that hash; 0: one for each core. Beside them as many read ahead: they wait for the
    /// medium most of the time, and one alone does not keep it busy.
    pub threads: usize,
}

impl VerifyOptions {
    /// With so many threads; 0: one for each core.
    #[must_use]
    pub const fn threads(threads: usize) -> Self {
        Self { threads }
    }
}

/// More threads than this wait for each other.
const THREADS_MAX: usize = 64;

/// Verifies `subject`; blocks. `progress` is told from several threads, one at a time.
///
/// # Errors
/// [`ReadFailure::Closed`] where the journal was closed meanwhile; [`ReadFailure::Io`] where
/// `cancelled` was set or a thread failed. Damage is no error: it is the answer.
pub(crate) fn verify(
    subject: &Subject,
    options: &VerifyOptions,
    progress: &(dyn Fn(&VerifyProgress) + Send + Sync),
    cancelled: &AtomicBool,
) -> Result<Verified, ReadFailure> {
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    let threads = threads.min(THREADS_MAX);
    let tracker = ProgressTracker::new(subject.head.count(), progress, cancelled);
    let mut findings = VerifyFindings::default();
    let look = |place| FilesToVerify::look(place, subject);
    let files = subject.place.as_ref().map(look);
    if let Some(files) = &files {
        tracker.files(files.count, files.large.len() as u64);
    }
    let walked = walk::walk(subject, files.as_ref(), threads, &tracker, &mut findings)?;
    if let Some(place) = subject.place.as_ref().filter(|place| !place.is_there()) {
        let root = place.root.display();
        return Err(stopped(&format!(
            "the ledger's directory is no longer {root}"
        )));
    }
    if let Some(files) = files {
        files.tell(&mut findings);
    }
    tracker.done();
    Ok(findings.verified(subject, &walked, &tracker.progress()))
}

#[cfg(test)]
mod tests;
