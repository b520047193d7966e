// SPDX-License-Identifier: Apache-2.0
//! The new ledger's directory: made under another name, read back, synced, renamed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::database::{self, create_private, replace};
use crate::directory::{DIRECTORY_FORMAT, Identity, SUBJECTS, SubjectKey};
use crate::error::{Cause, OpenError, SalvageError};
use crate::events::{LedgerId, Seq};
use crate::integrity;
use crate::journal::{
    Anchor, Aside, FillError, Frame, Head, JournalOptions, JournalStop, ReadOnlyJournal,
    create_filled,
};

use super::checkpoints::CopiedTree;
use super::options::{SalvageProgress, Told};
use crate::ledger::operate::read_only::ReadOnly;

const MANIFEST: &str = "manifest.jsonl";

/// Where what was set aside lies in a ledger's directory.
fn quarantine(ledger: &Path) -> PathBuf {
    ledger.join("quarantine").join("salvage")
}

/// Nothing may be where the new ledger goes, and it may not go into the old one.
pub(super) fn check_target(from: &Path, to: &Path) -> Result<(), SalvageError> {
    let path = to.to_owned();
    match to.symlink_metadata() {
        Ok(_) => return Err(SalvageError::TargetExists { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(SalvageError::io(to, error)),
    }
    let parent = parent(to);
    let parent = parent
        .canonicalize()
        .map_err(|error| SalvageError::io(parent, error))?;
    // A source that is not there is told of when it is opened.
    let source = from.canonicalize();
    if source.is_ok_and(|source| parent.starts_with(source)) {
        return Err(SalvageError::TargetInSource { path });
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent();
    let named = parent.filter(|parent| !parent.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

/// What is being made. Dropped before it has its name, it is removed.
pub(super) struct Target {
    to: PathBuf,
    creating: PathBuf,
    named: std::cell::Cell<bool>,
    lock: File,
}

impl Drop for Target {
    fn drop(&mut self) {
        // Said aloud: a process that is being started at this moment holds a copy of the handle.
        if let Err(error) = self.lock.unlock() {
            tracing::debug!(%error, "the lock goes with its handle");
        }
        if !self.named.get()
            && let Err(error) = fs::remove_dir_all(&self.creating)
        {
            tracing::warn!(path = %self.creating.display(), %error, "a half-made ledger stays");
        }
    }
}

impl Target {
    pub(super) fn create(to: &Path) -> Result<Self, SalvageError> {
        let creating = database::creating(to);
        let io = |error| SalvageError::io(&creating, error);
        let lock = |path: &Path| -> Result<File, SalvageError> {
            let directory = database::files::open_directory(path).map_err(io)?;
            match directory.try_lock() {
                Ok(()) => Ok(directory),
                Err(fs::TryLockError::WouldBlock) => {
                    let path = path.to_owned();
                    Err(SalvageError::Busy { path })
                }
                Err(fs::TryLockError::Error(error)) => Err(io(error)),
            }
        };
        if creating.symlink_metadata().is_ok() {
            // Never renamed, so never served: there is nothing in it to keep. Held by a salvage that
            // is at work, it stays.
            let held = lock(&creating)?;
            fs::remove_dir_all(&creating).map_err(io)?;
            drop(held);
        }
        create_private(&creating).map_err(io)?;
        Ok(Self {
            to: to.to_owned(),
            named: std::cell::Cell::new(false),
            lock: lock(&creating)?,
            creating,
        })
    }

    /// Copies the history, and puts the frame that tells of it behind.
    pub(super) fn journal(
        &self,
        source: &ReadOnly,
        last: &Frame,
        checkpoints: &mut CopiedTree,
        to: &Told<'_>,
    ) -> Result<(), SalvageError> {
        let total = source.verified().count();
        let journal = source.journal();
        let copied = journal.verified_history().map(|frame| {
            let frame = frame?;
            // Again: the medium may read otherwise than it did.
            frame.verify()?;
            for record in frame.records() {
                checkpoints.copied(&record?);
            }
            let done = frame.last_seq().get();
            to.tell(SalvageProgress::Copying { done, total });
            Ok(frame)
        });
        let frames = copied.chain(std::iter::once(Ok(last.clone())));
        let path = self.creating.join("journal");
        let filled = create_filled(&path, &JournalOptions::default(), frames);
        let head = filled.map_err(|error| match error {
            FillError::Read(failure) => SalvageError::Read(failure.into()),
            FillError::Frame(failure) => SalvageError::NotVerified(Cause::of(failure)),
            FillError::Write(error) => SalvageError::Write(error),
        })?;
        match head == last.last {
            true => Ok(()),
            false => {
                let problem = format!("it ends at {head}, not {}", last.last);
                Err(SalvageError::NotVerified(problem.into()))
            }
        }
    }

    /// Keeps every other frame that was found, byte for byte, and a line about each.
    pub(super) fn set_aside(
        &self,
        source: &ReadOnly,
        stop: Option<&JournalStop>,
        to: &Told<'_>,
    ) -> Result<(), SalvageError> {
        let journal = source.journal();
        let total = journal.aside().count() as u64;
        if total == 0 {
            return Ok(());
        }
        let directory = quarantine(&self.creating);
        let io = |error| SalvageError::io(&directory, error);
        let outer = directory.parent().unwrap_or(&directory);
        create_private(outer).map_err(io)?;
        create_private(&directory).map_err(io)?;
        let mut manifest = String::new();
        for (aside, done) in journal.aside().zip(1..) {
            let why = match stop {
                _ if !aside.whole => "it does not verify itself".to_owned(),
                Some(stop) => format!("behind record {}: {}", stop.first_lost, stop.because),
                None => "nothing vouches for it".to_owned(),
            };
            let bytes = journal.aside_bytes(&aside);
            let kept = match bytes {
                Ok(bytes) => Some(keep(&directory, &aside, &bytes).map_err(io)?),
                // The medium does not give it any more: it is named all the same.
                Err(_) => None,
            };
            manifest.push_str(&line(source, &aside, kept, &why));
            to.tell(SalvageProgress::SettingAside { done, total });
        }
        replace(&directory.join(MANIFEST), manifest.as_bytes()).map_err(io)
    }

    /// Takes the key of subjects along. Without a usable one the new ledger is told so when it is opened.
    fn subjects(&self, source: &ReadOnly, ledger: LedgerId) -> Result<(), SalvageError> {
        let key = match SubjectKey::read(&source.path().join(SUBJECTS), ledger) {
            Ok(key) => key,
            // It is there, and the system did not let it be read: the new ledger must not begin without it.
            Err(error @ OpenError::Refused { .. }) => return Err(SalvageError::Source(error)),
            Err(error) => {
                tracing::warn!(%error, "the new ledger has no key of subjects");
                return Ok(());
            }
        };
        let path = self.creating.join(SUBJECTS);
        let written = key.write(&path, ledger);
        written.map_err(|error| SalvageError::io(&path, error))
    }

    /// Reads back what was written, makes anchor and identity, and gives the whole its name.
    pub(super) fn finish(
        &self,
        source: &ReadOnly,
        ledger: LedgerId,
        head: &Head,
        frames: u64,
        to: &Told<'_>,
    ) -> Result<(), SalvageError> {
        let anchor = self.creating.join("ANCHOR");
        Anchor::create(&anchor, ledger, head, frames).map_err(SalvageError::Write)?;
        let claim = Anchor::peek(&anchor).map_err(SalvageError::Write)?.claim;
        let journal = self.creating.join("journal");
        let written = ReadOnlyJournal::open(&journal, Some(ledger), Some(&claim));
        let written = written.map_err(SalvageError::Write)?;
        let verified = (written.verified(), written.verified_frames());
        if verified != (*head, frames) || !written.findings().is_empty() {
            let problem = written.findings().first().map(ToString::to_string);
            let problem = problem.unwrap_or_else(|| format!("it ends at {}", verified.0));
            return Err(SalvageError::NotVerified(problem.into()));
        }
        let first = source.get(Seq::FIRST).ok().flatten();
        let created_ns = first.map_or(head.time_ns, |record| record.header.time_ns);
        let identity = Identity {
            format: DIRECTORY_FORMAT,
            ledger,
            created_ns: source.identity().map_or(created_ns, |it| it.created_ns),
        };
        self.subjects(source, ledger)?;
        to.tell(SalvageProgress::Naming);
        let name = || {
            // Last: what has no identity does not open.
            replace(&self.creating.join("LEDGER"), identity.encode().as_bytes())?;
            database::restrict(&self.creating)?;
            database::sync_tree(&self.creating)?;
            if self.to.symlink_metadata().is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(&self.creating, &self.to)?;
            self.named.set(true);
            database::sync_parent(&self.to)
        };
        name().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => SalvageError::TargetExists {
                path: self.to.clone(),
            },
            _ => SalvageError::io(&self.to, error),
        })
    }
}

/// Writes a frame under a name that tells where it belongs and what it is.
fn keep(directory: &Path, aside: &Aside, bytes: &[u8]) -> io::Result<(OsString, String)> {
    let digest = base16ct::lower::encode_string(&integrity::digest(bytes));
    let short = digest.get(..8).unwrap_or_default();
    let name = format!("{:020}-{short}.frame", aside.first);
    replace(&directory.join(&name), bytes)?;
    Ok((name.into(), digest))
}

fn line(source: &ReadOnly, aside: &Aside, kept: Option<(OsString, String)>, why: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let from = aside
        .path
        .strip_prefix(source.path())
        .unwrap_or(&aside.path);
    let (file, digest) = kept.unwrap_or_default();
    format!(
        "{{\"file\":{},\"first\":{},\"last\":{},\"verifies\":{},\"digest\":\"{digest}\",\"from\":{},\"offset\":{},\"why\":{}}}\n",
        quoted(&file.to_string_lossy()),
        aside.first,
        aside.last,
        aside.whole,
        quoted(&from.to_string_lossy()),
        aside.offset,
        quoted(why),
    )
}
