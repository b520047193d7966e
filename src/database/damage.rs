//! What is wrong with a closed database, and where.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;

#[derive(Debug)]
pub(crate) struct Damage {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Found {
        offset: Option<u64>,
        what: String,
    },
    /// The medium did not answer: nothing is known.
    Io(io::Error),
}

impl Damage {
    pub(crate) fn of(path: &Path, what: impl Into<String>) -> Self {
        let (offset, what) = (None, what.into());
        Self {
            path: path.to_owned(),
            problem: Problem::Found { offset, what },
        }
    }

    pub(super) fn at(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        let (offset, what) = (Some(offset), what.into());
        Self {
            path: path.to_owned(),
            problem: Problem::Found { offset, what },
        }
    }

    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        // What must be there and is not, is damage; all else is the medium's word.
        if error.kind() == io::ErrorKind::NotFound {
            return Self::of(path, "it is missing");
        }
        Self {
            path: path.to_owned(),
            problem: Problem::Io(error),
        }
    }
}

impl Damage {
    /// The file, the byte where one can be named, and what is wrong.
    pub(super) fn parts(self) -> (PathBuf, Option<u64>, String) {
        match self.problem {
            Problem::Found { offset, what } => (self.path, offset, what),
            Problem::Io(error) => (self.path, None, error.to_string()),
        }
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.problem {
            Problem::Found { offset, what } => {
                f.write_str(what)?;
                offset.map_or(Ok(()), |at| write!(f, " (byte {at})"))
            }
            Problem::Io(error) => error.fmt(f),
        }
    }
}

impl From<Damage> for OpenError {
    fn from(Damage { path, problem }: Damage) -> Self {
        match problem {
            Problem::Found { offset, what } => Self::Damaged {
                path,
                offset,
                problem: what,
            },
            Problem::Io(source) => Self::Io { path, source },
        }
    }
}
