// SPDX-License-Identifier: Apache-2.0
//! A ledger opened for reading only: for auditors and operators, also where it is damaged.
//!
//! Invariants: nothing in the ledger's directory is changed, no byte and no time of a change; the engine
//! never opens the original. It grants nobody anything: who may read the files may read all of this.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::database;
use crate::directory::shared::SharedDirectory;
use crate::directory::{Identity, SUBJECTS, SubjectKey};
use crate::error::{Cause, OpenError, ReadError};
use crate::events::{Event, EventType, ExecutionId, LedgerId, Record, Seq, SubjectId};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::note::Note;
use crate::journal::{
    Anchor, AnchorContents, Claim, Finding, FindingKind, Frame, FrameProblem, Head, Journal,
    ReadFailure, ReadOnlyJournal,
};

use crate::ledger::attest::checkpoints::CheckpointError;
use crate::ledger::attest::export;
use crate::ledger::open_ledger::Ledger;
use crate::ledger::read::reconstruct::{Reconstruction, reconstruct};

mod signed;
mod summary;
mod views;

pub use signed::{CheckpointProblem, RefusedCheckpoint, SignedCheckpoints};
pub use summary::Summary;
pub use views::ReadOnlyViews;

/// How a ledger is opened for reading.
#[derive(Clone)]
pub struct ReadOnlyOptions {
    /// Where views are made, if they are asked for; `None`: the system's directory for temporary
    /// files. Never the ledger's own directory.
    pub scratch: Option<PathBuf>,
    /// Measures how long views take.
    pub clock: Arc<dyn Clock>,
}

impl Default for ReadOnlyOptions {
    fn default() -> Self {
        Self {
            scratch: None,
            clock: Arc::new(SystemClock::default()),
        }
    }
}

/// A checkpoint that the journal tells of.
///
/// Example: [`read_only`](crate::read_only).
#[derive(Debug, Clone, serde::Serialize)]
#[non_exhaustive]
pub struct RecordedCheckpoint {
    /// The record that tells of it.
    pub seq: u64,
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// With its signatures, which were not checked: that takes the ledger's public key
    /// ([`ReadOnly::signed_checkpoints`]).
    pub note: Note,
}

/// An execution's trace out of what can be read.
///
/// Example: [`read_only`](crate::read_only).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct PartialTrace {
    /// What there is of it.
    pub trace: Option<Reconstruction>,
    /// False where records are missing or damaged anywhere in the ledger: they may have been its.
    pub complete: bool,
}

/// A ledger that can be read and nothing else. Keeps writers out, in every process, as long as it
/// lives; other readers are welcome. All calls block.
///
/// Example: [`read_only`](crate::read_only).
#[derive(Debug)]
pub struct ReadOnly {
    directory: SharedDirectory,
    journal: ReadOnlyJournal,
    claim: Option<Claim>,
    findings: Vec<Finding>,
    scratch: Option<PathBuf>,
    clock: SharedClock,
}

/// For `Debug`.
struct SharedClock(Arc<dyn Clock>);

impl std::fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Ledger {
    /// Opens the ledger in `path` for reading only, as it is: also one that [`Ledger::open`] refuses, as
    /// long as it can be told for a ledger. Reads and verifies all of its journal, so it takes time in
    /// proportion to it, and blocks. Problems are in [`ReadOnly::findings`]; a torn tail is passed over
    /// and stays where it is.
    ///
    /// Nobody is granted anything and no grant is asked for: the permission to read the files is all it
    /// takes, and all of every store can be read with it.
    ///
    /// # Errors
    /// [`OpenError`]: `Locked` by a writer, no ledger, another format, a directory that others may write
    /// to, files that cannot be read.
    pub fn open_read_only(
        path: impl AsRef<Path>,
        options: ReadOnlyOptions,
    ) -> Result<ReadOnly, OpenError> {
        ReadOnly::open(&database::absolute(path.as_ref())?, options)
    }
}

impl ReadOnly {
    fn open(path: &Path, options: ReadOnlyOptions) -> Result<Self, OpenError> {
        let directory = SharedDirectory::open(path)?;
        let mut findings = Vec::new();
        for unlocked in directory.unlocked() {
            findings.push(Finding::new(FindingKind::NotLocked, unlocked.as_str()));
        }
        let known = match directory.identity() {
            Ok(identity) => Some(identity.ledger),
            Err(problem) => {
                let finding = Finding::new(FindingKind::Identity, problem);
                findings.push(finding.of(&directory.identity_file()));
                None
            }
        };
        let claim = claim(&directory, known, &mut findings)?;
        leftovers(path, &mut findings)?;
        let journal = ReadOnlyJournal::open(&directory.journal(), known, claim.as_ref())?;
        findings.extend_from_slice(journal.findings());
        let ReadOnlyOptions { scratch, clock } = options;
        Ok(Self {
            directory,
            journal,
            claim,
            findings,
            scratch,
            clock: SharedClock(clock),
        })
    }

    /// Which ledger it is: as its directory says, else as its frames do.
    #[must_use]
    pub fn id(&self) -> Option<LedgerId> {
        self.journal.ledger().ok().flatten()
    }

    /// The identity file, where it is whole.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.directory.identity().ok()
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The last record that can be shown. Where something is missing before it, it is not
    /// [`ReadOnly::verified`].
    #[must_use]
    pub fn head(&self) -> Head {
        self.journal.head().unwrap_or_default()
    }

    /// The last record of the history from record 1 on that verifies without a gap, and that a
    /// salvage would keep.
    #[must_use]
    pub fn verified(&self) -> Head {
        self.journal.verified()
    }

    /// What was acknowledged, where the anchor says so.
    #[must_use]
    pub const fn anchored(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// Everything that is wrong, or was left by a kill.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Findings beyond those that are kept (10,000).
    #[must_use]
    pub fn findings_more(&self) -> u64 {
        self.journal.findings_more()
    }

    /// True where one of the findings is damage.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.findings.iter().any(|finding| finding.kind.is_damage())
    }

    /// The journal: what walks over a [`Journal`] walks over this one.
    #[must_use]
    pub const fn journal(&self) -> &ReadOnlyJournal {
        &self.journal
    }

    /// The pseudonym that this ledger's records have of the subject with this id. Reads the key of subjects, which nothing else
    /// here needs.
    ///
    /// # Errors
    /// [`OpenError::SubjectKey`] where it is missing, damaged or of another ledger, and those of the operating system.
    pub fn subject_id(&self, id: &str) -> Result<SubjectId, OpenError> {
        let path = self.path().join(SUBJECTS);
        let ledger = self.id().ok_or_else(|| OpenError::SubjectKey {
            path: path.clone(),
            problem: "nothing says which ledger this is".to_owned(),
        })?;
        Ok(SubjectKey::read(&path, ledger)?.pseudonym(id))
    }

    /// The record at `seq`, checked; `None` beyond the head.
    ///
    /// # Errors
    /// `Damaged` names the record, also where it is missing.
    pub fn get(&self, seq: Seq) -> Result<Option<Record>, ReadError> {
        let frame = self.journal.frame_at(seq)?;
        let record = frame.map(|frame| frame.record(seq)).transpose();
        record.map_err(ReadError::from)
    }

    /// The records from `from` to the head, in order, each checked. What is damaged or missing is an
    /// error in its place — one for a whole gap —, and the next record follows.
    pub fn range(&self, from: Seq) -> impl Iterator<Item = Result<Record, ReadError>> + use<> {
        let mut next = from.get();
        let frames = self.journal.all_frames(from);
        frames.flat_map(move |frame| records(frame, from, &mut next))
    }

    /// The frames from the one that holds `from` to the head; over gaps in silence.
    pub fn frames(&self, from: Seq) -> impl Iterator<Item = Result<Frame, ReadError>> + use<> {
        let frames = self.journal.all_frames(from);
        frames.map(|frame| frame.map_err(ReadError::from))
    }

    /// One execution's trace. Reads all of the journal; with [`ReadOnly::views`] it would be found.
    ///
    /// # Errors
    /// `Undecodable` names the record.
    pub fn reconstruct(&self, execution: ExecutionId) -> Result<PartialTrace, ReadError> {
        let (mut found, mut complete) = (Vec::new(), true);
        for record in self.range(Seq::FIRST) {
            match record {
                Ok(record) if record.header.execution == execution => found.push(record),
                Ok(_) => {}
                Err(ReadError::Damaged { .. }) => complete = false,
                Err(error) => return Err(error),
            }
        }
        complete &= self.claim.is_none_or(|claim| claim.seq <= self.head().seq);
        let trace = reconstruct(execution, &found)?;
        Ok(PartialTrace { trace, complete })
    }

    /// The checkpoints that its records tell of, in order. Their signatures are not checked here, but by
    /// [`ReadOnly::signed_checkpoints`].
    ///
    /// # Errors
    /// The medium does not answer.
    pub fn checkpoints(&self) -> Result<Vec<RecordedCheckpoint>, ReadError> {
        let mut found = Vec::new();
        for record in self.range(Seq::FIRST) {
            let record = match record {
                Ok(record) if record.header.event_type == EventType::CheckpointSigned => record,
                Ok(_) | Err(ReadError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let Ok(Event::CheckpointSigned(signed)) = record.event() else {
                continue;
            };
            let note = Note::parse(&signed.note).ok();
            let checkpoint = note.map(|note| (Checkpoint::parse(note.text()), note));
            if let Some((Ok(checkpoint), note)) = checkpoint {
                let seq = record.header.seq.get();
                found.push(RecordedCheckpoint {
                    seq,
                    checkpoint,
                    note,
                });
            }
        }
        Ok(found)
    }

    /// As [`Root::export`](crate::Root::export), of the records that `checkpoint` covers: one of
    /// [`ReadOnly::checkpoints`], or a copy from elsewhere. Its signatures are not checked here, and
    /// are by whoever checks the export.
    ///
    /// # Errors
    /// `Export`, also where `path` exists; `Rewritten` where the records are not those of the
    /// checkpoint.
    pub fn export(&self, checkpoint: &Note, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        let own = Checkpoint::parse(checkpoint.text());
        let own = own.map_err(|error| CheckpointError::Export(Cause::of(error)))?;
        let records = self.range(Seq::FIRST);
        export::write_new(records, &own, checkpoint, path.as_ref())
    }
}

/// A frame's records from `from` on, behind what is missing before it.
fn records(
    frame: Result<Frame, ReadFailure>,
    from: Seq,
    next: &mut u64,
) -> Vec<Result<Record, ReadError>> {
    let frame = match frame {
        Ok(frame) => frame,
        Err(failure) => return vec![Err(failure.into())],
    };
    let missing = Seq::new(*next).filter(|next| *next < frame.first);
    let missing = missing.map(|seq| {
        let problem = FrameProblem::Missing;
        Err(ReadFailure::Damaged { seq, problem }.into())
    });
    *next = frame.last.next_seq().get();
    let records = frame.records_from(from);
    let records = records.map(|record| record.map_err(ReadError::from));
    missing.into_iter().chain(records).collect()
}

fn claim(
    directory: &SharedDirectory,
    known: Option<LedgerId>,
    findings: &mut Vec<Finding>,
) -> Result<Option<Claim>, OpenError> {
    let path = directory.anchor();
    match Anchor::peek(&path) {
        Ok(AnchorContents { claim, slot_lost }) => {
            if slot_lost {
                let problem = "one of its two slots is not whole";
                findings.push(Finding::new(FindingKind::AnchorSlot, problem).of(&path));
            }
            let foreign = known.filter(|known| *known != claim.ledger);
            if foreign.is_some() {
                let problem = format!("it is of ledger {}", claim.ledger);
                findings.push(Finding::new(FindingKind::Anchor, problem).of(&path));
            }
            Ok(foreign.is_none().then_some(claim))
        }
        Err(OpenError::Anchor { problem, .. }) => {
            findings.push(Finding::new(FindingKind::Anchor, problem).of(&path));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What the next opening would take care of.
fn leftovers(path: &Path, findings: &mut Vec<Finding>) -> Result<(), OpenError> {
    let entries = std::fs::read_dir(path).map_err(|error| OpenError::io(path, error))?;
    let names: BTreeSet<_> = entries.flatten().map(|entry| entry.path()).collect();
    for path in names {
        if path.extension().is_some_and(|it| it == "creating") {
            let finding = Finding::new(FindingKind::Unfinished, "it was never finished");
            findings.push(finding.of(&path));
        } else if path
            .file_name()
            .is_some_and(|it| it == crate::ledger::recover::failure_note::NOTE)
        {
            let finding = Finding::new(FindingKind::FailureNote, "an earlier writer failed");
            findings.push(finding.of(&path));
        }
    }
    Ok(())
}
