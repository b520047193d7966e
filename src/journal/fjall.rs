// SPDX-License-Identifier: Apache-2.0
//! The journal on disk: one keyspace, a frame under its first sequence number, every batch synced.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock, RwLockReadGuard};

use fjall::{AbstractTree, Database, Guard, Keyspace, PersistMode};

use super::append_rules::JournalStanding;
use super::chained_frames::{self, ChainedFrames};
use super::error::{AppendFailure, FrameProblem, ReadFailure};
use super::found::FoundInJournal;
use super::prepare::prepare;
use super::{Claim, Frame, Frames, Head, Journal, Unfinished};
use crate::database::{self, Damage};
use crate::error::{Cause, Fault, OpenError};
use crate::events::{LedgerId, Seq};
use crate::locks::whole;

pub(super) const FRAMES: &str = "frames";

/// How much memory the journal may take.
/// Example: `tests/preflight/scene.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalOptions {
    /// Size in bytes at which what was appended goes from memory into a table; it lies in the
    /// write-ahead log until then. Counts from the creation of the journal on.
    pub memtable_bytes: u64,
    /// Cache of blocks read, in bytes.
    pub cache_bytes: u64,
    /// Files of tables that are kept open for reading, at least 10.
    pub files_max: usize,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            memtable_bytes: 8 << 20,
            cache_bytes: 16 << 20,
            files_max: 64,
        }
    }
}

/// Dropped as a whole at close: one handle left alive would keep the database locked.
struct OpenDatabase {
    frames: Keyspace,
    database: Database,
}

/// The journal in a directory.
/// Example: `tests/preflight/scene.rs`.
pub struct FjallJournal {
    path: PathBuf,
    /// Lock: readers and the append, read for one call of the engine each; the close, written to take it out, and
    /// it waits for them.
    opened: RwLock<Option<OpenDatabase>>,
    /// What is durable and shown.
    /// Lock: readers, for a copy; the writer's thread, to put the next one in after its sync. Nothing is called
    /// under it.
    standing: RwLock<JournalStanding>,
    /// True after an append with an unknown outcome.
    /// Lock: the writer's thread alone, for one append and its sync: as long as the medium takes.
    failed: Mutex<bool>,
    /// An append is under way, or ended with an unknown outcome.
    unfinished: AtomicBool,
}

impl std::fmt::Debug for FjallJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallJournal")
            .field("path", &self.path)
            .field("standing", &self.standing())
            .finish_non_exhaustive()
    }
}

impl FjallJournal {
    /// Opens the journal in the directory `path`; creates it where there is none. The last frame
    /// is verified: nothing is appended to a bad tail. What a crash left behind the last whole
    /// batch is moved to `quarantine/` beside the journal.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path, options: &JournalOptions) -> Result<Self, OpenError> {
        Self::recover(path, options, None).map(|recovered| recovered.journal)
    }

    /// As [`FjallJournal::open`]; gives what was found, and refuses a journal that ends before what
    /// `claim` says was acknowledged, before anything is changed.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn recover(
        path: &Path,
        options: &JournalOptions,
        claim: Option<&Claim>,
    ) -> Result<RecoveredJournal, OpenError> {
        let acknowledged = claim.and_then(|claim| claim.seq);
        let path = &*database::absolute(path)?;
        let keyspace = database::journal_keyspace(options.memtable_bytes);
        let found = if database::exists(path)? {
            prepare(path, claim)?
        } else if let Some(anchored) = acknowledged {
            return Err(OpenError::AcknowledgedRecordsMissing {
                anchored,
                recovered: None,
            });
        } else {
            database::create(path, &[(FRAMES, keyspace.clone())])?;
            FoundInJournal::default()
        };
        let database = database::open(path, options.cache_bytes, options.files_max)?;
        let engine = |error| database::engine_error(path, error);
        if !database.keyspace_exists(FRAMES) {
            return Err(Damage::of(path, "missing keyspace of frames").into());
        }
        let frames = database.keyspace(FRAMES, || keyspace).map_err(engine)?;
        // What cannot be read there is no earlier than what the anchor claims.
        let end = acknowledged.unwrap_or(Seq::FIRST);
        let last = frames.last_key_value().map(|guard| decode(guard, end));
        let last = last.transpose().map_err(OpenError::journal)?;
        let standing = last
            .as_ref()
            .map_or_else(JournalStanding::default, JournalStanding::after);
        last.map_or(Ok(()), |frame| frame.verify())
            .map_err(OpenError::journal)?;
        let journal = Self {
            path: path.to_owned(),
            opened: RwLock::new(Some(OpenDatabase { frames, database })),
            standing: RwLock::new(standing),
            failed: Mutex::new(false),
            unfinished: AtomicBool::new(false),
        };
        Ok(RecoveredJournal { journal, found })
    }

    fn opened(&self) -> RwLockReadGuard<'_, Option<OpenDatabase>> {
        whole(self.opened.read())
    }

    fn standing(&self) -> JournalStanding {
        *whole(self.standing.read())
    }

    /// Where the journal stands, as long as it is open.
    fn standing_if_open(&self) -> Result<JournalStanding, ReadFailure> {
        match &*self.opened() {
            Some(_) => Ok(self.standing()),
            None => Err(ReadFailure::Closed),
        }
    }

    /// The last frame that starts at or before `seq`.
    fn frame_before(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        let opened = self.opened();
        let frames = &opened.as_ref().ok_or(ReadFailure::Closed)?.frames;
        let found = frames.range(..=key(seq)).next_back();
        found.map(|guard| decode(guard, seq)).transpose()
    }

    fn frames_from(&self, from: Seq) -> Result<Frames, ReadFailure> {
        let standing = self.standing_if_open()?;
        if !standing.head.contains(from) {
            return Ok(Box::new(std::iter::empty()));
        }
        let start = self.frame_before(from)?.map_or(from, |frame| frame.first);
        let opened = self.opened();
        let frames = &opened.as_ref().ok_or(ReadFailure::Closed)?.frames;
        // The snapshot may already hold a frame more than `standing`: `ChainedFrames` stops in time.
        let mut expected = start;
        let frames = frames.range(key(start)..).map(move |guard| {
            let frame = decode(guard, expected)?;
            expected = frame.last.next_seq();
            Ok(frame)
        });
        Ok(ChainedFrames::boxed(frames, from, standing))
    }
}

/// A journal that was opened, and what was found in it.
/// Example: `tests/preflight/scene.rs`.
#[derive(Debug)]
pub struct RecoveredJournal {
    /// The journal.
    pub journal: FjallJournal,
    /// The findings of this opening.
    pub found: FoundInJournal,
}

pub(super) const fn key(seq: Seq) -> [u8; 8] {
    seq.get().to_be_bytes()
}

/// Reads a frame; a failure is told of the record that was wanted.
fn decode(guard: Guard, wanted: Seq) -> Result<Frame, ReadFailure> {
    let (stored, value) = guard
        .into_inner()
        .map_err(|error| read_failure(error, wanted))?;
    let frame = Frame::from_buffer(value.into())
        .map_err(|problem| ReadFailure::damaged(wanted, problem))?;
    if *stored != key(frame.first) {
        let found = frame.first.get();
        return Err(ReadFailure::damaged(wanted, FrameProblem::Seq { found }));
    }
    Ok(frame)
}

fn read_failure(error: fjall::Error, wanted: Seq) -> ReadFailure {
    let fault = database::fault(&error);
    let cause = Cause::of(error).fault_is(fault);
    match fault {
        Fault::Bytes => ReadFailure::damaged(wanted, FrameProblem::Database(cause)),
        _ => ReadFailure::Io { cause },
    }
}

impl Journal for FjallJournal {
    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        // Poisoned: an append panicked, and nobody knows what the engine wrote of it.
        let Ok(mut failed) = self.failed.lock() else {
            return Err(AppendFailure::after_unknown_outcome());
        };
        if *failed {
            return Err(AppendFailure::after_unknown_outcome());
        }
        let opened = self.opened();
        let Some(OpenDatabase { frames, database }) = &*opened else {
            return Err(AppendFailure::Unavailable {
                cause: "the journal is closed".into(),
            });
        };
        self.standing().admit(frame, after)?;
        // Syncs the data and what is needed to find it (size, blocks), and spares the disk a write of
        // the file's times at each commit.
        let mut batch = database.batch().durability(Some(PersistMode::SyncData));
        batch.insert(frames, key(frame.first), frame.buffer());
        // The commit point: from here on until the sync is confirmed the outcome is unknown. It is
        // never tried again in this process; the next opening reads what came of it.
        self.unfinished.store(true, Ordering::Release);
        batch.commit().map_err(|error| {
            *failed = true;
            match error {
                // It looks at that before it writes anything, and says no more: one of its own
                // threads failed before.
                fjall::Error::Poisoned => {
                    self.unfinished.store(false, Ordering::Release);
                    AppendFailure::Unavailable {
                        cause: database::poisoned(&self.path),
                    }
                }
                error => {
                    let fault = database::fault(&error);
                    let cause = Cause::of(error).fault_is(fault);
                    AppendFailure::OutcomeUnknown { cause }
                }
            }
        })?;
        self.unfinished.store(false, Ordering::Release);
        *whole(self.standing.write()) = JournalStanding::after(frame);
        Ok(())
    }

    fn head(&self) -> Result<Head, ReadFailure> {
        Ok(self.standing_if_open()?.head)
    }

    fn ledger(&self) -> Result<Option<LedgerId>, ReadFailure> {
        Ok(self.standing_if_open()?.ledger)
    }

    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        let standing = self.standing_if_open()?;
        if !standing.head.contains(seq) {
            return Ok(None);
        }
        match self.frame_before(seq)? {
            Some(frame) if frame.contains(seq) => standing.own(frame).map(Some),
            _ => Err(ReadFailure::damaged(seq, FrameProblem::Missing)),
        }
    }

    fn frames(&self, from: Seq) -> Frames {
        self.frames_from(from)
            .unwrap_or_else(chained_frames::failed)
    }

    fn close(&self) {
        let opened = whole(self.opened.write()).take();
        let was_open = opened.is_some();
        // Joins the database's threads and gives up its lock.
        drop(opened);
        if was_open && let Err(error) = database::restrict(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "could not restrict the journal");
        }
    }

    fn size_bytes(&self) -> u64 {
        let opened = self.opened();
        let size = opened.as_ref().map(|opened| opened.database.disk_space());
        size.and_then(Result::ok).unwrap_or(0)
    }

    fn wal_files(&self) -> usize {
        let opened = self.opened();
        opened
            .as_ref()
            .map_or(0, |opened| opened.database.journal_count())
    }

    fn wal_holds(&self) -> bool {
        let opened = self.opened();
        opened.as_ref().is_some_and(|OpenDatabase { frames, .. }| {
            frames.tree.active_memtable().size() > 0 || frames.tree.sealed_memtable_count() > 0
        })
    }

    fn unfinished(&self) -> Unfinished {
        Unfinished {
            append: self.unfinished.load(Ordering::Acquire),
            claim: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventType;
    use crate::journal::{FrameBuilder, NewRecord};

    /// The engine panicked at the commit point: the outcome is unknown, and nothing is appended behind it.
    #[test]
    fn nothing_is_appended_behind_a_commit_that_panicked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let journal = FjallJournal::open(&path, &JournalOptions::default()).unwrap();
        std::thread::scope(|scope| {
            let panicked = scope.spawn(|| {
                let _appending = journal.failed.lock();
                panic!("as a test wants");
            });
            panicked.join().unwrap_err();
        });
        let mut frame = FrameBuilder::new(LedgerId::from_bytes([7; 16]), 1, Head::default());
        let record = NewRecord::new(EventType::ModuleRemoved, 1, Vec::new());
        frame.push(&record, 1);
        let refused = journal.append(&frame.finish(), &Head::default());
        assert_eq!(refused.unwrap_err().code(), "unavailable");
        assert_eq!(journal.head().unwrap().count(), 0);
    }
}
