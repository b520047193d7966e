// SPDX-License-Identifier: Apache-2.0
//! A new journal made of frames that exist. Nobody is told of anything before all of it is durable, so
//! there is one sync at the end and not one a frame.

use std::path::Path;

use fjall::PersistMode;

use super::append_rules::JournalStanding;
use super::error::{AppendFailure, ReadFailure};
use super::fjall::{FRAMES, JournalOptions, key};
use super::{Frame, Head};
use crate::database;
use crate::error::OpenError;

/// The journal was not made; what is there of it is worth nothing.
#[derive(Debug)]
pub(crate) enum FillError {
    /// A frame could not be read.
    Read(ReadFailure),
    /// A frame does not follow the one before it.
    Frame(AppendFailure),
    /// The engine or the medium refused.
    Write(OpenError),
}

/// Makes a journal in `path`, which does not exist, of these frames. Durable when it returns, all but
/// its name.
pub(crate) fn create_filled(
    path: &Path,
    options: &JournalOptions,
    frames: impl Iterator<Item = Result<Frame, ReadFailure>>,
) -> Result<Head, FillError> {
    let keyspace = database::journal_keyspace(options.memtable_bytes);
    database::create(path, &[(FRAMES, keyspace.clone())]).map_err(FillError::Write)?;
    let opened =
        database::open(path, options.cache_bytes, options.files_max).map_err(FillError::Write)?;
    let engine = |error: fjall::Error| FillError::Write(database::engine_error(path, error));
    let kept = opened.keyspace(FRAMES, || keyspace).map_err(engine)?;
    let mut standing = JournalStanding::default();
    for frame in frames {
        let frame = frame.map_err(FillError::Read)?;
        standing
            .admit(&frame, &standing.head)
            .map_err(FillError::Frame)?;
        let mut batch = opened.batch().durability(Some(PersistMode::Buffer));
        batch.insert(&kept, key(frame.first), frame.buffer());
        batch.commit().map_err(engine)?;
        standing = JournalStanding::after(&frame);
    }
    opened.persist(PersistMode::SyncAll).map_err(engine)?;
    // Joins its threads: nothing writes there any more.
    drop((kept, opened));
    let finish = || {
        database::restrict(path)?;
        database::sync_tree(path)
    };
    finish().map_err(|error| FillError::Write(OpenError::io(path, error)))?;
    Ok(standing.head)
}
