//! Verification: a walk over everything that a ledger keeps, on all cores. It changes no byte, and
//! does not stop at the first thing that is wrong.
//!
//! * Files: identity, anchor, saved states; of both databases structure, manifests, every batch of the log, and
//!   every byte of every table against the checksum that its manifest states.
//! * The journal, frame by frame as its readers see it: checksums, offsets, record hashes,
//!   commitments, times, epochs, the chain from the first record to the head, and the Merkle tree
//!   over all headers, held against the view that keeps it and against every recorded checkpoint.
//!
//! The small files come first. Then part after part of the journal: the tables that begin in it, and its
//! frames, while the tables of the next parts are read (`ahead.rs`).
//!
//! Of views the files are verified, and not that their content follows from the journal: only making
//! one again shows that ([`Root::rebuild_view`](super::Root::rebuild_view), [`Ledger::view_digests`]).

mod ahead;
mod course;
mod files;
mod gather;
mod met;
mod part;
mod plan;
mod result;
mod states;
mod walk;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use crate::callbacks::Listening;
use crate::directory;
use crate::error::ReadError;
use crate::events::LedgerId;
use crate::journal::{Head, Journal, ReadFailure};
use crate::projections::TreeView;

use super::guarded::Guarded;
use super::reads::blocking;
use super::{Ledger, Parts};

pub(super) use files::Files;
pub(super) use met::Met;
pub use met::Unread;
pub(super) use part::{Begins, next_readable};
pub use result::{Damaged, Progress, Verified};

use course::{Course, stopped};
use result::Findings;

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

/// What is verified.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) journal: Arc<dyn Journal>,
    /// Up to which record.
    pub(crate) head: Head,
    /// The view that keeps the tree, where there is one.
    pub(crate) tree: Option<TreeView>,
    /// The directory; `None`: there is only a journal.
    pub(crate) place: Option<Place>,
}

/// A ledger's directory.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    /// Whose it is to be.
    pub(crate) ledger: LedgerId,
    /// Whether the engine has it open: then files come and go while they are looked at.
    pub(crate) live: bool,
    /// Which directory it is, where that is known: one that was moved away is not found by its path.
    pub(crate) inode: Option<(u64, u64)>,
}

impl Place {
    /// The directory of a ledger that is open.
    pub(super) fn of(guarded: Option<&Guarded>, ledger: LedgerId) -> Option<Self> {
        let (root, inode) = guarded.and_then(Guarded::place)?;
        Some(Self {
            root,
            ledger,
            live: true,
            inode,
        })
    }

    /// Whether the directory is where it was opened. What is not found elsewhere is not missing.
    pub(super) fn is_there(&self) -> bool {
        self.inode
            .is_none_or(|inode| directory::inode(&self.root) == Some(inode))
    }
}

impl Subject {
    /// Where the journal lies, for the reader of a report.
    pub(super) fn journal_path(&self) -> PathBuf {
        let root = self.place.as_ref().map(|place| place.root.clone());
        root.unwrap_or_default().join("journal")
    }
}

/// Verifies `subject`; blocks. `progress` is told from several threads, one at a time.
///
/// # Errors
/// [`ReadFailure::Closed`] where the journal was closed meanwhile; [`ReadFailure::Io`] where
/// `cancelled` was set or a thread failed. Damage is no error: it is the answer.
pub(crate) fn verify(
    subject: &Subject,
    options: &VerifyOptions,
    progress: &(dyn Fn(&Progress) + Send + Sync),
    cancelled: &AtomicBool,
) -> Result<Verified, ReadFailure> {
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    let threads = threads.min(THREADS_MAX);
    let course = Course::new(subject.head.seq, progress, cancelled);
    let mut findings = Findings::default();
    let look = |place| (place, Files::look(place, subject));
    let files = subject.place.as_ref().map(look);
    let tables = files.as_ref().map(|(place, files)| {
        course.files(files.count, files.tables.len() as u64);
        (*place, files)
    });
    let walked = walk::walk(subject, tables, threads, &course, &mut findings)?;
    if let Some(place) = subject.place.as_ref().filter(|place| !place.is_there()) {
        let root = place.root.display();
        return Err(stopped(&format!(
            "the ledger's directory is no longer {root}"
        )));
    }
    if let Some((_, files)) = files {
        files.tell(&mut findings);
    }
    course.done();
    Ok(findings.verified(subject, &walked, &course.progress()))
}

/// Sets its flag when it is dropped: whoever waited for the answer does not any more.
struct Cancel(Arc<AtomicBool>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Ledger {
    /// Verifies everything that this ledger keeps, up to the head of this moment, while it goes on
    /// serving: see the fields of [`Verified`]. `progress` is called from the threads that work, one
    /// at a time, and is waited for; one that panics is told no more. Cancelling the call ends it. Changes nothing; reads every
    /// byte, so it competes with everything else for the disk.
    ///
    /// # Errors
    /// `Closed` where the ledger is; `Unavailable` where a thread failed. Damage is the answer, not
    /// an error.
    pub async fn verify(
        &self,
        options: VerifyOptions,
        progress: impl Fn(&Progress) + Send + Sync + 'static,
    ) -> Result<Verified, ReadError> {
        let subject = self.subject()?;
        let cancel = Cancel(Arc::default());
        let cancelled = Arc::clone(&cancel.0);
        let progress = Listening::new("verify", progress);
        let work = move || {
            let tell = |at: &Progress| progress.tell(|progress| progress(at));
            let verified = verify(&subject, &options, &tell, &cancelled);
            verified.map_err(ReadError::from)
        };
        let verified = blocking(work).await;
        drop(cancel);
        verified
    }

    fn subject(&self) -> Result<Subject, ReadError> {
        let running = self.0.running.lock();
        let running = running.unwrap_or_else(PoisonError::into_inner);
        let Some(Parts {
            journal, guarded, ..
        }) = running.as_ref()
        else {
            return Err(ReadError::Closed);
        };
        Ok(Subject {
            journal: Arc::clone(journal),
            head: self.head(),
            tree: Some(self.0.set.tree.clone()),
            place: Place::of(guarded.as_deref(), self.id()),
        })
    }
}

#[cfg(test)]
mod tests;
