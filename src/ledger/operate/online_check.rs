// SPDX-License-Identifier: Apache-2.0
//! Verification of a ledger that is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::callbacks::Listening;
use crate::error::ReadError;
use crate::locks::whole;

use super::verify::{OpenDirectory, Subject, Verified, VerifyOptions, VerifyProgress, verify};
use crate::ledger::blocking::blocking;
use crate::ledger::open_ledger::Ledger;
use crate::ledger::parts::LedgerParts;

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
    /// at a time, and is waited for; one that panics is told no more. Cancelling the call ends it. Changes no byte: a view
    /// of which a file is damaged is set aside and made again. Reads every byte, so it competes with everything else
    /// for the disk.
    ///
    /// # Errors
    /// `Closed` where the ledger is; `Unavailable` where a thread failed. Damage is the answer, not
    /// an error.
    pub async fn verify(
        &self,
        options: VerifyOptions,
        progress: impl Fn(&VerifyProgress) + Send + Sync + 'static,
    ) -> Result<Verified, ReadError> {
        let subject = self.subject()?;
        let cancel = Cancel(Arc::default());
        let cancelled = Arc::clone(&cancel.0);
        let progress = Listening::new("verify", progress);
        let work = move || {
            let tell = |at: &VerifyProgress| progress.tell(|progress| progress(at));
            let verified = verify(&subject, &options, &tell, &cancelled);
            verified.map_err(ReadError::from)
        };
        let verified = blocking(work).await;
        drop(cancel);
        verified
    }

    fn subject(&self) -> Result<Subject, ReadError> {
        let running = self.0.running.lock();
        let running = whole(running);
        let Some(LedgerParts {
            journal,
            locked_journal,
            ..
        }) = running.as_ref()
        else {
            return Err(ReadError::Closed);
        };
        Ok(Subject {
            journal: Arc::clone(journal),
            head: self.head(),
            views: self.0.set.all.clone(),
            tree: Some(self.0.set.tree.clone()),
            place: OpenDirectory::of(locked_journal.as_deref(), self.id()),
        })
    }
}
