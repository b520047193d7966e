// SPDX-License-Identifier: Apache-2.0
//! Before anything is written: whether the journal holds an event that this software does not know and may not skip. States
//! that rest on one are not its to go on from.
//!
//! States saved behind such a record hold what came of it, in bytes that may look known; so the kinds of all records are saved
//! with them, and the journal is read from there on. Where they are not, or nothing vouches for them, all of it is read.

use std::path::Path;

use crate::actors::{Kinds, Snapshot};
use crate::error::OpenError;
use crate::events::{LedgerId, Seq};
use crate::journal::{Frame, Journal};

use super::caller_gone::Dropped;
use super::saved_states::Rest;
use super::snapshots;

/// The kinds of all records of `journal`, which lies in `root`; what `is_gapless` says of it decides whether saved ones
/// count. Writes nothing.
///
/// # Errors
/// [`OpenError::UnknownEvent`] names the first record that this software does not know and may not skip.
pub(in crate::ledger) fn known(
    journal: &dyn Journal,
    root: &Path,
    is_gapless: bool,
    dropped: &Dropped,
) -> Result<Kinds, OpenError> {
    let ledger = journal.ledger().map_err(OpenError::journal)?;
    let saved = ledger.filter(|_| is_gapless);
    let mut kinds = saved.map_or_else(Kinds::default, |ledger| saved_in(root, ledger, journal));
    refused(&kinds)?;
    for frame in journal.frames(Seq::FIRST.plus(kinds.through)) {
        dropped.check()?;
        let frame = frame.map_err(OpenError::journal)?;
        if add(&mut kinds, &frame) {
            // The error is to name a record as it was written.
            frame.verify().map_err(OpenError::journal)?;
            refused(&kinds)?;
        }
    }
    Ok(kinds)
}

/// # Errors
/// As [`known`].
pub(in crate::ledger) fn refused(kinds: &Kinds) -> Result<(), OpenError> {
    kinds.unknown().map_or(Ok(()), |unknown| {
        Err(OpenError::UnknownEvent {
            seq: unknown.seq,
            event_type: unknown.event_type,
            revision: unknown.revision,
            encrypted: unknown.encrypted,
        })
    })
}

/// Adds a frame's records; true where one of them is the first of a kind that keeps this software from writing. A header
/// that cannot be read is told by whoever reads the record.
pub(in crate::ledger) fn add(kinds: &mut Kinds, frame: &Frame) -> bool {
    let mut bars = false;
    for header in frame.headers() {
        bars |= kinds.record(&header) && header.bars_writing();
    }
    kinds.through = frame.last_seq().get();
    bars
}

/// The newest that the journal vouches for; none where there are none.
fn saved_in(root: &Path, ledger: LedgerId, journal: &dyn Journal) -> Kinds {
    let files = snapshots::newest_first(&snapshots::directory(root));
    let mut found = files.iter().filter_map(|path| {
        let saved = Rest::of(path, ledger).and_then(|mut rest| rest.next(journal));
        let saved = saved.inspect_err(|problem| {
            tracing::warn!(path = %path.display(), problem, "saved kinds passed over");
        });
        let saved = saved.ok().flatten()?;
        let is_ours = (saved.taken.state, saved.taken.layout) == (Kinds::STATE, Kinds::LAYOUT);
        let seq = Seq::new(saved.seq).filter(|_| is_ours)?;
        let restored = Kinds::restored(&saved.bytes, seq).inspect_err(|problem| {
            let path = path.display();
            tracing::warn!(%path, %problem, "saved kinds passed over: they do not decode");
        });
        let restored = restored.ok()?;
        // It was the head before the record that vouches for it.
        Some(restored.state).filter(|kinds| kinds.through < saved.seq)
    });
    found.next().unwrap_or_default()
}
