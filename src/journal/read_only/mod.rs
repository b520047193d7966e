// SPDX-License-Identifier: Apache-2.0
//! A closed journal read without the engine and without changing a byte: whatever verifies in it, also
//! where it is damaged.
//!
//! Everything is read once and verified at opening; what is kept in memory is where each frame lies,
//! some 70 bytes a frame, of which none has less than 488 bytes. Later reads check what they read
//! again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::append_rules::JournalStanding;
use super::chained_frames::ChainedFrames;
use super::error::{AppendFailure, FrameProblem, ReadFailure};
use super::{Claim, Frame, Frames, Head, Journal};
use crate::database::files;
use crate::database::offline_reader::survey;
use crate::error::{Cause, OpenError};
use crate::events::{LedgerId, Seq};
use crate::locks::whole;

mod chain;
mod finding;
mod gather;
#[cfg(test)]
mod tests;

pub use chain::JournalStop;
pub use finding::{Finding, FindingKind};
use gather::{Candidate, FrameGather, Spot};

/// By the engine's number.
const FRAMES_KEYSPACE: u64 = 1;

/// A frame that is not part of the history, and where it lies.
#[derive(Debug, Clone)]
pub(crate) struct Aside {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Every record in it verifies.
    pub(crate) whole: bool,
    pub(crate) path: PathBuf,
    pub(crate) offset: u64,
    spot: Spot,
}

#[derive(Debug)]
struct ReadOnlyInner {
    files: Vec<PathBuf>,
    frames: Vec<Candidate>,
    aside: Vec<Candidate>,
    findings: Vec<Finding>,
    findings_more: u64,
    standing: JournalStanding,
    verified: Head,
    verified_frames: u64,
    stop: Option<JournalStop>,
    epoch_max: u64,
    claim: Option<Claim>,
    log: (u64, u64),
    /// The file that was read last.
    /// Lock: readers, for as long as one opening of a file takes; nothing is read
    /// under it.
    open: Mutex<Option<(u32, Arc<File>)>>,
}

/// A journal that can be read and nothing else. A clone is the same.
#[derive(Debug, Clone)]
pub struct ReadOnlyJournal(Arc<ReadOnlyInner>);

impl ReadOnlyJournal {
    /// Reads the journal in the directory `path`, of which `ledger` is the ledger where that is known,
    /// and `claim` what was acknowledged. Reads all of it, and writes nothing anywhere. Nobody must be
    /// writing there: hold a lock.
    ///
    /// # Errors
    /// [`OpenError::Refused`] where the system did not let something be read: then nothing that is not
    /// found is known to be missing. A read that the medium does not answer is a finding.
    pub fn open(
        path: &Path,
        ledger: Option<LedgerId>,
        claim: Option<&Claim>,
    ) -> Result<Self, OpenError> {
        let mut gather = FrameGather::new(ledger);
        let survey = survey(path, FRAMES_KEYSPACE, &mut |path, stretch| {
            gather.stretch(path, stretch);
        });
        let FrameGather {
            ledger,
            mut candidates,
            findings: found,
            refused,
            ..
        } = gather;
        if let Some((path, error)) = survey.refused.or(refused) {
            return Err(OpenError::io(&path, error));
        }
        let mut findings = finding::JournalFindings::default();
        survey
            .troubles
            .into_iter()
            .map(Finding::from)
            .chain(found.kept)
            .for_each(|finding| findings.add(finding));
        findings.more += found.more;
        candidates.sort_by_key(|candidate| candidate.first);
        let anchor = claim.map(gather::anchored).filter(|(seq, _)| *seq > 0);
        let selection = chain::select(&candidates, anchor, &mut findings);
        let epoch_max = candidates.iter().map(|candidate| candidate.epoch).max();
        let mut inner = ReadOnlyInner {
            files: survey.files,
            verified_frames: selection.verified as u64,
            frames: selection.shown,
            aside: selection.aside,
            findings: findings.kept,
            findings_more: findings.more,
            standing: JournalStanding::default(),
            verified: Head::default(),
            stop: selection.stop,
            epoch_max: epoch_max.unwrap_or(0),
            claim: claim.copied(),
            log: (survey.log_files, survey.log_batches),
            open: Mutex::new(None),
        };
        let head = |at: Option<usize>| match at.and_then(|at| inner.frames.get(at)) {
            Some(candidate) => match inner.read(candidate) {
                Err(failure @ ReadFailure::Io { .. }) => Err(OpenError::journal(failure)),
                frame => Ok(frame.map_or(Head::default(), |frame| frame.last)),
            },
            None => Ok(Head::default()),
        };
        let verified = head(selection.verified.checked_sub(1))?;
        let last = head(inner.frames.len().checked_sub(1))?;
        inner.verified = verified;
        inner.standing = JournalStanding { head: last, ledger };
        inner.compare_with_anchor();
        inner.excuse();
        Ok(Self(Arc::new(inner)))
    }

    /// What is wrong with it, in the order in which it was found.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0.findings
    }

    /// Findings beyond those that are kept.
    #[must_use]
    pub fn findings_more(&self) -> u64 {
        self.0.findings_more
    }

    /// The last record of the history from record 1 on that verifies without a gap. The head
    /// ([`Journal::head`]) is the last record that can be shown.
    #[must_use]
    pub fn verified(&self) -> Head {
        self.0.verified
    }

    /// The number of the last record that can be shown: what a journal that was cut still has.
    pub(crate) fn end(&self) -> Option<Seq> {
        self.0.standing.head.seq
    }

    /// Frames up to there.
    #[must_use]
    pub fn verified_frames(&self) -> u64 {
        self.0.verified_frames
    }

    /// Where that history stops; `None` where nothing is known to have come after.
    #[must_use]
    pub fn stop(&self) -> Option<&JournalStop> {
        self.0.stop.as_ref()
    }

    /// Files and whole batches of the write-ahead log.
    pub(crate) fn log(&self) -> (u64, u64) {
        self.0.log
    }

    /// The highest epoch of any frame that was found.
    pub(crate) fn epoch_max(&self) -> u64 {
        self.0.epoch_max
    }

    /// The last record that any frame which was found holds, or the anchor claims.
    pub(crate) fn known_to(&self) -> u64 {
        let ends = self.0.frames.iter().chain(&self.0.aside);
        let found = ends.map(|candidate| candidate.last).max().unwrap_or(0);
        found.max(self.0.claim.map_or(0, |claim| claim.count()))
    }

    /// The history from record 1 on, as far as it verifies.
    pub(crate) fn verified_history(
        &self,
    ) -> impl Iterator<Item = Result<Frame, ReadFailure>> + use<> {
        let count = usize::try_from(self.0.verified_frames).unwrap_or(usize::MAX);
        self.frames(Seq::FIRST).take(count)
    }

    /// Every frame that is not part of that history.
    pub(crate) fn aside(&self) -> impl Iterator<Item = Aside> + '_ {
        let path = |spot: &Spot| self.0.files.get(spot.file as usize).cloned();
        self.0.aside.iter().map(move |candidate| Aside {
            first: candidate.first,
            last: candidate.last,
            whole: candidate.whole,
            path: path(&candidate.spot).unwrap_or_default(),
            offset: candidate.spot.offset,
            spot: candidate.spot,
        })
    }

    /// The bytes of such a frame.
    pub(crate) fn aside_bytes(&self, aside: &Aside) -> io::Result<Vec<u8>> {
        self.0.bytes(&aside.spot)
    }

    /// Frame by frame, from the one that holds `from` or follows it, over every gap; what cannot be
    /// read is told, and the next one follows.
    pub fn all_frames(
        &self,
        from: Seq,
    ) -> impl Iterator<Item = Result<Frame, ReadFailure>> + Send + use<> {
        let inner = Arc::clone(&self.0);
        let start = inner.frames.partition_point(|it| it.last < from.get());
        (start..inner.frames.len()).filter_map(move |at| Some(inner.read(inner.frames.get(at)?)))
    }
}

impl ReadOnlyInner {
    fn file(&self, number: u32) -> io::Result<Arc<File>> {
        let mut open = whole(self.open.lock());
        match &*open {
            Some((known, file)) if *known == number => Ok(Arc::clone(file)),
            _ => {
                let path = self.files.get(number as usize);
                let path = path.ok_or(io::ErrorKind::NotFound)?;
                let file = Arc::new(files::open(path)?);
                *open = Some((number, Arc::clone(&file)));
                Ok(file)
            }
        }
    }

    fn bytes(&self, spot: &Spot) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; spot.length as usize];
        self.file(spot.file)?
            .read_exact_at(&mut bytes, spot.offset)?;
        Ok(bytes)
    }

    fn read(&self, candidate: &Candidate) -> Result<Frame, ReadFailure> {
        let first = Seq::new(candidate.first).unwrap_or(Seq::FIRST);
        let bytes = self
            .bytes(&candidate.spot)
            .map_err(|error| ReadFailure::Io {
                cause: Cause::of(error),
            })?;
        let damaged = |problem| ReadFailure::damaged(first, problem);
        let frame = Frame::decode(&bytes).map_err(damaged)?;
        let same = (frame.first.get(), frame.last_seq().get()) == (candidate.first, candidate.last);
        match same && gather::short(&frame.last.hash) == candidate.hash {
            true => Ok(frame),
            // It was there when the journal was opened.
            false => Err(damaged(FrameProblem::Missing)),
        }
    }

    /// A missing frame is not known to be missing where something could not be read.
    fn excuse(&mut self) {
        let unread = |finding: &Finding| finding.kind == FindingKind::Unreadable;
        if !self.findings.iter().any(unread) {
            return;
        }
        let missing = [
            FindingKind::RecordsMissing,
            FindingKind::AcknowledgedMissing,
        ];
        for finding in &mut self.findings {
            if missing.contains(&finding.kind) {
                finding.kind = FindingKind::Unreadable;
                finding
                    .problem
                    .push_str("; they may be where nothing could be read");
            }
        }
    }

    fn compare_with_anchor(&mut self) {
        let Some(claim) = self.claim else { return };
        let Some(claimed) = claim.seq else { return };
        let (seq, head) = (claimed.get(), self.standing.head);
        if !head.contains(claimed) {
            let problem = match head.seq {
                Some(last) => format!("the anchor claims record {seq}, and the last one is {last}"),
                None => format!("the anchor claims record {seq}, and there are no records"),
            };
            let finding = Finding::new(FindingKind::AcknowledgedMissing, problem);
            self.findings.push(finding.records(head.count() + 1, seq));
            return;
        }
        let at = self.frames.partition_point(|frame| frame.last < seq);
        let there = self
            .frames
            .get(at)
            .filter(|frame| frame.first <= seq && frame.whole);
        let Some(there) = there else { return };
        let record = self.read(there).and_then(|frame| frame.record(claimed));
        if let Ok(record) = record
            && record.hash != claim.hash
        {
            let problem = "it is another record than the one that was acknowledged";
            let finding = Finding::new(FindingKind::OtherHistory, problem);
            self.findings.push(finding.records(seq, seq));
        }
    }
}

impl Journal for ReadOnlyJournal {
    fn append(&self, _: &Frame, _: &Head) -> Result<(), AppendFailure> {
        Err(AppendFailure::Unavailable {
            cause: "the journal was opened for reading only".into(),
        })
    }

    fn head(&self) -> Result<Head, ReadFailure> {
        Ok(self.0.standing.head)
    }

    fn ledger(&self) -> Result<Option<LedgerId>, ReadFailure> {
        Ok(self.0.standing.ledger)
    }

    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        if !self.0.standing.head.contains(seq) {
            return Ok(None);
        }
        let frames = &self.0.frames;
        let at = frames.partition_point(|frame| frame.last < seq.get());
        match frames.get(at).filter(|frame| frame.first <= seq.get()) {
            Some(candidate) => self.0.read(candidate).map(Some),
            None => Err(ReadFailure::damaged(seq, FrameProblem::Missing)),
        }
    }

    fn frames(&self, from: Seq) -> Frames {
        ChainedFrames::boxed(self.all_frames(from), from, self.0.standing)
    }

    fn close(&self) {
        drop(whole(self.0.open.lock()).take());
    }

    fn size_bytes(&self) -> u64 {
        let length = |path: &PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
        self.0.files.iter().map(length).sum()
    }
}
