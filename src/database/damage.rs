// SPDX-License-Identifier: Apache-2.0
//! What is wrong with a closed database, and where; or that nobody can tell.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Fault, OpenError};

/// What the engine states of a table by mistake.
const ENGINE: &str = "every block of the table is right, and the engine states another checksum of the whole: it met a short write";

#[derive(Debug)]
pub(crate) struct Damage {
    path: PathBuf,
    problem: DamageKind,
}

#[derive(Debug)]
enum DamageKind {
    Found {
        offset: Option<u64>,
        what: String,
    },
    /// The bytes are those that were written, and the engine states otherwise.
    Engine,
    /// The system refused or the medium did not answer: nothing is known.
    Io(io::Error),
}

/// What is to be made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Bytes are not those that were written, or are missing.
    Damaged,
    /// Nothing is wrong but what the engine states.
    EngineFault,
    /// It could not be read, for this reason: that is no damage.
    Unread(Fault),
}

impl Damage {
    pub(crate) fn of(path: &Path, what: impl Into<String>) -> Self {
        let (offset, what) = (None, what.into());
        Self {
            path: path.to_owned(),
            problem: DamageKind::Found { offset, what },
        }
    }

    pub(crate) fn at(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        let (offset, what) = (Some(offset), what.into());
        Self {
            path: path.to_owned(),
            problem: DamageKind::Found { offset, what },
        }
    }

    /// A table whose checksum alone is wrong.
    pub(super) fn engine(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            problem: DamageKind::Engine,
        }
    }

    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        // What must be there and is not, or is shorter, is damage; all else says nothing of the bytes.
        if error.kind() == io::ErrorKind::NotFound {
            return Self::of(path, "it is missing");
        }
        if Fault::of(&error) == Fault::Bytes {
            return Self::of(path, format!("it is not what the engine writes: {error}"));
        }
        Self {
            path: path.to_owned(),
            problem: DamageKind::Io(error),
        }
    }

    pub(crate) fn meaning(&self) -> Meaning {
        match &self.problem {
            DamageKind::Found { .. } => Meaning::Damaged,
            DamageKind::Engine => Meaning::EngineFault,
            DamageKind::Io(error) => Meaning::Unread(Fault::of(error)),
        }
    }

    /// The operating system's error, where there is nothing but that.
    pub(super) const fn unread(&self) -> Option<&io::Error> {
        match &self.problem {
            DamageKind::Io(error) => Some(error),
            _ => None,
        }
    }

    /// The file, and where in it.
    pub(crate) fn place(&self) -> (PathBuf, Option<u64>) {
        let offset = match &self.problem {
            DamageKind::Found { offset, .. } => *offset,
            _ => None,
        };
        (self.path.clone(), offset)
    }

    /// What it is, without the place.
    pub(crate) fn what(&self) -> String {
        match &self.problem {
            DamageKind::Found { what, .. } => what.clone(),
            DamageKind::Engine => ENGINE.to_owned(),
            DamageKind::Io(error) => format!("it cannot be read: {error}"),
        }
    }
}

impl Damage {
    /// The file, the byte where one can be named, and what is wrong.
    pub(super) fn parts(self) -> (PathBuf, Option<u64>, String) {
        match self.problem {
            DamageKind::Found { offset, what } => (self.path, offset, what),
            DamageKind::Engine => (self.path, None, ENGINE.to_owned()),
            DamageKind::Io(error) => (self.path, None, format!("it cannot be read: {error}")),
        }
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.problem {
            DamageKind::Found { offset, what } => {
                f.write_str(what)?;
                offset.map_or(Ok(()), |at| write!(f, " (byte {at})"))
            }
            DamageKind::Engine => f.write_str(ENGINE),
            DamageKind::Io(error) => error.fmt(f),
        }
    }
}

impl From<Damage> for OpenError {
    fn from(Damage { path, problem }: Damage) -> Self {
        match problem {
            DamageKind::Found { offset, what } => Self::Damaged {
                path,
                offset,
                problem: what,
            },
            DamageKind::Engine => Self::Database {
                path,
                cause: ENGINE.into(),
            },
            DamageKind::Io(source) => Self::io(&path, source),
        }
    }
}
