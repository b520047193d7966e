//! The one place that knows how a database is created and opened, for `journal/` and `views/`.
//!
//! The engine does not survive a crash while it creates a database, does not sync the directories
//! of new keyspaces, and makes its files readable for everyone; so a database is created under
//! another name in a private directory, synced as a whole, renamed, and restricted at every
//! opening.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, Database, KeyspaceCreateOptions};

use crate::error::OpenError;

/// More than two and a full disk under back-pressure can hang a commit for ever.
const WORKER_THREADS: usize = 2;
/// Present in every database that was created to the end.
const VERSION_MARKER: &str = "version";

pub(crate) const PRIVATE_DIRECTORY: u32 = 0o700;
pub(crate) const PRIVATE_FILE: u32 = 0o600;

/// Options of the journal's keyspace, frozen at its creation: frames are large, already hashed,
/// and only ever found by range, so neither compression nor filters earn their keep.
pub(crate) fn journal_keyspace(memtable_bytes: u64) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(memtable_bytes)
        .data_block_size_policy(BlockSizePolicy::all(16 << 10))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
        .filter_policy(FilterPolicy::disabled())
        .with_kv_separation(None)
}

/// Opens the database in `path`; creates it with these keyspaces where there is none.
pub(crate) fn open(
    path: &Path,
    cache_bytes: u64,
    keyspaces: &[(&str, KeyspaceCreateOptions)],
) -> Result<Database, OpenError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(path, cache_bytes, keyspaces)?;
        }
        Err(error) => return Err(OpenError::io(path, error)),
        // The engine would take it for a new database and start an empty one.
        Ok(_) if !path.join(VERSION_MARKER).exists() => {
            return Err(OpenError::Damaged {
                path: path.to_owned(),
                problem: "it is not a database, or lacks its version file".into(),
            });
        }
        Ok(_) => {}
    }
    let database = build(path, cache_bytes)?;
    // After the engine: what it made just now, and what a process left that was killed.
    restrict(path).map_err(|source| OpenError::io(path, source))?;
    Ok(database)
}

fn create(
    path: &Path,
    cache_bytes: u64,
    keyspaces: &[(&str, KeyspaceCreateOptions)],
) -> Result<(), OpenError> {
    let creating = creating(path);
    if creating.symlink_metadata().is_ok() {
        // Never renamed, so never served: there is nothing in it to keep.
        fs::remove_dir_all(&creating).map_err(|source| OpenError::io(&creating, source))?;
    }
    create_private(&creating).map_err(|source| OpenError::io(&creating, source))?;
    let database = build(&creating, cache_bytes)?;
    for (name, options) in keyspaces {
        let created = database.keyspace(name, || options.clone());
        drop(created.map_err(|error| engine_error(&creating, &error))?);
    }
    drop(database);
    let finish = || {
        sync_tree(&creating)?;
        fs::rename(&creating, path)?;
        sync_parent(path)
    };
    finish().map_err(|source| OpenError::io(path, source))
}

/// The name under which a database is made before it counts.
fn creating(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".creating");
    path.with_file_name(name)
}

fn build(path: &Path, cache_bytes: u64) -> Result<Database, OpenError> {
    Database::builder(path)
        .worker_threads(WORKER_THREADS)
        .cache_size(cache_bytes)
        .journal_compression(CompressionType::None)
        .open()
        .map_err(|error| engine_error(path, &error))
}

/// The engine's error, told of a path.
pub(crate) fn engine_error(path: &Path, error: &fjall::Error) -> OpenError {
    let raw_os_error = match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
            error.raw_os_error()
        }
        _ => None,
    };
    match raw_os_error {
        Some(code) => OpenError::io(path, io::Error::from_raw_os_error(code)),
        None => OpenError::Database {
            path: path.to_owned(),
            cause: error.to_string(),
        },
    }
}

/// Creates a directory that only its owner can enter, whatever the umask.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path)
}

/// Takes every right from group and others, down from `path`. Files that vanish meanwhile (the
/// engine's threads remove what they have compacted) are no error.
pub(crate) fn restrict(path: &Path) -> io::Result<()> {
    walk(path, &mut |entry, is_directory| {
        let mode = if is_directory {
            PRIVATE_DIRECTORY
        } else {
            PRIVATE_FILE
        };
        let permissions = entry.symlink_metadata()?.permissions();
        if permissions.mode() & 0o7777 == mode {
            return Ok(());
        }
        fs::set_permissions(entry, Permissions::from_mode(mode))
    })
}

fn sync_tree(path: &Path) -> io::Result<()> {
    walk(path, &mut |entry, _| File::open(entry)?.sync_all())
}

/// Makes a name in its directory durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Visits files before their directory. Symbolic links are left alone.
fn walk(path: &Path, visit: &mut dyn FnMut(&Path, bool) -> io::Result<()>) -> io::Result<()> {
    let vanished = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    };
    let kind = match path.symlink_metadata() {
        Ok(metadata) => metadata.file_type(),
        Err(error) => return vanished(error),
    };
    if kind.is_symlink() {
        return Ok(());
    }
    if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), visit)?;
        }
    }
    visit(path, kind.is_dir()).or_else(vanished)
}
