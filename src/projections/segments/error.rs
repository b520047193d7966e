// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with a segment.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::Fault;

/// A segment was not read or not written.
#[derive(Debug, thiserror::Error)]
pub(in crate::projections) enum SegmentError {
    /// The file is not the one that was written: truncated, edited, swapped, or no file at all. The journal has
    /// everything that was in it.
    #[error("segment {path} is damaged at byte {offset}: {problem}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where the part begins that is not as it was written.
        offset: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The system refused or the medium did not answer: nothing says that the file is damaged.
    #[error("segment {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SegmentError {
    /// What an error says of the bytes at `offset`, in the one place that decides it ([`Fault`]). A segment that
    /// somebody looks for was vouched for, so one that is not there is damage.
    pub(super) fn read(path: &Path, offset: u64, source: io::Error) -> Self {
        let problem = match source.kind() {
            io::ErrorKind::UnexpectedEof => "truncated file",
            io::ErrorKind::NotFound => "no such file",
            _ if Fault::of(&source) == Fault::Bytes => "no regular file",
            _ => return Self::io(path, source),
        };
        Self::damaged(path, offset, problem)
    }

    pub(super) fn damaged(path: &Path, offset: u64, problem: &'static str) -> Self {
        let path = path.to_owned();
        Self::Damaged {
            path,
            offset,
            problem,
        }
    }

    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io { path, source }
    }

    /// What it says about the bytes that were asked for.
    pub(in crate::projections) fn fault(&self) -> Fault {
        match self {
            Self::Damaged { .. } => Fault::Bytes,
            Self::Io { source, .. } => Fault::of(source),
        }
    }
}
