// SPDX-License-Identifier: Apache-2.0
//! Frames out of stretches of files: every one that is whole, wherever it lies.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::finding::{Finding, FindingKind, JournalFindings};
use crate::database::files;
use crate::database::offline_reader::{self, BytesPlace};
use crate::error::Fault;
use crate::events::{Hash, LedgerId, Seq};
use crate::integrity::GENESIS;
use crate::journal::error::ReadFailure;
use crate::journal::layout::{FRAME_BYTES_MAX, FRAME_HEADER_LEN, FrameHeader, MAGIC};
use crate::journal::{Claim, EpochStretch, Frame};

/// Read at a time when looking for the beginning of a frame.
const STEP: usize = 256 << 10;
/// Between a frame and the next are at most so many bytes of the engine's, in a table and in the log. What
/// somebody wrote into a record lies further behind any beginning of a frame.
const NEAR: u64 = 96;

/// Where a frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(super) file: u32,
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// A frame that was found, in few bytes: there may be many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) first: u64,
    pub(super) last: u64,
    /// What it follows and what it ends in, shortened: what is read later is compared in full.
    pub(super) previous: u64,
    pub(super) hash: u64,
    pub(super) epoch: u64,
    pub(super) spot: Spot,
    pub(super) place: BytesPlace,
    /// Every record in it verifies.
    pub(super) whole: bool,
    /// The first record in it that closed the ledger.
    pub(super) close: Option<u64>,
}

/// Enough of a hash to tell frames apart.
pub(super) fn short(hash: &Hash) -> u64 {
    hash.first_chunk::<8>()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Before the first record.
pub(super) fn genesis() -> u64 {
    short(&GENESIS)
}

pub(super) fn anchored(claim: &Claim) -> (u64, u64) {
    (claim.count(), short(&claim.hash))
}

/// Takes frames out of stretches.
pub(super) struct FrameGather {
    pub(super) ledger: Option<LedgerId>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) findings: JournalFindings,
    open: Option<(u32, File)>,
    /// The first refusal of the system.
    pub(super) refused: Option<(PathBuf, io::Error)>,
    /// Up to where every byte of a file is accounted for, whatever is damaged behind.
    certain: (u32, u64),
}

impl FrameGather {
    pub(super) fn new(ledger: Option<LedgerId>) -> Self {
        Self {
            ledger,
            candidates: Vec::new(),
            findings: JournalFindings::default(),
            open: None,
            refused: None,
            certain: (0, 0),
        }
    }

    pub(super) fn stretch(&mut self, path: &Path, stretch: offline_reader::FileStretch) {
        let read = match self.open.take() {
            Some((number, file)) if number == stretch.file => Ok(file),
            _ => files::open(path),
        };
        let read = read.and_then(|file| {
            let read = self.frames(path, &file, stretch);
            self.open = Some((stretch.file, file));
            read
        });
        if let Err(error) = read {
            let kind = match Fault::of(&error) {
                Fault::Bytes => FindingKind::Frame,
                Fault::System | Fault::Unknown => FindingKind::Unreadable,
            };
            let finding = Finding::new(kind, error.to_string());
            self.findings.add(finding.of(path).at(stretch.start));
            if Fault::of(&error) == Fault::System {
                self.refused.get_or_insert_with(|| (path.to_owned(), error));
            }
        }
    }

    fn frames(
        &mut self,
        path: &Path,
        file: &File,
        stretch: offline_reader::FileStretch,
    ) -> io::Result<()> {
        if self.certain.0 != stretch.file {
            self.certain = (stretch.file, 0);
        }
        let mut at = stretch.start;
        while let Some(found) = next(file, at, stretch.end)? {
            at = match self.frame(path, file, found, stretch)? {
                Some(end) => end,
                // Not a frame's beginning: the search goes on behind it.
                None => found + MAGIC.len() as u64,
            };
        }
        if stretch.place == BytesPlace::Right {
            self.certain.1 = self.certain.1.max(stretch.end);
        }
        Ok(())
    }

    /// The frame at `at`; gives its end.
    fn frame(
        &mut self,
        path: &Path,
        file: &File,
        at: u64,
        stretch: offline_reader::FileStretch,
    ) -> io::Result<Option<u64>> {
        let left = stretch.end - at;
        let mut header = [0; FRAME_HEADER_LEN];
        if left < FRAME_HEADER_LEN as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut header, at)?;
        let length = FrameHeader::stated_len(&header);
        let length = length.filter(|length| *length <= FRAME_BYTES_MAX && *length as u64 <= left);
        let Some(length) = length else {
            if stretch.place == BytesPlace::Right {
                let finding = Finding::new(FindingKind::Frame, "a frame's header is not whole");
                self.findings.add(finding.of(path).at(at));
            }
            return Ok(None);
        };
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at)?;
        let told = |problem: String| Finding::new(FindingKind::Frame, problem).of(path).at(at);
        let frame = match Frame::decode(&bytes) {
            Ok(frame) => frame,
            Err(problem) => {
                self.findings.add(told(problem.to_string()));
                return Ok(Some(at + length as u64));
            }
        };
        if *self.ledger.get_or_insert(frame.ledger) != frame.ledger {
            let problem = format!("a frame of ledger {}", frame.ledger);
            let finding = Finding::new(FindingKind::ForeignLedger, problem);
            self.findings.add(finding.of(path).at(at));
            return Ok(Some(at + length as u64));
        }
        if let Err(failure) = self.found(&frame, at, length, stretch) {
            let bad = match &failure {
                ReadFailure::Damaged { seq, .. } => seq.get(),
                _ => frame.first.get(),
            };
            self.findings
                .add(told(failure.to_string()).records(bad, bad));
        }
        Ok(Some(at + length as u64))
    }

    fn found(
        &mut self,
        frame: &Frame,
        at: u64,
        length: usize,
        stretch: offline_reader::FileStretch,
    ) -> Result<(), ReadFailure> {
        let verified = frame.verify();
        let close = verified.as_ref().ok().and(EpochStretch::of(frame).close);
        let mut place = stretch.place;
        // Reached from what is certain without a look into any record: it is where the engine put it.
        let is_near = at
            .checked_sub(self.certain.1)
            .is_some_and(|far| far <= NEAR);
        if verified.is_ok() && place == BytesPlace::Found && is_near {
            place = BytesPlace::Right;
            self.certain.1 = at + length as u64;
        }
        self.candidates.push(Candidate {
            first: frame.first.get(),
            last: frame.last_seq().get(),
            previous: short(&frame.previous),
            hash: short(&frame.last.hash),
            epoch: frame.epoch,
            spot: Spot {
                file: stretch.file,
                offset: at,
                length: u32::try_from(length).unwrap_or(u32::MAX),
            },
            place,
            whole: verified.is_ok(),
            close: close.map(Seq::get),
        });
        verified
    }
}

/// Where the next frame may begin.
fn next(file: &File, mut at: u64, end: u64) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; STEP.min(usize::try_from(end.saturating_sub(at)).unwrap_or(STEP))];
    while at + MAGIC.len() as u64 <= end {
        let size = usize::try_from(end - at).unwrap_or(STEP).min(STEP);
        let part = buffer.get_mut(..size).unwrap_or_default();
        file.read_exact_at(part, at)?;
        if let Some(found) = part.windows(MAGIC.len()).position(|eight| *eight == MAGIC) {
            return Ok(Some(at + found as u64));
        }
        // It may lie across the end of what was read.
        at += (size + 1 - MAGIC.len()) as u64;
    }
    Ok(None)
}
