// SPDX-License-Identifier: Apache-2.0
//! Before the engine opens the journal: what a crash left behind is repaired, unless the journal is refused; then nothing of
//! it is changed.

use std::path::Path;

use super::found::FoundInJournal;
use super::{Claim, Frame, ReadOnlyJournal};
use crate::database::{self, Damage, wal::Wal};
use crate::error::OpenError;
use crate::events::RecordHeader;

/// By the engine's numbers: its own, and the frames.
const FRAMES_KEYSPACE: u64 = 1;
const KEYSPACES: [u64; 2] = [0, FRAMES_KEYSPACE];
/// Beside the journal.
const QUARANTINE: &str = "quarantine";

/// Looks at a closed database, and repairs what a crash leaves.
pub(super) fn prepare(path: &Path, claim: Option<&Claim>) -> Result<FoundInJournal, OpenError> {
    let inspected = database::inspect(path, &KEYSPACES)?;
    // While nothing is changed yet: a tail that was acknowledged is not a torn one.
    let last = inspected.last_value()?;
    // One that is no frame is named by its place when the journal is read.
    let last = last.and_then(|value| Frame::decode(&value).ok());
    let wal = &inspected.wal;
    if let (Some(frame), Some(claim)) = (last, claim)
        && frame.last.seq < claim.seq
    {
        check_end(path, claim, wal)?;
    }
    if wal.torn().is_some() {
        unknown_event(wal)?;
    }
    Ok(FoundInJournal {
        log_files: wal.files.len() as u64,
        log_batches: wal.files.iter().map(|file| file.batches).sum(),
        log_gap: wal.gap(),
        torn: inspected.repair(&path.with_file_name(QUARANTINE))?,
    })
}

/// The log ends before what was acknowledged: tables may hold what it has lost. Who inspects the journal is
/// told the same, by the same function.
fn check_end(path: &Path, claim: &Claim, wal: &Wal) -> Result<(), OpenError> {
    let end = |claim| ReadOnlyJournal::open(path, None, claim).map(|journal| journal.end());
    let recovered = end(Some(claim))?;
    if let Some(anchored) = claim.seq
        && recovered < claim.seq
    {
        return Err(OpenError::AcknowledgedRecordsMissing {
            anchored,
            recovered,
        });
    }
    // Without the claim nothing vouches for a frame that no whole batch holds: the engine would not read it.
    match wal.torn() {
        Some(torn) if end(None)? < claim.seq => {
            let problem = "the last batch is not whole, and what it holds was acknowledged";
            Err(Damage::at(&torn.path, torn.end, problem).into())
        }
        _ => Ok(()),
    }
}

/// The tail is cut by software that will go on from there. An opening looks at all frames; those that lie in the log are looked
/// at before the cut.
fn unknown_event(wal: &Wal) -> Result<(), OpenError> {
    wal.values(FRAMES_KEYSPACE, &mut |value| {
        // One that is no frame, or is damaged, is named by its place when the journal is read.
        let frame = Frame::decode(&value).ok();
        let frame = frame.filter(|frame| frame.verify().is_ok());
        let unknown = frame.and_then(|frame| frame.headers().find(RecordHeader::bars_writing));
        unknown.map_or(Ok(()), |header| {
            Err(OpenError::UnknownEvent {
                seq: header.seq,
                event_type: header.event_type,
                revision: header.revision,
                encrypted: header.data_key != 0,
            })
        })
    })
}
