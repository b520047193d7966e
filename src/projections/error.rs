// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with views; none of it touches the journal.

use std::io;
use std::path::{Path, PathBuf};

use crate::database::{Damage, Meaning};
use crate::error::{Cause, Fault, Retry};

use super::segments::SegmentError;

/// Views could not be set up at all.
///
/// Example: [`projections`](crate::projections).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewsOpenError {
    /// A projection's name is not 1 to 64 of `a-z`, `0-9` and `_`, or is given twice.
    #[error("projection name {0:?} is not usable or is given twice")]
    Name(String),
    /// A projection panicked where it was asked for its name or version.
    #[error("projection {number}: {cause}")]
    Projection {
        /// Its place among those that were given, from 1.
        number: usize,
        /// What it panicked with.
        cause: String,
    },
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl ViewsOpenError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "projection_name",
            Self::Projection { .. } => "projection_panicked",
            Self::Io { .. } => "io",
        }
    }
}

/// A projection cannot take a record into its view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectionError {
    /// The view's stored state is not readable or makes no sense. Where its files are damaged, or it is a built-in
    /// view's, the view is set aside and made again; else it halts.
    #[error("view is damaged: {0}")]
    Damaged(#[source] Cause),
    /// The view's stored state could not be read, which says nothing of it: the view is opened again.
    #[error("view could not be read: {0}")]
    Unread(#[source] Cause),
    /// The record contradicts what the projection knows: the view halts before it.
    #[error("record cannot be projected: {0}")]
    Refused(#[source] Cause),
    /// A change exceeds a limit of [`super::ViewBatch`]: the view halts before the record.
    #[error("a {what} has {bytes} bytes, {max} at most are taken")]
    TooLarge {
        /// What: `key`, `value`, or all changes of one `commit`.
        what: &'static str,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        max: usize,
    },
}

impl ProjectionError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Damaged(_) => "view_damaged",
            Self::Unread(_) => "view_unread",
            Self::Refused(_) => "record_refused",
            Self::TooLarge { .. } => "view_too_large",
        }
    }
}

/// A view has no answer to give.
///
/// Example: `tests/projections/closing.rs`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The view is being made and nothing serves in its stead.
    #[error("view is being rebuilt: {done} of {total} records")]
    Building {
        /// Records read.
        done: u64,
        /// Records to read.
        total: u64,
    },
    /// The view stopped and says why; rebuilding it on demand starts it again.
    #[error("view is halted: {cause}")]
    Halted {
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The view did not reach the wanted position in time.
    #[error("view is at {position}, wanted {wanted}")]
    Behind {
        /// Where it stands.
        position: u64,
        /// Where it should have been.
        wanted: u64,
    },
    /// The view's files are damaged; it is being set aside and rebuilt.
    #[error("view is damaged and will be rebuilt: {0}")]
    Damaged(#[source] Cause),
    /// The system refused or the medium did not answer: nothing says that the view is damaged.
    #[error("view could not be read: {0}")]
    Unread(#[source] Cause),
    /// A configuration document's stored content is not what its digest says. Never replaced by
    /// a default (FC-STORAGE §8).
    #[error("configuration document {document:?} version {version} fails its digest")]
    ContentDamaged {
        /// The document.
        document: String,
        /// Its version.
        version: u64,
    },
    /// The journal could not be read.
    #[error("journal: {0}")]
    Source(#[source] Cause),
    /// The ledger was closed.
    #[error("views are closed")]
    Closed,
}

impl ViewError {
    /// A stable word for programs and metric labels.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Building { .. } => "view_building",
            Self::Halted { .. } => "view_halted",
            Self::Behind { .. } => "view_behind",
            Self::Damaged(_) => "view_damaged",
            Self::Unread(_) => "view_unread",
            Self::ContentDamaged { .. } => "content_damaged",
            Self::Source(_) => "journal_unreadable",
            Self::Closed => "closed",
        }
    }

    /// Whether reading again can help. A view that is halted goes on by itself where the system or the
    /// journal kept it from that; where its projection refused, it wants `rebuild_view`.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Building { .. }
            | Self::Halted { .. }
            | Self::Behind { .. }
            | Self::Damaged(_)
            | Self::Unread(_) => Retry::Safe,
            Self::ContentDamaged { .. } | Self::Source(_) => Retry::Never,
            Self::Closed => Retry::AfterReopen,
        }
    }
}

/// Why the runner cannot go on with the database it has.
#[derive(Debug)]
pub(super) enum HaltReason {
    /// The files are not what was written: set aside, make again.
    Damage(String),
    /// The system refuses (no descriptors, full, read-only): nothing wrong with what is there; wait.
    Medium(String),
    /// The medium does not answer, or the engine stopped and does not say why: wait, and read every byte
    /// before going on, so that damage is told from it.
    Unknown(String),
    /// The engine panicked. It asserts where files are not what it wrote, and where the system refuses.
    Panic(String),
    /// The journal cannot be read just now; the views are as good as they were.
    Source(String),
}

impl HaltReason {
    pub(super) fn cause(&self) -> &str {
        match self {
            Self::Damage(cause)
            | Self::Medium(cause)
            | Self::Unknown(cause)
            | Self::Panic(cause)
            | Self::Source(cause) => cause,
        }
    }

    /// Of closed views that somebody ordered to be made again: what nobody can read is set aside for that,
    /// and kept.
    pub(super) fn when_ordered(self) -> Self {
        match self {
            Self::Unknown(cause) => Self::Damage(format!(
                "they cannot be read, and were ordered to be made again: {cause}"
            )),
            other => other,
        }
    }

    /// A call of the operating system failed.
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        Self::of(Fault::of(error), format!("{}: {error}", path.display()))
    }

    fn of(fault: Fault, cause: String) -> Self {
        match fault {
            Fault::Bytes => Self::Damage(cause),
            Fault::System => Self::Medium(cause),
            Fault::Unknown => Self::Unknown(cause),
        }
    }
}

impl From<Damage> for HaltReason {
    fn from(damage: Damage) -> Self {
        match damage.meaning() {
            Meaning::Damaged | Meaning::EngineFault => Self::Damage(damage.to_string()),
            Meaning::Unread(fault) => Self::of(fault, damage.to_string()),
        }
    }
}

impl From<SegmentError> for HaltReason {
    fn from(error: SegmentError) -> Self {
        match &error {
            SegmentError::Damaged { .. } => Self::Damage(error.to_string()),
            SegmentError::Io { path, source } => Self::io(path, source),
        }
    }
}

impl From<SegmentError> for ProjectionError {
    fn from(error: SegmentError) -> Self {
        match error {
            error @ SegmentError::Damaged { .. } => Self::Damaged(Cause::of(error)),
            error @ SegmentError::Io { .. } => Self::Unread(Cause::of(error)),
        }
    }
}

impl From<SegmentError> for ViewError {
    fn from(error: SegmentError) -> Self {
        ProjectionError::from(error).into()
    }
}

impl From<ProjectionError> for ViewError {
    fn from(error: ProjectionError) -> Self {
        match error {
            ProjectionError::Damaged(cause) => Self::Damaged(cause),
            ProjectionError::Unread(cause) => Self::Unread(cause),
            ProjectionError::Refused(cause) => Self::Halted { cause },
            error @ ProjectionError::TooLarge { .. } => Self::Halted {
                cause: Cause::of(error),
            },
        }
    }
}
