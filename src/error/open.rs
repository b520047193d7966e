// SPDX-License-Identifier: Apache-2.0
//! Why a ledger was not opened. Nothing was changed that could have been lost.

use std::io;
use std::path::{Path, PathBuf};

use super::{Cause, Fault, OddFile, ReadError, Retry};
use crate::events::{EventType, LedgerId, Seq};

/// The ledger was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The redactor failed over what this opening would record: who changed the key, and why.
    #[error("{0}")]
    Callback(#[source] Box<super::AppendError>),
    /// The path names something else.
    #[error("{} is not a directory", .path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// Group or others may write to it: whatever it holds is not to be trusted.
    #[error("{} may be written by others (mode {mode:04o}): {remedy}", .path.display())]
    Insecure {
        /// What may be written.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What puts it right, once it is known who wrote there.
        remedy: String,
    },
    /// Where a file or a directory of the ledger's is expected lies something else: a symbolic link, a
    /// pipe, a file with a second name, of another user, or too large. It was not opened.
    #[error("{} is not a ledger's own: {problem}", .path.display())]
    OddFile {
        /// What was found.
        path: PathBuf,
        /// What it is.
        problem: String,
    },
    /// Another process, or another opening in this one, has it open.
    #[error("the ledger is locked by process {pid}")]
    Locked {
        /// The process; 0 where it is not known.
        pid: u32,
    },
    /// There is something, and it is not a ledger.
    #[error("{} is not a ledger: {problem}", .path.display())]
    NotALedger {
        /// What was found.
        path: PathBuf,
        /// Why it is none.
        problem: String,
    },
    /// It was written by newer software; it was left untouched.
    #[error("the ledger has format {found}, this software reads up to {supported}")]
    FormatTooNew {
        /// The format that it states.
        found: u32,
        /// The newest that this software knows.
        supported: u32,
    },
    /// It was written by a build before the first release; it was left untouched.
    #[error("the ledger has format {found}, this software reads {supported} alone")]
    FormatTooOld {
        /// The format that it states.
        found: u32,
        /// The one that this software knows.
        supported: u32,
    },
    /// A record that only later software reads, and may not be skipped
    /// ([`RecordHeader::bars_writing`](crate::events::RecordHeader::bars_writing)): what this software would write behind it could
    /// contradict it. Nothing was written; it can be read as it is ([`Ledger::open_read_only`](crate::Ledger::open_read_only)),
    /// verified and exported.
    #[error(
        "record {seq} is an {}event of type {:#06x} ({event_type}) in revision {revision}, which this software does not read and may not skip: nothing was written; open the ledger with the newer software that wrote it, or read it as it is",
        if *.encrypted { "encrypted " } else { "" }, .event_type.0
    )]
    UnknownEvent {
        /// The first such record.
        seq: Seq,
        /// Its type.
        event_type: EventType,
        /// Its revision.
        revision: u16,
        /// Its payload lies under a data key.
        encrypted: bool,
    },
    /// It is another ledger than the one that was asked for.
    #[error("it is ledger {found}, not {expected}")]
    OtherLedger {
        /// The ledger asked for.
        expected: LedgerId,
        /// The ledger found.
        found: LedgerId,
    },
    /// Something that must be there is missing or was changed.
    #[error("{} is damaged{}: {problem}", .path.display(), at(*.offset))]
    Damaged {
        /// What.
        path: PathBuf,
        /// At which byte of the file, where one can be named.
        offset: Option<u64>,
        /// How.
        problem: String,
    },
    /// The journal ends before what was acknowledged, or has another record in its place: records
    /// are missing. Nothing is appended over the gap.
    #[error(
        "acknowledged records are missing: the anchor holds record {anchored}, the journal {}",
        .recovered.map_or_else(|| "none".to_owned(), |seq| format!("record {seq}"))
    )]
    AcknowledgedRecordsMissing {
        /// The last record that is known to have been acknowledged.
        anchored: Seq,
        /// The last record that is there and could be that history's, if there is one; the same number where
        /// another record is in its place.
        recovered: Option<Seq>,
    },
    /// What says how far the journal was acknowledged is missing or cannot be read: nobody can
    /// tell whether records are missing.
    #[error("the anchor {} cannot be used: {problem}", .path.display())]
    Anchor {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The key by which pseudonyms of subjects are made is missing or cannot be used. It is not made anew in silence: those
    /// whom records are about so far would be found by their ids no more.
    #[error(
        "the key of subjects {} cannot be used: {problem}; put it back from a backup, or open with renew_subject_key: \
         records of subjects named until then are no longer found by their ids",
        .path.display()
    )]
    SubjectKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The end of the journal does not verify: nothing is appended to it.
    #[error("the journal does not verify: {0}")]
    Journal(#[source] ReadError),
    /// The end of the journal could not be read: nothing says that it is damaged.
    #[error("unreadable journal, its content is unknown: {0}")]
    JournalUnread(#[source] ReadError),
    /// The database did not open.
    #[error("the database in {} does not open: {cause}", .path.display())]
    Database {
        /// Where it lies.
        path: PathBuf,
        /// In the database's words.
        #[source]
        cause: Cause,
    },
    /// The limits contradict each other.
    #[error("limits: {0}")]
    Limits(&'static str),
    /// The history verifies and contradicts itself: a defect, or another software's work.
    #[error("the history contradicts itself: {0}")]
    History(#[source] Cause),
    /// Behind the record that closed the ledger lie others of the same writer, which can have written
    /// none: somebody else appended them.
    #[error("record {found} lies behind record {closed}, with which its writer closed the ledger")]
    RecordsAfterClose {
        /// The record of the close.
        closed: Seq,
        /// The first one behind it.
        found: Seq,
    },
    /// There are fewer records than a checkpoint that this ledger signed: acknowledged records are
    /// missing, or an older copy was put back.
    #[error("{place} holds a checkpoint over {size} records, and the journal ends at {head}")]
    BehindCheckpoint {
        /// Where the checkpoint was found.
        place: String,
        /// Records that it covers.
        size: u64,
        /// The head that was found.
        head: u64,
    },
    /// The records are not those that this ledger signed a checkpoint over.
    #[error("the first {size} records are not those of the checkpoint in {place}")]
    OtherHistory {
        /// Where the checkpoint was found.
        place: String,
        /// Records that it covers.
        size: u64,
    },
    /// The journal's checkpoints were signed, under the name that is to sign now, by a key that is not
    /// among the earlier ones of the options: they would not count any more.
    #[error(
        "checkpoints were signed by {key}, which is neither the signer's key nor an earlier one"
    )]
    OtherKey {
        /// The public key; name and id alone where no more is known.
        key: String,
    },
    /// In a checkpoint destination lies so much that is no checkpoint of this ledger that its newest one
    /// may be behind it: nobody can tell whether records are missing.
    #[error("the newest checkpoint in {place} cannot be told: {problem}")]
    Destination {
        /// The destination's name.
        place: String,
        /// How much was read.
        problem: String,
    },
    /// The name of a projection is not usable, or given twice.
    #[error("projection name {0:?} is not 1 to 64 of a-z, 0-9 and _, or is given twice")]
    ProjectionName(String),
    /// The views cannot be kept at all.
    #[error("views: {0}")]
    Views(#[source] Cause),
    /// The runtime could not start what the ledger needs.
    #[error("actors: {0}")]
    Actors(#[source] Cause),
    /// There are no random bytes, without which nothing is salted or named. Nothing was touched.
    #[error("no random bytes: {0}")]
    NoRandomness(#[source] Cause),
    /// The first record of this opening could not be made durable.
    #[error("nothing can be appended: {0}")]
    Sealed(#[source] Cause),
    /// The operating system refused: no descriptors, no memory, no right, no room. It says nothing about
    /// what is in the directory; once it is put right, opening goes on.
    #[error("{}: the system refused: {source}", .path.display())]
    Refused {
        /// What was touched.
        path: PathBuf,
        /// In the operating system's words.
        source: io::Error,
    },
    /// The process may have fewer files open than the ledger needs.
    #[error(
        "the ledger needs up to {needed} open files and the process may have {limit}: raise the limit (ulimit -n), or lower descriptors_max"
    )]
    Descriptors {
        /// What `Options::descriptors_max` permits the engine, and what is needed beside it.
        needed: u64,
        /// The process's soft limit.
        limit: u64,
    },
    /// The medium did not answer. Whether anything is damaged is not known.
    #[error("{}: {source}", .path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// In the operating system's words.
        source: io::Error,
    },
}

fn at(offset: Option<u64>) -> String {
    offset.map_or_else(String::new, |offset| format!(" at byte {offset}"))
}

impl OpenError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if let Some(OddFile(problem)) = source.get_ref().and_then(|it| it.downcast_ref()) {
            let problem = problem.clone();
            return Self::OddFile { path, problem };
        }
        match Fault::of(&source) {
            Fault::System => Self::Refused { path, source },
            _ => Self::Io { path, source },
        }
    }

    /// Of a journal whose end was asked for.
    pub(crate) fn journal(failure: impl Into<ReadError>) -> Self {
        match failure.into() {
            error @ (ReadError::Damaged { .. } | ReadError::Undecodable { .. }) => {
                Self::Journal(error)
            }
            error => Self::JournalUnread(error),
        }
    }

    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotADirectory { .. } => "not_a_directory",
            Self::Insecure { .. } => "insecure",
            Self::OddFile { .. } => "odd_file",
            Self::Locked { .. } => "locked",
            Self::NotALedger { .. } => "not_a_ledger",
            Self::FormatTooNew { .. } => "format_too_new",
            Self::FormatTooOld { .. } => "format_too_old",
            Self::UnknownEvent { .. } => "unknown_event",
            Self::OtherLedger { .. } => "other_ledger",
            Self::Damaged { .. } => "damaged",
            Self::AcknowledgedRecordsMissing { .. } => "acknowledged_records_missing",
            Self::Anchor { .. } => "anchor",
            Self::SubjectKey { .. } => "subject_key",
            Self::Journal(_) => "journal_damaged",
            Self::JournalUnread(_) => "journal_unread",
            Self::Database { .. } => "database",
            Self::Limits(_) => "limits",
            Self::History(_) => "history",
            Self::RecordsAfterClose { .. } => "records_after_close",
            Self::BehindCheckpoint { .. } => "behind_checkpoint",
            Self::OtherHistory { .. } => "other_history",
            Self::OtherKey { .. } => "other_key",
            Self::Destination { .. } => "destination",
            Self::Callback(_) => "callback_failed",
            Self::ProjectionName(_) => "projection_name",
            Self::Views(_) => "views",
            Self::Actors(_) => "actors",
            Self::NoRandomness(_) => "no_randomness",
            Self::Sealed(_) => "sealed",
            Self::Refused { .. } => "refused",
            Self::Descriptors { .. } => "descriptors",
            Self::Io { .. } => "io",
        }
    }

    /// Whether opening again can help as things are: an opening that failed wrote nothing that a
    /// second one would have to look up.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            // The holder of the lock may release it; the medium, the engine or the system may
            // recover.
            Self::Locked { .. }
            | Self::Io { .. }
            | Self::Refused { .. }
            | Self::Descriptors { .. }
            | Self::JournalUnread(_)
            | Self::Database { .. }
            | Self::Views(_)
            | Self::Actors(_)
            | Self::NoRandomness(_)
            | Self::Sealed(_) => Retry::Safe,
            Self::Journal(_) => Retry::Never,
            Self::NotADirectory { .. }
            | Self::Insecure { .. }
            | Self::OddFile { .. }
            | Self::NotALedger { .. }
            | Self::FormatTooNew { .. }
            | Self::FormatTooOld { .. }
            | Self::UnknownEvent { .. }
            | Self::OtherLedger { .. }
            | Self::Damaged { .. }
            | Self::AcknowledgedRecordsMissing { .. }
            | Self::Anchor { .. }
            | Self::SubjectKey { .. }
            | Self::Limits(_)
            | Self::RecordsAfterClose { .. }
            | Self::ProjectionName(_)
            | Self::BehindCheckpoint { .. }
            | Self::OtherHistory { .. }
            | Self::OtherKey { .. }
            | Self::Destination { .. }
            | Self::Callback(_)
            | Self::History(_) => Retry::Never,
        }
    }
}
