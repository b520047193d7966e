// SPDX-License-Identifier: Apache-2.0
//! Salvage: what verifies of a damaged ledger, copied into a new one.
//!
//! Invariants: the source is not changed; the new ledger holds the same records with the same hashes, from
//! record 1 on, and nothing that does not follow; it has a name when it is whole and durable, and not
//! before. Its epoch is above every epoch that the source can have had, since history forks here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::actors::Kinds;
use crate::database;
use crate::error::{Cause, OpenError, SalvageError};
use crate::events::{CommandId, LedgerId, RecoveryReportedV2, Seq};
use crate::integrity::Chain;
use crate::journal::{Finding, FindingKind, Frame, FrameBuilder, Head, JournalStop, NewRecord};

use super::read_only::{ReadOnly, ReadOnlyOptions};
use crate::ledger::open_ledger::Ledger;
use crate::ledger::recover::kinds;
use crate::ledger::recover::recovery::Recovery;

mod checkpoints;
mod options;
mod write;

pub use checkpoints::SalvagedCheckpoint;
use options::Told;
pub use options::{SalvageOptions, SalvageProgress};

/// What came of it.
///
/// Example: [`salvage`](crate::salvage).
#[derive(Debug, Clone, serde::Serialize)]
#[non_exhaustive]
pub struct Salvaged {
    /// The ledger, old and new.
    pub ledger: LedgerId,
    /// The last record that was salvaged.
    pub through: Head,
    /// The new ledger's head: the record behind it, which tells of the salvage.
    pub head: Head,
    /// Frames that were salvaged.
    pub frames: u64,
    /// The first record of the source that was not; `None` where nothing is known to have come after.
    pub first_lost: Option<u64>,
    /// Why; empty where none is.
    pub because: String,
    /// Frames that are kept in `quarantine/salvage/`.
    pub aside: u64,
    /// The last record that the source's anchor claims.
    pub anchored: Option<Seq>,
    /// Every checkpoint that the source's records tell of. Copies elsewhere are not looked at.
    pub checkpoints: Vec<SalvagedCheckpoint>,
    /// What is wrong with the source.
    pub findings: Vec<Finding>,
}

impl Salvaged {
    /// True where nothing that is known of is lost.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.first_lost.is_none() && self.checkpoints.iter().all(|checkpoint| checkpoint.holds)
    }
}

impl Ledger {
    /// Copies what verifies of the ledger in `from` into a new one in `to`, from record 1 on up to the
    /// first that does not verify or is missing. What verifies behind it would not follow, so it is kept
    /// beside, frame by frame, in the new directory's `quarantine/salvage/`. The new ledger has the same
    /// id and a higher epoch, and its last record is a `RecoveryReported` that tells of the salvage; it
    /// is opened as any other. The source is only read. Blocks, and takes time in proportion to it.
    ///
    /// Where what verifies holds a record that this software does not know and may not skip, it is refused as an opening is
    /// ([`OpenError::UnknownEvent`]): what a record of the salvage's own would mean behind it is not known.
    ///
    /// # Errors
    /// [`SalvageError`]: then there is no new ledger.
    pub fn salvage(
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
        options: &SalvageOptions,
    ) -> Result<Salvaged, SalvageError> {
        let absolute = |path| database::absolute(path).map_err(SalvageError::Source);
        salvage(&absolute(from.as_ref())?, &absolute(to.as_ref())?, options)
    }
}

fn salvage(from: &Path, to: &Path, options: &SalvageOptions) -> Result<Salvaged, SalvageError> {
    let started_ns = options.clock.monotonic_ns();
    // Before reading for hours.
    write::check_target(from, to)?;
    let ready = options.entropy.ready();
    ready.map_err(|error| SalvageError::Source(OpenError::NoRandomness(Cause::of(error))))?;
    let how = ReadOnlyOptions {
        scratch: None,
        clock: Arc::clone(&options.clock),
    };
    let source = Ledger::open_read_only(from, how).map_err(SalvageError::Source)?;
    let to_tell = Told::of(options);
    to_tell.tell(SalvageProgress::Read);
    let journal = source.journal();
    let through = source.verified();
    let stop = journal.stop().cloned();
    let (Some(ledger), true) = (source.id(), through.seq.is_some()) else {
        let why = stop.map_or_else(|| "is not there".to_owned(), |stop| stop.because);
        return Err(SalvageError::Nothing { why });
    };
    let contradicted = source.findings().iter();
    let mut contradicted = contradicted.filter(|it| it.kind == FindingKind::OtherHistory);
    if let Some(finding) = contradicted.next().filter(|_| !options.disregard_anchor) {
        let seq = finding.records.as_ref();
        let seq = seq.map_or(through.count(), |records| *records.start());
        return Err(SalvageError::OtherHistory { seq });
    }
    known(&source)?;
    let told = source.checkpoints().map_err(SalvageError::Read)?;
    let mut checkpoints = checkpoints::CopiedTree::of(told);
    let aside = journal.aside().count() as u64;
    let took_ns = options.clock.monotonic_ns().saturating_sub(started_ns);
    let event = report(&source, stop.as_ref(), aside, Duration::from_nanos(took_ns));
    let last = record(&source, ledger, &event, options);
    let target = write::Target::create(to)?;
    target.journal(&source, &last, &mut checkpoints, &to_tell)?;
    target.set_aside(&source, stop.as_ref(), &to_tell)?;
    let head = last.last;
    let frames = journal.verified_frames();
    to_tell.tell(SalvageProgress::Checking);
    target.finish(&source, ledger, &head, frames + 1, &to_tell)?;
    tracing::info!(through = through.count(), aside, "salvaged");
    Ok(Salvaged {
        ledger,
        through,
        head,
        frames,
        first_lost: stop.as_ref().map(|stop| stop.first_lost),
        because: stop.map(|stop| stop.because).unwrap_or_default(),
        aside,
        anchored: source.anchored().and_then(|claim| claim.seq),
        checkpoints: checkpoints.finish(),
        findings: source.findings().to_vec(),
    })
}

/// A salvage writes too: it decides what of the history counts, and puts a record of its own behind it. Frames that are set
/// aside need not be understood: they stay as they were found.
fn known(source: &ReadOnly) -> Result<(), SalvageError> {
    let mut found = Kinds::default();
    for frame in source.journal().verified_history() {
        let frame = frame.map_err(|failure| SalvageError::Read(failure.into()))?;
        if kinds::add(&mut found, &frame) {
            break;
        }
    }
    kinds::refused(&found).map_err(SalvageError::Source)
}

fn report(
    source: &ReadOnly,
    stop: Option<&JournalStop>,
    aside: u64,
    duration: Duration,
) -> RecoveryReportedV2 {
    let because = match stop {
        Some(JournalStop {
            first_lost,
            because,
        }) => format!("record {first_lost} of the source: {because}"),
        None => "nothing is known to have come after".to_owned(),
    };
    let (log_files, log_batches) = source.journal().log();
    let slot_lost = |finding: &Finding| finding.kind == FindingKind::AnchorSlot;
    let mut recovery = Recovery {
        anchored: source.anchored().and_then(|claim| claim.seq),
        recovered: source.verified().seq,
        anchor_slot_lost: source.findings().iter().any(slot_lost),
        anchor_renewed: Some(format!("salvaged: {because}; {aside} frames set aside")),
        duration,
        ..Recovery::default()
    };
    recovery.found.log_files = log_files;
    recovery.found.log_batches = log_batches;
    RecoveryReportedV2::from(&recovery)
}

/// The frame with the one record that the salvage writes itself.
fn record(
    source: &ReadOnly,
    ledger: LedgerId,
    event: &RecoveryReportedV2,
    options: &SalvageOptions,
) -> Frame {
    let through = source.verified();
    let journal = source.journal();
    // Each epoch begins with a record of its own, so what is known to be missing bounds how many there
    // were; and the anchor may be one frame behind.
    let missing = journal.known_to().saturating_sub(through.count());
    let known = journal.epoch_max().max(through.epoch);
    let epoch = known.saturating_add(missing).saturating_add(2);
    let command = CommandId::from_bytes(options.entropy.bytes16());
    let mut record = NewRecord::of(&event.clone().into());
    record.command = command;
    record.salt = options.entropy.bytes16();
    record.commitment = Chain::default().payload_commitment(&record.salt, &record.payload);
    let mut builder = FrameBuilder::new(ledger, epoch, through);
    builder.push(&record, options.clock.now_ns().max(through.time_ns));
    builder.finish()
}
