//! An export of the whole tree as static files, for whoever is to check it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::database::{PRIVATE_DIRECTORY, PRIVATE_FILE, create_private, sync_parent};
use crate::events::{HEADER_LEN, Seq};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::export::Exporter;
use crate::integrity::note::Note;
use crate::journal::Reader;

use super::checkpoints::CheckpointError;
use super::root::Root;

impl Root {
    /// Writes an export of every record that `checkpoint` covers into the new directory `path`:
    /// C2SP `tlog-tiles`, static files that any web server can serve and `femtoclaw-ledger verify
    /// export` checks. Headers only: ids, times, kinds and sizes, no payload and no salt. The files are
    /// readable by their owner alone until somebody publishes them. Reads every frame.
    ///
    /// # Errors
    /// `NotOurs`; `Rewritten` where the records are not those of the checkpoint; `Export`, also
    /// where `path` exists. What was half-written is left under `<path>.creating`.
    pub async fn export(
        &self,
        checkpoint: &Note,
        path: impl AsRef<Path>,
    ) -> Result<(), CheckpointError> {
        let core = Arc::clone(self.core());
        let own = core.checkpoints.own(checkpoint)?;
        let (note, path) = (checkpoint.clone(), path.as_ref().to_owned());
        let work = move || write(&core.reader, &own, &note, &path);
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| CheckpointError::Stopped)?
    }
}

fn failed(error: impl std::fmt::Display) -> CheckpointError {
    CheckpointError::Export(error.to_string())
}

fn write(
    reader: &Reader,
    own: &Checkpoint,
    note: &Note,
    path: &Path,
) -> Result<(), CheckpointError> {
    if path.exists() {
        return Err(failed(format!("{} exists", path.display())));
    }
    let mut creating = path.as_os_str().to_owned();
    creating.push(".creating");
    let creating = Path::new(&creating);
    if creating.exists() {
        fs::remove_dir_all(creating).map_err(failed)?;
    }
    create_private(creating).map_err(failed)?;
    let put = |name: String, bytes: Vec<u8>| put(&creating.join(name), &bytes);
    let mut exporter = Exporter::default();
    for record in reader.range(Seq::FIRST) {
        if exporter.tree().size() >= own.size() {
            break;
        }
        let mut header = Vec::with_capacity(HEADER_LEN);
        record.map_err(failed)?.header.encode_into(&mut header);
        exporter.append(&header, put).map_err(failed)?;
    }
    let tree = exporter.tree().frontier();
    if (tree.size(), tree.root()) != (own.size(), *own.root()) {
        return Err(CheckpointError::Rewritten(own.size()));
    }
    exporter.finish(note, put).map_err(failed)?;
    fs::rename(creating, path)
        .and_then(|()| sync_parent(path))
        .map_err(failed)
}

/// A new file, its owner's alone.
pub(super) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(PRIVATE_DIRECTORY);
        builder.create(parent)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(PRIVATE_FILE);
    options.open(path)?.write_all(bytes)
}
