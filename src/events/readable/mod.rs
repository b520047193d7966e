// SPDX-License-Identifier: Apache-2.0
//! How values read in serde's formats for people, such as JSON: the table in [`crate::events`]. A binary format, as on
//! disk, holds what it always held: `is_human_readable` decides.

pub(crate) mod bytes;
mod debug;
pub(crate) mod hex;
pub(crate) mod root;
pub(crate) mod time;
pub(crate) mod words;

pub(crate) use debug::{as_read, debug_as_read};

#[cfg(feature = "engine")]
use std::path::{Path, PathBuf};

#[cfg(feature = "engine")]
use serde::Serializer;

/// A path; what of it is no UTF-8 is replaced, since a report must be readable whatever a file is called.
#[cfg(feature = "engine")]
pub(crate) fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// Several of them.
#[cfg(feature = "engine")]
pub(crate) fn paths<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}
