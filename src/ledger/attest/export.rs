// SPDX-License-Identifier: Apache-2.0
//! An export of the whole tree as static files, for whoever is to check it, and for a web server
//! while the ledger goes on.
//!
//! The file `checkpoint` is the commit point: it is replaced when everything that it covers is
//! durable, and what an earlier one covers is still there. A run that was cut short leaves files
//! that nothing points to, and the next one writes them again.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::database::{
    PRIVATE_DIRECTORY, PRIVATE_FILE, absolute, create_private, creating, files, replace,
    sync_parent,
};
use crate::error::Cause;
use crate::events::{HEADER_LEN, Record, Seq};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::export::{CHECKPOINT_PATH, Exporter};
use crate::integrity::merkle::{self, Tile};
use crate::integrity::note::{NOTE_BYTES_MAX, Note};

use super::checkpoints::CheckpointError;
use super::checkpoints::Signing;
use crate::ledger::root::Root;

/// The only thing beside the checkpoint that an export has.
const TILES: &str = "tile";

impl Root {
    /// Writes an export of every record that `checkpoint` covers into the directory `path`: C2SP
    /// `tlog-tiles`, static files that any web server can serve and `femtoclaw-ledger verify
    /// export` checks. Headers only: ids, times, kinds and sizes, no payload and no salt. The files
    /// are readable by their owner alone until somebody publishes them.
    ///
    /// Where `path` holds an earlier export of this ledger, only what is new is written, and reading
    /// takes as long as that: a web server can go on serving it meanwhile. Files of the earlier
    /// export are not checked again.
    ///
    /// # Errors
    /// `NotOurs`, also where `path` holds another ledger's export; `Rewritten` where the records are
    /// not those of the checkpoint, or of the one in `path`; `Export`, also where `path` holds
    /// something else, or a checkpoint over more records. The export is as it was before.
    ///
    /// Cancelling the call ends the wait; an export that has begun is written to its end.
    pub async fn export(
        &self,
        checkpoint: &Note,
        path: impl AsRef<Path>,
    ) -> Result<(), CheckpointError> {
        let signing = self.signing().clone();
        let own = signing.checkpoints.own(checkpoint)?;
        let (note, path) = (checkpoint.clone(), absolute(path.as_ref()));
        let path = path.map_err(failed)?;
        // One after the other, and no thread is held by the one that waits.
        let exporting = Arc::clone(&signing.checkpoints.exporting)
            .lock_owned()
            .await;
        let reached = signing.checkpoints.reached(own.size()).await;
        reached.map_err(CheckpointError::Tree)?;
        let work = move || {
            let _one = exporting;
            write(&signing, &own, &note, &path)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| CheckpointError::Stopped)?
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> CheckpointError {
    CheckpointError::Export(Cause::of(error))
}

fn write(
    signing: &Signing,
    own: &Checkpoint,
    note: &Note,
    path: &Path,
) -> Result<(), CheckpointError> {
    let completed = signing.checkpoints.completed(note, own.size());
    let mut note = completed.map_err(CheckpointError::Tree)?;
    let before = published(signing, path)?;
    let from = match &before {
        Some((there, _)) if there.size() > own.size() => {
            let size = there.size();
            let problem = format!("an existing export covers {size} records");
            return Err(CheckpointError::Export(problem.into()));
        }
        Some((there, kept)) => {
            note.merge(kept);
            there.size()
        }
        None => 0,
    };
    let mut files = ExportFiles::new(path);
    if before.is_none() || from < own.size() {
        grow(signing, own, &note, from, &mut files)?;
    } else {
        let cosigned = note.to_string().into_bytes();
        files.publish(&cosigned).map_err(failed)?;
    }
    sync_parent(path).map_err(failed)?;
    superseded(path, from, own.size()).map_err(failed)
}

/// The checkpoint of the export that is there, which the records must extend; makes the directory
/// where there is nothing.
fn published(
    signing: &Signing,
    path: &Path,
) -> Result<Option<(Checkpoint, Note)>, CheckpointError> {
    if !path.exists() {
        create_private(path).map_err(failed)?;
    }
    let file = match files::open(&path.join(CHECKPOINT_PATH)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return unfinished(path).map(|()| None).map_err(failed);
        }
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    let mut file = file.take(NOTE_BYTES_MAX as u64 + 1);
    file.read_to_end(&mut bytes).map_err(failed)?;
    let note = Note::parse(&bytes).map_err(failed)?;
    let there = signing.checkpoints.own(&note)?;
    let size = there.size();
    let root = signing
        .checkpoints
        .tree
        .read(|tree| merkle::root(tree, size))
        .map_err(CheckpointError::Tree)?;
    if root != *there.root() {
        return Err(CheckpointError::Rewritten(size));
    }
    Ok(Some((there, note)))
}

/// Nothing but what a run that was cut short has left.
fn unfinished(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != TILES && Path::new(&name) != creating(Path::new(CHECKPOINT_PATH)) {
            let problem = format!("{} is there, and no export of this ledger", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
        }
    }
    Ok(())
}

/// Writes a new export of a ledger with these records.
pub(in crate::ledger) fn write_new<E: std::error::Error + Send + Sync + 'static>(
    records: impl Iterator<Item = Result<Record, E>>,
    own: &Checkpoint,
    note: &Note,
    path: &Path,
) -> Result<(), CheckpointError> {
    if path.join(CHECKPOINT_PATH).exists() {
        let problem = format!("{} exists", path.display());
        return Err(CheckpointError::Export(problem.into()));
    }
    if path.exists() {
        unfinished(path).map_err(failed)?;
    } else {
        create_private(path).map_err(failed)?;
    }
    fill(
        Exporter::default(),
        records,
        own,
        note,
        &mut ExportFiles::new(path),
    )?;
    sync_parent(path).map_err(failed)
}

/// Writes the files that an export over `from` records lacks.
fn grow(
    signing: &Signing,
    own: &Checkpoint,
    note: &Note,
    from: u64,
    files: &mut ExportFiles,
) -> Result<(), CheckpointError> {
    let resumed = match from {
        0 => Ok(Exporter::default()),
        from => signing
            .checkpoints
            .tree
            .read(|tree| Exporter::resume(tree, from)),
    };
    let exporter = resumed.map_err(CheckpointError::Tree)?;
    let next = Seq::new(exporter.tree().size() + 1).unwrap_or(Seq::FIRST);
    fill(exporter, signing.core.reader.range(next), own, note, files)
}

fn fill<E: std::error::Error + Send + Sync + 'static>(
    mut exporter: Exporter,
    records: impl Iterator<Item = Result<Record, E>>,
    own: &Checkpoint,
    note: &Note,
    files: &mut ExportFiles,
) -> Result<(), CheckpointError> {
    for record in records {
        if exporter.tree().size() >= own.size() {
            break;
        }
        let mut header = Vec::with_capacity(HEADER_LEN);
        record.map_err(failed)?.header.encode_into(&mut header);
        let added = exporter.append(&header, |name, bytes| files.put(&name, &bytes));
        added.map_err(failed)?;
    }
    let tree = exporter.tree().frontier();
    if (tree.size(), tree.root()) != (own.size(), *own.root()) {
        return Err(CheckpointError::Rewritten(own.size()));
    }
    let put = |name: String, bytes: Vec<u8>| match name.as_str() {
        CHECKPOINT_PATH => files.publish(&bytes),
        name => files.put(name, &bytes),
    };
    exporter.finish(note, put).map_err(failed)
}

/// Takes partial tiles away that are full ones now; a server gives those to whoever asks for the
/// former.
fn superseded(path: &Path, from: u64, size: u64) -> io::Result<()> {
    for level in 0..8 {
        let hashes = from.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let before = Tile::in_tree(level, hashes / 256, from).filter(|tile| !tile.is_full());
        let Some(tile) = before.map(Tile::full) else {
            continue;
        };
        if Tile::in_tree(level, tile.index(), size) != Some(tile) {
            continue;
        }
        for of in [Tile::path, Tile::entries_path] {
            if of(tile) == tile.entries_path() && level > 0 {
                continue;
            }
            match fs::remove_dir_all(path.join(of(tile) + ".p")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// A directory of the export, made where it is missing.
fn real(directory: &Path) -> io::Result<()> {
    match create_private(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            files::check_directory(directory)
        }
        made => made,
    }
}

/// Writes files that appear whole, and remembers whose names are not durable yet.
struct ExportFiles {
    root: PathBuf,
    directories: BTreeSet<PathBuf>,
}

impl ExportFiles {
    fn new(root: &Path) -> Self {
        let root = root.to_owned();
        let directories = BTreeSet::new();
        Self { root, directories }
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        if let Some(parent) = path.parent() {
            let inside = parent.ancestors().take_while(|it| *it != self.root);
            let inside: Vec<_> = inside.map(Path::to_owned).collect();
            if !self.directories.contains(parent) {
                // Each by itself: a link among them would lead out of the export.
                inside.iter().rev().try_for_each(|it| real(it))?;
            }
            self.directories.extend(inside);
        }
        let creating = creating(&path);
        let mut file = files::create(&creating)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&creating, &path)
    }

    /// Makes everything before it durable, and then the checkpoint what is served: the commit point.
    fn publish(&self, checkpoint: &[u8]) -> io::Result<()> {
        let mut directories = self.directories.iter().rev();
        directories.try_for_each(|directory| files::open_directory(directory)?.sync_all())?;
        files::open_directory(&self.root)?.sync_all()?;
        replace(&self.root.join(CHECKPOINT_PATH), checkpoint)
    }
}

/// A new file, its owner's alone.
pub(in crate::ledger) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(PRIVATE_DIRECTORY);
        builder.create(parent)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(PRIVATE_FILE);
    options.open(path)?.write_all(bytes)
}
