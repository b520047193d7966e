// SPDX-License-Identifier: Apache-2.0
//! From a directory to a journal that may be appended to: what was left is looked at, a torn tail
//! set aside, and the end compared with what was acknowledged.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::actors::Kinds;
use crate::database::{self, files};
use crate::directory::{Directory, SubjectKey};
use crate::error::OpenError;
use crate::events::{RecoveryReportedV2, Seq};
use crate::journal::{
    Anchor, Anchored, FjallJournal, FoundInJournal, Journal, JournalOptions, RecoveredJournal,
};

use super::caller_gone::Dropped;
use super::kinds;
use super::locked_journal::LockedJournal;
use crate::ledger::options::Options;

/// Of a file that is set aside so much is kept: both slots of an anchor, and what little may follow.
const BYTES_KEPT: u64 = 64 << 10;

/// What an opening found in the directory, repaired and set aside.
///
/// Example: [`operation`](crate::operation).
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct Recovery {
    /// The last record that the anchor claimed to be acknowledged; `None` where it claimed none.
    pub anchored: Option<Seq>,
    /// The last record recovered; `None` where there is none. What lies behind `anchored` was durable; whether it was
    /// acknowledged is not known.
    pub recovered: Option<Seq>,
    /// What was in the journal's files. Bytes in `found.torn` were not covered by the anchor: a
    /// frame that was never finished, or the newest one acknowledged, damaged since.
    pub found: FoundInJournal,
    /// One of the anchor's two slots was not whole: its writing was cut short, or it was damaged.
    pub anchor_slot_lost: bool,
    /// Why the anchor was made anew, where the options said so.
    pub anchor_renewed: Option<String>,
    /// Why the key of subjects was made anew, where the options said so.
    pub subject_key_renewed: Option<String>,
    /// What never counted and was removed: `*.creating`.
    #[serde(serialize_with = "crate::events::readable::paths")]
    pub swept: Vec<PathBuf>,
    /// How long all of this took, replaying not included.
    #[serde(
        rename = "duration_seconds",
        serialize_with = "crate::events::readable::time::seconds"
    )]
    pub duration: Duration,
}

impl Recovery {
    /// False where a log file is missing: then only the whole journal shows whether records are.
    pub(in crate::ledger) fn is_gapless(recovery: Option<&Self>) -> bool {
        recovery.is_none_or(|recovery| recovery.found.log_gap.is_none())
    }

    /// True where something was repaired, set aside or missed.
    #[must_use]
    pub fn is_notable(&self) -> bool {
        self.found.torn.is_some()
            || self.found.log_gap.is_some()
            || self.anchor_slot_lost
            || self.anchor_renewed.is_some()
            || self.subject_key_renewed.is_some()
            || !self.swept.is_empty()
    }
}

impl From<&Recovery> for RecoveryReportedV2 {
    fn from(recovery: &Recovery) -> Self {
        let found = &recovery.found;
        let torn = found.torn.as_ref();
        let kept = torn.and_then(|torn| torn.kept.file_name());
        Self {
            anchored: recovery.anchored.map_or(0, Seq::get),
            recovered: recovery.recovered.map_or(0, Seq::get),
            log_files: found.log_files,
            log_batches: found.log_batches,
            torn_bytes: torn.map_or(0, |torn| torn.bytes),
            torn_offset: torn.map_or(0, |torn| torn.offset),
            torn_kept: kept.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            anchor_slot_lost: recovery.anchor_slot_lost,
            anchor_renewed: recovery.anchor_renewed.clone().unwrap_or_default(),
            subject_key_renewed: recovery.subject_key_renewed.clone().unwrap_or_default(),
            swept: recovery.swept.len() as u64,
            duration_ns: u64::try_from(recovery.duration.as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

/// A directory's journal, which may be appended to, and what was found.
pub(in crate::ledger) struct Recovered {
    pub(in crate::ledger) journal: Arc<LockedJournal>,
    pub(in crate::ledger) recovery: Recovery,
    /// The kinds of events in it.
    pub(in crate::ledger) kinds: Kinds,
    pub(in crate::ledger) subjects: SubjectKey,
}

pub(in crate::ledger) fn recover(
    directory: Directory,
    options: &Options,
    dropped: &Dropped,
) -> Result<Recovered, OpenError> {
    let started_ns = options.clock.monotonic_ns();
    let mut recovery = Recovery::default();
    let anchor = usable(&directory, options, &mut recovery)?;
    let subjects = subject_key(&directory, options, &mut recovery)?;
    let claimed = anchor.as_ref().and_then(|anchor| anchor.claim().seq);
    recovery.anchored = claimed;
    let path = directory.journal();
    // Who renews the anchor wants what is left of a journal, not a new one in its place.
    let is_there = database::exists(&path)?;
    if let (None, false, Some(problem)) = (&anchor, is_there, &recovery.anchor_renewed) {
        return Err(OpenError::Anchor {
            path: directory.anchor(),
            problem: format!("{problem}, and the journal is missing"),
        });
    }
    let renews = options.renew_anchor && is_there;
    let floor = anchor.as_ref().map(Anchor::claim).filter(|_| !renews);
    let RecoveredJournal { journal, found } =
        FjallJournal::recover(&path, &engine(options)?, floor)?;
    recovery.found = found;
    let anchor = match anchor.map(|anchor| anchor.check(&journal).map(|()| anchor)) {
        Some(Err(error)) if !renews => return Err(error),
        checked => checked,
    };
    // Before the anchor, or anything else, is written.
    let is_gapless = Recovery::is_gapless(Some(&recovery));
    let kinds = kinds::known(&journal, directory.path(), is_gapless, dropped)?;
    let anchor = match anchor {
        Some(Ok(anchor)) => anchor,
        Some(Err(error)) => {
            recovery.anchor_renewed = Some(error.to_string());
            renew(&directory, &journal)?
        }
        None => renew(&directory, &journal)?,
    };
    recovery.anchor_slot_lost = anchor.slot_lost();
    if anchor.slot_lost() {
        keep(&directory, &directory.anchor())?;
    }
    let anchored = Anchored::open(journal, anchor, options.anchoring)?;
    let head = anchored.head();
    recovery.recovered = head.map_err(OpenError::journal)?.seq;
    let subjects = match subjects {
        Some(key) => key,
        None => renew_subject_key(&directory, options)?,
    };
    // Last: what is refused is left as it is.
    recovery.swept = directory.sweep()?;
    let took = options.clock.monotonic_ns().saturating_sub(started_ns);
    recovery.duration = Duration::from_nanos(took);
    tell(&recovery);
    Ok(Recovered {
        journal: Arc::new(LockedJournal::new(anchored, directory)),
        recovery,
        kinds,
        subjects,
    })
}

fn engine(options: &Options) -> Result<JournalOptions, OpenError> {
    let mut engine = JournalOptions::default();
    engine.memtable_bytes = options.memtable_bytes.unwrap_or(engine.memtable_bytes);
    engine.cache_bytes = options.cache_bytes.unwrap_or(engine.cache_bytes);
    engine.files_max = database::files_each(options.descriptors_max)?;
    Ok(engine)
}

/// The anchor of this ledger; `None` where there is none and one is to be made.
fn usable(
    directory: &Directory,
    options: &Options,
    recovery: &mut Recovery,
) -> Result<Option<Anchor>, OpenError> {
    let opened = Anchor::open(&directory.anchor()).and_then(|anchor| {
        anchor.check_ledger(directory.identity().ledger)?;
        Ok(anchor)
    });
    match opened {
        Err(OpenError::Anchor { problem, .. }) if options.renew_anchor => {
            recovery.anchor_renewed = Some(problem);
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

/// The key of this ledger's subjects; `None` where one is to be made. Nothing is written here: what is refused later is left
/// as it is.
fn subject_key(
    directory: &Directory,
    options: &Options,
    recovery: &mut Recovery,
) -> Result<Option<SubjectKey>, OpenError> {
    match SubjectKey::read(&directory.subjects(), directory.identity().ledger) {
        Err(OpenError::SubjectKey { problem, .. }) if options.renew_subject_key => {
            recovery.subject_key_renewed = Some(problem);
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

fn renew_subject_key(directory: &Directory, options: &Options) -> Result<SubjectKey, OpenError> {
    let path = directory.subjects();
    keep(directory, &path)?;
    let ledger = directory.identity().ledger;
    SubjectKey::create(&path, ledger, &*options.entropy)
        .map_err(|error| OpenError::io(&path, error))
}

fn renew(directory: &Directory, journal: &FjallJournal) -> Result<Anchor, OpenError> {
    let unreadable = |failure: crate::journal::ReadFailure| OpenError::journal(failure);
    keep(directory, &directory.anchor())?;
    let mut frames = 0;
    for frame in journal.frames(Seq::FIRST) {
        frame.map_err(unreadable)?;
        frames += 1;
    }
    let head = journal.head().map_err(unreadable)?;
    let path = directory.anchor();
    Anchor::create(&path, directory.identity().ledger, &head, frames)?;
    Anchor::open(&path)
}

/// The file as it is, for a person to look at.
fn keep(directory: &Directory, path: &Path) -> Result<(), OpenError> {
    let quarantine = directory.quarantine();
    if !database::exists(path)? {
        return Ok(());
    }
    let copy = || {
        database::ensure_private(&quarantine)?;
        let mut bytes = Vec::new();
        let found = files::open(path)?;
        found.take(BYTES_KEPT).read_to_end(&mut bytes)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let names = (1_u64..).map(|number| quarantine.join(format!("{name}-{number}")));
        let free = |path: &PathBuf| path.symlink_metadata().is_err();
        match names.into_iter().find(free) {
            Some(to) => database::replace(&to, &bytes),
            None => Ok(()),
        }
    };
    copy().map_err(|error| OpenError::io(&quarantine, error))
}

fn tell(recovery: &Recovery) {
    if let Some(torn) = &recovery.found.torn {
        let (file, offset) = (torn.file.display(), torn.offset);
        tracing::warn!(%file, offset, bytes = torn.bytes, kept = %torn.kept.display(),
            anchored = recovery.anchored.map(Seq::get), recovered = recovery.recovered.map(Seq::get),
            "bytes not covered by the anchor were set aside");
    }
    if let Some(why) = &recovery.anchor_renewed {
        tracing::warn!(
            why,
            recovered = recovery.recovered.map(Seq::get),
            "the anchor was made anew"
        );
    }
    if let Some(why) = &recovery.subject_key_renewed {
        tracing::warn!(
            why,
            "the key of subjects was made anew: earlier subjects are found by their ids no more"
        );
    }
    if recovery.anchor_slot_lost {
        tracing::warn!("one slot of the anchor was not whole");
    }
}
