// SPDX-License-Identifier: Apache-2.0
//! The one place that knows how the engine creates, keeps and opens a database, for
//! `journal/`; tied to the engine's exact version (`tests/preflight/engine.rs`).
//!
//! The engine does not survive a crash while it creates a database, does not sync the directories
//! of new keyspaces, and makes its files readable for everyone; so a database is created under
//! another name in a private directory, synced as a whole, renamed, and restricted at every
//! opening. It does not check everything that it reads either: [`preflight`] does, before it opens.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy, PinningPolicy};
use fjall::{CompressionType, Database, KeyspaceCreateOptions};

use crate::error::{Cause, Fault, OpenError, again};

mod batch;
mod blocks;
mod buffer;
mod damage;
mod durable;
mod fault;
pub(crate) mod files;
mod files_max;
mod free_space;
mod inspection;
pub(crate) mod offline_reader;
mod preflight;
pub(crate) mod structure;
mod table;
mod tables;
pub(crate) mod wal;

pub(crate) use buffer::ValueBuffer;
pub(crate) use damage::{Damage, Meaning};
pub(crate) use durable::{
    LOST_AND_FOUND, PRIVATE_DIRECTORY, PRIVATE_FILE, create_private, ensure_private, restrict,
    sync_parent, sync_tree,
};
pub(crate) use fault::fault;
pub(crate) use files::{creating, replace};
pub(crate) use files_max::{are_short, files_each};
pub use free_space::{Space, SystemSpace};
pub(crate) use inspection::{Inspection, OpenLog, is_named, look_through};
pub use preflight::TornTail;
pub(crate) use preflight::inspect;
pub(crate) use tables::{Table, TableReading};

/// Of two, the first does nothing but ask, as often as it can, whether the second still compacts, and here every table
/// moves down as it is. With more than two, a full disk under backpressure can hang a commit for ever.
const WORKER_THREADS: usize = 1;
/// As much as a small table.
const PROBE_BYTES: usize = 64 << 10;
const CREATION_CACHE_BYTES: u64 = 1 << 20;

/// Options of the journal's keyspace, frozen at its creation: frames are large, already hashed,
/// and only ever found by range, so neither compression nor filters earn their keep. Index blocks are
/// pinned by default, and stay so in tables that move down without being written again, which here are all of them:
/// memory would grow with the history.
pub(crate) fn journal_keyspace(memtable_bytes: u64) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(memtable_bytes)
        .data_block_size_policy(BlockSizePolicy::all(16 << 10))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
        .filter_policy(FilterPolicy::disabled())
        .index_block_pinning_policy(PinningPolicy::all(false))
        .with_kv_separation(None)
}

/// The same place whatever directory the process is in: one that goes to another finds its files all the
/// same. Symbolic links are left as they are.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, OpenError> {
    std::path::absolute(path).map_err(|error| OpenError::io(path, error))
}

/// Whether there is anything at `path`.
pub(crate) fn exists(path: &Path) -> Result<bool, OpenError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(OpenError::io(path, error)),
    }
}

/// Opens the database in `path`, which exists.
pub(crate) fn open(path: &Path, cache_bytes: u64, files_max: usize) -> Result<Database, OpenError> {
    let database = build(path, cache_bytes, files_max)?;
    // After the engine: what it made just now, and what a process left that was killed.
    restrict(path).map_err(|source| OpenError::io(path, source))?;
    Ok(database)
}

/// Creates a database with these keyspaces: they get the numbers 1, 2 and so on. A crash leaves
/// nothing or all of it.
pub(crate) fn create(
    path: &Path,
    keyspaces: &[(&str, KeyspaceCreateOptions)],
) -> Result<(), OpenError> {
    let creating = creating(path);
    if creating.symlink_metadata().is_ok() {
        // Never renamed, so never served: there is nothing in it to keep.
        fs::remove_dir_all(&creating).map_err(|source| OpenError::io(&creating, source))?;
    }
    create_private(&creating).map_err(|source| OpenError::io(&creating, source))?;
    let database = build(&creating, CREATION_CACHE_BYTES, files_max::FILES_MIN)?;
    for (name, options) in keyspaces {
        let created = database.keyspace(name, || options.clone());
        drop(created.map_err(|error| engine_error(&creating, error))?);
    }
    drop(database);
    let finish = || {
        restrict(&creating)?;
        sync_tree(&creating)?;
        fs::rename(&creating, path)?;
        sync_parent(path)
    };
    finish().map_err(|source| OpenError::io(path, source))
}

fn build(path: &Path, cache_bytes: u64, files_max: usize) -> Result<Database, OpenError> {
    Database::builder(path)
        .worker_threads(WORKER_THREADS)
        .cache_size(cache_bytes)
        .max_cached_files(Some(files_max.max(files_max::FILES_MIN)))
        .journal_compression(CompressionType::None)
        .open()
        .map_err(|error| engine_error(path, error))
}

/// Why the engine stopped, as far as that can be found out: its threads keep it to themselves, so
/// the medium is asked whether it takes anything.
pub(crate) fn poisoned(path: &Path) -> Cause {
    let probe = path.with_file_name("probe.creating");
    let write = || {
        let file = files::create(&probe)?;
        std::os::unix::fs::FileExt::write_all_at(&file, &[1; PROBE_BYTES], 0)?;
        file.sync_all()
    };
    let written: io::Result<()> = write();
    if let Err(error) = fs::remove_file(&probe) {
        tracing::debug!(%error, "the probe stays, until the next opening");
    }
    let free = SystemSpace.free_bytes(path);
    let free = free.map_or_else(
        |error| error.to_string(),
        |free| format!("{free} bytes free"),
    );
    match written {
        Err(error) => Cause::new(
            format!("the engine stopped in the background: {error} ({free})"),
            Fault::of(&error),
        ),
        // The engine's own files may have been the last ones that could be opened.
        Ok(()) if are_short() => Cause::new(
            format!("the engine stopped in the background: no descriptors are left ({free})"),
            Fault::System,
        ),
        Ok(()) => Cause::new(
            format!("the engine stopped in the background; writing works now ({free})"),
            Fault::Unknown,
        ),
    }
}

/// The engine's error, told of a path.
pub(crate) fn engine_error(path: &Path, error: fjall::Error) -> OpenError {
    if let Some(io) = fault::system_error(&error) {
        return match Fault::of(io) {
            Fault::Bytes => Damage::of(path, format!("the engine reports {error}")).into(),
            _ => OpenError::io(path, again(io)),
        };
    }
    match fault(&error) {
        Fault::Bytes => Damage::of(path, format!("the engine reports {error}")).into(),
        _ => OpenError::Database {
            path: path.to_owned(),
            cause: Cause::of(error),
        },
    }
}

#[cfg(test)]
mod tests;
