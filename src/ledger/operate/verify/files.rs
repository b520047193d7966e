// SPDX-License-Identifier: Apache-2.0
//! The files of a ledger's directory: what each of them says of itself.

use std::sync::Mutex;
use std::time::Duration;

use crate::database::{self, Damage, OpenLog};
use crate::directory::{Identity, SUBJECTS, SubjectKey};
use crate::error::OpenError;
use crate::journal::{self, ANCHOR_SLOT_LEN, Claim, Frame};
use crate::locks::whole;
use crate::projections::View;

use super::large_file::LargeFile;
use super::met::Met;
use super::progress::ProgressTracker;
use super::result::VerifyFindings;
use super::states::{self};
use super::{Damaged, OpenDirectory, Subject};

/// How often the anchor is read where a slot is not whole: it may be under way.
const LOOKS_MAX: usize = 8;
const PAUSE: Duration = Duration::from_millis(25);

/// What was found without reading the large files, and these.
pub(in crate::ledger) struct FilesToVerify {
    pub(in crate::ledger) large: Vec<LargeFile>,
    /// Lock: the threads of one verification, for one finding; nothing is called under it.
    met: Mutex<Vec<Met>>,
    pub(super) not_checked: Vec<String>,
    /// Files looked at.
    pub(super) count: u64,
    /// Bytes of the logs, which are most of what was read.
    pub(in crate::ledger) read_bytes: u64,
}

impl FilesToVerify {
    /// Looks at every file but the large ones.
    pub(in crate::ledger) fn look(place: &OpenDirectory, subject: &Subject) -> Self {
        let mut met = Vec::new();
        met.extend(identity(place));
        met.extend(subject_key(place));
        met.extend(anchor(place, subject));
        let (states, mut wrong) = states::check(place, &*subject.journal);
        met.append(&mut wrong);
        let mut files = Self {
            large: Vec::new(),
            met: Mutex::new(met),
            not_checked: Vec::new(),
            count: 3 + states,
            read_bytes: 0,
        };
        let path = place.root.join("journal");
        let log = || OpenLog {
            files_min: subject.journal.wal_files(),
            holds: subject.journal.wal_holds(),
            is_unfinished: subject.journal.unfinished().append,
            is_making: false,
        };
        let inspection = database::look_through(&path, Some(&log));
        let wrong = log_end(&inspection, subject.head.count());
        files.take(inspection, wrong);
        for view in &subject.views {
            files.view(view);
        }
        files
    }

    /// A view's manifest, and its files.
    fn view(&mut self, view: &View) {
        if view.status().serving_version.is_none() {
            let why = format!("the files of view {}: nothing serves", view.name());
            self.not_checked.push(why);
            return;
        }
        self.count += 1;
        let wrong = view.check_manifest().err();
        whole(self.met.get_mut()).extend(wrong.iter().map(Met::from));
        self.large
            .extend(view.files().into_iter().map(LargeFile::View));
    }

    fn take(&mut self, inspection: database::Inspection, wrong: Option<Damage>) {
        let met = inspection.damages.iter().chain(&wrong).map(Met::from);
        let unfinished = inspection.unfinished.iter().map(Met::unfinished);
        let own = self.met.get_mut();
        let own = whole(own);
        own.extend(met.chain(unfinished));
        self.count += inspection.files;
        self.read_bytes += inspection.log_bytes();
        let tables = inspection.tables.into_iter();
        self.large.extend(tables.map(LargeFile::Table));
    }

    /// Reads one large file; false where it was told to stop.
    pub(super) fn read(&self, file: &LargeFile, tracker: &ProgressTracker<'_>) -> bool {
        let checked = file.check(&mut |bytes| {
            tracker.read(bytes, 0);
            tracker.goes_on()
        });
        let goes_on = checked.unwrap_or_else(|damage| {
            self.damaged(file, &damage);
            true
        });
        if goes_on {
            tracker.read(0, 1);
        }
        goes_on
    }

    /// A file is damaged, unless others have taken its place meanwhile.
    pub(in crate::ledger) fn damaged(&self, file: &LargeFile, damage: &Damage) {
        if file.is_wrong(damage) {
            let mut met = whole(self.met.lock());
            met.push(Met::from(damage));
        }
    }

    /// What was found since the last call.
    pub(in crate::ledger) fn take_met(&self) -> Vec<Met> {
        let mut met = whole(self.met.lock());
        std::mem::take(&mut *met)
    }

    pub(super) fn tell(self, findings: &mut VerifyFindings) {
        let met = self.met.into_inner();
        for met in whole(met) {
            findings.push(met);
        }
        findings.not_checked.extend(self.not_checked);
    }
}

fn identity(place: &OpenDirectory) -> Option<Met> {
    let path = place.root.join("LEDGER");
    match Identity::read(&path) {
        Ok(Some(identity)) if identity.ledger == place.ledger => None,
        Ok(Some(other)) => {
            let what = format!("it is of ledger {}", other.ledger);
            Some(Damaged::of(&path, what).into())
        }
        Ok(None) => Some(Damaged::of(&path, "it is missing").into()),
        Err(error) => Some(Met::refused(&path, &error)),
    }
}

/// The key of subjects is whole and this ledger's. It is shown to nobody: what is told is the file.
fn subject_key(place: &OpenDirectory) -> Option<Met> {
    let path = place.root.join(SUBJECTS);
    match SubjectKey::read(&path, place.ledger) {
        Ok(_) => None,
        Err(OpenError::SubjectKey { problem, .. }) => Some(Damaged::of(&path, problem).into()),
        Err(error) => Some(Met::refused(&path, &error)),
    }
}

/// Both slots are whole, and what they claim is in the journal.
fn anchor(place: &OpenDirectory, subject: &Subject) -> Vec<Met> {
    let path = place.root.join("ANCHOR");
    let mut looks = 1;
    let (claims, unfinished) = loop {
        match journal::slots(&path) {
            Ok(claims) if claims.contains(&None) && looks < LOOKS_MAX => {
                looks += 1;
                std::thread::sleep(PAUSE);
            }
            Ok(claims) => break (claims, subject.journal.unfinished().claim),
            Err(error) => return vec![Met::from(&Damage::io(&path, error))],
        }
    };
    let slot = |(slot, claim): (usize, &Option<Claim>)| {
        let at = |what| Damaged {
            offset: Some((slot * ANCHOR_SLOT_LEN) as u64),
            ..Damaged::of(&path, what)
        };
        Some(match claim {
            None if unfinished == Some(slot) => {
                let what = "the claim in this slot is being written, or could not be";
                Met::Unfinished(at(what.to_owned()))
            }
            None => at("the slot is not whole".to_owned()).into(),
            Some(claim) => at(contradiction(claim, place, subject)?).into(),
        })
    };
    claims.iter().enumerate().filter_map(slot).collect()
}

/// What a claim says that is not so.
fn contradiction(claim: &Claim, place: &OpenDirectory, subject: &Subject) -> Option<String> {
    if claim.ledger != place.ledger {
        return Some(format!("it is of ledger {}", claim.ledger));
    }
    let seq = claim.seq?;
    let frame = subject.journal.frame_at(seq);
    // A record that cannot be read is named by the walk.
    match frame.and_then(|frame| frame.map(|frame| frame.record(seq)).transpose()) {
        Ok(Some(record)) if record.hash == claim.hash => None,
        Ok(_) => Some(format!("the journal does not hold record {seq} as claimed")),
        Err(_) => None,
    }
}

/// The log reaches at least as far as what was read from the journal before it was looked at: the
/// engine serves from memory what its log has lost.
pub(super) fn log_end(inspection: &database::Inspection, head: u64) -> Option<Damage> {
    let (file, batch) = inspection.wal.last()?;
    let value = match inspection.wal.last_value() {
        Ok(value) => value?,
        // Removed meanwhile: it is in tables.
        Err(_) if !file.path.exists() => return None,
        Err(damage) => return Some(damage),
    };
    let end = Frame::decode(&value).map_or(0, |frame| frame.last_seq().get());
    let what = format!("the log ends before record {head}");
    (end < head).then(|| Damage::at(&file.path, batch.start, what))
}
