// SPDX-License-Identifier: Apache-2.0
//! The anchor: a small file beside the journal that says how far it was acknowledged, so that a
//! journal whose end is gone is not taken for a shorter history. `docs/FORMAT.md` draws it.
//!
//! Invariants: it claims only what is durable in the journal; its two slots are written in turn,
//! so that one is whole at any time; it is never written over a claim that was not checked.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::ReadFailure;
use super::{Head, Journal};
use crate::database::{self, files};
use crate::error::OpenError;
use crate::events::{Hash, LedgerId, Seq};
use crate::integrity;
use crate::parse::take;

/// Length in bytes of one slot: a block of the medium, so that writing one cannot tear the other.
///
/// Example: `tests/anchor.rs`.
pub const ANCHOR_SLOT_LEN: usize = 4096;
const SLOTS: u64 = 2;
const MAGIC: [u8; 8] = *b"FCLANCHR";
const VERSION: u16 = 1;
const CHECKSUM_AT: usize = ANCHOR_SLOT_LEN - 32;

/// What one slot claims.
///
/// Example: [`Anchor`](crate::journal::Anchor).
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Claim {
    /// Whose journal it is.
    pub ledger: LedgerId,
    /// Rises with every claim written.
    pub generation: u64,
    /// The last record that was durable; `None`: there was none yet.
    pub seq: Option<Seq>,
    /// Its record hash.
    #[serde(serialize_with = "crate::events::readable::hex::serialize")]
    pub hash: Hash,
    /// Frames up to it.
    pub frames: u64,
}

crate::events::readable::debug_as_read!(Claim);

impl Claim {
    /// How many records were durable.
    #[must_use]
    pub const fn count(&self) -> u64 {
        match self.seq {
            Some(seq) => seq.get(),
            None => 0,
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut slot = Vec::with_capacity(ANCHOR_SLOT_LEN);
        slot.extend_from_slice(&MAGIC);
        slot.extend_from_slice(&VERSION.to_le_bytes());
        slot.extend_from_slice(&[0; 6]);
        slot.extend_from_slice(self.ledger.as_bytes());
        slot.extend_from_slice(&self.generation.to_le_bytes());
        slot.extend_from_slice(&self.count().to_le_bytes());
        slot.extend_from_slice(&self.frames.to_le_bytes());
        slot.extend_from_slice(&self.hash);
        slot.resize(CHECKSUM_AT, 0);
        let checksum = integrity::digest(&slot);
        slot.extend_from_slice(&checksum);
        slot
    }

    /// The claim of a slot; `None` where it is not whole.
    fn decode(slot: &[u8]) -> Option<Self> {
        let mut rest = slot.strip_prefix(&MAGIC)?;
        take::<8>(&mut rest)?;
        let ledger = LedgerId::from_bytes(take(&mut rest)?);
        let mut number = || take(&mut rest).map(u64::from_le_bytes);
        let (generation, seq, frames) = (number()?, number()?, number()?);
        let hash = take(&mut rest)?;
        let claim = Self {
            ledger,
            generation,
            seq: Seq::new(seq),
            hash,
            frames,
        };
        // Every byte is compared: the zeros, version and checksum too.
        (claim.encode() == slot).then_some(claim)
    }
}

/// The seam below an anchor: where its two slots are read from and written to. A [`File`] is one. All
/// calls block.
///
/// Example: `tests/shared/held.rs`.
pub trait AnchorFile: Send + 'static {
    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// As the operating system says; [`io::ErrorKind::UnexpectedEof`] where the file is shorter.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes `bytes` at `offset`; returns when they are durable.
    ///
    /// # Errors
    /// As the operating system says; any part of them may have been written then.
    fn write_durably_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
}

impl AnchorFile for File {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }

    fn write_durably_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)?;
        self.sync_data()
    }
}

/// The contents of an anchor.
///
/// Example: [`Anchor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnchorContents {
    /// The newest claim.
    pub claim: Claim,
    /// True where one slot is not whole: a write was cut short, or the newest claim is gone.
    pub slot_lost: bool,
}

/// The file.
///
/// ```
/// use femtoclaw_ledger::events::LedgerId;
/// use femtoclaw_ledger::journal::{Anchor, AnchorContents, Head, MemoryJournal};
/// # let directory = tempfile::tempdir()?;
/// # let journal = directory.path().join("journal");
/// let path = Anchor::beside(&journal);
/// let ledger = LedgerId::from_bytes([7; 16]);
/// Anchor::create(&path, ledger, &Head::default(), 0)?;
///
/// let anchor = Anchor::open(&path)?;
/// anchor.check(&MemoryJournal::new())?; // holds all that is claimed
/// let AnchorContents { claim, slot_lost } = Anchor::peek(&path)?;
/// assert_eq!((claim.ledger, claim.count(), slot_lost), (ledger, 0, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Anchor {
    path: PathBuf,
    file: Box<dyn AnchorFile>,
    claim: Claim,
    slot_lost: bool,
}

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Anchor");
        shown.field("path", &self.path).field("claim", &self.claim);
        shown.field("slot_lost", &self.slot_lost);
        shown.finish_non_exhaustive()
    }
}

impl Anchor {
    /// Where it lies beside a journal.
    #[must_use]
    pub fn beside(journal: &Path) -> PathBuf {
        journal.with_file_name("ANCHOR")
    }

    /// Makes the anchor of a ledger whose journal has come to `head` in so many frames. Replaces
    /// what is there as a whole.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub fn create(
        path: &Path,
        ledger: LedgerId,
        head: &Head,
        frames: u64,
    ) -> Result<(), OpenError> {
        let mut claim = Claim {
            ledger,
            generation: 0,
            seq: head.seq,
            hash: head.hash,
            frames,
        };
        let mut bytes = claim.encode();
        claim.generation = 1;
        bytes.extend_from_slice(&claim.encode());
        database::replace(path, &bytes).map_err(|error| OpenError::io(path, error))
    }

    /// Reads what is claimed; changes nothing.
    ///
    /// # Errors
    /// [`OpenError::Anchor`] where it is missing or neither slot is whole.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_on(path, found(path, files::open_to_write(path))?)
    }

    /// As [`Anchor::open`], over what somebody else opened; errors name it by `path`.
    ///
    /// # Errors
    /// As [`Anchor::open`].
    pub fn open_on(path: &Path, file: impl AnchorFile) -> Result<Self, OpenError> {
        let AnchorContents { claim, slot_lost } = contents(path, &file)?;
        Ok(Self {
            path: path.to_owned(),
            file: Box::new(file),
            claim,
            slot_lost,
        })
    }

    /// As [`Anchor::open`], of a file that nobody may write to.
    ///
    /// # Errors
    /// As [`Anchor::open`].
    pub fn peek(path: &Path) -> Result<AnchorContents, OpenError> {
        let file = found(path, files::open(path))?;
        contents(path, &file)
    }

    /// The newest claim.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// True where one slot is not whole: a write was cut short, or the newest claim is gone.
    #[must_use]
    pub const fn slot_lost(&self) -> bool {
        self.slot_lost
    }

    /// The file itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a recovered history holds what was acknowledged.
    ///
    /// # Errors
    /// [`OpenError::AcknowledgedRecordsMissing`] where it ends before, or has another record in
    /// that place; [`OpenError::Anchor`] where it is another ledger's.
    pub fn check(&self, journal: &dyn Journal) -> Result<(), OpenError> {
        let unreadable = |failure: ReadFailure| OpenError::journal(failure);
        let Claim {
            ledger, seq, hash, ..
        } = self.claim;
        self.check_ledger(journal.ledger().map_err(unreadable)?.unwrap_or(ledger))?;
        let Some(place) = seq else {
            return Ok(());
        };
        let missing = |recovered| OpenError::AcknowledgedRecordsMissing {
            anchored: place,
            recovered,
        };
        let head = journal.head().map_err(unreadable)?;
        if !head.contains(place) {
            return Err(missing(head.seq));
        }
        let frame = journal.frame_at(place).map_err(unreadable)?;
        let record = frame.map(|frame| frame.record(place)).transpose();
        match record.map_err(unreadable)? {
            Some(record) if record.hash == hash => Ok(()),
            _ => Err(missing(seq)),
        }
    }

    /// Whether it is this ledger's.
    ///
    /// # Errors
    /// [`OpenError::Anchor`].
    pub fn check_ledger(&self, ledger: LedgerId) -> Result<(), OpenError> {
        if self.claim.ledger == ledger {
            return Ok(());
        }
        Err(OpenError::Anchor {
            path: self.path.clone(),
            problem: format!("it is of ledger {}", self.claim.ledger),
        })
    }

    /// The slot that the next claim goes to.
    pub(super) const fn next_slot(&self) -> usize {
        ((self.claim.generation + 1) % SLOTS) as usize
    }

    /// Claims that `head` is durable; returns when the claim is.
    ///
    /// # Errors
    /// As the operating system says; whether the claim is there is not known then.
    pub fn write(&mut self, head: &Head, frames: u64) -> io::Result<()> {
        let claim = Claim {
            generation: self.claim.generation + 1,
            seq: head.seq,
            hash: head.hash,
            frames,
            ..self.claim
        };
        let place = (self.next_slot() * ANCHOR_SLOT_LEN) as u64;
        let slot = claim.encode();
        self.file.write_durably_at(&slot, place)?;
        self.claim = claim;
        Ok(())
    }
}

fn unusable(path: &Path, problem: &str) -> OpenError {
    OpenError::Anchor {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}

fn found(path: &Path, opened: io::Result<File>) -> Result<File, OpenError> {
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => unusable(path, "it is missing"),
        _ if files::is_odd(&error) => unusable(path, &error.to_string()),
        _ => OpenError::io(path, error),
    })
}

fn contents(path: &Path, file: &dyn AnchorFile) -> Result<AnchorContents, OpenError> {
    let (mut claims, mut slot_lost) = (Vec::new(), false);
    for slot in 0..SLOTS {
        let claim = read_slot(file, slot).map_err(|error| OpenError::io(path, error))?;
        // Each has its own place: a slot in the other's was not written by this software.
        let claim = claim.filter(|claim| claim.generation % SLOTS == slot);
        slot_lost |= claim.is_none();
        claims.extend(claim);
    }
    let newest = claims.into_iter().max_by_key(|claim| claim.generation);
    let claim = newest.ok_or_else(|| unusable(path, "neither of its slots is whole"))?;
    Ok(AnchorContents { claim, slot_lost })
}

/// What each of the two slots of the anchor in `path` claims; `None` for one that is not whole.
/// Changes nothing, and may meet one that is being written.
pub(crate) fn slots(path: &Path) -> io::Result<Vec<Option<Claim>>> {
    let file = files::open(path)?;
    let claim = |slot| {
        let claim = read_slot(&file, slot)?;
        Ok(claim.filter(|claim| claim.generation % SLOTS == slot))
    };
    (0..SLOTS).map(claim).collect()
}

fn read_slot(file: &dyn AnchorFile, slot: u64) -> io::Result<Option<Claim>> {
    let mut bytes = [0; ANCHOR_SLOT_LEN];
    match file.read_exact_at(&mut bytes, slot * ANCHOR_SLOT_LEN as u64) {
        Ok(()) => Ok(Claim::decode(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
