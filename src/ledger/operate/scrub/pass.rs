// SPDX-License-Identifier: Apache-2.0
//! One pass: frames, then files; a piece at a time.

use std::collections::VecDeque;

use crate::error::Fault;
use crate::events::Seq;
use crate::journal::{Closes, EpochStretch, Head, ReadFailure};

use super::again::Again;
use super::position::{ScrubPosition, ScrubStage, TableId};
use super::state::{ScrubState, is_rested};
use crate::ledger::operate::verify::{
    Begins, Damaged, FilesToVerify, LargeFile, LargeFileReading, Met, OpenDirectory, Unread,
    next_readable,
};

/// Allowance that can be saved up: of so long a time, which is that between two ticks of an idle ledger.
const SAVED_UP_NS: u64 = 3_000_000_000;
/// Between two savings of the position.
const SAVE_NS: u64 = 60_000_000_000;

/// The files that are left in this pass.
struct FilesLeft {
    files: FilesToVerify,
    large: VecDeque<(TableId, LargeFile)>,
    reading: Option<LargeFileReading>,
}

pub(super) struct Pass {
    position: ScrubPosition,
    /// Where the next opening is to begin, once damage was found: before it.
    frozen: Option<ScrubPosition>,
    /// The position was read, and held against the journal.
    begun: bool,
    /// The frames are read up to here: the head when they were begun.
    target: u64,
    /// The last record read; `None` behind damage.
    last: Option<Head>,
    /// A record of this pass is damaged: what lies behind it is not verified through.
    broken: bool,
    closes: Closes,
    queue: Option<FilesLeft>,
    /// Bytes that may be read; below 0 after a large piece.
    allowance: i64,
    looked_ns: u64,
    again: Again,
    saved_ns: u64,
    saved: Option<ScrubPosition>,
}

impl Pass {
    pub(super) fn new(now_ns: u64) -> Self {
        Self {
            position: ScrubPosition::default(),
            frozen: None,
            begun: false,
            target: 0,
            last: None,
            broken: false,
            closes: Closes::default(),
            queue: None,
            allowance: 0,
            looked_ns: now_ns,
            again: Again::default(),
            saved_ns: now_ns,
            saved: None,
        }
    }

    /// Reads what the time since the last call allows.
    pub(super) fn go_on(&mut self, scrub: &ScrubState, now_ns: u64) {
        self.allow(scrub.bytes_per_second, now_ns);
        while self.allowance > 0 && !scrub.is_stopped() && self.again.may(now_ns) {
            if !self.begun {
                self.begin(scrub);
            }
            let stage = self.position.stage;
            self.again.begin(&mut scrub.found());
            let read = match stage {
                ScrubStage::Frames => self.frame(scrub),
                ScrubStage::Files => self.file(scrub),
                ScrubStage::Done
                    if is_rested(
                        self.position.ended_ns,
                        scrub.pause,
                        scrub.core.shared.clock.now_ns(),
                    ) =>
                {
                    self.again(scrub);
                    0
                }
                ScrubStage::Done => {
                    scrub.rests(self.position.ended_ns);
                    break;
                }
            };
            self.allowance = self.allowance.saturating_sub_unsigned(read);
            scrub.found().read(read, self.position.verified);
            if self.position.stage != stage {
                self.save(scrub);
            }
        }
        if now_ns.saturating_sub(self.saved_ns) >= SAVE_NS && !scrub.is_stopped() {
            self.saved_ns = now_ns;
            self.save(scrub);
        }
    }

    fn allow(&mut self, bytes_per_second: u64, now_ns: u64) {
        let passed = now_ns.saturating_sub(self.looked_ns);
        self.looked_ns = now_ns;
        let bytes = |ns: u64| u128::from(ns) * u128::from(bytes_per_second) / 1_000_000_000;
        let bytes = |ns| i64::try_from(bytes(ns)).unwrap_or(i64::MAX);
        let allowance = self.allowance.saturating_add(bytes(passed));
        self.allowance = allowance.min(bytes(SAVED_UP_NS).max(1));
    }

    pub(super) fn save(&mut self, scrub: &ScrubState) {
        let position = self.frozen.unwrap_or(self.position);
        let place = scrub.subject.place.as_ref();
        if let (Some(place), Some(file)) = (place, scrub.file())
            && self.begun
            && self.saved != Some(position)
        {
            position.save(&file, place.ledger);
            self.saved = Some(position);
        }
    }

    /// Where an earlier opening was, if the journal is still the one that it read.
    fn begin(&mut self, scrub: &ScrubState) {
        self.begun = true;
        let place = scrub.subject.place.as_ref();
        let loaded = place
            .zip(scrub.file())
            .and_then(|(place, file)| ScrubPosition::load(&file, place.ledger));
        self.position = loaded
            .filter(|position| is_there(scrub, position))
            .unwrap_or_default();
        self.saved = loaded;
        scrub.found().read(0, self.position.verified);
        self.start(scrub);
    }

    /// The next pass.
    fn again(&mut self, scrub: &ScrubState) {
        self.position = ScrubPosition {
            verified: self.position.verified,
            ..ScrubPosition::default()
        };
        self.frozen = None;
        scrub.rests(0);
        self.start(scrub);
    }

    fn start(&mut self, scrub: &ScrubState) {
        self.broken = false;
        self.closes = Closes::default();
        self.queue = None;
        self.target = scrub.core.reader.head().count();
        self.last = Some(Head {
            seq: Seq::new(self.position.seq),
            hash: self.position.hash,
            time_ns: i64::MIN,
            epoch: 0,
        });
    }

    fn damaged(&mut self, scrub: &ScrubState, damaged: Damaged) {
        if let Some(seq) = damaged.seq {
            self.broken = true;
            self.position.verified = self.position.verified.min(seq.get() - 1);
        }
        let verified = self.position.verified;
        self.frozen.get_or_insert(self.position).verified = verified;
        scrub
            .found()
            .damaged(damaged, &scrub.core.shared.self_records);
    }

    /// The next frame; gives its bytes.
    fn frame(&mut self, scrub: &ScrubState) -> u64 {
        let at = self.position.seq + 1;
        let Some(seq) = Seq::new(at).filter(|_| at <= self.target) else {
            self.position.stage = ScrubStage::Files;
            return 0;
        };
        let journal = scrub.subject.journal_path();
        let frame = match scrub.core.reader.frame_at(seq) {
            Ok(Some(frame)) => frame,
            // Closed: the ledger is going.
            Ok(None) | Err(ReadFailure::Closed) => {
                self.target = 0;
                scrub.halt();
                return 0;
            }
            Err(failure) => {
                match failure {
                    ReadFailure::Damaged { problem, .. } => {
                        let damaged = Damaged::record(&journal, seq, problem.to_string());
                        self.damaged(scrub, damaged);
                    }
                    failure => {
                        self.broken = true;
                        let unread = Unread::record(&journal, seq, failure.to_string());
                        if self.unread(scrub, unread) {
                            return 0;
                        }
                    }
                }
                let subject = &scrub.subject;
                let next = next_readable(&*subject.journal, at, self.target + 1, &|| true);
                self.position.seq = next.unwrap_or(at + 1) - 1;
                self.last = None;
                return 0;
            }
        };
        let follows = self.last.and_then(|last| Begins::of(&frame).after(&last));
        let mut wrong: Vec<_> = follows
            .map(|what| (frame.first, what))
            .into_iter()
            .collect();
        frame.look(&mut |seq, looked| {
            wrong.extend(looked.err().map(|problem| (seq, problem.to_string())));
        });
        if wrong.is_empty()
            && let Some(after) = self.closes.next(&EpochStretch::of(&frame))
        {
            wrong.push((after.found, after.to_string()));
        }
        for (seq, what) in wrong {
            self.damaged(scrub, Damaged::record(&journal, seq, what));
        }
        self.position.seq = frame.last_seq().get();
        self.position.hash = frame.last.hash;
        self.last = Some(frame.last);
        if !self.broken {
            self.position.verified = self.position.verified.max(frame.last_seq().get());
        }
        frame.bytes().len() as u64
    }

    /// The next piece of a large file, or all the other files; gives the bytes.
    fn file(&mut self, scrub: &ScrubState) -> u64 {
        let Some(place) = scrub.subject.place.clone() else {
            self.end(scrub);
            return 0;
        };
        let Some(mut queue) = self.queue.take() else {
            return self.look(scrub, &place);
        };
        let Some((id, file)) = queue.large.front() else {
            self.end(scrub);
            return 0;
        };
        let id = *id;
        let reading = match queue.reading.take() {
            Some(reading) => Ok(reading),
            None => file.begin(),
        };
        let piece = reading.and_then(|mut reading| Ok((reading.piece()?, reading)));
        let read = match piece {
            Ok((0, _)) => 0,
            Ok((read, reading)) => {
                queue.reading = Some(reading);
                read
            }
            Err(damage) => {
                queue.files.damaged(file, &damage);
                0
            }
        };
        let waits = self.met(scrub, &place, queue.files.take_met());
        if waits {
            queue.reading = None;
        } else if read == 0 {
            queue.large.pop_front();
            self.position.table = Some(id);
        }
        self.queue = Some(queue);
        read
    }

    fn look(&mut self, scrub: &ScrubState, place: &OpenDirectory) -> u64 {
        let mut subject = scrub.subject.clone();
        subject.head = scrub.core.reader.head();
        let files = FilesToVerify::look(place, &subject);
        let read = files.read_bytes;
        if self.met(scrub, place, files.take_met()) {
            return read;
        }
        let left = |id: &TableId| self.position.table.is_none_or(|last| *id > last);
        let large = files.large.iter();
        let large = large.map(|file| (TableId::of(file), file.clone()));
        let mut large: Vec<_> = large.filter(|(id, _)| left(id)).collect();
        large.sort_by_key(|(id, _)| *id);
        self.queue = Some(FilesLeft {
            files,
            large: large.into(),
            reading: None,
        });
        read
    }

    /// Tells what was met; true where it is to be read once more.
    fn met(&mut self, scrub: &ScrubState, place: &OpenDirectory, met: Vec<Met>) -> bool {
        if !met.is_empty() && !place.is_there() {
            let what = "the directory is no longer where it was opened";
            return self.unread(scrub, Unread::of(&place.root, Fault::System, what));
        }
        let mut waits = false;
        for met in met {
            match met {
                Met::Damaged(damaged) => self.damaged(scrub, damaged),
                Met::EngineFault(fault) => scrub.found().engine_fault(fault),
                // A write that failed has sealed the ledger, and health says so.
                Met::Unfinished(_) => {}
                Met::Unread(unread) => waits |= self.unread(scrub, unread),
            }
        }
        waits
    }

    /// True where it is worth to try again soon; else it is passed over until the next pass.
    fn unread(&mut self, scrub: &ScrubState, unread: Unread) -> bool {
        self.frozen.get_or_insert(self.position);
        scrub.found().unread(unread.clone());
        self.again.later(unread, self.looked_ns)
    }

    fn end(&mut self, scrub: &ScrubState) {
        self.queue = None;
        self.position.stage = ScrubStage::Done;
        self.position.table = None;
        self.position.ended_ns = scrub.core.shared.clock.now_ns();
        scrub.found().pass_ended(&scrub.core.shared.self_records);
    }
}

/// Whether the journal holds the record at which an earlier opening stopped.
fn is_there(scrub: &ScrubState, position: &ScrubPosition) -> bool {
    let Some(seq) = Seq::new(position.seq) else {
        return true;
    };
    let record = scrub.core.reader.get(seq).ok().flatten();
    record.is_some_and(|record| record.hash == position.hash)
}
