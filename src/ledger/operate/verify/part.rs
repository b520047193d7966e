// SPDX-License-Identifier: Apache-2.0
//! One part of the journal: the frames that begin in it, each looked at as a whole, also behind one
//! that cannot be read.

use crate::events::{Content, Event, Hash, LedgerId, Record, RecordHeader, SALT_LEN, Seq};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::merkle::{Subtree, TreeHash, leaf_hashes};
use crate::integrity::note::Note;
use crate::journal::{EpochStretch, Frame, FrameProblem, Head, Journal, Looked, ReadFailure};

use super::progress::{ProgressTracker, stopped};
use super::subject::Subject;

/// Leaves folded into one run.
const RUN_LEAVES: u64 = 4_096;
/// Between two reports of progress.
const REPORT_BYTES: u64 = 1 << 20;

/// A checkpoint that a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) seq: Seq,
    pub(super) size: u64,
    pub(super) root: TreeHash,
}

/// What a part of the journal held.
#[derive(Debug, Default)]
pub(super) struct JournalPart {
    /// What its first frame says of what comes before; `None` where nothing begins in it, or its
    /// first frame cannot be read.
    pub(super) begins: Option<Begins>,
    /// The end of its last frame; `None` where that cannot be read.
    pub(super) ends: Option<Head>,
    /// Index of the first leaf.
    first: Option<u64>,
    /// Leaves in order, and folded; incomplete where a record is damaged.
    pub(super) leaves: Vec<TreeHash>,
    pub(super) runs: Vec<Subtree>,
    /// False where a record is missing in `leaves`.
    pub(super) whole: bool,
    pub(super) signed: Vec<Signed>,
    pub(super) damages: Vec<(Seq, String)>,
    /// Records that could not be read, and why.
    pub(super) unread: Vec<(Seq, String)>,
    pub(super) frames: u64,
    /// What it says of closes.
    pub(super) closes: Vec<EpochStretch>,
}

/// Where a part begins.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) struct Begins {
    pub(super) seq: Seq,
    previous: Hash,
    time_ns: i64,
    epoch: u64,
}

impl Begins {
    pub(in crate::ledger) const fn of(frame: &Frame) -> Self {
        Self {
            seq: frame.first,
            previous: frame.previous,
            time_ns: frame.first_time_ns,
            epoch: frame.epoch,
        }
    }

    /// What is wrong with beginning so after this record.
    pub(in crate::ledger) fn after(&self, last: &Head) -> Option<String> {
        let problem = match self {
            _ if self.seq != last.next_seq() => FrameProblem::Missing,
            _ if self.previous != last.hash => FrameProblem::Chain,
            _ if self.time_ns < last.time_ns => FrameProblem::Time,
            Self { epoch, .. } if *epoch < last.epoch => {
                return Some(format!("epoch {epoch} after epoch {}", last.epoch));
            }
            _ => return None,
        };
        Some(problem.to_string())
    }
}

/// A part that is being read: the frames that begin from `from` on and before `end`.
pub(super) struct PartReading<'a> {
    journal: &'a dyn Journal,
    ledger: Option<LedgerId>,
    tracker: &'a ProgressTracker<'a>,
    from: u64,
    end: u64,
    part: JournalPart,
    /// Not told yet: records, bytes.
    untold: (u64, u64),
}

impl<'a> PartReading<'a> {
    pub(super) fn new(
        subject: &'a Subject,
        tracker: &'a ProgressTracker<'a>,
        (from, end): (u64, u64),
    ) -> Self {
        let whole = true;
        Self {
            journal: &*subject.journal,
            ledger: subject.place.as_ref().map(|place| place.ledger),
            tracker,
            from,
            end,
            part: JournalPart {
                whole,
                ..JournalPart::default()
            },
            untold: (0, 0),
        }
    }

    /// Reads it to its end.
    pub(super) fn read(mut self) -> Result<JournalPart, ReadFailure> {
        let (mut at, mut failed_at) = (self.from, 0);
        while at < self.end {
            let Err(failure) = self.stretch(&mut at)? else {
                break;
            };
            // A frame that does not follow can be read by itself, once.
            let next = match failed_at < at && is_readable(self.journal, at)? {
                true => at,
                false => next_readable(self.journal, at, self.end, &|| self.tracker.goes_on())?,
            };
            failed_at = at;
            self.broken(at, next, &failure);
            at = next;
        }
        self.report();
        self.part.fold();
        Ok(self.part)
    }

    /// Reads frames from `at` on, until the end of the part or the first failure.
    fn stretch(&mut self, at: &mut u64) -> Result<Result<(), ReadFailure>, ReadFailure> {
        let mut last: Option<Head> = None;
        let Some(from) = Seq::new(*at) else {
            return Ok(Ok(()));
        };
        for frame in self.journal.frames(from) {
            self.tracker.check()?;
            let frame = match frame {
                Ok(frame) => frame,
                Err(ReadFailure::Closed) => return Err(ReadFailure::Closed),
                Err(failure) => return Ok(Err(failure)),
            };
            if frame.first.get() >= self.end {
                break;
            }
            // The one that began in the part before belongs to it.
            if frame.first.get() >= self.from {
                self.frame(&frame, last);
                last = Some(frame.last);
            }
            *at = frame.last.next_seq().get();
        }
        *at = (*at).max(self.end);
        Ok(Ok(()))
    }

    fn frame(&mut self, frame: &Frame, last: Option<Head>) {
        let Self { part, ledger, .. } = self;
        if part.begins.is_none() && part.is_empty() {
            part.begins = Some(Begins::of(frame));
        }
        if ledger.is_some_and(|ledger| ledger != frame.ledger) {
            let what = FrameProblem::ForeignLedger {
                found: frame.ledger,
            };
            part.damages.push((frame.first, what.to_string()));
        }
        let what = last.and_then(|last| Begins::of(frame).after(&last));
        part.damages.extend(what.map(|what| (frame.first, what)));
        let mut headers = Vec::with_capacity(frame.count as usize);
        frame.look(&mut |seq, looked| match looked {
            Ok(looked) => {
                headers.push(looked.canonical);
                let record = EpochStretch::record(frame.epoch, seq, looked.event_type);
                record.join(&mut part.closes);
                part.record(seq, &looked);
            }
            Err(problem) => {
                part.whole = false;
                part.damages.push((seq, problem.to_string()));
            }
        });
        part.grow(frame.first.get() - 1, &headers);
        part.frames += 1;
        part.ends = Some(frame.last);
        self.walked(u64::from(frame.count), frame.bytes().len() as u64);
    }

    /// Records from `at` up to the one before `next` cannot be read.
    fn broken(&mut self, at: u64, next: u64, failure: &ReadFailure) {
        let what = match failure {
            ReadFailure::Damaged { problem, .. } => problem.to_string(),
            other => other.to_string(),
        };
        let what = match next.saturating_sub(at) {
            0 | 1 => what,
            _ => format!("{what}; up to record {} nothing can be read", next - 1),
        };
        let seq = Seq::new(at).unwrap_or(Seq::FIRST);
        match failure {
            ReadFailure::Damaged { .. } => self.part.damages.push((seq, what)),
            _ => self.part.unread.push((seq, what)),
        }
        self.part.whole &= next == at;
        self.part.ends = None;
        self.walked(next - at, 0);
    }

    fn walked(&mut self, records: u64, bytes: u64) {
        self.untold.0 += records;
        self.untold.1 += bytes;
        if self.untold.1 >= REPORT_BYTES {
            self.report();
        }
    }

    fn report(&mut self) {
        let (records, bytes) = std::mem::take(&mut self.untold);
        self.tracker.walked(records, bytes);
    }
}

fn is_readable(journal: &dyn Journal, at: u64) -> Result<bool, ReadFailure> {
    let Some(seq) = Seq::new(at) else {
        return Ok(false);
    };
    match journal.frame_at(seq) {
        Err(ReadFailure::Closed) => Err(ReadFailure::Closed),
        frame => Ok(frame.is_ok_and(|frame| frame.is_some())),
    }
}

/// The next place behind `bad`, and before `end`, from which frames can be read; `end` where there is
/// none. In ever longer steps, and back.
pub(in crate::ledger) fn next_readable(
    journal: &dyn Journal,
    bad: u64,
    end: u64,
    goes_on: &dyn Fn() -> bool,
) -> Result<u64, ReadFailure> {
    let (mut unread, mut step) = (bad, 1);
    let mut read = loop {
        if !goes_on() {
            return Err(stopped("the verification was cancelled"));
        }
        let tried = unread.saturating_add(step).min(end.saturating_sub(1));
        if tried <= unread {
            return Ok(end);
        }
        if is_readable(journal, tried)? {
            break tried;
        }
        (unread, step) = (tried, step.saturating_mul(2));
    };
    while read - unread > 1 {
        let middle = unread + (read - unread) / 2;
        match is_readable(journal, middle)? {
            true => read = middle,
            false => unread = middle,
        }
    }
    Ok(read)
}

impl JournalPart {
    /// Nothing was met yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.frames == 0 && self.damages.is_empty() && self.unread.is_empty()
    }

    /// The leaves of these headers, from this index on; where they do not follow there is no tree.
    fn grow(&mut self, index: u64, headers: &[&[u8]]) {
        let first = *self.first.get_or_insert(index);
        self.whole &= first + self.leaves.len() as u64 == index;
        if self.whole {
            self.leaves.extend(leaf_hashes(headers));
        }
    }

    /// Folds the leaves, up to each multiple of `RUN_LEAVES`.
    fn fold(&mut self) {
        let (mut left, mut index) = (self.leaves.as_slice(), self.first.unwrap_or(0));
        while self.whole && !left.is_empty() {
            let length = (RUN_LEAVES - index % RUN_LEAVES).min(left.len() as u64);
            let Some((run, rest)) = left.split_at_checked(length as usize) else {
                return;
            };
            self.runs.push(Subtree::new(index, run));
            (left, index) = (rest, index + length);
        }
    }

    fn record(&mut self, seq: Seq, looked: &Looked<'_>) {
        if looked.event_type == crate::events::EventType::CheckpointSigned {
            match signed(seq, looked) {
                Ok(signed) => self.signed.push(signed),
                Err(what) => self.damages.push((seq, what)),
            }
        }
    }
}

/// The checkpoint of a record, which says the same in its fields and in its note.
fn signed(seq: Seq, looked: &Looked<'_>) -> Result<Signed, String> {
    let header = RecordHeader::decode(looked.canonical);
    let record = Record {
        header: header.map_err(|error| error.to_string())?,
        hash: Hash::default(),
        content: Some(Content {
            salt: [0; SALT_LEN],
            payload: looked.payload.to_vec(),
        }),
    };
    let Ok(Event::CheckpointSigned(event)) = record.event() else {
        return Err("the checkpoint's record does not decode".to_owned());
    };
    let note = Note::parse(&event.note).ok();
    let stated = note.and_then(|note| Checkpoint::parse(note.text()).ok());
    let root = TreeHash::from_bytes(event.root);
    let agrees = |stated: Checkpoint| stated.size() == event.size && *stated.root() == root;
    if !stated.is_some_and(agrees) || event.size >= seq.get() {
        return Err("the checkpoint's record contradicts its note, or itself".to_owned());
    }
    let size = event.size;
    Ok(Signed { seq, size, root })
}
